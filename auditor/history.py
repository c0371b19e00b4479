"""The joins of drift: store and matrix in, differences out. Streams host by host; decides nothing by itself.

Nothing asks a host here. What a host is compared with is what was stored, so that every difference can be told again at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from auditor.analysis.drift.compare import Side, side_of, system_of
from auditor.analysis.drift.host import Asked, Before, Found, Rules, host_drift
from auditor.analysis.drift.integrity import Files, definitions_behind, managers_differing
from auditor.analysis.drift.normalise import Normaliser
from auditor.analysis.drift.peers import FEWEST, Outlier, Peers, narrowest_groups
from auditor.analysis.drift.since import Moment
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.products.detect import Detector
from auditor.model.baseline import Baseline, DriftKnowledge
from auditor.model.change import BASELINE_KINDS, Accepted, BaselineKind, Concern, Explanation, HostDrift
from auditor.model.finding import Product
from auditor.model.host import SECTION_NAMES, Section, Snapshot
from auditor.model.signature import Signature

if TYPE_CHECKING:
    from auditor.store import Store, StoredState

LOOK_BACK = 30
"""How many snapshots are searched for a section that the one before did not see."""
MOST_NEIGHBOURS = 1_000
"""How many other hosts one host is held against."""
Kind = tuple[object, ...]


class Known(NamedTuple):
    """Everything that differences are judged by, as loaded from matrix folders."""

    rules: Rules
    knowledge: DriftKnowledge
    baselines: dict[str, Baseline]
    expected: tuple[Explanation, ...]
    detector: Detector


def load_known(folders: Sequence[Path], signatures: Sequence[Signature]) -> Known:
    """Plans, rules of what moves by itself, baselines and expected changes. Raises MatrixError with all problems of a kind of file."""
    from auditor.matrix.drift_files import load_baselines, load_drift, load_expected

    knowledge = load_drift(folders)
    own, between = Normaliser(knowledge, signatures), Normaliser(knowledge, signatures, between_hosts=True)
    rules = Rules(own, between, signatures)
    return Known(rules, knowledge, load_baselines(folders), load_expected(folders), Detector(signatures))


class Past:
    """A host's stored states, the compared one first, read as far as they are asked for."""

    def __init__(self, store: Store, states: Sequence[StoredState], detector: Detector) -> None:
        self.states = states
        self._store = store
        self._detector = detector
        self._read: dict[str, Snapshot] = {}

    def snapshot(self, state: StoredState) -> Snapshot:
        """The records of a state."""
        if state.content not in self._read:
            self._read[state.content] = self._store.read_state(state)
        return msgspec.structs.replace(self._read[state.content], collected_at=state.collected_at)

    def moments(self, section: str) -> Iterator[Moment]:
        """A section's past, newest first; states of one content are one moment."""
        run: list[StoredState] = []
        for state in self.states:
            if run and state.content != run[-1].content:
                yield self._moment(run, section)
                run = []
            run.append(state)
        if run:
            yield self._moment(run, section)

    def _moment(self, run: Sequence[StoredState], section: str) -> Moment:
        snapshot = self.snapshot(run[0])
        side = side_of(snapshot, section) if section in SECTION_NAMES else self._products(snapshot)
        return Moment(run[-1].collected_at, run[0].collected_at, side)

    def _products(self, snapshot: Snapshot) -> Side:
        """The products that were recognised, as a section; partial where the presence of some was not known."""
        facts = HostFacts(snapshot)
        found = self._detector.detect(facts)
        section: Section[Product, None] = Section(status="partial" if found.unsure else "ok", records=found.products)
        return Side(section, system_of(snapshot))

    def before(self) -> dict[str, Before]:
        """Each section as it was when it was last seen; one that was not seen for long, as it was in the snapshot before."""
        found: dict[str, Before] = {}
        for state in self.states[1 : LOOK_BACK + 1]:
            snapshot = self.snapshot(state)
            for name in SECTION_NAMES:
                if name not in found and (side := side_of(snapshot, name)).section.usable:
                    found[name] = Before(state.collected_at, side)
            if all(name in found for name in SECTION_NAMES if side_of(self.snapshot(self.states[0]), name).section.usable):
                break
        if len(self.states) > 1:
            last = self.snapshot(self.states[1])
            found |= {name: Before(last.collected_at, side_of(last, name)) for name in SECTION_NAMES if name not in found}
        return found


class Among:
    """Hosts held against each other: counted once, then asked about each."""

    def __init__(self, known: Known, members: dict[str, tuple[str, ...]]) -> None:
        """`members`: the groups whose hosts should look alike, with their hosts."""
        self._known = known
        self._groups: dict[str, list[str]] = {}
        for group, hosts in members.items():
            for host in hosts:
                self._groups.setdefault(host, []).append(group)
        self._peers: dict[tuple[str, Kind], Peers] = {}
        self._kinds: dict[str, Kind] = {}
        self._files = Files(known.rules.between)
        self._products: list[Product] = []
        self._inventory: dict[str, tuple[str, ...]] = {}
        self._found: dict[str, list[Found]] | None = None

    def add(self, snapshot: Snapshot, groups: tuple[str, ...]) -> None:
        """One more host."""
        system = system_of(snapshot)
        kind = tuple(getattr(system, field, None) for field in self._known.knowledge.alike)
        if system is not None and None not in kind:
            self._kinds[snapshot.host] = kind
            for group in self._groups.get(snapshot.host, ()):
                self._peers.setdefault((group, kind), Peers(self._known.rules.between)).add(snapshot)
        self._files.add(snapshot)
        self._products += self._known.detector.detect(HostFacts(snapshot)).products
        self._inventory[snapshot.host] = groups

    def peers(self, host: str) -> dict[str, Peers]:
        """The counted groups of a host that are large enough to have a majority."""
        kind = self._kinds.get(host)
        groups = self._groups.get(host, ()) if kind is not None else ()
        counted = {group: self._peers[group, kind] for group in groups if kind is not None and (group, kind) in self._peers}
        return {group: peers for group, peers in counted.items() if peers.hosts >= FEWEST}

    def found(self, host: str) -> list[Found]:
        """What differs on a host from the others."""
        if self._found is None:
            self._found = {}
            for among, concern, outlier in self._outliers():
                self._found.setdefault(outlier.host, []).append(Found(among, concern, outlier))
        return self._found.get(host, [])

    def _outliers(self) -> Iterator[tuple[str, Concern, Outlier]]:
        for (group, _), peers in self._peers.items():
            yield from ((group, "", outlier) for outlier in peers.outliers())
        days = self._known.knowledge.definitions_days
        yield from (("files of the same name and version", "integrity", outlier) for outlier in self._files.outliers())
        yield from (("the fleet's definitions", "definitions", o) for o in definitions_behind(self._products, days))
        yield from (("the group's manager", "manager", o) for o in managers_differing(self._products, self._inventory))


