"""What `remediate check` and `apply` are handed: inventories, playbooks, secrets, the store, the clock, the person at the terminal."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from auditor.cli.asking import Asking
from auditor.cli.flags import Everywhere
from auditor.cli.remediate_values import known_secrets
from auditor.cli.waiving import with_waivers
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.inventory import Inventory
    from auditor.model.host import HostResult
    from auditor.model.plan import Wave
    from auditor.model.remedy import RunRequest, RunResult, TaskEvent
    from auditor.model.rule import Matrix
    from auditor.remediation.reading import FleetReader
    from auditor.remediation.running import Plays
    from auditor.remediation.tools import Playing, Tools
    from auditor.store import Store

MAX_AGE = "24h"


class Applying(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the options of check and apply."""

    playbooks: Path | None
    collections: Path | None
    operator_inventory: tuple[Path, ...]
    secrets: Path | None
    play_time: float
    yes: bool = False
    expect_hosts: int | None = None
    max_failures: int = 0
    max_age: str = MAX_AGE
    resume: bool = False
    waivers: tuple[Path, ...] = ()


def playing(every: Everywhere, options: Applying, asking: Asking, stop: threading.Event) -> Playing:
    """What check mode needs. A signal stops it at the next task."""
    from auditor.remediation.tools import Playing

    sources = options.operator_inventory or every.inventory
    operator = _inventory(sources, asking, every.limit)
    plays = _plays(options, asking, operator)

    def run(request: RunRequest, on_event: Callable[[TaskEvent], None]) -> RunResult:
        def heard(event: TaskEvent) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            on_event(event)

        return plays.run(request, heard)

    return Playing(run=run, now=now, tell=tell, grounds=plays.grounds, secrets=known_secrets(options.secrets, operator))


@contextlib.contextmanager
def tools_for(every: Everywhere, options: Applying, asking: Asking, stop: threading.Event) -> Iterator[Tools]:
    """What an application needs, its store open. The first signal lets no further wave begin; the present one is verified."""
    from auditor.cli.matrix import folders, load
    from auditor.remediation.process import applicant, has_ended
    from auditor.remediation.reading import Differences
    from auditor.remediation.tools import Tools
    from auditor.store import default_path, open_store

    matrix = load(every)
    inventory = _inventory(every.inventory, asking, every.limit)
    operator = _inventory(options.operator_inventory, asking, every.limit) if options.operator_inventory else inventory
    plays = _plays(options, asking, operator)
    with open_store(every.store or default_path(), create=False) as store:
        yield Tools(
            store=store,
            read=reader_for(store, inventory, matrix, asking, options.waivers),
            run=plays.run,
            now=now,
            ask=lambda wave: not stop.is_set() and (options.yes or _asked(wave)),
            tell=tell,
            changed_since=Differences(store, folders(every), matrix),
            grounds=plays.grounds,
            ended=has_ended,
            by=applicant(),
            secrets=known_secrets(options.secrets, operator),
        )


def reader_for(store: Store, inventory: Inventory, matrix: Matrix, asking: Asking, waivers: tuple[Path, ...]) -> FleetReader:
    """Reads hosts again as `audit` would."""
    from auditor.audit import request_for
    from auditor.collect.fleet import Limits
    from auditor.remediation.reading import FleetReader

    return FleetReader(
        store=store,
        inventory=inventory,
        matrix=matrix,
        request=request_for(matrix, event_days=asking.event_days, hash_drivers=asking.hash_drivers, fragmentation=asking.fragmentation),
        limits=Limits(host_deadline_seconds=asking.host_deadline, parallel=asking.parallel),
        now=now,
        stop=threading.Event(),
        tell=_tell_host,
        waive=lambda report: with_waivers(report, waivers, inventory.targets, [rule.id for rule in matrix.rules]),
        allow_unverified=asking.allow_unverified_tls,
        allow_credssp=asking.allow_credssp,
        use_proxy=asking.use_proxy,
    )


def refuse_words(every: Everywhere) -> None:
    """Raises UsageError where a plan's hosts can't be reached, or would be chosen twice."""
    if not every.inventory:
        raise UsageError("no inventory given", next_step="Name the Ansible inventory that the fleet was audited with, by -i.")
    if every.limit is not None:
        raise UsageError("--limit does not go with a plan: it says itself which hosts it changes", next_step="Make another plan.")


def _inventory(sources: tuple[Path, ...], asking: Asking, limit: str | None) -> Inventory:
    from auditor.inventory import load_inventory

    return load_inventory(sources, limit=limit, trust=asking.trust_inventory, vault_password_files=asking.vault_password_file)


def _plays(options: Applying, asking: Asking, operator: Inventory) -> Plays:
    from auditor.collect.policy import Allowed
    from auditor.model.places import shipped
    from auditor.playbooks import find_collections
    from auditor.remediation.running import Plays, connections_of

    allowed = Allowed(unverified=asking.allow_unverified_tls, credssp=asking.allow_credssp)
    connections, refused = connections_of(operator, allowed)
    return Plays(options.playbooks or shipped("playbooks"), find_collections(options.collections), connections, refused)


def _asked(wave: Wave) -> bool:
    """Asks the person at the terminal; anything but yes is no."""
    from auditor.report.text import safe_text

    lines = [f"  {safe_text(item.host)}: {safe_text(item.remedy)}" for item in wave.items]
    print(f"Wave {wave.number} ({safe_text(wave.why)}):", *lines, sep="\n", file=sys.stderr, flush=True)
    print("Change these hosts now? Write yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() == "yes"


def tell(words: str) -> None:
    """Progress, on standard error."""
    from auditor.report.text import safe_text

    print(f"auditor: {safe_text(words)}", file=sys.stderr, flush=True)


def _tell_host(result: HostResult) -> None:
    if result.snapshot is None:
        tell(f"{result.host}: {result.status.replace('_', ' ')}: {result.reason}")


def now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)
