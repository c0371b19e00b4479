"""A record as it is compared: its key, its fields, and which of them are not compared. Knows the records' form, no rule of what moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from auditor.model.baseline import SectionPlan
from auditor.model.host import TaskRecord
from auditor.probes.tasks.decode import read_task

PRODUCTS = "products"
"""Name that recognised products carry as their section; their key is the signature's id."""
TASK_FIELDS = (
    "path",
    "source_format",
    "enabled",
    "hidden",
    "author",
    "description",
    "triggers",
    "principal",
    "actions",
    "settings",
    "policy",
)


class Item(NamedTuple):
    """One record, ready to be compared."""

    key: str
    """As people read it. Its case-folded form is the record's identity inside the section."""
    names: tuple[str, ...]
    values: tuple[Any, ...]
    skip: frozenset[str] = frozenset()
    """Fields that are not compared."""

    @property
    def identity(self) -> str:
        """What makes two records of two snapshots one."""
        return self.key.casefold()

    def get(self, name: str) -> Any:
        """A field's value; None where the record has no such field."""
        return self.values[self.names.index(name)] if name in self.names else None

    def fields(self) -> dict[str, Any]:
        """Compared fields that say something, as plain values."""
        pairs = zip(self.names, self.values, strict=True)
        return {name: plain(value) for name, value in pairs if name not in self.skip and value not in (None, ())}


class Form(NamedTuple):
    """Names of fields and the values of one record before anything is masked."""

    names: tuple[str, ...]
    values: list[Any]


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    return {name: plain(inner) for name, inner in msgspec.to_builtins(value).items() if inner is not None}


def form_of(record: Any) -> Form:
    """Fields of a record; a task's are read from its text, whatever format that is in."""
    if isinstance(record, TaskRecord):
        return _task(record)
    return Form(record.__struct_fields__, list(msgspec.structs.astuple(record)))


def _task(record: TaskRecord) -> Form:
    """What a task does and when, without its runs and its date of registration. An unreadable one is compared as text, a .job is not."""
    outcome = read_task(record)
    if len(outcome.records) == 1:
        task = outcome.records[0]
        values = [record.path, record.source_format, *(_flat(getattr(task, name)) for name in TASK_FIELDS[2:])]
        return Form(TASK_FIELDS, values)
    text = record.text if record.source_format == "xml" else None
    return Form(("path", "source_format", "text"), [record.path, record.source_format, text])


def _flat(value: Any) -> Any:
    """Settings as a list of `name=value`, so that all values of items can be told apart quickly."""
    return tuple(sorted(f"{name}={inner}" for name, inner in value.items())) if isinstance(value, dict) else value


KeyMaker = Callable[[Mapping[str, Any]], str]


def key_maker(parts: tuple[str, ...], joined: str, alone: str) -> KeyMaker:
    """A function that makes the key of a record from its fields; `alone` is the key where no field makes one."""
    makers = [_part(part) for part in parts]

    def make(fields: Mapping[str, Any]) -> str:
        texts = [text for maker in makers if (text := maker(fields))]
        return joined.join(texts) if texts else alone

    return make


def _part(part: str) -> Callable[[Mapping[str, Any]], str]:
    name, _, usual = part.partition("=")
    if usual:
        left_out = usual.split("|")
        return lambda fields: "" if fields.get(name) in left_out else _text(fields.get(name))
    names = part.split("|")
    return lambda fields: next((text for name in names if (text := _text(fields.get(name)))), "")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def key_fields(plan: SectionPlan) -> tuple[str, ...]:
    """Names of all fields that a key can be made of."""
    return tuple(name for part in plan.key for name in part.partition("=")[0].split("|"))
