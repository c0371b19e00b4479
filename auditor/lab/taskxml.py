"""A task from Vista and Server 2008 on, as the XML that Task Scheduler keeps. Pure.

Source: the public Task Scheduler schema (http://schemas.microsoft.com/windows/2004/02/mit/task).
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from auditor.lab.clock import Dial
from auditor.lab.facts_activity import TaskFacts, TriggerFacts

_NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_TAGS = {"once": "TimeTrigger", "boot": "BootTrigger", "logon": "LogonTrigger", "idle": "IdleTrigger"}


def task_xml(path: str, task: TaskFacts, dial: Dial) -> str:
    """The task's XML with CR LF lines; its own text where the facts have one."""
    if task.xml is not None:
        return dial.expand(task.xml).replace("\r\n", "\n").replace("\n", "\r\n")
    lines = ['<?xml version="1.0" encoding="UTF-16"?>', f'<Task version="1.2" xmlns="{_NAMESPACE}">', "  <RegistrationInfo>"]
    lines += [_leaf("    ", tag, text) for tag, text in (("Author", task.author), ("Description", task.description), ("URI", path)) if text]
    lines += ["  </RegistrationInfo>", "  <Triggers>"]
    for trigger in task.triggers:
        lines += _trigger(trigger, dial)
    lines += ["  </Triggers>", *_principal(task), *_settings(task), *_actions(task), "</Task>"]
    return "\r\n".join(lines)


def change_xml(text: str, *, enabled: bool | None = None, at: tuple[int, int, int] | None = None) -> str:
    """A task's own text, disabled or enabled, or with its one start moved to another time of day; everything else as it was."""
    if at is not None:
        text = re.sub(r"(<StartBoundary>\d{4}-\d\d-\d\d)T[\d:]+", rf"\1T{at[0]:02}:{at[1]:02}:{at[2]:02}", text)
    if enabled is None:
        return text
    head, settings, rest = text.partition("<Settings>")
    inside, end, tail = rest.partition("</Settings>")
    leaf = f"<Enabled>{str(enabled).lower()}</Enabled>"
    inside, count = re.subn(r"<Enabled>\s*\w+\s*</Enabled>", leaf, inside)
    return f"{head}{settings}{inside}{'' if count else leaf}{end}{tail}"


def _leaf(indent: str, tag: str, text: str) -> str:
    return f"{indent}<{tag}>{escape(text)}</{tag}>"


def _principal(task: TaskFacts) -> list[str]:
    lines = ["  <Principals>", '    <Principal id="Author">', _leaf("      ", "UserId", task.user)]
    if not task.user.startswith("S-1-5-1") and task.user != "S-1-5-20":
        lines.append("      <LogonType>Password</LogonType>")
    if task.highest:
        lines.append("      <RunLevel>HighestAvailable</RunLevel>")
    return [*lines, "    </Principal>", "  </Principals>"]


def _settings(task: TaskFacts) -> list[str]:
    words = {"MultipleInstancesPolicy": "IgnoreNew", "DisallowStartIfOnBatteries": "true", "StopIfGoingOnBatteries": "true"}
    words |= {"AllowHardTerminate": "true", "Enabled": str(task.enabled).lower(), "Hidden": str(task.hidden).lower()}
    words |= {"ExecutionTimeLimit": "P3D", "Priority": "7"}
    return ["  <Settings>", *(_leaf("    ", tag, text) for tag, text in words.items()), "  </Settings>"]


def _actions(task: TaskFacts) -> list[str]:
    parts = (("Command", task.command or ""), ("Arguments", task.arguments), ("WorkingDirectory", task.directory))
    inside = [_leaf("      ", tag, text) for tag, text in parts if text]
    return ['  <Actions Context="Author">', "    <Exec>", *inside, "    </Exec>", "  </Actions>"]


def _trigger(trigger: TriggerFacts, dial: Dial) -> list[str]:
    tag = _TAGS.get(trigger.kind, "CalendarTrigger")
    lines = [f"    <{tag}>"]
    if trigger.every_minutes:
        lines += ["      <Repetition>", _leaf("        ", "Interval", f"PT{trigger.every_minutes}M")]
        if trigger.duration_minutes:
            lines.append(_leaf("        ", "Duration", f"PT{trigger.duration_minutes}M"))
        lines += ["        <StopAtDurationEnd>false</StopAtDurationEnd>", "      </Repetition>"]
    if tag in ("CalendarTrigger", "TimeTrigger"):
        start = dial.zone.to_local(dial.moment(trigger.start))
        lines.append(_leaf("      ", "StartBoundary", start.strftime("%Y-%m-%dT%H:%M:%S")))
    lines += [_leaf("      ", "Enabled", str(trigger.enabled).lower()), *_calendar(trigger), f"    </{tag}>"]
    return lines


def _calendar(trigger: TriggerFacts) -> list[str]:
    if trigger.kind == "daily":
        return ["      <ScheduleByDay>", _leaf("        ", "DaysInterval", str(trigger.interval)), "      </ScheduleByDay>"]
    if trigger.kind == "weekly":
        days = [f"          <{day} />" for day in trigger.days]
        inside = [_leaf("        ", "WeeksInterval", str(trigger.interval)), "        <DaysOfWeek>", *days, "        </DaysOfWeek>"]
        return ["      <ScheduleByWeek>", *inside, "      </ScheduleByWeek>"]
    if trigger.kind == "monthly":
        days = [_leaf("          ", "Day", str(day)) for day in trigger.days_of_month]
        return ["      <ScheduleByMonth>", "        <DaysOfMonth>", *days, "        </DaysOfMonth>", "      </ScheduleByMonth>"]
    return []
