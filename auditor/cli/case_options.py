"""Words of `auditor watch cases open` -> a case. Every mistake is told with an example; nothing is read here."""

from __future__ import annotations

import re
from datetime import datetime

import click
import msgspec

from auditor.cli.flags import flag
from auditor.model.case import Case, CaseCondition, CaseTrigger, Contingency, EventPattern
from auditor.model.errors import UsageError
from auditor.model.times import stamp

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_EVENT = re.compile(r"(system|application)/([^\x00-\x1f]+?)/([0-9]{1,5})(?:/(.*))?", re.IGNORECASE)
_LOGS = {"system": "System", "application": "Application"}


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the options of a new case."""

    title: str
    host: tuple[str, ...]
    bugcheck: tuple[str, ...]
    bucket: tuple[str, ...]
    event: tuple[str, ...]
    days: float
    since: str | None
    remedy: str
    trigger: str | None
    times: int
    trigger_host: tuple[str, ...]
    contingency: str | None
    run_contingency: bool
    id: str | None


def opening_flags() -> list[click.Parameter]:
    """The options of a new case."""
    event = "LOG/SOURCE/ID[/TEXT]"
    return [
        flag("--title", required=True, metavar="TEXT", help="What the trouble is."),
        flag("--host", multiple=True, required=True, metavar="HOST", help="Host to be observed; may be repeated."),
        flag("--bugcheck", multiple=True, metavar="CODE", help="Stop code, for example 0x8e; may be repeated."),
        flag("--bucket", multiple=True, metavar="TEXT", help="Failure bucket; may be repeated."),
        flag("--event", multiple=True, metavar=event, help="Event of the System or Application log; may be repeated."),
        flag("--days", type=click.FloatRange(0.01, 3650), default=14.0, metavar="DAYS", help="How long it has to stay away, of time seen."),
        flag("--since", metavar="TIME", help="When the remedy was done, as 2026-11-26T01:00:00Z.  [default: now]"),
        flag("--remedy", default="", metavar="TEXT", help="What was done.", show_default=False),
        flag("--trigger", metavar=event, help="Event that has to come again, for example a definition update."),
        flag("--times", type=click.IntRange(1, 1000), default=1, metavar="K", help="How often the trigger has to come, on each host."),
        flag("--trigger-host", multiple=True, metavar="HOST", help="Host that logs the trigger.  [default: the observed ones]"),
        flag("--contingency", metavar="PLAYBOOK", help="Playbook to offer if it comes back."),
        flag("--run-contingency", is_flag=True, help="Run that playbook without asking."),
        flag("--id", metavar="ID", help="Id of the case.  [default: made of the title]"),
    ]


def case_of(options: Opening, now: datetime) -> Case:
    """The case that these options mean. Raises UsageError."""
    conditions = [CaseCondition(kind="bugcheck", code=_code(text)) for text in options.bugcheck]
    conditions += [CaseCondition(kind="bucket", bucket=_filled("--bucket", text)) for text in options.bucket]
    conditions += [CaseCondition(kind="event", event=event_of("--event", text)) for text in options.event]
    if not conditions:
        raise UsageError("say what to watch for: --bugcheck, --bucket or --event", next_step="For example --bugcheck 0x8e.")
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Case(
        id=_id(options),
        title=_filled("--title", options.title),
        opened_at=at,
        since=_since(options.since, now) or at,
        remedy=options.remedy.strip(),
        hosts=tuple(dict.fromkeys(options.host)),
        conditions=tuple(conditions),
        days=options.days,
        trigger=_trigger(options),
        contingency=_contingency(options),
    )


def _trigger(options: Opening) -> CaseTrigger | None:
    if options.trigger is None:
        if options.trigger_host:
            raise UsageError("--trigger-host needs --trigger", next_step="Name the event with --trigger LOG/SOURCE/ID.")
        return None
    return CaseTrigger(event=event_of("--trigger", options.trigger), times=options.times, hosts=tuple(dict.fromkeys(options.trigger_host)))


def _contingency(options: Opening) -> Contingency | None:
    if options.contingency is None:
        if options.run_contingency:
            raise UsageError("--run-contingency needs --contingency", next_step="Name the playbook with --contingency.")
        return None
    if not _ID.fullmatch(options.contingency):
        raise UsageError(f"--contingency {options.contingency!r} is no name of a playbook", next_step="Give its name, without a path.")
    return Contingency(playbook=options.contingency, run=options.run_contingency)


def _id(options: Opening) -> str:
    if options.id is None:
        return re.sub(r"[^a-z0-9]+", "-", options.title.casefold()).strip("-")[:60] or "case"
    if not _ID.fullmatch(options.id):
        raise UsageError(f"--id {options.id!r} is no id", next_step="Use letters, digits, dot, dash and underscore, at most 80.")
    return options.id


def _code(text: str) -> str:
    from auditor.model.crash import base_code, hex_text

    if not re.fullmatch(r"(?:0x)?[0-9a-fA-F]{1,8}", text):
        raise UsageError(f"--bugcheck {text!r} is no stop code", next_step="For example 0x8e or 0000008E.")
    return hex_text(base_code(int(text, 16)))


def event_of(name: str, text: str) -> EventPattern:
    """An event as it is written on the command line. `name` is the option. Raises UsageError."""
    match = _EVENT.fullmatch(text.strip())
    if match is None or int(match.group(3)) > 65_535:
        step = "For example System/BugCheck/1001, or Application/Symantec AntiVirus/7."
        raise UsageError(f"{name} {text!r}: expected LOG/SOURCE/ID[/TEXT] of System or Application", next_step=step)
    log, source, number, words = match.groups()
    return EventPattern(log=_LOGS[log.casefold()], source=source.strip(), id=int(number), text=words or "")


def _filled(name: str, text: str) -> str:
    if not text.strip():
        raise UsageError(f"{name} is empty", next_step="Give it a text.")
    return text.strip()


def _since(text: str | None, now: datetime) -> str | None:
    if text is None:
        return None
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        since = None
    if since is None or since.tzinfo is None:
        raise UsageError(f"--since {text!r}: expected a time with its zone", next_step="For example 2026-11-26T01:00:00Z.")
    if since > now:
        raise UsageError(f"--since {text!r} lies in the future", next_step="Give the time at which the remedy was done.")
    return stamp(since)
