"""Reads a debugger's text line by line into drafts of crashes. A small state machine; it keeps one draft, never the text.

A new draft begins where a second stop code is announced, a new dump is loaded, or a field that tells crashes apart takes another value.
Prose between the lines is passed over: a line counts only in a form that debuggers print.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from auditor.analysis.crash.windbg_code import CodeReader, place_of
from auditor.analysis.crash.windbg_draft import Draft, Place
from auditor.analysis.crash.windbg_fields import FIELDS, KEYS, MAY_BE_EMPTY, SQUASHED, is_prose, uncomment, without_colon
from auditor.analysis.crash.windbg_parse import local_date, number, uptime
from auditor.model.crash import base_code

_TOKEN = re.compile(r"[A-Z][A-Z0-9_]{3,39}(?![A-Za-z0-9_.])")
_CAPITAL_ADDRESS = re.compile(r"[0-9A-F]{8}[ `]")
_HEADER = re.compile(r"[\"'(]?([A-Z][A-Z0-9_]{5,79})\b[^A-Za-z0-9(]{0,6}\(?(?:0x)?([0-9a-fA-F]{1,8})(?![0-9A-Za-z_])")
_UNKNOWN_CODE = re.compile(r"Unknown bugcheck code \(([0-9a-fA-F]{1,8})\)")
_ARGUMENT = re.compile(r"Arg([1-4])\s*(:?)\s*(?:0x)?([0-9a-fA-F]{1,8}(?:`?[0-9a-fA-F]{8})?)(?![0-9a-zA-Z`])")
_BUGCHECK = re.compile(r"BugCheck ([0-9a-fA-F]{1,8}),? ?\{?([0-9a-fA-F`, ]{0,80})")
_PARAMETER = r"\s*(?:0x)?([0-9a-fA-F]{1,8}(?:`?[0-9a-fA-F]{8})?)\s*"
_TUPLE = re.compile(rf"\({_PARAMETER},{_PARAMETER},{_PARAMETER},{_PARAMETER}\)")
_STOP = re.compile(r"(?:stop|bug ?check|fatal system error|error code)\b[^0-9]{0,24}0x([0-9a-fA-F]{1,8})\b", re.IGNORECASE)
_CODE = re.compile(r"0x([0-9a-fA-F]{1,8})\s*:?\s*$")
_PROBABLY = re.compile(r"Probably caused by\s*:?\s*(\S{1,80})(?:\s*\(\s*([^()\s]{1,200})\s*\))?")
_KEY = re.compile(r"Key\s*:?\s*([A-Za-z][A-Za-z0-9.]{2,60})$")
_VALUE = re.compile(r"Value\s*:?\s*(\S.{0,400})$")
_USER_PROMPT = re.compile(r"\d{1,3}:\d{3}(?::x86)?>")
_RESTART = ("Loading Dump File [", "Microsoft (R) Windows Debugger")
_EXCEPTION_ADDRESS = re.compile(r"ExceptionAddress:?\s*([0-9a-fA-F`]{8,17})(?:\s*\(([^()]{1,200})\))?")
_EXCEPTION_CODE = re.compile(r"ExceptionCode:?\s*([0-9a-fA-F]{8})")
_ATTEMPT = re.compile(r"Attempt to (read from|write to|execute non-executable) address ([0-9a-fA-F`]{1,17})")
_BCP = re.compile(r"BC(?:Code|P([1-4]))\s*:?\s*(?:0x)?([0-9a-fA-F]{1,16})\b")


class TextReader:
    """Feed it lines; `done` holds the drafts that ended. `names`: stop codes by name, for headers that lost their parentheses."""

    def __init__(self, names: dict[str, int]) -> None:
        self.names = names
        self.done: list[Draft] = []
        self._current: Draft | None = None
        self._code = CodeReader()
        self._line = 0
        self._pending: str | None = None
        self._key: str | None = None
        self._fatal: int | None = None
        self._words: dict[str, Callable[[str], None]] = {
            "BugCheck": self._on_bugcheck, "Probably": self._on_probably, "Key": self._on_key, "Value": self._on_value,
            "Followup": self._on_followup, "ExceptionAddress": self._on_exception_address, "ExceptionCode": self._on_exception_code,
            "Attempt": self._on_attempt, "Windows": self._on_windows, "Product": self._on_product, "Debug": self._on_debug,
            "System": self._on_uptime, "Loading": self._on_restart, "Microsoft": self._on_restart, "Unknown": self._on_unknown_code,
            "Timestamp": self._on_module_detail, "CheckSum": self._on_module_detail, "Image": self._on_module_detail,
            "Unloaded": self._on_unloaded, "Kernel": self._on_symbols, "Child-SP": self._on_title, "ChildEBP": self._on_title,
            "RetAddr": self._on_title, "Resetting": self._on_reset, "BCCode": self._on_bcp, "Arguments": self._on_arguments,
        }  # fmt: skip

    @property
    def draft(self) -> Draft:
        """The crash that is being read; a new one where there is none."""
        if self._current is None:
            self._current = Draft()
        return self._current

    def _begin(self) -> Draft:
        """The draft, which begins on this line at the latest."""
        draft = self.draft
        draft.line = draft.line or self._line
        return draft

    @property
    def expecting(self) -> bool:
        """Whether the rest of a wrapped line may follow."""
        return self._pending is not None or bool(self._code.partial)

    def finish(self) -> None:
        """End the piece that is being read, and forget where in it the text was."""
        self._part()
        self._pending = self._key = None
        self._code = CodeReader()

    def _part(self) -> None:
        """Begin a new piece: whether it tells of the same crash is decided when both are known."""
        if self._current is not None and not self._current.empty:
            self._current.settle()
            self.done.append(self._current)
            self._current = None

    def feed(self, number_: int, line: str) -> None:
        """One cleaned line."""
        if not line:
            return
        self._line = number_
        if self._code.partial and self._code.continue_frame(self.draft, line):
            return
        if self._pending is not None and self._take_pending(line):
            return
        first = line[0]
        if "A" <= first <= "Z" or first == '"':
            if first <= "F" and _CAPITAL_ADDRESS.match(line):
                self._address(line)
            else:
                self._capital(line)
        elif first in "0123456789abcdef[(":
            self._address(line)
        else:
            self._small(line)

    def _capital(self, line: str) -> None:
        """Fields, headers, sentences of the debugger."""
        token = _TOKEN.match(line)
        if token is not None:
            name = token.group()
            key = name if name in FIELDS else SQUASHED.get(name)
            if key is not None:
                self._field(key, line[token.end() :])
                return
            if name.startswith("BCP"):
                self._on_bcp(line)
                return
            header = _HEADER.match(line)
            if header is not None and self._header(header, header.group(1)):
                return
        elif line.startswith("Arg") and (argument := _ARGUMENT.match(line)):
            self._argument(argument)
            return
        else:
            action = self._words.get(line.split(None, 1)[0].rstrip(":"))
            if action is not None:
                action(line)
                return
        if self._current is None or not self._code.other_line(self._current, line):
            self._code.miss()
            self._announcement(line)

    def _address(self, line: str) -> None:
        """Frames, instructions, module lists, prompts, the parameters below a fatal error."""
        head = line[:16]
        if "kd>" in head or _USER_PROMPT.match(line):
            self._prompt(line)
        elif line[0] == "(":
            self._announcement(line)
        elif not self._code.hex_line(self.draft, line):
            self._code.miss()
            self._announcement(line)

    def _small(self, line: str) -> None:
        if "kd>" in line[:16]:
            self._prompt(line)
        elif line.startswith("start ") and "module name" in line:
            self._code.list_modules()
        elif self._current is None or not self._code.other_line(self._current, line):
            self._code.miss()
            self._announcement(line)

    def _prompt(self, line: str) -> None:
        self._code.close()
        kernel = "kd>" in line[:16]
        if "!analyze" in line:
            self.finish()
        if kernel:
            self.draft.kernel_prompt = True
        else:
            self.draft.user_prompt = True

    def _header(self, match: re.Match[str], name: str | None) -> bool:
        """`NAME (code)` at the head of an analysis. Without parentheses only where name and code belong together."""
        code, rest = (
            int(match.group(match.lastindex or 1) if name is None else match.group(2), 16),
            match.string[match.end(2) :] if name else "",
        )
        rest = rest.strip(" .:*-)")
        if rest[:1].isascii() and rest[:1].isalnum():
            return False
        if name and match.string[match.start(2) - 1] != "(" and self.names.get(name.removesuffix("_M")) != base_code(code):
            return False
        draft = self.draft
        repeated = draft.header == code and not draft.named and draft.parameters == [None] * 4
        other = draft.announced is not None and base_code(draft.announced) != base_code(code)
        if not repeated and (draft.header is not None or draft.named or other):
            self.finish()
        self._code.close()
        draft = self._begin()
        draft.header, draft.header_name = code, name
        return True

    def _on_unknown_code(self, line: str) -> None:
        match = _UNKNOWN_CODE.match(line)
        if match:
            self._header(match, None)

    def _argument(self, match: re.Match[str]) -> None:
        text = match.group(3).replace("`", "")
        place = int(match.group(1)) - 1
        if (match.group(2) or len(text) in (8, 16)) and self.draft.parameters[place] is None:
            self._begin().parameters[place] = int(text, 16)

    def _on_arguments(self, line: str) -> None:
        """`Arguments e1147008 0000001c 00000000 fbe93403` of the command .bugcheck."""
        values = [number(word) for word in line.split()[1:5]]
        if len(values) == 4 and self.draft.announced is not None:
            self.draft.announced_parameters = values

    def _field(self, key: str, rest: str) -> None:
        rest = rest.lstrip()
        colon = rest.startswith(":")
        value = uncomment(rest[1:].strip(" \t:") if colon else rest.strip())
        if not colon and not without_colon(key, value):
            return
        if value and self._current is not None and self._current.conflicts(key, value):
            self.finish()
        self._code.field(key)
        if key == "STACK_TEXT":
            self._code.open_stack(self._begin(), titled=True, stack_text=True)
        elif key in MAY_BE_EMPTY:
            self._code.expect_place(key, value)
        elif value:
            self._store(key, value)
        else:
            self._pending = key

    def _store(self, key: str, value: str) -> None:
        draft = self._begin()
        if key in ("EXCEPTION_CODE", "EXCEPTION_CODE_STR") and draft.exception_code is None and "(Win32)" not in value:
            draft.exception_code = number(value.replace("(NTSTATUS)", "").replace("(HRESULT)", "").strip(" -"))
        elif key in ("READ_ADDRESS", "WRITE_ADDRESS"):
            draft.access = draft.access or ("read" if key.startswith("READ") else "write")
            draft.target = draft.target if draft.target is not None else number(value)
        elif key == "TRAP_FRAME" and "(trap" in value:
            draft.dots_lost = True
        draft.fields.setdefault(key, value)

    def _take_pending(self, line: str) -> bool:
        """The value of a field that stands on the line after its name."""
        key, self._pending = self._pending, None
        token = _TOKEN.match(line)
        if key is None or (token is not None and (token.group() in FIELDS or line[token.end() : token.end() + 1] == ":")):
            return False
        value = uncomment(line)
        if not value or " " in value or line.startswith("---"):
            return False
        if self.draft.conflicts(key, value):
            self.finish()
        self._store(key, value)
        return True

    def _on_key(self, line: str) -> None:
        match = _KEY.match(line)
        self._key = KEYS.get(match.group(1)) if match else None

    def _on_value(self, line: str) -> None:
        match = _VALUE.match(line)
        key, self._key = self._key, None
        if key and match:
            self._begin().fields.setdefault(key, match.group(1).strip())

    def _on_followup(self, _line: str) -> None:
        if self._current is not None and not self._current.empty:
            self._current.closed = self._current.ended = True
        self.finish()

    def _on_probably(self, line: str) -> None:
        match = _PROBABLY.match(line)
        if match:
            draft = self._begin()
            draft.fields.setdefault("PROBABLY_IMAGE", match.group(1))
            draft.fields.setdefault("PROBABLY_SYMBOL", match.group(2) or "")

    def _on_exception_address(self, line: str) -> None:
        match = _EXCEPTION_ADDRESS.match(line)
        if match and self.draft.exception is None:
            place = place_of(match.group(2) or "") or Place()
            address = number(match.group(1))
            self.draft.exception = Place(address=address, module=place.module, function=place.function, offset=place.offset)

    def _on_exception_code(self, line: str) -> None:
        match = _EXCEPTION_CODE.match(line)
        if match and self.draft.exception_code is None:
            self.draft.exception_code = int(match.group(1), 16)

    def _on_attempt(self, line: str) -> None:
        match = _ATTEMPT.match(line)
        if match:
            self.draft.access = {"read from": "read", "write to": "write"}.get(match.group(1), "execute")
            self.draft.target = number(match.group(2))

    def _on_windows(self, line: str) -> None:
        if "Kernel Version" in line[:80] and self.draft.system_line is None:
            self.draft.system_line = line[:200]

    def _on_product(self, line: str) -> None:
        if line.startswith("Product:") and self.draft.product_line is None:
            self.draft.product_line = line[:120]

    def _on_debug(self, line: str) -> None:
        if line.startswith("Debug session time") and self.draft.session == (None, None):
            self.draft.session = local_date(line)

    def _on_uptime(self, line: str) -> None:
        if line.startswith("System Uptime") and self.draft.uptime is None:
            self.draft.uptime = uptime(line)

    def _on_restart(self, line: str) -> None:
        if line.startswith(_RESTART):
            self.finish()

    def _on_symbols(self, line: str) -> None:
        if "symbols are WRONG" in line:
            self.draft.wrong_symbols = True

    def _on_reset(self, _line: str) -> None:
        self._code.leave_context()

    def _on_title(self, _line: str) -> None:
        self._code.open_stack(self.draft, titled=True, stack_text=False)

    def _on_unloaded(self, line: str) -> None:
        if line.startswith("Unloaded modules"):
            self._code.list_unloaded()

    def _on_module_detail(self, line: str) -> None:
        if self._current is not None:
            self._code.module_detail(self._current, line)

    def _on_bugcheck(self, line: str) -> None:
        match = _BUGCHECK.match(line)
        if match:
            values = [number(part) for part in match.group(2).split(",")[:4]]
            self._announce(int(match.group(1), 16), [*values, None, None, None, None][:4])

    def _on_bcp(self, line: str) -> None:
        """`BCCode : 1000008e BCP1 : C0000005 ...` of Windows Error Reporting."""
        for match in _BCP.finditer(line):
            value = int(match.group(2), 16)
            if match.group(1) is None:
                self._announce(value & 0xFFFFFFFF, [None] * 4)
            elif self.draft.announced_parameters[int(match.group(1)) - 1] is None:
                self.draft.announced_parameters[int(match.group(1)) - 1] = value

    def _announcement(self, line: str) -> None:
        """A stop code in a sentence of any language, `STOP: 0x8E (0x.., 0x.., 0x.., 0x..)`; its parameters may stand on the next line."""
        if "0x" not in line and "(" not in line:
            if self._current is not None and is_prose(line) and not self._described():
                self._part()
            return
        values = _TUPLE.search(line)
        code = _STOP.search(line) or (_CODE.search(line[: values.start()]) if values else None)
        if values is not None and (code is not None or self._fatal is not None):
            stated = int(code.group(1), 16) if code else self._fatal or 0
            self._announce(stated, [number(part) for part in values.groups()])
        self._fatal = int(code.group(1), 16) if code is not None and values is None and "atal" in line else None

    def _described(self) -> bool:
        """Whether the debugger's description of the stop code may still follow: a header without its arguments."""
        draft = self._current
        return draft is not None and draft.header is not None and draft.parameters == [None] * 4 and not draft.fields

    def _announce(self, code: int, parameters: list[int | None]) -> None:
        draft = self.draft
        known = draft.code if draft.header is not None or draft.named else draft.announced
        stated = list(draft.stated_parameters()) if draft.header is not None or draft.named else draft.announced_parameters
        different = known is not None and base_code(known) != base_code(code)
        clash = any(a != b for a, b in zip(stated, parameters, strict=True) if a is not None and b is not None)
        if different or (known is not None and clash):
            self.finish()
        if self.draft.announced is None:
            draft = self._begin()
            draft.announced, draft.announced_parameters = code, parameters
