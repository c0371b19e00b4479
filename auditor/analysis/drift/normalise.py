"""Takes away from records what moves by itself, as the rules of `compat_matrix/drift/` say. Compares nothing.

Rules of this file:
1. A rule without `on` and `beside` looks at one record only: what it makes of a record is remembered, and a fleet shares most records.
2. Definitions of security products, which their signatures name, move by themselves: their ages are looked at elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from auditor.analysis.drift.items import PRODUCTS, Form, Item, form_of, key_maker
from auditor.analysis.drift.masks import Mask, masked_by
from auditor.model.baseline import DriftKnowledge, SectionPlan, Value, VolatileRule
from auditor.model.host import SystemRecord
from auditor.model.signature import Signature

_REMEMBERED = 100_000
_FILLED = re.compile(r"\{(\w+)\}")
_DEFINITION_FIELDS = ("data", "file_version", "size_bytes", "modified_at", "link_timestamp", "sha256")
Fields = Mapping[str, Any]
Test = Callable[[Any], tuple[str, ...] | None]


class _Rule(NamedTuple):
    """A volatile rule with its patterns made ready."""

    rule: VolatileRule
    where: tuple[tuple[str, Test], ...]
    on: tuple[tuple[str, Mask], ...]
    masks: tuple[tuple[str, tuple[Mask, ...]], ...]
    drops: tuple[tuple[str, tuple[Mask, ...]], ...]

    @property
    def alone(self) -> bool:
        """Whether the record itself decides."""
        return not self.on and not self.rule.beside


class Normaliser:
    """The rules of all sections, made ready once and held against many hosts.

    `between_hosts`: for holding hosts against each other; else for a host and its own past.
    """

    def __init__(self, knowledge: DriftKnowledge, signatures: Sequence[Signature] = (), *, between_hosts: bool = False) -> None:
        self.knowledge = knowledge
        wanted = [rule for rule in knowledge.rules if between_hosts or not rule.between_hosts]
        rules = [_compiled(rule) for rule in (*wanted, *definition_rules(signatures))]
        self._rules: dict[str, list[_Rule]] = {}
        for rule in rules:
            self._rules.setdefault(rule.rule.section, []).append(rule)
        self._seen: dict[tuple[str, Any], tuple[Item, ...] | None] = {}
        plans = {PRODUCTS: SectionPlan(key=("id",)), **knowledge.sections}
        self._sections = {name: _Section(name, plan, self._rules.get(name, [])) for name, plan in plans.items()}

    def plan(self, section: str) -> SectionPlan:
        """How a section is compared; a section that nothing is said about has no keys and so one row."""
        return self.knowledge.sections.get(section, SectionPlan())

    def compared(self, section: str) -> bool:
        """Whether a section is compared at all."""
        return section in self._sections

    def items(self, section: str, records: Sequence[Any], system: SystemRecord | None, chosen: Iterable[Any] | None = None) -> list[Item]:
        """The items of some of a section's records (of all unless `chosen`)."""
        ready = self._sections[section]
        around = _Around(records, system)
        found: list[Item] = []
        for record in records if chosen is None else chosen:
            remembered = self._remembered(ready, section, record)
            found += ready.in_place(record, around) if remembered is None else remembered
        return found

    def _remembered(self, ready: _Section, section: str, record: Any) -> tuple[Item, ...] | None:
        """The items of a record that stand by themselves; None where they depend on what is around it."""
        place = (section, record)
        if place in self._seen:
            return self._seen[place]
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        found = None if ready.depends(record) else tuple(ready.in_place(record, _Around((), None)))
        self._seen[place] = found
        return found


class _Around:
    """What a record stands among: the other records of its section, and the host's system."""

    def __init__(self, records: Sequence[Any], system: SystemRecord | None) -> None:
        self.system = system
        self._records = records
        self._values: dict[tuple[str, ...], set[tuple[str, ...]]] = {}

    def holds(self, wanted: Mapping[str, str]) -> bool:
        """Whether a record of the section has these texts; case does not count."""
        names = tuple(wanted)
        if names not in self._values:
            self._values[names] = {tuple(str(getattr(r, n, "")).casefold() for n in names) for r in self._records}
        return tuple(text.casefold() for text in wanted.values()) in self._values[names]


