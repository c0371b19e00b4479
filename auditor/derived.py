"""Derived facts of stored hosts: looked up where they are kept, made from snapshots where they are not, and kept then.

Rules of this file:
1. A key names all that something was derived from: the snapshot and the target, the matrix, the version of the auditor. What is found under
   it is as good as made anew.
2. Keeping is a favour: where the store can't be written, the answer is the same, only later.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from auditor import __version__
from auditor.analysis.fleet.fleet import Fleet, answered, fleet_of, unknown_host
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.kept.kept import FORMAT, KeptFacts, KeptHost, keep
from auditor.analysis.kept.kept_fleet import FleetIndex, index_of, open_fleet
from auditor.analysis.products.detect import Detector
from auditor.analysis.rules.evaluate import Candidates
from auditor.analysis.rules.ruleset import RuleSet
from auditor.model.errors import AuditorError, StoreError
from auditor.model.host import Snapshot, Target
from auditor.model.rule import Matrix
from auditor.store import Store, open_store
from auditor.store.derived import Derived
from auditor.store.listing import Listed

Save = Callable[[Sequence[Derived]], None]
_LOG = logging.getLogger(__name__)
_READ_AT_ONCE = 100
NOTHING_SEEN = "no section of it was seen"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A target of the fleet with its last result."""

    name: str
    aim: str
    """Digest of the target."""
    listed: Listed | None
    absent: str | None
    """Why its evidence does not count, or why there is none; None where there is evidence that counts."""

    @property
    def mark(self) -> str | None:
        """Names the snapshot that counts."""
        return self.listed.snapshot if self.absent is None and self.listed is not None else None


