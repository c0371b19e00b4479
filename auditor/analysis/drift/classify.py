"""Whether a difference was expected: own remediation, maintenance, accepted change, or a way back to what should be. Pure.

Rules of this file, in the order in which they are tried:
1. A remediation or an accepted change that fits makes it expected.
2. A value of a state that a person froze is expected, where the freeze came after the change; where it came before, the host is back at it.
3. A change to what the role or most peers have, from what they have not, is back to baseline.
4. A maintenance window that overlaps the time in which the change happened makes it expected. Otherwise it is unexplained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from auditor.analysis.drift.compare import Delta
from auditor.model.change import Accepted, Difference, DifferenceClass, Explanation
from auditor.model.pattern import matches, matches_any

_DATE_LENGTH = len("2026-11-26")
_KINDS = {"remediation": "own remediation", "maintenance": "maintenance window", "accepted": "accepted change"}
Usual = Callable[[Delta], str]
"""What baseline a previous difference leads back to, in words; empty where to none."""


class Judge(NamedTuple):
    """What differences of one host are held against."""

    host: str
    groups: tuple[str, ...] = ()
    now: str = ""
    """Time of the compared snapshot: acceptances that have ended by then count no more."""
    explanations: Sequence[Explanation] = ()
    accepted: Accepted | None = None
    is_accepted: Callable[[Delta], bool] = lambda _: False
    """Whether the frozen state has the difference's new value."""
    leads_back: Usual = lambda _: ""

    def judge(self, difference: Difference) -> Difference:
        """The difference with its class and the reason."""
        class_, reason = self._class(difference)
        return msgspec.structs.replace(difference, class_=class_, reason=reason)

    def _class(self, difference: Difference) -> tuple[DifferenceClass, str]:
        for entry in self.explanations:
            if entry.kind != "maintenance" and self._fits(entry, difference):
                return "expected", _words(entry)
        delta = delta_of(difference)
        if self.accepted is not None and difference.baseline != "accepted" and self.is_accepted(delta):
            return self._accepted(difference, self.accepted)
        if difference.baseline == "previous" and (back := self.leads_back(delta)):
            return "back_to_baseline", back
        for entry in self.explanations:
            if entry.kind == "maintenance" and self._fits(entry, difference):
                return "expected", _words(entry)
        return "unexplained", ""

    def _accepted(self, difference: Difference, accepted: Accepted) -> tuple[DifferenceClass, str]:
        came_later = difference.since is not None and difference.since > accepted.collected_at
        if difference.baseline == "previous" and came_later:
            return "back_to_baseline", f"as accepted on {accepted.at}"
        by = f" by {accepted.by}" if accepted.by else ""
        return "expected", f"accepted on {accepted.at}{by}{': ' + accepted.reason if accepted.reason else ''}"

    def _fits(self, entry: Explanation, difference: Difference) -> bool:
        names = (self.host, *self.groups)
        if entry.hosts and not any(matches_any(entry.hosts, name) for name in names):
            return False
        if entry.sections and difference.section not in entry.sections:
            return False
        if entry.key is not None and not matches(entry.key, difference.key):
            return False
        if entry.field is not None and not matches(entry.field, difference.field):
            return False
        if entry.value is not None and not matches(entry.value, text_of(difference.after)):
            return False
        if entry.kind == "accepted":
            return entry.until is None or self.now <= _end(entry.until)
        return _overlaps(entry, difference)


def _overlaps(entry: Explanation, difference: Difference) -> bool:
    """Whether the change can have happened in the entry's time: after `not_before`, at `since` at the latest.

    Without an earlier snapshot that showed otherwise, nobody saw a change, so nothing explains it.
    """
    if difference.since is None or difference.not_before is None:
        return False
    starts, ends = entry.from_ or "", _end(entry.until) if entry.until else "9"
    return difference.not_before <= ends and difference.since >= starts


def _end(until: str) -> str:
    """A date includes its whole day."""
    return f"{until}T23:59:59Z" if len(until) == _DATE_LENGTH else until


def _words(entry: Explanation) -> str:
    by = f", {entry.by}" if entry.by else ""
    return f"{_KINDS[entry.kind]} {entry.id}: {entry.reason}{by}"


def delta_of(difference: Difference) -> Delta:
    """The difference without its judgement."""
    return Delta(
        section=difference.section,
        key=difference.key,
        field=difference.field,
        kind=difference.kind,
        before=difference.before,
        after=difference.after,
    )


def text_of(value: Any) -> str:
    """A value as text, for globs and for tables."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {text_of(inner)}" for name, inner in value.items())
    return str(value)
