"""Two evaluations against each other: what a change adds, makes worse, cures, and what it leaves open.

Rules of this file:
1. A finding is the same before and after by its id. What was not there before, or could not be decided, and is violated now is added.
2. A violation that stays is made worse where its evidence holds a record that the change brings.
3. What can't be decided after the change bears on the answer unless nothing that its rule looks at has changed: every selector of the
   rule comes out the same on the same hosts, with the same evidence and the same things missing.
4. The file of a driver that comes with a product is not known before: its hash, its signature, sometimes its altitude. That alone leaves
   rules about the file of any driver undecided for every change, so it is told as a condition (look at the files), not as an unknown.
   Rules about named drivers stay unknown.
5. The exclusions of a scanner that comes are not known before, and are the user's to set: a rule that is undecided for nothing else is told
   as a condition too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import msgspec

from auditor.analysis.conditions.condition import SELECTORS, selectors_of
from auditor.analysis.conditions.selectors_host import NO_HASH
from auditor.analysis.fleet.fleet import Fleet
from auditor.analysis.precheck.state import MAY_COME, NOT_KNOWN, OPEN_FILTER, WRITES_IT
from auditor.analysis.rules.evaluate import Candidates, Evaluation, bind
from auditor.analysis.rules.ruleset import CompiledRule, RuleSet
from auditor.model.finding import Evidence, Finding, Waived
from auditor.model.selector import Condition, DriverSelector, ExclusionsSelector, FilterSelector, TiesSelector
from auditor.model.table import ExclusionsTable
from auditor.model.whatif import Delta

_NOT_KNOWN = (f": {NOT_KNOWN}", f": {MAY_COME}")


class Side(NamedTuple):
    """A fleet and what the rules say of it."""

    fleet: Fleet
    evaluation: Evaluation


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What a change does, finding by finding."""

    added: tuple[Delta, ...]
    open: tuple[Delta, ...]
    cured: tuple[Delta, ...]
    unrelated: tuple[Finding, ...]
    """Not decided before and after, and nothing that the rule looks at has changed."""
    waived: tuple[Waived, ...] = ()
    """Taken out of `added` and `open`: somebody accepts it."""


def compare(before: Side, after: Side, rules: RuleSet, brought: Collection[Evidence]) -> Comparison:
    """What is different. `brought` are the records that the change brings, and the changes themselves where they bring a product."""
    places = {(e.host, e.section, e.record) for e in brought if e.field == "brought"}
    violated = {f.id: f for f in before.evaluation.findings}
    undecided = {f.id: f for f in before.evaluation.undetermined}
    after_ids = {f.id for f in (*after.evaluation.findings, *after.evaluation.undetermined)}
    added: list[Delta] = []
    for finding in after.evaluation.findings:
        told = _brought(finding, places)
        if finding.id not in violated:
            added.append(Delta(finding=finding, how="added", brought=told))
        elif set(told) - set(_brought(violated[finding.id], places)):
            added.append(Delta(finding=finding, how="worsened", brought=told))
    open_: list[Delta] = []
    unrelated: list[Finding] = []
    for finding in after.evaluation.undetermined:
        if finding.id in violated:
            continue
        if finding.id in undecided and not bears(before.fleet, after.fleet, rules.by_id[finding.rule], finding):
            unrelated.append(finding)
        else:
            open_.append(Delta(finding=finding, how="open", brought=_brought(finding, places)))
    cured = [Delta(finding=f, how="cured") for f in before.evaluation.findings if f.id not in after_ids]
    return Comparison(added=tuple(added), open=tuple(open_), cured=tuple(cured), unrelated=tuple(unrelated))


def _brought(finding: Finding, places: Collection[tuple[str, str, str]]) -> tuple[str, ...]:
    evidence = [*finding.evidence, *(e for edge in finding.edges for e in edge.evidence)]
    found = (e for e in evidence if (e.host, e.section, e.record) in places)
    return tuple(dict.fromkeys(f"{e.host}: {e.section}: {e.record}" for e in found))


def bears(before: Fleet, after: Fleet, compiled: CompiledRule, finding: Finding) -> bool:
    """Whether a change can have a part in what is undecided: some selector of the rule comes out otherwise on these hosts."""
    hosts = [subject.host for subject in finding.subjects]
    if len(hosts) < len(compiled.rule.roles):
        return True  # told for one host, for want of knowing the other
    return any(_differs(before, after, compiled, leaf, hosts) for leaf in _leaves(compiled))


def accept(found: Comparison, accepted: Callable[[Finding], Waived | None]) -> Comparison:
    """Without what somebody accepts."""
    waived: list[Waived] = []
    kept: dict[str, list[Delta]] = {"added": [], "open": []}
    for part, deltas in (("added", found.added), ("open", found.open)):
        for delta in deltas:
            entry = accepted(delta.finding)
            if entry is None:
                kept[part].append(delta)
            else:
                waived.append(entry)
    return msgspec.structs.replace(found, added=tuple(kept["added"]), open=tuple(kept["open"]), waived=tuple(waived))


class _Leaf(NamedTuple):
    """A selector of a rule. Where fewer fitting records can make the rule true, it counts downwards."""

    name: str
    selector: object
    downwards: bool


def _leaves(compiled: CompiledRule) -> Iterator[_Leaf]:
    for condition in (compiled.rule.applies_to, compiled.rule.when):
        if condition is not None:
            yield from _below(condition, downwards=False)


