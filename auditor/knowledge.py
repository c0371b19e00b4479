"""Loads what is known of crashes from compat_matrix/crash: strict YAML in, values out, every problem with file, line and column.

Owns the form of those files. Judges no crash. Aliases, tags, duplicate and unknown keys are refused, so that a typing error can't turn
into silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, get_args

import yaml

from auditor.model.crash import CAUSE_CLASSES, CauseClass
from auditor.model.crash_knowledge import (
    MODULE_KINDS,
    ROLES,
    BugcheckFact,
    BytePattern,
    CrashKnowledge,
    Indicator,
    InPageFact,
    ModuleKind,
    Role,
    SystemModule,
    stem,
)
from auditor.model.errors import MatrixError, Problem
from auditor.model.grade import Confidence
from auditor.model.places import shipped

MAX_FILE_BYTES = 4 * 1024 * 1024
_CODES: tuple[CauseClass, ...] = ("filesystem", "hardware", "memory")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
T = TypeVar("T")
_Pair = tuple[str, yaml.Node, yaml.Node]


class _Document:
    """One file: its nodes, and what is wrong with them."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        self._seen: set[int] = set()
        self.data = b""
        self.root = self._compose()

    def _compose(self) -> yaml.Node | None:
        try:
            with self.path.open("rb") as file:
                self.data = file.read(MAX_FILE_BYTES + 1)
            if len(self.data) > MAX_FILE_BYTES:
                raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
            root: yaml.Node | None = yaml.compose(self.data.decode("utf-8"), Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            self.problems.append(Problem(file=str(self.path), line=line, column=column, message=error.problem or str(error)))
            return None
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            self.problems.append(Problem(file=str(self.path), message=str(error)))
            return None
        if root is None:
            self.problems.append(Problem(file=str(self.path), message="the file is empty"))
        return root

    def wrong(self, node: yaml.Node, message: str, subject: str = "") -> None:
        """Note a problem at a node."""
        mark = node.start_mark
        place = Problem(file=str(self.path), line=mark.line + 1, column=mark.column + 1, subject=subject, message=message)
        self.problems.append(place)

    def pairs(self, node: yaml.Node | None, what: str) -> list[_Pair]:
        """The entries of a mapping, each key once."""
        if not isinstance(node, yaml.MappingNode):
            if node is not None:
                self.wrong(node, f"expected a mapping for {what}")
            return []
        found: dict[str, _Pair] = {}
        for key, value in node.value:
            if id(value) in self._seen:
                self.wrong(value, "aliases are not allowed")
            self._seen.add(id(value))
            name = self.text(key)
            if name in found:
                self.wrong(key, "this key stands here twice", name)
            found[name] = (name, key, value)
        return list(found.values())

    def fields(self, node: yaml.Node, what: str, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> dict[str, yaml.Node]:
        """The entries of a mapping whose keys are given; others and missing ones are problems."""
        found = {}
        for name, key, value in self.pairs(node, what):
            if name not in allowed:
                self.wrong(key, f"unknown key; expected one of {', '.join(allowed)}", name)
            found[name] = value
        for name in required:
            if name not in found:
                self.wrong(node, f"{what} needs the key {name}")
        return found

    def items(self, node: yaml.Node | None) -> list[yaml.Node]:
        """The entries of a list."""
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, "expected a list")
            return []
        items: list[yaml.Node] = node.value
        return items

    def text(self, node: yaml.Node) -> str:
        """A scalar as text."""
        if not isinstance(node, yaml.ScalarNode):
            self.wrong(node, "expected a text or number")
            return ""
        value: str = node.value
        return value

    def texts(self, node: yaml.Node | None) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self.text(item) for item in self.items(node))

    def number(self, node: yaml.Node) -> int:
        """A number, decimal or 0x."""
        try:
            return int(self.text(node), 0)
        except ValueError:
            self.wrong(node, "expected a number, decimal or with 0x")
            return 0

    def word(self, node: yaml.Node, allowed: tuple[T, ...]) -> T | None:
        """One of the allowed words."""
        value = self.text(node)
        for word in allowed:
            if word == value:
                return word
        self.wrong(node, f"expected one of {', '.join(str(word) for word in allowed)}")
        return None

    def flag(self, node: yaml.Node | None) -> bool:
        """True or false."""
        if node is None:
            return False
        value = self.text(node)
        if value not in ("true", "false"):
            self.wrong(node, "expected true or false")
        return value == "true"


