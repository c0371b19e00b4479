"""The join of a pre-check: what is asked, for which hosts, over what the store holds. Asks no host and changes nothing in the store.

Rules of this file:
1. Hosts that are named have to be there, collected, and not older than allowed; else the check is refused with what to do.
2. Hosts that a group or pattern brings and of which nothing is known are told as unknown, never left out.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from auditor import __version__
from auditor.analysis.precheck.run import NO_WAIVERS, check_waves, worst
from auditor.analysis.precheck.spec import driver_change, read_change, with_altitudes
from auditor.changefile import PlannedWave, load_changes, read_driver
from auditor.model.errors import UsageError
from auditor.model.pattern import matches_any
from auditor.model.waiver import Waivers
from auditor.model.whatif import CHANGE_KINDS, Change, ChangeKind, HostAnswer, Precheck, Prerequisite, Wave
from auditor.stored_fleet import Known, StoredFleet

FLAGS: Mapping[ChangeKind, str] = MappingProxyType({kind: "--" + kind.replace("_", "-") for kind in CHANGE_KINDS})


class Wanted(NamedTuple):
    """What the user asks."""

    hosts: tuple[str, ...] = ()
    """Names."""
    groups: tuple[str, ...] = ()
    limit: str | None = None
    """Names, groups and * patterns, `!` before those to leave out."""
    changes: Mapping[ChangeKind, tuple[str, ...]] = MappingProxyType({})
    """Texts by kind, as on the command line; a driver's is a file."""
    file: Path | None = None
    """A change file."""


class Chosen(NamedTuple):
    """Hosts to look at, and hosts of which nothing is known."""

    known: tuple[str, ...]
    unknown: tuple[str, ...]


def precheck(stored: StoredFleet, wanted: Wanted, now: datetime, waivers: Waivers = NO_WAIVERS) -> Precheck:
    """The answer for each host. Raises UsageError and InputFileError with what is wrong in the question."""
    planned = _planned(stored, wanted)
    default = _choose(stored, wanted) if any(not wave.hosts for wave in planned) or not planned else Chosen((), ())
    waves: list[Wave] = []
    unknown: list[HostAnswer] = []
    for wave in planned:
        _known_words(stored, wave)
        chosen = _choose(stored, Wanted(limit=",".join(wave.hosts))) if wave.hosts else default
        changes = tuple(with_altitudes(change, stored.rules.matrix.lists) for change in wave.changes)
        waves.append(Wave(name=wave.name, hosts=chosen.known, changes=changes))
        unknown += [_nothing_known(stored, host, wave) for host in chosen.unknown]
    outcome = check_waves(stored.fleet, waves, stored.rules, stored.detector, now, stored.candidates, waivers)
    order = {wave.name: number for number, wave in enumerate(waves)}
    hosts = sorted([*outcome.hosts, *unknown], key=lambda answer: (order[answer.wave], answer.host.casefold()))
    return Precheck(
        at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        auditor=__version__,
        matrix_digest=stored.rules.matrix.digest,
        rules=len(stored.rules.by_id),
        answer=worst([*(answer.answer for answer in hosts), *outcome.elsewhere_answers]),
        hosts=tuple(hosts),
        elsewhere=outcome.elsewhere,
        stale=tuple(sorted(stored.stale)),
        oldest=stored.oldest,
    )


def _planned(stored: StoredFleet, wanted: Wanted) -> list[PlannedWave]:
    """The waves that the command line or the change file says."""
    given = [(kind, text) for kind in CHANGE_KINDS for text in wanted.changes.get(kind, ())]
    if wanted.file is not None and given:
        raise UsageError("--change brings all its changes itself", next_step="Leave out either --change or the other changes.")
    if wanted.file is not None:
        return load_changes(wanted.file, stored.detector.signatures, stored.versions)
    if not given:
        names = ", ".join(FLAGS.values())
        raise UsageError("nothing to check: no change is given", next_step=f"Give one of {names}, or --change FILE.")
    return [PlannedWave("all", (), tuple(_read(kind, text, stored) for kind, text in given))]


def _read(kind: ChangeKind, text: str, stored: StoredFleet) -> Change:
    said = f"{FLAGS[kind]} {text}"
    if kind == "driver":
        return driver_change(read_driver(Path(text), text), said)
    product = text.partition(",")[0].partition("@")[0].strip().casefold()
    return read_change(kind, text, said, stored.detector.signatures, stored.versions.get(product, ()))


