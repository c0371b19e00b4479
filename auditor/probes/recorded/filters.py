"""What `fltmc filters`, `fltmc instances` and 2003's `fltmc` print, to filters. Columns are told by their number, not by their names."""

from __future__ import annotations

import re

import msgspec

from auditor.probes.recorded.layout import cut, is_rule, keeps_gaps, lines_of, rule_columns
from auditor.probes.recorded.outcome import Fault, Outcome

_LONGEST = 2000
_FOUR = re.compile(r"(\S.{0,255}?)\s{2,}(\d{1,6})\s+(\d{1,10}(?:[.,]\d{1,20})?)\s+(\d{1,4}|<[^<>]+>)\s*")
_THREE = re.compile(r"(\S.{0,255}?)\s{2,}(\d{1,6})\s+(\d{1,4}|<[^<>]+>)\s*")
_LEGACY = re.compile(r"(\S.{0,255}?)\s{2,}(?:(\d{1,6})\s+)?<[^<>]+>\s*")
_OVERFLOWN = re.compile(r"(\S{20,255})(?:\s+(\d{1,6})\s+(\d{1,10}(?:[.,]\d{1,20})?)\s+(\d{1,4}|<[^<>]+>)|\s+(\d{1,6})\s+(\d{1,4}))\s*")
"""A name that reaches beyond its column: one blank is left."""
_LEGACY_TIGHT = re.compile(r"(\S{1,255})\s+<[^<>]+>\s*")
_TIGHT = re.compile(r"(\S{1,255})\s+(\d{1,6})\s+(\d{1,10}(?:[.,]\d{1,20})?)\s+(\d{1,4}|<[^<>]+>)\s*")
"""Rows whose blanks went together, as in a mail or a web page: told only where no other reading fits."""
_VOLUME = re.compile(r"(?:[A-Za-z]:)?\s*(?:\\\\\?\\|\\Device\\|\\\\\.\\)\S*\s+\S.*")
_INSTANCE = re.compile(
    r"(\S+(?: \S+)*)\s{2,}(?:(\S.*?)\s{2,})?(\d{1,10}(?:[.,]\d{1,20})?)\s{2,}(\S.*?)\s{2,}(\d{1,4})(?:\s+[0-9a-fA-F]{8})?(?:\s+\S.*)?"
)
"""A row whose values pushed the columns aside."""


class FilterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A filter, or one of its instances."""

    name: str
    altitude: str | None = None
    """Decimal text, never a float; None for filters from before the filter manager, and on 2003, which does not print it."""
    instances: int | None = None
    frame: int | None = None
    legacy: bool = False
    volume: str | None = None
    """Instances: the volume; None where it has no name."""
    instance: str | None = None
    """Instances: the instance's name."""


def read_filters(text: str) -> Outcome[FilterRow]:
    """All rows of all tables of a text. A failure that fltmc tells (rights) is a fault, not an empty list."""
    outcome: Outcome[FilterRow] = Outcome()
    columns: list[tuple[int, int]] = []
    seen_table = False
    for number, line in enumerate(lines_of(_unquoted(text)), 1):
        if _is_head_rule(line):
            columns = rule_columns(line)
            seen_table = True
        elif not line.strip():
            continue
        elif columns and not _prompt(line):
            _row(outcome, columns, line, number)
        else:
            columns = []
    if outcome.skipped and not outcome.records and not outcome.faults:
        outcome.skipped = 0
        outcome.faults.append(Fault(place="line 1", message="a table of volumes, not of filters"))
    if not seen_table:
        first = next((line.strip() for line in lines_of(text) if re.search(r"0x8[0-9a-fA-F]{7}", line)), None)
        said = first or next((line.strip() for line in lines_of(text) if line.strip()), "")
        outcome.faults.append(Fault(place="line 1", message=f"no table of filters: {said[:300]}"))
    return outcome


