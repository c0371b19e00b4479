"""`auditor matrix grid`: products against products and generations of Windows, each cell with what it rests on."""

from __future__ import annotations

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.matrix import load
from auditor.cli.say import Outputs, width


@verb(
    "grid",
    flag("--against", type=click.Choice(["all", "systems", "products"]), default="all", help="Against what."),
    flag("--product", multiple=True, metavar="ID", help="Only this product's row; may be repeated."),
)
def grid(every: Everywhere, against: str, product: tuple[str, ...]) -> int:
    """Show what is supported, unsupported or in conflict: products against Windows, and products beside products."""
    from auditor.analysis.rules.support_grid import products_grid, systems_grid
    from auditor.cli.matrix_verbs import named
    from auditor.model.signature import Signature
    from auditor.report.grid_matrix import grids_html, grids_table
    from auditor.report.json_ import json_text

    outputs = Outputs.plan(every, ("table", "json", "html"))
    found = load(every)
    for id_ in product:
        if not isinstance(named(found, id_), Signature):
            raise click.UsageError(f"{id_} is a rule, not a product")
    grids = [make(found, product) for word, make in (("systems", systems_grid), ("products", products_grid)) if against in ("all", word)]
    document = {"schema_version": 1, "digest": found.digest, "grids": grids}
    outputs.emit(
        {
            "table": lambda: grids_table(grids, width()),
            "json": lambda: json_text(document),
            "html": lambda: grids_html(grids, found.digest),
        }
    )
    outputs.say_files()
    return 0
