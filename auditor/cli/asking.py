"""Asking hosts, as `audit` and `collect` share it: the options, the lab in a child where wanted, the run, progress and stopping."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from auditor.cli.flags import Everywhere, flag
from auditor.cli.interrupt import stopping
from auditor.cli.inventory import inventory_flags
from auditor.cli.lab import DEFAULT_FLEET
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.inventory import Inventory
    from auditor.model.rule import Matrix
    from auditor.store import Store
    from auditor.store.shapes import RunKind

HASHES = ("none", "non_microsoft", "all")


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the options of how hosts are asked."""

    lab: str | None
    host_deadline: float
    parallel: int
    event_days: int
    hash_drivers: Literal["none", "non_microsoft", "all"]
    fragmentation: bool
    allow_unverified_tls: bool
    allow_credssp: bool
    use_proxy: bool
    trust_inventory: bool
    vault_password_file: tuple[Path, ...]
    record: Path | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A run whose hosts were asked; its results are in the store."""

    store: Store
    run: str
    started: str
    inventory: Inventory
    matrix: Matrix
    interrupted: bool


def asking_flags() -> list[click.Parameter]:
    """Options of how hosts are asked."""
    hours = click.FloatRange(1, 86_400)
    return [
        flag(
            "--lab", is_flag=False, flag_value=DEFAULT_FLEET, metavar="[FLEET]", help="Audit a simulated fleet, started for it.  [incident]"
        ),
        flag("--host-deadline", type=hours, default=180.0, metavar="SECONDS", help="Time for one host."),
        flag("--parallel", type=click.IntRange(1, 1000), default=64, metavar="N", help="Hosts asked at once."),
        flag(
            "--event-days",
            type=click.IntRange(1, 3650),
            default=30,
            show_default=True,
            metavar="DAYS",
            help="How far back events are read.",
        ),
        flag("--hash-drivers", type=click.Choice(HASHES), default="none", help="Which driver files to hash on the host."),
        flag(
            "--fragmentation", is_flag=True, help="Let hosts analyse how fragmented the page file's volume is (reads much, moves nothing)."
        ),
        flag("--allow-unverified-tls", is_flag=True, help="Ask hosts whose certificate check the inventory switches off."),
        flag("--allow-credssp", is_flag=True, help="Hand the password to hosts for which the inventory names CredSSP."),
        flag("--use-proxy", is_flag=True, help="Use the environment's proxies; they are ignored otherwise."),
        *inventory_flags(),
    ]


@contextlib.contextmanager
def asked(kind: RunKind, every: Everywhere, asking: Asking) -> Iterator[Asked]:
    """Asks the hosts and holds the store open for what follows. A broken matrix or inventory is told before any host is asked."""
    from auditor import __version__
    from auditor.audit import timestamp
    from auditor.cli.matrix import load
    from auditor.inventory import load_inventory
    from auditor.store import open_store

    require_source(every, asking)
    matrix = load(every)
    with sources_of(every, asking) as (sources, where):
        vault = asking.vault_password_file
        inventory = load_inventory(sources, limit=every.limit, trust=asking.trust_inventory, vault_password_files=vault)
        with open_store(where) as store:
            started = timestamp(_now)
            run = store.begin_run(kind, started, __version__)
            with stopping() as stop:
                _collect(store, run, inventory, matrix, asking, stop)
            yield Asked(store=store, run=run, started=started, inventory=inventory, matrix=matrix, interrupted=stop.is_set())


def require_source(every: Everywhere, asking: Asking) -> None:
    """Refuses a command line that names no hosts, before anything is read."""
    if asking.lab is not None and every.inventory:
        raise UsageError("--lab brings its own inventory", next_step="Leave out either --lab or -i.")
    if asking.lab is None and not every.inventory:
        raise UsageError("no inventory given", next_step="Name an Ansible inventory with -i, or try it out with --lab.")


def _now() -> datetime:
    return datetime.now(UTC)


def _collect(store: Store, run: str, inventory: Inventory, matrix: Matrix, asking: Asking, stop: Any) -> None:
    from auditor.audit import collect_into_store, request_for
    from auditor.cli.progress import Progress
    from auditor.collect.fleet import Limits

    request = request_for(matrix, event_days=asking.event_days, hash_drivers=asking.hash_drivers, fragmentation=asking.fragmentation)
    with Progress(len(inventory.targets)) as progress:
        collect_into_store(
            store,
            run,
            inventory,
            request,
            limits=Limits(host_deadline_seconds=asking.host_deadline, parallel=asking.parallel),
            now=_now,
            stop=stop,
            tell=progress.tell,
            allow_unverified=asking.allow_unverified_tls,
            allow_credssp=asking.allow_credssp,
            use_proxy=asking.use_proxy,
            record=asking.record,
        )


@contextlib.contextmanager
def sources_of(every: Everywhere, asking: Asking) -> Iterator[tuple[Sequence[Path], str | Path]]:
    """The inventory to use and the store: given ones, or those of a lab that is started for this run.

    Simulated hosts go into a store of their own unless one is named: they would be taken for hosts of the real fleet.
    """
    from auditor.store import default_path

    if asking.lab is None:
        yield every.inventory, every.store or default_path()
        return
    from auditor.cli.rehearsal import rehearsal

    with rehearsal(asking.lab) as ready:
        yield (ready.inventory,), every.store or default_path().with_name("lab.db")
        _say_violations(ready.violations)


def _say_violations(file: Path) -> None:
    if file.is_file() and file.stat().st_size:
        count = len(file.read_bytes().splitlines())
        raise UsageError(f"the lab's hosts refused {count} requests of the auditor's account", next_step=f"Look into {file}.")
