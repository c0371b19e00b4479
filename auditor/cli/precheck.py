"""`auditor precheck`: may this be installed, upgraded or removed there? Answered from the store, before the change window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.inventory import inventory_flags
from auditor.cli.say import Outputs, Renderings, width
from auditor.cli.waiving import waivers_flag

if TYPE_CHECKING:
    from auditor.model.waiver import StaleWaiver, Waivers
    from auditor.model.whatif import Precheck
    from auditor.precheck import Wanted

    Told = tuple[Precheck, list[StaleWaiver]]
CODES = {"no-go": 2, "unknown": 3, "go with conditions": 2, "go": 0}
MAX_AGE = "7d"


def _own_flags() -> list[click.Parameter]:
    return [
        flag("--host", multiple=True, metavar="HOST", help="The host to change; may be repeated."),
        flag("--group", multiple=True, metavar="GROUP", help="All hosts of an inventory group; may be repeated."),
        flag(
            "--install",
            multiple=True,
            metavar="PRODUCT[@VERSION][,KEY=VALUE...]",
            help="Install a product; keys: role, parent, group, with, without.",
        ),
        flag("--upgrade", multiple=True, metavar="PRODUCT@VERSION[,KEY=VALUE...]", help="Bring a product to another version."),
        flag("--remove", multiple=True, metavar="PRODUCT", help="Remove a product."),
        flag("--os-upgrade", multiple=True, metavar="WINDOWS[@BUILD]", help="Bring Windows to another generation, such as 2019."),
        flag("--update", multiple=True, metavar="KB", help="Install an update of Windows, such as KB4493472."),
        flag("--driver", multiple=True, metavar="FILE", help="Put a driver in place; its file is read."),
        flag("--change", type=click.Path(path_type=Path), metavar="FILE", help="A file of changes, in order and in waves."),
        flag("--max-age", default=MAX_AGE, metavar="AGE", help="Refuse evidence that is older: 7d, 36h, 90m."),
        flag("--allow-conditions", is_flag=True, help="Exit with 0 for go with conditions."),
    ]


@verb("precheck", *_own_flags(), waivers_flag(), *inventory_flags())
def precheck(
    every: Everywhere,
    host: tuple[str, ...],
    group: tuple[str, ...],
    max_age: str,
    allow_conditions: bool,
    change: Path | None,
    waivers: tuple[Path, ...],
    trust_inventory: bool,
    vault_password_file: tuple[Path, ...],
    **texts: tuple[str, ...],
) -> int:
    """Say what a change would add and cure, for each host: no-go, unknown, go with conditions, or go.

    Asks no host: the stored state of the hosts is forked, the change made in the copy, and the rules decided on both. Without --change the
    changes are made in this order: remove, os-upgrade, upgrade, install, update, driver. Exits with 2 for no-go and for conditions (0 with
    --allow-conditions), 3 for unknown, 0 for go.
    """
    from auditor.precheck import Wanted
    from auditor.waivers import load_waivers

    outputs = Outputs.plan(every, ("table", "json", "markdown"))
    wanted = Wanted(hosts=host, groups=group, limit=every.limit, changes=dict(texts), file=change)  # type: ignore[arg-type]
    found, void = _answer(every, wanted, load_waivers(waivers), max_age, trust_inventory, vault_password_file)
    outputs.emit(_renderings(found))
    for told in void:
        outputs.say(f"the waiver {told.id or 'without an id'} holds nothing ({told.place}): {told.message}")
    outputs.say_files()
    return 0 if allow_conditions and found.answer == "go with conditions" else CODES[found.answer]


def _answer(every: Everywhere, wanted: Wanted, waivers: Waivers, max_age: str, trust: bool, vault: tuple[Path, ...]) -> Told:
    from datetime import UTC, datetime

    from auditor.analysis.rules.waive import void
    from auditor.cli.matrix import load
    from auditor.derived import save_into
    from auditor.inventory import load_inventory
    from auditor.precheck import parse_age
    from auditor.precheck import precheck as check
    from auditor.store import default_path, open_store
    from auditor.stored_fleet import stored_fleet

    now, age = datetime.now(UTC), parse_age(max_age)
    matrix = load(every)
    targets = load_inventory(every.inventory, trust=trust, vault_password_files=vault).targets if every.inventory else None
    where = every.store or default_path()
    with open_store(where, write=False) as store:
        found = check(stored_fleet(store, matrix, targets, now, age, save_into(where)), wanted, now, waivers)
    return found, list(void(waivers, now.date(), {rule.id for rule in matrix.rules}))


def _renderings(found: Precheck) -> Renderings:
    from auditor.report.json_ import json_text
    from auditor.report.precheck import render_markdown, render_text

    return {
        "table": lambda: render_text(found, width=width()),
        "json": lambda: json_text(found),
        "markdown": lambda: render_markdown(found),
    }