class DerivedFleet:
    """The fleet of some targets. `targets` gives them, where they are asked for."""

    def __init__(self, store: Store, rules: RuleSet, detector: Detector, asked: Iterable[Asked], save: Save | None) -> None:
        self._store = store
        self._rules = rules
        self._detector = detector
        self._save = save
        self._asked = {one.name: one for one in asked}
        self._groups: dict[str, tuple[str, ...]] = {}
        self._kept: dict[str, KeptHost] = {}
        self.index: FleetIndex

    def open(self, targets: Callable[[], Sequence[Target]]) -> tuple[Fleet, Candidates]:
        """From the index that is kept, or from one that is made now. Raises StoreError."""
        key = self._key()
        found = self._store.derived([key], FleetIndex).get(key)
        if found is None:
            found, new = self._derive(targets())
            self._try_to_save([*new, Derived(key=key, host=None, value=found)])
        self.index = found
        named: dict[str, list[str]] = {}
        for group, places in sorted(found.groups.items()):
            for place in places:
                named.setdefault(found.hosts[place], []).append(group)
        self._groups = {name: tuple(groups) for name, groups in named.items()}
        return open_fleet(found, self._make, self._rules)

    def groups_of(self, name: str) -> tuple[str, ...]:
        """Groups of a target, sorted."""
        return self._groups.get(name, ())

    def _key(self) -> str:
        parts = [(one.name, one.aim, one.absent, one.mark) for one in self._asked.values()]
        return _digest("fleet", self._rules.matrix, msgspec.json.encode(sorted(parts)))

    def _host_key(self, name: str) -> str:
        one = self._asked[name]
        return _host_key(self._rules.matrix, name, one.aim, one.mark)

    def _make(self, name: str) -> HostFacts:
        """A target's facts from what is kept of it, else from its snapshot."""
        one, groups = self._asked[name], self.groups_of(name)
        if one.mark is None or name in self.index.blind:
            return unknown_host(name, groups, one.absent or self.index.blind.get(name, ""), self._detector)
        kept = self._kept.get(name)
        if kept is None:
            key = self._host_key(name)
            kept = self._store.derived([key], KeptHost).get(key)
        read = partial(self._read, name)
        if kept is not None:
            return KeptFacts(name, groups, kept, self._detector.signatures, read)
        facts = HostFacts(read(), groups)
        self._detector.detect(facts)
        return facts

    def _read(self, name: str) -> Snapshot:
        listed = self._asked[name].listed
        stored = self._store.results([listed.row]) if listed is not None else []
        snapshot = stored[0].result.snapshot if stored else None
        if snapshot is None:
            why = stored[0].result.reason if stored else "its result is gone"
            raise StoreError(f"{name} can't be read any more: {why}", next_step=f"Run `auditor collect --limit {name}`.")
        return snapshot

    def _derive(self, targets: Sequence[Target]) -> tuple[FleetIndex, list[Derived]]:
        """The index of the fleet, and what is new of its hosts."""
        groups = {target.name: target.groups for target in targets}
        keys = {self._host_key(name): name for name, one in self._asked.items() if one.mark is not None}
        self._kept = {keys[key]: kept for key, kept in self._store.derived(list(keys), KeptHost).items()}
        missing = [name for name in keys.values() if name not in self._kept]
        _LOG.info("deriving %d of %d hosts", len(missing), len(keys))
        blind = self._derive_hosts(missing, groups)
        hosts: dict[str, HostFacts] = {}
        for name, one in self._asked.items():
            kept = self._kept.get(name)
            if kept is None:
                hosts[name] = unknown_host(name, groups.get(name, ()), one.absent or blind.get(name, ""), self._detector)
            else:
                hosts[name] = KeptFacts(name, groups.get(name, ()), kept, self._detector.signatures, partial(self._read, name))
        new = [Derived(key=self._host_key(name), host=name, value=self._kept[name]) for name in missing if name in self._kept]
        return index_of(fleet_of(hosts, targets), self._rules, self._kept, blind), new

    def _derive_hosts(self, names: Sequence[str], groups: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
        """Takes in what snapshots say; gives the hosts whose snapshots say nothing, with why."""
        blind: dict[str, str] = {}
        rows = {listed.row: name for name in names if (listed := self._asked[name].listed) is not None}
        for start in range(0, len(rows), _READ_AT_ONCE):
            for stored in self._store.results(list(rows)[start : start + _READ_AT_ONCE]):
                name, snapshot = rows[stored.row], stored.result.snapshot
                if snapshot is None or not answered(snapshot):
                    blind[name] = stored.result.reason if snapshot is None else NOTHING_SEEN
                    continue
                facts = HostFacts(snapshot, groups.get(name, ()))
                self._detector.detect(facts)
                self._kept[name] = keep(facts, self._rules)
        return blind

    def _try_to_save(self, rows: Sequence[Derived]) -> None:
        if self._save is None:
            return
        try:
            self._save(rows)
        except AuditorError as error:
            _LOG.info("derived facts are not kept: %s", error.message)


def keep_hosts(store: Store, matrix: Matrix, fleet: Fleet, targets: Iterable[Target]) -> None:
    """Keeps what was derived of the hosts of a fleet, as far as the store holds nothing newer of them."""
    rules, aims = RuleSet(matrix), {target.name: aim_of(target) for target in targets}
    rows = []
    for listed in store.listing():
        facts = fleet.hosts.get(listed.host)
        if facts is None or not facts.collected or listed.snapshot is None or facts.snapshot.collected_at != listed.collected_at:
            continue
        key = _host_key(matrix, listed.host, aims.get(listed.host, listed.aim), listed.snapshot)
        rows.append(Derived(key=key, host=listed.host, value=keep(facts, rules)))
    store.save_derived(rows)


def save_into(where: str | Path) -> Save:
    """Keeps in the store at a path or an address, where that can be written."""

    def save(rows: Sequence[Derived]) -> None:
        with open_store(where, create=False) as store:
            store.save_derived(rows)

    return save


def aim_of(target: Target) -> str:
    """Names a target with all that the inventory says of it."""
    return hashlib.sha256(msgspec.json.encode(target, order="deterministic")).hexdigest()


def _host_key(matrix: Matrix, name: str, aim: str, mark: str | None) -> str:
    return _digest("host", matrix, f"{name}\n{aim}\n{mark}".encode())


def _digest(what: str, matrix: Matrix, content: bytes) -> str:
    head = f"{what}|{FORMAT}|{__version__}|{matrix.digest}|".encode()
    return hashlib.sha256(head + content).hexdigest()
