"""What `driverquery` prints (table, list, csv; short, `/v`, `/si`; any language) to drivers. Columns are told by number and place."""

from __future__ import annotations

import re

import msgspec

from auditor.probes.recorded.csvtext import is_quoted_row, plain_head, read_rows, separator_of
from auditor.probes.recorded.layout import cells, cut, is_rule, keeps_gaps, lines_of, rule_columns, split_at_value, value_column
from auditor.probes.recorded.moments import Calendar
from auditor.probes.recorded.outcome import Fault, Outcome
from auditor.probes.recorded.words import failure_line

_SHORT = ("name", "display_name", "type", "link_date")
_VERBOSE = (
    "name", "display_name", "description", "type", "start_mode", "state", "status", "accept_stop", "accept_pause",
    "paged_pool_bytes", "code_bytes", "bss_bytes", "link_date", "path", "init_bytes",
)  # fmt: skip
_SIGNED = ("name", "inf", "signed", "manufacturer")
_NUMBERS = ("paged_pool_bytes", "code_bytes", "bss_bytes", "init_bytes")
_FLAGS = ("accept_stop", "accept_pause", "signed")


class DriverRow(msgspec.Struct, frozen=True, kw_only=True):
    """A driver as listed. Words (type, state, ...) are as printed, in the host's language."""

    name: str
    display_name: str | None = None
    display_name_truncated: bool = False
    """Whether the table cut it at the width of its column."""
    description: str | None = None
    type: str | None = None
    start_mode: str | None = None
    state: str | None = None
    status: str | None = None
    accept_stop: bool | None = None
    accept_pause: bool | None = None
    paged_pool_bytes: int | None = None
    code_bytes: int | None = None
    bss_bytes: int | None = None
    init_bytes: int | None = None
    link_date: str | None = None
    """As printed; a hash in disguise for reproducible builds."""
    link_time: str | None = None
    """The same as local ISO 8601, where it can be read in one way."""
    path: str | None = None
    inf: str | None = None
    signed: bool | None = None
    manufacturer: str | None = None


Named = dict[str, str]


def read_drivers(text: str) -> Outcome[DriverRow]:
    """All rows of one output, whatever its format."""
    lines = lines_of(text)
    outcome: Outcome[DriverRow] = Outcome()
    if (quoted := next((i for i, line in enumerate(lines[:200]) if is_quoted_row(line)), None)) is not None:
        rows = _csv(lines, quoted, separator_of(lines[quoted]), outcome)
    elif (head := plain_head(lines, (len(_SHORT), len(_VERBOSE)))) is not None:
        rows = _csv(lines, *head, outcome)
    elif any(is_rule(line) for line in lines):
        rows = _table(lines, outcome)
    else:
        rows = _list(lines)
    calendar = Calendar(row.get("link_date", "") for row, _ in rows)
    outcome.records = [_driver(row, calendar, truncated=truncated) for row, truncated in rows]
    if not outcome.rows:
        said = next((line.strip() for line in lines if failure_line(line)), None) or next(
            (line.strip() for line in lines if line.strip()), ""
        )
        outcome.faults.append(Fault(place="line 1", message=f"no driver in what stands there: {said[:300]}"))
    return outcome


def _driver(row: Named, calendar: Calendar, *, truncated: bool) -> DriverRow:
    numbers = {n: int(d) if (d := re.sub(r"\D", "", row[n])) else None for n in _NUMBERS if n in row}
    flags = {n: {"true": True, "false": False}.get(row[n].casefold()) for n in _FLAGS if n in row}
    texts = {n: v or None for n, v in row.items() if n not in (*_NUMBERS, *_FLAGS, "name")}
    link_time = calendar.moment(row.get("link_date", ""))
    return msgspec.convert(
        {"name": row["name"], "display_name_truncated": truncated, "link_time": link_time, **texts, **numbers, **flags}, DriverRow
    )


def _layout(count: int, samples: list[list[str]]) -> tuple[str, ...] | None:
    if count == len(_VERBOSE):
        return _VERBOSE
    if count != len(_SHORT):
        return None
    signed = samples and all(len(s) > 2 and s[2].casefold() in ("true", "false") for s in samples)
    return _SIGNED if signed else _SHORT


def _table(lines: list[str], outcome: Outcome[DriverRow]) -> list[tuple[Named, bool]]:
    """The rows of all tables of a text, one below the other."""
    rules = [i for i, line in enumerate(lines) if is_rule(line)]
    ends = [*(at - 1 for at in rules[1:]), len(lines)]
    return [row for at, end in zip(rules, ends, strict=True) for row in _one_table(lines[:end], at, outcome)]


