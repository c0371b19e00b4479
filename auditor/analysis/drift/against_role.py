"""One host against what its role should look like. Pure; what was not seen is told as such, never as missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.analysis.drift.compare import Comparison, Delta, Unseen, system_of
from auditor.analysis.drift.doubts import Doubts
from auditor.analysis.drift.items import Item, plain
from auditor.analysis.drift.normalise import Normaliser
from auditor.analysis.drift.own import OwnNames, own_names
from auditor.model.baseline import Allowed, Baseline, FieldRule, RecordRule, SectionBaseline
from auditor.model.host import Section, Snapshot
from auditor.model.pattern import matches_any
from auditor.model.version import VersionRange, parse_version


def against_role(baseline: Baseline, snapshot: Snapshot, normaliser: Normaliser) -> Comparison:
    """What the host has that its role should not, lacks that it should, or has otherwise. `normaliser` is one between hosts."""
    deltas: list[Delta] = []
    unseen: list[Unseen] = []
    names = own_names(snapshot)
    for name, wanted in baseline.sections.items():
        section: Section[Any, Any] = getattr(snapshot.sections, name)
        if not section.usable:
            reason = section.reason or section.status.replace("_", " ")
            unseen += [Unseen(name, "", "", reason)] if section.status != "not_asked" else [Unseen(name, "", "", "not asked")]
            continue
        held = _Held(name, snapshot, normaliser, names)
        held.check(wanted)
        deltas += held.deltas
        unseen += held.unseen
    return Comparison(tuple(deltas), tuple(unseen))


class _Held:
    """One section of a host while it is held against a role."""

    def __init__(self, name: str, snapshot: Snapshot, normaliser: Normaliser, names: OwnNames) -> None:
        self.deltas: list[Delta] = []
        self.unseen: list[Unseen] = []
        self._name, self._names = name, names
        plan = normaliser.plan(name)
        self._null_is_none = frozenset(plan.absent_when_null)
        section: Section[Any, Any] = getattr(snapshot.sections, name)
        items = normaliser.items(name, section.records, system_of(snapshot))
        self._doubts = Doubts(section, plan, snapshot.asked)
        self._items: dict[str, Item] = {item.identity: item for item in reversed(items)}

    def check(self, wanted: SectionBaseline) -> None:
        listed = {key.casefold(): (key, rule) for key, rule in wanted.records.items()}
        for identity, (key, rule) in listed.items():
            self._record(key, rule, self._items.get(identity))
        for identity, item in self._items.items() if wanted.only_these else ():
            if identity not in listed:
                self._add("added", item.key, after=item.fields())

    def _add(self, kind: Any, key: str, field: str = "", before: Any = None, after: Any = None) -> None:
        self.deltas.append(Delta(section=self._name, key=key, field=field, kind=kind, before=before, after=after))

    def _record(self, key: str, rule: RecordRule, item: Item | None) -> None:
        if rule == "absent":
            if item is not None:
                self._add("added", item.key, after=item.fields())
        elif item is None:
            if rule != "allowed":
                self._missing(key, rule)
        elif isinstance(rule, dict):
            self._fields(item, rule)

    def _missing(self, key: str, rule: RecordRule) -> None:
        asked = Item(key, ("name", "path"), (key, key))
        if doubt := self._doubts.of_record(asked):
            self.unseen.append(Unseen(self._name, key, "", doubt))
        else:
            self._add("removed", key, before={name: words_of(field) for name, field in rule.items()} if isinstance(rule, dict) else {})

    def _fields(self, item: Item, rule: Mapping[str, FieldRule]) -> None:
        for field, wanted in rule.items():
            value = item.get(field)
            doubt = self._doubts.of_field(item, field)
            if doubt or (value is None and field not in self._null_is_none and wanted is not None):
                self.unseen.append(Unseen(self._name, item.key, field, doubt or "not known"))
            elif not (fits(wanted, value) or fits(wanted, self._names.mask(value))):
                self._add("changed", item.key, field, words_of(wanted), plain(value))


def fits(wanted: FieldRule, value: Any) -> bool:
    """Whether a value is what a baseline wants. Texts are compared without case."""
    if not isinstance(wanted, Allowed):
        return _same(wanted, value)
    if any(_same(one, value) for one in wanted.any_of):
        return True
    if isinstance(value, str) and wanted.like and matches_any(wanted.like, value):
        return True
    if wanted.range is None or not isinstance(value, str):
        return False
    allowed = VersionRange(wanted.range)
    version = parse_version(value, allowed.scheme)
    return version is not None and version in allowed


def _same(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, str) and isinstance(value, str):
        return wanted.casefold() == value.casefold()
    if isinstance(wanted, tuple) and isinstance(value, tuple):
        return len(wanted) == len(value) and all(map(_same, wanted, value))
    return type(wanted) is type(value) and bool(wanted == value)


def words_of(wanted: FieldRule) -> Any:
    """What a baseline wants, as a difference shows it."""
    if not isinstance(wanted, Allowed):
        return plain(wanted)
    words = [*(str(plain(one)) for one in wanted.any_of), *wanted.like, *([wanted.range] if wanted.range else [])]
    return " or ".join(words)