class Comparer:
    """Compares hosts of one store. `baselines` are those to look at."""

    def __init__(self, store: Store, known: Known, baselines: Collection[BaselineKind] = BASELINE_KINDS) -> None:
        self._store, self._known, self._baselines = store, known, frozenset(baselines)
        self._explanations = (*known.expected, *store.explanations())
        self._accepted: dict[str, Accepted] = store.accepted() if "accepted" in self._baselines else {}

    def host(self, states: Sequence[StoredState], among: Among | None, start: StoredState | None = None) -> HostDrift:
        """A host's newest state of `states` against its baselines; `start` in place of the snapshot before."""
        now = states[0]
        past = Past(self._store, states, self._known.detector)
        chosen = past if start is None else Past(self._store, [now, start], self._known.detector)
        before = chosen.before() if "previous" in self._baselines else {}
        accepted, state = self._frozen(now)
        asked = Asked(
            now=past.snapshot(now),
            groups=now.groups,
            previous=chosen.states[1].collected_at if before else None,
            before=before,
            roles=self._roles(now.groups),
            accepted=accepted,
            accepted_state=state,
            peers=among.peers(now.host) if among else {},
            outliers=among.found(now.host) if among else (),
            explanations=self._explanations,
            notes=tuple(self._notes(now, chosen, among)),
        )
        return host_drift(asked, self._known.rules, past.moments)

    def _roles(self, groups: Sequence[str]) -> tuple[Baseline, ...]:
        known = self._known.baselines
        return tuple(known[group] for group in groups if group in known) if "role" in self._baselines else ()

    def _frozen(self, now: StoredState) -> tuple[Accepted | None, Snapshot | None]:
        entry = self._accepted.get(now.host)
        if entry is None:
            return None, None
        states = [s for s in self._store.states(now.host, entry.collected_at) if s.collected_at == entry.collected_at]
        return (entry, self._store.read_state(states[0])) if states else (None, None)

    def _notes(self, now: StoredState, past: Past, among: Among | None) -> Iterator[str]:
        if "previous" in self._baselines and len(past.states) < 2:
            yield "there is no earlier snapshot to compare with"
        if "previous" in self._baselines and len(past.states) > 1:
            after, before = (past.snapshot(state) for state in past.states[:2])
            if after.transport.partition(" ")[0] != before.transport.partition(" ")[0]:
                yield f"asked over {after.transport}, before over {before.transport}: what only one of them tells is left out"
            if after.collector != before.collector:
                yield f"collected by {after.collector}, before by {before.collector}"
        if "role" in self._baselines and not self._roles(now.groups):
            yield "no baseline says what its roles should look like"
        if "peers" in self._baselines and (among is None or not among.peers(now.host)):
            yield "there are no peers of the same role and system to compare with"


def fleet_among(store: Store, known: Known, states: Sequence[StoredState]) -> Among:
    """All these hosts held against each other; `states` has the newest state of each first."""
    newest = {state.host: state for state in reversed(states)}
    among = Among(known, narrowest_groups({host: state.groups for host, state in newest.items()}))
    for state in sorted(newest.values(), key=lambda state: state.host):
        among.add(store.read_state(state), state.groups)
    return among


def fleet_drift(
    store: Store, known: Known, hosts: Sequence[str] | None = None, baselines: Collection[BaselineKind] = BASELINE_KINDS
) -> Iterator[HostDrift]:
    """The newest state of each host (of those named) against its baselines, host by host. Peers are counted over the whole store."""
    newest = store.latest_states(1)
    among = fleet_among(store, known, newest) if "peers" in baselines else None
    comparer = Comparer(store, known, baselines)
    wanted = None if hosts is None else set(hosts)
    for state in newest:
        if wanted is None or state.host in wanted:
            yield comparer.host(store.states(state.host), among)


def among_for(store: Store, known: Known, newest: Sequence[StoredState], one: StoredState) -> Among:
    """One host held against the nearest others: those of its narrowest groups, then others of its groups, up to `MOST_NEIGHBOURS`.

    `newest` is the newest state of every host; `one` is the host's state that is compared.
    """
    members = {group: hosts for group, hosts in narrowest_groups({s.host: s.groups for s in newest}).items() if one.host in hosts}
    near = {host for hosts in members.values() for host in hosts}
    ranked = sorted(
        (s for s in newest if s.host != one.host), key=lambda s: (s.host not in near, not set(s.groups) & set(one.groups), s.host)
    )
    among = Among(known, members)
    for state in (one, *ranked[:MOST_NEIGHBOURS]):
        among.add(store.read_state(state), state.groups)
    return among
