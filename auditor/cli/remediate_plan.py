"""`auditor remediate plan`: findings of the last report -> a plan in a file of its own, and the digest to approve it by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.inventory import inventory_flags
from auditor.cli.remediate_values import given_values, ways_of, window_of
from auditor.cli.say import Outputs, width
from auditor.model.errors import UsageError
from auditor.model.times import stamp

if TYPE_CHECKING:
    from auditor.inventory import Inventory
    from auditor.model.plan import Plan
    from auditor.model.rule import Matrix
    from auditor.remediation.gather import Chosen

DEFAULT_FILE = Path("remediation-plan.yml")


class Planning(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the options of a plan."""

    finding: tuple[str, ...]
    rule: tuple[str, ...]
    host: tuple[str, ...]
    remedy: str | None
    without_finding: bool
    set: tuple[str, ...]
    values: tuple[Path, ...]
    way: tuple[str, ...]
    apart: tuple[str, ...]
    window: str | None
    allow_restart: bool
    plan: Path
    playbooks: Path | None
    collections: Path | None
    operator_inventory: tuple[Path, ...]
    trust_inventory: bool
    vault_password_file: tuple[Path, ...]


def place_flags() -> list[click.Parameter]:
    """Options of where playbooks and what they need lie."""
    path = click.Path(path_type=Path)
    return [
        flag("--playbooks", type=path, metavar="DIR", help="Folder of playbooks.  [default: the shipped ones]"),
        flag("--collections", type=path, metavar="DIR", help="Folder of ansible.windows and community.windows.  [default: searched]"),
        flag(
            "--operator-inventory",
            type=path,
            multiple=True,
            metavar="PATH",
            help="Inventory whose account changes hosts; may be repeated.  [default: -i]",
        ),
    ]


def _flags() -> list[click.Parameter]:
    path = click.Path(path_type=Path)
    return [
        flag("--finding", multiple=True, metavar="ID", help="A finding of the last report, or the beginning of its id; may be repeated."),
        flag("--rule", multiple=True, metavar="ID", help="All findings of a rule; may be repeated."),
        flag("--host", multiple=True, metavar="HOST", help="Change only this host; alone: for all its findings; may be repeated."),
        flag("--remedy", metavar="PLAYBOOK", help="This playbook in place of the rules' own."),
        flag("--without-finding", is_flag=True, help="Order --remedy on --host, whatever was found."),
        flag("--set", multiple=True, metavar="HOST:NAME=VALUE", help="A value that a playbook needs; * is every host."),
        flag("--values", type=path, multiple=True, metavar="FILE", help="YAML file of values: `HOST: {NAME: VALUE}`; may be repeated."),
        flag(
            "--way", multiple=True, metavar="HOST=WAY", help="How a host is changed: modules, raw or person.  [default: by its PowerShell]"
        ),
        flag("--apart", multiple=True, metavar="GROUP", help="Inventory group of which no two hosts are changed at once; may be repeated."),
        flag("--window", metavar="START/END", help="Maintenance window outside which the plan is refused."),
        flag("--allow-restart", is_flag=True, help="Let plays restart hosts where they need it."),
        flag("--plan", type=path, default=DEFAULT_FILE, show_default=True, metavar="FILE", help="Where the plan is written."),
        *place_flags(),
        *inventory_flags(),
    ]


@verb("plan", *_flags())
def plan(every: Everywhere, **values: object) -> int:
    """Make a plan from findings of the last report: which host is changed how, in which order, and what takes it back.

    Asks and changes no host. The plan is a YAML file for its owner's eyes; `check` tries it, `apply` takes it with its digest. Values that
    nobody confirmed are set by a person; those that are missing are listed, and such a plan can't be applied. With -i or
    --operator-inventory only hosts that it reaches are planned. Exits with 0, or with 3 where values are missing or something is left to a
    person.
    """
    from auditor.cli.matrix import load
    from auditor.model.plan import missing_values
    from auditor.remediation.planfile import write_plan
    from auditor.report.json_ import json_text
    from auditor.report.remediation import plan_text
    from auditor.report.remediation_markdown import plan_markdown

    outputs = Outputs.plan(every, ("table", "json", "markdown"))
    options = msgspec.convert(values, type=Planning)
    found = _made(every, options, load(every))
    digest = write_plan(options.plan, found)
    document = {"schema_version": 1, "file": str(options.plan), "digest": digest, "plan": found}
    outputs.emit(
        {
            "table": lambda: plan_text(found, width()),
            "json": lambda: json_text(document),
            "markdown": lambda: plan_markdown(found, digest),
        }
    )
    outputs.say_files()
    outputs.say(f"The plan is in {options.plan}; its digest is {digest}")
    missing = missing_values(found)
    if missing:
        outputs.say("Values are missing: set them with --set or --values, and make the plan again.")
    else:
        outputs.say(f"Next: auditor remediate check {options.plan}, then auditor remediate apply {options.plan} --digest {digest}")
    return 3 if missing or found.by_hand else 0


def _made(every: Everywhere, options: Planning, matrix: Matrix) -> Plan:
    from auditor import __version__
    from auditor.analysis.planning.facts import Made
    from auditor.analysis.planning.plan import make_plan
    from auditor.matrix.remedies import load_remedies
    from auditor.model.places import shipped
    from auditor.playbooks import find_collections
    from auditor.remediation.gather import gather, refuse_without_collections
    from auditor.remediation.process import applicant
    from auditor.store import default_path, open_store

    window = window_of(options.window)
    inventory = _inventory(every, options)
    chosen = _chosen(options, inventory.groups if inventory else {}, every.limit is not None)
    folder = options.playbooks or shipped("playbooks")
    with open_store(every.store or default_path(), write=False) as store:
        request, report, undetermined = gather(
            store,
            matrix,
            load_remedies(folder),
            chosen,
            folder=folder,
            collections=find_collections(options.collections),
            reachable=None if inventory is None else {target.name for target in inventory.targets},
        )
    made = Made(
        at=stamp(datetime.now(UTC)),
        by=applicant().who,
        auditor=__version__,
        matrix_digest=matrix.digest,
        run=report.run.id,
        window=window,
        restart_allowed=options.allow_restart,
    )
    found = make_plan(request, made, undetermined)
    refuse_without_collections(found)
    return found


def _inventory(every: Everywhere, options: Planning) -> Inventory | None:
    from auditor.inventory import load_inventory

    sources = options.operator_inventory or every.inventory
    if not sources:
        return None
    return load_inventory(sources, limit=every.limit, trust=options.trust_inventory, vault_password_files=options.vault_password_file)


def _chosen(options: Planning, groups: Mapping[str, tuple[str, ...]], limited: bool) -> Chosen:
    from auditor.remediation.gather import Chosen

    if options.without_finding and not (options.remedy and options.host and not options.finding and not options.rule):
        raise UsageError("--without-finding goes with --remedy and --host only", next_step="Leave out --finding and --rule.")
    if unknown := [name for name in options.apart if name not in groups]:
        raise UsageError(f"--apart {unknown[0]}: the inventory has no such group", next_step="Name the inventory with -i.")
    if limited and not groups:
        raise UsageError("--limit needs the inventory here", next_step="Name it with -i, or choose hosts with --host.")
    return Chosen(
        findings=options.finding,
        rules=options.rule,
        hosts=options.host,
        remedy=options.remedy,
        values=given_values(options.set, options.values),
        ways=ways_of(options.way),
        apart={name: groups[name] for name in options.apart},
        ordered=options.without_finding,
    )
