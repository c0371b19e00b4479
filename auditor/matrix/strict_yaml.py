"""YAML that means what it says: text stays text, every value has a place, and what makes YAML dangerous or surprising is refused.

Rules of this file:
1. Only `null`, `true`, `false` and decimal whole numbers are not text: `10.10`, `no`, `12:30` and `0x10` stay as written.
2. Aliases, tags, keys that are no text, duplicate keys, several documents, nesting deeper than 40 and files above 1 MiB are refused.
3. All problems of a file are told at once, each with line and column counted from 1.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from auditor.model.errors import Problem

LIMIT_BYTES = 1024 * 1024
DEEPEST = 40
Place = tuple[int, int]
"""Line and column, counted from 1."""
Keys = tuple[str | int, ...]
"""Path of keys and list positions from the top of a document."""


_NULL = ("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"))
_BOOL = ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"))
_INT = ("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]{0,17})$"))


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """Knows null, true, false and whole numbers only, each by the character it begins with."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        "n": [_NULL],
        "~": [_NULL],
        "": [_NULL],
        "t": [_BOOL],
        "f": [_BOOL],
        **{character: [_INT] for character in "-0123456789"},
    }


class Document:
    """A YAML file as plain values, with the place of each."""

    def __init__(self, file: str, value: Any, places: dict[Keys, Place]) -> None:
        self.file = file
        self.value = value
        self._places = places

    def place(self, keys: Keys) -> Place:
        """Place of a value, or of the nearest value around it."""
        while keys and keys not in self._places:
            keys = keys[:-1]
        return self._places.get(keys, (1, 1))

    def problem(self, keys: Keys, subject: str, message: str) -> Problem:
        """A problem at a value."""
        line, column = self.place(keys)
        return Problem(file=self.file, line=line, column=column, subject=subject, message=message)


def read_yaml(path: Path, shown: str | None = None) -> tuple[Document | None, list[Problem]]:
    """The document in a file, or what is wrong with it. `shown` is the file's name in messages."""
    file = shown or str(path)
    try:
        if path.stat().st_size > LIMIT_BYTES:
            return None, [Problem(file=file, message=f"the file is larger than {LIMIT_BYTES} bytes")]
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return None, [Problem(file=file, message=f"the file is not UTF-8: byte {error.start}")]
    except OSError as error:
        return None, [Problem(file=file, message=f"the file can't be read: {error.strerror}")]
    return parse_yaml(text, file)


def parse_yaml(text: str, file: str) -> tuple[Document | None, list[Problem]]:
    """The document in a text, or what is wrong with it."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return None, [Problem(file=file, line=line, column=column, message=f"not YAML: {error.problem or error.context}")]
    except (yaml.YAMLError, RecursionError) as error:
        return None, [Problem(file=file, message=f"not YAML: {error}")]
    walk = _Walk(file)
    value = walk.read(node, (), 0) if node is not None else None
    return (None if walk.problems else Document(file, value, walk.places)), walk.problems


class _Walk:
    """From nodes to plain values; remembers places and problems."""

    def __init__(self, file: str) -> None:
        self.places: dict[Keys, Place] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._seen: set[int] = set()

    def read(self, node: yaml.Node, keys: Keys, depth: int) -> Any:
        if id(node) in self._seen:
            return self._refuse(node, "an alias (`*name`): write the value out", self.places.get(keys))
        self.places.setdefault(keys, (node.start_mark.line + 1, node.start_mark.column + 1))
        self._seen.add(id(node))
        if depth > DEEPEST:
            return self._refuse(node, f"nested deeper than {DEEPEST} levels")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys, depth) if node.tag == "tag:yaml.org,2002:map" else self._refuse(node, f"a tag ({node.tag})")
        if isinstance(node, yaml.SequenceNode):
            if node.tag != "tag:yaml.org,2002:seq":
                return self._refuse(node, f"a tag ({node.tag})")
            return [self.read(item, (*keys, number), depth + 1) for number, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, keys: Keys, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                self._refuse(key, "a key that is no text: put it in quotes")
            elif key.value in found:
                self._refuse(key, f"the key {key.value!r} for a second time")
            else:
                self.places[(*keys, key.value)] = (key.start_mark.line + 1, key.start_mark.column + 1)
                found[key.value] = self.read(value, (*keys, key.value), depth + 1)
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind == "str":
            return node.value
        if kind == "int":
            return int(node.value)
        if kind == "bool":
            return node.value == "true"
        return None if kind == "null" else self._refuse(node, f"a tag ({node.tag})")

    def _refuse(self, node: yaml.Node, what: str, place: Place | None = None) -> None:
        line, column = place or (node.start_mark.line + 1, node.start_mark.column + 1)
        self.problems.append(Problem(file=self._file, line=line, column=column, message=f"not allowed: {what}"))
