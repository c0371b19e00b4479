"""The verbs below `auditor store`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.say import Outputs
from auditor.model.errors import UsageError
from auditor.model.times import stamp


@verb(
    "export",
    click.Argument(["file"], type=click.Path(path_type=Path, dir_okay=False)),
    flag("--redact", is_flag=True, help="Replace names of hosts, accounts and domains, and addresses, the same way everywhere."),
)
def export(every: Everywhere, file: Path, redact: bool) -> int:
    """Write the store into FILE, compressed where its name ends in .gz. With --limit only some hosts, and no reports.

    The file can be read by its owner only. --redact leaves nothing that names a host, an account or an address; what people chose freely
    (shares, folders, groups) stays unless such a name stands in it, so read it before you hand it on.
    """
    from auditor import __version__
    from auditor.store import default_path, open_store
    from auditor.store.lines import Head

    outputs = Outputs.plan(every, ("table",))
    head = Head(auditor=__version__, at=stamp(datetime.now(UTC)), redacted=redact)
    with open_store(every.store or default_path(), write=False) as opened:
        count = opened.export(file, head, _wanted(every.limit))
    outputs.emit({"table": lambda: f"{count} lines are in {file}{', without names' if redact else ''}\n"})
    return 0


def _wanted(limit: str | None) -> Callable[[str, Collection[str]], bool] | None:
    from auditor.model.pattern import matches_any

    if limit is None:
        return None
    words = [word for word in limit.replace(":", ",").split(",") if word]
    if any(word[0] == "&" for word in words):
        raise UsageError("--limit with & needs the inventory", next_step="Name hosts, groups, * patterns, or ! for what to leave out.")
    plain = tuple(word for word in words if word[0] != "!")
    unwanted = tuple(word[1:] for word in words if word[0] == "!")

    def wanted(host: str, groups: Collection[str]) -> bool:
        names = (host, "all", *groups)
        return (not plain or any(matches_any(plain, name) for name in names)) and not any(matches_any(unwanted, name) for name in names)

    return wanted


@verb("restore", click.Argument(["file"], type=click.Path(path_type=Path, dir_okay=False, exists=True)))
def restore(every: Everywhere, file: Path) -> int:
    """Take an exported FILE into the store that --store names: all of it or nothing. Runs that are there already are refused."""
    from auditor.store import open_store

    outputs = Outputs.plan(every, ("table",))
    if every.store is None:
        raise UsageError("restore into which store?", next_step="Name a new one with --store, so that your own is not mixed with it.")
    with open_store(every.store) as opened:
        found = opened.restore(file)
        where = opened.where
    names = ", whose names were replaced" if found.redacted else ""
    text = f"{found.runs} runs with {found.results} results and {found.reports} reports{names} are in the store {where}\n"
    outputs.emit({"table": lambda: text})
    return 0


@verb(
    "prune",
    flag(
        "--older-than", "days", type=click.IntRange(1), required=True, metavar="DAYS", help="Delete what was collected before so many days."
    ),
    flag("--keep", type=click.IntRange(1), default=2, help="The newest snapshots of each host that stay, however old they are."),
    flag("--dry-run", "rehearse", is_flag=True, help="Count what would go, and delete nothing."),
)
def prune(every: Everywhere, days: int, keep: int, rehearse: bool) -> int:
    """Delete old snapshots and reports, and give the space back.

    What stays: the newest snapshots of each host, states that were accepted, the last report, the lives of findings, and the
    records of remediations.
    """
    from auditor.report.json_ import json_text
    from auditor.store import default_path, open_store

    outputs = Outputs.plan(every, ("table", "json"))
    before = stamp(datetime.now(UTC) - timedelta(days=days))
    with open_store(every.store or default_path(), create=False) as opened:
        found = opened.prune(before, keep, rehearse=rehearse)
    what = (
        f"{found.snapshots} snapshots, {found.results} results, {found.runs} runs, {found.contents} contents ({found.content_bytes} bytes)"
    )
    what += f", {found.events} events of remediations" if found.events else ""
    text = f"{'Would delete' if rehearse else 'Deleted'} what was collected before {before}: {what}\n"
    document = {"schema_version": 1, "before": before, "rehearsed": rehearse, "pruned": found}
    outputs.emit({"table": lambda: text, "json": lambda: json_text(document)})
    outputs.say_files()
    return 0
