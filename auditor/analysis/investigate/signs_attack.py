"""Signs of malware and attack: known traces on the host, and what its firewall or intrusion log counted before the moment. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.analysis.investigate.case import Case
from auditor.analysis.investigate.moment import skewed
from auditor.analysis.investigate.zone import parse_utc
from auditor.model.crash_knowledge import Indicator
from auditor.model.finding import Evidence
from auditor.model.host import FirewallReading
from auditor.model.hypothesis import Sign
from auditor.model.pattern import matches

_SHOWN = 6


def attack_signs(case: Case) -> Iterator[Sign]:
    """Malware and attack."""
    yield from _indicators(case)
    yield from _attacks(case)


def _indicators(case: Case) -> Iterator[Sign]:
    hits = [(item, found) for item in case.known.crashes.indicators if (found := _traces(case, item))]
    fitting = [(item, found) for item, found in hits if case.code is not None and case.code in item.codes]
    unseen = _unseen(case)
    for name, some, tail in (("malware_indicator", hits, ""), ("malware_indicator_for_code", fitting, " that this stop code is known for")):
        if some:
            text = "; ".join(f"traces of {item.family}{tail}: {', '.join(e.record for e in found[:_SHOWN])}" for item, found in some)
            yield Sign(id=name, state=True, text=text, grade="named", evidence=tuple(e for _, found in some for e in found[:_SHOWN]))
        else:
            text = (
                unseen or f"none of the known traces of malware{tail} is on this host (a listing from inside shows nothing that is hidden)"
            )
            yield Sign(id=name, state=None if unseen else False, text=text, grade="named")


def _unseen(case: Case) -> str:
    """Why absence of traces says nothing."""
    reasons = [reason for name in ("services", "drivers", "security") if (reason := case.host.unseen(name)) is not None]
    reasons += [why for item in case.known.crashes.indicators for key in item.keys[:1] for why in case.host.unasked("key", key)]
    return "; ".join(dict.fromkeys(reasons))


def _traces(case: Case, item: Indicator) -> list[Evidence]:
    found: dict[Evidence, None] = {}
    host = case.host
    services = {name.casefold() for name in item.services}
    for section in ("services", "drivers"):
        for record in host.section(section).records:
            if record.name.casefold() in services:
                found[host.evidence(section, record.name, "name", record.name)] = None
            path = getattr(record, "path", None) or record.image_path or ""
            if path and any(_is_file(pattern, path) for pattern in item.files):
                found[host.evidence(section, record.name, "image_path", path)] = None
    keys = {key.casefold() for key in item.keys}
    for record in host.sections.security.records:
        if record.kind == "registry":
            key = record.path.partition("\\")[2].casefold()
            if key in keys:
                found[host.evidence("security", record.path, "path", record.path)] = None
        elif any(_is_file(pattern, record.path) for pattern in item.files):
            found[host.evidence("security", record.path, "path", record.path)] = None
    for task in host.tasks:
        for action in task.actions or ():
            line = action.line or action.command or ""
            if any(_is_file(pattern, line.strip('"').partition('"')[0]) for pattern in item.files):
                found[host.evidence("tasks", task.path or task.name or "", "actions", line)] = None
    return list(found)


def _is_file(pattern: str, path: str) -> bool:
    name = path.strip().strip('"').replace("/", "\\")
    return matches(pattern, name if "\\" in pattern else name.rpartition("\\")[2])


def _attacks(case: Case) -> Iterator[Sign]:
    names, section = ("attack_entries", "attack_several", "dropped_burst"), case.host.sections.firewall
    near, day = _windows(case)
    if not near:
        why = section.reason or (
            "no log of attacks or packets was found that covers the moment" if section.usable else "the firewall was not asked"
        )
        yield from (Sign(id=name, state=None, text=why) for name in names)
        return
    attacks, dropped = sum(r.attacks for r in near), sum(r.dropped for r in near)
    several, least = case.count("attacks_several"), case.count("dropped_least")
    logs = ", ".join(dict.fromkeys(r.source for r in near))
    sources = ", ".join(dict.fromkeys(r.top_source for r in near if r.top_source))
    told = f"{attacks} entries of attacks and {dropped} dropped packets in the minutes before, in {logs}" + (
        f", most from {sources}" if sources else ""
    )
    evidence = tuple(case.host.evidence("firewall", r.source, "attacks" if r.attacks else "dropped", r.attacks or r.dropped) for r in near)
    yield Sign(id=names[0], state=attacks > 0, text=told, evidence=evidence)
    yield Sign(id=names[1], state=attacks >= several, text=told, evidence=evidence)
    usual = max((_rate(r) for r in day), default=0.0)
    burst = dropped >= least and max(_rate(r) for r in near) >= case.count("dropped_times") * usual
    yield Sign(id=names[2], state=burst, text=told, evidence=evidence)


def _windows(case: Case) -> tuple[list[FirewallReading], list[FirewallReading]]:
    """Counts that end about the moment, and those of a day or so."""
    near: list[FirewallReading] = []
    rest: list[FirewallReading] = []
    for reading in case.host.sections.firewall.readings:
        start, end = parse_utc(reading.window_start), parse_utc(reading.window_end)
        if case.moment is None or start is None or end is None:
            continue
        start, end = skewed(case.host, start), skewed(case.host, end)
        fits = start < case.moment <= end and end - start <= case.minutes("attack")
        (near if fits else rest).append(reading)
    return near, rest


def _rate(reading: FirewallReading) -> float:
    """Dropped packets a minute."""
    start, end = parse_utc(reading.window_start), parse_utc(reading.window_end)
    minutes = (end - start).total_seconds() / 60 if start is not None and end is not None else 0
    return reading.dropped / minutes if minutes > 0 else 0.0
