"""The grid of what goes with what, for people: as a table of text and as one page of HTML. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files

from markupsafe import Markup

from auditor.model.support import Grid, GridCell, GridRow
from auditor.report.grid import grid as text_grid
from auditor.report.html import content_policy, shown
from auditor.report.text import safe_text

MARKS = {"supported": "yes", "conflicts": "CONFLICT", "unsupported": "no", "unknown": "."}
"""What a cell of the table prints."""
SIGNS = {"supported": "\u2713", "conflicts": "\u2715", "unsupported": "\u2013", "unknown": "\u00b7"}
"""What a cell of a page's wide table shows, where words find no room."""


def grids_table(grids: Sequence[Grid], width: int) -> str:
    """Each grid as a table, and below it what the cells rest on."""
    return "\n".join(_one(found, width) for found in grids)


def _one(found: Grid, width: int) -> str:
    lines = [found.title, "yes supported, no unsupported, CONFLICT conflicts, * depends on the version, . unknown", ""]
    if _wide(found):
        lines += [_list(found, width)]
    else:
        cells = [[safe_text(row.product), *(_mark(cell) for cell in row.cells)] for row in found.rows]
        lines += [text_grid(["Product", *map(safe_text, found.columns)], cells, width=max(width, 40 + 9 * len(found.columns)))]
    lines += ["", *_statements(found), ""]
    return "\n".join(lines)


def _wide(found: Grid) -> bool:
    """Whether a table has more columns than a screen: then the pairs of which something is said are listed."""
    return len(found.columns) > 20


def _list(found: Grid, width: int) -> str:
    rows = [
        [safe_text(row.product), safe_text(column), _mark(cell)]
        for row in found.rows
        for column, cell in zip(found.columns, row.cells, strict=True)
        if cell.answer != "unknown" and (row.product < column or column not in {r.product for r in found.rows})
    ]
    return text_grid(["Product", "Beside", "Answer"], rows, width=width)


def _mark(cell: GridCell) -> str:
    return MARKS[cell.answer] + ("*" if cell.depends else "")


def _statements(found: Grid) -> Iterator[str]:
    seen: set[str] = set()
    for row in found.rows:
        for column, cell in zip(found.columns, row.cells, strict=True):
            for said in cell.statements:
                about = f"{row.product}" if said.rule else f"{row.product} / {column}"
                line = f"{said.says}: {about}: {said.text} ({said.confidence}{'; rule ' + said.rule if said.rule else ''}; {said.source})"
                key = said.rule or f"{row.product}{said.says}{said.text}{said.source}"
                if key not in seen:
                    seen.add(key)
                    yield safe_text(line if not said.rule else line.replace(f"{about}: ", "", 1))


def grids_html(grids: Sequence[Grid], digest: str) -> str:
    """One page with every grid; each cell opens what it rests on. Ends in a line feed."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("auditor.report", "templates"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"pairs": pairs}
    environment.tests["web"] = lambda text: str(text).startswith(("http://", "https://"))
    folder = files("auditor.report").joinpath("templates")
    style = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "grid_matrix.css"))
    page = environment.get_template("grid_matrix.html.j2")
    text = page.render(grids=grids, digest=digest, marks=_page_marks, style=Markup(style), policy=content_policy(style))  # noqa: S704 - our own files
    return text.rstrip("\n") + "\n"


def _page_marks(found: Grid) -> dict[str, str]:
    return SIGNS if _wide(found) else MARKS


def pairs(row: GridRow, found: Grid) -> list[tuple[str, GridCell]]:
    """The columns of a row of which something is said, by name."""
    return [(name, cell) for name, cell in zip(found.names, row.cells, strict=True) if cell.statements]
