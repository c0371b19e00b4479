"""How `auditor watch` runs the contingency playbook of a case: only with --run-contingencies, as a plan that is applied and recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from auditor.cli.asking import Asking
from auditor.cli.flags import Everywhere, flag
from auditor.cli.remediate_plan import place_flags
from auditor.cli.remediate_tools import Applying, tools_for
from auditor.cli.remediate_values import given_values

if TYPE_CHECKING:
    from auditor.model.case import Case


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the options of contingencies."""

    run_contingencies: bool
    values: tuple[Path, ...]
    secrets: Path | None
    allow_restart: bool
    play_time: float
    playbooks: Path | None
    collections: Path | None
    operator_inventory: tuple[Path, ...]


def running_flags() -> list[click.Parameter]:
    """The options of contingencies."""
    path = click.Path(path_type=Path)
    return [
        flag("--run-contingencies", is_flag=True, help="Run the playbooks of cases that were opened with --run-contingency."),
        flag("--values", type=path, multiple=True, metavar="FILE", help="YAML file of values for these playbooks; may be repeated."),
        flag("--secrets", type=path, metavar="FILE", help="YAML file of secrets for them, mode 0600; also AUDITOR_SECRET_<NAME>."),
        flag("--allow-restart", is_flag=True, help="Let them restart hosts where they need it."),
        flag(
            "--play-time",
            type=click.FloatRange(10, 86_400),
            default=3600.0,
            metavar="SECONDS",
            help="Time for one of them.",
        ),
        *place_flags(),
    ]


def runner_of(every: Everywhere, options: Running, asking: Asking) -> Callable[[Case], str] | None:
    """Runs the playbook of a case; None where this watch was not told to run any. Broken values are told before the first round."""
    if not options.run_contingencies:
        return None
    values = given_values((), options.values)

    def run(case: Case) -> str:
        from auditor.cli.matrix import load
        from auditor.matrix.remedies import load_remedies
        from auditor.model.places import shipped
        from auditor.playbooks import find_collections
        from auditor.remediation.contingency import run_contingency
        from auditor.remediation.tools import Limits

        applying = Applying(
            playbooks=options.playbooks,
            collections=options.collections,
            operator_inventory=options.operator_inventory,
            secrets=options.secrets,
            play_time=options.play_time,
            yes=True,
        )
        folder = options.playbooks or shipped("playbooks")
        with tools_for(every, applying, asking, threading.Event()) as tools:
            return run_contingency(
                case,
                tools,
                load(every),
                load_remedies(folder),
                folder=folder,
                collections=find_collections(options.collections),
                values=values,
                restart_allowed=options.allow_restart,
                limits=Limits(deadline_seconds=options.play_time),
            )

    return run
