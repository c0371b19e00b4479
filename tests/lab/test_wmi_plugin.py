"""The lab's WMI plug-in with pywinrm's own messages: pages, contexts, faults, and that nothing but reading is let through."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xmltodict
from winrm.exceptions import WSManFaultError
from winrm.protocol import Protocol

from auditor.collect.wsman_requests import ENUMERATION, WMI, WQL
from auditor.probes.wmi.pages import Page, read_page
from tests.lab.collect_fleet import Running, facts, running

pytestmark = pytest.mark.lab
SHARED = Path(os.environ.get("AUDITOR_SHARED", Path(__file__).parents[3] / "shared")) / "real" / "winrm" / "txwinrm_wmi_enum"
RESOURCE = f"{WMI}/root/cimv2/*"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Running]:
    with running({"new": facts("windows-2022"), "old": facts("windows-2003")}) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def client(fleet: Running) -> Iterator[Protocol]:
    target = fleet.target("new")
    password = fleet.inventory.credentials["new"].reveal() or ""
    protocol = Protocol(f"http://127.0.0.1:{target.port}/wsman", "ntlm", target.user, password, proxy=None, message_encryption="always")
    yield protocol
    protocol.transport.close_session()


def send(client: Protocol, action: str, uri: str, body: dict[str, Any]) -> bytes:
    envelope = client.build_wsman_header(action, uri)
    envelope["env:Body"] = body
    answer: bytes = client.send_message(xmltodict.unparse({"env:Envelope": envelope}))
    return answer


def enumerate_(client: Protocol, wql: str, most: int | None = 20, uri: str = RESOURCE) -> Page:
    body: dict[str, Any] = {"w:Filter": {"@Dialect": WQL, "#text": wql}}
    if most is not None:
        body = {"w:OptimizeEnumeration": None, "w:MaxElements": str(most), **body}
    return read_page(send(client, f"{ENUMERATION}/Enumerate", uri, {"n:Enumerate": body}))


def pull(client: Protocol, context: str | None, most: int = 20) -> Page:
    body = {"n:EnumerationContext": context, "n:MaxElements": str(most)}
    return read_page(send(client, f"{ENUMERATION}/Pull", RESOURCE, {"n:Pull": body}))


def code_of(caught: pytest.ExceptionInfo[WSManFaultError]) -> int:
    return (caught.value.wsman_fault_code or 0) & 0xFFFFFFFF


def test_an_enumeration_in_pages(client: Protocol) -> None:
    page = enumerate_(client, "SELECT Name FROM Win32_Service", 7)
    names = [item.instance["Name"] for item in page.items]
    while not page.end:
        context = page.context
        page = pull(client, page.context, 50)
        names += [item.instance["Name"] for item in page.items]
        with pytest.raises(WSManFaultError) as caught:
            pull(client, context)
        assert code_of(caught) == 0x8033801B, "each context is good for one page"
    assert len(names) == len(set(names)) > 100


def test_without_optimization_there_is_a_context_first(client: Protocol) -> None:
    page = enumerate_(client, "SELECT Name FROM Win32_Share", None)
    assert (page.items, page.end) == ([], False)
    assert len(pull(client, page.context).items) >= 3
    page = enumerate_(client, "SELECT Name FROM Win32_Share", None)
    send(client, f"{ENUMERATION}/Release", RESOURCE, {"n:Release": {"n:EnumerationContext": page.context}})
    with pytest.raises(WSManFaultError):
        pull(client, page.context)


def test_a_plain_enumeration_names_its_class(client: Protocol) -> None:
    body = {"n:Enumerate": {"w:OptimizeEnumeration": None, "w:MaxElements": "5"}}
    page = read_page(send(client, f"{ENUMERATION}/Enumerate", f"{WMI}/root/cimv2/Win32_OperatingSystem", body))
    assert (page.items[0].class_name, page.items[0].instance["BuildNumber"]) == ("Win32_OperatingSystem", "20348")


REFUSED = [
    ("SELECT * FROM Win32_Nothing", RESOURCE, 0x80338000), ("SELECT Nothing FROM Win32_Share", RESOURCE, 0x8033801A),
    ("SELEKT", RESOURCE, 0x8033801A), ("SELECT * FROM Win32_Share", f"{WMI}/root/nowhere/*", 0x80338000),
    ("SELECT * FROM Win32_Share", f"{WMI}/root/cimv2/Win32_Share", 0x803380FB),
]  # fmt: skip


@pytest.mark.parametrize(("wql", "uri", "code"), REFUSED)
def test_faults(client: Protocol, wql: str, uri: str, code: int) -> None:
    with pytest.raises(WSManFaultError) as caught:
        enumerate_(client, wql, uri=uri)
    assert code_of(caught) == code


def test_methods_that_change_something_are_refused_and_noted(fleet: Running, client: Protocol) -> None:
    before = fleet.violations().count("\n")
    uri = f"{WMI}/root/cimv2/StdRegProv"
    calls = [(uri, "SetStringValue"), (uri, "CreateKey"), (f"{WMI}/root/cimv2/Win32_Process", "Create"), (uri, "DeleteValue")]
    for resource, method in calls:
        with pytest.raises(WSManFaultError):
            send(client, f"{resource}/{method}", resource, {f"r:{method}_INPUT": {"@xmlns:r": resource, "r:sSubKeyName": "SOFTWARE"}})
    assert fleet.violations().count("\n") - before == len(calls)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no recorded enumerations beside the checkout (AUDITOR_SHARED)")
def test_recorded_pages_of_a_server_2012_read_whole() -> None:
    pages: dict[str, list[Page]] = {}
    for file in sorted(SHARED.glob("*.xml")):
        pages.setdefault(file.stem.rpartition("_")[0], []).append(read_page(file.read_bytes()))
    for found in pages.values():
        assert [page.end for page in found] == [False] * (len(found) - 1) + [True]
    services = [item.instance for page in pages["server_2012_Win32_Service_all"] for item in page.items]
    assert len({str(service["Name"]) for service in services}) == len(services) > 100
    assert {service["State"] for service in services} <= {"Running", "Stopped"}
    system = pages["server_2012_Win32_OperatingSystem_all"][0].items[0].instance
    assert (system["BuildNumber"], system["CSDVersion"]) == ("9200", None)
