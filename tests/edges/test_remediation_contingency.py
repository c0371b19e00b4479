"""The contingency of a case, by the machinery of every plan: recorded, verified, refused for the same reasons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.model.case import Case, CaseCondition, Contingency
from auditor.model.errors import RemediationError
from auditor.model.rule import Matrix
from auditor.playbooks import Collections, foundation
from auditor.playbooks.digests import playbook_files
from auditor.remediation.contingency import run_contingency
from auditor.remediation.tools import Limits
from auditor.store import open_store
from tests.edges.remediation_samples import GROUND, REMEDY, World, remedy_of

CASE = Case(
    id="crash",
    title="It crashes",
    opened_at="2026-11-20T01:00:00Z",
    since="2026-11-20T01:00:00Z",
    hosts=("a", "b"),
    conditions=(CaseCondition(kind="bugcheck", code="0x8e"),),
    days=3,
    contingency=Contingency(playbook=REMEDY, run=True),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / f"{REMEDY}.yml").write_text("[]")
    (tmp_path / f"{REMEDY}.remedy.yml").write_text("{}")
    with open_store(tmp_path / "s.db") as store:
        found = World(store, "a", "b", "c")
        found.modes = dict.fromkeys(found.modes, "fine")
        found.read(["a", "b", "c"])
        yield found


def _run(world: World, folder: Path, **values: str) -> str:
    collections = Collections(folder, GROUND.collections)
    world.ground = foundation(playbook_files(folder, REMEDY), collections)
    matrix = Matrix(rules=(), signatures=(), digest="m")
    given = {("*", name): value for name, value in values.items()}
    return run_contingency(
        CASE,
        world.tools,
        matrix,
        {REMEDY: remedy_of()},
        folder=folder,
        collections=collections,
        values=given,
        restart_allowed=False,
        limits=Limits(lease_seconds=40),
    )


def test_it_is_applied_in_waves_and_recorded(world: World, tmp_path: Path) -> None:
    told = _run(world, tmp_path, mode="good")
    record = world.store.remediations()[-1]
    assert told == f"application {record.id}: done on a, b, and read again"
    assert world.modes == {"a": "good", "b": "good", "c": "fine"}
    assert record.plan.made_by == "op@console, for case crash"


def test_what_does_not_help_is_told_with_the_record(world: World, tmp_path: Path) -> None:
    world.on_run = lambda request: world.worse.add("a")
    with pytest.raises(RemediationError, match=r"application .*: held: .*got worse") as error:
        _run(world, tmp_path, mode="good")
    assert error.value.next_step == f"auditor remediate show {world.store.remediations()[-1].id}"


def test_missing_values_are_told_and_nothing_is_run(world: World, tmp_path: Path) -> None:
    with pytest.raises(RemediationError, match="values are missing: a: mode"):
        _run(world, tmp_path)
    assert world.requests == []
    assert world.store.remediations() == []
