"""Task Scheduler XML (MS-TSCH 2.5) and Group Policy Preferences tasks (MS-GPPREF, ScheduledTasks) to `ScheduledTask`.

Rules of this file:
1. The text was decoded before; a declaration's encoding is not believed. Element names decide, not their namespace.
2. A broken task costs itself only: the others of the same text are read, and its error says line and column as in the text.
3. Document types and entities are refused, sizes are bounded before parsing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import ParseError

import msgspec
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from auditor.model.task import Repetition, ScheduledTask, TaskAction, TaskPrincipal, TaskTrigger
from auditor.probes.recorded.outcome import Fault, Outcome, failed

MAX_ELEMENTS = 500_000
MAX_CHARACTERS = 32 * 1024 * 1024
_DECLARATION = re.compile(r"<\?xml\b[^>]{0,300}\?>", re.IGNORECASE)
_TASK_START = re.compile(r"<(?:[\w.-]{1,40}:)?Task(?=[\s>/])")
_ROOT = re.compile(r"<((?:[\w.-]{1,40}:)?(?:Tasks|TaskV2|Task|ScheduledTasks|ImmediateTaskV2|ImmediateTask))(?=[\s>/])")
_POSITION = re.compile(r": line \d+, column \d+$")
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_SCHEDULES = ("ScheduleByDay", "ScheduleByWeek", "ScheduleByMonth", "ScheduleByMonthDayOfWeek")
_GPP_ITEMS = ("Task", "TaskV2", "ImmediateTask", "ImmediateTaskV2")
_OLD_TYPES: dict[str, tuple[str, str | None]] = {
    "DAILY": ("CalendarTrigger", "ScheduleByDay"),
    "WEEKLY": ("CalendarTrigger", "ScheduleByWeek"),
    "MONTHLY": ("CalendarTrigger", "ScheduleByMonth"),
    "ONCE": ("TimeTrigger", None),
    "STARTUP": ("BootTrigger", None),
    "LOGON": ("LogonTrigger", None),
    "IDLE": ("IdleTrigger", None),
}
_ACTION_KINDS = {"Exec": "exec", "ComHandler": "com", "SendEmail": "email", "ShowMessage": "message"}


def looks_like_task_xml(text: str) -> bool:
    """Whether a text is, or was meant to be, task XML."""
    head = text[:65536]
    return bool(_ROOT.search(head))


def read_xml(text: str, path: str | None = None) -> Outcome[ScheduledTask]:
    """Every task of a text, or a fault in its place. `path` is the task's path where the source of the text knows it."""
    if len(text) > MAX_CHARACTERS or text.count("<") > MAX_ELEMENTS:
        return failed(f"more than {MAX_CHARACTERS} characters or {MAX_ELEMENTS} tags: not read")
    outcome: Outcome[ScheduledTask] = Outcome()
    for start, piece in _documents(text):
        for result in _read_document(text, start, piece, path):
            (outcome.faults if isinstance(result, Fault) else outcome.records).append(result)  # type: ignore[arg-type]
    return outcome if outcome.rows else failed("no <Task> element", "line 1")


def beside_xml(text: str) -> str:
    """What stands around the documents of a text, each character of them a blank, so that lines keep their numbers."""
    for start, piece in _documents(text):
        text = text[:start] + re.sub(r"[^\n]", " ", piece) + text[start + len(piece) :]
    return text


def _documents(text: str) -> Iterator[tuple[int, str]]:
    """The XML documents that stand one after the other in a text, without what is printed around them."""
    starts = [m.start() for m in _DECLARATION.finditer(text)]
    cuts = sorted({0, *starts, len(text)})
    for start, end in itertools.pairwise(cuts):
        piece = text[start:end]
        root = _ROOT.search(piece)
        if root:
            closing = piece.rfind(f"</{root.group(1)}>")
            last = closing + len(root.group(1)) + 3 if closing > root.start() else piece.rfind(">") + 1
            yield start + root.start(), piece[root.start() : last]


def _read_document(text: str, start: int, piece: str, path: str | None) -> list[ScheduledTask | Fault]:
    try:
        root = _parse(piece)
    except TaskSyntaxError as error:
        blocks = _blocks(piece)
        if len(blocks) > 1:
            return [result for at, block in blocks for result in _read_document(text, start + at, block, path)]
        return [Fault(place=_place(text, start, error.line, error.column), message=error.reason)]
    name = _local(root.tag)
    if name == "ScheduledTasks" or name in _GPP_ITEMS[1:]:
        return _read_preferences(root)
    if name == "Tasks":
        return [_read_task(task, found) for task, found in zip(_children(root, "Task"), _paths(piece), strict=False)]
    return [_read_task(root, path or _comment_before(text, start))]


