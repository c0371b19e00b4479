"""A tie to a name that nobody is known by, where some hosts were not seen: it may be one of them, and nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.analysis.fleet.forking import fork_fleet
from auditor.analysis.fleet.identity import domain_of
from auditor.analysis.rules.evaluate import Evaluation, evaluate
from auditor.analysis.rules.pairs import DOUBT_LIMIT
from auditor.model.rule import Rule
from tests.steps import calls_of
from tests.unit.small_fleet import DENIED, evaluated, fleet, matrix, rule

BAD = {"drivers": [{"name": "bad", "state": "running"}]}
LOGON = {"logons": [{"time": "2026-01-01T00:00:00Z", "workstation": "SRVB"}]}


def tied(*kinds: str, **more: Any) -> Rule:
    ends = {"source": "new", "target": "old", "kinds": list(kinds), **more}
    return rule(
        id="pair",
        roles=["old", "new"],
        when={"all": [{"driver": {"host": "old", "name": "bad"}}, {"driver": {"host": "new", "name": "worse"}}, {"edge": ends}]},
        subject="{old} {new}",
        subject_keys=["bad"],
    )


RULE = tied("logs-on-to")


def told(found: Evaluation) -> list[tuple[list[str], tuple[str, ...]]]:
    assert found.findings == ()
    return [([s.host for s in f.subjects], f.missing) for f in found.undetermined]


def copying(command: str) -> dict[str, Any]:
    return {**BAD, "tasks": [{"path": "\\T", "run": command, "at": "19:00"}]}


def test_an_unknown_name_may_be_a_host_that_was_not_seen() -> None:
    ((hosts, missing),) = told(evaluated({"srv-a": {**BAD, **LOGON}, "srv-b": None}, RULE))
    assert hosts == ["srv-a", "srv-b"]
    assert "srv-b was not seen: it may be SRVB (srv-a: logs-on-to)" in missing
    assert any("srv-b: drivers: the host was not collected" in text for text in missing)


def test_a_copy_to_an_unknown_name_counts_the_same_where_it_is_one_that_is_asked_for() -> None:
    hosts = {"srv-a": copying("xcopy D:\\x \\\\SRVB\\y"), "srv-b": None}
    assert told(evaluated(hosts, tied("copies-to"))) == [], "it goes the other way"
    assert [pair for pair, _ in told(evaluated(hosts, tied("copies-to", either_way=True)))] == [["srv-a", "srv-b"]]
    assert told(evaluated(hosts, tied("copies-to", either_way=True, share="other"))) == []


@pytest.mark.parametrize(
    "hosts",
    [
        {"srv-a": {**BAD, **LOGON}, "srv-b": {}},
        {"srv-a": LOGON, "srv-b": None},
        {"srv-a": BAD, "srv-b": None},
        {"srv-a": {**BAD, "logons": [{"time": "2026-01-01T00:00:00Z", "address": "10.0.0.9"}]}, "srv-b": None},
        {"srv-a.one.example": {**BAD, "logons": [{"time": "2026-01-01T00:00:00Z", "workstation": "x.two.example"}]}, "b.one.example": None},
    ],
    ids=["all were seen", "own conditions fail", "no tie", "an address", "another domain"],
)
def test_nothing_is_in_doubt_without(hosts: dict[str, Any]) -> None:
    assert told(evaluated(hosts, RULE)) == []


def test_own_conditions_that_are_not_known_do_not_take_the_doubt_away() -> None:
    assert [pair for pair, _ in told(evaluated({"srv-a": {"drivers": DENIED, **LOGON}, "srv-b": None}, RULE))] == [["srv-a", "srv-b"]]


def test_a_collected_host_whose_network_was_not_read_may_have_the_name() -> None:
    worse = {"drivers": [{"name": "worse"}], "network": DENIED}
    ((hosts, missing),) = told(evaluated({"srv-a": {**BAD, **LOGON}, "srv-b": worse, "srv-c": {"network": DENIED}}, RULE))
    assert hosts == ["srv-a", "srv-b"]
    assert missing == ("srv-b: its own names were not seen: it may be SRVB (srv-a: logs-on-to)",)


def test_a_name_that_is_known_is_nobody_else() -> None:
    named = {"network": [{"computer_name": "SRVB"}]}
    assert told(evaluated({"srv-a": {**BAD, **LOGON}, "srv-b": named, "srv-c": None}, RULE)) == []


def test_too_many_pairs_are_told_host_by_host_and_in_linear_time() -> None:
    def many(sources: int) -> dict[str, Any]:
        return {f"a{n:03}": {**BAD, **LOGON} for n in range(sources)} | {f"u{n:03}": None for n in range(DOUBT_LIMIT // 50)}

    found = told(evaluated(many(100), RULE))
    assert [pair for pair, _ in found] == [[f"a{n:03}"] for n in range(100)]
    assert found[0][1] == ("the names of u000, u001, u002 and 97 more were not seen: one may be SRVB (a000: logs-on-to)",)
    few, more = many(60), many(180)
    assert calls_of(lambda: evaluated(more, RULE)) < 4 * calls_of(lambda: evaluated(few, RULE))


def test_a_count_of_ties_is_not_known_either() -> None:
    alone = rule(when={"ties": {"direction": "in", "kinds": ["logs-on-to"], "at_most": 0}})
    ((hosts, missing),) = told(evaluated({"srv-a": LOGON, "srv-b": None}, alone))
    assert (hosts, missing) == (["srv-a"], ("srv-b was not seen: it may be SRVB (srv-a: logs-on-to)",))


def test_a_fork_says_what_a_fleet_built_anew_says() -> None:
    found = matrix((RULE,), ())
    with_tie, without = {"srv-a": {**BAD, **LOGON}, "srv-b": None}, {"srv-a": BAD, "srv-b": None}
    for base, changed in ((with_tie, without), (without, with_tie)):
        forked = fork_fleet(fleet(base, found), {"srv-a": fleet(changed, found).hosts["srv-a"]})
        assert evaluate(forked, found) == evaluate(fleet(changed, found), found)


@pytest.mark.parametrize(
    ("name", "domain"), [("SRVB", ""), ("\\\\SrvB.Corp.Example.", "corp.example"), ("10.0.0.1", None), ("::1", None), ("localhost", None)]
)
def test_domains_of_names(name: str, domain: str | None) -> None:
    assert domain_of(name) == domain
