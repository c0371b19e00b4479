"""The files behind drift: how sections are compared, what moves by itself, what a role should look like, and what was expected.

Layout of a matrix folder: `drift/sections.yml`, `drift/volatile.yml`, `drift/expected.yml`, `baselines/<role>.yml`. Loaded like rules:
strictly, all problems at once, never by halves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import msgspec

from auditor.matrix.check_drift import Fault, check_baseline, check_explanation, check_plan, check_rule
from auditor.matrix.convert import convert
from auditor.matrix.strict_yaml import Document, Keys, read_yaml
from auditor.model.baseline import Baseline, DriftKnowledge, FieldRule, Learned, SectionBaseline, SectionPlan, VolatileRule
from auditor.model.change import Explanation
from auditor.model.errors import MatrixError, Problem

T = TypeVar("T")


class _Holder(msgspec.Struct, Generic[T], frozen=True):
    """A value of any type, so that all types are converted alike."""

    value: T


class _SectionsHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`drift/sections.yml` with the plans still to be read one by one, so that each problem has its place."""

    sections: dict[str, Any]
    alike: tuple[str, ...] | None = None
    definitions_days: int | None = None


class _BaselineHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A baseline with the sections still to be read."""

    role: str
    title: str = ""
    learned: Learned | None = None
    sections: dict[str, Any]


class _SectionHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of a baseline with the records still to be read."""

    only_these: bool = False
    records: dict[str, Any] = {}


class SectionsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`drift/sections.yml`."""

    sections: dict[str, SectionPlan]
    alike: tuple[str, ...] | None = None
    definitions_days: int | None = None


class VolatileFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`drift/volatile.yml`."""

    rules: tuple[VolatileRule, ...]


class ExpectedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`drift/expected.yml`."""

    expected: tuple[Explanation, ...]


def load_drift(folders: Sequence[Path]) -> DriftKnowledge:
    """How sections are compared. A later folder's plan of a section replaces an earlier one; rules are added. Raises MatrixError."""
    problems: list[Problem] = []
    plans: dict[str, SectionPlan] = {}
    alike: tuple[str, ...] = ()
    days = 2
    for document, found in _read(folders, "drift/sections.yml", _SectionsHead, problems):
        own = _map(document, found.sections, SectionPlan, ("sections",), problems)
        for name, plan in own.items():
            _take(problems, document, ("sections", name), name, check_plan(name, plan))
        plans |= own
        alike = alike if found.alike is None else found.alike
        days = days if found.definitions_days is None else found.definitions_days
    rules: dict[str, VolatileRule] = {}
    for document, volatile in _read(folders, "drift/volatile.yml", VolatileFile, problems):
        for number, rule in enumerate(volatile.rules):
            if rule.id in rules:
                problems.append(document.problem(("rules", number, "id"), rule.id, "the id is taken"))
            _take(problems, document, ("rules", number), rule.id, check_rule(rule))
            rules[rule.id] = rule
    _refuse(problems, "what is known of drift")
    return DriftKnowledge(sections=plans, rules=tuple(rules.values()), alike=alike, definitions_days=days)


def load_baselines(folders: Sequence[Path]) -> dict[str, Baseline]:
    """What roles should look like, by role. Raises MatrixError."""
    problems: list[Problem] = []
    found: dict[str, Baseline] = {}
    for folder in folders:
        for path in sorted((folder / "baselines").glob("*.yml")):
            for document, head in _one(path, _BaselineHead, problems):
                baseline = _baseline(document, head, problems)
                if baseline.role != path.stem:
                    message = f"the role {baseline.role!r} and the file's name {path.stem!r} differ"
                    problems.append(document.problem(("role",), path.stem, message))
                if baseline.role in found:
                    problems.append(document.problem(("role",), path.stem, "another folder has a baseline of this role"))
                _take(problems, document, (), baseline.role, check_baseline(baseline))
                found[baseline.role] = baseline
    _refuse(problems, "the baselines")
    return found


def load_expected(folders: Sequence[Path]) -> tuple[Explanation, ...]:
    """Maintenance windows and accepted changes that people wrote down. Raises MatrixError."""
    problems: list[Problem] = []
    found: dict[str, Explanation] = {}
    for document, file in _read(folders, "drift/expected.yml", ExpectedFile, problems):
        for number, entry in enumerate(file.expected):
            if entry.id in found:
                problems.append(document.problem(("expected", number, "id"), entry.id, "the id is taken"))
            _take(problems, document, ("expected", number), entry.id, check_explanation(entry))
            found[entry.id] = entry
    _refuse(problems, "the expected changes")
    return tuple(found.values())


def _baseline(document: Document, head: _BaselineHead, problems: list[Problem]) -> Baseline:
    """The sections and records of a baseline, each read by itself."""
    sections: dict[str, SectionBaseline] = {}
    for name, section in _map(document, head.sections, _SectionHead, ("sections",), problems).items():
        place: Keys = ("sections", name, "records")
        records: dict[str, Any] = {}
        for key, value in section.records.items():
            if isinstance(value, dict):
                records[key] = _map(document, value, FieldRule, (*place, key), problems)
            else:
                records |= _map(document, {key: value}, Literal["present", "absent", "allowed"], place, problems)
        sections[name] = SectionBaseline(only_these=section.only_these, records=records)
    return Baseline(role=head.role, title=head.title, learned=head.learned, sections=sections)


def _map(document: Document, values: Mapping[str, Any], kind: Any, place: Keys, problems: list[Problem]) -> dict[str, Any]:
    """The values of a mapping in their type, those that are right; problems are told with the place of each."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        converted, wrong = convert(document, {"value": value}, _Holder[kind], (), "")
        problems += [document.problem((*place, name), name, problem.message) for problem in wrong]
        if converted is not None and not wrong:
            found[name] = converted.value
    return found


def _read(folders: Sequence[Path], name: str, kind: type[T], problems: list[Problem]) -> list[tuple[Document, T]]:
    return [pair for folder in folders if (folder / name).is_file() for pair in _one(folder / name, kind, problems)]


def _one(path: Path, kind: type[T], problems: list[Problem]) -> list[tuple[Document, T]]:
    document, wrong = read_yaml(path)
    problems += wrong
    if document is None:
        return []
    value, wrong = convert(document, document.value, kind, (), path.stem)
    problems += wrong
    return [] if value is None else [(document, value)]


def _take(problems: list[Problem], document: Document, place: Keys, subject: str, faults: Sequence[Fault]) -> None:
    problems += [document.problem((*place, *keys), subject, message) for keys, message in faults]


def _refuse(problems: list[Problem], what: str) -> None:
    if problems:
        order = sorted(problems, key=lambda p: (p.file, p.line, p.column))
        raise MatrixError(f"{what}: {len(problems)} problems", tuple(order))
