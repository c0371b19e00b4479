"""The last step of the incident over the command line: the crash comes back, and the watch switches a driver off as it was told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.store import open_store
from tests.lab.conftest import own_digest
from tests.lab.remediate_world import SAMPLES, Said, World, world
from tests.windows_collections import require_collections

pytestmark = [pytest.mark.lab, pytest.mark.slow]
FLEET = """\
title: the server of the incident that crashes
extends: incident
remove: [srv-b, dc-1, print-1, file-1, web-1, sql-1, de-1, quiet-19, quiet-22]
"""


@pytest.fixture
def crashed(tmp_path: Path) -> Iterator[World]:
    """Server A, whose crash was yesterday, with a case that watches for it since three days ago."""
    require_collections()
    with world(tmp_path, FLEET, own_digest, rule=None) as running:
        running.audit()
        since = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
        words = ("--title", "Server A restarts", "--host", "srv-a", "--bugcheck", "0x8e", "--days", "30", "--since", since)
        store = ("--store", str(tmp_path / "s.db"))
        assert running.call("watch", "cases", "open", *words, "--contingency", "set_start", "--run-contingency", *store).code == 0
        (tmp_path / "values.yml").write_text("srv-a: {service: RapDrv, start: disabled}\n")
        yield running
        assert running.lab.violations.read_text() == ""


def _watch(running: World, *words: str) -> Said:
    places = (
        "--store",
        str(running.folder / "s.db"),
        "-i",
        str(running.lab.inventory),
        "--operator-inventory",
        str(running.lab.operator_inventory),
    )
    values = ("--values", str(running.folder / "values.yml"), "--playbooks", str(SAMPLES))
    return running.call("watch", "--once", "--format", "json", *places, *values, *running.collections, *words)


def _start(running: World) -> str | None:
    running.audit()
    with open_store(running.folder / "s.db", write=False) as store:
        snapshot = store.read_snapshot("srv-a")
    assert snapshot is not None
    return next(driver.start for driver in snapshot.sections.drivers.records if driver.name == "RapDrv")


def test_it_is_run_as_a_plan_once_and_told(crashed: World) -> None:
    assert _start(crashed) == "system"
    told = _watch(crashed, "--run-contingencies")
    items = told.document["items"]
    assert [item["kind"] for item in items if item["ref"] == "server-a-restarts"] == ["case_recurred"], told.err
    history = json.loads(crashed.call("remediate", "history", "--store", str(crashed.folder / "s.db"), "--format", "json").out)
    (record,) = history["applications"]
    assert (record["state"], record["plan"]["made_by"].endswith("for case server-a-restarts")) == ("finished", True), record["reason"]
    case = json.loads(
        crashed.call("watch", "cases", "show", "server-a-restarts", "--store", str(crashed.folder / "s.db"), "--format", "json").out
    )["case"]
    assert case["contingency_outcome"] == f"application {record['id']}: done on srv-a, and read again"
    assert _start(crashed) == "disabled"
    _watch(crashed, "--run-contingencies")
    again = json.loads(crashed.call("remediate", "history", "--store", str(crashed.folder / "s.db"), "--format", "json").out)
    assert len(again["applications"]) == 1, "once only"


def test_a_watch_that_was_not_told_to_changes_nothing(crashed: World) -> None:
    _watch(crashed)
    case = json.loads(
        crashed.call("watch", "cases", "show", "server-a-restarts", "--store", str(crashed.folder / "s.db"), "--format", "json").out
    )["case"]
    assert "was not started with --run-contingencies" in case["contingency_outcome"]
    assert _start(crashed) == "system"
    assert not crashed.lab.operations.read_text()
