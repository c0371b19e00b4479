"""The joins of history: one host over time, and the fleet over time, from what the store holds. Decides nothing by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from auditor.history import Comparer, Known
from auditor.model.change import Difference, FindingLife, HostDrift
from auditor.model.errors import UsageError
from auditor.model.finding import Report
from auditor.model.grade import SEVERITIES
from auditor.model.history import FleetHistory, HostHistory, ProductSpread, RolePoint, RoleTrend, RuleTrend, RunPoint, StateLine
from auditor.model.host import SECTION_NAMES

if TYPE_CHECKING:
    from auditor.store import Store, StoredState

UNKNOWN_VERSION = ""


def host_history(store: Store, known: Known, host: str) -> HostHistory:
    """Everything that changed on a host since it is stored, and its findings. Raises UsageError for a host that is not in the store."""
    states = store.states(host)
    if not states:
        raise UsageError(f"the store holds no snapshot of {host!r}", next_step="`auditor report --list` shows the runs.")
    comparer = Comparer(store, known, ("previous", "role", "accepted"))
    lines: list[StateLine] = []
    differences: list[Difference] = []
    for number in range(len(states) - 1, -1, -1):
        drift = comparer.host(states[number:], None)
        own = [d for d in drift.differences if d.baseline == "previous"]
        differences += own
        lines.append(_line(store, states[number], own))
    return HostHistory(
        host=host,
        groups=states[0].groups,
        states=tuple(lines),
        differences=tuple(differences),
        findings=tuple(sorted((life for life in store.lives().values() if host in life.hosts), key=_life_order)),
    )


def _line(store: Store, state: StoredState, own: Sequence[Difference]) -> StateLine:
    sections = store.read_state(state).sections
    unseen = (name for name in SECTION_NAMES if getattr(sections, name).status not in ("ok", "not_asked"))
    unexplained = sum(d.class_ == "unexplained" for d in own)
    return StateLine(at=state.collected_at, run=state.run, differences=len(own), unexplained=unexplained, not_seen=tuple(unseen))


def _life_order(life: FindingLife) -> tuple[bool, int, str, str]:
    """Open ones first, the worst first."""
    return life.state in ("fixed", "waived"), -SEVERITIES.index(life.severity), life.rule, life.id


def fleet_history(store: Store, known: Known, runs: int = 30) -> FleetHistory:
    """The last `runs` runs: rules, products, roles and lives of findings. Raises UsageError for an empty store."""
    stored = list(reversed(store.runs()))
    if not stored:
        raise UsageError("the store holds no runs", next_step="Run `auditor audit` first, or name the store with --store.")
    reported = [run.id for run in stored if run.findings is not None][-runs:]
    counted = _Reports()
    for run in reported:
        counted.add(store.read_report(run))
    collected = {run.id: run.started_at for run in stored if run.kind in ("audit", "collect")}
    last = dict(list(collected.items())[-runs:])
    return FleetHistory(
        runs=tuple(counted.points),
        rules=counted.rules(),
        products=counted.products(),
        roles=_roles(store, known, last),
        findings=tuple(sorted(store.lives().values(), key=_life_order)),
    )


class _Reports:
    """Reports of several runs while they are counted."""

    def __init__(self) -> None:
        self.points: list[RunPoint] = []
        self._titles: dict[str, tuple[str, int]] = {}
        self._violated: list[Counter[str]] = []
        self._names: dict[str, str] = {}
        self._versions: list[dict[str, Counter[str]]] = []

    def add(self, report: Report) -> None:
        """One more run; they come in the order of time."""
        severities = Counter(finding.severity for finding in report.findings)
        self.points.append(
            RunPoint(
                run=report.run.id,
                at=report.run.started_at,
                hosts=len(report.coverage),
                seen=sum(host.status in ("ok", "partial") for host in report.coverage),
                findings={severity: severities[severity] for severity in reversed(SEVERITIES)},
                undetermined=len(report.undetermined),
            )
        )
        self._violated.append(Counter(finding.rule for finding in report.findings))
        self._titles |= {f.rule: (f.title, SEVERITIES.index(f.severity)) for f in report.findings}
        versions: dict[str, Counter[str]] = {}
        for product in report.products:
            if not product.remnant:
                self._names[product.id] = product.name
                versions.setdefault(product.id, Counter())[product.version or UNKNOWN_VERSION] += 1
        self._versions.append(versions)

    def rules(self) -> tuple[RuleTrend, ...]:
        """Every rule that was violated in any run, the worst first."""
        order = sorted(self._titles, key=lambda rule: (-self._titles[rule][1], rule))
        return tuple(
            RuleTrend(
                rule=rule,
                title=self._titles[rule][0],
                severity=SEVERITIES[self._titles[rule][1]],
                counts=tuple(counts[rule] for counts in self._violated),
            )
            for rule in order
        )

    def products(self) -> tuple[ProductSpread, ...]:
        """Every product that was seen in any run, by id."""
        return tuple(self._spread(product) for product in sorted(self._names))

    def _spread(self, product: str) -> ProductSpread:
        counts = [versions.get(product, Counter()) for versions in self._versions]
        seen = sorted({version for count in counts for version in count})
        spread = {version: tuple(count[version] for count in counts) for version in seen}
        return ProductSpread(product=product, name=self._names[product], versions=spread)


def _roles(store: Store, known: Known, runs: dict[str, str]) -> tuple[RoleTrend, ...]:
    """Drift of every inventory group in each of the runs."""
    comparer = Comparer(store, known, ("previous", "role", "accepted"))
    found: dict[tuple[str, str], list[HostDrift]] = {}
    for host in sorted({state.host for state in store.latest_states(1)}):
        for state, drift in _each(comparer, store.states(host), runs):
            for group in state.groups:
                found.setdefault((group, state.run), []).append(drift)
    groups = sorted({group for group, _ in found})
    return tuple(RoleTrend(role=group, points=tuple(_points(group, runs, found, known))) for group in groups)


def _each(comparer: Comparer, states: Sequence[StoredState], runs: Collection[str]) -> Iterator[tuple[StoredState, HostDrift]]:
    """A host's states that these runs collected, oldest first, with their differences; a state like the one before costs nothing."""
    drift: HostDrift | None = None
    for number in range(len(states) - 1, -1, -1):
        state, before = states[number], states[number + 1] if number + 1 < len(states) else None
        if state.run not in runs:
            drift = None
            continue
        if drift is not None and before is not None and (state.content, state.groups) == (before.content, before.groups):
            standing = tuple(d for d in drift.differences if d.baseline != "previous")
            drift = msgspec.structs.replace(drift, at=state.collected_at, previous=before.collected_at, differences=standing)
        else:
            drift = comparer.host(states[number:], None)
        yield state, drift


def _points(group: str, runs: dict[str, str], found: dict[tuple[str, str], list[HostDrift]], known: Known) -> Iterator[RolePoint]:
    for run, at in runs.items():
        if (group, run) in found:
            yield _point(group, run, at, found[group, run], known)


def _point(group: str, run: str, at: str, drifts: Iterable[HostDrift], known: Known) -> RolePoint:
    hosts = list(drifts)
    differences = [difference for drift in hosts for difference in drift.differences]
    classes = Counter(d.class_ for d in differences if d.baseline == "previous")
    off = sum(d.baseline == "role" and d.against == group and d.class_ != "expected" for d in differences)
    return RolePoint(
        run=run,
        at=at,
        hosts=len(hosts),
        unexplained=classes["unexplained"],
        back_to_baseline=classes["back_to_baseline"],
        expected=classes["expected"],
        off=off if group in known.baselines else None,
    )
