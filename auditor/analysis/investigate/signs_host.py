"""Signs in the host's own records: earlier restarts, hardware, disk, page file, memory. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from auditor.analysis.investigate.case import Case, Happened, stop_code
from auditor.analysis.investigate.moment import event_evidence, event_time, restarts
from auditor.model.crash import hex_text
from auditor.model.hypothesis import Sign

_SHOWN = 5


def host_signs(case: Case) -> Iterator[Sign]:
    """What the host's logs and volumes say."""
    yield from _earlier(case)
    yield _counted(case, "hardware_events", "hardware", "hardware errors that Windows recorded")
    disk = _counted(case, "disk_errors", "disk", "errors of disks")
    damage = _counted(case, "volume_damage", "volume", "damaged volumes that Windows recorded")
    if disk.state is False and damage.state:
        disk = msgspec.structs.replace(disk, state=None, text=f"{disk.text}, but of a volume: whether its disk failed is not known")
    yield disk
    yield _on_page_file(case)
    yield _counted(case, "paging_errors", "paging", "errors while a page was read or written")
    yield damage
    yield _counted(case, "memory_exhausted", "exhaustion", "records of exhausted memory or pool")
    yield from _volumes(case)
    yield _counted(case, "services_failed", "service_failed", "services that failed or hung", minutes="service")
    yield _counted(case, "service_installed", "service_installed", "services or drivers that were installed", minutes="change")
    yield _counted(case, "program_installed", "installer", "installations", minutes="change")


def _earlier(case: Case) -> Iterator[Sign]:
    """Whether it happened before, and how."""
    if case.moment is None:
        yield from (
            Sign(id=name, state=None, text="when it happened is not known")
            for name in ("first_restart", "same_stop_before", "other_stop_before")
        )
        return
    before = [
        group
        for group in restarts(case.host)
        if (t := event_time(case.host, group[0])) is not None and t < case.moment - timedelta(minutes=1)
    ]
    blind = case.blind(case.host, "restart", case.minutes("earlier"))
    evidence = tuple(event_evidence(case.host, event) for group in before[:_SHOWN] for event in group[-1:])
    days = case.minutes("earlier").days
    text = f"{len(before)} earlier unexpected restarts" if before else f"no earlier unexpected restart in {days} days: a first occurrence"
    first = False if before else None if blind else True
    yield Sign(id="first_restart", state=first, text=text if first is not None else blind, evidence=evidence or _moment(case))
    codes = {code for group in before for event in group if (code := stop_code(event)) is not None}
    shown = ", ".join(hex_text(code) for code in sorted(codes))
    for name, holds, words in (
        ("same_stop_before", case.code in codes, "the same stop code came before"),
        ("other_stop_before", bool(codes - {case.code}), "other stop codes came before"),
    ):
        state = None if case.code is None or (not before and blind) else holds
        why = f"{words}: {shown}" if holds else f"not: {words}" if state is not None else blind or "the stop code is not known"
        yield Sign(id=name, state=state, text=why, evidence=evidence)


def _moment(case: Case) -> tuple:  # type: ignore[type-arg]
    return case.seen.moment.evidence[:1] if case.seen.moment is not None else ()


def _counted(case: Case, name: str, kind: str, what: str, *, minutes: str = "trouble") -> Sign:
    """Events of a kind before the moment."""
    before = case.minutes(minutes)
    found = case.events(case.host, kind, before)
    if found:
        return Sign(id=name, state=True, text=f"{len(found)} {what} in the {_words(before)} before, {_last(found)}", evidence=_shown(found))
    blind = case.blind(case.host, kind, before)
    if blind:
        return Sign(id=name, state=None, text=f"{what}: {blind}")
    return Sign(id=name, state=False, text=f"no {what} in the {_words(before)} before")


