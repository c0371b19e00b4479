"""Names, addresses and accounts replaced by others, the same way everywhere, so that what is handed on tells of nobody. Pure.

Rules of this file:
1. What stands for a name is made from the order in which names are learned, never from the name, so that nothing can be guessed back.
2. A name is replaced wherever it stands as a word, in any case; all names of one host become one. Ties between hosts stay what they are.
3. Well-known accounts, versions, paths of Windows and products stay. Free words that a person chose (shares, groups, descriptions) stay
   unless a learned name stands in them: the documentation says so.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from auditor.model.change import FindingLife
from auditor.model.finding import Evidence, Finding
from auditor.model.host import DumpPieceRecord, HostResult, SecurityRecord, Snapshot, Target, TaskRecord

_WORD = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_SID = re.compile(r"\bS-1-5-21-(\d{1,10})-(\d{1,10})-(\d{1,10})", re.IGNORECASE)
_MAC = re.compile(r"(?<![0-9A-Fa-f:-])(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:-])")
_UNC = re.compile(r"(?<!\\)\\\\(?![.?]\\)([\w.-]+)(?=\\)")
_ACCOUNT = re.compile(r"(?<![\w\\.])([\w.-]+)\\([\w.$-]+)")
_MAIL = re.compile(r"(?<![\w.+-])([\w.+-]{1,64})@([\w-]+(?:\.[\w-]+)+)")
_PROFILE = re.compile(r"(?i)(\\(?:users|documents and settings)\\)([^\\/\"]{1,60})(?=[\\\"]|$)")
_PRIVATE = re.compile(r"(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2,3}")
_COLONS = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]+(?:%\d+)?")
_KNOWN_ACCOUNTS = frozenset(
    (
        "administrator", "administrators", "guest", "system", "localsystem", "localservice", "networkservice", "everyone", "users",
        "public", "default", "defaultuser0", "trustedinstaller", "krbtgt",
    )
)  # fmt: skip
_KNOWN_DOMAINS = frozenset(
    (
        "nt authority", "authority", "nt service", "service", "builtin", "window manager", "font driver host", "workgroup", "iis apppool",
        "local", "host", "hklm", "software", "system", "example", "com", "net", "org",
    )
)  # fmt: skip
_KNOWN_PROFILES = frozenset(
    ("public", "default", "default user", "all users", "localservice", "networkservice", "defaultapppool", "administrator")
)
_PLACES = frozenset(["127.0.0.1", "::1", "0.0.0.0", "::", "localhost"])  # noqa: S104 - not bound to, only left as they are
_SHORTEST = 2
_SHORTEST_INSIDE = 4
"""A name of this length is found inside longer words (`backup-to-srvb.cmd`) too."""
_LONGEST_INSIDE = 200
_MOST_PARTS = 9
_JOINTS = re.compile(r"([-_.])")
_OURS = frozenset(("sha256", "rule", "remedy", "references", "matrix", "matrix_digest", "altitude"))
_OURS_IN: dict[type, frozenset[str]] = {
    Evidence: frozenset(("source", "about")),
    Finding: frozenset(("title", "mechanism", "effect", "resolution")),
    FindingLife: frozenset(("title",)),
}
"""Fields whose words are the auditor's own."""


