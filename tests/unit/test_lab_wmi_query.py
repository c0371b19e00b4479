"""WQL on a lab host: what fits, what a provider looks up by, and that everything WMI would refuse is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.lab.process import Refusal
from auditor.lab.wmi_query import read_query
from auditor.lab.wmi_xml import fragment, whole

DISK: dict[str, Any] = {"DeviceID": "C:", "DriveType": 3, "Label": None, "Dirty": False, "Path": "\\windows\\",
                        "At": "20261126120000.000000+060"}  # fmt: skip
FITTING = [
    ("DeviceID='c:'", True), ("DriveType=3", True), ("DriveType<>3", False), ("DriveType>2 AND DriveType<4", True), ("Label IS NULL", True),
    ("Label IS NOT NULL", False), ("Dirty=FALSE", True), ("NOT Dirty=TRUE", True), ("DeviceID LIKE 'C%'", True),
    ("DeviceID LIKE '_'", False),
    ("(DriveType=5 OR DriveType=3) AND Dirty=false", True), ("DriveType=5 OR DriveType=3 AND Dirty=TRUE", False),
    ("Path='\\\\windows\\\\'", True),
    ("At>='20261126110000.000000+000'", True), ("At>'20261126110000.000000+000'", False), ("Label='x'", False), ('DeviceID="C:"', True),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "fits"), FITTING)
def test_conditions(condition: str, fits: bool) -> None:
    assert read_query(f"SELECT * FROM Win32_LogicalDisk WHERE {condition}").fits(DISK) is fits


def test_what_a_provider_looks_up_by() -> None:
    assert read_query("select * from a where Drive='C:' and Path='\\\\x\\\\' and (Extension='sys')").equals == {
        "drive": "C:", "path": "\\x\\", "extension": "sys"}  # fmt: skip
    assert read_query("select * from a where Drive='C:' and (Name='a' or Name='b')").equals == {"drive": "C:"}
    assert read_query("select * from a where not Name='a'").equals == {}
    assert read_query("select Name, Size from a").columns == ("Name", "Size")


REFUSED = [
    "", "SELECT", "SELECT * FROM", "SELECT * FROM a WHERE", "SELECT * FROM a WHERE b", "SELECT * FROM a WHERE b=",
    "SELECT * FROM a WHERE b=c",
    "SELECT * FROM a WHERE b='c", "SELECT * FROM a x", "DELETE FROM a", "SELECT * FROM a WHERE (b=1", "SELECT * FROM a WHERE b(1",
    "SELECT b FROM a; x",
    "SELECT * FROM a WHERE " + "(" * 60 + "b=1" + ")" * 60, "SELECT * FROM a WHERE b='" + "x" * 20_000 + "'",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_query_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        read_query(text)


def test_an_unknown_property_is_refused() -> None:
    with pytest.raises(Refusal):
        read_query("SELECT * FROM a WHERE Nothing=1").fits(DISK)


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    for query in (text, f"SELECT * FROM a WHERE {text}"):
        try:
            read_query(query)
        except Refusal:
            continue


def test_instances_as_windows_writes_them() -> None:
    text = fragment({**DISK, "List": ["a<", ""], "None": []}, ())
    assert "<At><Datetime>2026-11-26T12:00:00+01:00</Datetime></At>" in text
    assert '<Label xsi:nil="true"/>' in text
    assert '<None xsi:nil="true"/>' in text
    assert "<List>a&lt;</List><List></List>" in text
    assert "<Dirty>false</Dirty>" in text
    assert fragment(DISK, ("deviceid",)).count("<DeviceID>") == 1
    assert 'xsi:type="p:Win32_LogicalDisk_Type"' in whole(DISK, "Win32_LogicalDisk", "urn:x")
