"""The fleets of the cases of all shipped rules, whole or with damage: what the index of rules and kept facts are held against."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

import msgspec

from auditor.matrix import load_matrix
from auditor.matrix.cases import RuleCase, grown
from auditor.matrix.convert import convert
from auditor.matrix.fragments import snapshot_of
from auditor.matrix.load import CASES
from auditor.matrix.strict_yaml import read_yaml
from auditor.model.host import SECTION_NAMES, Gap, LogCoverage, Question, Section, Sections, Snapshot, Target
from auditor.model.places import shipped
from auditor.model.rule import Matrix


@cache
def shipped_matrix() -> Matrix:
    return load_matrix([shipped("compat_matrix")])


@cache
def cases() -> tuple[RuleCase, ...]:
    """The cases of all shipped rules."""
    found: list[RuleCase] = []
    for path in sorted((shipped("compat_matrix") / "rules").rglob("*" + CASES)):
        document, _ = read_yaml(path)
        assert document is not None
        earlier: dict[str | None, RuleCase] = {}
        for number, value in enumerate(document.value):
            case, _ = convert(document, value, RuleCase, (number,), path.name)
            assert case is not None
            earlier[case.name] = grown(case, earlier.get(case.like))
        found += earlier.values()
    return tuple(found)


def fleets(part: slice, seed: int) -> Iterator[tuple[str, list[Target], dict[str, Snapshot]]]:
    """Name, targets and snapshots of some cases, with what was not seen of them now and then."""
    for number, case in list(enumerate(cases()))[part]:
        chance = random.Random(1000 * seed + number)
        hosts = {name: host for name, host in case.hosts.items() if host is not None}
        targets = [
            Target(name=name, address=host.address or name, port=5985, scheme="http", transport="ntlm", groups=host.groups)
            for name, host in hosts.items()
        ]
        yield case.name, targets, {name: damaged(snapshot_of(name, host), chance) for name, host in hosts.items() if host.collected}


def damaged(snapshot: Snapshot, chance: random.Random) -> Snapshot:
    """A snapshot some of whose sections were refused, cut short, have lost records, or were asked for in part."""
    sections = {name: getattr(snapshot.sections, name) for name in SECTION_NAMES}
    for name in chance.sample(SECTION_NAMES, chance.choice((0, 0, 1, 1, 2, 5))):
        sections[name] = hurt(sections[name], chance)
    asked = chance.choice((snapshot.asked, snapshot.asked, Question(), Question(security_keys=("SOFTWARE\\*",))))
    short = LogCoverage(log="System", asked_from="2025-12-01T00:00:00Z", oldest="2026-01-01T00:00:00Z")
    coverage = chance.choice((snapshot.log_coverage, (short,)))
    return msgspec.structs.replace(snapshot, sections=Sections(**sections), asked=asked, log_coverage=coverage)


def hurt(section: Section, chance: random.Random) -> Section:  # type: ignore[type-arg]
    way = chance.randrange(5)
    if way == 0:
        return Section(status="denied", reason="access is denied")
    if way == 1:
        return msgspec.structs.replace(section, status="partial", reason="the time was up")
    if way == 2:
        return Section(status="not_asked")
    gap = Gap(record="SOFTWARE\\Policies" if way == 3 else "something", field="", reason="access is denied")
    return msgspec.structs.replace(section, status="partial", reason="1 not read, see gaps", gaps=(*section.gaps, gap))
