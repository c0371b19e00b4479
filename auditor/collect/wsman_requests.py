"""WS-Management requests to WMI: Enumerate, Pull, Release, and the reading methods of StdRegProv. Text out; sends nothing.

Header and envelope are pywinrm's own (`Protocol.build_wsman_header`). Sources: DSP0226 (enumeration), DSP0227 (WQL with the class `*`),
MS-WSMV 3.1.4 (resource URIs of WMI).
"""

from __future__ import annotations

from typing import Any

import xmltodict
from winrm.protocol import Protocol

from auditor.probes.wmi.questions import HKLM, Query, RegistryCall

ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
WMI = "http://schemas.microsoft.com/wbem/wsman/1/wmi"
WQL = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
PAGE_ITEMS = 250
"""Items asked for at once; the envelope's size ends a page before that where they are large."""


def enumerate_request(protocol: Protocol, query: Query) -> str:
    """Open an enumeration; its first page comes with the answer."""
    body = {
        "w:OptimizeEnumeration": None,
        "w:MaxElements": str(min(PAGE_ITEMS, query.limit)),
        "w:Filter": {"@Dialect": WQL, "#text": query.wql},
    }
    return _request(protocol, f"{ENUMERATION}/Enumerate", f"{WMI}/{query.namespace}/*", {"n:Enumerate": body})


def pull_request(protocol: Protocol, query: Query, context: str, items: int) -> str:
    """Ask for the next page."""
    body = {"n:EnumerationContext": context, "n:MaxElements": str(max(1, min(PAGE_ITEMS, items)))}
    return _request(protocol, f"{ENUMERATION}/Pull", f"{WMI}/{query.namespace}/*", {"n:Pull": body})


def release_request(protocol: Protocol, query: Query, context: str) -> str:
    """Say that no more pages are wanted."""
    body = {"n:EnumerationContext": context}
    return _request(protocol, f"{ENUMERATION}/Release", f"{WMI}/{query.namespace}/*", {"n:Release": body})


def registry_request(protocol: Protocol, call: RegistryCall, namespace: str) -> str:
    """Call a reading method of StdRegProv."""
    uri = f"{WMI}/{namespace}/StdRegProv"
    given: dict[str, Any] = {"@xmlns:r": uri, "r:hDefKey": str(HKLM), "r:sSubKeyName": call.key}
    if call.value is not None:
        given["r:sValueName"] = call.value
    if call.method == "CheckAccess":
        given["r:uRequired"] = str(call.required)
    return _request(protocol, f"{uri}/{call.method}", uri, {f"r:{call.method}_INPUT": given})


def _request(protocol: Protocol, action: str, uri: str, body: dict[str, Any]) -> str:
    envelope = protocol.build_wsman_header(action, uri)
    envelope["env:Body"] = body
    text: str = xmltodict.unparse({"env:Envelope": envelope})
    return text
