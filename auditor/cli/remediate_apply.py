"""`auditor remediate check` and `apply`: an approved plan in check mode, and for real; asks before each wave."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.asking import Asking, asking_flags
from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.interrupt import stopping
from auditor.cli.remediate_plan import place_flags
from auditor.cli.remediate_tools import MAX_AGE, Applying, playing, refuse_words, tools_for
from auditor.cli.say import Outputs, Renderings
from auditor.cli.waiving import waivers_flag
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.model.plan import CheckDocument, Plan, RemediationDocument, RemediationRecord

PLAN_FILE = click.Argument(["file"], metavar="PLAN", type=click.Path(path_type=Path, dir_okay=False))
VERDICT_CODES = (("still_there", 2), ("got_worse", 2), ("not_checked", 3))


def _shared_flags() -> list[click.Parameter]:
    path = click.Path(path_type=Path)
    hours = click.FloatRange(10, 86_400)
    return [
        flag("--secrets", type=path, metavar="FILE", help="YAML file of secrets, mode 0600; also AUDITOR_SECRET_<NAME>."),
        flag("--play-time", type=hours, default=3600.0, metavar="SECONDS", help="Time for one playbook over one wave."),
        *place_flags(),
        *(one for one in asking_flags() if one.name != "lab"),
    ]


@verb("check", PLAN_FILE, flag("--digest", metavar="SHA256", help="Refuse another plan than this one."), *_shared_flags())
def check(every: Everywhere, file: Path, digest: str | None, **values: Any) -> int:
    """Run PLAN in Ansible's check mode over its hosts: what each step would change. Changes nothing, keeps no record.

    Exits with 0 where everything could be tried, 3 where something is left to a person, 1 where a play failed or refused.
    """
    from auditor.remediation.check import check_plan
    from auditor.remediation.planfile import read_plan
    from auditor.remediation.tools import Limits
    from auditor.report.json_ import json_text
    from auditor.report.remediation import check_text

    outputs = Outputs.plan(every, ("table", "json"))
    options, asking = _split(values)
    refuse_words(every)
    plan, found = read_plan(file, digest)
    with stopping("stopping; nothing was changed") as stop:
        document = check_plan(plan, found, playing(every, options, asking, stop), Limits(deadline_seconds=options.play_time))
    outputs.emit({"table": lambda: check_text(document), "json": lambda: json_text(document)})
    outputs.say_files()
    return _check_code(document)


def _check_code(document: CheckDocument) -> int:
    outcomes = {host.outcome for host in document.hosts}
    if outcomes - {"would_change", "nothing_to_do", "person_needed", "done"} or any(host.reason for host in document.hosts):
        return 1
    return 3 if "person_needed" in outcomes or document.by_hand else 0


def _apply_flags() -> list[click.Parameter]:
    return [
        flag("--digest", required=True, metavar="SHA256", help="Digest of the plan that was approved."),
        flag("--yes", is_flag=True, help="Do not ask before each wave; needs --expect-hosts."),
        flag("--expect-hosts", type=click.IntRange(1), metavar="N", help="How many hosts the plan changes."),
        flag("--max-failures", type=click.IntRange(0), default=0, metavar="N", help="So many hosts may fail before it stops."),
        flag("--max-age", default=MAX_AGE, metavar="AGE", help="Refuse a plan whose evidence is older: 24h, 7d, 90m."),
        flag("--resume", is_flag=True, help="Go on with hosts that an interrupted or held application did not begin."),
        waivers_flag(),
        *_shared_flags(),
    ]


@verb("apply", PLAN_FILE, *_apply_flags())
def apply(every: Everywhere, file: Path, digest: str, **values: Any) -> int:
    """Apply exactly the PLAN with this digest, in waves, and say by reading again what came of each finding.

    Refused where the plan or a playbook was changed, its evidence is too old, a host has changed since, outside its window, or while
    somebody else changes one of its hosts. A step or a verification that fails stops it; what is declared to be taken back by itself is,
    the rest is told. Exits with 0 where all is fixed, 2 where a finding is still there or got worse, 3 where something was not checked or
    is left to a person, 1 where it was refused or failed.
    """
    from auditor.model.plan import RemediationDocument
    from auditor.remediation.apply import apply_plan
    from auditor.remediation.planfile import read_plan

    outputs = Outputs.plan(every, ("table", "json", "markdown"))
    options, asking = _split(values)
    refuse_words(every)
    plan, found = read_plan(file, digest)
    _refuse_unasked(plan, options)
    limits = _limits(options)
    words = "stopping when this wave is done and verified"
    with stopping(words) as stop, tools_for(every, options, asking, stop) as tools:
        record = apply_plan(plan, found, tools, limits, resume=options.resume)
        document = RemediationDocument(record=record, events=tuple(tools.store.remediation_events(record.id)))
    _show(outputs, document)
    return apply_code(record)


def _show(outputs: Outputs, document: RemediationDocument) -> None:
    outputs.emit(record_renderings(document, events=False))
    outputs.say_files()
    outputs.say(f"Every task: auditor remediate show {document.record.id}")


def record_renderings(document: RemediationDocument, *, events: bool = True) -> Renderings:
    """An application in every format that it has."""
    from auditor.report.json_ import json_text
    from auditor.report.remediation import record_text
    from auditor.report.remediation_markdown import record_markdown

    return {
        "table": lambda: record_text(document, events=events),
        "json": lambda: json_text(document),
        "markdown": lambda: record_markdown(document),
    }


def apply_code(record: RemediationRecord) -> int:
    """0 all fixed, 2 still there or worse, 3 not checked or left to a person, 1 refused, held or interrupted before anything was judged."""
    verdicts = {verdict.verdict for verdict in record.verdicts}
    if record.state == "refused":
        return 1
    for name, code in VERDICT_CODES:
        if name in verdicts and code == 2:
            return code
    if record.state != "finished":
        return 1
    return 3 if "not_checked" in verdicts or record.by_hand else 0


def _split(values: dict[str, Any]) -> tuple[Applying, Asking]:
    own = {name: values.pop(name) for name in Applying.__struct_fields__ if name in values}
    return Applying(**own), Asking(lab=None, **values)


def _limits(options: Applying) -> Any:
    from auditor.precheck import parse_age
    from auditor.remediation.tools import Limits

    age = parse_age(options.max_age).total_seconds()
    return Limits(max_age_seconds=age, max_failures=options.max_failures, deadline_seconds=options.play_time)


def _refuse_unasked(plan: Plan, options: Applying) -> None:
    """Nobody to ask and nobody who answered before: nothing is done."""
    if options.yes and options.expect_hosts is None:
        raise UsageError(
            "--yes needs --expect-hosts", next_step=f"Say how many hosts you expect to be changed; the plan says {plan.hosts}."
        )
    if options.expect_hosts is not None and options.expect_hosts != plan.hosts:
        raise UsageError(f"--expect-hosts {options.expect_hosts}: the plan changes {plan.hosts}", next_step="Look at the plan again.")
    if not options.yes and not sys.stdin.isatty():
        raise UsageError(
            "there is nobody to ask before each wave", next_step=f"Run it in a terminal, or with --yes --expect-hosts {plan.hosts}."
        )
