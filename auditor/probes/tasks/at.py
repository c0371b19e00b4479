"""The listing of `at` (removed in 2012) to `ScheduledTask`: jobs of the old scheduler service, run as the system account."""

from __future__ import annotations

import re

from auditor.model.task import ScheduledTask, TaskAction, TaskTrigger
from auditor.probes.recorded.layout import lines_of
from auditor.probes.recorded.moments import time_of_day
from auditor.probes.recorded.outcome import Outcome

_ROW = re.compile(
    r"(?:\s|(\S{1,20}(?: \S{1,20})?)\s)\s*(\d{1,5})\s{2,}(\S.{0,60}?)\s{2,}(\d{1,2}[:.]\d{2}\s?[^\s\d]{0,6}(?: [mM]\.)?)\s{2,}(\S.*)"
)
_RULE = re.compile(r"-{30,}\s*")


def looks_like_at(text: str) -> bool:
    """Whether a text holds the rule line of `at` and a row below it."""
    lines = lines_of(text[:65536])
    return any(_RULE.fullmatch(line) for line in lines) and any(_ROW.fullmatch(line) for line in lines)


def read_at(text: str) -> Outcome[ScheduledTask]:
    """The jobs of one listing. Days are kept as printed: they are localised letters."""
    outcome: Outcome[ScheduledTask] = Outcome()
    for line in lines_of(text):
        match = _ROW.fullmatch(line[:1000])
        if match:
            outcome.records.append(_task(match))
    return outcome


def _task(match: re.Match[str]) -> ScheduledTask:
    status, number, day, clock, command = match.groups()
    once = day.strip().isdigit() or len(day.split()) == 1
    start = time_of_day(clock)
    trigger = TaskTrigger(type="TimeTrigger" if once and start is None else "CalendarTrigger", start_time=start, text=f"{day} {clock}")
    return ScheduledTask(
        name=f"At{number}",
        enabled=None if status else True,
        triggers=(trigger,),
        actions=(TaskAction(command=command.split(None, 1)[0], arguments=(command.split(None, 1)[1:] or [None])[0], line=command),),
        source_format="at",
    )
