"""The timeline as inline SVG: a row for each kind of thing, a mark for each entry, a line at the moment. No script; colours from the page.

What carries meaning is never colour alone: what was only due by a schedule is hollow, other hosts' entries are diamonds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from auditor.model.hypothesis import LANES, Entry, Investigation
from auditor.report.text import clip, safe_text

WIDTH, LEFT, RIGHT, ROW, TOP, FOOT = 1040, 96, 16, 30, 26, 30
_WORDS = {
    "crash": "restart", "logon": "logons", "job": "jobs", "security": "protection", "service": "services", "disk": "disk",
    "network": "network", "change": "changes", "other": "other",
}  # fmt: skip
_STEPS = (60, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_TICKS = 10


def timeline_svg(found: Investigation) -> Markup:
    """The picture as an `<svg>` element; nothing where there is no moment or nothing dated."""
    if found.moment is None or not found.timeline:
        return Markup("")
    moment = _seconds(found.moment.time)
    times = [_seconds(entry.time) for entry in found.timeline]
    scale = _Scale(min(*times, moment), max(*times, moment))
    lanes = [lane for lane in LANES if any(entry.lane == lane for entry in found.timeline)]
    height = TOP + ROW * len(lanes) + FOOT
    parts = [_rows(lanes), _ticks(scale, height), _line(scale.x(moment), height)]
    parts += [_mark(entry, scale.x(_seconds(entry.time)), lanes.index(entry.lane), found.host) for entry in found.timeline]
    title = f"Timeline of {len(found.timeline)} entries around {found.moment.time}; the table below lists them."
    head = Markup('<svg class="timeline" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">')
    return head.format(title, WIDTH, height, WIDTH, height) + Markup("").join(parts) + Markup("</svg>")


class _Scale:
    """Seconds to pixels."""

    def __init__(self, first: float, last: float) -> None:
        room = max(last - first, 60.0) * 0.03
        self.first, self.last = first - room, last + room

    def x(self, seconds: float) -> float:
        return round(LEFT + (seconds - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT), 1)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _rows(lanes: Sequence[str]) -> Markup:
    row = Markup('<text class="lane" x="{}" y="{}">{}</text><line class="row" x1="{}" y1="{}" x2="{}" y2="{}"/>')
    return Markup("").join(row.format(4, _y(i) + 4, _WORDS[lane], LEFT, _y(i), WIDTH - RIGHT, _y(i)) for i, lane in enumerate(lanes))


def _y(lane: int) -> int:
    return TOP + ROW * lane + ROW // 2


def _ticks(scale: _Scale, height: int) -> Markup:
    span = scale.last - scale.first
    step = next((step for step in _STEPS if span / step <= _MOST_TICKS), 86400 * max(1, int(span // (86400 * _MOST_TICKS)) + 1))
    tick = Markup('<line class="tick" x1="{}" y1="{}" x2="{}" y2="{}"/><text class="time" x="{}" y="{}">{}</text>')
    parts: list[Markup] = []
    at = (int(scale.first) // step + 1) * step
    while at < scale.last:
        words = datetime.fromtimestamp(at, UTC).strftime("%H:%M" if step < 86400 else "%m-%d")
        x = scale.x(at)
        parts.append(tick.format(x, TOP - 4, x, height - FOOT + 4, x, height - 10, words))
        at += step
    return Markup("").join(parts)


def _line(x: float, height: int) -> Markup:
    return Markup('<line class="moment" x1="{0}" y1="6" x2="{0}" y2="{1}"/><text class="moment" x="{2}" y="14">it fell</text>').format(
        x, height - FOOT + 4, x - 4
    )


def _mark(entry: Entry, x: float, lane: int, host: str) -> Markup:
    """Own entries round, those of other hosts as diamonds; hollow where only a schedule says so."""
    y = _y(lane)
    kind = f"mark {entry.lane}" + (" due" if entry.planned else "")
    words = f"{entry.time} {safe_text(entry.host)}: {clip(safe_text(entry.text), 160)}" + (" (due by schedule)" if entry.planned else "")
    if entry.host == host:
        return Markup('<circle class="{}" cx="{}" cy="{}" r="5"><title>{}</title></circle>').format(kind, x, y, words)
    points = f"{x},{y - 6} {x + 6},{y} {x},{y + 6} {x - 6},{y}"
    return Markup('<polygon class="{}" points="{}"><title>{}</title></polygon>').format(kind, points, words)