def load_crash_knowledge(folders: Sequence[Path] = ()) -> CrashKnowledge:
    """The knowledge in the `crash` folder of each matrix folder (default: the shipped one). Raises MatrixError with all problems."""
    problems: list[Problem] = []
    parts: dict[str, object] = {}
    digest = hashlib.sha256()
    readers: tuple[tuple[str, Callable[[_Document, dict[str, object]], None]], ...] = (
        ("bugchecks.yml", _bugchecks),
        ("ntstatus.yml", _statuses),
        ("system_modules.yml", _modules),
        ("malware_indicators.yml", _indicators),
    )
    for folder in folders or (shipped("compat_matrix"),):
        for name, read in readers:
            path = folder / "crash" / name
            if folders and not path.exists():
                continue
            document = _Document(path, problems)
            digest.update(name.encode() + b"\0" + document.data)
            if document.root is not None:
                read(document, parts)
    if problems:
        raise MatrixError(f"{len(problems)} problems in what is known of crashes", tuple(problems))
    bugchecks: dict[int, BugcheckFact] = parts.get("bugchecks", {})  # type: ignore[assignment]
    names = {fact.name: code for code, fact in bugchecks.items()}
    return CrashKnowledge(**parts, names=names, digest=digest.hexdigest())  # type: ignore[arg-type]


def _part(parts: dict[str, object], name: str, kind: Callable[[], T]) -> T:
    return parts.setdefault(name, kind())  # type: ignore[return-value]


def _sources(document: _Document, node: yaml.Node | None) -> dict[str, str]:
    found = {}
    for name, key, value in document.pairs(node, "sources"):
        found[name] = document.text(value)
        _check_address(document, key, found[name])
    return found


def _check_address(document: _Document, node: yaml.Node, address: str) -> None:
    if not address.startswith(("https://", "http://")):
        document.wrong(node, "expected an address that starts with https:// or http://", address)


_BUGCHECK = ("name", "parameters", "roles", "when", "traps", "class", "innocent_stack", "causes", "sources")


def _bugchecks(document: _Document, parts: dict[str, object]) -> None:
    assert document.root is not None
    top = document.fields(document.root, "the file", ("sources", "causes", "bugchecks"), ("sources", "causes", "bugchecks"))
    default = tuple(_sources(document, top.get("sources")).values())
    causes = tuple(name for name, _, _ in document.pairs(top.get("causes"), "causes"))
    found: dict[int, BugcheckFact] = _part(parts, "bugchecks", dict)
    for _, key, value in document.pairs(top.get("bugchecks"), "bugchecks"):
        code = document.number(key)
        if code in found:
            document.wrong(key, "this code is described twice", hex(code))
        found[code] = _bugcheck(document, code, value, causes, default)


def _bugcheck(document: _Document, code: int, node: yaml.Node, causes: tuple[str, ...], default: tuple[str, ...]) -> BugcheckFact:
    fields = document.fields(node, f"stop code {code:#x}", _BUGCHECK, ("name", "causes"))
    roles: dict[Role, int] = {}
    for _, key, value in document.pairs(fields.get("roles"), "roles") if "roles" in fields else ():
        role, place = document.word(key, ROLES), document.number(value)
        if not 1 <= place <= 4:
            document.wrong(value, "expected the number of a parameter, 1 to 4")
        if role is not None:
            roles[role] = place
    words = tuple(document.word(item, causes) or "" for item in document.items(fields.get("causes")))
    parameters = document.texts(fields.get("parameters"))
    if len(parameters) > 4:
        document.wrong(node, "a stop code has four parameters", hex(code))
    return BugcheckFact(
        code=code,
        name=document.text(fields["name"]) if "name" in fields else "",
        parameters=parameters,
        roles=roles,
        when=document.number(fields["when"]) if "when" in fields else None,
        traps=document.flag(fields.get("traps")),
        cause_class=document.word(fields["class"], _CODES) if "class" in fields else None,
        innocent_stack=document.flag(fields.get("innocent_stack")),
        causes=words,
        sources=document.texts(fields["sources"]) if "sources" in fields else default,
    )


