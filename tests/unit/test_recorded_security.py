"""Defender's and Security Center's words, and the encodings that texts come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.probes.recorded.defender import read_defender
from auditor.probes.recorded.encoding import decode_text
from auditor.probes.recorded.moments import Calendar, time_of_day
from auditor.probes.recorded.securitycenter import product_state, read_securitycenter

STATUS = """
AMEngineVersion                 : 1.1.20300.3
AMProductVersion                : 4.18.2304.8
AMRunningMode                   : Passive Mode
AntivirusEnabled                : True
AntivirusSignatureAge           : 3
AntivirusSignatureLastUpdated   : 09.05.2023 03:11:42
AntivirusSignatureVersion       : 1.389.1201.0
DefenderSignaturesOutOfDate     : False
FullScanAge                     : 4294967295
FullScanEndTime                 :
RealTimeProtectionEnabled       : False
"""


def test_a_status_list() -> None:
    (status,) = read_defender(STATUS).records
    assert (status["AMRunningMode"], status["AntivirusEnabled"], status["AntivirusSignatureAge"]) == ("Passive Mode", True, 3)
    assert (status["AntivirusSignatureVersion"], status["FullScanAge"], status["FullScanEndTime"]) == ("1.389.1201.0", 4294967295, None)
    assert (status["running_mode"], status["enabled"], status["real_time"], status["up_to_date"]) == ("Passive Mode", True, False, True)
    assert (status["tamper_protected"], status["never_fully_scanned"]) == (None, True)


def test_a_status_that_ends_inside_a_line_keeps_the_rest() -> None:
    outcome = read_defender(STATUS + "IsTamperProtected       ")
    assert [r["tamper_protected"] for r in outcome.records] == [None]
    assert "IsTamperProtected" in outcome.faults[0].message


def test_a_status_as_json_and_what_is_none() -> None:
    (status,) = read_defender('{"AMRunningMode":"Normal","IsTamperProtected":true,"CimClass":{}}').records
    assert (status["running_mode"], status["tamper_protected"], "CimClass" in status) == ("Normal", True, False)
    assert read_defender("Get-MpComputerStatus : The term is not recognized\n").faults
    assert read_defender("[1]").faults
    assert read_defender("{").faults


@pytest.mark.parametrize(
    ("state", "enabled", "up_to_date"),
    [
        (397568, True, True),
        (397584, True, False),
        (393472, False, True),
        (262144, False, True),
        (266240, True, True),
        (270336, None, True),
        (0x061120, True, None),
    ],
)
def test_product_state(state: int, enabled: bool | None, up_to_date: bool | None) -> None:
    assert product_state(state) == (enabled, up_to_date)


@pytest.mark.parametrize(
    "text",
    [
        '{"antiVirus": [{"displayName": "Acme AV", "productState": 397584}], "firewall": []}',
        '[{"displayName": "Acme AV", "productState": "397584", "CimClass": {"CimClassName": "x"}}]',
        "displayName              : Acme AV\ninstanceGuid             : {x}\nproductState             : 397584\n",
        "\r\r\n\r\r\ndisplayName=Acme AV\r\r\nproductState=397584\r\r\n\r\r\n",
        "Node,displayName,productState\r\nPC,Acme AV,397584\r\n",
        "displayName productState\n----------- ------------\nAcme AV           397584\n",
    ],
    ids=["groups", "list", "format-list", "wmic", "csv", "table"],
)
def test_security_center_in_every_form(text: str) -> None:
    outcome = read_securitycenter(text)
    assert not outcome.faults
    assert [(p.name, p.enabled, p.up_to_date, p.product_state_hex) for p in outcome.records] == [("Acme AV", True, False, "0x061110")]


def test_the_old_security_center_says_it_in_words() -> None:
    (product,) = read_securitycenter("displayName=Old AV\nonAccessScanningEnabled=TRUE\nproductUptoDate=FALSE\n").records
    assert (product.enabled, product.up_to_date, product.product_state) == (True, False, None)


def test_an_empty_security_center_is_not_a_failure_and_garbage_is() -> None:
    assert read_securitycenter('{"antiVirus": [], "firewall": []}').rows == 0
    assert read_securitycenter('{"a": 1}').faults
    assert read_securitycenter("No instances.\n").faults


@pytest.mark.parametrize("page", ["cp850", "cp437", "cp1252", "utf-8", "utf-16-le", "utf-16"])
def test_german_in_every_encoding(page: str) -> None:
    text = "Nächste Laufzeit: Nicht verfügbar, größer als üblich"
    assert decode_text(text.encode(page))[0] == text


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("Имя задачи Состояние Готово", "cp866"), ("Имя задачи Состояние Готово", "cp1251"), ("任务名 下次运行时间 模式", "cp936"),
        ("タスク名 次回の実行時刻", "cp932"), ("작업 이름 다음 실행 시간", "cp949"), ("工作名稱 下次執行時間", "cp950"),
        ("Włączone Następne uruchomienie", "cp852"), ("Hora próxima ejecución", "cp850"),
    ],
)  # fmt: skip
def test_oem_code_pages(text: str, page: str) -> None:
    assert decode_text(text.encode(page))[0] == text


@given(st.binary(max_size=300))
def test_any_bytes_are_text_that_json_can_hold(data: bytes) -> None:
    decode_text(data)[0].encode("utf-8")


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\ufeff"), max_size=100))
def test_utf_8_comes_back(text: str) -> None:
    assert decode_text(b"\xef\xbb\xbf" + text.encode())[0] == text


@pytest.mark.parametrize(
    ("text", "clock"),
    [("4:55:17 PM", "16:55:17"), ("12:05 AM", "00:05:00"), ("3:00:00 SA", "03:00:00"), ("3:00 CH", "15:00:00"),
     ("下午 3:05:00", "15:05:00"), ("21:05:00", "21:05:00"), ("21:05 Uhr", "21:05:00"),
     ("4:06:15 p. m.", "16:06:15"), ("3:00 xx", None), ("", None), ("25:00", None)],
)  # fmt: skip
def test_times_of_day(text: str, clock: str | None) -> None:
    assert time_of_day(text) == clock


def test_dates_by_their_separators_and_by_each_other() -> None:
    assert Calendar().date("2.3.2024") == "2024-03-02"
    assert Calendar().date("2024/3/2") == "2024-03-02"
    assert Calendar().date("2/3/2024") is None
    assert Calendar(["13/3/2024"]).date("2/3/2024") == "2024-03-02"
    assert Calendar(["3/13/2024"]).date("2/3/2024") == "2024-02-03"
    assert Calendar(["13/3/2024", "3/13/2024"]).date("2/3/2024") is None
    assert Calendar().moment("04:00:00, 09-10-2011") == "2011-10-09T04:00:00"
