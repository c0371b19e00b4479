"""A host that nobody touches has no drift, however long it lives: a thousand collections, every one another, not one row."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from auditor.analysis.drift.against_role import against_role
from auditor.analysis.drift.compare import compare_snapshots
from auditor.analysis.drift.learn import learn_baseline
from auditor.analysis.drift.normalise import Normaliser
from auditor.analysis.drift.peers import Peers
from auditor.lab.clock import Dial, Zone
from auditor.lab.facts_activity import TaskFacts, TriggerFacts
from auditor.lab.jobfile import COLUMNS, csv_text, job_bytes, schtasks_lines
from auditor.matrix import load_matrix
from auditor.matrix.drift_files import load_drift
from auditor.model.host import Snapshot
from auditor.model.places import shipped
from tests.living import EXPECTED_SECTIONS, living
from tests.unit.small_drift import state

SCANS = 1000
ROOTS = [shipped("compat_matrix")]


@pytest.fixture(scope="module")
def ready() -> dict[bool, Normaliser]:
    knowledge, signatures = load_drift(ROOTS), load_matrix(ROOTS).signatures
    return {between: Normaliser(knowledge, signatures, between_hosts=between) for between in (False, True)}


def _job(day: int, command: str = "C:\\copy.cmd") -> list[dict[str, Any]]:
    """A .job file that ran yesterday, and the line that schtasks lists for it."""
    trigger = TriggerFacts(kind="daily", start="2012-01-01 19:00")
    task = TaskFacts(command=command, last_run="-1d 19:00", last_result=day % 2, user="CORP\\svc", triggers=(trigger,))
    dial = Dial(now=datetime(2026, 11, day, 9, tzinfo=UTC), zone=Zone())
    data = base64.b64encode(job_bytes("copy", task, dial)).decode()
    text = csv_text([list(COLUMNS), *schtasks_lines("SRV", {"copy.job": task}, dial)])
    return [{"path": "copy.job", "source_format": "job", "data": data}, {"path": "copy", "source_format": "schtasks", "text": text}]


def base(name: str = "LIVING") -> Snapshot:
    """An ordinary server beside what lives on it."""
    adapters: list[dict[str, Any]] = [
        {"mac": "00:50:56:9A:00:01", "addresses": ["192.168.1.5"], "dhcp_enabled": False},
        {"mac": "00:50:56:9A:00:02", "addresses": ["10.20.0.9"], "dhcp_enabled": True, "dhcp_server": "10.20.0.1"},
    ]
    return state(
        name,
        system=[{"version": "5.2.3790", "product_type": "server", "architecture": "x86", "pending_reboot": []}],
        network=[{"computer_name": name, "adapters": adapters}],
        services=[{"name": "Spooler", "start": "auto", "state": "running"}, {"name": "Acme_agent", "start": "auto", "state": "running"}],
        drivers=[{"name": "RapDrv", "path": "C:\\W\\RapDrv.sys", "start": "system", "state": "running", "file_version": "3.6.0.0"}],
        programs=[{"key": "{1}", "view": "native", "name": "Tool 3.1", "version": "3.1"}],
        tasks=[{"path": "\\Copy", "run": "robocopy D:\\ E:\\", "at": "19:00"}, *_job(3)],
        shares=[{"name": "Data", "path": "D:\\Data"}],
    )


def test_a_thousand_collections_of_a_living_host_show_nothing(ready: dict[bool, Normaliser]) -> None:
    first = before = living(base(), 0)
    moved: set[str] = set()
    for number in range(1, SCANS + 1):
        now = living(base(), number)
        assert compare_snapshots(before, now, ready[False]).deltas == (), number
        if number % 50 == 0:
            assert compare_snapshots(first, now, ready[False]).deltas == (), number
        moved |= {name for name in EXPECTED_SECTIONS if getattr(before.sections, name).records != getattr(now.sections, name).records}
        before = now
    assert moved == set(EXPECTED_SECTIONS), "the host has to live for the test to mean anything"


def test_living_peers_and_a_role_learned_from_them_show_nothing(ready: dict[bool, Normaliser]) -> None:
    hosts = [living(base(f"LIVE{number}"), 37 * number) for number in range(20)]
    peers = Peers(ready[True])
    for host in hosts:
        peers.add(host)
    assert list(peers.outliers()) == []
    role = learn_baseline("servers", hosts, ready[True], at="2026-11-26T00:00:00Z")
    assert {"services", "drivers"} <= set(role.sections)
    assert [d for number in range(20) for d in against_role(role, living(base(f"LIVE{number}"), 900 + number), ready[True]).deltas] == []


CHANGES: dict[str, tuple[dict[str, Any], tuple[str, str, str]]] = {
    "a service is switched off": (
        {
            "services": [
                {"name": "Spooler", "start": "disabled", "state": "running"},
                {"name": "Acme_agent", "start": "auto", "state": "running"},
            ]
        },
        ("services", "Spooler", "start"),
    ),
    "a driver is replaced": (
        {"drivers": [{"name": "RapDrv", "path": "C:\\W\\RapDrv.sys", "start": "system", "state": "running", "file_version": "3.6.0.1"}]},
        ("drivers", "RapDrv", "file_version"),
    ),
    "a share appears": ({"shares": [{"name": "Data", "path": "D:\\Data"}, {"name": "New$", "path": "D:\\"}]}, ("shares", "New$", "")),
    "a task does something else": (
        {"tasks": [{"path": "\\Copy", "run": "robocopy D:\\ E:\\ /MIR", "at": "19:00"}, *_job(3)]},
        ("tasks", "\\Copy", "actions"),
    ),
    "a program is upgraded": (
        {"programs": [{"key": "{1}", "view": "native", "name": "Tool 3.2", "version": "3.2"}]},
        ("programs", "Tool <version>", "version"),
    ),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_real_change_is_seen_through_all_that_moves(ready: dict[bool, Normaliser], change: str) -> None:
    sections, expected = CHANGES[change]
    other = state("LIVING", **sections)
    changed = msgspec.structs.replace(base().sections, **{name: getattr(other.sections, name) for name in sections})
    now = living(msgspec.structs.replace(base(), sections=changed), 8)
    found = compare_snapshots(living(base(), 7), now, ready[False])
    assert [(d.section, d.key, d.field) for d in found.deltas] == [expected]


def test_jobs_that_ran_again_are_the_same_jobs(ready: dict[bool, Normaliser]) -> None:
    one, other = state(tasks=_job(3)), state(tasks=_job(4))
    assert one.sections.tasks != other.sections.tasks
    assert compare_snapshots(one, other, ready[False]).deltas == ()
    found = compare_snapshots(one, state(tasks=_job(4, "C:\\evil.cmd")), ready[False])
    assert [(d.key, d.field) for d in found.deltas] == [("copy.job", "actions")]
