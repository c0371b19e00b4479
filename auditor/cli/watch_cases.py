"""`auditor watch cases`: open, list, show and close observation cases. The watch moves them on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from auditor.cli.case_options import Opening, case_of, opening_flags
from auditor.cli.flags import Everywhere, everywhere_options, flag, verb
from auditor.cli.inventory import inventory_flags
from auditor.cli.program import LazyGroup
from auditor.cli.say import Outputs, width
from auditor.cli.watch import now
from auditor.model.case import Case
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.store import Store

_HERE = "auditor.cli.watch_cases"

cases = LazyGroup(
    "cases",
    verbs={
        "list": (_HERE, "List observation cases."),
        "open": (_HERE, "Observe whether a trouble comes back."),
        "show": (_HERE, "Show all that is known of a case."),
        "close": (_HERE, "End a case by hand."),
    },
    params=everywhere_options(plain=True),
    help="Observe whether a trouble comes back after its remedy.",
    context_settings={"max_content_width": 120},
)


@verb("list")
def list_(every: Everywhere) -> int:
    """List observation cases, those that are still observed first."""
    from auditor.report.case import case_table
    from auditor.report.json_ import json_text
    from auditor.store import default_path, open_store
    from auditor.watch.memory import read_cases

    outputs = Outputs.plan(every, ("table", "json"))
    with open_store(every.store or default_path(), write=False) as store:
        found = sorted(read_cases(store).values(), key=lambda case: (case.state != "observing", case.opened_at, case.id))
    outputs.emit({"table": lambda: case_table(found, width()), "json": lambda: json_text({"schema_version": 1, "cases": found})})
    outputs.say_files()
    return 0


@verb("open", *opening_flags(), *inventory_flags())
def open_(every: Everywhere, trust_inventory: bool, vault_password_file: tuple[Path, ...], **values: object) -> int:
    """Open an observation case: after a remedy, does the trouble come back?

    The watch looks at the hosts' logs each round. If it comes back, the case is told and offers its playbook. If it stays away for so many
    days that were seen, and the trigger came so often, the case closes itself and lists all changes of that time. Hosts have to be known:
    from the store, or from the inventory named with -i.
    """
    from auditor.store import default_path, open_store
    from auditor.watch.memory import case_notes, read_cases

    outputs = Outputs.plan(every, ("table", "json"))
    options = msgspec.convert(values, type=Opening)
    case = case_of(options, now())
    _require_observable(every, case)
    with open_store(every.store or default_path()) as store:
        _require_hosts(case, _known_hosts(every, store, trust=trust_inventory, vault=vault_password_file))
        taken = read_cases(store)
        if options.id is not None and options.id in taken:
            raise UsageError(f"there is a case {options.id!r} already", next_step="Choose another --id.")
        names = (case.id, *(f"{case.id}-{number}" for number in range(2, len(taken) + 3)))
        case = msgspec.structs.replace(case, id=next(name for name in names if name not in taken))
        store.save_notes(*case_notes([case]))
    _show(outputs, case)
    return 0


def _require_observable(every: Everywhere, case: Case) -> None:
    """Refuses a case that no round could decide, because the probe does not read such events."""
    from auditor.analysis.observing.observation import needed_events
    from auditor.audit import request_for
    from auditor.cli.matrix import load
    from auditor.watch.asking import not_askable

    missing = not_askable(request_for(load(every)), needed_events(case))
    if missing:
        item = missing[0]
        step = "Of the System log, the providers in docs/probe.md are read; of the Application log, any."
        raise UsageError(f"the probe reads no event {item.id} of {item.source} in the {item.log} log", next_step=step)


def _known_hosts(every: Everywhere, store: Store, *, trust: bool, vault: tuple[Path, ...]) -> set[str]:
    from auditor.inventory import load_inventory

    known = {state.host for state in store.latest_states(1)}
    if every.inventory:
        found = load_inventory(every.inventory, limit=every.limit, trust=trust, vault_password_files=vault)
        known |= {target.name for target in found.targets}
    return known


def _require_hosts(case: Case, known: Iterable[str]) -> None:
    from auditor.analysis.observing.observation import watched_hosts

    names = sorted(known)
    for host in watched_hosts(case):
        if host not in names:
            near = difflib.get_close_matches(host, names, n=2)
            hint = f"Did you mean {' or '.join(near)}?" if near else "Collect it first, or name its inventory with -i."
            raise UsageError(f"no host {host!r} is known", next_step=hint)


def _show(outputs: Outputs, case: Case) -> None:
    from auditor.analysis.observing.observation import waits_for
    from auditor.report.case import case_text
    from auditor.report.json_ import json_text

    waits = waits_for(case) if case.state == "observing" else ()
    document = {"schema_version": 1, "case": case, "waits": waits}
    outputs.emit({"table": lambda: case_text(case, waits), "json": lambda: json_text(document)})
    outputs.say_files()


@verb("show", click.Argument(["name"], metavar="CASE"))
def show(every: Everywhere, name: str) -> int:
    """Show all that is known of a case: what was seen, what not, what it waits for, what changed meanwhile."""
    from auditor.store import default_path, open_store

    outputs = Outputs.plan(every, ("table", "json"))
    with open_store(every.store or default_path(), write=False) as store:
        case = _named(store, name)
    _show(outputs, case)
    return 0


@verb("close", click.Argument(["name"], metavar="CASE"), flag("--reason", required=True, metavar="TEXT", help="Why it is ended."))
def close(every: Everywhere, name: str, reason: str) -> int:
    """End a case by hand, with a reason. The changes of its time are listed; whether it came back stays as it was seen."""
    from auditor.cli.matrix import folders
    from auditor.store import default_path, open_store
    from auditor.watch.cases import close_by_hand
    from auditor.watch.changes import stored_changes
    from auditor.watch.memory import case_notes

    outputs = Outputs.plan(every, ("table", "json"))
    if not reason.strip():
        raise UsageError("--reason is empty", next_step="Say why the case is ended.")
    matrix = folders(every)
    with open_store(every.store or default_path(), create=False) as store:
        case = _named(store, name)
        if case.state == "closed":
            raise UsageError(f"the case {name!r} is closed already", next_step=f"`auditor watch cases show {name}` shows it.")
        case = close_by_hand(case, now(), reason.strip(), lambda one, moment: stored_changes(store, matrix, one, moment))
        store.save_notes(*case_notes([case]))
    _show(outputs, case)
    return 0


def _named(store: Store, name: str) -> Case:
    from auditor.watch.memory import read_cases

    found = read_cases(store)
    if name not in found:
        near = difflib.get_close_matches(name, found, n=2)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`auditor watch cases list` shows them."
        raise UsageError(f"there is no case {name!r}", next_step=hint)
    return found[name]
