"""Bars over runs as inline SVG: no script, no colour that carries meaning alone. Colours come from the page's style.

A bar is one run, its parts are told apart by pattern and order, and each part says in words what it is when it is pointed at. The table
beside a plot holds the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from auditor.report.text import clip, safe_text

HEIGHT = 120.0
BAR_WIDEST, BAR_NARROWEST = 60.0, 3.0
GAP = 0.22
"""Part of a bar's width that stays free beside it."""
LEFT, BOTTOM, TOP = 34.0, 18.0, 8.0
WIDTH = 560.0
KINDS = 8
"""How many looks of parts the style has; the last is for all others."""
LABEL_LIMIT = 60


class Series(NamedTuple):
    """One part of the bars."""

    label: str
    counts: Sequence[int]
    look: str = ""
    """Class of its own in the style; empty takes the next of the plain looks."""


def bars_svg(series: Sequence[Series], ticks: Sequence[str], title: str) -> Markup:
    """Stacked bars, one a tick; nothing where there is nothing to show."""
    totals = [sum(part.counts[place] for part in series) for place in range(len(ticks))]
    most = max(totals, default=0)
    if not most:
        return Markup("")
    step = min(BAR_WIDEST, max(BAR_NARROWEST, (WIDTH - LEFT) / len(ticks)))
    width = LEFT + step * len(ticks) + 4
    parts = [_bar(series, ticks, place, step, most) for place in range(len(ticks))]
    content = _axis(most, width) + Markup("").join(parts) + _ends(ticks, step)
    head = Markup('<svg class="plot" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">')
    height = TOP + HEIGHT + BOTTOM
    return head.format(safe_text(title), _n(width), _n(height), _n(width), _n(height)) + content + Markup("</svg>")


def spark_svg(counts: Sequence[int], ticks: Sequence[str], look: str, title: str) -> Markup:
    """A small row of bars for a table's cell."""
    most = max(counts, default=0) or 1
    step, height = min(9.0, max(2.0, 220.0 / max(len(counts), 1))), 22.0
    parts = []
    for place, count in enumerate(counts):
        tall = 0.0 if not count else max(2.0, (height - 2) * count / most)
        rect = Markup('<rect class="part {}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>')
        where = (_n(place * step), _n(height - max(tall, 0.8)), _n(step * (1 - GAP)), _n(max(tall, 0.8)))
        parts.append(rect.format(look if count else "zero", *where, safe_text(f"{ticks[place]}: {count}")))
    head = Markup('<svg class="spark" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">')
    width = max(step * len(counts), 2)
    return head.format(safe_text(title), _n(width), _n(height), _n(width), _n(height)) + Markup("").join(parts) + Markup("</svg>")


def look_of(series: Sequence[Series], place: int) -> str:
    """The class of a part: its own, or the next plain one."""
    return series[place].look or f"look-{min(place, KINDS - 1)}"


def legend(series: Sequence[Series]) -> Markup:
    """What the parts of the bars are, with the last count of each."""
    item = Markup(
        '<span><svg class="key" viewBox="0 0 12 10" aria-hidden="true"><rect class="part {}" width="12" height="10"/></svg> {} ({})</span>'
    )
    parts = [item.format(look_of(series, n), safe_text(clip(part.label, LABEL_LIMIT)), part.counts[-1]) for n, part in enumerate(series)]
    return Markup('<p class="legend">') + Markup("").join(parts) + Markup("</p>")


def _bar(series: Sequence[Series], ticks: Sequence[str], place: int, step: float, most: int) -> Markup:
    base, parts = TOP + HEIGHT, []
    for number, part in enumerate(series):
        count = part.counts[place]
        if not count:
            continue
        tall = HEIGHT * count / most
        base -= tall
        rect = Markup('<rect class="part {}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>')
        words = safe_text(f"{ticks[place]}: {clip(part.label, LABEL_LIMIT)}: {count}")
        parts.append(rect.format(look_of(series, number), _n(LEFT + place * step), _n(base), _n(step * (1 - GAP)), _n(tall), words))
    return Markup("").join(parts)


def _axis(most: int, width: float) -> Markup:
    lines = []
    for count in sorted({0, most // 2, most}):
        y = TOP + HEIGHT - HEIGHT * count / most
        line = Markup('<path class="grid" d="M{} {}H{}"/><text class="tick" x="{}" y="{}">{}</text>')
        lines.append(line.format(_n(LEFT - 2), _n(y), _n(width), _n(LEFT - 6), _n(y + 4), count))
    return Markup("").join(lines)


def _ends(ticks: Sequence[str], step: float) -> Markup:
    """The first and the last day under the bars."""
    y = _n(TOP + HEIGHT + 14)
    first = Markup('<text class="day" x="{}" y="{}">{}</text>').format(_n(LEFT), y, safe_text(ticks[0][:10]))
    if len(ticks) * step < 120:
        return first
    last = Markup('<text class="day end" x="{}" y="{}">{}</text>').format(_n(LEFT + step * len(ticks)), y, safe_text(ticks[-1][:10]))
    return first + last


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