def _below(condition: Condition, *, downwards: bool) -> Iterator[_Leaf]:
    for part in (*(condition.all_ or ()), *(condition.any_ or ())):
        yield from _below(part, downwards=downwards)
    if condition.not_ is not None:
        yield from _below(condition.not_, downwards=not downwards)
    elif condition.all_ is None and condition.any_ is None:
        for name, selector in selectors_of(condition):
            bounded = getattr(selector, "at_most", None) is not None or getattr(selector, "present", None) is False
            yield _Leaf(name, selector, downwards or bounded)


def _differs(before: Fleet, after: Fleet, compiled: CompiledRule, leaf: _Leaf, hosts: list[str]) -> bool:
    name, selector = leaf.name, leaf.selector
    test = SELECTORS[name](selector, compiled.setting)
    old, new = (test(bind(fleet, compiled.rule, hosts)) for fleet in (before, after))
    if (old.value, old.evidence, old.edges) != (new.value, new.evidence, new.edges):
        return True
    missing, now = set(old.missing), set(_without_files(compiled, new.missing))
    if now - missing or (leaf.downwards and now != missing):
        return True  # what is not missing any more can only make a rule untrue, unless it counts downwards
    return isinstance(selector, TiesSelector) and _ties_differ(before, after, compiled, selector, hosts)


def _without_files(compiled: CompiledRule, missing: Iterable[str]) -> list[str]:
    """What is missing beside the files of drivers that come: for rules that look at the file or the altitude of any driver."""
    asked = [getattr(s, "driver", None) or getattr(s, "filter", None) or s for _, s in compiled.selectors()]
    files = any(isinstance(s, DriverSelector) and s.name is None for s in asked)
    altitudes = any(isinstance(s, FilterSelector) and s.name is None for s in asked)

    def of_file(reason: str) -> bool:
        if files and ": drivers: " in reason:
            return reason.endswith((*_NOT_KNOWN, NO_HASH))
        return altitudes and ": filters: " in reason and reason.endswith(OPEN_FILTER)

    return [reason for reason in missing if not of_file(reason)]


def waits_for_files(rules: RuleSet, finding: Finding) -> bool:
    """Whether a rule is undecided for nothing but the files of drivers that the change brings."""
    return bool(finding.missing) and not _without_files(rules.by_id[finding.rule], finding.missing)


def looks_at_files(rules: RuleSet, finding: Finding) -> bool:
    """Whether a rule looks at the file of any driver."""
    return any(isinstance(s, DriverSelector) and s.name is None for _, s in rules.by_id[finding.rule].selectors())


def waits_for_exclusions(rules: RuleSet, finding: Finding) -> tuple[str, ...]:
    """What is to be excluded, where a rule is undecided for nothing but the exclusions of a scanner; else nothing."""
    compiled = rules.by_id[finding.rule]
    if not finding.missing or not all("exclusions" in reason or reason.endswith(WRITES_IT) for reason in finding.missing):
        return ()
    asked = [s for _, s in compiled.selectors() if isinstance(s, ExclusionsSelector)]
    tables = [(rules.matrix.lists.get(s.table), s.lacks) for s in asked]
    rows = (row for table, role in tables if isinstance(table, ExclusionsTable) for row in table.rows if row.role == role)
    told = [f"leave alone {row.what} ({' or '.join(row.any_of)})" for row in rows]
    return tuple(dict.fromkeys([*told, *(f"not leave alone {' or '.join(s.has)}" for s in asked if s.has)]))


def _ties_differ(before: Fleet, after: Fleet, compiled: CompiledRule, selector: TiesSelector, hosts: list[str]) -> bool:
    host = hosts[compiled.rule.roles.index(compiled.setting.role(selector.host))]
    found = [
        [fleet.ties.neighbours(host, selector.direction, kind, selector.product) for kind in selector.kinds] for fleet in (before, after)
    ]
    return found[0] != found[1]


def further_hosts(before: Fleet, after: Fleet, rules: RuleSet, changed: Iterable[str], candidates: Candidates) -> dict[str, frozenset[str]]:
    """Rule id to hosts beside the changed ones whose ties the change may touch: for rules that count ties of the whole fleet."""
    found: dict[str, frozenset[str]] = {}
    names = sorted(changed)
    for compiled in rules.by_id.values():
        if compiled.ties:
            concerned = frozenset(candidates.concerned(before, compiled.rule.id))
            near = {host for selector in compiled.ties for name in names for host in _near(before, after, selector, name, concerned)}
            found[compiled.rule.id] = frozenset(near) - frozenset(names)
    return found


def _near(before: Fleet, after: Fleet, selector: TiesSelector, name: str, concerned: frozenset[str]) -> set[str]:
    """Hosts at the other end of the changed host's ties; where its doubts have changed, whomever the rule concerns may be meant."""
    other_way = "in" if selector.direction == "out" else "out"
    side = "target" if selector.direction == "out" else "source"
    found: set[str] = set()
    for kind in selector.kinds:
        for fleet in (before, after):
            found |= set(fleet.ties.neighbours(name, other_way, kind, selector.product))
        doubts = [fleet.ties.side_doubt(name, side, kind, selector.product) for fleet in (before, after)]
        if doubts[0] != doubts[1]:
            found |= concerned
    return found