class Pseudonyms:
    """Learn everything first, then rewrite."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._domains: set[str] = set()
        self._counts: dict[str, int] = {}
        self._dynamic: dict[tuple[str, str], str] = {}

    # --- learning

    def learn(self, target: Target, snapshot: Snapshot | None) -> None:
        """Names of one host, as the inventory and the host itself state them, and of those who were seen on it."""
        host = self._next("host")
        labels = [target.name, target.address, target.kerberos_host, *target.aliases]
        addresses: list[str] = []
        for record in snapshot.sections.network.records if snapshot else ():
            labels += [record.computer_name, record.host_name, *record.optional_names]
            for name in (record.domain, *record.dns_suffixes):
                self._domain(name)
            for adapter in record.adapters:
                addresses += [*adapter.addresses, *adapter.gateways, *adapter.dns_servers, adapter.dhcp_server or ""]
        for label in labels:
            self._host(label, host)
        for address in addresses:
            self._address(address)
        self._people(target, snapshot)

    def _host(self, label: str | None, host: str) -> None:
        if not label:
            return
        if _ADDRESS.fullmatch(label):
            self._address(label)
            return
        first, _, rest = label.partition(".")
        self._domain(rest)
        if len(first) >= _SHORTEST and first.casefold() not in _PLACES:
            self._words.setdefault(first.casefold(), host)

    def _domain(self, name: str | None) -> None:
        folded = (name or "").strip(".").casefold()
        if len(folded) < _SHORTEST or folded in _KNOWN_DOMAINS or folded in self._words:
            return
        word = self._next("domain")
        self._words[folded] = f"{word}.example" if "." in folded else word
        self._domains.add(folded)
        first = folded.partition(".")[0]
        if first != folded and first not in _KNOWN_DOMAINS:
            self._words.setdefault(first, word)
            self._domains.add(first)

    def _address(self, text: str) -> None:
        folded = text.casefold().partition("%")[0]
        if folded and folded not in _PLACES and folded not in self._words:
            number = self._number("address")
            self._words[folded] = f"fd00::{number:x}" if ":" in folded else f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def _people(self, target: Target, snapshot: Snapshot | None) -> None:
        self._account(target.user)
        sections = snapshot.sections if snapshot else None
        for logon in sections.logons.readings if sections else ():
            self._domain(logon.domain)
            self._account(logon.account)
            self._host(logon.workstation, self._words.get((logon.workstation or "").casefold(), "") or self._next("host"))
            self._address(logon.address or "")
        for session in sections.sessions.readings if sections else ():
            self._account(session.user)
        for service in sections.services.records if sections else ():
            if service.account and "\\" in service.account:
                domain, _, user = service.account.rpartition("\\")
                if domain.casefold() not in _KNOWN_DOMAINS and domain != ".":
                    self._domain(domain)
                if domain.casefold() not in _KNOWN_DOMAINS:
                    self._account(user)

    def _account(self, text: str | None) -> None:
        name = (text or "").rpartition("\\")[2].partition("@")[0].casefold()
        if len(name) >= _SHORTEST and name not in _KNOWN_ACCOUNTS and name not in self._words:
            self._words[name] = self._next("user")

    def _next(self, kind: str) -> str:
        return f"{kind}-{self._number(kind)}"

    def _number(self, kind: str) -> int:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind]

    def _for(self, kind: str, text: str) -> str:
        """What stands for a name that is met while rewriting."""
        place = (kind, text.casefold())
        if place not in self._dynamic:
            self._dynamic[place] = self._next(kind)
        return self._dynamic[place]

    # --- rewriting

    def host(self, name: str) -> str:
        """What stands for a host's target name."""
        return self.text(name)

    def text(self, text: str) -> str:
        """A text without names."""
        if len(text) < _SHORTEST:
            return text
        text = _SID.sub(lambda m: f"S-1-5-21-1-1-{self._for('sid', m.group()).partition('-')[2]}", text)
        text = _MAC.sub(lambda m: self._mac(m.group()), text)
        text = _MAIL.sub(lambda m: f"{self._user(m.group(1))}@{self._words.get(m.group(2).casefold(), 'mail.example')}", text)
        text = _PROFILE.sub(
            lambda m: m.group(1) + (m.group(2) if m.group(2).casefold() in _KNOWN_PROFILES else self._user(m.group(2))), text
        )
        text = _UNC.sub(lambda m: f"\\\\{self._server(m.group(1))}", text)
        text = _ACCOUNT.sub(self._pair, text)
        text = _COLONS.sub(lambda m: self._words.get(m.group().casefold(), m.group()), text)
        return _WORD.sub(lambda m: self._word(m.group()), text)

    def _mac(self, text: str) -> str:
        number = int(self._for("mac", text).partition("-")[2])
        return f"02:00:00:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:{number & 255:02X}"

    def _user(self, name: str) -> str:
        folded = name.casefold()
        return name if folded in _KNOWN_ACCOUNTS else self._words.get(folded) or self._for("user", name)

    def _server(self, name: str) -> str:
        known = self._word(name)
        return known if known != name or self._ours(name) else self._for("server", name)

    def _ours(self, name: str) -> bool:
        return re.fullmatch(r"(host|server|domain|user)-\d+(\..*)?", name) is not None or name in ("localhost", ".")

    def _pair(self, match: re.Match[str]) -> str:
        domain, user = match.group(1), match.group(2)
        if domain.casefold() not in self._domains and domain.casefold() not in self._words:
            return match.group()
        return f"{domain}\\{self._user(user)}"

    def _word(self, word: str) -> str:
        folded = word.casefold()
        if folded in self._words:
            return self._words[folded]
        if _PRIVATE.fullmatch(word) and word.count(".") == 3:
            self._address(word)
            return self._words[folded]
        if "." in word:
            first, _, rest = word.partition(".")
            if rest.casefold() in self._words or first.casefold() in self._words:
                head = self._words.get(first.casefold()) or (self._for("host", first) if rest.casefold() in self._domains else first)
                return f"{head}.{self._words.get(rest.casefold(), rest)}"
        return self._inside(word)

    def _inside(self, word: str) -> str:
        """A longer word with the names in it replaced, the longest first."""
        parts = _JOINTS.split(word)
        if len(parts) < 3 or len(word) > _LONGEST_INSIDE:
            return word
        done: list[str] = []
        start = 0
        while start < len(parts):
            for end in range(min(len(parts), start + _MOST_PARTS), start, -1):
                name = "".join(parts[start:end]).casefold()
                if len(name) >= _SHORTEST_INSIDE and name in self._words:
                    done.append(self._words[name])
                    start = end
                    break
            else:
                done.append(parts[start])
                start += 1
        return "".join(done)

    def rewrite(self, value: Any) -> Any:
        """A value of the model without names: texts in all fields but those with fixed words and versions."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            return tuple(self.rewrite(inner) for inner in value)
        if isinstance(value, dict):
            return {self.text(key): self.rewrite(inner) for key, inner in value.items()}
        if not isinstance(value, msgspec.Struct):
            return value
        kept = _kept(type(value))
        changes = {
            name: self.rewrite(inner)
            for name in value.__struct_fields__
            if name not in kept and (inner := getattr(value, name)) is not None
        }
        return msgspec.structs.replace(value, **(changes | self._bytes(value)))

    def _bytes(self, value: msgspec.Struct) -> dict[str, Any]:
        """Names inside bytes, written out as the host told them."""
        if isinstance(value, DumpPieceRecord):
            return {"data": None}  # memory of the host: no name in it can be found for sure
        if isinstance(value, TaskRecord) and value.data:
            try:
                return {"data": base64.b64encode(self._blanked(base64.b64decode(value.data, validate=True))).decode()}
            except (binascii.Error, ValueError):
                return {"data": None}
        if isinstance(value, SecurityRecord) and value.data and value.type in ("REG_BINARY", "REG_NONE"):
            try:
                return {"data": self._blanked(bytes.fromhex(value.data)).hex()}
            except ValueError:
                return {"data": None}
        if isinstance(value, SecurityRecord) and "version" in value.name.casefold():
            return {"data": value.data}
        return {}

    def _blanked(self, data: bytes) -> bytes:
        """Names in UTF-16 overwritten, so that nothing moves."""
        changed = bytearray(data)
        for start in (0, 1):
            units = memoryview(data[start : start + (len(data) - start) // 2 * 2]).cast("H")
            wide = "".join(map(chr, units))
            for match in _WORD.finditer(wide):
                if self._word(match.group()) != match.group():
                    place = start + 2 * match.start()
                    changed[place : place + 2 * len(match.group())] = b"x\0" * len(match.group())
        return bytes(changed)


@cache
def _kept(kind: type[msgspec.Struct]) -> frozenset[str]:
    """Fields that hold fixed words, versions or digests, and are left as they are."""
    hints = get_type_hints(kind)
    ours = _OURS | _OURS_IN.get(kind, frozenset())
    return frozenset(name for name, hint in hints.items() if _is_fixed(hint) or "version" in name or name in ours)


def _is_fixed(hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return True
    return any(get_origin(part) is Literal for part in get_args(hint))


def learn_all(results: Iterable[tuple[Target, HostResult]]) -> Pseudonyms:
    """Pseudonyms for everything that these results name."""
    found = Pseudonyms()
    for target, result in results:
        found.learn(target, result.snapshot)
    return found
