"""The joins behind `auditor investigate`: which hosts to ask, the second collection, and from what is stored to the document.

Rules of this file:
1. What is collected is stored first and then analysed like anything stored: the same store gives the same answer without a host.
2. Hosts beside the one that crashed are asked only where a tie in evidence leads to them; where a name in evidence can't be resolved and
   hosts of the inventory were never seen, these are asked too, up to the limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from auditor import __version__
from auditor.analysis.crash.crash_pieces import crash_in_pieces
from auditor.analysis.fleet.fleet import Fleet, build_fleet
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.investigate.case import Case, Known, Seen
from auditor.analysis.investigate.moment import find_moment, utc
from auditor.analysis.investigate.timeline import timeline
from auditor.analysis.investigate.verdict import decide
from auditor.model.change import Difference
from auditor.model.crash import Crash
from auditor.model.errors import UsageError
from auditor.model.finding import Evidence, Finding, HostCoverage
from auditor.model.host import HostResult, Snapshot, Target
from auditor.model.hypothesis import Investigation, Tie
from auditor.model.times import stamp
from auditor.probes.bundle import SCRIPTED_SECTIONS, ProbeRequest
from auditor.report.coverage import host_coverage

if TYPE_CHECKING:
    from auditor.inventory import Inventory
    from auditor.store import Store

MOST_NEIGHBOURS = 20
_TIES = ("manages", "updates", "copies-to", "logs-on-to", "serves", "depends-on")
_WORDS = {
    ("manages", "in"): "manages it", ("manages", "out"): "is managed by it", ("updates", "in"): "updates it",
    ("updates", "out"): "is updated by it", ("copies-to", "in"): "copies files to it", ("copies-to", "out"): "gets copies of its files",
    ("logs-on-to", "in"): "logs on to it", ("logs-on-to", "out"): "it logs on there", ("serves", "in"): "serves it",
    ("serves", "out"): "is served by it", ("depends-on", "in"): "depends on it", ("depends-on", "out"): "it depends on it",
}  # fmt: skip


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked to know."""

    host: str
    at: datetime | None = None
    """The moment, aware; None to find the last unexpected restart."""
    crash: Crash | None = None
    """Read from a file that was given."""
    crash_file: str = ""
    stored: bool = False


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """Results and targets that the analysis rests on."""

    targets: tuple[Target, ...]
    results: dict[str, HostResult]
    """By host, the latest; hosts never collected are left out."""
    run: str | None = None
    notes: tuple[str, ...] = ()


def request_for(
    known: Known, *, around: datetime | None = None, dump: bool = True, event_days: int = 30, fragmentation: bool = False
) -> ProbeRequest:
    """What to ask around a crash: everything that rules need, hashes of drivers, updates of security products, traces, logs, the dump."""
    from auditor.matrix import requested_event_sources, requested_keys, requested_logs

    keys, files = requested_keys(known.matrix.signatures, known.matrix.rules, known.matrix.lists)
    traces = [key for item in known.crashes.indicators for key in item.keys]
    trace_files = [path for item in known.crashes.indicators for name in item.files for path in _trace_files(name)]
    asked_events = {kind.source for kinds in known.hypotheses.events.values() for kind in kinds if kind.log == "Application"}
    sources = {*requested_event_sources(known.matrix.rules), *(asked_events - _BUILT_IN)}
    return ProbeRequest(
        sections=(*SCRIPTED_SECTIONS, *(("dumpbytes",) if dump else ()), *(("fragmentation",) if fragmentation else ())),
        around=stamp(around) if around is not None else "",
        security_keys=tuple(dict.fromkeys([*keys, *traces])),
        security_files=tuple(dict.fromkeys([*files, *trace_files])),
        event_sources=tuple(sorted(sources, key=str.casefold)),
        hash_drivers="non_microsoft",
        event_days=event_days,
        intrusion_logs=tuple(dict.fromkeys([*requested_logs(known.matrix.signatures), *known.hypotheses.log_files])),
    )


_BUILT_IN = frozenset(
    {"Chkdsk", "Microsoft-Windows-Chkdsk", "Wininit", "Microsoft-Windows-Wininit", "Winlogon", "MsiInstaller", "Application Error"}
)
"""Providers of the Application log that the probe asks for anyway."""


def _trace_files(name: str) -> tuple[str, ...]:
    """Where a file of malware is looked for: drivers lie in the folder of drivers or, as old families have it, one above."""
    if "\\" in name:
        return (name,)
    folders = ("System32", r"System32\drivers") if name.casefold().endswith(".sys") else ("System32",)
    return tuple(rf"%SystemRoot%\{folder}\{name}" for folder in folders)


