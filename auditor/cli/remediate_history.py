"""`auditor remediate history` and `show`: what was applied, by whom, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.say import Outputs, width
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.model.plan import RemediationDocument, RemediationRecord


@verb("history", flag("--host", metavar="HOST", help="Only applications of plans that change this host."))
def history(every: Everywhere, host: str | None) -> int:
    """List the applications of plans, the latest first. One whose process ended without a word is told as interrupted."""
    from auditor.report.json_ import json_text
    from auditor.report.remediation import history_table

    outputs = Outputs.plan(every, ("table", "json"))
    found = [record for record in _records(every) if host is None or _changes(record, host)]
    outputs.emit(
        {
            "table": lambda: history_table(found, width()),
            "json": lambda: json_text({"schema_version": 1, "applications": list(reversed(found))}),
        }
    )
    outputs.say_files()
    return 0


@verb("show", click.Argument(["name"], metavar="ID"))
def show(every: Everywhere, name: str) -> int:
    """Show an application: its waves, what became of each finding, what is left to a person, and every task. `last` is the latest."""
    from auditor.cli.remediate_apply import record_renderings

    outputs = Outputs.plan(every, ("table", "json", "markdown"))
    outputs.emit(record_renderings(_document(every, name)))
    outputs.say_files()
    return 0


def _records(every: Everywhere) -> list[RemediationRecord]:
    from auditor.remediation.process import has_ended
    from auditor.remediation.record import settle
    from auditor.store import default_path, open_store

    with open_store(every.store or default_path(), write=False) as store:
        return settle(store, datetime.now(UTC), has_ended, save=False)


def _document(every: Everywhere, name: str) -> RemediationDocument:
    from auditor.model.plan import RemediationDocument
    from auditor.store import default_path, open_store

    records = _records(every)
    fits = records[-1:] if name == "last" else [record for record in records if record.id.startswith(name)]
    if len(fits) != 1:
        why = f"{len(fits)} applications fit {name!r}" if fits else f"there is no application {name!r}"
        raise UsageError(why, next_step="`auditor remediate history` lists them.")
    with open_store(every.store or default_path(), write=False) as store:
        return RemediationDocument(record=fits[0], events=tuple(store.remediation_events(fits[0].id)))


def _changes(record: RemediationRecord, host: str) -> bool:
    return any(planned.host == host for action in record.plan.actions for planned in action.hosts)
