"""WMI over WS-Management on a lab host: Enumerate, Pull, Release and the reading methods of StdRegProv, as routes of the server.

Owns the open enumerations of a host. What changes something, or calls another method, is refused to the auditor's account and noted as a
violation. Faults: codes of winerror's WS-Management range; their sentences are our own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

import msgspec

from auditor.lab import wsman
from auditor.lab.machine import Machine
from auditor.lab.process import Refusal
from auditor.lab.shell import LabShell, note_logon
from auditor.lab.winrs import Call, Reply, Route
from auditor.lab.wmi import AccessDenied, Instance, InvalidClass
from auditor.lab.wmi_classes import instances
from auditor.lab.wmi_query import Select, read_query
from auditor.lab.wmi_registry import READING, call
from auditor.lab.wmi_xml import fragment, output, parameters, whole
from auditor.lab.wsman import ENUMERATION, WMI, WSMAN

_WQL = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
_DIALECT = 0x80338019
_TOO_LARGE = 0x80338026
_RESERVE = 3072
"""Bytes of a page that are not items."""
_MOST_OPEN = 100
_LOGON_SECONDS = 60
_REGISTRY_NAMESPACES = (r"root\default", r"root\cimv2")


class _Enumeration(msgspec.Struct):
    """Items that were not pulled yet."""

    items: list[str]
    user: str


class WmiService:
    """The WMI plug-in of one host. All methods run on the server's loop."""

    def __init__(self, machine: Machine, shell: LabShell, *, largest_envelope: int = 150 * 1024) -> None:
        self._machine = machine
        self._shell = shell
        self._largest = largest_envelope
        self._open: dict[str, _Enumeration] = {}
        self._logons: dict[str, datetime] = {}

    def routes(self) -> dict[tuple[str, str], Route]:
        """For the server: (action, resource URI) to operation."""
        below = f"{WMI}/*"
        return {
            ("Enumerate", below): self.enumerate,
            ("Pull", below): self.pull,
            ("Release", below): self.release,
            ("*", below): self.invoke,
        }

    async def enumerate(self, call_: Call) -> Reply:
        """Opens an enumeration; with OptimizeEnumeration the answer holds its first items. Raises Refusal."""
        self._note_logon(call_.account.user)
        namespace, class_name = _resource(call_.request.resource_uri)
        body = call_.request.body
        asked = body.find(f"{{{ENUMERATION}}}Enumerate") if body is not None else None
        if asked is None:
            raise Refusal("there is nothing to enumerate", code=wsman.INVALID_BODY)
        items = self._items(asked, namespace, class_name, call_.request.resource_uri)
        if asked.find(f"{{{WSMAN}}}OptimizeEnumeration") is None:
            context = self._keep(_Enumeration(items, call_.account.user))
            return _reply("Enumerate", f"<n:EnumerationContext>uuid:{context}</n:EnumerationContext>")
        most = _most(asked.findtext(f"{{{WSMAN}}}MaxElements"), 1)
        page, left = self._page(items, most, call_)
        context = self._keep(_Enumeration(left, call_.account.user)) if left else ""
        end = "" if left else "<w:EndOfSequence/>"
        named = f"<n:EnumerationContext>{f'uuid:{context}' if context else ''}</n:EnumerationContext>"
        return _reply("Enumerate", f"{named}<w:Items>{''.join(page)}</w:Items>{end}")

    def _items(self, asked: ET.Element, namespace: str, class_name: str, uri: str) -> list[str]:
        wql = asked.find(f"{{{WSMAN}}}Filter")
        if wql is None:
            name, found = self._instances(class_name, namespace, {})
            return [whole(instance, name, uri) for instance in found]
        if wql.get("Dialect") != _WQL:
            raise Refusal("this dialect of filters is not known here", code=_DIALECT)
        if class_name != "*":
            raise Refusal("with a query the class in the resource URI must be *", code=0x803380FB)
        select = read_query(wql.text or "")
        _, found = self._instances(select.class_name, namespace, select.equals)
        return [fragment(instance, select.columns) for instance in self._fitting(found, select)]

    def _fitting(self, found: list[Instance], select: Select) -> list[Instance]:
        known = {name.lower() for instance in found[:1] for name in instance}
        unknown = [column for column in select.columns if found and column.lower() not in known]
        if unknown:
            raise Refusal(f"the query can't be processed: there is no property {unknown[0]}", code=wsman.FILTER_INVALID)
        return [instance for instance in found if select.fits(instance)]

    def _instances(self, class_name: str, namespace: str, equals: dict[str, str]) -> tuple[str, list[Instance]]:
        try:
            return instances(self._machine, class_name, self._shell.now(), namespace, equals)
        except AccessDenied as error:
            raise Refusal("WMI denies the access", code=wsman.WMI_DENIED) from error
        except InvalidClass as error:
            raise Refusal(f"{error} in the namespace {namespace}", code=wsman.RESOURCE_NOT_FOUND) from error

    def _keep(self, enumeration: _Enumeration) -> str:
        if len(self._open) >= _MOST_OPEN:
            raise Refusal("too many enumerations are open", code=wsman.QUOTA_OPERATIONS)
        context = wsman.new_id()
        self._open[context] = enumeration
        return context

    def _page(self, items: list[str], most: int, call_: Call) -> tuple[list[str], list[str]]:
        """The items that fit into one answer, and the rest."""
        budget = min(call_.request.max_envelope, self._largest) - _RESERVE
        count = 0
        for item in items[:most]:
            size = len(item.encode())
            if size > budget and count == 0:
                raise Refusal("an item is larger than the largest envelope", code=_TOO_LARGE)
            if size > budget:
                break
            budget -= size
            count += 1
        return items[:count], items[count:]

    async def pull(self, call_: Call) -> Reply:
        """The next items of an enumeration; each page has a new context. Raises Refusal."""
        asked, context, enumeration = self._asked(call_, "Pull")
        page, left = self._page(enumeration.items, _most(asked.findtext(f"{{{ENUMERATION}}}MaxElements"), 20), call_)
        del self._open[context]
        named = ""
        if left:
            named = f"<n:EnumerationContext>uuid:{self._keep(_Enumeration(left, call_.account.user))}</n:EnumerationContext>"
        return _reply("Pull", f"{named}<n:Items>{''.join(page)}</n:Items>{'' if left else '<n:EndOfSequence/>'}")

    async def release(self, call_: Call) -> Reply:
        """Ends an enumeration early."""
        _, context, _ = self._asked(call_, "Release")
        del self._open[context]
        return Reply(f"{ENUMERATION}/ReleaseResponse", "")

    def _asked(self, call_: Call, action: str) -> tuple[ET.Element, str, _Enumeration]:
        body = call_.request.body
        asked = body.find(f"{{{ENUMERATION}}}{action}") if body is not None else None
        text = (asked.findtext(f"{{{ENUMERATION}}}EnumerationContext") or "").strip() if asked is not None else ""
        context = text.removeprefix("uuid:")
        enumeration = self._open.get(context)
        if asked is None or enumeration is None or enumeration.user != call_.account.user:
            raise Refusal("this enumeration is not open", code=wsman.CONTEXT_INVALID)
        return asked, context, enumeration

    async def invoke(self, call_: Call) -> Reply:
        """A method of a class: the reading ones of StdRegProv. Raises Refusal, and notes what the auditor's account may not do."""
        self._note_logon(call_.account.user)
        uri, action = call_.request.resource_uri, call_.request.action
        namespace, class_name = _resource(uri)
        method = action.rpartition("/")[2]
        if class_name.lower() != "stdregprov" or method not in READING:
            if call_.account.role == "auditor":
                raise self._shell.violation(call_.account.user, f"WMI: {action} on {uri}")
            raise Refusal("this lab runs no such method", code=wsman.ACTION_NOT_SUPPORTED)
        self._check_registry(namespace)
        given = parameters(call_.request.body, method)
        if given is None:
            raise Refusal(f"the parameters of {method} are missing", code=wsman.INVALID_BODY)
        try:
            code, values = call(self._machine, method, given)
        except ValueError as error:
            raise Refusal("a parameter is no number", code=wsman.INVALID_PARAMETER) from error
        return Reply(f"{action}Response", output(method, uri, code, values))

    def _check_registry(self, namespace: str) -> None:
        """StdRegProv is in root\\default, from Vista on in root\\cimv2 too."""
        access = self._machine.access
        if "wmi" in access.denied or "stdregprov" in {name.lower() for name in access.denied_classes}:
            raise Refusal("WMI denies the access", code=wsman.WMI_DENIED)
        if namespace not in _REGISTRY_NAMESPACES[: 1 if self._machine.legacy else 2]:
            raise Refusal(f"there is no class StdRegProv in the namespace {namespace}", code=wsman.RESOURCE_NOT_FOUND)

    def _note_logon(self, user: str) -> None:
        """Windows writes a logon for a connection; here one a minute stands for it."""
        now = self._shell.now()
        last = self._logons.get(user)
        if last is None or now - last > timedelta(seconds=_LOGON_SECONDS):
            self._logons[user] = now
            note_logon(self._machine, user, now)


def _resource(uri: str) -> tuple[str, str]:
    """Namespace (with backslashes, lower case) and class of a resource URI."""
    path, _, class_name = uri[len(WMI) :].strip("/").rpartition("/")
    return path.lower().replace("/", "\\"), class_name


def _most(text: str | None, otherwise: int) -> int:
    plain = (text or "").strip()
    return max(1, int(plain)) if plain.isascii() and plain.isdigit() and len(plain) < 10 else otherwise


def _reply(action: str, inside: str) -> Reply:
    return Reply(f"{ENUMERATION}/{action}Response", f"<n:{action}Response>{inside}</n:{action}Response>")
