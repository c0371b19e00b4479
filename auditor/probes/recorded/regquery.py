"""What `reg query` prints, 2000 to Windows 11, to registry values. The type's name (`REG_SZ`) is the only word that is relied on."""

from __future__ import annotations

import re

from auditor.probes.recorded.layout import lines_of
from auditor.probes.recorded.outcome import Fault
from auditor.probes.recorded.registry import RegistryOutcome, RegistryValue
from auditor.probes.recorded.words import failure_line

_LINE = re.compile(r"(?: {4}|\t)(\S.*?|)(?: {4}|\t)(REG_[A-Z_]{2,30}|0x[0-9a-fA-F]{1,8})(?: \(\d{1,10}\))?(?:(?: {4}|\t)(.*))?")
_KEY = re.compile(r"(?:\\\\[^\\\s]{1,255}\\)?(?:HKEY_[A-Z_]+|HK(?:LM|CU|CR|U|CC))(?:\\.*)?")
_EXPORT_HEAD = re.compile(r"(?:Windows Registry Editor Version \S+|REGEDIT4?)\s*")
_DEFAULT = re.compile(r"\(.+\)|<.+>")
_NOT_SET = re.compile(r"\(.+\)")


def looks_like_reg_query(text: str) -> bool:
    """Whether a text has a key on a line of its own, or a value's line."""
    head = lines_of(text[:65536])
    return any(_KEY.fullmatch(line.strip()) or _LINE.fullmatch(line) for line in head)


def split_registry(text: str) -> tuple[str, str]:
    """Exports and what `reg query` printed, where both stand in one text: two texts in which each line keeps its number.

    An export ends where a key stands without brackets, or a prompt; the other where an export's head stands.
    """
    exported: list[str] = []
    printed: list[str] = []
    lines = lines_of(text)
    inside = not any(_KEY.fullmatch(line) for line in lines[: next((i for i, line in enumerate(lines) if _EXPORT_HEAD.fullmatch(line)), 0)])
    for line in lines:
        if _EXPORT_HEAD.fullmatch(line):
            inside = True
        elif _KEY.fullmatch(line.rstrip()) or re.match(r"(?:PS )?[A-Za-z]:\\[^>\r\n]{0,200}>", line):
            inside = False
        exported.append(line if inside else "")
        printed.append("" if inside else line)
    return "\n".join(exported), "\n".join(printed)


def read_reg_query(text: str) -> RegistryOutcome:
    """All values. The tool's words of failure (access denied, key not found) are faults: not the same as no value."""
    outcome = RegistryOutcome()
    key, values, open_value = "", 1, False
    for number, line in enumerate(lines_of(text), 1):
        stripped = line.strip()
        if _KEY.fullmatch(stripped) and not line.startswith((" ", "\t")):
            _close(outcome, key, values)
            key, values, open_value = stripped, 0, False
        elif match := _LINE.fullmatch(line):
            values += 1
            open_value = _value(outcome, key, match, number)
        elif failure_line(line):
            outcome.faults.append(Fault(place=f"line {number}", message=f"{stripped[:300]}{f' ({key})' if key else ''}"))
            values, open_value = max(values, 1), False
        elif open_value and stripped and not line.startswith((" ", "\t")) and not _is_count(stripped):
            _append(outcome, line)
        elif not stripped:
            open_value = False
    _close(outcome, key, values)
    if not outcome.rows:
        first = next((line.strip() for line in lines_of(text) if line.strip()), "")
        outcome.faults.append(Fault(place="line 1", message=f"nothing that reg query prints: {first[:120]}"))
    return outcome


def _close(outcome: RegistryOutcome, key: str, values: int) -> None:
    if key and not values:
        outcome.skipped += 1
        outcome.empty_keys.append(key)


def _is_count(line: str) -> bool:
    """The closing line `End of search: 3 match(es) found.` in any language, and the old tool's head."""
    return line.startswith("! REG") or bool(re.search(r":\s*\d+\s", line))


def _value(outcome: RegistryOutcome, key: str, match: re.Match[str], number: int) -> bool:
    """Add a value; True where its text may go on in the next line."""
    name, type_, text = match.group(1).strip(), match.group(2), match.group(3) or ""
    if not key:
        outcome.faults.append(Fault(place=f"line {number}", message=f"the value {name} stands below no key"))
        return False
    name = "" if _DEFAULT.fullmatch(name) else name
    try:
        data = _data(type_, text)
    except ValueError:
        outcome.faults.append(Fault(place=f"line {number}", message=f"{name or '@'}: not the data of a {type_}: {text[:40]}"))
        return False
    if name == "" and type_ == "REG_SZ" and _NOT_SET.fullmatch(text):
        data = None
    outcome.records.append(RegistryValue(key=key, value_name=name, type=type_, data=data))
    return type_ in ("REG_SZ", "REG_EXPAND_SZ", "REG_MULTI_SZ")


def _data(type_: str, text: str) -> str | int | list[str] | None:
    if type_ in ("REG_DWORD", "REG_QWORD", "REG_DWORD_BIG_ENDIAN", "REG_DWORD_LITTLE_ENDIAN", "REG_QWORD_LITTLE_ENDIAN"):
        return int(text.strip(), 16 if text.strip().casefold().startswith("0x") else 10)
    if type_ == "REG_MULTI_SZ":
        return [item for item in text.split("\\0") if item]
    if type_ in ("REG_SZ", "REG_EXPAND_SZ", "REG_LINK"):
        return text
    bare = re.sub(r"\s", "", text)
    if not re.fullmatch(r"[0-9a-fA-F]*", bare):
        raise ValueError(type_)
    return bare.lower()


def _append(outcome: RegistryOutcome, line: str) -> None:
    """Another line of the last text."""
    import msgspec

    last = outcome.records[-1]
    if isinstance(last.data, str) and len(last.data) < 1_000_000:
        outcome.records[-1] = msgspec.structs.replace(last, data=f"{last.data}\n{line.rstrip()}")
