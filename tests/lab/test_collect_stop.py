"""Ctrl-C and other ends of a collection: what was collected stays, shells are closed, nobody waits for the hosts that hang."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from auditor.collect.fleet import Limits
from auditor.model.host import HostResult
from tests.lab.collect_fleet import Running, facts, running, stop_after

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def fleet() -> Iterator[Running]:
    hosts = {f"hang{n}": facts(behaviour={"fault": "hang_command"}) for n in range(3)}
    hosts |= {f"pit{n}": facts(behaviour={"fault": "hang_accept"}) for n in range(2)}
    with running({"good": facts(), **hosts}) as fleet:
        yield fleet


def check(fleet: Running, results: dict[str, HostResult], started: float) -> None:
    assert time.monotonic() - started < 6
    assert results["good"].status == "ok"
    for name, result in results.items():
        if name != "good":
            assert (result.status, result.reason, result.snapshot) == ("not_asked", "interrupted", None)
    assert fleet.open_shells() == {}
    assert fleet.violations() == ""


def test_a_stop_from_elsewhere(fleet: Running) -> None:
    started = time.monotonic()
    check(fleet, fleet.collect(seconds=60, stop=stop_after(1.0)), started)


def test_ctrl_c(fleet: Running) -> None:
    stop = threading.Event()
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    check(fleet, fleet.collect(seconds=60, stop=stop), started)
    assert stop.is_set()


def test_hosts_whose_turn_never_came_are_not_asked() -> None:
    hosts = {name: facts(behaviour={"fault": "hang_command"}) for name in ("hang0", "hang1", "hang2")}
    with running(hosts) as fleet:  # asked by no test before: nothing of theirs is under way
        before = fleet.lab.server.counts("hang2")
        results = fleet.collect(limits=Limits(host_deadline_seconds=60, parallel=1), stop=stop_after(0.6))
        assert {result.reason for result in results.values()} == {"interrupted"}
        assert fleet.lab.server.counts("hang2") == before


def test_a_fault_in_what_follows_ends_the_run_and_closes_the_shells(fleet: Running) -> None:
    def full(_: HostResult) -> None:
        raise OSError("the disk is full")

    started = time.monotonic()
    with pytest.raises(OSError, match="disk"):
        fleet.collect(seconds=60, on_result=full)
    assert time.monotonic() - started < 6
    assert fleet.open_shells() == {}
