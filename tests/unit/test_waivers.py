"""Waivers held against findings: the scope, the last day, what is stale; a waived finding is moved and never lost."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.rules.waive import SOON, waive
from auditor.model.finding import Report
from auditor.model.waiver import PlacedWaiver, StaleWaiver, Waiver, Waivers

SAMPLE = msgspec.json.decode((Path(__file__).parents[1] / "samples" / "report_incident.json").read_bytes(), type=Report)
TODAY = date(2026, 11, 26)
FIRST = SAMPLE.findings[0]
HOSTS = tuple(subject.host for subject in FIRST.subjects)
GROUPS = dict.fromkeys(HOSTS, ("servers", "Antivirus_Servers"))
RULES = frozenset(f.rule for f in (*SAMPLE.findings, *SAMPLE.undetermined))


def waiver(**changes: Any) -> Waiver:
    facts: dict[str, Any] = {"id": "w", "rule": FIRST.rule, "reason": "ordered", "owner": "J. Doe", "until": "2026-12-31"}
    return Waiver(**(facts | changes))


def held(*waivers: Waiver, today: date = TODAY, malformed: tuple[StaleWaiver, ...] = (), report: Report = SAMPLE) -> Report:
    entries = tuple(PlacedWaiver(waiver=w, place=f"w.yml:{n}:1") for n, w in enumerate(waivers, 2))
    return waive(report, Waivers(entries=entries, malformed=malformed), groups=GROUPS, today=today, rules=RULES)


def reached(*waivers: Waiver, today: date = TODAY) -> bool:
    return FIRST.id in {entry.finding.id for entry in held(*waivers, today=today).waived}


def test_a_finding_is_moved_with_who_accepted_it() -> None:
    report = held(waiver())
    (entry,) = [e for e in report.waived if e.finding.id == FIRST.id]
    assert (entry.finding, entry.waiver, entry.owner, entry.until, entry.reason) == (FIRST, "w", "J. Doe", "2026-12-31", "ordered")
    assert FIRST.id not in {f.id for f in report.findings}
    assert len(report.findings) + len(report.waived) == len(SAMPLE.findings)
    assert report.undetermined == SAMPLE.undetermined


@pytest.mark.parametrize(
    ("scope", "fits"),
    [
        ({}, True),
        ({"hosts": HOSTS}, True),
        ({"hosts": tuple(host.lower() for host in HOSTS)}, True),
        ({"hosts": ("*",)}, True),
        ({"hosts": HOSTS[:1]}, len(HOSTS) == 1),
        ({"hosts": ("elsewhere",)}, False),
        ({"groups": ("antivirus_servers",)}, True),
        ({"groups": ("printers",)}, False),
        ({"hosts": HOSTS[:1], "groups": ("servers",)}, True),
        ({"rule": "another-rule"}, False),
        ({"products": ("no-such-product",)}, False),
    ],
)
def test_every_part_of_the_scope_has_to_fit(scope: dict[str, Any], fits: bool) -> None:
    assert reached(waiver(**scope)) is fits


def test_a_product_is_one_that_the_finding_rests_on() -> None:
    told = {*FIRST.evidence, *(e for edge in FIRST.edges for e in edge.evidence)}
    resting = [p.id for p in SAMPLE.products if p.host in HOSTS and told & set(p.evidence)]
    others = {p.id for p in SAMPLE.products} - set(resting)
    for id_ in resting:
        assert reached(waiver(products=(id_,)))
        assert reached(waiver(products=("no-such-product", id_)))
    for id_ in others:
        assert not reached(waiver(products=(id_,)))


@pytest.mark.parametrize(("until", "holds"), [("2026-11-26", True), ("2026-11-25", False), ("2026-11-27", True), ("2025-12-31", False)])
def test_the_last_day_is_included(until: str, holds: bool) -> None:
    assert reached(waiver(until=until)) is holds


def test_a_waiver_that_expires_brings_the_finding_back() -> None:
    report = held(waiver(until="2026-11-26"))
    again = held(waiver(until="2026-11-26"), today=date(2026, 11, 27), report=report)
    assert [f.id for f in again.findings if f.id == FIRST.id] == [FIRST.id]
    assert again.waived == ()
    assert [(s.why, s.id) for s in again.stale_waivers] == [("expired", "w")]


def test_what_is_stale_is_told_with_its_place() -> None:
    wrong = StaleWaiver(id="x", place="w.yml:9:3", why="malformed", message="expected a text")
    report = held(
        waiver(id="good", until="2027-12-31"),
        waiver(id="old", until="2020-01-01"),
        waiver(id="typo", rule="no-such-rule"),
        waiver(id="idle", hosts=("elsewhere",)),
        waiver(id="soon", rule=SAMPLE.findings[-1].rule, until="2026-12-01"),
        malformed=(wrong,),
    )
    told = {s.id: (s.why, s.place) for s in report.stale_waivers}
    assert told == {
        "x": ("malformed", "w.yml:9:3"),
        "old": ("expired", "w.yml:3:1"),
        "typo": ("unknown_rule", "w.yml:4:1"),
        "idle": ("unused", "w.yml:5:1"),
        "soon": ("ends_soon", "w.yml:6:1"),
    }
    assert timedelta(days=5) < SOON


def test_the_first_of_two_waivers_counts_and_the_other_is_idle() -> None:
    report = held(waiver(id="one"), waiver(id="two"))
    assert {entry.waiver for entry in report.waived} == {"one"}
    assert [(s.id, s.why) for s in report.stale_waivers] == [("two", "unused")]


@given(st.lists(st.sampled_from([f.rule for f in SAMPLE.findings]), max_size=4), st.dates(date(2026, 11, 20), date(2026, 12, 2)))
def test_nothing_is_lost_and_the_order_of_days_does_not_matter(rules: list[str], today: date) -> None:
    waivers = [waiver(id=str(n), rule=rule, until="2026-11-26") for n, rule in enumerate(rules)]
    report = held(*waivers, today=today)
    assert {f.id for f in report.findings} | {w.finding.id for w in report.waived} == {f.id for f in SAMPLE.findings}
    assert bool(report.waived) is (bool(rules) and today <= date(2026, 11, 26))
    assert held(*waivers, today=today, report=report) == report
    assert set(held(report=report).findings) == set(SAMPLE.findings)
