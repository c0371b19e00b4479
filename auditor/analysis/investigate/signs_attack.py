"""Signs of malware and attack: known traces on the host, and what its firewall or intrusion log counted before the moment. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.analysis.investigate.case import Case
from auditor.analysis.investigate.zone import parse_utc
from auditor.model.crash_knowledge import Indicator
from auditor.model.finding import Evidence
from auditor.model.hypothesis import Sign
from auditor.model.pattern import matches

_SHOWN = 6


def attack_signs(case: Case) -> Iterator[Sign]:
    """Malware and attack."""
    yield from _indicators(case)
    yield _attacks(case)


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


def _attacks(case: Case) -> Sign:
    name, section = "attack_entries", case.host.sections.firewall
    if case.moment is None:
        return Sign(id=name, state=None, text="when it happened is not known")
    window = case.minutes("attack")
    counts = [
        r for r in section.readings
        if (start := parse_utc(r.window_start)) is not None and (end := parse_utc(r.window_end)) is not None
        and start < case.moment and end >= case.moment - window
    ]  # fmt: skip
    if any(reading.attacks for reading in counts):
        hits = [reading for reading in counts if reading.attacks]
        text = "; ".join(f"{r.attacks} attacks in {r.source}" + (f", most from {r.top_source}" if r.top_source else "") for r in hits)
        evidence = tuple(case.host.evidence("firewall", r.source, "attacks", r.attacks) for r in hits)
        return Sign(id=name, state=True, text=f"the host's own log of attacks before the moment: {text}", evidence=evidence)
    if counts:
        evidence = tuple(case.host.evidence("firewall", r.source, "attacks", r.attacks) for r in counts)
        dropped = sum(reading.dropped for reading in counts)
        return Sign(
            id=name, state=False, text=f"no attack in the firewall's logs before the moment ({dropped} dropped packets)", evidence=evidence
        )
    why = section.reason or (
        "no firewall or intrusion log was found on the host" if section.usable else "the firewall's logs were not asked for"
    )
    return Sign(id=name, state=None, text=why)
