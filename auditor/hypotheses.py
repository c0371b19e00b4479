"""Reads `hypotheses/weights.yml` and `hypotheses/observations.yml` of matrix folders. Strict: all problems at once, never by halves.

A later folder's hypothesis of the same id replaces an earlier one; windows, events and lists are added to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from auditor.matrix.convert import convert
from auditor.matrix.strict_yaml import Document, read_yaml
from auditor.model.errors import MatrixError, Problem
from auditor.model.hypothesis import SIGNS, EventKind, HypothesisKnowledge, HypothesisRule
from auditor.model.places import shipped

WEIGHTS, OBSERVATIONS = "weights.yml", "observations.yml"
MOST_POINTS = 100


class WeightsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`hypotheses/weights.yml`."""

    hypotheses: tuple[HypothesisRule, ...]
    confirmed_from: int | None = None
    probable_from: int | None = None


class ObservationsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`hypotheses/observations.yml`."""

    minutes: dict[str, int] = {}
    counts: dict[str, int] = {}
    events: dict[str, tuple[EventKind, ...]] = {}
    program_paths: tuple[str, ...] = ()
    clean_checks: tuple[str, ...] = ()
    log_files: tuple[str, ...] = ()


class _Loaded(msgspec.Struct):
    """Files of all folders while they are put together."""

    rules: dict[str, HypothesisRule] = msgspec.field(default_factory=dict)
    confirmed_from: int = 100
    probable_from: int = 60
    seen: list[ObservationsFile] = msgspec.field(default_factory=list)


def load_hypotheses(folders: Sequence[Path] = ()) -> HypothesisKnowledge:
    """Hypotheses and observations of these folders (default: the shipped ones). Raises MatrixError with all problems."""
    problems: list[Problem] = []
    loaded = _Loaded()
    digest = hashlib.sha256()
    for folder in folders or (shipped("compat_matrix"),):
        for name in (WEIGHTS, OBSERVATIONS):
            path = folder / "hypotheses" / name
            if path.is_file():
                digest.update(name.encode() + b"\0" + path.read_bytes())
                _read(path, name, loaded, problems)
    if not problems and not loaded.rules:
        problems.append(Problem(file="hypotheses", message="no folder holds hypotheses/weights.yml"))
    if problems:
        raise MatrixError(f"{len(problems)} problems in what is known of hypotheses", tuple(problems))
    return _joined(loaded, digest.hexdigest())


def _joined(loaded: _Loaded, digest: str) -> HypothesisKnowledge:
    events: dict[str, tuple[EventKind, ...]] = {}
    minutes: dict[str, int] = {}
    counts: dict[str, int] = {}
    for file in loaded.seen:
        minutes |= file.minutes
        counts |= file.counts
        for name, kinds in file.events.items():
            events[name] = (*events.get(name, ()), *kinds)
    return HypothesisKnowledge(
        hypotheses=tuple(loaded.rules.values()),
        confirmed_from=loaded.confirmed_from,
        probable_from=loaded.probable_from,
        minutes=minutes,
        counts=counts,
        events=events,
        program_paths=tuple(path for file in loaded.seen for path in file.program_paths),
        clean_checks=tuple(text for file in loaded.seen for text in file.clean_checks),
        log_files=tuple(path for file in loaded.seen for path in file.log_files),
        digest=digest,
    )


def _read(path: Path, name: str, loaded: _Loaded, problems: list[Problem]) -> None:
    document, wrong = read_yaml(path)
    problems += wrong
    if document is None:
        return
    if name == OBSERVATIONS:
        seen, wrong = convert(document, document.value, ObservationsFile, (), path.stem)
        problems += wrong
        if seen is not None:
            loaded.seen.append(seen)
            problems += [
                document.problem((part, key), key, "expected at least 1")
                for part, numbers in (("minutes", seen.minutes), ("counts", seen.counts))
                for key, value in numbers.items()
                if value < 1
            ]
        return
    file, wrong = convert(document, document.value, WeightsFile, (), path.stem)
    problems += wrong
    if file is not None:
        _take(document, file, loaded, problems)


def _take(document: Document, file: WeightsFile, loaded: _Loaded, problems: list[Problem]) -> None:
    own: set[str] = set()
    for number, rule in enumerate(file.hypotheses):
        if rule.id in own:
            problems.append(document.problem(("hypotheses", number, "id"), rule.id, "this id stands here twice"))
        own.add(rule.id)
        problems += _faults(document, number, rule)
        loaded.rules[rule.id] = rule
    loaded.confirmed_from = file.confirmed_from if file.confirmed_from is not None else loaded.confirmed_from
    loaded.probable_from = file.probable_from if file.probable_from is not None else loaded.probable_from
    if not 0 < loaded.probable_from < loaded.confirmed_from:
        problems.append(document.problem((), "", "expected 0 < probable_from < confirmed_from"))


def _faults(document: Document, number: int, rule: HypothesisRule) -> list[Problem]:
    found: list[Problem] = []
    if not rule.question:
        found.append(document.problem(("hypotheses", number), rule.id, "answers no question: expected proximate, trigger or both"))
    signs = {weight.sign for weight in rule.speaks_for}
    for side, weights in (("for", rule.speaks_for), ("against", rule.against)):
        for place, weight in enumerate(weights):
            if not 1 <= weight.weight <= MOST_POINTS:
                found.append(
                    document.problem(("hypotheses", number, side, place, "weight"), rule.id, f"expected 1 to {MOST_POINTS} points")
                )
    for side, weights in (("for", rule.speaks_for), ("against", rule.against)):
        for place, weight in enumerate(weights):
            unknown = [name for name in (weight.sign, *weight.needs) if name not in SIGNS]
            found += [document.problem(("hypotheses", number, side, place), rule.id, f"no sign {name} is looked for") for name in unknown]
    found += [
        document.problem(("hypotheses", number, "leads_with"), rule.id, f"leads with {sign}, which does not speak for it")
        for sign in rule.leads_with
        if sign not in signs
    ]
    return found
