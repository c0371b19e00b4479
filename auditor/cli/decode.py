"""`auditor decode`: outputs that people already have, read as the auditor reads a host's answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.flags import Everywhere, verb
from auditor.cli.say import Outputs, width

if TYPE_CHECKING:
    from auditor.decode import Decoded, DecodedError

COLUMNS = 6
"""So many fields of a record fit into the table; the JSON has them all."""


class Kind(click.ParamType[str]):
    """A kind of output; the kinds are looked up when one is given."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The kind itself. Fails with the kinds that there are."""
        from auditor.decode import KINDS

        if value not in KINDS:
            self.fail(f"{value!r} is none of {', '.join(KINDS)}", param, ctx)
        return value


@verb(
    "decode",
    click.Argument(["kind"], type=Kind(), metavar="KIND"),
    click.Argument(["files"], nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."),
)
def decode(every: Everywhere, kind: str, files: tuple[Path, ...]) -> int:
    """Read outputs that you already have: scheduled tasks, command lines, registry exports, listings of drivers, filters and services.

    KIND is tasks, commands, registry, drivers, filters, services, defender, securitycenter or wmi. What the files hold is found out by
    looking. Exits with 0 where all was read, 3 where some was not, 1 where nothing was.
    """
    from auditor.decode import decode as read
    from auditor.decode import read_sources
    from auditor.report.json_ import json_text

    outputs = Outputs.plan(every, ("table", "json"))
    document = read(kind, read_sources(files))
    outputs.emit({"table": lambda: _table(document), "json": lambda: json_text(document)})
    outputs.say_files()
    if document.errors:
        return 3 if document.records else 1
    return 0 if document.rows_in else 1


def _table(document: Decoded) -> str:
    from auditor.report.grid import grid
    from auditor.report.text import clip, safe_text

    heads = _columns(document.records)
    rows = [[safe_text(clip(_short(record.get(head)), 200)) for head in heads] for record in document.records]
    parts = [grid(heads, rows, width=width())] if heads else []
    if document.errors:
        parts.append("NOT READ\n" + "\n".join(f"- {safe_text(_error(e))}" for e in document.errors))
    counts = f"{document.rows_in} rows: {len(document.records)} records, {document.merged} merged, {document.skipped} skipped"
    return "\n\n".join([*parts, f"{counts}, {len(document.errors)} errors"]) + "\n"


def _error(error: DecodedError) -> str:
    return ": ".join(part for part in (error.file, error.place, error.message) if part)


def _columns(records: list[dict[str, Any]]) -> list[str]:
    """The first fields that any record fills."""
    filled = dict.fromkeys(
        name for record in records for name, value in record.items() if value not in (None, [], "", {}) and name != "file"
    )
    return list(filled)[:COLUMNS]


def _short(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return " ".join(f"{name}={_short(inner)}" for name, inner in value.items() if inner not in (None, [], "", {}))
    if isinstance(value, list):
        return ", ".join(_short(inner) for inner in value)
    return "" if value is None else str(value)
