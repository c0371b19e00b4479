"""What depends on something, told as text. Pure; every host's text is made safe."""

from __future__ import annotations

import textwrap

from auditor.model.whatif import Hop, Impact, Reach
from auditor.report.grid import grid
from auditor.report.text import clip, safe_text
from auditor.report.wording import node_words, plural

SHOWN = 200
VALUE_LIMIT = 120


def render_text(found: Impact, *, width: int = 120) -> str:
    """The impact as text, ending in a line feed."""
    parts = [f"IMPACT of the {found.kind} {safe_text(found.subject)}\n{_sentence(found)}"]
    if found.kind != "host":
        rows = [
            [safe_text(e.host), safe_text(clip(e.value or "-", VALUE_LIMIT)), safe_text(f"{e.section}: {e.record}")] for e in found.holders
        ]
        parts.append(
            "WHERE IT IS\n" + grid(("Host", "What", "Evidence"), rows[:SHOWN], width=width)
            if rows
            else "WHERE IT IS\nnowhere that was seen"
        )
    if found.local:
        lines = [
            f"- {safe_text(e.host)}: {safe_text(e.section)}: {safe_text(e.record)}: {safe_text(e.field)} {safe_text(e.value)}"
            for e in found.local
        ]
        parts.append("WHAT NEEDS IT THERE\n" + "\n".join(lines[:SHOWN]))
    if found.reached:
        rows = [[safe_text(node_words(r.node)), str(r.distance), path_words(r)] for r in found.reached[:SHOWN]]
        more = f"\n... and {len(found.reached) - SHOWN} more: see the JSON document." if len(found.reached) > SHOWN else ""
        parts.append("WHO DEPENDS ON IT\n" + grid(("Host", "Steps", "Shortest path"), rows, width=width) + more)
    if found.cycles:
        lines = [f"- {safe_text(' -> '.join((*cycle, cycle[0])))}" for cycle in found.cycles]
        parts.append("CYCLES OF COPY JOBS\n" + "\n".join(lines))
    for head, reasons in (("MAY BE ELSEWHERE TOO", found.unsure), ("WHAT WAS NOT SEEN AND COULD ADD TIES", found.in_doubt)):
        if reasons:
            lines = [
                textwrap.fill(f"- {safe_text(reason)}", width, subsequent_indent="  ", break_on_hyphens=False) for reason in reasons[:SHOWN]
            ]
            parts.append(f"{head}\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _sentence(found: Impact) -> str:
    where = "" if found.kind == "host" else f"on {plural(len({e.host for e in found.holders}), 'host')}; "
    near = sum(reach.distance == 1 for reach in found.reached)
    count = len(found.reached)
    reached = f"{count} depend{'s' if count == 1 else ''} on it, {near} directly" if count else "nothing that was seen depends on it"
    return f"{where}{reached}; {plural(len(found.cycles), 'cycle')} of copy jobs."


def path_words(reach: Reach) -> str:
    """A path as one line: `A manages (product) B copies to C`."""
    if not reach.path:
        return ""
    return safe_text(" ".join([node_words(reach.path[0].near), *map(_hop_words, reach.path)]))


def _hop_words(hop: Hop) -> str:
    return f"{clip(hop.text, VALUE_LIMIT)} {node_words(hop.far)} [{hop.claimant}]"
