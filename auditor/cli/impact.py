"""`auditor impact`: what depends on a host, a product or a driver, over the ties that the store holds."""

from __future__ import annotations

from pathlib import Path

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.inventory import inventory_flags
from auditor.cli.precheck import MAX_AGE
from auditor.cli.say import Outputs, width

KINDS = ("host", "product", "driver")


@verb(
    "impact",
    click.Argument(["word"], metavar="HOST|PRODUCT|DRIVER"),
    flag("--kind", type=click.Choice(KINDS), help="What the word is.  [default: the first that fits]"),
    flag("--max-age", default=MAX_AGE, metavar="AGE", help="Take evidence that is older for not seen: 7d, 36h, 90m."),
    *inventory_flags(),
)
def impact(
    every: Everywhere, word: str, kind: str | None, max_age: str, trust_inventory: bool, vault_password_file: tuple[Path, ...]
) -> int:
    """Show what depends on a host, a product or a driver, each with the shortest path that explains it, and cycles of copy jobs.

    Asks no host. Exits with 0, or with 3 where something was not seen that could add to it.
    """
    from datetime import UTC, datetime
    from typing import cast

    from auditor.cli.matrix import load
    from auditor.derived import save_into
    from auditor.impact import Kind
    from auditor.impact import impact as find
    from auditor.inventory import load_inventory
    from auditor.precheck import parse_age
    from auditor.report.impact import render_text
    from auditor.report.json_ import json_text
    from auditor.store import default_path, open_store
    from auditor.stored_fleet import stored_fleet

    outputs = Outputs.plan(every, ("table", "json"))
    age, matrix = parse_age(max_age), load(every)
    targets = (
        load_inventory(every.inventory, trust=trust_inventory, vault_password_files=vault_password_file).targets
        if every.inventory
        else None
    )
    where = every.store or default_path()
    with open_store(where, write=False) as store:
        found = find(stored_fleet(store, matrix, targets, datetime.now(UTC), age, save_into(where)), word, cast("Kind | None", kind))
    outputs.emit({"table": lambda: render_text(found, width=width()), "json": lambda: json_text(found)})
    outputs.say_files()
    return 3 if found.unsure or found.in_doubt else 0
