"""Plans, checks and records as people read them: everything is there, and what a host or a person wrote commands nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest

from auditor.model.plan import PlanValue, RemediationDocument
from auditor.model.remedy import HostReport
from auditor.remediation.check import check_plan
from auditor.remediation.tools import Limits
from auditor.report.json_ import json_text
from auditor.report.remediation import check_text, history_table, plan_text, record_text
from auditor.report.remediation_markdown import plan_markdown, record_markdown
from auditor.store import open_store
from tests.edges.remediation_samples import World

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"
ODD = "\x1b[2J<b>|`x`\u202e @all http://x"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_store(tmp_path / "s.db") as store:
        yield World(store, "a", "b")


def _document(world: World) -> RemediationDocument:
    plan = world.plan()
    world.plays = {"a": HostReport(outcome="failed", notes=(ODD,), before={"mode": "bad"})}
    record = world.apply(plan)
    return RemediationDocument(record=record, events=tuple(world.store.remediation_events(record.id)))


def test_a_plan_says_everything_that_a_board_signs(world: World) -> None:
    plan = world.plan()
    for text in (plan_text(plan, 120), plan_markdown(plan, "d" * 64)):
        words = " ".join(text.replace("\\", "").split())
        for part in (
            "Set the mode",
            "rollback automatic",
            "set it back",
            "Guard has another start type",
            "first, alone",
            "operator",
            "not",
        ):
            assert part in words
    assert "d" * 64 in plan_markdown(plan, "d" * 64)


def test_what_is_written_by_strangers_commands_nothing(world: World) -> None:
    document = _document(world)
    plan = document.record.plan
    host = msgspec.structs.replace(plan.actions[0].hosts[0], values=(PlanValue(name="mode", value=ODD, origin="finding"),))
    plan = msgspec.structs.replace(plan, actions=(msgspec.structs.replace(plan.actions[0], hosts=(host, *plan.actions[0].hosts[1:])),))
    checked = check_plan(plan, "d", world.tools, Limits())
    for text in (plan_text(plan, 120), record_text(document), history_table([document.record], 120), check_text(checked)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    for text in (plan_markdown(plan, "d"), record_markdown(document)):
        assert "\x1b" not in text
        assert "<b>" not in re.sub(r"`[^`\n]+`|``.*?``", "", text)


def test_a_record_names_the_verdicts_the_rollback_and_the_tasks(world: World) -> None:
    document = _document(world)
    text = record_text(document)
    for part in ("held", "the play failed", "still there", "Set the mode | do it [changed]", "rollback: taken back"):
        assert part in text
    assert "Tasks:" not in record_text(document, events=False)
    assert "still there" in record_markdown(document)
    assert "1 still there, 1 not checked" in " ".join(history_table([document.record], 200).split())


def test_documents_are_valid_by_their_published_schemas(world: World) -> None:
    document = _document(world)
    checked = check_plan(document.record.plan, "d", world.tools, Limits())
    for name, value in (("plan", document.record.plan), ("remediation", document), ("remediation-check", checked)):
        schema = msgspec.json.decode((SCHEMAS / f"{name}.schema.json").read_bytes())
        jsonschema.Draft202012Validator(schema).validate(msgspec.json.decode(json_text(value)))
