"""`auditor explain`: a finding's chain of evidence, down to the stored records."""

from __future__ import annotations

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.say import Outputs, width
from auditor.model.errors import UsageError
from auditor.model.finding import Finding, Report

SHOWN = 8


@verb(
    "explain",
    click.Argument(["finding"]),
    flag("--run", metavar="RUN", help="Id of a run.  [default: the last one with a report]"),
)
def explain(every: Everywhere, finding: str, run: str | None) -> int:
    """Walk the chain of a FINDING (its id, or enough of it to be unique).

    Shows the rule, the hosts, the evidence down to the stored records, the ties between hosts, and what is missing to decide.
    """
    from auditor.report.chain import follow
    from auditor.report.explanation import explanation
    from auditor.report.json_ import json_text
    from auditor.store import default_path, open_store

    outputs = Outputs.plan(every, ("table", "json"))
    with open_store(every.store or default_path(), write=False) as store:
        report = store.read_report(run)
        chosen = choose(report, finding)
        stored = {host.target.name: host.result.snapshot for host in store.results_of(report.run.id)}
    chain = follow(chosen, {name: snapshot for name, snapshot in stored.items() if snapshot is not None})
    outputs.emit({"table": lambda: explanation(chain, width=width()), "json": lambda: json_text(chain)})
    outputs.say_files()
    return 0


def choose(report: Report, prefix: str) -> Finding:
    """The one finding (or undetermined check) whose id starts like this. Raises UsageError where none or several do."""
    accepted = (waived.finding for waived in report.waived)
    found = [f for f in (*report.findings, *report.undetermined, *accepted) if f.id.startswith(prefix.lower())]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"run {report.run.id} has no finding {prefix!r}", next_step="`auditor report` lists the ids; --run names another run."
        )
    several = ", ".join(f"{f.id} ({f.rule})" for f in found[:SHOWN])
    raise UsageError(f"{len(found)} findings start with {prefix!r}: {several}", next_step="Give more of the id.")