class _Section:
    """One section's keys and rules."""

    def __init__(self, name: str, plan: SectionPlan, rules: Sequence[_Rule]) -> None:
        self._plan = plan
        self._rules = rules
        self._key = key_maker(plan.key, plan.joined, name)
        self._unfold = {field: key_maker(parts, " ", field) for field, parts in plan.unfold.items()}
        self._placed = [rule for rule in rules if not rule.alone]

    def depends(self, record: Any) -> bool:
        """Whether a rule that looks around may apply to a record."""
        if not self._placed:
            return False
        form = form_of(record)
        fields = dict(zip(form.names, form.values, strict=True))
        return bool(self._unfold) or any(_fits(rule, fields) is not None for rule in self._placed)

    def in_place(self, record: Any, around: _Around) -> list[Item]:
        """The items of a record: itself, and what unfolds from it. Empty where it is left out."""
        form = form_of(record)
        parts: list[tuple[str, Form]] = []
        for field in self._unfold:
            place = form.names.index(field)
            parts += [(field, form_of(inner)) for inner in form.values[place] or ()]
            form.values[place] = ()
        own = self._item(form, self._key, around)
        inner = [self._item(part, self._unfold[field], around, prefix=f"{field}: ") for field, part in parts]
        return [item for item in (own, *inner) if item is not None]

    def _item(self, form: Form, make_key: Callable[[Fields], str], around: _Around, prefix: str = "") -> Item | None:
        skip: set[str] = set()
        fields = dict(zip(form.names, form.values, strict=True))
        for rule in self._rules:
            if not _applies(rule, fields, around):
                continue
            if rule.rule.leave_out:
                return None
            skip.update(rule.rule.forget)
            _change(rule, fields)
        for name in self._plan.unordered:
            if isinstance(value := fields.get(name), tuple):
                fields[name] = tuple(sorted(value, key=str))
        return Item(prefix + make_key(fields), form.names, tuple(fields.values()), frozenset(skip))


def _applies(rule: _Rule, fields: Fields, around: _Around) -> bool:
    kept = _fits(rule, fields)
    if kept is None:
        return False
    for name, mask in rule.on:
        value = getattr(around.system, name, None)
        if not isinstance(value, str) or mask.kept(value) is None:
            return False
    if rule.rule.beside:
        return around.holds({name: _filled(text, kept, fields) for name, text in rule.rule.beside.items()})
    return True


def _fits(rule: _Rule, fields: Fields) -> tuple[str, ...] | None:
    """What the stars of `where` kept, or None where a field does not fit."""
    kept: tuple[str, ...] = ()
    for name, test in rule.where:
        found = test(fields[name]) if name in fields else None
        if found is None:
            return None
        kept = kept or found
    return kept


def _filled(text: str, kept: tuple[str, ...], fields: Fields) -> str:
    """The text with `{1}` and `{field}` replaced."""

    def piece(match: re.Match[str]) -> str:
        name = match.group(1)
        if name.isdigit():
            return kept[int(name) - 1] if 0 < int(name) <= len(kept) else ""
        return str(fields.get(name, ""))

    return _FILLED.sub(piece, text)


def _change(rule: _Rule, fields: dict[str, Any]) -> None:
    for name, masks in rule.masks:
        value = fields.get(name)
        if isinstance(value, str):
            fields[name] = masked_by(masks, value)
        elif isinstance(value, tuple):
            fields[name] = tuple(dict.fromkeys(masked_by(masks, item) if isinstance(item, str) else item for item in value))
    for name, masks in rule.drops:
        value = fields.get(name)
        if isinstance(value, tuple):
            fields[name] = tuple(item for item in value if not any(mask.kept(str(item)) is not None for mask in masks))


def _compiled(rule: VolatileRule) -> _Rule:
    return _Rule(
        rule,
        tuple((name, _test(value)) for name, value in rule.where.items()),
        tuple((name, Mask(text)) for name, text in rule.on.items()),
        tuple((name, tuple(map(Mask, texts))) for name, texts in rule.mask.items()),
        tuple((name, tuple(map(Mask, texts))) for name, texts in rule.drop.items()),
    )


def _test(wanted: Value) -> Test:
    if isinstance(wanted, str):
        mask = Mask(wanted)
        return lambda value: mask.kept(value) if isinstance(value, str) else None
    if isinstance(wanted, tuple):
        masks = tuple(map(Mask, wanted))
        return lambda value: next((kept for m in masks if (kept := m.kept(value)) is not None), None) if isinstance(value, str) else None
    return lambda value: () if value is wanted or (value == wanted and type(value) is type(wanted)) else None


def definition_rules(signatures: Iterable[Signature]) -> tuple[VolatileRule, ...]:
    """Rules for the registry values and files from which the versions of engines and definitions are read."""
    found: dict[str, VolatileRule] = {}
    for signature in signatures:
        for source in (*signature.engine, *signature.definitions):
            why = f"{signature.name}: definitions move by themselves"
            if source.registry is not None:
                where = {"kind": "registry", "path": f"HKLM\\{source.registry.key}", "name": source.registry.value}
                rule = VolatileRule(id=f"definitions-of-{signature.id}", section="security", why=why, where={**where}, leave_out=True)
            elif source.file is not None:
                where = {"kind": "file", "path": re.sub(r"^%\w+%", "*", source.file.path)}
                rule = VolatileRule(
                    id=f"definitions-of-{signature.id}", section="security", why=why, where={**where}, forget=_DEFINITION_FIELDS
                )
            else:
                continue
            found.setdefault(str(where).casefold(), rule)
    return tuple(found.values())
