"""Crashes of many hosts as incidents: one stop code, one image, one build, inside one time window. Pure.

Rules of this file:
1. What is grouped comes from dumps where there are any; a restart of which only records exist joins a wave with its stop code where the
   host runs that very build, and says so.
2. A host is exposed where it was seen to run the same build and has not fallen in the wave. Where its drivers were not seen it is
   unknown, never safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from auditor.analysis.crash.crash_pieces import crash_in_pieces
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.investigate.case import stop_code
from auditor.analysis.investigate.moment import event_evidence, event_time, restarts, skewed, told_time
from auditor.analysis.investigate.zone import parse_utc
from auditor.model.crash import Crash, base_code, hex_text
from auditor.model.crash_knowledge import CrashKnowledge, stem
from auditor.model.finding import Evidence
from auditor.model.grade import Confidence
from auditor.model.host import DriverRecord, Snapshot
from auditor.model.hypothesis import Wave, WaveHost, WavesDocument
from auditor.model.times import stamp

_SAME = timedelta(minutes=30)
"""A dump and the records of a restart that lie this close are of one crash."""
_FEW = 3


class Fall(msgspec.Struct, frozen=True, kw_only=True):
    """One crash of one host."""

    host: str
    time: datetime
    code: int | None
    image: str | None = None
    build: int | None = None
    """Link time stamp of the image."""
    evidence: tuple[Evidence, ...] = ()


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A crash read from a file, and the host that it is of."""

    host: str
    crash: Crash


def waves(snapshots: Mapping[str, Snapshot], given: Iterable[Given], knowledge: CrashKnowledge, *, window_hours: int) -> WavesDocument:
    """All crashes that are known, grouped, the latest wave first."""
    hosts = {name: HostFacts(snapshot) for name, snapshot in snapshots.items()}
    falls = [fall for item in given if (fall := _of_crash(item.host, item.crash, None, knowledge)) is not None]
    undated = sum(1 for item in given if parse_utc(item.crash.crash_time) is None)
    for host in hosts.values():
        falls += _of_host(host, [fall for fall in falls if fall.host == host.name], knowledge)
    found = [wave for group in _groups(falls, hosts, timedelta(hours=window_hours)) for wave in [_wave(group, hosts)]]
    ordered = sorted(found, key=lambda wave: (wave.last_seen, wave.key), reverse=True)
    notes = (f"{undated} crashes tell no time and are in no wave",) if undated else ()
    return WavesDocument(window_hours=window_hours, waves=tuple(ordered), hosts=len(hosts), notes=notes)


def _of_crash(host: str, crash: Crash, facts: HostFacts | None, knowledge: CrashKnowledge, at: Evidence | None = None) -> Fall | None:
    time = parse_utc(crash.crash_time)
    if time is None:
        return None
    own = [s.image for s in crash.suspects if knowledge.kind(s.image) is None]
    image = next(iter(own), None) or crash.image
    text = crash.bugcheck.base_code
    if at is None:
        at = Evidence(host=host, section="dumps", record=crash.source.file, field="given file", value=crash.source.kind)
    return Fall(
        host=host,
        time=skewed(facts, time) if facts is not None else time,
        code=base_code(int(text, 16)) if text else None,
        image=image,
        build=_stamp(crash, image),
        evidence=(at,),
    )


def _stamp(crash: Crash, image: str | None) -> int | None:
    if image is None:
        return None
    text = crash.image_timestamp if crash.image and stem(crash.image) == stem(image) else None
    text = text or next((driver.timestamp for driver in crash.drivers or () if stem(driver.name) == stem(image)), None)
    return (int(text, 16) or None) if text else None


def _of_host(host: HostFacts, known: Sequence[Fall], knowledge: CrashKnowledge) -> list[Fall]:
    """The host's dump and its recorded restarts; those that a dump or a given file tells already are left out."""
    falls: list[Fall] = []
    pieces = crash_in_pieces(host.snapshot, knowledge)
    if pieces.crash is not None:
        at = Evidence(host=host.name, section="dumpbytes", record=pieces.path, field="data", value=pieces.told)
        fall = _of_crash(host.name, pieces.crash, host, knowledge, at)
        falls += [fall] if fall is not None else []
    for group in restarts(host):
        code = next((found for event in group if (found := stop_code(event)) is not None), None)
        told = next((t[0] for event in group if (t := told_time(host, event)) is not None), None)
        time = skewed(host, told) if told is not None else event_time(host, group[-1])
        if code is None or time is None or any(abs(fall.time - time) <= _SAME for fall in (*known, *falls)):
            continue
        falls.append(Fall(host=host.name, time=time, code=code, evidence=tuple(event_evidence(host, event) for event in group)))
    return falls


_Key = tuple[int | None, str, int | None]


