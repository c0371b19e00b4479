"""What is kept of Ansible's events: bounded, without secrets, storable whatever a host printed."""

from __future__ import annotations

from typing import Any

import msgspec

from auditor.playbooks.events import LONGEST, Hidden, host_report, task_event

HIDDEN = Hidden(["Geheim-Wort-1"])


def _event(**res: Any) -> dict[str, Any]:
    data = {"host": "a", "task": "Set it | Write it", "res": res}
    return {"event": "runner_on_ok", "event_data": data, "created": "2026-11-26T01:00:00.123"}


def test_bytes_that_are_no_text_are_kept_as_escapes() -> None:
    found = task_event(_event(stdout="caf\udce9 \ud800", diff={"before": "x\udc80", "after": "y"}), 1, HIDDEN)
    assert found is not None
    assert found.message == "caf\\udce9 \\ud800"
    assert "x\\udc80" in found.difference
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


def test_a_report_that_no_store_takes_counts_as_none() -> None:
    event = {"event": "runner_on_ok", "event_data": {"host": "a", "task": "Report | Tell what was done", "res": {"remedy_report": {}}}}
    for told in (
        {"outcome": "done", "before": {"x": "\udc80"}},
        {"outcome": "marvellous"},
        "done",
        None,
        {"outcome": "done", "before": {"x": "y" * 300_000}},
    ):
        event["event_data"]["res"] = {"remedy_report": told}  # type: ignore[index]
        assert host_report(event, HIDDEN) is None
    event["event_data"]["res"] = {"remedy_report": {"outcome": "done", "notes": ["it is Geheim-Wort-1"]}}  # type: ignore[index]
    told_ = host_report(event, HIDDEN)
    assert told_ is not None
    assert told_[1].notes == ("it is (hidden)",)


def test_secrets_and_long_texts_are_cut() -> None:
    found = task_event(_event(msg="Geheim-Wort-1 " + "x" * 3 * LONGEST + " the end"), 1, HIDDEN)
    assert found is not None
    assert "Geheim" not in found.message
    assert found.message.endswith("the end")
    assert len(found.message) <= LONGEST + 2
