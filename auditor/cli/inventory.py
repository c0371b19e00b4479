"""`auditor inventory`: the targets as the auditor sees them, secrets left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.say import Outputs, width


def inventory_flags() -> list[click.Parameter]:
    """Options of how an inventory is read."""
    path = click.Path(path_type=Path)
    return [
        flag("--trust-inventory", is_flag=True, help="Allow executable sources, plugins and lookups of the inventory to run here."),
        flag("--vault-password-file", type=path, multiple=True, metavar="FILE", help="File with the vault's password; may be repeated."),
    ]


@verb("inventory", *inventory_flags())
def inventory(every: Everywhere, trust_inventory: bool, vault_password_file: tuple[Path, ...]) -> int:
    """Show the targets as the auditor sees them: address, port, way to log on, groups. Passwords are never shown.

    Hosts that can't be asked are listed with the reason.
    """
    from auditor.inventory import load_inventory
    from auditor.report.json_ import json_text

    outputs = Outputs.plan(every, ("table", "json"))
    found = load_inventory(every.inventory, limit=every.limit, trust=trust_inventory, vault_password_files=vault_password_file)
    rows = [_row(target) for target in found.targets]
    refused = [{"name": problem.subject, "reason": str(problem)} for problem in found.refused]
    outputs.emit(
        {"table": lambda: _table(rows, refused), "json": lambda: json_text({"schema_version": 1, "targets": rows, "refused": refused})}
    )
    outputs.say_files()
    return 0 if not refused else 3


def _row(target: Any) -> dict[str, Any]:
    return {
        "name": target.name,
        "address": target.address,
        "port": target.port,
        "scheme": target.scheme,
        "transport": target.transport,
        "user": target.user,
        "groups": list(target.groups),
    }


def _table(rows: list[dict[str, Any]], refused: list[dict[str, str]]) -> str:
    from auditor.report.grid import grid
    from auditor.report.text import safe_text

    cells = [[safe_text(", ".join(v) if isinstance(v, list) else str(v if v is not None else "-")) for v in row.values()] for row in rows]
    text = grid(("Name", "Address", "Port", "Scheme", "Transport", "User", "Groups"), cells, width=width()) + "\n"
    if refused:
        lines = "\n".join(f"- {safe_text(host['reason'])}" for host in refused)
        text += f"\nREFUSED\n{lines}\n"
    return text