def _groups(falls: Sequence[Fall], hosts: Mapping[str, HostFacts], window: timedelta) -> list[list[Fall]]:
    """Falls of one key, parted where the next came later than the window."""
    by_key: dict[_Key, list[Fall]] = {}
    for fall in falls:
        if fall.image is not None:
            by_key.setdefault((fall.code, stem(fall.image), fall.build), []).append(fall)
    for fall in falls:
        if fall.image is None:
            by_key.setdefault(_joined(fall, by_key, hosts), []).append(fall)
    found: list[list[Fall]] = []
    for group in by_key.values():
        current: list[Fall] = []
        for fall in sorted(group, key=lambda item: (item.time, item.host)):
            if current and fall.time - current[-1].time > window:
                found.append(current)
                current = []
            current.append(fall)
        found.append(current)
    return found


def _joined(fall: Fall, keys: Iterable[_Key], hosts: Mapping[str, HostFacts]) -> _Key:
    """The wave that a recorded restart belongs to: its stop code, and a build that its host runs."""
    host = hosts.get(fall.host)
    fitting = [key for key in keys if key[0] == fall.code and key[1] and host is not None and _runs(host, key[1], key[2]) is not None]
    return fitting[0] if len(fitting) == 1 else (fall.code, "", None)


def _runs(host: HostFacts, image: str, build: int | None) -> DriverRecord | None:
    """The driver record by which a host runs an image of this build."""
    for record in host.sections.drivers.records:
        name = (record.path or record.image_path or record.name).replace("/", "\\").rpartition("\\")[2]
        if stem(name) == image and build is not None and record.link_timestamp == build and record.file_exists is not False:
            return record
    return None


def _wave(group: Sequence[Fall], hosts: Mapping[str, HostFacts]) -> Wave:
    first = next((fall for fall in group if fall.image is not None), group[0])
    fallen: dict[str, list[Fall]] = {}
    for fall in group:
        fallen.setdefault(fall.host, []).append(fall)
    exposed, unknown = _others(first, set(fallen), hosts)
    confidence, reasons = _judged(group, fallen)
    build = f"linked {hex_text(first.build)}" if first.build is not None else None
    code = hex_text(first.code) if first.code is not None else None
    return Wave(
        key=" ".join(part for part in (code, first.image, build) if part) or "not known",
        code=code,
        image=first.image,
        build=build,
        first_seen=stamp(group[0].time),
        last_seen=stamp(group[-1].time),
        hosts=tuple(
            WaveHost(host=host, times=tuple(stamp(f.time) for f in falls), evidence=tuple(e for f in falls for e in f.evidence))
            for host, falls in fallen.items()
        ),
        exposed=exposed,
        unknown=unknown,
        confidence=confidence,
        reasons=reasons,
    )


def _others(first: Fall, fallen: set[str], hosts: Mapping[str, HostFacts]) -> tuple[tuple[WaveHost, ...], tuple[str, ...]]:
    """Hosts that run the build and have not fallen, and those of which that is not known."""
    if first.image is None or first.build is None:
        return (), tuple(sorted(set(hosts) - fallen))
    exposed: list[WaveHost] = []
    unknown: list[str] = []
    for name in sorted(set(hosts) - fallen):
        record = _runs(hosts[name], stem(first.image), first.build)
        if record is not None:
            at = hosts[name].evidence("drivers", record.name, "link_timestamp", hex_text(first.build))
            exposed.append(WaveHost(host=name, evidence=(at,)))
        elif hosts[name].unseen("drivers") is not None or _unread(hosts[name], first.image):
            unknown.append(name)
    return tuple(exposed), tuple(unknown)


def _unread(host: HostFacts, image: str) -> bool:
    """Whether a host has a driver of this name whose build was not read."""
    names = [(r, (r.path or r.image_path or r.name).replace("/", "\\").rpartition("\\")[2]) for r in host.sections.drivers.records]
    return any(stem(name) == stem(image) and record.link_timestamp is None for record, name in names)


def _judged(group: Sequence[Fall], fallen: Mapping[str, object]) -> tuple[Confidence, tuple[str, ...]]:
    """How sure it is that this is one incident."""
    dumped = sum(fall.image is not None for fall in group)
    reasons = [f"{len(group)} crashes of {len(fallen)} hosts, {dumped} of them read from a dump or a debugger's text"]
    if dumped < len(group):
        reasons.append(f"{len(group) - dumped} are known from the records of the restart alone")
    if len(fallen) == 1:
        return "suspected", (*reasons, "one host alone is no wave yet")
    if dumped == 0 or any(fall.build is None for fall in group if fall.image is not None):
        return "suspected", (*reasons, "the build of the image is not known")
    return ("confirmed" if dumped >= _FEW and dumped == len(group) else "probable"), tuple(reasons)
