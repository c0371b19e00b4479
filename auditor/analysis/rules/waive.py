"""Waivers held against findings: which are accepted today, and which waivers are stale. Pure; today is passed in.

Rules of this file:
1. A waiver reaches a finding only where everything that it says fits: rule, every host of the finding, a product that it rests on.
2. The last day is included. An expired waiver, or one that is wrong, waives nothing: the finding is back.
3. A waived finding is moved, never dropped: it keeps its id and its evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

import msgspec

from auditor.model.finding import Finding, Product, Report, Waived
from auditor.model.pattern import matches_any
from auditor.model.waiver import PlacedWaiver, StaleReason, StaleWaiver, Waiver, Waivers

SOON = timedelta(days=14)
"""So long before its end a waiver is told of."""


class Scope:
    """What waivers need to know beside the findings: groups of hosts, and products with their evidence."""

    def __init__(self, groups: Mapping[str, Sequence[str]], products: Iterable[Product]) -> None:
        self._groups = {host: frozenset(g.casefold() for g in names) for host, names in groups.items()}
        self._products: dict[str, list[Product]] = {}
        for product in products:
            self._products.setdefault(product.host, []).append(product)

    def fits(self, waiver: Waiver, finding: Finding) -> bool:
        """Whether a waiver reaches a finding."""
        if waiver.rule != finding.rule:
            return False
        hosts = {subject.host for subject in finding.subjects}
        return all(self._names(waiver, host) for host in hosts) and self._rests_on(waiver, finding, hosts)

    def _names(self, waiver: Waiver, host: str) -> bool:
        if not waiver.hosts and not waiver.groups:
            return True
        wanted = {group.casefold() for group in waiver.groups}
        return matches_any(waiver.hosts, host) or bool(wanted & self._groups.get(host, frozenset()))

    def _rests_on(self, waiver: Waiver, finding: Finding, hosts: Collection[str]) -> bool:
        """Whether evidence of one of the products is evidence of the finding."""
        if not waiver.products:
            return True
        told = {*finding.evidence, *(e for edge in finding.edges for e in edge.evidence)}
        products = (product for host in hosts for product in self._products.get(host, ()) if product.id in waiver.products)
        return any(not told.isdisjoint(product.evidence) for product in products)


def waive(
    report: Report, waivers: Waivers, *, groups: Mapping[str, Sequence[str]], today: date, rules: Collection[str] | None = None
) -> Report:
    """The report with accepted findings moved to `waived`. Earlier waivings of the report are taken back first.

    `groups` are the inventory groups by host, `rules` the ids of the rules that there are (None: not known).
    """
    scope = Scope(groups, report.products)
    findings = [*report.findings, *(waived.finding for waived in report.waived)]
    valid = [entry for entry in waivers.entries if not expired(entry.waiver, today)]
    kept: list[Finding] = []
    accepted: list[Waived] = []
    used: set[str] = set()
    for finding in findings:
        entry = next((entry for entry in valid if scope.fits(entry.waiver, finding)), None)
        if entry is None:
            kept.append(finding)
            continue
        used.add(entry.place)
        accepted.append(waived_by(entry.waiver, finding))
    stale = [*waivers.malformed, *_stale(waivers.entries, used, today, rules)]
    return msgspec.structs.replace(report, findings=tuple(kept), waived=tuple(accepted), stale_waivers=tuple(stale))


def waived_by(waiver: Waiver, finding: Finding) -> Waived:
    """A finding with the waiver that accepts it."""
    return Waived(finding=finding, waiver=waiver.id, reason=waiver.reason, owner=waiver.owner, until=waiver.until)


def expired(waiver: Waiver, today: date) -> bool:
    """Whether the waiver's last day has passed."""
    return date.fromisoformat(waiver.until) < today


def void(waivers: Waivers, today: date, rules: Collection[str]) -> Iterator[StaleWaiver]:
    """Waivers that hold nothing whatever is found: malformed, expired, or for a rule that there is not."""
    yield from waivers.malformed
    yield from (
        s for s in _stale(waivers.entries, {e.place for e in waivers.entries}, today, rules) if s.why in ("expired", "unknown_rule")
    )


def _stale(entries: Iterable[PlacedWaiver], used: Collection[str], today: date, rules: Collection[str] | None) -> Iterable[StaleWaiver]:
    for entry in entries:
        why, message = _why(entry, used, today, rules)
        if why is not None:
            yield StaleWaiver(id=entry.waiver.id, place=entry.place, why=why, message=message, owner=entry.waiver.owner)


def _why(entry: PlacedWaiver, used: Collection[str], today: date, rules: Collection[str] | None) -> tuple[StaleReason | None, str]:
    waiver = entry.waiver
    if rules is not None and waiver.rule not in rules:
        return "unknown_rule", f"there is no rule {waiver.rule!r}"
    if expired(waiver, today):
        return "expired", f"its last day was {waiver.until}: what it accepted counts again"
    if entry.place not in used:
        return "unused", "no finding fits it: the trouble is gone, or the scope is wrong"
    if date.fromisoformat(waiver.until) - today < SOON:
        return "ends_soon", f"its last day is {waiver.until}"
    return None, ""
