"""Observation cases over rounds: opened, moved on by what a round saw, told of, closed; their contingency offered or run.

Running a playbook is another room's: it is handed in as a callable. Without one a case that should run it says why it does not.
A run that was begun is never begun again: it is noted in the store first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from auditor.analysis.observing.coverage import Needed
from auditor.analysis.observing.observation import looks_of, needed_events, noted, observe, settled, stamp, time_is_up, waits_for
from auditor.model.case import Case, CaseChange
from auditor.model.crash import Crash
from auditor.model.errors import AuditorError, RemediationError
from auditor.model.host import HostResult
from auditor.model.notice import NoticeItem

Runner = Callable[[Case], str]
"""Runs the contingency playbook of a case on its hosts; gives what came of it in words. Raises RemediationError."""
Changes = Callable[[Case, datetime], Sequence[CaseChange]]
"""Every change on the case's hosts since its remedy. May raise AuditorError."""
SHOWN_CHANGES = 30
NO_RUNNER = "this watch was not started with --run-contingencies"
_TO_RUN = "to be run"
_BEGUN = "begun"


def refuse_runs(case: Case) -> str:
    """The runner where none is configured."""
    raise RemediationError(f"the playbook {case.contingency.playbook if case.contingency else '?'} was not run: {NO_RUNNER}")


def needed_by(cases: Iterable[Case]) -> tuple[Needed, ...]:
    """Events that the next round has to ask for."""
    return tuple(dict.fromkeys(item for case in cases if case.state == "observing" for item in needed_events(case)))


def advance(
    cases: Mapping[str, Case],
    results: Iterable[HostResult],
    now: datetime,
    changes: Changes,
    crashes: Mapping[str, Sequence[Crash]] | None = None,
) -> tuple[list[Case], list[NoticeItem]]:
    """The cases that a round moved on, and what there is to tell of them. `crashes` are read dumps by host."""
    looks = looks_of(results)
    moved: list[Case] = []
    items: list[NoticeItem] = []
    for before in cases.values():
        if before.state != "observing":
            continue
        case = settled(observe(before, looks, now, crashes), now)
        if case.state != "observing":
            case = _with_changes(case, now, changes)
            case = _with_contingency(case, now) if case.outcome == "recurred" else case
            items.append(_ended(case))
        elif time_is_up(case, now) and not case.told_waiting:
            case = msgspec.structs.replace(case, told_waiting=True)
            items.append(_waiting(case))
        moved.append(case)
    return moved, items


def _with_changes(case: Case, now: datetime, changes: Changes) -> Case:
    try:
        return msgspec.structs.replace(case, changes=tuple(changes(case, now)))
    except AuditorError as error:
        return noted(case, now, f"the changes of that time can't be listed: {error.message}")


def _with_contingency(case: Case, now: datetime) -> Case:
    if case.contingency is None:
        return case
    playbook, run = case.contingency.playbook, case.contingency.run
    case = msgspec.structs.replace(case, contingency_outcome=_TO_RUN if run else "offered")
    return noted(case, now, f"the contingency playbook {playbook} is {'to be run' if run else 'offered'}")


def to_run(cases: Iterable[Case]) -> list[Case]:
    """Cases whose contingency is configured to run and was not begun."""
    return [case for case in cases if case.contingency_outcome == _TO_RUN]


def begun(case: Case, now: datetime) -> Case:
    """The case with its contingency noted as begun; to be saved before it is."""
    return noted(msgspec.structs.replace(case, contingency_outcome=_BEGUN), now, "the contingency playbook is run")


def run_contingency(case: Case, runner: Runner, now: Callable[[], datetime]) -> tuple[Case, NoticeItem]:
    """Runs the playbook of a case, and tells what came of it; a refusal or failure is told like a success."""
    try:
        outcome, worked = runner(case), True
    except AuditorError as error:
        outcome, worked = error.message, False
    done = noted(msgspec.structs.replace(case, contingency_outcome=outcome), now(), outcome)
    playbook = case.contingency.playbook if case.contingency else ""
    title = f"{case.title}: the playbook {playbook} {'was run' if worked else 'was not run to its end'}"
    item = NoticeItem(kind="contingency", title=title, hosts=case.hosts, ref=case.id, text=(outcome,))
    return done, item


def close_by_hand(case: Case, now: datetime, reason: str, changes: Changes) -> Case:
    """Ends a case because a person says so."""
    case = msgspec.structs.replace(case, state="closed", outcome=case.outcome or "by_hand", closed_at=stamp(now.timestamp()))
    case = case if case.changes else _with_changes(case, now, changes)
    return noted(case, now, f"closed by hand: {reason}")


def _ended(case: Case) -> NoticeItem:
    back = case.outcome == "recurred"
    text = [*_came_back(case)] if back else [f"It stayed away for {case.days:g} days that were seen on each host, since {case.since}."]
    text += [f"The remedy was: {case.remedy}."] if case.remedy else []
    text += unseen_words(case)
    text += [f"Meanwhile, of another kind: {o.what} on {o.host} at {o.at}." for o in case.others[:5]]
    text += change_words(case)
    next_step = _next_step(case) if back else ""
    return NoticeItem(
        kind="case_recurred" if back else "case_clean",
        title=case.title,
        hosts=case.hosts,
        ref=case.id,
        text=tuple(text),
        next_step=next_step,
    )


def _came_back(case: Case) -> Iterable[str]:
    for sighting in case.sightings[:5]:
        yield f"{sighting.what} on {sighting.host} at {sighting.at}."
    if len(case.sightings) > 5:
        yield f"And {len(case.sightings) - 5} times more."


def _next_step(case: Case) -> str:
    if case.contingency is None:
        return f"auditor watch cases show {case.id}"
    hosts = ", ".join(case.hosts)
    if case.contingency.run:
        return f"The contingency playbook {case.contingency.playbook} is run on {hosts}; what comes of it is told."
    return f"Offered: the contingency playbook {case.contingency.playbook} for {hosts}. It is not run by itself."


def change_words(case: Case) -> list[str]:
    """The changes of that time, and that none of them is credited."""
    if not case.changes:
        return ["No change was seen in that time."]
    lead = "In that time these changes were made; none of them alone is taken for the reason:"
    rest = len(case.changes) - SHOWN_CHANGES
    shown = [f"{change.at} {change.host}: {change.what}" for change in case.changes[:SHOWN_CHANGES]]
    return [lead, *shown, *([f"And {rest} more."] if rest > 0 else [])]


def unseen_words(case: Case) -> list[str]:
    """Time that was not seen and therefore does not count."""
    return [f"Not seen and not counted: {w.host} from {s.start} to {s.end}, {s.reason}." for w in case.watched for s in w.unseen[:5]]


def _waiting(case: Case) -> NoticeItem:
    title = f"{case.title}: its {case.days:g} days are over, and it can't be closed yet"
    return NoticeItem(kind="case_waits", title=title, hosts=case.hosts, ref=case.id, text=waits_for(case))