def stored(store: Store, targets: Sequence[Target] = (), run: str | None = None) -> Gathered:
    """The latest result of each host in the store, with the inventory's targets where given."""
    found = {item.target.name: item for item in store.latest_results()}
    own = {target.name: target for target in targets} or {name: item.target for name, item in found.items()}
    return Gathered(targets=tuple(own.values()), results={name: item.result for name, item in found.items() if name in own}, run=run)


def fleet_of(gathered: Gathered, known: Known) -> Fleet:
    """The fleet as it was last seen."""
    snapshots = {name: result.snapshot for name, result in gathered.results.items() if result.snapshot is not None}
    reasons = {name: result.reason for name, result in gathered.results.items() if result.snapshot is None}
    return build_fleet(snapshots, gathered.targets, known.matrix, reasons)


def ties_of(fleet: Fleet, host: str) -> dict[str, tuple[str, ...]]:
    """Hosts that are tied to this one, with how: edges both ways, and members of one group of a product."""
    found: dict[str, dict[str, None]] = {}
    for kind in _TIES:
        for way in ("in", "out"):
            for other in fleet.graph.edges_at(host, way, kind):
                found.setdefault(other, {})[_WORDS[kind, way]] = None
    for membership in fleet.graph.memberships(host):
        for edge in fleet.graph.members(membership.target):
            other = edge.source.removeprefix("host:")
            if other != host and edge.source.startswith("host:"):
                found.setdefault(other, {})[f"is in the same group {membership.target.rpartition(':')[2]}"] = None
    return {name: tuple(words) for name, words in sorted(found.items())}


def wanted_neighbours(gathered: Gathered, known: Known, host: str, most: int = MOST_NEIGHBOURS) -> tuple[list[str], str]:
    """Hosts to ask beside this one, and what a reader has to know about the choice."""
    fleet = fleet_of(gathered, known)
    tied = list(ties_of(fleet, host))
    unseen = [target.name for target in gathered.targets if target.name != host and target.name not in gathered.results]
    open_names = sorted({name.name for name in fleet.graph.open_names if name.claimant == host and name.name} | _strangers(fleet, host))
    unseen.sort(key=lambda name: not _alike(name, open_names))
    wanted = tied + [name for name in unseen if open_names and name not in tied]
    note = ""
    if open_names and unseen:
        note = f"names in its evidence that nobody seen so far has ({', '.join(open_names[:5])}): hosts never seen were asked too"
    if len(wanted) > most:
        note = f"{note}; " if note else ""
        note += f"{len(wanted)} hosts are tied to it or unknown, of which {most} were asked"
    return wanted[:most], note


def _alike(target: str, names: Iterable[str]) -> bool:
    """Whether a target is named much like one of the names: good enough to ask it first, never to say that it is the one."""
    plain = _plain(target.partition(".")[0])
    return any(plain == _plain(name.partition(".")[0]) for name in names)


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _strangers(fleet: Fleet, host: str) -> set[str]:
    """Names of sources and servers that lead to no target."""
    ends = ((e.source, e.target) for e in fleet.graph.edges)
    return {s.removeprefix("name:") for s, t in ends if s.startswith("name:") and t == f"host:{host}"}


def with_notes(gathered: Gathered, *notes: str) -> Gathered:
    """What was gathered, with more that a reader has to know."""
    return msgspec.structs.replace(gathered, notes=(*gathered.notes, *filter(None, notes)))


def moment_of(asked: Asked, gathered: Gathered, known: Known) -> datetime | None:
    """When the host fell, as far as what was collected of it tells, so that its neighbours can be asked about that time."""
    result = gathered.results.get(asked.host)
    if asked.at is not None or result is None or result.snapshot is None:
        return asked.at
    crash, _, _ = _crash(asked, result.snapshot, known)
    moment = find_moment(HostFacts(result.snapshot), crash=crash)
    return utc(moment) if moment is not None else None


def only(inventory: Inventory, names: Sequence[str]) -> Inventory:
    """The inventory with these targets alone. Raises UsageError where one is none."""
    chosen = tuple(target for target in inventory.targets if target.name in names)
    missing = sorted(set(names) - {target.name for target in chosen})
    if missing:
        raise UsageError(f"the inventory has no host {', '.join(missing)}", next_step="`auditor inventory` lists its hosts.")
    return msgspec.structs.replace(inventory, targets=chosen)


