"""Pages of enumerations and answers of methods: both forms of instances, arrays, nulls, times; and nothing but DecodeError for the rest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.errors import DecodeError
from auditor.probes.wmi.pages import read_output, read_page
from auditor.probes.wmi.properties import moment_of, number_of, query_time, text_of, texts_of, time_of, truth_of, whole_number
from auditor.probes.wmi.questions import Instance

HEAD = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"'
    ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body>'
)
TAIL = "</s:Body></s:Envelope>"
FRAGMENT = (
    "<w:XmlFragment><Name>C:</Name><Size>31843151872</Size><Label></Label><Owner xsi:nil='true'/><Dirty>false</Dirty>"
    "<Address>10.0.0.1</Address><Address>fe80::1</Address><At><Datetime>2013-04-15T16:28:47.73517Z</Datetime></At></w:XmlFragment>"
)


def page(inside: str) -> bytes:
    return f"{HEAD}{inside}{TAIL}".encode()


def test_an_answer_to_a_query() -> None:
    found = read_page(
        page(f"<n:PullResponse><n:EnumerationContext>uuid:1</n:EnumerationContext><n:Items>{FRAGMENT}</n:Items></n:PullResponse>")
    )
    assert (found.context, found.end, len(found.items)) == ("uuid:1", False, 1)
    instance = found.items[0].instance
    assert found.items[0].class_name is None
    assert (text_of(instance, "Name"), number_of(instance, "Size"), truth_of(instance, "Dirty")) == ("C:", 31843151872, False)
    assert (instance["Label"], text_of(instance, "Label"), instance["Owner"]) == ("", None, None)
    assert texts_of(instance, "Address") == ["10.0.0.1", "fe80::1"]
    assert time_of(instance, "At") == "2013-04-15T16:28:47Z"


def test_an_instance_of_a_class_and_the_ends_of_an_enumeration() -> None:
    item = "<p:Win32_Share xmlns:p='urn:x'><p:Name>C$</p:Name></p:Win32_Share>"
    whole = read_page(
        page(f"<n:EnumerateResponse><n:EnumerationContext/><w:Items>{item}</w:Items><w:EndOfSequence/></n:EnumerateResponse>")
    )
    assert (whole.items[0].class_name, whole.items[0].instance, whole.end) == ("Win32_Share", {"Name": "C$"}, True)
    wrapped = read_page(page(f"<n:PullResponse><n:Items><w:Item>{item}<a/></w:Item></n:Items></n:PullResponse>"))
    assert (wrapped.items[0].instance, wrapped.end) == ({"Name": "C$"}, True)


def test_what_a_method_gives_back() -> None:
    data = page(
        "<p:EnumKey_OUTPUT xmlns:p='u'><p:sNames>a</p:sNames><p:sNames>b</p:sNames><p:ReturnValue>0</p:ReturnValue></p:EnumKey_OUTPUT>"
    )
    found = read_output(data, "EnumKey")
    assert (found.code, found.values) == (0, {"sNames": ["a", "b"]})
    negative = page("<p:EnumKey_OUTPUT xmlns:p='u'><p:ReturnValue>-2147217403</p:ReturnValue></p:EnumKey_OUTPUT>")
    assert read_output(negative, "EnumKey").code == 0x80041005
    with pytest.raises(DecodeError):
        read_output(data, "EnumValues")


BAD = {
    "no XML": b"\x00\x01\x02",
    "no envelope": b"<a/>",
    "no body": b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>',
    "another answer": page("<x/>"),
    "an entity bomb": b'<!DOCTYPE a [<!ENTITY e "ha">]><a>&e;</a>',
    "a number that is none": page("<p:EnumKey_OUTPUT xmlns:p='u'><p:ReturnValue>many</p:ReturnValue></p:EnumKey_OUTPUT>"),
    "wrong bytes": page("<n:PullResponse/>") + b"\xff\xfe",
}


@pytest.mark.parametrize("what", BAD)
def test_strange_answers_are_refused(what: str) -> None:
    with pytest.raises(DecodeError):
        read_page(BAD[what])
    with pytest.raises(DecodeError):
        read_output(BAD[what], "EnumKey")


@given(st.binary(max_size=200))
def test_any_bytes_give_a_page_or_our_error(data: bytes) -> None:
    for text in (data, HEAD.encode() + data + TAIL.encode()):
        try:
            read_page(text)
        except DecodeError:
            continue


TIMES = [
    ("2013-04-15T20:28:21.085Z", "2013-04-15T20:28:21Z"), ("2013-04-15T22:28:21+02:00", "2013-04-15T20:28:21Z"),
    ("20130415222821.085000+120", "2013-04-15T20:28:21Z"), ("2013-04-15T20:28:21", None), ("soon", None), ("", None),
    ("99999999999999.000000+000", None), ("0001-01-01T00:00:00+14:00", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_times_are_utc_or_unknown(text: str, expected: str | None) -> None:
    assert time_of({"t": text}, "t") == expected


@given(st.text(max_size=40))
def test_no_text_breaks_the_readers_of_properties(text: str) -> None:
    instance: Instance = {"p": text}
    whole_number(text)
    for read in (number_of, truth_of, time_of, text_of, texts_of):
        read(instance, "p")


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_times_in_queries_are_read_back_to_the_second(moment: datetime) -> None:
    assert moment_of({"t": query_time(moment)}, "t") == moment.replace(microsecond=0)
