"""Crashes over the fleet for people: each wave with first seen, spread, and the hosts that are exposed. Plain text; decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model.hypothesis import Wave, WaveHost, WavesDocument
from auditor.report.grid import grid
from auditor.report.text import safe_text

DEFAULT_WIDTH = 120
HOSTS_SHOWN = 20


def render(document: WavesDocument, *, width: int = DEFAULT_WIDTH) -> str:
    """The document as text, ending in a line feed."""
    if not document.waves:
        parts = [f"No crash is known of {document.hosts} hosts."]
    else:
        parts = [_overview(document, width), *(_wave(number, wave) for number, wave in enumerate(document.waves, 1))]
    parts += ["\n".join(safe_text(note) for note in document.notes)] if document.notes else []
    return "\n\n".join(parts) + "\n"


def _overview(document: WavesDocument, width: int) -> str:
    rows = [
        [str(i), safe_text(w.key), w.first_seen, w.last_seen, str(len(w.hosts)), str(len(w.exposed)), str(len(w.unknown)), w.confidence]
        for i, w in enumerate(document.waves, 1)
    ]
    head = ("No", "Crash", "First seen", "Last seen", "Hosts", "Exposed", "Unknown", "One incident")
    return f"WAVES (a gap of more than {document.window_hours} hours parts them)\n" + grid(head, rows, width=width)


def _wave(number: int, wave: Wave) -> str:
    lines = [f"{number}. {safe_text(wave.key)}", *(f"    {safe_text(reason)}" for reason in wave.reasons)]
    lines += [f"    fell     {safe_text(host.host)}: {', '.join(host.times)}" for host in wave.hosts[:HOSTS_SHOWN]]
    lines += _rest(wave.hosts)
    lines += [f"    exposed  {safe_text(host.host)} runs the same build and has not fallen" for host in wave.exposed[:HOSTS_SHOWN]]
    lines += _rest(wave.exposed)
    if wave.unknown:
        lines.append(f"    unknown  {', '.join(map(safe_text, wave.unknown[:HOSTS_SHOWN]))}: their build was not seen")
    return "\n".join(lines)


def _rest(hosts: Sequence[WaveHost]) -> list[str]:
    return [f"    … and {len(hosts) - HOSTS_SHOWN} more"] if len(hosts) > HOSTS_SHOWN else []
