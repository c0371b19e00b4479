"""The second collection of `investigate`: the host, the further parts of its dump in rounds, then the hosts that it is tied to.

Each answer is in the store before anything is made of it.
"""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from auditor.cli.asking import Asking

if TYPE_CHECKING:
    from auditor.analysis.investigate.case import Known
    from auditor.inventory import Inventory
    from auditor.investigate import Asked, Gathered
    from auditor.model.host import HostResult
    from auditor.probes.bundle import ProbeRequest
    from auditor.store import Store

_DAYS_BEFORE, _MOST_DAYS = 30, 3650
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
LEAST_BYTES, MOST_BYTES = 1 << 16, 1 << 30


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes, with K, M or G behind it or without."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes. Fails with what is expected."""
        match = re.fullmatch(r"(\d{1,12})\s*([kmg]?)i?b?", str(value).strip().casefold())
        size = int(match.group(1)) * _UNITS[match.group(2)] if match else -1
        if not LEAST_BYTES <= size <= MOST_BYTES:
            self.fail(f"{value!r} is no size between 64K and 1G", param, ctx)
        return size


class AskingAgain(msgspec.Struct, frozen=True, kw_only=True):
    """How far the second collection goes."""

    neighbours: int
    dump_bytes: int

    def collect(self, store: Store, inventory: Inventory, asking: Asking, wanted: Asked, known: Known, stop: threading.Event) -> Gathered:
        """The host first; what it says leads to the hosts that are asked next."""
        from auditor import __version__
        from auditor.audit import timestamp
        from auditor.investigate import moment_of, only, request_for, stored, wanted_neighbours, with_notes

        one = only(inventory, [wanted.host])
        run = store.begin_run("investigate", timestamp(_now), __version__)
        round_ = _Round(store, run, asking, stop)
        days, fragmentation = _event_days(asking.event_days, wanted.at), asking.fragmentation
        request = request_for(known, around=wanted.at, dump=wanted.crash is None, event_days=days, fragmentation=fragmentation)
        round_.ask(one, msgspec.structs.replace(request, dump_limit_bytes=min(request.dump_limit_bytes, self.dump_bytes)))
        if wanted.crash is None and not stop.is_set():
            round_.complete_dump(one, request, known, self.dump_bytes)
        first = stored(store, inventory.targets)
        names, note = wanted_neighbours(first, known, wanted.host, self.neighbours)
        if names and not stop.is_set():
            moment = moment_of(wanted, first, known)
            later = request_for(known, around=moment, dump=False, event_days=_event_days(asking.event_days, moment))
            round_.ask(only(inventory, names), later)
        store.finish_run(run, state="interrupted" if stop.is_set() else "finished")
        return with_notes(stored(store, inventory.targets, run), note)


class _Round:
    """Asks hosts in one run of the store."""

    def __init__(self, store: Store, run: str, asking: Asking, stop: threading.Event) -> None:
        self._store = store
        self._run = run
        self._asking = asking
        self._stop = stop

    def ask(self, inventory: Inventory, request: ProbeRequest) -> None:
        """All targets, each into the store when it has answered."""
        from auditor.audit import collect_into_store
        from auditor.cli.progress import Progress
        from auditor.collect.fleet import Limits

        limits = Limits(host_deadline_seconds=self._asking.host_deadline, parallel=self._asking.parallel)
        with Progress(len(inventory.targets)) as progress:
            collect_into_store(
                self._store, self._run, inventory, request, limits=limits, now=_now, stop=self._stop, tell=progress.tell, **self._manner()
            )

    def complete_dump(self, inventory: Inventory, request: ProbeRequest, known: Known, dump_bytes: int) -> None:
        """The further parts of the host's dump, put to what the store holds of this run."""
        from auditor.audit import ask_again
        from auditor.collect.dumpwalk import WalkLimits, complete_dump
        from auditor.collect.fleet import Limits

        stored = next(iter(self._store.results_of(self._run)), None)
        if stored is None:
            return

        def ask(further: ProbeRequest, answer_bytes: int, seconds: float) -> HostResult:
            limits = Limits(host_deadline_seconds=min(seconds, self._asking.host_deadline), answer_bytes=answer_bytes)
            return ask_again(inventory, further, limits=limits, now=_now, stop=self._stop, **self._manner())

        seconds = 2 * self._asking.host_deadline
        limits = WalkLimits(dump_bytes=dump_bytes, seconds=seconds)
        found = complete_dump(stored.result, request, ask, known.crashes, limits=limits, now=time.monotonic)
        if found is not stored.result:
            self._store.save_results(self._run, [(stored.target, found)])

    def _manner(self) -> dict[str, Any]:
        asking = self._asking
        return {
            "allow_unverified": asking.allow_unverified_tls,
            "allow_credssp": asking.allow_credssp,
            "use_proxy": asking.use_proxy,
        }


def _event_days(asked: int, around: datetime | None) -> int:
    """How far back events are read: as asked, and far enough to tell what came in the month before the moment."""
    back = (_now() - around).days + _DAYS_BEFORE if around is not None else 0
    return min(max(asked, back), _MOST_DAYS)


def _now() -> datetime:
    return datetime.now(UTC)
