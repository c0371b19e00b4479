"""The four answers of a pre-check, the first that holds: no-go, unknown, go with conditions, go; and what is told with each."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from auditor.model.rule import Matrix
from auditor.model.table import ExclusionsTable
from auditor.model.whatif import ANSWERS
from tests.unit.small_fleet import DENIED, KEY, kept
from tests.unit.small_precheck import LOW, OLD_SERVER, PAIR, PLAIN, SYSTEM, TWO, answer, check, rules_in, world

ROOM = {"memory": [{"kind": "volume", "name": "C:", "size_bytes": 10**10, "free_bytes": 10**9}]}
READY: dict[str, Any] = {**PLAIN, **ROOM}
SERVER = "acme-guard@10.0,role=server,without=Alerts"
LOGON = {"logons": [{"time": "2026-01-02T02:00:00Z", "account": "x", "workstation": "B", "logon_type": 3}]}


def test_the_incident_through_the_group() -> None:
    said = answer({"A": OLD_SERVER, "B": READY}, world(PAIR), ("install", f"{SERVER},group=One"))
    assert said.answer == "no-go"
    (delta,) = said.added
    assert (delta.how, [(s.role, s.host) for s in delta.finding.subjects]) == ("added", [("old", "A"), ("new", "B")])
    assert {(e.kind, e.source, e.target) for e in delta.finding.edges} == {
        ("member-of", "host:A", "group:acme-guard:one"),
        ("member-of", "host:B", "group:acme-guard:one"),
    }
    assert any(e.section == "change" and e.about == "group" and e.value == "One" for edge in delta.finding.edges for e in edge.evidence)


@pytest.mark.parametrize(
    "ties",
    [
        {"A": LOGON},
        {"A": {"tasks": [{"path": "\\Nightly", "run": "robocopy D:\\x \\\\B\\share$ /MIR", "at": "19:00"}]}},
        {"B": {"tasks": [{"path": "\\Pull", "run": "xcopy \\\\A\\data C:\\in", "at": "19:00"}]}},
    ],
)
def test_the_incident_without_a_group_through_the_ties_that_are_there(ties: dict[str, dict[str, Any]]) -> None:
    hosts = {"A": OLD_SERVER | ties.get("A", {}), "B": READY | ties.get("B", {})}
    said = answer(hosts, world(PAIR), ("install", SERVER))
    assert said.answer == "no-go"
    assert {e.kind for e in said.added[0].finding.edges} <= {"logs-on-to", "copies-to"}


def test_the_incident_without_ties_and_without_a_group_is_unknown_and_says_what_would_settle_it() -> None:
    said = answer({"A": OLD_SERVER, "B": READY}, world(PAIR), ("install", SERVER))
    assert (said.answer, rules_in(said.open)) == ("unknown", ["newer-updates-older"])
    assert said.open[0].finding.missing == ("B: change: acme-guard: group is not stated: say group=NAME, or group= for none",)
    assert answer({"A": OLD_SERVER, "B": READY}, world(PAIR), ("install", f"{SERVER},group=Two")).answer == "go"
    assert answer({"A": OLD_SERVER, "B": READY}, world(PAIR), ("install", f"{SERVER},group=")).answer == "go"


@pytest.mark.parametrize("what", ["acme-guard@10.0,group=One,without=Alerts", "acme-guard,role=server,group=One,without=Alerts"])
def test_a_role_or_version_that_is_not_stated_is_not_known(what: str) -> None:
    said = answer({"A": OLD_SERVER, "B": READY}, world(PAIR), ("install", what))
    assert said.answer == "unknown"
    assert any("is not stated" in reason for reason in said.open[0].finding.missing)


def test_evidence_that_is_missing_on_the_other_host_is_unknown_never_go() -> None:
    blind = OLD_SERVER | {"drivers": DENIED}
    said = answer({"A": blind, "B": READY}, world(PAIR), ("install", f"{SERVER},group=One"))
    assert (said.answer, said.open[0].finding.missing) == ("unknown", ("A: drivers: access denied",))


def test_lower_violations_are_conditions() -> None:
    said = answer({"B": READY}, world(LOW), ("install", f"{SERVER},group="))
    assert (said.answer, rules_in(said.added)) == ("go with conditions", ["guard-is-there"])


def test_an_unmet_prerequisite_is_a_condition() -> None:
    full = PLAIN | {"memory": [{"kind": "volume", "name": "C:", "free_bytes": 10**6}]}
    said = answer({"B": full}, world(PAIR), ("install", f"{SERVER},group="))
    assert said.answer == "go with conditions"
    assert [(p.kind, p.met) for p in said.prerequisites] == [("restart", True), ("disk", False), ("afterwards", True)]


def test_go_counts_the_rules_that_were_decided() -> None:
    said = answer({"B": READY}, world(PAIR, TWO), ("install", f"{SERVER},group="))
    assert (said.answer, said.decided, said.added, said.open, said.cured) == ("go", 2, (), (), ())


def test_a_second_antivirus_is_a_no_go_and_removing_it_first_is_not() -> None:
    other = READY | {"services": [{"name": "shieldsvc", "state": "running"}]}
    hosts = {"B": other}
    assert rules_in(answer(hosts, world(TWO), ("install", f"{SERVER},group=")).added) == ["two-at-once"]
    swapped = answer(hosts, world(TWO), ("remove", "other-shield"), ("install", f"{SERVER},group="))
    assert swapped.answer == "go"


def test_a_third_antivirus_makes_a_violation_worse() -> None:
    third = {"id": "third-one", "name": "Third", "vendor": "T", "kind": "antivirus", "installed": [{"services": ["thirdsvc"]}]}
    from tests.unit.small_fleet import signature

    found = world(TWO, others=(signature(third, active={"service": {"name": "thirdsvc", "state": "running"}}),))
    both = READY | {"services": [{"name": "shieldsvc", "state": "running"}, {"name": "thirdsvc", "state": "running"}]}
    said = answer({"B": both}, found, ("install", f"{SERVER},group="))
    assert (said.answer, said.added[0].how) == ("no-go", "worsened")


def test_what_is_violated_and_stays_so_is_not_told() -> None:
    bad = READY | {"drivers": [{"name": "bad", "state": "running"}]}
    said = answer({"B": bad}, world({"severity": "critical"}), ("install", f"{SERVER},group="))
    assert (said.answer, said.added, said.cured) == ("go", (), ())


def test_what_was_undecided_before_and_is_not_touched_does_not_count() -> None:
    blind = READY | {"updates": DENIED}
    rule = {"severity": "critical", "when": {"update": {"any_of": ["KB1234567"]}}}
    said = answer({"B": blind}, world(rule), ("install", f"{SERVER},group="))
    assert (said.answer, said.undecided_before, said.decided) == ("go", 1, 0)


def test_what_was_undecided_before_counts_where_the_change_bears_on_it() -> None:
    blind = READY | {"updates": DENIED}
    rule = {
        "severity": "critical",
        "when": {"any": [{"update": {"any_of": ["KB1"]}}, {"all": [{"product": {"id": "acme-guard"}}, {"update": {"any_of": ["KB2"]}}]}]},
    }
    said = answer({"B": blind}, world(rule), ("install", f"{SERVER},group="))
    assert (said.answer, said.undecided_before) == ("unknown", 0)


def test_removing_cures() -> None:
    said = answer({"A": OLD_SERVER, "B": OLD_SERVER}, world(LOW), ("remove", "acme-guard"))
    assert (said.answer, rules_in(said.cured)) == ("go with conditions", ["guard-is-there"])
    assert [need.kind for need in said.prerequisites if need.met is not True] == ["protection"]


def test_a_change_that_touches_another_host_only_is_told_elsewhere() -> None:
    crowded = {"severity": "high", "when": {"ties": {"direction": "out", "kinds": ["manages"], "product": "acme-guard", "at_least": 1}}}
    outcome = check(
        {"A": OLD_SERVER, "B": READY}, world(crowded), [("install", "acme-guard@9,role=managed_client,parent=A,without=Alerts")]
    )
    assert outcome.hosts[0].added == ()
    assert [d.finding.subjects[0].host for e in outcome.elsewhere for d in e.deltas] == ["A"]
    assert outcome.elsewhere_answers == ("no-go",)


def test_an_optional_part_is_asked_for() -> None:
    rule = {"severity": "high", "when": {"service": {"name": "guardalert"}}}
    stem = "acme-guard@10.0,role=server,group="
    open_ = answer({"B": READY}, world(rule), ("install", stem))
    assert (open_.answer, open_.open[0].finding.missing) == (
        "unknown",
        ("B: services: guardalert: Alerts is optional: say with=Alerts or without=Alerts",),
    )
    assert answer({"B": READY}, world(rule), ("install", f"{stem},without=Alerts")).answer == "go"
    assert answer({"B": READY}, world(rule), ("install", f"{stem},with=Alerts")).answer == "no-go"


def test_hashes_of_drivers_that_come_are_a_condition() -> None:
    table = {"severity": "critical", "when": {"driver": {"sha256": ["a" * 64]}}}
    said = answer({"B": READY}, world(table), ("install", f"{SERVER},group="))
    assert said.answer == "go with conditions"
    assert [p.kind for p in said.prerequisites if p.met is None] == ["files"]
    blind = READY | {"drivers": DENIED}
    assert answer({"B": blind}, world(table), ("install", f"{SERVER},group=")).undecided_before == 1


def test_the_answers_are_in_the_order_of_the_contract() -> None:
    assert ANSWERS == ("no-go", "unknown", "go with conditions", "go")
    assert SYSTEM[0]["pending_reboot"] == []
    assert kept("x", "y", KEY)["path"].endswith(KEY)


SQL = {"system": [{**SYSTEM[0], "roles": ["sql"]}], **ROOM}
LACKS = {
    "id": "sql-is-scanned",
    "severity": "high",
    "applies_to": {"os": {"role": "sql"}},
    "when": {"exclusions": {"kind": "antivirus", "table": "left-alone", "lacks": "sql"}},
}


def excluding(*places: dict[str, str]) -> Matrix:
    table = {"id": "left-alone", "source": "s", "licence": "l", "date": "2026-01-01", "places": places}
    table["rows"] = [{"role": "sql", "what": "databases", "any_of": ["extension mdf"], "source": "https://acme.example/sql"}]
    made = msgspec.convert({"kind": "exclusions", **table}, ExclusionsTable)
    return msgspec.structs.replace(world(LACKS), lists={"left-alone": made})


@pytest.mark.parametrize(
    "places", [(), ({"product": "acme-guard", "kind": "extension", "key": KEY + "\\Leaves"},)], ids=["nowhere", "known"]
)
def test_exclusions_of_a_scanner_that_comes_are_a_condition_and_say_what_to_exclude(places: tuple[dict[str, str], ...]) -> None:
    said = answer({"B": SQL}, excluding(*places), ("install", SERVER))
    assert (said.answer, said.open) == ("go with conditions", ())
    (need,) = [need for need in said.prerequisites if need.kind == "exclusions"]
    assert need.met is None
    assert "databases (extension mdf)" in need.text


def test_exclusions_that_were_not_known_before_are_no_matter_of_another_change() -> None:
    said = answer({"B": {**SQL, "services": [{"name": "guardsvc", "state": "running"}]}}, excluding(), ("remove", "other-shield"))
    assert not [need for need in said.prerequisites if need.kind == "exclusions"]
    assert said.undecided_before == 1


def test_an_active_state_that_is_not_known_stays_an_unknown() -> None:
    doubtful = {**SQL, "services": DENIED}
    said = answer({"B": doubtful}, excluding(), ("os_upgrade", "2022"))
    assert not [need for need in said.prerequisites if need.kind == "exclusions"]
