"""Values of VBScript expressions as far as the text tells them: strings, arrays, paths of files and folders. Anything else is unknown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from auditor.analysis.copying.psvalues import MAX_ITEMS, Alternatives, PsValue, cross, of, unknown_value
from auditor.analysis.copying.unknowns import MAX_LENGTH, is_unknown, unknown

MAX_DEPTH = 24
TOKEN = re.compile(r'"(?:[^"]|"")*"?|&[hH][0-9A-Fa-f]+|[A-Za-z_]\w*|\d+(?:\.\d+)?|\.|[&+(),]|[^\s\w"&+().,]+')
Lookup = Callable[[str], "Alternatives | None"]
_FILES = ("getfile", "getfolder", "getabsolutepathname", "cstr", "trim", "ltrim", "rtrim", "lcase", "ucase", "expandenvironmentstrings")


class VbExpression:
    """Reads one expression; `lookup` gives variables, `special` what the script host itself knows."""

    def __init__(self, text: str, lookup: Lookup, special: Lookup) -> None:
        self.text = text
        self.tokens: list[str] = TOKEN.findall(text[: 4 * MAX_LENGTH])
        self.at = 0
        self.depth = 0
        self.lookup = lookup
        self.special = special

    def read(self) -> Alternatives:
        """The value of the whole expression."""
        value = self._sum()
        return value if self.at >= len(self.tokens) else [unknown_value(self.text[:80])]

    def arguments(self) -> list[Alternatives]:
        """The values of a list of arguments, with or without parentheses around all of it."""
        values: list[Alternatives] = []
        while self.at < len(self.tokens):
            values.append([PsValue()] if self.tokens[self.at] == "," else self._sum())
            if self.at < len(self.tokens) and self.tokens[self.at] == ",":
                self.at += 1
            elif self.at < len(self.tokens):
                # Something that is not followed: skip to the next comma.
                values[-1] = [unknown_value(self.text[:60])]
                self.at += 1
        return values

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _sum(self) -> Alternatives:
        parts = [self._term()]
        while self._peek() in ("&", "+"):
            self.at += 1
            parts.append(self._term())
        if len(parts) == 1:
            return parts[0]
        return [of(_short("".join(v.text for v in row), self.text)) for row in cross(parts, self.text)]

    def _term(self) -> Alternatives:
        word = self._peek()
        self.at += 1
        self.depth += 1
        try:
            if not word or self.depth > MAX_DEPTH:
                return [unknown_value(self.text[:60])]
            if word.startswith('"'):
                return [of(word[1:].removesuffix('"').replace('""', '"'))]
            if word == "(":
                value = self._sum()
                self.at += self._peek() == ")"
                return value
            if word[0].isdigit():
                return [of(word)]
            return self._name(word) if word[0].isalpha() or word[0] == "_" else [unknown_value(self.text[:60])]
        finally:
            self.depth -= 1

    def _name(self, first: str) -> Alternatives:
        names = [first.casefold()]
        value: Alternatives | None = self.special(names[0]) or self.lookup(names[0])
        while True:
            if self._peek() == "(":
                given = self._call_arguments()
                value = (
                    _called(names, value, given, self.text) if (known := self.special(".".join(names))) is None else _picked(known, given)
                )
            elif self._peek() == "." and self.at + 1 < len(self.tokens):
                self.at += 1
                names.append(self._peek().casefold())
                self.at += 1
                known = self.special(".".join(names))
                value = known if known is not None else _property(names[-1], value)
            else:
                return value if value is not None else [unknown_value(".".join(names))]

    def _call_arguments(self) -> list[Alternatives]:
        self.at += 1
        given: list[Alternatives] = []
        while self._peek() not in (")", ""):
            given.append(self._sum())
            if self._peek() == ",":
                self.at += 1
            elif self._peek() != ")":
                self.at += 1
                given[-1] = [unknown_value(self.text[:60])]
        self.at += 1
        return given


def _short(text: str, written: str) -> str:
    return text if len(text) <= MAX_LENGTH else unknown(written)


def _property(name: str, value: Alternatives | None) -> Alternatives | None:
    """`.Path`, `.Name` and the like of a file; other properties are not known."""
    if value is None:
        return None
    if name in ("path", "self", "shortpath", "value"):
        return value
    if name == "name":
        return [PsValue(tuple(re.split(r"[\\/]", i)[-1] for i in v.items), array=v.array) for v in value]
    if name in ("files", "subfolders"):
        return [PsValue(tuple(i.rstrip("\\") + "\\*" for i in v.items), array=True) for v in value]
    if name in ("parentfolder", "drive"):
        return [PsValue(tuple(i.rpartition("\\")[0] or unknown(name) for i in v.items)) for v in value]
    return value if name in _FILES else None


def _picked(value: Alternatives, given: list[Alternatives]) -> Alternatives:
    """One item of an array; all of them where the index is not known."""
    index = given[0][0].text if len(given) == 1 and len(given[0]) == 1 else ""
    result: Alternatives = []
    for v in value:
        if index.isdigit() and v.array:
            result.append(of(v.items[int(index)]) if int(index) < len(v.items) else PsValue())
        else:
            result.extend(of(i) for i in v.items[:8])
    return result[:8] or [unknown_value("item")]


def _called(names: list[str], value: Alternatives | None, given: list[Alternatives], written: str) -> Alternatives:
    name = names[-1]
    if value is not None and len(names) == 1:
        return _picked(value, given)
    rows = cross(given, written)
    function = _FUNCTIONS.get(name)
    if function is not None:
        return [function(row, written) for row in rows]
    if name in _FILES and rows and rows[0]:
        return [row[0] for row in rows]
    return [unknown_value(f"{'.'.join(names)}()")]


def _array(row: tuple[PsValue, ...], _: str) -> PsValue:
    return PsValue(tuple(i for v in row for i in v.items)[:MAX_ITEMS], array=True)


def _split(row: tuple[PsValue, ...], written: str) -> PsValue:
    if not row or is_unknown(row[0].text):
        return unknown_value(written)
    delimiter = row[1].text if len(row) > 1 else " "
    return PsValue(tuple(row[0].text.split(delimiter or " "))[:MAX_ITEMS], array=True)


def _replace(row: tuple[PsValue, ...], written: str) -> PsValue:
    if len(row) < 3 or any(is_unknown(v.text) for v in row) or not row[1].text:
        return unknown_value(written)
    return of(_short(row[0].text.replace(row[1].text, row[2].text), written))


def _build_path(row: tuple[PsValue, ...], written: str) -> PsValue:
    return of(row[0].text.rstrip("\\") + "\\" + row[1].text) if len(row) == 2 else unknown_value(written)


def _character(row: tuple[PsValue, ...], written: str) -> PsValue:
    code = row[0].text if row else ""
    return of(chr(int(code))) if code.isdigit() and 0 < int(code) < 256 else unknown_value(written)


def _file_name(row: tuple[PsValue, ...], written: str) -> PsValue:
    return of(re.split(r"[\\/]", row[0].text)[-1]) if row else unknown_value(written)


def _parent(row: tuple[PsValue, ...], written: str) -> PsValue:
    text = row[0].text if row else ""
    return of(text.rpartition("\\")[0]) if "\\" in text and not is_unknown(text) else unknown_value(written)


_FUNCTIONS: Mapping[str, Callable[[tuple[PsValue, ...], str], PsValue]] = {
    "array": _array,
    "split": _split,
    "replace": _replace,
    "buildpath": _build_path,
    "chr": _character,
    "getfilename": _file_name,
    "getparentfoldername": _parent,
}
