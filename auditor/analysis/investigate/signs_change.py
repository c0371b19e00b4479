"""Signs of change: what is different from the snapshot before. Pure; the differences come from drift."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.analysis.investigate.case import Case
from auditor.analysis.investigate.zone import parse_utc
from auditor.model.change import Difference
from auditor.model.finding import Evidence
from auditor.model.hypothesis import Sign

_SOFTWARE = ("programs", "updates", "drivers", "services", "filters")
_SHOWN = 6


def change_signs(case: Case) -> Iterator[Sign]:
    """What changed before it happened."""
    names = ("software_changed", "protection_changed", "suspect_changed")
    changes, since = case.seen.changes, parse_utc(case.seen.changes_since)
    why = ""
    if changes is None or since is None:
        why = "there is no earlier snapshot to compare with"
    elif case.moment is not None and since > case.moment:
        why = f"the snapshot before is of {case.seen.changes_since}, after it happened"
    if why or changes is None:
        yield from (Sign(id=name, state=None, text=why) for name in names)
        return
    open_ones = [change for change in changes if change.class_ != "expected"]
    groups = (
        ("software_changed", [c for c in open_ones if c.section in _SOFTWARE], "programs, drivers, services or updates"),
        ("protection_changed", [c for c in open_ones if c.concern == "protection"], "a security product's own state"),
        (
            "suspect_changed",
            [c for c in open_ones if c.section == "drivers" and case.image and case.is_image(c.key)],
            "the suspected driver",
        ),
    )
    for name, found, what in groups:
        if not found:
            yield Sign(id=name, state=False, text=f"no difference in {what} since {case.seen.changes_since}")
            continue
        told = ", ".join(f"{c.section} {c.key} {c.kind}" for c in found[:_SHOWN])
        text = f"{len(found)} differences in {what} since {case.seen.changes_since}: {told}"
        yield Sign(id=name, state=True, text=text, evidence=tuple(map(_evidence, found[:_SHOWN])))


def _evidence(change: Difference) -> Evidence:
    value = f"{change.kind}: {change.before!s:.80} -> {change.after!s:.80}"
    return Evidence(host=change.host, section=change.section, record=change.key, field=change.field, value=value)