def _one_table(lines: list[str], at: int, outcome: Outcome[DriverRow]) -> list[tuple[Named, bool]]:
    columns = rule_columns(cells(lines[at]))
    body = [(n, line) for n, line in enumerate(lines[at + 1 :], at + 2)]
    samples = [line for _, line in body[:20] if line.strip() and not line.startswith("  ") and keeps_gaps(line, columns)]
    layout = _layout(len(columns), [cut(line, columns) for line in samples[:5]])
    if layout is None:
        outcome.faults.append(Fault(place=f"line {at + 1}", message=f"a table of {len(columns)} columns is not driverquery's"))
        return []
    rows: list[tuple[Named, bool]] = []
    for index, (number, line) in enumerate(body):
        if not line.strip() or not keeps_gaps(line, columns):
            continue
        if line.startswith("  ") and layout is not _SIGNED:
            _spilled(rows, layout, line)
            continue
        following = body[index + 1][1] if index + 1 < len(body) else None
        if sum(1 for value in cut(line, columns) if value) < 2:
            continue
        if _was_cut(line, columns, following):
            outcome.faults.append(Fault(place=f"line {number}", message=f"the row was cut: {line.strip()[:80]}"))
            continue
        values = dict(zip(layout, cut(line, columns), strict=True))
        width = columns[1][1] - columns[1][0]
        rows.append((values, len(cells(values["display_name"])) >= width if "display_name" in values else False))
    return rows


def _was_cut(line: str, columns: list[tuple[int, int]], following: str | None) -> bool:
    """A row that ends before the last column starts, in its padding or at the text's end: driverquery pads rows to their whole width."""
    wide = cells(line)
    if len(wide) >= columns[-1][0] or (following or "").startswith("  "):
        return False
    return wide.endswith(" ") or following is None


def _spilled(rows: list[tuple[Named, bool]], layout: tuple[str, ...], line: str) -> None:
    """What a console wrapped: the last columns of the row above stand on a line of their own."""
    values = re.split(r"\s{2,}", line.strip())
    if not rows or len(values) > len(layout):
        return
    row, truncated = rows[-1]
    empty = layout[len(layout) - len(values) :]
    if all(not row.get(name) for name in empty):
        rows[-1] = ({**row, **dict(zip(empty, values, strict=True))}, truncated)


def _csv(lines: list[str], head: int, separator: str, outcome: Outcome[DriverRow]) -> list[tuple[Named, bool]]:
    records: list[tuple[int, list[str]]] = []
    for number, record in read_rows(lines, head, separator):
        if record is None:
            outcome.faults.append(Fault(place=f"line {number}", message="a row whose quotes do not close"))
        elif len(record) > 1:  # a prompt below the output is no row
            records.append((number, record))
    if not records:
        outcome.faults.append(Fault(place=f"line {head + 1}", message="0 columns are not driverquery's"))
    return [row for listing in _listings(records) for row in _one_csv(listing, outcome)]


def _listings(records: list[tuple[int, list[str]]]) -> list[list[tuple[int, list[str]]]]:
    """The rows of each output where several stand below one another: each begins with its head."""
    listings: list[list[tuple[int, list[str]]]] = []
    for index, (number, record) in enumerate(records):
        following = records[index + 1][1] if index + 1 < len(records) else []
        if not listings or (_is_head(record) and len(following) == len(record)):
            listings.append([])
        listings[-1].append((number, record))
    return listings


def _is_head(record: list[str]) -> bool:
    """Whether a row is a head: words in each cell. A driver has a date, a number, a path or a flag, or lacks its date."""
    return not _is_row(record) and all(value.strip() for value in record)


def _one_csv(records: list[tuple[int, list[str]]], outcome: Outcome[DriverRow]) -> list[tuple[Named, bool]]:
    width = max(len(r) for _, r in records)
    layout = _layout(width, [r for _, r in records[1:6]])
    if layout is None:
        outcome.faults.append(Fault(place=f"line {records[0][0]}", message=f"{width} columns are not driverquery's"))
        return []
    rows: list[tuple[Named, bool]] = []
    for index, (number, record) in enumerate(records):
        if index == 0 and _is_head(record):
            continue
        if len(record) != width or not record[0]:
            outcome.faults.append(Fault(place=f"line {number}", message=f"{len(record)} of {width} columns: the row was cut"))
        else:
            rows.append((dict(zip(layout, (v.strip() for v in record), strict=True)), False))
    return rows


def _is_row(record: list[str]) -> bool:
    """Whether a first row is data (`/nh`): it has a date, a number or a path."""
    return any(re.search(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|^[\d.,\s]+$|^[A-Za-z]:\\|^(?:TRUE|FALSE)$", v) for v in record[1:])


def _list(lines: list[str]) -> list[tuple[Named, bool]]:
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    rows: list[tuple[Named, bool]] = []
    for block in blocks:
        column = value_column(block)
        pairs = [p for line in block if column > 0 and (p := split_at_value(line, column)) is not None]
        layout = _layout(len(pairs), [[p[1] for p in pairs]])
        if layout and pairs[0][1]:
            rows.append((dict(zip(layout, (p[1] for p in pairs), strict=True)), False))
    return rows
