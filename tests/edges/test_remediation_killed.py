"""An application that ends at any event: what was begun is in the record, nothing is repeated, and the rest goes on only when told to."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from auditor.model.errors import RemediationError
from auditor.model.remedy import RunRequest
from auditor.remediation.process import applicant, has_ended
from auditor.remediation.record import settle
from auditor.remediation.tools import Limits
from auditor.store import Store, open_store
from tests.edges.remediation_samples import World

ROOT = Path(__file__).parents[2]
EVENTS = 9
"""Of a plan over three hosts: three tasks each."""


class _KilledError(BaseException):
    """Something that no code expects."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "s.db") as opened:
        yield opened


@pytest.mark.parametrize("number", range(1, EVENTS + 1))
def test_stopped_at_any_event_it_is_written_as_interrupted_and_never_repeats_a_host(store: Store, number: int) -> None:
    world = World(store, "a", "b", "c")
    plan = world.plan()
    seen = 0

    original = world.store.add_remediation_event

    def killing(record: str, event: object) -> None:
        nonlocal seen
        original(record, event)  # type: ignore[arg-type]
        seen += 1
        if seen == number:
            raise _KilledError

    store.add_remediation_event = killing  # type: ignore[method-assign]
    with pytest.raises(_KilledError):
        world.apply(plan)
    store.add_remediation_event = original  # type: ignore[method-assign]
    record = store.remediations()[-1]
    assert (record.state, record.reason) == ("interrupted", "stopped by _KilledError")
    begun = [item.host for wave in record.waves for item in wave.items]
    assert begun == ["a", "b", "c"][: (number + 2) // 3]
    assert len(store.remediation_events(record.id)) == number
    with pytest.raises(RemediationError, match=r"was begun on .* and is interrupted"):
        world.apply(plan)
    world.requests.clear()
    again = world.apply(plan, resume=True)
    assert [one.host for request in world.requests for one in request.hosts] == [h for h in ("a", "b", "c") if h not in begun]
    assert again.continues == record.id
    fixed = {v.finding for v in again.verdicts if v.verdict == "fixed"}
    truly = {f.id for f in plan.findings if world.modes[f.hosts[0]] == "good"}
    assert fixed == truly, "what was half done is told as it is, whatever the run said"


CHILD = """
    import os, sys
    from auditor.remediation.process import applicant
    from auditor.store import open_store
    from tests.edges.remediation_samples import World
    with open_store(sys.argv[1]) as store:
        world = World(store, "a", "b", "c")
        world.by = applicant()
        plan = world.plan()
        count = 0
        add = store.add_remediation_event
        def killing(record, event):
            global count
            add(record, event)
            count += 1
            if count == int(sys.argv[2]):
                os.kill(os.getpid(), 9)
        store.add_remediation_event = killing
        world.apply(plan)
"""


@pytest.mark.parametrize("number", [1, 5, 9])
def test_a_killed_process_is_seen_as_interrupted_at_the_next_start(tmp_path: Path, number: int) -> None:
    file = tmp_path / "s.db"
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(file), str(number)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -9, done.stderr
    with open_store(file) as store:
        world = World(store, "a", "b", "c")
        before = store.remediations()[-1]
        assert before.state == "running"
        assert len(store.remediation_events(before.id)) == number
        record = settle(store, world.now(), has_ended)[-1]
        assert record.state == "interrupted"
        assert store.remediations() == [record]
        assert [item.host for wave in record.waves for item in wave.items] == ["a", "b", "c"][: (number + 2) // 3]
        world.has_ended = has_ended
        world.time += timedelta(minutes=1)
        new = world.plan()
        assert world.apply(new).state == "finished", "the dead application's locks are no obstacle on its own machine"


def test_a_dead_process_that_nobody_waited_for_has_ended(store: Store) -> None:
    script = "from auditor.remediation.process import applicant; print(applicant().process, flush=True); input()"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        world = World(store, "a")
        world.by = msgspec.structs.replace(applicant(), process=child.stdout.readline().strip())
        record = world.apply(world.plan())
        assert not has_ended(record)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(record)


def test_an_application_that_still_runs_is_not_taken_for_dead(store: Store) -> None:
    world = World(store, "a")
    world.by = applicant()
    plan = world.plan()
    states = []

    def look(_request: RunRequest) -> None:
        states.append(settle(store, world.now(), has_ended)[-1].state)

    world.on_run = look
    world.apply(plan)
    assert states == ["running"]


def test_a_plan_is_applied_once(store: Store) -> None:
    world = World(store, "a")
    plan = world.plan()
    world.apply(plan)
    for resume in (False, True):
        with pytest.raises(RemediationError, match="was applied to its end"):
            world.apply(plan, resume=resume)


def test_a_held_plan_goes_on_with_what_was_not_begun(store: Store) -> None:
    world = World(store, "a", "b", "c")
    plan = world.plan()
    world.plays = {"b": "exit code 1603"}
    assert world.apply(plan).state == "held"
    world.plays = {}
    world.requests.clear()
    record = world.apply(plan, Limits(lease_seconds=40), resume=True)
    assert [one.host for request in world.requests for one in request.hosts] == ["c"]
    assert record.state == "finished"
    assert [v.verdict for v in record.verdicts] == ["fixed", "still_there", "fixed"]
