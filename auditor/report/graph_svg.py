"""The findings' part of the graph as inline SVG: boxes, curved lines with their kinds, no script. Colours come from the page's style.

What carries meaning is never colour alone: a finding's line is thick, a destructive one is dashed and says so, an unresolved name
has a dotted frame, a group is round.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence

from markupsafe import Markup

from auditor.model.finding import Report
from auditor.report.graph_layout import Box, Layout, Point, lay_out
from auditor.report.graph_pick import DELETES, Node, Picture, Tie, pick
from auditor.report.text import clip, safe_text

CHARACTER = 6.6
"""Mean width in pixels of a character at 12 px."""
LINE = 14.0
BOX_HEIGHT = 34.0
WORDS_LIMIT = 26
LABEL_LIMIT = 24
_ALONG = (0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78)

Rectangle = tuple[float, float, float, float]


def graph_svg(report: Report) -> Markup:
    """The picture as an `<svg>` element, or nothing where no finding's host has a tie."""
    picture = pick(report)
    if not picture.ties:
        return Markup("")
    layout = lay_out(_sizes(picture), {(t.source, t.target): max(1, len(t.labels)) for t in picture.ties}, _gap(picture))
    taken = [_rectangle(box) for box in layout.boxes.values()]
    lines = [_line(tie, layout.lines[tie.source, tie.target]) for tie in sorted(picture.ties, key=lambda t: t.in_finding)]
    labels = [_label(tie, layout.lines[tie.source, tie.target], taken) for tie in sorted(picture.ties, key=lambda t: not t.in_finding)]
    boxes = [_box(node, layout.boxes[node.key]) for node in picture.nodes]
    title = f"Graph of {len(picture.nodes)} nodes and {len(picture.ties)} ties around the findings; the tables list the ties."
    return _svg(layout, title, Markup("").join([*lines, *boxes, *labels]))


def _svg(layout: Layout, title: str, content: Markup) -> Markup:
    width, height = round(layout.width), round(layout.height)
    marker = Markup(
        '<marker id="{}" class="{}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0.5 L8 4 L0 7.5 z"/></marker>'
    )
    markers = Markup("").join(marker.format(f"tip-{name}", f"tip {name}") for name in ("plain", "finding", "destructive"))
    head = Markup('<svg class="graph" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}"><defs>{}</defs>')
    return head.format(title, width, height, width, height, markers) + content + Markup("</svg>")


def _sizes(picture: Picture) -> dict[str, tuple[float, float]]:
    ports: dict[str, int] = {}
    for tie in picture.ties:
        rows = max(1, len(tie.labels))
        ports[tie.source] = ports.get(tie.source, 0) + rows
        ports[tie.target] = ports.get(tie.target, 0) + rows
    return {node.key: (max(84.0, _width(_words(node)) + 28), _height(ports.get(node.key, 0))) for node in picture.nodes}


def _height(rows: int) -> float:
    return min(max(BOX_HEIGHT, LINE * rows), 150.0)


def _gap(picture: Picture) -> float:
    """Room between layers for the longest label."""
    return min(max((_width(clip(text, LABEL_LIMIT)) for tie in picture.ties for text in tie.labels), default=0.0) + 56, 240.0)


def _width(text: str) -> float:
    return sum(12.0 if unicodedata.east_asian_width(c) in ("W", "F") else CHARACTER for c in text)


def _words(node: Node) -> str:
    return _short(safe_text(node.words), WORDS_LIMIT)


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _box(node: Node, box: Box) -> Markup:
    x, y = box.x - box.width / 2, box.y - box.height / 2
    kind = f"node {node.kind}" + (f" {node.severity}" if node.severity else "")
    full = "\n".join(safe_text(m) for m in node.members) or safe_text(node.words)
    note = f" — {node.severity}" if node.severity else ""
    radius = min(box.height / 2, 17.0) if node.kind == "group" else 4.0
    shape = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="{:.1f}"/>').format(x, y, box.width, box.height, radius)
    text = Markup('<text x="{:.1f}" y="{:.1f}">{}</text>').format(box.x, box.y + 4, _words(node))
    return Markup('<g class="{}"><title>{}{}</title>{}{}</g>').format(kind, full, note, shape, text)


def _line(tie: Tie, points: Sequence[Point]) -> Markup:
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x1, y1), (x2, y2) in itertools.pairwise(points):
        bend = (x2 - x1) / 2
        path += f" C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    tip = "destructive" if tie.destructive else "finding" if tie.in_finding else "plain"
    classes = "tie" + (" finding" if tie.in_finding else "") + (" destructive" if tie.destructive else "")
    words = safe_text(f"{tie.source.partition(':')[2]} → {tie.target.partition(':')[2]}: {', '.join(tie.labels)}")
    return Markup('<path class="{}" d="{}" marker-end="url(#tip-{})"><title>{}</title></path>').format(classes, path, tip, words)


def _label(tie: Tie, points: Sequence[Point], taken: list[Rectangle]) -> Markup:
    """The kinds of a tie on its line, at the first place that is free; nothing where there is none (the line's title has them)."""
    rows = [_short(safe_text(text), LABEL_LIMIT) for text in tie.labels]
    width, height = max(_width(r) for r in rows) * 0.92, LINE * len(rows)
    for start, end in _by_length(points):
        for along in _ALONG:
            x, y = _on_curve(start, end, along)
            place = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            if not any(_overlap(place, other) for other in taken):
                taken.append(place)
                return _label_text(tie, rows, x, y - height / 2 + 11)
    return Markup("")


def _label_text(tie: Tie, rows: Sequence[str], x: float, y: float) -> Markup:
    span = Markup('<tspan x="{:.1f}" y="{:.1f}" class="{}">{}</tspan>')
    rows_marked = [(row, "destructive" if DELETES in full else "plain") for row, full in zip(rows, tie.labels, strict=True)]
    spans = Markup("").join(span.format(x, y + i * LINE, mark, row) for i, (row, mark) in enumerate(rows_marked))
    classes = "label finding" if tie.in_finding else "label"
    return Markup('<text class="{}">{}</text>').format(classes, spans)


def _by_length(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    return sorted(itertools.pairwise(points), key=lambda pair: -abs(pair[1][0] - pair[0][0]))


def _on_curve(start: Point, end: Point, along: float) -> Point:
    """A point of the curve that `_line` draws: its ends are level, its handles half-way."""
    (x1, y1), (x2, y2), back = start, end, 1 - along
    middle = (x1 + x2) / 2
    x = back**3 * x1 + 3 * back**2 * along * middle + 3 * back * along**2 * middle + along**3 * x2
    return x, (back**3 + 3 * back**2 * along) * y1 + (3 * back * along**2 + along**3) * y2


def _rectangle(box: Box) -> Rectangle:
    return box.x - box.width / 2, box.y - box.height / 2, box.x + box.width / 2, box.y + box.height / 2


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
