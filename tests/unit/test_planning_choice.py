"""Which host is changed by which remedy and which way; what is refused, and what is left to a person."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from auditor.model.errors import RemediationError
from auditor.model.remedy import RemedyFor
from tests.unit.small_plan import finding, planned, remedy, request, rule, state, waves


def test_a_finding_on_one_host_is_planned_there() -> None:
    plan = planned([finding("bad", "a")])
    assert waves(plan) == [["a"]]
    host = plan.actions[0].hosts[0]
    assert (host.host, host.way, host.evidence.digest, plan.hosts) == ("a", "modules", "d-a", 1)
    assert plan.findings[0].hosts == ("a",)


def test_the_rule_says_which_of_two_hosts_is_changed_and_the_other_is_read() -> None:
    both = finding("bad", "a", "b", roles=("older", "newer"))
    plan = planned([both], rules=[rule("bad", ("older", "newer"), given=RemedyFor(target="newer"))])
    assert waves(plan) == [["b"]]
    assert plan.others == ("a",)


def test_a_rule_of_two_roles_that_does_not_say_is_refused() -> None:
    both = finding("bad", "a", "b", roles=("older", "newer"))
    with pytest.raises(RemediationError, match="does not say which of a, b"):
        planned([both], rules=[rule("bad", ("older", "newer"))])


def test_a_host_that_only_others_accuse_is_not_planned() -> None:
    """A host can't put another one into a plan by a claim alone."""
    accused = finding("bad", "a", evidence=[("liar", "tasks", "\\copy")])
    good = finding("bad", "b")
    plan = planned([accused, good])
    assert waves(plan) == [["b"]]
    assert plan.by_hand == ("bad on a: the finding rests on what other hosts say of it only",)
    with pytest.raises(RemediationError, match="nothing can be planned: bad on a"):
        planned([accused])


def test_a_host_of_which_the_store_holds_nothing_is_not_planned() -> None:
    plan = planned([finding("bad", "a"), finding("bad", "b")], hosts={"b": state("b")})
    assert waves(plan) == [["b"]]
    assert "audit it first" in plan.by_hand[0]


def test_a_host_that_the_operators_inventory_does_not_reach_is_not_planned() -> None:
    hosts = {"a": state("a", reachable=False), "b": state("b")}
    plan = planned([finding("bad", "a"), finding("bad", "b")], hosts=hosts)
    assert waves(plan) == [["b"]]
    assert plan.by_hand == ("bad on a: the inventory for changes does not reach it",)


def test_a_finding_without_a_remedy_is_left_to_a_person_with_its_resolution() -> None:
    plan = planned([finding("bad", "a"), finding("odd", "a")], rules=[rule("bad"), rule("odd", remedy_id=None)])
    assert plan.by_hand == ("odd on a: Do it by hand.",)


def test_findings_of_one_host_with_one_remedy_are_one_task() -> None:
    plan = planned([finding("bad", "a"), finding("worse", "a")])
    assert len(plan.waves) == 1
    assert len(plan.actions[0].hosts[0].findings) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"operation": "install"}, {"operation": "remove"}),
        ({"operation": "convert"}, {"operation": "upgrade"}),
        ({"product": "guard"}, {"product": "guard"}),
    ],
)
def test_remedies_that_contradict_each_other_on_a_host_are_refused(one: dict[str, str], other: dict[str, str]) -> None:
    remedies = [remedy("fix", **one), remedy("undo", **other)]
    rules = [rule("bad"), rule("odd", remedy_id="undo")]
    with pytest.raises(RemediationError, match=r"a: fix and undo both|a: fix and undo are both"):
        planned([finding("bad", "a"), finding("odd", "a")], remedies=remedies, rules=rules)
    plan = planned([finding("bad", "a"), finding("odd", "b")], remedies=remedies, rules=rules)
    assert waves(plan) == [["a"], ["b"]]


def test_only_chosen_hosts_are_changed() -> None:
    plan = planned([finding("bad", "a"), finding("bad", "b")], only=("b",))
    assert waves(plan) == [["b"]]


def test_an_order_needs_a_known_host_and_a_known_remedy() -> None:
    plan = planned([], remedy="fix", ordered=("a",), hosts={"a": state("a")})
    assert (waves(plan), plan.actions[0].hosts[0].findings) == ([["a"]], ())
    with pytest.raises(RemediationError, match="holds nothing that was read from it"):
        planned([], remedy="fix", ordered=("b",), hosts={"a": state("a")})
    with pytest.raises(RemediationError, match="there is no playbook 'nothing'"):
        planned([], remedy="nothing", ordered=("a",), hosts={"a": state("a")})


@pytest.mark.parametrize(
    ("powershell", "way", "why"),
    [
        ("5.1.17763", "modules", "PowerShell 5.1.17763 is at least 5.1"),
        ("5.1", "modules", "at least"),
        ("7.4.1", "modules", "at least"),
        ("5.0", "raw", "older than 5.1"),
        ("2.0", "raw", "older than 5.1"),
        (None, "raw", "was not seen"),
    ],
)
def test_the_way_follows_the_hosts_powershell(powershell: str | None, way: str, why: str) -> None:
    host = planned([finding("bad", "a")], hosts={"a": state("a", powershell)}).actions[0].hosts[0]
    assert host.way == way
    assert why in host.why


def test_a_remedy_that_knows_no_way_to_an_old_host_is_left_to_a_person() -> None:
    plan = planned([finding("bad", "a")], remedies=[remedy(ways=("modules", "person"))], hosts={"a": state("a", "2.0")})
    assert plan.actions[0].hosts[0].way == "person"
    assert plan.by_hand == ("a: Fix it: Set {mode} there.",)


def test_the_operator_may_choose_the_way_among_those_that_the_remedy_knows() -> None:
    assert planned([finding("bad", "a")], ways={"a": "raw"}).actions[0].hosts[0].way == "raw"
    with pytest.raises(RemediationError, match="fix knows no way 'raw'"):
        planned([finding("bad", "a")], remedies=[remedy(ways=("modules",))], ways={"*": "raw"})


def test_a_step_may_go_another_way_than_its_host() -> None:
    step = msgspec.structs.replace(remedy().steps[0], ways={"modules": "person"})
    plan = planned([finding("bad", "a")], remedies=[remedy(steps=(step,))])
    assert [(s.way, s.by_hand) for s in plan.actions[0].hosts[0].steps] == [("person", "Set {mode} there.")]
    assert plan.by_hand == ("a: Fix it: Set {mode} there.",)


def test_planning_reads_and_writes_nothing() -> None:
    """The types say so already; the module imports no clock, no file, no network."""
    folder = Path(__file__).parents[2] / "auditor" / "analysis" / "planning"
    text = "\n".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    for word in ("open(", "datetime.now", "import os", "import socket", "import random"):
        assert word not in text
    assert request([finding("bad", "a")])
