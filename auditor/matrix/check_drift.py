"""What types can't say of the files behind drift: sections and fields that exist, patterns and ranges that can be read, times that are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import get_args, get_type_hints

import msgspec

from auditor.analysis.drift.items import TASK_FIELDS
from auditor.analysis.drift.masks import Mask, MaskError
from auditor.matrix.strict_yaml import Keys
from auditor.model.baseline import Allowed, Baseline, SectionPlan, VolatileRule
from auditor.model.change import Explanation
from auditor.model.host import Nothing, Sections
from auditor.model.version import VersionRange

Fault = tuple[Keys, str]
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}Z)?")
_WHOLE = "*"


def fields_of(section: str) -> frozenset[str] | None:
    """Names of the fields that a section's records are compared by, those that unfold included; None for a section without records."""
    hints = get_type_hints(Sections)
    record = get_args(hints[section])[0] if section in hints else Nothing
    if record is Nothing:
        return None
    if section == "tasks":
        return frozenset((*TASK_FIELDS, "text"))
    inner = [
        kind
        for hint in get_type_hints(record).values()
        for kind in get_args(hint)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    ]
    return frozenset(name for kind in (record, *inner) for name in kind.__struct_fields__)


def check_plan(name: str, plan: SectionPlan) -> list[Fault]:
    """What is wrong with the plan of a section."""
    known = fields_of(name)
    if known is None:
        return [((), f"{name!r} is no section with records")]
    faults: list[Fault] = []
    keys: list[tuple[Keys, str]] = [
        (("key", number), field) for number, part in enumerate(plan.key) for field in part.partition("=")[0].split("|")
    ]
    keys += [(("unfold", field), field) for field in plan.unfold]
    keys += [
        (("unfold", field, n), name) for field, parts in plan.unfold.items() for n, part in enumerate(parts) for name in part.split("|")
    ]
    for part in ("absent_when_null", "unordered", "individual", "integrity", "protection", "learn"):
        keys += [((part, number), field) for number, field in enumerate(getattr(plan, part) or ()) if field != _WHOLE]
    faults += [(place, _unknown(field, known)) for place, field in keys if field not in known]
    return faults


def check_rule(rule: VolatileRule) -> list[Fault]:
    """What is wrong with a rule of what moves by itself."""
    known = fields_of(rule.section)
    if known is None:
        return [(("section",), f"{rule.section!r} is no section with records")]
    faults: list[Fault] = []
    if not rule.why.strip():
        faults.append((("why",), "expected a sentence"))
    if not (rule.leave_out or rule.forget or rule.mask or rule.drop):
        faults.append(((), "says nothing: expected leave_out, forget, mask or drop"))
    if rule.leave_out and not rule.where:
        faults.append((("leave_out",), "would leave out the section: expected `where`"))
    for part in ("where", "beside", "mask", "drop"):
        faults += [((part, field), _unknown(field, known)) for field in getattr(rule, part) if field not in known]
    faults += [(("forget", number), _unknown(field, known)) for number, field in enumerate(rule.forget) if field not in known]
    system = fields_of("system") or frozenset()
    faults += [(("on", field), _unknown(field, system)) for field in rule.on if field not in system]
    for place, text in _patterns(rule):
        faults += _attempt(place, Mask, text)
    return faults


def _patterns(rule: VolatileRule) -> Iterable[tuple[Keys, str]]:
    for field, value in rule.where.items():
        texts = value if isinstance(value, tuple) else (value,)
        yield from ((("where", field), text) for text in texts if isinstance(text, str))
    yield from ((("on", field), text) for field, text in rule.on.items())
    for part in ("mask", "drop"):
        yield from (((part, field, number), text) for field, texts in getattr(rule, part).items() for number, text in enumerate(texts))


def check_baseline(baseline: Baseline) -> list[Fault]:
    """What is wrong with the baseline of a role."""
    faults: list[Fault] = []
    for name, section in baseline.sections.items():
        known = fields_of(name)
        if known is None:
            faults.append((("sections", name), f"{name!r} is no section with records"))
            continue
        if not section.records and not section.only_these:
            faults.append((("sections", name), "says nothing: expected records or only_these"))
        for key, rule in section.records.items():
            if isinstance(rule, dict):
                faults += [(("sections", name, "records", key, *place), text) for place, text in _field_rules(rule, known)]
    return faults


def _field_rules(rule: Mapping[str, object], known: frozenset[str]) -> Iterable[Fault]:
    for field, wanted in rule.items():
        if field not in known:
            yield (field,), _unknown(field, known)
        if isinstance(wanted, Allowed):
            if not (wanted.any_of or wanted.like or wanted.range):
                yield (field,), "expected any_of, like or range"
            if wanted.range is not None:
                yield from _attempt((field, "range"), VersionRange, wanted.range)


def check_explanation(entry: Explanation) -> list[Fault]:
    """What is wrong with an entry of expected changes."""
    faults: list[Fault] = []
    if not entry.reason.strip():
        faults.append((("reason",), "expected a sentence"))
    if entry.kind == "maintenance" and not (entry.from_ and entry.until):
        faults.append(((), "a maintenance window needs from and until"))
    for field, text in (("from", entry.from_), ("until", entry.until)):
        if text is not None and not _TIME.fullmatch(text):
            faults.append(((field,), f"expected a date or a time in UTC such as 2026-11-26T20:00:00Z, got {text!r}"))
    if entry.from_ and entry.until and entry.until < entry.from_[: len(entry.until)]:
        faults.append((("until",), "lies before from"))
    faults += [
        (("sections", n), f"{name!r} is no section with records") for n, name in enumerate(entry.sections) if fields_of(name) is None
    ]
    return faults


def _unknown(field: str, known: frozenset[str]) -> str:
    return f"unknown field {field!r}: expected one of {', '.join(sorted(known))}"


def _attempt(place: Keys, make: Callable[[str], object], text: str) -> list[Fault]:
    try:
        make(text)
    except (MaskError, ValueError) as error:
        return [(place, str(error))]
    return []