def _unquoted(text: str) -> str:
    """The text without tabs, and without the marks that a mail puts before each line."""
    lines = [line.expandtabs() for line in lines_of(text)]
    quoted = all(line.startswith(">") for line in lines if line.strip())
    return "\n".join(line.lstrip("> ") if quoted else line for line in lines)


def _is_head_rule(line: str) -> bool:
    return "-" in line and (is_rule(line) or bool(re.fullmatch(r"\s*-{2,}(?:\s+-{2,}){2,}\s*", line)))


def _prompt(line: str) -> bool:
    """A line that ends the table: a prompt, or a command typed after it."""
    return bool(re.match(r"(?:PS )?[A-Za-z]:\\[^>]*>|fltmc(?:\.exe)?(?:\s|$)", line.strip(), re.IGNORECASE))


def _row(outcome: Outcome[FilterRow], columns: list[tuple[int, int]], line: str, number: int) -> None:
    if len(line) > _LONGEST:
        outcome.faults.append(Fault(place=f"line {number}", message=f"a line of {len(line)} characters is not a row of filters"))
        return
    if len(columns) == 4 and _VOLUME.fullmatch(line.strip()):
        outcome.skipped += 1  # a row of `fltmc volumes`
        return
    row = _instance(columns, line) if len(columns) >= 5 else _filter(line.strip(), with_altitude=len(columns) == 4)
    if row is not None:
        outcome.records.append(row)
    elif _is_head(line):
        outcome.skipped += 1
    else:
        outcome.faults.append(Fault(place=f"line {number}", message=f"not a row of filters: {line.strip()[:120]}"))


def _is_head(line: str) -> bool:
    """The head of a following table: words only."""
    return not any(c.isdigit() for c in line)


def _filter(line: str, *, with_altitude: bool) -> FilterRow | None:
    if with_altitude and (match := _FOUR.fullmatch(line)):
        return _with_altitude(*match.groups())
    if not with_altitude and (match := _THREE.fullmatch(line)):
        return FilterRow(name=match[1], instances=int(match[2]), frame=_frame(match[3]), legacy=match[3].startswith("<"))
    if match := _LEGACY.fullmatch(line):
        return FilterRow(name=match[1], instances=int(match[2]) if match[2] else None, legacy=True)
    if (match := _OVERFLOWN.fullmatch(line)) and bool(match[3]) == with_altitude:
        name, count, altitude, frame, old_count, old_frame = match.groups()
        if altitude:
            return _with_altitude(name, count, altitude, frame)
        return FilterRow(name=name, instances=int(old_count), frame=_frame(old_frame))
    if with_altitude and (match := _TIGHT.fullmatch(line)):
        return _with_altitude(*match.groups())
    if match := _LEGACY_TIGHT.fullmatch(line):
        return FilterRow(name=match[1], legacy=True)
    return None


def _with_altitude(name: str, count: str, altitude: str, frame: str) -> FilterRow:
    return FilterRow(
        name=name, altitude=altitude.replace(",", "."), instances=int(count), frame=_frame(frame), legacy=frame.startswith("<")
    )


def _frame(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _instance(columns: list[tuple[int, int]], line: str) -> FilterRow | None:
    """A row of `fltmc instances`: filter, volume, altitude, instance, frame, then what this Windows adds."""
    values = cut(line, columns) if keeps_gaps(line, columns) else []
    altitude = values[2].replace(",", ".") if values else ""
    if values and values[0] and re.fullmatch(r"\d{1,10}(?:\.\d{1,20})?", altitude):
        return FilterRow(name=values[0], volume=values[1] or None, altitude=altitude, instance=values[3] or None, frame=_frame(values[4]))
    if match := _INSTANCE.fullmatch(line.strip()):
        name, volume, altitude, instance, frame = match.groups()
        return FilterRow(name=name, volume=volume or None, altitude=altitude.replace(",", "."), instance=instance, frame=int(frame))
    return None
