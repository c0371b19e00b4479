"""robocopy: its command line and its job files (.rcj). Pure: words or text in, `RawCopy` out.

Facts: `/MIR` and `/PURGE` delete extra files at the destination unless `/XX` leaves extras alone; `/MOV` and `/MOVE` delete at the source;
`/L` only lists and `/QUIT` does nothing; `/RH:hhmm-hhmm` are the hours in which copies may start; words after
`/XF`, `/XD` and `/IF` up to the next switch are names. Exit codes below 8 are no failures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from auditor.analysis.copying.copytools import RawCopy, may_hold_executables
from auditor.analysis.copying.unknowns import is_unknown, known_prefix, unknown

_HOURS = re.compile(r"/rh:(\d{2})(\d{2})-(\d{2})(\d{2})", re.IGNORECASE)
_DELETES = frozenset({"/mir", "/purge"})
_MOVES = frozenset({"/mov", "/move"})
_LISTS = ("/xf", "/xd", "/if")


class RobocopyLine:
    """A robocopy command taken apart; job files add to it."""

    def __init__(self) -> None:
        self.operands: list[str] = []
        self.options: list[str] = []
        self.lists: dict[str, list[str]] = {name: [] for name in _LISTS}
        self.jobs: list[str] = []
        self.source: str | None = None
        self.destination: str | None = None

    def read(self, words: Sequence[str]) -> None:
        """Take in the words of a command line, or those of a job file."""
        listing: str | None = None
        for word in words:
            lowered = word.casefold()
            if not word.startswith("/") or word.startswith("//"):
                (self.lists[listing] if listing else self.operands).append(word)
                continue
            listing = lowered if lowered in _LISTS else None
            if lowered.startswith("/job:"):
                self.jobs.append(word[5:])
            elif lowered.startswith("/sd:"):
                self.source = word[4:]
            elif lowered.startswith("/dd:"):
                self.destination = word[4:]
            elif listing is None:
                self.options.append(lowered)


def read_robocopy(words: Sequence[str], job_text: Callable[[str], str | None] | None = None) -> list[RawCopy]:
    """The copy that one command makes; `job_text` gives the text of a job file by its name, where it was read."""
    line = RobocopyLine()
    line.read(words)
    missing = False
    for name in line.jobs[:8]:
        text = job_text(name) if job_text else None
        missing = missing or text is None
        if text is not None:
            line.read(job_words(text))
    return _copies(line, missing_job=missing)


def _copies(line: RobocopyLine, *, missing_job: bool) -> list[RawCopy]:
    operands = list(line.operands)
    source = operands.pop(0) if operands else line.source
    destination = operands.pop(0) if operands else line.destination
    if {"/l", "/quit", "/?"} & set(line.options):
        return []
    if source is None or destination is None:
        if not missing_job:
            return []
        source = source or unknown("source in the job file")
        destination = destination or unknown("destination in the job file")
    names = [*operands, *line.lists["/if"]]
    return [
        RawCopy(
            tool="robocopy",
            source=source,
            destination=destination,
            destructive=_destructive(line, missing_job=missing_job),
            writes_executables=may_hold_executables(names or ["*.*"], line.lists["/xf"], folder=False),
            hours=run_hours(line.options),
        )
    ]


def _destructive(line: RobocopyLine, *, missing_job: bool) -> bool | None:
    options = set(line.options)
    if options & _MOVES or (options & _DELETES and "/xx" not in options):
        return True
    return None if missing_job or any(_may_delete(w) for w in (*line.operands[2:], *line.options)) else False


def _may_delete(word: str) -> bool:
    """Whether an unknown piece of a word could make it a switch that deletes."""
    start = known_prefix(word).casefold()
    return is_unknown(word) and any(option.startswith(start) for option in (*_DELETES, *_MOVES))


def run_hours(options: Sequence[str]) -> tuple[int, ...] | None:
    """The hours of `/RH`, over midnight too; None where it is not given."""
    for option in options:
        match = _HOURS.fullmatch(option)
        if match:
            first, _, last, last_minute = (int(g) for g in match.groups())
            if first > 23 or last > 24:
                return None
            end = last if last_minute else last - 1
            span = (end - first) % 24
            return tuple(sorted((first + i) % 24 for i in range(span + 1)))
    return None


def looks_like_job(text: str) -> bool:
    """Whether a text is a robocopy job file."""
    head = text[:8192]
    return bool(re.search(r"^\s*/(?:SD|DD|NOSD|NODD)[:\s]?", head, re.IGNORECASE | re.MULTILINE)) and (
        "robocopy" in head.casefold() or bool(re.search(r"^\s*::", head, re.MULTILINE)) or head.lstrip().startswith("/")
    )


def job_words(text: str) -> list[str]:
    """The switches and names of a job file; `::` starts a comment, a name takes its whole line."""
    words: list[str] = []
    for raw in text.splitlines()[:5000]:
        line = re.split(r"(?:^|\s)::", raw, maxsplit=1)[0].strip()
        if not line:
            continue
        words.extend([line] if line[:4].casefold() in ("/sd:", "/dd:") or not line.startswith("/") else line.split())
    return [w.strip('"') for w in words]
