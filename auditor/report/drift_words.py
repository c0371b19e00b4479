"""What every format says of differences and of history in the same words. Lays nothing out; escapes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from auditor.model.change import DIFFERENCE_CLASSES, Difference, FindingLife, HostDrift, NotCompared
from auditor.model.host import SECTION_NAMES
from auditor.report.wording import plural

CLASS_WORDS = {"unexplained": "unexplained", "back_to_baseline": "back to baseline", "expected": "expected"}
CONCERN_WORDS = {"integrity": "file integrity", "definitions": "definitions behind", "manager": "other manager", "protection": "protection"}
STATE_WORDS = {"open": "open", "back": "back again", "fixed": "fixed", "waived": "waived", "unchecked": "not checked lately"}
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_ORDER = (*SECTION_NAMES, "products")


def ordered(differences: Iterable[Difference]) -> list[Difference]:
    """Unexplained ones first; inside a class what concerns protection, then by section, record, field and baseline."""
    return sorted(
        differences,
        key=lambda d: (
            DIFFERENCE_CLASSES.index(d.class_),
            not d.concern,
            _place(d.section),
            d.key.casefold(),
            d.field,
            d.baseline,
            d.against,
        ),
    )


def _place(section: str) -> int:
    return _ORDER.index(section) if section in _ORDER else len(_ORDER)


def value_words(value: Any) -> str:
    """A value as text: `-` for nothing, lists joined, records as `field: value`."""
    if value is None or value == [] or value == {}:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(value_words, value))
    if isinstance(value, dict):
        return "; ".join(f"{name}: {value_words(inner)}" for name, inner in value.items())
    return str(value)


def subject_words(difference: Difference) -> str:
    """Section and record."""
    return f"{difference.section} {difference.key}" if difference.key != difference.section else difference.section


def field_words(difference: Difference) -> str:
    """The field, or what became of the record."""
    if difference.field:
        return difference.field
    if difference.baseline == "previous":
        return difference.kind
    return "missing" if difference.kind == "removed" else "one too many"


def moment(text: str) -> str:
    """A time as people read it, to the minute in UTC; other texts as they are."""
    return f"{text[:10]} {text[11:16]}" if _TIME.fullmatch(text) else text


def against_words(difference: Difference) -> str:
    """Which baseline, with counts for peers."""
    if difference.baseline == "previous":
        return f"snapshot of {moment(difference.against)}"
    if difference.baseline == "peers":
        counts = f": {difference.agree} of {difference.of}" if difference.of is not None else ""
        return f"peers in {difference.against}{counts}"
    return f"role {difference.against}" if difference.baseline == "role" else f"accepted state of {moment(difference.against)}"


def since_words(difference: Difference) -> str:
    """Since when it is so, and until when it was not."""
    if difference.since is None:
        return "not known"
    if difference.not_before is None:
        return f"{moment(difference.since)} or earlier"
    return f"{moment(difference.since)}, after {moment(difference.not_before)}"


def class_words(difference: Difference) -> str:
    """The class with its reason, and what it concerns."""
    words = CLASS_WORDS[difference.class_]
    words = f"{words} ({difference.reason})" if difference.reason else words
    return f"{words}; {CONCERN_WORDS[difference.concern]}" if difference.concern else words


def drift_sentence(drift: HostDrift) -> str:
    """How much is different, in one sentence."""
    if drift.at is None:
        return "Nothing of this host is stored."
    counts = {name: sum(d.class_ == name for d in drift.differences) for name in DIFFERENCE_CLASSES}
    named = ", ".join(f"{count} {CLASS_WORDS[name]}" for name, count in counts.items() if count)
    base = f"{plural(len(drift.differences), 'difference')} ({named})" if named else "No differences"
    doubts = f"; {len(drift.not_compared)} could not be compared" if drift.not_compared else ""
    return f"{base}{doubts}."


def not_compared_words(unseen: NotCompared) -> str:
    """What could not be compared, and why."""
    place = " ".join(part for part in (unseen.section, unseen.key, unseen.field) if part)
    return f"{place} against {'the snapshot before' if unseen.baseline == 'previous' else unseen.baseline}: {unseen.reason}"


def life_words(life: FindingLife) -> str:
    """The life of a finding in one line."""
    parts = [f"first seen {moment(life.first_seen)}", f"last seen {moment(life.last_seen)}"]
    parts += [f"fixed {moment(life.fixed_at)}"] if life.fixed_at else []
    parts += [f"back again {moment(life.returned_at)}"] if life.returned_at else []
    parts += [f"came back {life.times_back} times"] if life.times_back > 1 else []
    return ", ".join(parts)


def counts_words(counts: Sequence[int], most: int = 12) -> str:
    """The last counts of a row of runs, oldest first."""
    shown = " ".join(map(str, counts[-most:]))
    return f"… {shown}" if len(counts) > most else shown