def _statuses(document: _Document, parts: dict[str, object]) -> None:
    assert document.root is not None
    top = document.fields(document.root, "the file", ("sources", "in_page", "statuses"), ("sources", "statuses"))
    _sources(document, top.get("sources"))
    names: dict[int, str] = _part(parts, "statuses", dict)
    for _, key, value in document.pairs(top.get("statuses"), "statuses"):
        names[document.number(key)] = document.text(value)
    in_page: dict[int, InPageFact] = _part(parts, "in_page", dict)
    for _, key, value in document.pairs(top.get("in_page"), "in_page"):
        fields = document.fields(value, "a status", ("class", "means"), ("class", "means"))
        status = document.number(key)
        word = document.word(fields["class"], CAUSE_CLASSES) if "class" in fields else None
        if word and "means" in fields:
            in_page[status] = InPageFact(status=status, cause_class=word, means=document.text(fields["means"]))


def _modules(document: _Document, parts: dict[str, object]) -> None:
    assert document.root is not None
    keys = ("sources", "modules", "words", "loader_writes")
    top = document.fields(document.root, "the file", keys, ("sources", "modules"))
    _sources(document, top.get("sources"))
    found: dict[str, SystemModule] = _part(parts, "modules", dict)
    for group in document.items(top.get("modules")):
        fields = document.fields(group, "a group of modules", ("kind", "why", "files", "aliases"), ("kind", "files"))
        kind: ModuleKind | None = document.word(fields["kind"], MODULE_KINDS) if "kind" in fields else None
        for item in document.items(fields.get("files")):
            _add_module(document, found, item, document.text(item), kind or "driver")
        for name, key, value in document.pairs(fields.get("aliases"), "aliases") if "aliases" in fields else ():
            _add_module(document, found, key, name, kind or "driver", file=document.text(value))
    for name, key, value in document.pairs(top.get("words"), "words") if "words" in top else ():
        fields = document.fields(value, "a word", ("kind", "means"), ("kind",))
        _add_module(document, found, key, name, (document.word(fields["kind"], MODULE_KINDS) if "kind" in fields else None) or "nothing")
    patterns = [_pattern(document, item) for item in document.items(top.get("loader_writes"))]
    parts["loader_patterns"] = (*_part(parts, "loader_patterns", tuple), *patterns)


def _add_module(document: _Document, found: dict[str, SystemModule], node: yaml.Node, name: str, kind: ModuleKind, file: str = "") -> None:
    if stem(name) in found and found[stem(name)].kind != kind:
        document.wrong(node, f"this name stands here as {found[stem(name)].kind} already", name)
    found.setdefault(stem(name), SystemModule(file=file or name, kind=kind))


def _pattern(document: _Document, node: yaml.Node) -> BytePattern:
    fields = document.fields(node, "a difference", ("expected", "found", "needs_others", "why"), ("expected", "found", "why"))

    def octets(name: str) -> bytes:
        try:
            return bytes.fromhex(document.text(fields[name])) if name in fields else b""
        except ValueError:
            document.wrong(fields[name], "expected bytes in hex")
            return b""

    why = document.text(fields["why"]) if "why" in fields else ""
    others = document.flag(fields.get("needs_others"))
    return BytePattern(expected=octets("expected"), found=octets("found"), needs_others=others, why=why)


_INDICATOR = ("family", "confidence", "codes", "files", "keys", "services", "images", "note", "sources")


def _indicators(document: _Document, parts: dict[str, object]) -> None:
    assert document.root is not None
    top = document.fields(document.root, "the file", ("families",), ("families",))
    found = list(_part(parts, "indicators", tuple))
    for node in document.items(top.get("families")):
        fields = document.fields(node, "a family", _INDICATOR, ("family", "confidence", "codes", "sources"))
        sources = document.texts(fields.get("sources"))
        for address in sources:
            _check_address(document, node, address)
        sure: Confidence | None = document.word(fields["confidence"], get_args(Confidence)) if "confidence" in fields else None
        found.append(
            Indicator(
                family=document.text(fields["family"]) if "family" in fields else "",
                confidence=sure or "suspected",
                codes=tuple(document.number(item) for item in document.items(fields.get("codes"))),
                files=document.texts(fields.get("files")),
                keys=document.texts(fields.get("keys")),
                services=document.texts(fields.get("services")),
                images=document.texts(fields.get("images")),
                note=document.text(fields["note"]) if "note" in fields else "",
                sources=sources,
            )
        )
    parts["indicators"] = tuple(found)
