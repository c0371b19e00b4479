"""The document of `auditor decode`: any bytes give records or errors, counts add up, secrets go, formats are found by looking."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.decode import KINDS, MAX_FILE_BYTES, Decoded, Source, decode

XML = "<Task><RegistrationInfo><URI>\\T</URI></RegistrationInfo><Actions><Exec><Command>x</Command></Exec></Actions></Task>"
TABLE = "\n".join([
    "Folder: \\", f"{'TaskName':<40} {'Next Run Time':<22} Status", f"{'=' * 40} {'=' * 22} {'=' * 15}", f"{'T':<40} {'N/A':<22} Ready", "",
])  # fmt: skip
SAMPLES: dict[str, tuple[bytes, ...]] = {
    "tasks": (
        XML.encode("utf-16"),
        b'"HostName","TaskName","Next Run Time","Status"\r\n"H","\\T","N/A","Ready"\r\n',
        b"Folder: \\\r\nHostName:      H\r\nTaskName:      \\T\r\nNext Run Time: N/A\r\nStatus:        Ready\r\n",
        TABLE.encode(),
    ),
    "commands": (b"robocopy C:\\a \\\\b1\\c /MIR\r\n", b"@echo off\r\nset T=\\\\b1\\c\r\nxcopy a %T%\r\n"),
    "registry": (
        "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\A]\r\n\"b\"=dword:1\r\n".encode("utf-16"),
        b"\r\nHKEY_LOCAL_MACHINE\\A\r\n    b    REG_DWORD    0x1\r\n",
    ),
    "drivers": (b'"Module Name","Display Name","Driver Type","Link Date"\r\n"a","A","Kernel",""\r\n',),
    "filters": (
        b"Filter Name  Num Instances    Altitude    Frame\n-----------  -------------  ------------  -----\na      1     328010     0\n",
    ),
    "services": (
        b"\r\nSERVICE_NAME: a\r\n        TYPE               : 10  WIN32_OWN_PROCESS\r\n        STATE              : 4  RUNNING\r\n",
        b'{"Name":"a","Status":4}',
    ),
    "defender": (b"AMRunningMode    : Normal\r\nAntivirusEnabled : True\r\n", b'{"AMRunningMode":"Normal"}'),
    "securitycenter": (b'[{"displayName":"a","productState":397568}]', b"displayName=a\r\nproductState=397568\r\n"),
    "wmi": (b"<p:Win32_X xmlns:p='u'><p:Name>a</p:Name></p:Win32_X>", b"Name=a\r\nProcessId=4\r\n"),
}  # fmt: skip


def check(document: Decoded) -> None:
    assert document.rows_in == len(document.records) + document.merged + document.skipped + len(document.errors)
    encoded = msgspec.json.decode(msgspec.json.encode(document))
    assert {"schema_version", "records", "errors", "rows_in", "merged", "skipped"} <= set(encoded)
    assert all(set(e) == {"file", "place", "message"} for e in encoded["errors"])


@pytest.mark.parametrize(("kind", "data"), [(k, d) for k, samples in SAMPLES.items() for d in samples])
def test_each_format_is_found_by_looking(kind: str, data: bytes) -> None:
    document = decode(kind, [Source(name="x", data=data)])
    check(document)
    assert len(document.records) == 1
    assert not document.errors


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_records_or_errors(kind: str, data: bytes) -> None:
    check(decode(kind, [Source(name="x", data=data), Source(name="y", data=data[::-1])]))


@pytest.mark.parametrize(("kind", "data"), [(k, d) for k, samples in SAMPLES.items() for d in samples])
def test_a_sample_that_was_cut_or_changed_anywhere(kind: str, data: bytes) -> None:
    chance = random.Random(7)
    for _ in range(60):
        changed = bytearray(data[: chance.randrange(len(data) + 1)])
        for _ in range(chance.randrange(4)):
            if changed:
                changed[chance.randrange(len(changed))] = chance.randrange(256)
        check(decode(kind, [Source(name="x", data=bytes(changed))]))


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_file_is_an_error(kind: str) -> None:
    assert len(decode(kind, [Source(name="x")]).errors) == 1


def test_a_file_that_could_not_be_read_is_an_error_beside_the_others() -> None:
    document = decode("tasks", [Source(name="a", problem="no such file"), Source(name="b", data=XML.encode())])
    assert [(e.file, e.message) for e in document.errors] == [("a", "no such file")]
    assert len(document.records) == 1


def test_an_unknown_kind_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="none of"):
        decode("crash", [])


def test_secrets_go_before_anything_is_printed() -> None:
    sources = {
        "commands": b"net use Z: \\\\b1\\c Geheim-77 /user:d\\u\r\npscp -pw Geheim-77 a.zip u@b1:/c\r\n",
        "registry": b'REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Acme\\Winlogon]\n"DefaultPassword"="Geheim-77"\n',
        "tasks": XML.replace(
            "<Command>x</Command>", "<Command>net</Command><Arguments>use Z: \\\\b\\c Geheim-77 /user:u</Arguments>"
        ).encode(),
    }
    for kind, data in sources.items():
        document = decode(kind, [Source(name="x", data=data)])
        assert document.records
        assert "Geheim-77" not in msgspec.json.encode(document).decode()


def test_a_job_file_has_the_name_of_its_file() -> None:
    from tests.unit.test_tasks_job import job, trigger

    (record,) = decode("tasks", [Source(name="/some/where/Nightly.job", data=job(trigger(1)))]).records
    assert (record["name"], record["source_format"], record["principal"]) == ("Nightly", "job", None)


def test_pages_are_read_in_the_order_of_their_names() -> None:
    from tests.unit.test_recorded_wmi import SERVICE, page

    pages = {"p_10.xml": page("Pull", SERVICE, end=True), "p_2.xml": page("Pull", SERVICE), "p_1.xml": page("Enumerate", SERVICE)}
    document = decode("wmi", [Source(name=n, data=t.encode()) for n, t in pages.items()])
    assert (len(document.records), document.errors) == (3, [])
    assert len(decode("wmi", [Source(name="p_1.xml", data=pages["p_1.xml"].encode())]).errors) == 1


def test_command_lines_share_a_shell_and_are_counted_one_by_one() -> None:
    lines = b"set SRC=\\\\b1\\c\r\n\r\nC:\\x>robocopy %SRC% D:\\in\r\ndir\r\nfor %%h in (A1 B1) do copy a.txt \\\\%%h\\x\r\n"
    document = decode("commands", [Source(name="x", data=lines)])
    found = [(r["line"], r["source"]["host"], r["destination"]["host"]) for r in document.records]
    assert found == [(3, "b1", None), (5, None, "A1"), (5, None, "B1")]
    assert (document.skipped, document.rows_in) == (2, 5)


def test_scripts_that_call_each_other_are_read_once_with_their_callers_arguments() -> None:
    caller = Source(name="/t/go.bat", data=b"@echo off\r\nrem x\r\ncall E:\\jobs\\each.bat \\\\b1\\c\r\n")
    called = Source(name="/t/each.bat", data=b"@robocopy C:\\a %1 /MIR\r\n")
    document = decode("commands", [called, caller])
    assert [(r["destination"]["host"], r["place"]) for r in document.records] == [("b1", "line 3 > line 1")]
    assert document.skipped == 1


def test_a_limit_on_size_is_stated() -> None:
    assert MAX_FILE_BYTES == 32 * 1024 * 1024


def test_a_job_file_that_certutil_encoded() -> None:
    import base64

    from tests.unit.test_tasks_job import job, trigger

    text = b"-----BEGIN CERTIFICATE-----\r\n" + base64.encodebytes(job(trigger(1))) + b"-----END CERTIFICATE-----\r\n"
    (record,) = decode("tasks", [Source(name="Night.job", data=text)]).records
    assert (record["name"], record["source_format"]) == ("Night", "job")