def _choose(stored: StoredFleet, wanted: Wanted) -> Chosen:
    """The hosts that are meant. Raises UsageError for names that nobody has, and for evidence that does not count."""
    if not wanted.hosts and not wanted.groups and wanted.limit is None:
        raise UsageError("no host is named", next_step="Give --host NAME, --group NAME or --limit PATTERN.")
    named = [_named(stored, name) for name in dict.fromkeys(wanted.hosts)]
    for target in named:
        _refuse_unseen(stored, target.name)
    chosen = {target.name: target for target in named}
    for group in wanted.groups:
        chosen |= _of_group(stored, group)
    if wanted.limit is not None:
        chosen |= _limited(stored, wanted.limit)
    names = sorted(chosen)
    stale = [name for name in names if name in stored.stale]
    if stale and len(stale) == len(names):
        _refuse_unseen(stored, stale[0])
    return Chosen(tuple(n for n in names if n not in stored.absent), tuple(n for n in names if n in stored.absent))


def _named(stored: StoredFleet, name: str) -> Known:
    by_name = {target.name.casefold(): target for target in stored.targets}
    found = by_name.get(name.casefold())
    if found is None:
        resolved = stored.fleet.resolver.resolve(name).target
        found = by_name.get(resolved.casefold()) if resolved else None
    if found is None:
        near = [by_name[n].name for n in difflib.get_close_matches(name.casefold(), by_name, n=3)]
        step = f"Near to it: {', '.join(near)}." if near else "`auditor report --list` shows the runs; collect the host first."
        raise UsageError(f"there is no host {name!r}, in the store or the inventory", next_step=step)
    return found


def _refuse_unseen(stored: StoredFleet, name: str) -> None:
    if name not in stored.absent:
        return
    step = f"Run `auditor collect --limit {name}`."
    if name in stored.stale:
        raise UsageError(f"{name}: {stored.absent[name]}", next_step=f"{step} Or allow more with --max-age.")
    raise UsageError(f"nothing is known of {name}: {stored.absent[name] or 'it was never collected'}", next_step=step)


def _of_group(stored: StoredFleet, group: str) -> dict[str, Known]:
    found = {target.name: target for target in stored.targets if group.casefold() in [g.casefold() for g in (*target.groups, "all")]}
    if not found:
        groups = sorted({g for target in stored.targets for g in target.groups})
        near = difflib.get_close_matches(group, groups, n=3)
        step = f"Near to it: {', '.join(near)}." if near else f"Groups: {', '.join(groups[:12]) or 'none'}."
        raise UsageError(f"no host is in the group {group!r}", next_step=step)
    return found


def _known_words(stored: StoredFleet, wave: PlannedWave) -> None:
    """Every word of a change file names some host. Raises UsageError with its place."""
    for word, place in zip(wave.hosts, wave.places, strict=False):
        try:
            _limited(stored, word.removeprefix("!"))
        except UsageError as error:
            raise UsageError(f"{place}: {error.message}", next_step=error.next_step) from error


def _limited(stored: StoredFleet, limit: str) -> dict[str, Known]:
    words = [word for word in limit.replace(":", ",").split(",") if word]
    if any(word.startswith("&") for word in words):
        raise UsageError("--limit with & needs the inventory", next_step="Name it with -i.")
    wanted = tuple(word for word in words if not word.startswith("!"))
    unwanted = tuple(word[1:] for word in words if word.startswith("!"))
    found: dict[str, Known] = {}
    for target in stored.targets:
        names = (target.name, "all", *target.groups)
        if any(matches_any(wanted or ("*",), name) for name in names) and not any(matches_any(unwanted, name) for name in names):
            found[target.name] = target
    if not found:
        known = sorted({name for target in stored.targets for name in (target.name, *target.groups)})
        near = difflib.get_close_matches(limit, known, n=3)
        step = f"Near to it: {', '.join(near)}." if near else "Name hosts, groups, or patterns with *."
        raise UsageError(f"{limit!r} names no host", next_step=step)
    return found


def _nothing_known(stored: StoredFleet, host: str, wave: PlannedWave) -> HostAnswer:
    why = stored.absent[host] or "it was never collected"
    need = Prerequisite(kind="evidence", met=None, text=f"Nothing is known of this host: {why}. Collect it first.")
    return HostAnswer(
        host=host,
        wave=wave.name,
        answer="unknown",
        changes=tuple(change.said for change in wave.changes),
        prerequisites=(need,),
        collected_at=stored.stale.get(host),
    )


def parse_age(text: str) -> timedelta:
    """`7d`, `36h`, `90m`, or hours. Raises UsageError."""
    units = {"d": 86_400, "h": 3_600, "m": 60}
    number, unit = (text[:-1], text[-1:].casefold()) if text[-1:].casefold() in units else (text, "h")
    if not number.isdecimal() or len(number) > 6 or int(number) == 0:
        raise UsageError(f"--max-age: {text!r} is no age", next_step="For example 7d, 36h or 90m.")
    return timedelta(seconds=int(number) * units[unit])


def worst_hosts(found: Precheck) -> Sequence[str]:
    """Hosts that have the worst answer."""
    return [answer.host for answer in found.hosts if answer.answer == found.answer]