def _words(window: timedelta) -> str:
    minutes = int(window.total_seconds() // 60)
    if minutes % 1440 == 0:
        return f"{minutes // 1440} days"
    return f"{minutes // 60} hours" if minutes % 60 == 0 else f"{minutes} minutes"


def _last(found: Sequence[Happened]) -> str:
    last = found[-1]
    return f"the last {last.time.strftime('%Y-%m-%d %H:%M:%SZ')}: {last.event.source} {last.event.id}"


def _shown(found: Sequence[Happened]) -> tuple:  # type: ignore[type-arg]
    return tuple(happened.evidence for happened in found[-_SHOWN:])


def _page_drives(case: Case) -> list[str]:
    records = case.host.sections.memory.records
    return sorted({record.name[:2].casefold() for record in records if record.kind == "page_file" and record.name[1:2] == ":"})


def _on_page_file(case: Case) -> Sign:
    """Disk or volume errors that concern the disk with the page file."""
    name, drives = "disk_errors_on_page_file", _page_drives(case)
    found = [*case.events(case.host, "disk", case.minutes("trouble")), *case.events(case.host, "volume", case.minutes("trouble"))]
    if not found:
        blind = case.blind(case.host, "disk", case.minutes("trouble"))
        return Sign(id=name, state=None if blind else False, text=blind or "no errors of the disk that holds the page file")
    if not drives:
        return Sign(id=name, state=None, text="where the page file lies is not known", evidence=_shown(found))
    fixed = {r.name[:2].casefold() for r in case.host.sections.memory.records if r.kind == "volume" and r.drive_type == "fixed"}
    hits = [h for h in found if _concerns(h, drives, fixed)]
    where = ", ".join(drive.upper() for drive in drives)
    if hits:
        return Sign(id=name, state=True, text=f"{len(hits)} of them on the disk of the page file ({where})", evidence=_shown(hits))
    return Sign(id=name, state=False, text=f"none of them on the disk of the page file ({where})", evidence=_shown(found))


def _concerns(happened: Happened, drives: Sequence[str], fixed: set[str]) -> bool:
    """A drive that is named decides; a record of a disk alone counts for the first disk, and where there is one volume only."""
    text = "\n".join(happened.event.strings).casefold()
    named = {drive for drive in fixed | set(drives) if drive in text}
    if named:
        return bool(named & set(drives))
    first_disk = "harddisk0" in text or "harddiskvolume1" in text
    return first_disk or len(fixed) == 1


def _volumes(case: Case) -> Iterator[Sign]:
    volumes = {record.name[:2].casefold(): record for record in case.host.sections.memory.records if record.kind == "volume"}
    unseen = case.host.unseen("memory")
    own = [volumes[drive] for drive in _page_drives(case) if drive in volumes]
    if not own:
        why = unseen or "the volume of the page file is not known"
        yield from (Sign(id=name, state=None, text=why) for name in ("page_file_volume_dirty", "disk_check_clean"))
    else:
        volume = own[0]
        dirty = None if volume.dirty is None else volume.dirty
        words = {True: "is marked dirty", False: "is not marked dirty", None: "has a dirty bit that was not seen"}[dirty]
        evidence = (case.host.evidence("memory", volume.name, "dirty", volume.dirty),)
        yield Sign(id="page_file_volume_dirty", state=dirty, text=f"the volume {volume.name} of the page file {words}", evidence=evidence)
        yield _checked(case, volume.name, volume.last_chkdsk)
    yield _fragmented(case)


def _fragmented(case: Case) -> Sign:
    """By Windows' own advice on the volumes of the page files; asked for with `--fragmentation` only."""
    name, section = "page_file_fragmented", case.host.sections.fragmentation
    if section.status == "not_asked":
        return Sign(id=name, state=None, text="how fragmented the page file's volume is was not asked (--fragmentation): it loads the disk")
    known = [reading for reading in section.readings if reading.recommended is not None]
    if not known:
        return Sign(
            id=name, state=None, text=case.host.unseen("fragmentation") or "Windows' analysis of the page file's volume says nothing"
        )
    worst = max(known, key=lambda reading: (reading.recommended is True, reading.percent or 0))
    pieces = "" if worst.page_file_fragments is None else f", its page file lies in {worst.page_file_fragments} pieces"
    advice = "advises to defragment it" if worst.recommended else "sees no need to defragment it"
    text = f"{worst.volume} is fragmented by {worst.percent} %{pieces}; Windows {advice}"
    evidence = (case.host.evidence("fragmentation", worst.volume, "percent", worst.percent),)
    return Sign(id=name, state=worst.recommended, text=text, evidence=evidence)


def _checked(case: Case, volume: str, text: str | None) -> Sign:
    name = "disk_check_clean"
    if text is None:
        return Sign(id=name, state=None, text=f"no disk check of {volume} is recorded")
    clean = any(word in " ".join(text.casefold().split()) for word in case.known.hypotheses.clean_checks)
    found = [
        h
        for h in case.events(case.host, "disk_check", case.minutes("earlier"), timedelta(days=30))
        if volume.casefold() in "\n".join(h.event.strings).casefold()
    ]
    evidence = _shown(found) or (case.host.evidence("memory", volume, "last_chkdsk", text[:300]),)
    if clean:
        return Sign(id=name, state=True, text=f"the last disk check of {volume} found no problems", evidence=evidence)
    return Sign(id=name, state=None, text=f"what the last disk check of {volume} found can't be read from its words", evidence=evidence)
