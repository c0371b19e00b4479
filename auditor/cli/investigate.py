"""`auditor investigate`: asks the host and its neighbours a second time, stores that, and says what fell and what pushed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.asking import Asking, asking_flags
from auditor.cli.asking_again import AskingAgain, Size
from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.interrupt import stopping
from auditor.cli.program import INTERRUPTED
from auditor.cli.say import Outputs, width
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.analysis.investigate.case import Known
    from auditor.investigate import Asked, Gathered
    from auditor.model.hypothesis import Investigation
    from auditor.store import Store

FORMATS = ("table", "json", "html", "markdown")


@verb(
    "investigate",
    click.Argument(["host"]),
    flag("--at", metavar="TIME", help="When it happened, ISO 8601 with its zone.  [default: the last unexpected restart]"),
    flag("--dump", type=click.Path(path_type=Path), metavar="FILE", help="Dump or WinDbg text to read in place of the host's own dump."),
    flag("--stored", is_flag=True, help="Ask no host: work from what the store holds."),
    flag("--why", is_flag=True, help="Show every weight, its reason and all records behind it."),
    flag("--dump-bytes", type=Size(), default="16M", metavar="BYTES", help="Take at most so much of the host's dump (K, M, G)."),
    flag("--neighbours", type=click.IntRange(0, 500), default=20, metavar="N", help="Ask at most so many hosts beside it."),
    *asking_flags(),
)
def investigate(
    every: Everywhere,
    host: str,
    at: str | None,
    dump: Path | None,
    stored: bool,
    why: bool,
    dump_bytes: int,
    neighbours: int,
    **asking: Any,
) -> int:
    """Find what made HOST restart: what fell, and what pushed.

    The host is asked again with a window around the moment, and so are the hosts that it is tied to; all of it is stored, then analysed.
    Each answer lists what speaks for it, against it, what is missing and what would settle it. Exits with 0 where all was seen, 3 where
    something was not.
    """
    from auditor.cli.matrix import folders
    from auditor.investigate import investigate as answer

    outputs = Outputs.plan(every, FORMATS)
    known = _known(every)
    wanted = _asked(host, at, dump, known, stored=stored)
    asked_again = AskingAgain(neighbours=neighbours, dump_bytes=dump_bytes)
    with _gathered(every, Asking(**asking), wanted, known, asked_again) as (store, gathered, interrupted):
        found = answer(wanted, gathered, known, store, folders(every))
        where = store.where
    _show(outputs, found, why=why)
    outputs.say(f"The collection is in the store {where}" + (f", run {found.run}" if found.run else ""))
    return INTERRUPTED if interrupted else _code(found)


def _asked(host: str, at: str | None, dump: Path | None, known: Known, *, stored: bool) -> Asked:
    from auditor.crash import read_crashes
    from auditor.investigate import Asked

    moment = _moment(at)
    if dump is None:
        return Asked(host=host, at=moment, stored=stored)
    document = read_crashes([dump], known.crashes)
    if not document.crashes:
        reason = "; ".join(error.message for error in document.errors) or "no crash in it"
        raise UsageError(f"--dump {dump}: {reason}", next_step="Name a kernel dump or the text of WinDbg's !analyze -v.")
    # of several crashes in one file the last one is the newest as texts are kept
    crash = max(document.crashes, key=lambda found: found.crash_time or "")
    return Asked(host=host, at=moment, crash=crash, crash_file=str(dump), stored=stored)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--at {text}: expected a time such as 2005-11-08T11:03:12Z") from error
    if found.tzinfo is None:
        raise UsageError(f"--at {text}: the time needs its zone", next_step="Write for example 2005-11-08T19:03:12+08:00.")
    if found > datetime.now(UTC) + timedelta(days=1):
        raise UsageError(f"--at {text} lies in the future")
    return found.astimezone(UTC)


def _known(every: Everywhere) -> Known:
    from auditor.analysis.investigate.case import Known
    from auditor.cli.matrix import folders, load
    from auditor.hypotheses import load_hypotheses
    from auditor.knowledge import load_crash_knowledge

    places = folders(every)
    return Known(matrix=load(every), hypotheses=load_hypotheses(places), crashes=load_crash_knowledge(places))


@contextlib.contextmanager
def _gathered(every: Everywhere, asking: Asking, wanted: Asked, known: Known, again: AskingAgain) -> Iterator[tuple[Store, Gathered, bool]]:
    """The open store with what is known of the hosts, after they were asked unless only the store counts."""
    from auditor.inventory import load_inventory
    from auditor.investigate import stored
    from auditor.store import default_path, open_store

    if wanted.stored:
        targets = load_inventory(every.inventory, trust=asking.trust_inventory).targets if every.inventory else ()
        with open_store(every.store or default_path(), write=False) as store:
            yield store, stored(store, targets), False
        return
    with _sources(every, asking) as (sources, where):
        vault = asking.vault_password_file
        inventory = load_inventory(sources, limit=every.limit, trust=asking.trust_inventory, vault_password_files=vault)
        with open_store(where) as store, stopping() as stop:
            gathered = again.collect(store, inventory, asking, wanted, known, stop)
            yield store, gathered, stop.is_set()


@contextlib.contextmanager
def _sources(every: Everywhere, asking: Asking) -> Iterator[tuple[Sequence[Path], str | Path]]:
    """The inventory and the store to use: given ones, or those of a lab that is started for this."""
    from auditor.store import default_path

    if asking.lab is not None and every.inventory:
        raise UsageError("--lab brings its own inventory", next_step="Leave out either --lab or -i.")
    if asking.lab is None:
        if not every.inventory:
            raise UsageError("no inventory given", next_step="Name an Ansible inventory with -i, or use --stored.")
        yield every.inventory, every.store or default_path()
        return
    from auditor.cli.rehearsal import rehearsal

    with rehearsal(asking.lab) as ready:
        yield (ready.inventory,), every.store or default_path().with_name("lab.db")


def _show(outputs: Outputs, found: Investigation, *, why: bool) -> None:
    from auditor.report import investigation, investigation_html, investigation_markdown
    from auditor.report.json_ import json_text

    outputs.emit(
        {
            "table": lambda: investigation.render(found, width=width(), why=why),
            "json": lambda: json_text(found),
            "html": lambda: investigation_html.render(found),
            "markdown": lambda: investigation_markdown.render(found),
        }
    )
    outputs.say_files()


def _code(found: Investigation) -> int:
    """0 where the host and its neighbours were seen and a moment was found, 3 otherwise."""
    seen = all(host.status == "ok" for host in found.coverage) and found.moment is not None
    return 0 if seen else 3
