"""Differences as operations: what they make of a state, and their inverse. The proof that nothing is lost between two states. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from auditor.analysis.drift.compare import Delta
from auditor.model.change import DifferenceKind

State = dict[tuple[str, str], dict[str, Any]]
"""Section and case-folded key to the fields of the record that say something."""
_OPPOSITE: Mapping[DifferenceKind, DifferenceKind] = {"added": "removed", "removed": "added", "changed": "changed"}


def invert(delta: Delta) -> Delta:
    """The difference that leads back."""
    return msgspec.structs.replace(delta, kind=_OPPOSITE[delta.kind], before=delta.after, after=delta.before)


def apply_deltas(state: Mapping[tuple[str, str], Mapping[str, Any]], deltas: Iterable[Delta]) -> State:
    """The state after these differences. Raises KeyError where a record is missing that should be changed or removed."""
    result: State = {place: dict(fields) for place, fields in state.items()}
    for delta in deltas:
        place = (delta.section, delta.key.casefold())
        if delta.kind == "removed":
            del result[place]
        elif delta.kind == "added":
            result[place] = dict(delta.after)
        elif delta.after in (None, []):
            result[place].pop(delta.field, None)
        else:
            result[place][delta.field] = delta.after
    return result