class TaskSyntaxError(Exception):
    """Not well-formed, or refused; line (from 1) and column (from 0) inside the piece."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason)
        self.reason, self.line, self.column = reason, line, column


def _parse(piece: str) -> Any:
    try:
        return fromstring(piece, forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise TaskSyntaxError(_POSITION.sub("", str(error)), line, column) from error
    except DefusedXmlException as error:
        raise TaskSyntaxError(f"refused: {type(error).__name__}", 1, 0) from error
    except (ValueError, LookupError, RecursionError) as error:
        raise TaskSyntaxError(str(error) or type(error).__name__, 1, 0) from error


def _blocks(piece: str) -> list[tuple[int, str]]:
    """A broken collection cut at each <Task>, so that one broken task costs itself only."""
    starts = [m.start() for m in _TASK_START.finditer(piece)]
    cuts = [*starts, len(piece)]
    blocks = []
    for start, end in itertools.pairwise(cuts):
        block = piece[start:end]
        close = re.search(r"</(?:[\w.-]{1,40}:)?Task\s*>", block)
        blocks.append((start, block[: close.end()] if close else block))
    return blocks


def _place(text: str, start: int, line: int, column: int) -> str:
    before = text.count("\n", 0, start)
    if line == 1:
        column += start - (text.rfind("\n", 0, start) + 1)
    return f"line {before + line}, column {column}"


def _comment_before(text: str, start: int) -> str | None:
    """The path in a comment right above a place: that is how `schtasks /query /xml` names tasks."""
    above = text[max(0, start - 1200) : start].rstrip()
    opening = above.rfind("<!--")
    if opening < 0 or not above.endswith("-->"):
        return None
    path = above[opening + 4 : -3].strip()
    return path if path.startswith("\\") and "\n" not in path else None


def _paths(piece: str) -> list[str | None]:
    return [_comment_before(piece, m.start()) for m in _TASK_START.finditer(piece)]


def _local(tag: Any) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _children(element: Any, name: str) -> list[Any]:
    return [child for child in element if _local(child.tag) == name]


def _child(element: Any, name: str) -> Any:
    return next(iter(_children(element, name)), None) if element is not None else None


def _text(element: Any, name: str) -> str | None:
    child = _child(element, name)
    if child is None:
        return None
    return "".join(child.itertext()).strip() or None


def _flag(element: Any, name: str, default: bool | None = None) -> bool | None:
    value = (_text(element, name) or "").casefold()
    return True if value in ("true", "1") else False if value in ("false", "0") else default


def _read_task(task: Any, path: str | None) -> ScheduledTask:
    registration, settings = _child(task, "RegistrationInfo"), _child(task, "Settings")
    path = path or _text(registration, "URI")
    triggers = _child(task, "Triggers")
    actions = _child(task, "Actions")
    return ScheduledTask(
        name=path.rpartition("\\")[2] or None if path else None,
        path=path,
        # Settings/Enabled and Hidden have defaults in the schema: true and false.
        enabled=_flag(settings, "Enabled", True),
        hidden=_flag(settings, "Hidden", False),
        author=_text(registration, "Author"),
        description=_text(registration, "Description"),
        registered=_text(registration, "Date"),
        version=task.get("version"),
        triggers=tuple(_trigger(t) for t in triggers if _local(t.tag)) if triggers is not None else (),
        principal=_principal(task, actions),
        actions=tuple(_action(a) for a in actions if _local(a.tag)) if actions is not None else (),
        settings={_local(s.tag): s.text.strip() for s in settings if len(s) == 0 and s.text} if settings is not None else {},
        source_format="xml",
    )


def _principal(task: Any, actions: Any) -> TaskPrincipal | None:
    """The principal that the actions run in, else the only or first one."""
    group = _child(task, "Principals")
    found = _children(group, "Principal") if group is not None else []
    if not found:
        return None
    context = actions.get("Context") if actions is not None else None
    chosen = next((p for p in found if context and p.get("id") == context), found[0])
    return TaskPrincipal(
        user_id=_text(chosen, "UserId"),
        group_id=_text(chosen, "GroupId"),
        logon_type=_text(chosen, "LogonType"),
        run_level=_text(chosen, "RunLevel"),
    )


def _action(action: Any) -> TaskAction:
    name = _local(action.tag)
    kind = _ACTION_KINDS.get(name, "unknown")
    return TaskAction(
        kind=kind,  # type: ignore[arg-type]
        command=_text(action, "Command"),
        arguments=_text(action, "Arguments"),
        working_directory=_text(action, "WorkingDirectory"),
        class_id=_text(action, "ClassId"),
    )


def _trigger(trigger: Any) -> TaskTrigger:
    schedule = next((c for c in trigger if _local(c.tag) in _SCHEDULES), None)
    return TaskTrigger(
        type=_local(trigger.tag),
        enabled=_flag(trigger, "Enabled", True),
        start=_text(trigger, "StartBoundary"),
        end=_text(trigger, "EndBoundary"),
        schedule=_local(schedule.tag) if schedule is not None else None,
        days_interval=_number(_text(schedule, "DaysInterval")),
        weeks_interval=_number(_text(schedule, "WeeksInterval")),
        days_of_week=_ordered(_child(schedule, "DaysOfWeek"), _DAYS),
        months=_ordered(_child(schedule, "Months"), _MONTHS),
        days_of_month=_texts(_child(schedule, "DaysOfMonth")),
        weeks=_texts(_child(schedule, "Weeks")),
        delay=_text(trigger, "RandomDelay") or _text(trigger, "Delay"),
        user_id=_text(trigger, "UserId"),
        subscription=_text(trigger, "Subscription"),
        repetition=_repetition(_child(trigger, "Repetition")),
    )


def _repetition(element: Any) -> Repetition | None:
    if element is None:
        return None
    return Repetition(
        interval=_text(element, "Interval"),
        duration=_text(element, "Duration"),
        stop_at_duration_end=_flag(element, "StopAtDurationEnd", False),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _ordered(element: Any, order: tuple[str, ...]) -> tuple[str, ...] | None:
    if element is None:
        return None
    names = {_local(c.tag) for c in element}
    return tuple(name for name in order if name in names)


def _texts(element: Any) -> tuple[str, ...] | None:
    return tuple(c.text.strip() for c in element if c.text) if element is not None else None


def _read_preferences(root: Any) -> list[ScheduledTask | Fault]:
    """MS-GPPREF: items with a <Properties> that holds a whole <Task>, or, for the older items, attributes only."""
    items = [root] if _local(root.tag) in _GPP_ITEMS else [i for i in root.iter() if _local(i.tag) in _GPP_ITEMS and i.get("clsid")]
    return [_preference(item) for item in items]


def _preference(item: Any) -> ScheduledTask:
    properties = _child(item, "Properties")
    policy = {k: v for k, v in (*item.items(), *(properties.items() if properties is not None else ())) if not _secret(k)}
    policy = {"element": _local(item.tag), **{k: v for k, v in policy.items() if k not in ("clsid", "image", "uid", "name")}}
    name = item.get("name") or (properties.get("name") if properties is not None else None)
    task = _child(properties, "Task")
    if task is not None:
        inner = _read_task(task, None)
        return msgspec.structs.replace(inner, name=name or inner.name, policy=policy, source_format="gpp_xml")
    return _old_preference(name, policy, _child(properties, "Triggers"))


def _secret(attribute: str) -> bool:
    return "password" in attribute.casefold()


def _old_preference(name: str | None, policy: dict[str, str], triggers: Any) -> ScheduledTask:
    action = TaskAction(
        command=policy.get("appName"), arguments=policy.get("args") or None, working_directory=policy.get("startIn") or None
    )
    return ScheduledTask(
        name=name,
        enabled={"1": True, "0": False}.get(policy.get("enabled", "")),
        description=policy.get("comment") or None,
        triggers=tuple(_old_trigger(t) for t in _children(triggers, "Trigger")) if triggers is not None else None,
        principal=TaskPrincipal(user_id=policy["runAs"]) if policy.get("runAs") else None,
        actions=(action,),
        policy=policy,
        source_format="gpp_xml",
    )


def _old_trigger(trigger: Any) -> TaskTrigger:
    """A trigger of the items from before TaskV2: attributes type, startHour, startMinutes, beginYear, beginMonth, beginDay, interval."""
    kind = (trigger.get("type") or "").upper()
    type_, schedule = _OLD_TYPES.get(kind, (None, None))
    parts = [_number(trigger.get(n)) for n in ("beginYear", "beginMonth", "beginDay", "startHour", "startMinutes")]
    known = [p for p in parts if p is not None]
    start = (
        "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:00".format(*known) if len(known) == 5 and type_ in ("CalendarTrigger", "TimeTrigger") else None
    )
    return TaskTrigger(type=type_, schedule=schedule, start=start, enabled=True, text=kind or None)
