"""Strict YAML with positions: text -> nodes that know file, line and column; merging of nodes. Opens no file.

Rules of this file:
1. A plain scalar is null, true, false, an integer (decimal or 0x...) or text: `10.10`, `no`, `12:30` are text, as is what stands in quotes.
2. No aliases, anchors, tags, duplicate keys, keys that are not text, or more than MAXIMUM_DEPTH levels: such a file is refused, all
   problems at once. The size of a text and the number of its nodes are bounded before anything is built.
3. Merging: maps merge key by key, everything else replaces, null removes; a null that removes nothing is a problem: a typing error.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import yaml

from auditor.model.errors import Problem

MAXIMUM_BYTES = 4 * 1024 * 1024
MAXIMUM_NODES = 200_000
MAXIMUM_DEPTH = 40
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})|0x[0-9a-fA-F]{1,16}")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}


class Mark(msgspec.Struct, frozen=True):
    """A place in a file; line and column count from 1."""

    file: str
    line: int = 0
    column: int = 0


class Node(msgspec.Struct, frozen=True):
    """A value with its place. `value` is a dict of text to Node, a list of Node, text, int, bool or None."""

    value: Any
    mark: Mark
    raw: str = ""
    """A scalar as it was written, so that a number where a text is expected can be taken as that text."""

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


class Problems:
    """Collects what is wrong, so that a person sees everything at once; bounded, so that a hostile file can't fill memory."""

    LIMIT = 200

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, mark: Mark, message: str, subject: str = "") -> None:
        """Notes one problem at a place."""
        if len(self._found) < self.LIMIT:
            self._found.append(Problem(file=mark.file, line=mark.line, column=mark.column, subject=subject, message=message))

    @property
    def found(self) -> tuple[Problem, ...]:
        """All problems so far, by file in the order of reading, then by place."""
        files = list(dict.fromkeys(problem.file for problem in self._found))
        return tuple(sorted(self._found, key=lambda problem: (files.index(problem.file), problem.line, problem.column)))

    def __bool__(self) -> bool:
        return bool(self._found)


def read_document(text: str, file: str, problems: Problems) -> Node | None:
    """The nodes of one YAML document, or None where it can't be read at all. `file` is the name that messages show."""
    if len(text.encode("utf-8", "surrogatepass")) > MAXIMUM_BYTES:
        problems.add(Mark(file), f"larger than {MAXIMUM_BYTES} bytes")
        return None
    try:
        if (event := _forbidden(text)) is not None:
            problems.add(_mark(event.start_mark, file), f"expected a plain document, got {_event_name(event)}")
            return None
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        problems.add(_mark(error.problem_mark, file), f"not YAML: {error.problem}")
        return None
    except yaml.YAMLError as error:
        problems.add(Mark(file), f"not YAML: {error}".splitlines()[0])
        return None
    return Node({}, Mark(file, 1, 1)) if root is None else _convert(root, file, problems)


def _forbidden(text: str) -> Any:
    """The first event that a strict document must not have. Runs before composing, so that depth and number stay bounded."""
    depth = nodes = documents = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        documents += isinstance(event, yaml.DocumentStartEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        strange = isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None)
        if strange or depth > MAXIMUM_DEPTH or nodes > MAXIMUM_NODES or documents > 1:
            return event
    return None


def _event_name(event: Any) -> str:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        return "an alias or anchor"
    if getattr(event, "tag", None):
        return f"the tag {event.tag}"
    if isinstance(event, yaml.DocumentStartEvent):
        return "a second document"
    return f"more than {MAXIMUM_DEPTH} levels or {MAXIMUM_NODES} nodes"


def _mark(mark: Any, file: str) -> Mark:
    return Mark(file, mark.line + 1, mark.column + 1) if mark is not None else Mark(file)


def _convert(node: yaml.Node, file: str, problems: Problems) -> Node:
    mark = _mark(node.start_mark, file)
    if isinstance(node, yaml.MappingNode):
        return Node(_convert_map(node, file, problems), mark)
    if isinstance(node, yaml.SequenceNode):
        return Node([_convert(item, file, problems) for item in node.value], mark)
    return Node(_scalar(node), mark, str(node.value))


def _convert_map(node: yaml.MappingNode, file: str, problems: Problems) -> dict[str, Node]:
    result: dict[str, Node] = {}
    for key_node, value_node in node.value:
        mark = _mark(key_node.start_mark, file)
        if not isinstance(key_node, yaml.ScalarNode):
            problems.add(mark, "expected a text as key")
        elif key_node.value in result:
            problems.add(mark, f"the key `{key_node.value}` stands here twice")
        else:
            result[key_node.value] = _convert(value_node, file, problems)
    return result


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None):
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text, 0) if _INTEGER.fullmatch(text) else text


def merge(below: Node, above: Node, problems: Problems, path: str = "") -> Node:
    """`above` laid over `below`; both stay as they are."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    result = dict(below.value)
    for key, node in above.value.items():
        place = f"{path}.{key}" if path else key
        if node.value is None:
            if result.pop(key, None) is None:
                problems.add(node.mark, f"null removes `{place}`, but there is no such thing below", subject=place)
        elif key in result:
            result[key] = merge(result[key], node, problems, place)
        else:
            result[key] = node
    return Node(result, above.mark)
