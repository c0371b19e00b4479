"""Asking over WMI: pages, limits, deadlines, and what a fault means, against answers made by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError
from winrm.protocol import Protocol

from auditor.collect.session import Told
from auditor.collect.wmi import WmiSession, WmiWay, fault_reason, why_no_command
from auditor.model.errors import CollectError
from auditor.model.host import Target
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest
from auditor.probes.wmi.questions import Found, Output, Query, RegistryCall

Reply = str | Exception
HEAD = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"'
    ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Body>'
)
QUERY = Query("SELECT Name FROM Win32_Share")


def page(kind: str, names: str, context: str = "") -> str:
    items = "".join(f"<w:XmlFragment><Name>{name}</Name></w:XmlFragment>" for name in names)
    space = "w" if kind == "Enumerate" else "n"
    ends = f"<n:EnumerationContext>{context}</n:EnumerationContext>" if context else f"<{space}:EndOfSequence/>"
    return f"{HEAD}<n:{kind}Response>{ends}<{space}:Items>{items}</{space}:Items></n:{kind}Response></s:Body></s:Envelope>"


def output(method: str, code: int) -> str:
    return f"{HEAD}<p:{method}_OUTPUT xmlns:p='u'><p:ReturnValue>{code}</p:ReturnValue></p:{method}_OUTPUT></s:Body></s:Envelope>"


def fault(code: int | None = None, subcode: str = "w:InternalError", wmi: int | None = None, response: str = "") -> WSManFaultError:
    return WSManFaultError(500, "m", response, "words of the host", "s:Sender", subcode, code, wmi)


class Script(Protocol):
    """pywinrm's messages, answered from a list."""

    def __init__(self, *replies: Reply) -> None:
        self.max_env_sz, self.locale = 153600, "en-US"
        self.operation_timeout_sec = 20
        self.replies: Iterator[Reply] = iter(replies)
        self.sent: list[str] = []

    def send_message(self, message: str) -> bytes:
        self.sent.append(message)
        reply = next(self.replies)
        if isinstance(reply, Exception):
            raise reply
        return reply.encode()

    def actions(self) -> list[str]:
        found = [re.search(r"<a:Action[^>]*>([^<]+)<", message) for message in self.sent]
        return [match.group(1).rpartition("/")[2] for match in found if match]


def session(script: Script, **more: Any) -> WmiSession:
    request = more.pop("request", ProbeRequest(sections=("shares",)))
    return WmiSession(script, "h", request, answer_bytes=more.pop("answer_bytes", 100_000), now=lambda: datetime.now(UTC))


def test_pages_are_pulled_to_the_end() -> None:
    script = Script(page("Enumerate", "a", "uuid:1"), page("Pull", "bc", "uuid:2"), page("Pull", "d"))
    found = session(script).ask(QUERY)
    assert isinstance(found, Found)
    assert ([i["Name"] for i in found.instances], found.whole) == (["a", "b", "c", "d"], True)
    assert script.actions() == ["Enumerate", "Pull", "Pull"]
    assert "uuid:2" in script.sent[2], "each page has its own context"
    assert 'Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL"' in script.sent[0]
    assert "OptimizeEnumeration" in script.sent[0]
    assert "/wmi/root/cimv2/*<" in script.sent[0]


def test_what_is_not_wanted_is_released() -> None:
    script = Script(page("Enumerate", "ab", "uuid:1"), page("Release", ""))
    found = session(script).ask(Query(QUERY.wql, limit=2))
    assert isinstance(found, Found)
    assert (len(found.instances), found.whole) == (2, False)
    assert script.actions() == ["Enumerate", "Release"]


def test_a_page_that_is_not_ready_is_asked_for_again() -> None:
    late = WinRMOperationTimeoutError()
    script = Script(page("Enumerate", "a", "uuid:1"), late, fault(0x8033801C), page("Pull", "b"))
    found = session(script).ask(QUERY)
    assert isinstance(found, Found)
    assert (len(found.instances), found.whole) == (2, True)
    never = session(Script(page("Enumerate", "a", "uuid:1"), *[late] * 30)).ask(QUERY)
    assert isinstance(never, CollectError)
    assert never.status == "timed_out"


