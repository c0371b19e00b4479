"""Names that appear in evidence (`\\\\SRVB`, an address, an FQDN, an alias, a workstation name) to targets of the inventory.

Rules of this file:
1. A host is its inventory target. What the inventory states (name, address, aliases) comes before what machines say of themselves.
2. A name that fits several targets is ambiguous, one that fits none is unknown: both stay unresolved, with the reason.
3. `localhost`, `.`, redirected client drives and placeholders are no hosts. Loopback, link-local and multicast addresses identify nobody.
4. An address or name that the inventory gives to several targets identifies none of them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from auditor.model.host import NetworkRecord, Target

_NO_HOSTS = frozenset({"localhost", ".", "?", "tsclient", "vboxsvr", "vboxsrv", ".host", "vmware-host", "-", "null", "globalroot"})
_PLACEHOLDER = re.compile(r"[%$<>{}*?!\"'`|\s]")
_DAV = re.compile(r"(@ssl)?(@\d{1,5})?$", re.IGNORECASE)
_LABELS = re.compile(r"[^\x00-\x20\x7f\\/:]{1,255}")
Reason = Literal["", "ambiguous", "unknown", "not_a_host"]


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What a name came to."""

    name: str
    """The name as it was asked for, without backslashes and brackets."""
    target: str | None = None
    """The one target it means."""
    reason: Reason = ""
    """Why there is none."""
    candidates: tuple[str, ...] = ()
    """Targets it may mean, where it is ambiguous."""

    def __str__(self) -> str:
        among = f" ({', '.join(self.candidates)})" if self.candidates else ""
        return f"{self.name}: {self.target or self.reason.replace('_', ' ')}{among}"


class NameTables(msgspec.Struct, frozen=True, array_like=True):
    """Targets by what they are called, and the domains of targets."""

    stated: dict[str, set[str]] = {}
    """By the inventory: name, address, aliases."""
    short: dict[str, set[str]] = {}
    """By the first label of a full name in the inventory."""
    claimed: dict[str, set[str]] = {}
    """By the machine itself."""
    domains: dict[str, set[str]] = {}


class Resolver:
    """What names mean, by tables that are made from the targets and from what collected machines say of themselves."""

    def __init__(self, tables: NameTables) -> None:
        self.tables = tables
        self._stated, self._short = tables.stated, tables.short
        self._claimed, self._domains = tables.claimed, tables.domains

    @classmethod
    def of(cls, targets: Iterable[Target], networks: Mapping[str, Iterable[NetworkRecord]]) -> Resolver:
        """From the targets, and from the network records of those that were collected."""
        resolver = cls(NameTables())
        for target in targets:
            resolver._state(target)
        for name, records in networks.items():
            for record in records:
                resolver._claim(name, record)
        return resolver

    def _state(self, target: Target) -> None:
        for text in (target.name, target.address, *target.aliases):
            if key := _key(text):
                self._stated.setdefault(key, set()).add(target.name)
                label, _, domain = key.partition(".")
                if domain and not _address(key):
                    self._short.setdefault(label, set()).add(target.name)
                    self._domains.setdefault(target.name, set()).add(domain)

    def _claim(self, name: str, record: NetworkRecord) -> None:
        labels = [text for text in (record.computer_name, record.host_name, *record.optional_names) if text]
        domains = [d for d in ((record.domain if record.part_of_domain else None), *record.dns_suffixes[:1]) if d]
        texts = [*labels, *(f"{label}.{domain}" for label in labels for domain in domains)]
        texts += [address for adapter in record.adapters for address in adapter.addresses]
        for text in texts:
            if key := _key(text):
                self._claimed.setdefault(key, set()).add(name)
        self._domains.setdefault(name, set()).update(domain.casefold().rstrip(".") for domain in domains)

    def resolve(self, name: str) -> Resolution:
        """The target that a name means, or the reason why there is none."""
        text = _clean(name)
        key = _key(text)
        if not key:
            return Resolution(name=text, reason="not_a_host")
        for table in (self._stated, self._claimed, self._short):
            if found := table.get(key):
                return _settled(text, found)
        label, _, domain = key.partition(".")
        if domain and not _address(key):
            return self._by_label(text, label, domain)
        return Resolution(name=text, reason="unknown")

    def _by_label(self, text: str, label: str, domain: str) -> Resolution:
        """A full name of which only the first label is known: only where that host's own domain does not speak against it."""
        named = self._stated.get(label, set()) | self._claimed.get(label, set()) | self._short.get(label, set())
        fitting = {host for host in named if not self._domains.get(host) or domain in self._domains[host]}
        return _settled(text, fitting) if fitting else Resolution(name=text, reason="unknown")


def domain_of(name: str) -> str | None:
    """The domain that a host's name states, empty where it states none; None where it is an address or no host's name."""
    key = _key(name)
    return None if not key or _address(key) else key.partition(".")[2]


def _settled(text: str, found: set[str]) -> Resolution:
    if len(found) == 1:
        return Resolution(name=text, target=next(iter(found)))
    return Resolution(name=text, reason="ambiguous", candidates=tuple(sorted(found)))


def _clean(name: str) -> str:
    """Without UNC backslashes, WebDAV port, brackets, zone and trailing dot."""
    text = name.strip().replace("/", "\\").strip("\\").partition("\\")[0]
    text = _DAV.sub("", text)
    if text.startswith("[") and "]" in text:
        text = text[1 : text.index("]")]
    if text.casefold().endswith(".ipv6-literal.net"):
        text = text[: -len(".ipv6-literal.net")].replace("-", ":").replace("s", "%")
    return text.rstrip(".") or text


def _key(text: str | None) -> str:
    """Form in which names are compared; empty for what is no host."""
    if not text:
        return ""
    clean = _clean(text).casefold()
    address = _address(clean)
    if address is not None:
        return "" if _says_nothing(address) else str(address)
    if clean in _NO_HOSTS or _PLACEHOLDER.search(clean) or not _LABELS.fullmatch(clean) or clean.endswith(".localhost"):
        return ""
    return clean


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _says_nothing(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
