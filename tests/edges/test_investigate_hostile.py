"""Hosts that say anything, and files of hypotheses with mistakes: an answer or a clear error, never another exception."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.hypotheses import load_hypotheses
from auditor.investigate import Asked, Gathered, investigate
from auditor.model.errors import MatrixError
from auditor.model.host import HostResult
from auditor.model.places import shipped
from auditor.report import investigation, investigation_html
from tests.edges.lab_cases import incident_text, known
from tests.unit.small_fleet import snapshot, target

TEXT = st.one_of(
    st.sampled_from(["", "\\\\", "9" * 30, "\x00\x1b[31m", "A", "B", "\\\\A\\c$", "2026-13-99", "19:03:12", "2005-11-08"]),
    st.text(max_size=12),
)
TIME = st.sampled_from(["2005-11-08T11:06:31Z", "2005-11-08T11:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "x", ""])
NUMBER = st.one_of(st.none(), st.integers(-(2**62), 2**62))
STRINGS = st.lists(TEXT, max_size=5)


def rows(**fields: Any) -> Any:
    return st.lists(st.fixed_dictionaries(fields), max_size=3)


EVENTS = rows(
    log=st.sampled_from(["System", "Application"]),
    source=st.sampled_from(["EventLog", "Save Dump", "disk", "Ntfs", "Service Control Manager", "Symantec AntiVirus", "Winlogon"]),
    id=st.sampled_from([6008, 1001, 7, 51, 55, 7036, 16]),
    time=TIME,
    record=NUMBER,
    strings=STRINGS,
)
HOST = st.fixed_dictionaries(
    {
        "system": st.lists(
            st.fixed_dictionaries({"bias_minutes": NUMBER, "daylight_bias_minutes": NUMBER, "daylight_start": TEXT}), max_size=1
        ),
        "events": EVENTS,
        "logons": rows(time=TIME, account=TEXT, workstation=TEXT, address=TEXT),
        "drivers": rows(name=st.sampled_from(["RapDrv", "x"]), path=TEXT, link_timestamp=NUMBER, size_bytes=NUMBER, modified_at=TIME),
        "firewall": rows(
            profile=TEXT, source=TEXT, window_start=TIME, window_end=TIME, attacks=st.integers(0, 9), dropped=st.integers(0, 99)
        ),
        "dumpbytes": rows(
            path=TEXT, offset=st.integers(-5, 2**50), size_bytes=NUMBER, data=st.sampled_from(["", "UEFHRURVTVA=", "!", "QUJD"])
        ),
        "memory": rows(kind=st.sampled_from(["page_file", "volume"]), name=TEXT, last_chkdsk=TEXT),
        "shares": rows(name=TEXT, path=TEXT),
        "tasks": st.just([{"path": "t", "source_format": "xml", "text": "<Task/>"}]),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HOST, HOST, st.booleans())
def test_no_text_of_a_host_raises(one: dict[str, Any], other: dict[str, Any], with_text: bool) -> None:
    hosts = {"A": one, "B": other}
    results = {name: HostResult(host=name, status="ok", snapshot=snapshot(name, **sections)) for name, sections in hosts.items()}
    gathered = Gathered(targets=tuple(target(name) for name in hosts), results=results)
    asked = Asked(host="A", crash=incident_text() if with_text else None, crash_file="f")
    found = investigate(asked, gathered, known(), None)
    assert found.trigger
    assert msgspec.json.encode(found)
    investigation.render(found, why=True)
    investigation_html.render(found)


GOOD = (shipped("compat_matrix") / "hypotheses" / "weights.yml").read_text(encoding="utf-8")


def loaded(folder: Path, text: str, name: str = "weights.yml") -> MatrixError:
    (folder / "hypotheses").mkdir()
    (folder / "hypotheses" / name).write_text(text, encoding="utf-8")
    with pytest.raises(MatrixError) as caught:
        load_hypotheses([shipped("compat_matrix"), folder])
    return caught.value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hypotheses:\n  - {id: a, title: A, question: [trigger], for: [{sign: disk_errors, weight: 0, why: w}]}\n", "1 to 100 points"),
        ("hypotheses:\n  - {id: a, title: A, question: [trigger], leads_with: [y]}\n", "leads with y"),
        ("hypotheses:\n  - {id: a, title: A, question: []}\n", "answers no question"),
        ("hypotheses:\n  - {id: a, title: A, question: [why]}\n", "why"),
        ("hypotheses:\n  - {id: a, title: A, question: [trigger], colour: red}\n", "colour"),
        ("hypotheses: []\nprobable_from: 200\n", "probable_from"),
        ("hypotheses:\n  - {id: a, title: A, question: [trigger], for: [{sign: nobody-looks, weight: 1, why: w}]}\n", "no sign"),
        ("- 1\n", ""),
    ],
)
def test_mistakes_in_weights_are_told_with_their_place(tmp_path: Path, text: str, told: str) -> None:
    error = loaded(tmp_path, text)
    assert any(told in problem.message or told in problem.subject for problem in error.problems), error.problems
    assert all("weights.yml" in problem.file for problem in error.problems)


def test_a_folder_of_ones_own_replaces_a_hypothesis_and_adds_events(tmp_path: Path) -> None:
    folder = tmp_path / "hypotheses"
    folder.mkdir()
    (folder / "weights.yml").write_text(
        "hypotheses:\n  - {id: unknown, title: Nobody knows, question: [trigger], base: 1}\n", encoding="utf-8"
    )
    (folder / "observations.yml").write_text("minutes: {job: 5}\nevents: {disk: [{source: Own, ids: [1]}]}\n", encoding="utf-8")
    found = load_hypotheses([shipped("compat_matrix"), tmp_path])
    assert next(rule for rule in found.hypotheses if rule.id == "unknown").title == "Nobody knows"
    assert found.minutes["job"] == 5
    assert {kind.source for kind in found.events["disk"]} == {"disk", "Own"}
