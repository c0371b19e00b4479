"""`auditor import`: recordings, and answers of the probe that was run by hand, into the store as snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.inventory import inventory_flags
from auditor.cli.say import Outputs, width
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.importing import Imported, Unread


@verb(
    "import",
    click.Argument(["files"], nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."),
    flag("--host", metavar="NAME", help="The host that the file is of.  [default: what the file says]"),
    *inventory_flags(),
)
def import_(
    every: Everywhere, files: tuple[Path, ...], host: str | None, trust_inventory: bool, vault_password_file: tuple[Path, ...]
) -> int:
    """Take into the store what `auditor collect --record` kept, or what the script of `auditor probe` printed on a host.

    With -i a host gets the groups of the inventory, else those that the store knows of it. Exits with 0 where all was read, 3 where some
    was not, 1 where nothing was.
    """
    from datetime import UTC, datetime

    from auditor import __version__
    from auditor.audit import timestamp
    from auditor.importing import Imported, Unread, known_targets, read_files
    from auditor.inventory import load_inventory
    from auditor.report.json_ import json_text
    from auditor.store import default_path, open_store

    if host is not None and len(files) > 1:
        raise UsageError("--host names one host, and there are several files", next_step="Import them one by one.")
    outputs = Outputs.plan(every, ("table", "json"))
    inventory = None
    if every.inventory:
        inventory = load_inventory(every.inventory, limit=every.limit, trust=trust_inventory, vault_password_files=vault_password_file)
    with open_store(every.store or default_path()) as store:
        known = known_targets(inventory, [stored.target for stored in store.latest_results()])
        found = read_files(files, datetime.now(UTC), host=host, known=known)
        read = [item for item in found if isinstance(item, Imported)]
        run = store.begin_run("import", timestamp(lambda: datetime.now(UTC)), __version__) if read else None
        for item in read:
            store.save_result(str(run), item.target, item.result)
        if run is not None:
            store.finish_run(run)
        where = store.where
    errors = [item for item in found if isinstance(item, Unread)]
    document = {"schema_version": 1, "run": run, "store": where, "hosts": [_row(item) for item in read], "errors": errors}
    outputs.emit({"table": lambda: _table(read, errors), "json": lambda: json_text(document)})
    outputs.say_files()
    if run is not None:
        outputs.say(f"Run {run} is in the store {where}")
    return 1 if not read else 3 if errors or any(item.problems for item in read) else 0


def _row(item: Imported) -> dict[str, object]:
    snapshot = item.result.snapshot
    return {
        "file": item.file,
        "host": item.target.name,
        "status": item.result.status,
        "reason": item.result.reason,
        "collected_at": snapshot.collected_at if snapshot else None,
        "transport": snapshot.transport if snapshot else None,
        "problems": item.problems,
    }


def _table(read: list[Imported], errors: list[Unread]) -> str:
    from auditor.report.grid import grid
    from auditor.report.text import safe_text

    heads = ["host", "status", "collected_at", "transport", "file"]
    rows = [[safe_text(str(_row(item)[head] or "")) for head in heads] for item in read]
    parts = [grid(heads, rows, width=width())] if rows else []
    problems = [f"- {item.file}: {problem}" for item in read for problem in item.problems]
    problems += [f"- {error.file}: {error.message}" for error in errors]
    if problems:
        parts.append("NOT READ\n" + "\n".join(map(safe_text, problems)))
    return "\n\n".join(parts) + "\n"
