"""What `schtasks /query` prints (CSV, LIST, TABLE, short and verbose, 2003 to Windows 11, any language) to `ScheduledTask`.

Rules of this file:
1. Columns are told by their number and their shape, never by a translated name alone. English names count as a second sign.
   Where a column can't be known, it is unknown.
2. One task printed once for each trigger is one task; each further row is counted as merged.
3. Text that stands around the output (prompts, messages) is left out; a row that was cut is a fault with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from auditor.model.task import ScheduledTask
from auditor.probes.recorded.csvtext import is_quoted_row, plain_head, read_row, separator_of
from auditor.probes.recorded.layout import cells, cut, is_rule, keeps_gaps, lines_of, rule_columns, split_at_value, value_column
from auditor.probes.recorded.moments import Calendar
from auditor.probes.recorded.outcome import Fault, Outcome
from auditor.probes.recorded.pstable import read_table, without_dots
from auditor.probes.recorded.words import failure_line
from auditor.probes.tasks.rows import ENGLISH, LIST_SHORT, TABLE_SHORT, VERBOSE_2003, VERBOSE_VISTA, Row, build_task, merge_tasks

_LABEL = re.compile(r"\s*\S[^:]{0,200}?:(?:\s|$)")
_FOLDER = re.compile(r"\s*[^\s:\\][^:\\]{0,40}:\s?(\\.*)")
_MESSAGE = re.compile(r"\w{2,20}: \S")
_WIDTHS = (len(TABLE_SHORT), len(LIST_SHORT), len(VERBOSE_2003), len(VERBOSE_VISTA))
_WHOLE_NUMBER = re.compile(r"-?\d{1,10}")


def read_schtasks(text: str) -> Outcome[ScheduledTask]:
    """All tasks of one output, in the order of their first row. Never raises."""
    lines = lines_of(text)
    rows: list[Row] = []
    faults: list[Fault] = []
    for item in _rows(lines):
        if isinstance(item, Fault):
            faults.append(item)
        elif any(item.values.values()):
            rows.append(item)
        else:
            faults.append(Fault(place=f"line {item.line}", message="none of the row's columns can be told"))
    outcome: Outcome[ScheduledTask] = Outcome(faults=faults)
    calendar = Calendar(value for row in rows for value in row.values.values())
    outcome.records, outcome.merged = merge_tasks([build_task(row, calendar) for row in rows])
    if not rows and not faults:
        _explain_nothing(lines, outcome)
    return outcome


def _explain_nothing(lines: Sequence[str], outcome: Outcome[ScheduledTask]) -> None:
    """Failures that the tool itself tells are faults; a listing without tasks is none."""
    for number, line in enumerate(lines, 1):
        if failure_line(line):
            outcome.faults.append(Fault(place=f"line {number}", message=line.strip()[:300]))
    written = [line for line in lines if line.strip()]
    # "INFO: There are no scheduled tasks ..." alone, or heads of tables without a row, say that there is none.
    none = any(is_rule(line) and "=" in line for line in written) or (len(written) < 4 and any(_MESSAGE.match(line) for line in written))
    if not outcome.faults and not none:
        first = written[0].strip()[:120] if written else ""
        outcome.faults.append(Fault(place="line 1", message=f"nothing that schtasks prints: {first}"))


def _rows(lines: Sequence[str]) -> Iterator[Row | Fault]:
    at, folder = 0, None
    if (plain := plain_head(lines, _WIDTHS)) is not None and _english_layout(lines[plain[0]].split(plain[1])):
        yield from _csv_rows(lines, *plain)[1]
        return
    while at < len(lines):
        line = lines[at]
        if is_quoted_row(line):
            count, items = _csv_rows(lines, at, separator_of(line))
            yield from items
            at += count
        elif is_rule(line) and "=" in line:
            count, rows = _table_rows(lines, at, folder)
            yield from rows
            at += count
        elif at and is_rule(line) and "taskname" in lines[at - 1].casefold():
            count, rows = _module_rows(lines, at)
            yield from rows
            at += count
        elif (match := _FOLDER.fullmatch(line)) and not _padded(line):
            folder = match.group(1).strip()
            at += 1
        elif _LABEL.match(line):
            count, rows = _list_rows(lines, at, folder)
            yield from rows
            at += count
        else:
            at += 1


def _padded(line: str) -> bool:
    return bool(re.match(r"[^:]*:\s{2,}", line))


def _table_rows(lines: Sequence[str], at: int, folder: str | None) -> tuple[int, list[Row]]:
    """The rows below a rule line, up to a line that is none."""
    columns = rule_columns(cells(lines[at]))
    layout = TABLE_SHORT if len(columns) == 3 else _english_layout(cut(lines[at - 1], columns)) if at else None
    rows: list[Row] = []
    count = 1
    for number, line in enumerate(lines[at + 1 :], at + 2):
        if not line.strip():
            break
        count += 1
        values = cut(line, columns)
        if not keeps_gaps(line, columns) or ":" in values[0]:
            continue
        chosen = layout or _layout(len(columns), [values])
        width = columns[0][1] - columns[0][0]
        truncated = layout is TABLE_SHORT and len(cells(values[0])) >= width - 1
        row = Row(line=number, form="schtasks_table", folder=folder, truncated=truncated, values=_named(chosen, values))
        rows.append(row)
    return count, rows


def _module_rows(lines: Sequence[str], at: int) -> tuple[int, list[Row]]:
    """The table of Get-ScheduledTask, up to a blank line."""
    end = next((i for i in range(at + 1, len(lines)) if not lines[i].strip()), len(lines))
    rows: list[Row] = []
    for read in read_table(lines[:end], at):
        values = {ENGLISH[k]: v for k, v in read.values.items() if k in ENGLISH}
        rows.append(Row(line=read.line, form="schtasks_table", truncated=without_dots(values.get("name", ""))[1], values=values))
    return end - at, rows


def _list_rows(lines: Sequence[str], at: int, folder: str | None) -> tuple[int, list[Row]]:
    """The padded `label: value` lines from here on; each time the first label comes again, another row starts."""
    end = at
    while end < len(lines) and _LABEL.match(lines[end]) and not _is_folder(lines[end]):
        end += 1
    block = lines[at:end]
    column = value_column(list(block))
    if column < 0 or len(block) < 3:
        return end - at, []
    rows: list[Row] = []
    current: list[tuple[str, str]] = []
    for offset, line in enumerate(block):
        pair = split_at_value(line, column)
        if pair is None:
            continue
        if current and pair[0] == current[0][0]:
            rows.append(_list_row(current, at + offset - len(current) + 1, folder))
            current = []
        current.append(pair)
    if len(current) >= 3:
        rows.append(_list_row(current, end - len(current) + 1, folder))
    # A last label that was cut ("Repeat: St") stands right below and belongs to the row.
    return end - at, rows


def _is_folder(line: str) -> bool:
    return bool(_FOLDER.fullmatch(line)) and not _padded(line)


def _list_row(pairs: list[tuple[str, str]], line: int, folder: str | None) -> Row:
    labels, values = [p[0] for p in pairs], [p[1] for p in pairs]
    named = _by_english(labels, values)
    if named is None:
        named = _named(LIST_SHORT if len(values) <= 5 else _layout(len(values), [values]), values)
    return Row(line=line, form="schtasks_list", folder=folder, values=named)


def _csv_rows(lines: Sequence[str], at: int, separator: str) -> tuple[int, list[Row | Fault]]:
    """All CSV rows from here on; repeated head lines (one a folder) are left out, cut rows are faults."""
    records: list[tuple[int, list[str]]] = []
    faults: list[Row | Fault] = []
    count = at
    quoted = is_quoted_row(lines[at])
    while count < len(lines) and (lines[count].startswith('"') or not lines[count].strip() or (not quoted and separator in lines[count])):
        taken, record = read_row(lines, count, separator)
        if record is None:
            faults.append(Fault(place=f"line {count + 1}", message="a row whose quotes do not close"))
        elif record:
            records.append((count + 1, record))
        count += taken
    if not records:
        return max(count - at, 1), faults
    head = None if _is_data(records[0][1]) else records[0][1]
    data = [(n, r) for n, r in records if r != head]
    width = len(head) if head else max(len(r) for _, r in data)
    whole = [r for _, r in data if len(r) == width]
    layout = _english_layout(head) if head else None
    layout = layout or (_layout(width, whole) if width != 3 else TABLE_SHORT)
    for number, record in data:
        if len(record) != width:
            faults.append(Fault(place=f"line {number}", message=f"{len(record)} of {width} columns: the row was cut"))
        else:
            faults.append(Row(line=number, form="schtasks_csv", folder=None, values=_named(layout, record)))
    return count - at, faults


def _is_data(record: list[str]) -> bool:
    """Whether a first row is already a task (`/nh`): its last result is a number, or its name a path."""
    return any(_WHOLE_NUMBER.fullmatch(v) for v in record[5:8]) or any(v.startswith("\\") for v in record[:2])


def _english_layout(head: Sequence[str]) -> tuple[str | None, ...] | None:
    found = tuple(ENGLISH.get(name.strip().casefold()) for name in head)
    return found if sum(1 for f in found if f) * 2 > len(found) else None


def _by_english(labels: Sequence[str], values: Sequence[str]) -> dict[str, str] | None:
    layout = _english_layout(labels)
    return _named(layout, values) if layout else None


def _layout(count: int, rows: Sequence[Sequence[str]]) -> tuple[str | None, ...]:
    """The columns of a verbose listing by their number and the shape of what stands in them."""
    folders = sum(1 for r in rows if len(r) > 1 and r[1].startswith("\\"))
    vista = bool(rows) and folders * 2 > len(rows)
    layout = VERBOSE_VISTA if vista else VERBOSE_2003
    # Records of the store have these columns without what moves.
    numbers = sum(1 for r in rows if len(r) > 6 and (_WHOLE_NUMBER.fullmatch(r[6]) or r[3:4] == r[5:6] == [""] == r[6:7]))
    if 7 <= count <= len(layout) and numbers == len(rows) and (vista or count == len(layout)):
        return layout[:count]
    return _by_shape(count, rows)


def _by_shape(count: int, rows: Sequence[Sequence[str]]) -> tuple[str | None, ...]:
    """Only what shows by itself: a path that starts with a backslash in every row is the task's."""
    names = [i for i in range(count) if rows and all(len(r) > i and r[i].startswith("\\") and not r[i].startswith("\\\\") for r in rows)]
    return tuple("name" if [i] == names[:1] else None for i in range(count))


def _named(layout: Sequence[str | None] | None, values: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in zip(layout or (), values, strict=False) if name}


def looks_like_schtasks(text: str) -> bool:
    """Whether a text holds a row that schtasks prints."""
    return any(isinstance(item, Row) for item in _rows(lines_of(text[:262144])))