def test_the_registry_is_looked_for_in_both_namespaces() -> None:
    script = Script(fault(0x80338000, "a:DestinationUnreachable"), output("EnumKey", 0), output("EnumKey", 2))
    asked = session(script)
    first, second = asked.ask(RegistryCall("EnumKey", "SOFTWARE")), asked.ask(RegistryCall("EnumKey", "x"))
    assert isinstance(first, Output)
    assert isinstance(second, Output)
    assert (first.code, second.code, asked.registry_namespace) == (0, 2, "root/default")
    assert ["root/default/StdRegProv" in message for message in script.sent] == [False, True, True]
    denied = session(Script(fault(0x80338104))).ask(RegistryCall("EnumKey", "SOFTWARE"))
    assert isinstance(denied, CollectError)
    assert denied.status == "denied"


MEANINGS: list[tuple[Callable[[], Exception], str]] = [
    (lambda: fault(0x80338104), "denied"), (lambda: fault(0x5, "w:AccessDenied"), "denied"),
    (lambda: fault(None, "w:AccessDenied"), "denied"),
    (lambda: fault(None, "w:InternalError", 0x80041003), "denied"),
    (lambda: fault(0x803381A6, response="<p:StatusCode xmlns:p='x'>2147749891</p:StatusCode>"), "denied"),
    (lambda: fault(0x80338000), "unsupported"), (lambda: fault(None, "a:DestinationUnreachable"), "unsupported"),
    (lambda: fault(0x80338009, response="<p:StatusCode>2147749904</p:StatusCode>"), "unsupported"),
    (lambda: fault(0x8033801C), "timed_out"), (WinRMOperationTimeoutError, "timed_out"), (lambda: fault(0x803381A6), "failed"),
    (lambda: fault(None, "w:Odd"), "failed"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "status"), MEANINGS)
def test_a_fault_is_told_by_its_codes_in_every_language(make: Callable[[], Any], status: str) -> None:
    reason = fault_reason(make())
    assert (reason.status, reason.host) == (status, "")
    assert reason.message


def test_too_much_and_nonsense_end_the_host() -> None:
    with pytest.raises(CollectError, match="larger than 10 bytes"):
        session(Script(page("Enumerate", "a")), answer_bytes=10).ask(QUERY)
    with pytest.raises(CollectError, match="makes no sense") as caught:
        session(Script("<a/>")).ask(QUERY)
    assert caught.value.host == "h"


def test_a_section_ends_at_its_deadline_and_keeps_what_it_has() -> None:
    moment = "<LocalDateTime><Datetime>2026-11-26T12:00:00Z</Datetime></LocalDateTime>"
    system = page("Enumerate", "x").replace("<Name>x</Name>", moment)
    script = Script(system, output("CheckAccess", 0), page("Enumerate", "a"))
    request = ProbeRequest(sections=("shares", "updates"), section_deadline_seconds=0)
    asked = session(script, request=request)
    with pytest.raises(CollectError, match="the section's time was over"):
        asked.collect()
    slow = session(script, request=ProbeRequest(sections=("shares",), section_deadline_seconds=60))
    slow.collect()
    assert slow.answer.complete
    assert slow.answer.sections["shares"].rows[0]["name"] == "a"


def told(output_: bytes = b"", complaints: bytes = b"", code: int | None = 1, **more: Any) -> Told:
    return Told(output=bytearray(output_), complaints=bytearray(complaints), exit_code=code, **more)


def error(status: str) -> CollectError:
    return CollectError("h", "words", status=status)


TARGET = Target(name="h", address="h", port=5985, scheme="http", transport="ntlm")
GOOD = framing.pack_hello(framing.Hello(powershell="5.1")).encode()
CASES: list[tuple[Told, bool]] = [
    (told(failure=error("unsupported"), step="opening the shell"), True),
    (told(failure=error("denied"), step="opening the shell"), True),
    (told(failure=error("failed"), step="opening the shell"), True),
    (told(failure=error("failed"), step="opening the shell", clean=False), False),
    (told(failure=error("denied"), step="logging on", clean=False), False),
    (told(failure=error("timed_out"), step="waiting for the answer", clean=False), False),
    (told(failure=error("failed"), step="waiting for the answer"), False),
    (told(b"#AUD1 REFUSED ConstrainedLanguage\r\n"), True),
    (told(b"", b"ScriptContainedMaliciousContent"), True),
    (told(b"", b"", 1), True),
    (told(b"", b"", None), False),
    (told(GOOD), False),
]  # fmt: skip


@pytest.mark.parametrize(("what", "wanted"), CASES)
def test_only_a_host_that_surely_ran_no_probe_is_asked_another_way(what: Told, wanted: bool) -> None:
    assert (why_no_command(TARGET, what) is not None) is wanted
    way = WmiWay(TARGET, ProbeRequest(), answer_bytes=1, now=lambda: datetime.now(UTC))
    assert way.wanted(what) is wanted
    assert way.only is False