def investigate(asked: Asked, gathered: Gathered, known: Known, store: Store | None, folders: Sequence[Path] = ()) -> Investigation:
    """The document about one host. Raises UsageError for a host that nobody knows."""
    fleet = fleet_of(gathered, known)
    if asked.host not in fleet.hosts:
        raise UsageError(f"no host {asked.host} is known", next_step="Name it as the inventory or the store does.")
    host = fleet.hosts[asked.host]
    crash, crash_at, missing = _crash(asked, host.snapshot, known)
    moment = find_moment(host, given=asked.at, crash=crash)
    tied = ties_of(fleet, asked.host)
    changes, since = _changes(store, host.snapshot, moment.time if moment else None, known, folders) if host.collected else (None, None)
    findings, undecided = _findings(fleet, known, asked.host)
    seen = Seen(
        moment=moment,
        crash=crash,
        crash_at=crash_at,
        crash_missing=missing,
        findings=findings,
        undecided=undecided,
        changes=changes,
        changes_since=since,
    )
    case = Case(asked.host, fleet, known, seen, tied)
    verdict = decide(case)
    return Investigation(
        host=asked.host,
        run=gathered.run,
        auditor=__version__,
        matrix_digest=known.matrix.digest,
        hypotheses_digest=known.hypotheses.digest,
        moment=moment,
        crash=crash,
        crash_from=f"{crash_at.section}: {crash_at.record}" if crash_at is not None else "",
        proximate=verdict.proximate,
        trigger=verdict.trigger,
        timeline=timeline(case),
        ties=tuple(_tie(name, reasons, fleet) for name, reasons in tied.items()),
        findings=findings,
        undecided=undecided,
        changes=changes or (),
        changes_since=since,
        signs=verdict.signs,
        steps=verdict.steps,
        remedies=verdict.remedies,
        coverage=_coverage(asked.host, tied, gathered),
        notes=gathered.notes,
    )


def _crash(asked: Asked, snapshot: Snapshot, known: Known) -> tuple[Crash | None, Evidence | None, str]:
    """The crash from the given file, else from the pieces of the host's dump; or why there is none."""
    if asked.crash is not None:
        at = Evidence(host=asked.host, section="dumps", record=asked.crash_file, field="given file", value=asked.crash.source.kind)
        return asked.crash, at, ""
    found = crash_in_pieces(snapshot, known.crashes)
    if found.crash is not None:
        at = Evidence(host=asked.host, section="dumpbytes", record=found.path, field="data", value=found.told)
        return found.crash, at, ""
    return None, None, found.told


def _findings(fleet: Fleet, known: Known, host: str) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    from auditor.analysis.rules.evaluate import evaluate

    evaluation = evaluate(fleet, known.matrix)
    ours = [[f for f in found if any(s.host == host for s in f.subjects)] for found in (evaluation.findings, evaluation.undetermined)]
    return tuple(ours[0]), tuple(ours[1])


def _changes(
    store: Store | None, now: Snapshot, moment: str | None, known: Known, folders: Sequence[Path]
) -> tuple[tuple[Difference, ...] | None, str | None]:
    """What differs from the last snapshot that was stored before the moment."""
    from auditor.analysis.drift.compare import compare_snapshots
    from auditor.history import load_known
    from auditor.model.places import shipped

    until = moment or now.collected_at
    states = list(store.states(now.host, until)) if store is not None else []
    before = next((state for state in states if state.collected_at < now.collected_at), None)
    if store is None or before is None:
        return None, None
    rules = load_known(folders or (shipped("compat_matrix"),), known.matrix.signatures).rules
    found = compare_snapshots(store.read_state(before), now, rules.own)
    return tuple(
        Difference(
            host=now.host,
            section=delta.section,
            key=delta.key,
            field=delta.field,
            kind=delta.kind,
            before=delta.before,
            after=delta.after,
            baseline="previous",
            against=before.collected_at,
            concern=rules.concern(delta.section, delta.key, delta.field),
        )
        for delta in found.deltas
    ), before.collected_at


def _tie(name: str, reasons: tuple[str, ...], fleet: Fleet) -> Tie:
    facts = fleet.hosts.get(name)
    seen = facts is not None and facts.collected
    return Tie(host=name, reasons=reasons, seen=seen, note="" if seen else "nothing was collected of it")


def _coverage(host: str, tied: Mapping[str, Sequence[str]], gathered: Gathered) -> tuple[HostCoverage, ...]:
    absent = HostResult(host=host, status="not_asked", reason="never collected into this store")
    return tuple(
        host_coverage(gathered.results.get(name, msgspec.structs.replace(absent, host=name))) for name in dict.fromkeys([host, *tied])
    )
