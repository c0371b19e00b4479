"""What a type allows at a place of a document: values, fields, and which fields it needs. Pure; reads no files and knows no lines."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

_MOST = 40


def allowed_values(type_: Any, value: Any, place: tuple[str | int, ...]) -> tuple[str, ...]:
    """The words that may stand at a place; empty where any may, or where it can't be told."""
    found: dict[str, None] = {}
    for kind in _kinds_at(type_, value, place):
        if isinstance(kind, inspect.LiteralType):
            found |= {str(word): None for word in kind.values}
        elif isinstance(kind, inspect.EnumType):
            found |= {str(member.value): None for member in kind.cls}
    return tuple(found)


def allowed_fields(type_: Any, value: Any, place: tuple[str | int, ...]) -> tuple[str, ...]:
    """The fields of the object at a place; empty where it can't be told."""
    names: dict[str, None] = {}
    for kind in _kinds_at(type_, value, place):
        if isinstance(kind, inspect.StructType):
            names |= {field.encode_name: None for field in kind.fields}
    return tuple(names)


def missing_fields(type_: Any, value: Any, place: tuple[str | int, ...]) -> tuple[str, ...] | None:
    """The fields that the object at a place needs and has not; None where it can't be told which object is meant."""
    structs = [kind for kind in _kinds_at(type_, value, place) if isinstance(kind, inspect.StructType)]
    there = _value_at(value, place)
    if len(structs) != 1 or not isinstance(there, dict):
        return None
    return tuple(field.encode_name for field in structs[0].fields if field.required and field.encode_name not in there)


def one_of(known: tuple[str, ...], wrong: str, *, quote: str = "") -> str:
    """`: expected one of ...`, led by what is nearest to the wrong word; empty where nothing is known."""
    if not known:
        return ""
    near = difflib.get_close_matches(wrong, known, n=1)
    meant = f": did you mean {quote}{near[0]}{quote}?" if near else ":"
    more = f" and {len(known) - _MOST} more" if len(known) > _MOST else ""
    return f"{meant} expected one of {', '.join(known[:_MOST])}{more}"


@functools.cache
def _shape(type_: Any) -> inspect.Type:
    return inspect.type_info(type_)


def _kinds_at(type_: Any, value: Any, place: tuple[str | int, ...]) -> list[inspect.Type]:
    kinds = list(_members(_shape(type_), value))
    for step in place:
        value = _value_at(value, (step,))
        kinds = [member for kind in kinds for below in _below(kind, step) for member in _members(below, value)]
    return kinds


def _members(kind: inspect.Type, value: Any) -> Iterator[inspect.Type]:
    """A type without what is wrapped around it; of tagged objects only the one whose tag the value has."""
    if isinstance(kind, inspect.Metadata):
        yield from _members(kind.type, value)
    elif isinstance(kind, inspect.UnionType):
        for member in kind.types:
            yield from _members(member, value)
    elif isinstance(kind, inspect.StructType) and kind.tag_field is not None and isinstance(value, dict):
        if value.get(kind.tag_field) == kind.tag:
            yield kind
    else:
        yield kind


def _below(kind: inspect.Type, step: str | int) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        yield from (field.type for field in kind.fields if field.encode_name == step)
    elif isinstance(kind, inspect.DictType):
        yield kind.value_type
    elif isinstance(kind, inspect.VarTupleType | inspect.ListType | inspect.SetType | inspect.FrozenSetType):
        yield kind.item_type
    elif isinstance(kind, inspect.TupleType) and isinstance(step, int) and step < len(kind.item_types):
        yield kind.item_types[step]


def _value_at(value: Any, place: tuple[str | int, ...]) -> Any:
    """The value at a place, or msgspec.UNSET where there is none."""
    for step in place:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return msgspec.UNSET
    return value
