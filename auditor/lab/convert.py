"""Nodes -> structs, every problem with its place. Pure.

msgspec stops at the first error and names no key of a map; this walks structs, maps and lists itself and hands it single values only.
"""

from __future__ import annotations

import functools
import types
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from auditor.lab.document import Node, Problems

T = TypeVar("T", bound=msgspec.Struct)
_FAILED = object()


def convert_struct(node: Node, cls: type[T], problems: Problems, subject: str) -> T | None:
    """The struct that `node` describes, or None when something is wrong; `subject` names it in the problems."""
    value = _struct(node, cls, problems, subject)
    return value if isinstance(value, cls) else None


def _any(node: Node, kind: Any, problems: Problems, subject: str) -> Any:
    inner = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    origin = get_origin(inner)
    if origin in (Union, types.UnionType):
        return _union(node, inner, problems, subject)
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        return _struct(node, inner, problems, subject)
    if origin is dict and isinstance(node.value, dict):
        return _map(node, get_args(inner), problems, subject)
    if origin is tuple and isinstance(node.value, list):
        items = [_any(item, get_args(inner)[0], problems, f"{subject}[{i}]") for i, item in enumerate(node.value)]
        return _FAILED if any(item is _FAILED for item in items) else tuple(items)
    return _leaf(node, kind, problems, subject)


def _union(node: Node, kind: Any, problems: Problems, subject: str) -> Any:
    members = [m for m in get_args(kind) if m is not type(None)]
    if node.value is None and len(members) < len(get_args(kind)):
        return None
    structs = [m for m in members if isinstance(m, type) and issubclass(m, msgspec.Struct)]
    if structs and (isinstance(node.value, dict) or len(members) == len(structs)):
        return _struct(node, structs[0], problems, subject)
    if len(members) == 1:
        return _any(node, members[0], problems, subject)
    plain = tuple(m for m in members if m not in structs)
    return _leaf(node, Union[plain], problems, subject)  # noqa: UP007 - made at run time


def _struct(node: Node, cls: type[msgspec.Struct], problems: Problems, subject: str) -> Any:
    if not isinstance(node.value, dict):
        problems.add(node.mark, f"expected a map, got {_kind(node)}", subject)
        return _FAILED
    hints, names = _shape(cls)
    values: dict[str, Any] = {}
    for key, child in node.value.items():
        if key not in names:
            problems.add(child.mark, f"unknown key `{key}`, expected one of {', '.join(sorted(names))}", subject)
        else:
            values[names[key].name] = _any(child, hints[names[key].name], problems, f"{subject}.{key}")
    missing = [name for name, field in names.items() if field.required and name not in node.value]
    if missing:
        problems.add(node.mark, f"needs {', '.join(missing)}", subject)
    bad = missing or any(value is _FAILED for value in values.values()) or len(values) < len(node.value)
    return _FAILED if bad else cls(**values)


@functools.cache
def _shape(cls: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, msgspec.structs.FieldInfo]]:
    """Types and fields of a struct; worked out once, since a fleet has thousands of small structs."""
    return get_type_hints(cls, include_extras=True), {field.encode_name: field for field in msgspec.structs.fields(cls)}


def _map(node: Node, kinds: tuple[Any, ...], problems: Problems, subject: str) -> Any:
    result: dict[Any, Any] = {}
    for key, child in node.value.items():
        key_ok = _leaf(Node(key, child.mark, key), kinds[0], problems, subject) is not _FAILED
        value = child.plain() if kinds[1] is Any else _any(child, kinds[1], problems, f"{subject}.{key}")
        result[key] = value if key_ok else _FAILED
    return _FAILED if any(value is _FAILED for value in result.values()) else result


def _leaf(node: Node, kind: Any, problems: Problems, subject: str) -> Any:
    plain = node.plain()
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        if isinstance(plain, int) and not isinstance(plain, bool):
            try:
                return msgspec.convert(node.raw, kind)
            except msgspec.ValidationError:
                pass
        problems.add(node.mark, _message(error, kind, plain), subject)
        return _FAILED


def _message(error: msgspec.ValidationError, kind: Any, plain: Any) -> str:
    text = str(error)
    described = [meta.description for meta in get_args(kind)[1:] if isinstance(meta, msgspec.Meta) and meta.description]
    if described and isinstance(plain, str):
        return f"expected {described[0]}, got `{plain[:100]}`"
    if get_origin(kind) is Literal:
        return f"{text}, expected one of {', '.join(map(str, get_args(kind)))}"
    return text


def _kind(node: Node) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", int: "a number", type(None): "nothing"}
    return names.get(type(node.value), "a map")
