"""The registry through StdRegProv: absent is not denied, types are found out, and variables that come replaced are noticed."""

from __future__ import annotations

import pytest

from auditor.model.errors import CollectError
from auditor.probes.wmi.questions import RegistryCall
from auditor.probes.wmi.registry import ENVIRONMENT, Registry
from auditor.probes.wmi.survey import SERVICES_KEY
from tests.unit.wmi_host import SmallHost, drive, section

KEY = r"SOFTWARE\Vendor"
VALUES: dict[str, tuple[int, object]] = {
    "Text": (1, "9.0"), "Empty": (1, ""), "Number": (4, 4294967295), "Big": (11, 5000000000), "List": (7, ["a", "", "b"]),
    "Bytes": (3, b"\x00\xff"), "Path": (2, r"%SystemRoot%\x.exe"), "": (1, "default"), "Odd": (5, 1),
}  # fmt: skip
WINDIR = {ENVIRONMENT: {"windir": (2, "%SystemRoot%")}}


def host(expands: str = "as_written", **more: object) -> SmallHost:
    return SmallHost(registry={KEY: VALUES, rf"{KEY}\Sub": {}, **WINDIR}, expands=expands, denied=(rf"{KEY}\Sub\Closed",))


def test_values_as_rows_carry_them() -> None:
    registry, answer = Registry(), host()
    texts = {name: drive(registry.text(KEY, name), answer) for name in VALUES}
    assert texts == {"Text": "9.0", "Empty": None, "Number": "4294967295", "Big": "5000000000", "List": "a\n\nb", "Bytes": "00ff",
                     "Path": r"%SystemRoot%\x.exe", "": "default", "Odd": None}  # fmt: skip
    assert drive(registry.number(KEY, "Number"), answer) == 4294967295
    assert drive(registry.number(KEY, "Big"), answer) == 5000000000
    assert drive(registry.number(KEY, "Text"), answer) is None
    assert drive(registry.items(KEY, "List"), answer) == ["a", "b"]
    assert drive(registry.items(KEY, "Text"), answer) == ["9.0"]
    assert drive(registry.binary(KEY, "Bytes"), answer) == b"\x00\xff"
    assert (drive(registry.values(KEY), answer) or {})["Odd"] is None
    assert drive(registry.subkeys(KEY), answer) == ["SUB"]


def test_absent_is_not_denied() -> None:
    registry = Registry()
    answer = SmallHost(registry={KEY: {}}, denied=(r"SOFTWARE\Closed",))
    assert drive(registry.text(KEY, "Nothing"), answer) is None
    assert drive(registry.values(r"SOFTWARE\Nowhere"), answer) is None
    assert drive(registry.subkeys(r"SOFTWARE\Nowhere"), answer) == []
    assert drive(registry.exists(r"SOFTWARE\Nowhere"), answer) is False
    for steps in (registry.text(r"SOFTWARE\Closed", "x"), registry.subkeys(r"SOFTWARE\Closed"), registry.number(r"SOFTWARE\Closed", "x")):
        with pytest.raises(CollectError) as caught:
            drive(steps, answer)
        assert caught.value.status == "denied"


def test_nothing_is_asked_twice() -> None:
    registry, answer = Registry(), host()
    for _ in range(3):
        drive(registry.text(KEY, "Number"), answer)
        drive(registry.subkeys(KEY), answer)
    assert len(answer.asked) == len(set(answer.asked))


@pytest.mark.parametrize(("expands", "replaced"), [("as_written", False), ("replaced", True), ("other_type", True)])
def test_whether_variables_come_replaced_is_tried_out(expands: str, replaced: bool) -> None:
    registry, answer = Registry(), host(expands)
    assert drive(registry.replaced(), answer) is replaced
    shown = drive(registry.text(KEY, "Path"), answer)
    assert shown == (r"C:\Windows\x.exe" if replaced else r"%SystemRoot%\x.exe")


@pytest.mark.parametrize("expands", ["replaced", "other_type"])
def test_a_service_path_with_replaced_variables_is_a_gap(expands: str) -> None:
    service: dict[str, tuple[int, object]] = {"Type": (4, 16), "Start": (4, 2), "ImagePath": (2, r"%SystemRoot%\s.exe")}
    answer = SmallHost({"Win32_Service": []}, {SERVICES_KEY: {}, rf"{SERVICES_KEY}\S": service, **WINDIR}, expands=expands)
    found = section("services", answer)
    assert found.status == "partial"
    assert [(gap.record, gap.field) for gap in found.gaps] == [("", "image_path")]
    assert found.rows[0]["image_path"] == r"C:\Windows\s.exe"


def test_only_reading_methods_exist() -> None:
    methods = RegistryCall.__annotations__["method"]
    assert "Method" in str(methods)
    from typing import get_args

    from auditor.probes.wmi import questions

    assert all(name.startswith(("Enum", "Get", "Check")) for name in get_args(questions.Method))
