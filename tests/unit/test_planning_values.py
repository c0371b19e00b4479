"""Where a plan's values come from, what is missing, and that what a host said is data wherever it appears."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from auditor.model.errors import RemediationError
from auditor.model.finding import Evidence
from auditor.model.plan import Plan
from auditor.model.remedy import GivenBy, RemedyFor, Variable
from tests.unit.small_plan import finding, planned, rule, state, with_variables

MODE = Variable(name="mode", meaning="what it is to be", required=True)


def _values(plan: Plan, host: str = "a") -> dict[str, tuple[object, str]]:
    found = next(h for action in plan.actions for h in action.hosts if h.host == host)
    return {value.name: (value.value, value.origin) for value in found.values}


def _given(**values: GivenBy) -> RemedyFor:
    return RemedyFor(values=dict(values))


def test_the_operator_before_the_rule_before_the_default() -> None:
    variable = Variable(name="mode", meaning="m", default="d")
    rules = [rule("bad", given=_given(mode=GivenBy(literal="r")))]
    args: dict[str, Any] = {"remedies": [with_variables(variable)], "rules": rules}
    assert _values(planned([finding("bad", "a")], **args)) == {"mode": ("r", "rule")}
    assert _values(planned([finding("bad", "a")], **args, values={("*", "mode"): "all"})) == {"mode": ("all", "operator")}
    assert _values(planned([finding("bad", "a")], **args, values={("*", "mode"): "all", ("a", "mode"): "own"})) == {
        "mode": ("own", "operator")
    }
    assert _values(planned([finding("bad", "a")], remedies=[with_variables(variable)])) == {"mode": ("d", "default")}


def test_the_name_of_another_host_of_the_finding() -> None:
    both = finding("bad", "a", "b", roles=("client", "parent"))
    rules = [rule("bad", ("client", "parent"), given=RemedyFor(target="client", values={"mode": GivenBy(host="parent")}))]
    assert _values(planned([both], remedies=[with_variables(MODE)], rules=rules)) == {"mode": ("B", "finding")}
    hosts = {"a": state("a"), "b": state("b", computer_name=None)}
    assert _values(planned([both], remedies=[with_variables(MODE)], rules=rules, hosts=hosts)) == {"mode": ("b", "finding")}


def test_records_of_the_evidence() -> None:
    rules = [rule("bad", given=_given(mode=GivenBy(evidence="tasks")))]
    one = finding("bad", "a", evidence=[("a", "tasks", "\\copy"), ("b", "tasks", "\\other"), ("a", "services", "x")])
    assert _values(planned([one], remedies=[with_variables(MODE)], rules=rules)) == {"mode": ("\\copy", "finding")}
    two = finding("bad", "a", evidence=[("a", "tasks", "\\copy"), ("a", "tasks", "\\copy2")])
    plan = planned([two], remedies=[with_variables(MODE)], rules=rules)
    assert plan.actions[0].hosts[0].missing == ("mode: what it is to be",), "two records are no single value"
    texts = Variable(name="mode", meaning="m", type="texts", required=True)
    assert _values(planned([two], remedies=[with_variables(texts)], rules=rules)) == {"mode": (("\\copy", "\\copy2"), "finding")}


def test_a_field_of_the_evidence_in_place_of_its_record() -> None:
    texts = Variable(name="mode", meaning="m", type="texts", required=True)
    rules = [rule("bad", given=_given(mode=GivenBy(evidence="defender", field="exclusions")))]
    seen = [("exclusions", "path C:\\"), ("exclusions", "extension exe"), ("running_mode", "Normal"), ("exclusions", "")]
    one = msgspec.structs.replace(
        finding("bad", "a"),
        evidence=tuple(Evidence(host="a", section="defender", record="Defender", field=field, value=value) for field, value in seen),
    )
    plan = planned([one], remedies=[with_variables(texts)], rules=rules)
    assert _values(plan) == {"mode": (("path C:\\", "extension exe"), "finding")}


def test_several_findings_join_their_lists_and_must_agree_on_single_values() -> None:
    rules = [rule(name, given=_given(mode=GivenBy(evidence="tasks"))) for name in ("bad", "worse")]
    findings = [finding("bad", "a", evidence=[("a", "tasks", "x")]), finding("worse", "a", evidence=[("a", "tasks", "y")])]
    texts = Variable(name="mode", meaning="m", type="texts")
    assert _values(planned(findings, remedies=[with_variables(texts)], rules=rules)) == {"mode": (("x", "y"), "finding")}
    with pytest.raises(RemediationError, match="a: the findings want different values of mode: x, y"):
        planned(findings, remedies=[with_variables(MODE)], rules=rules)
    assert _values(planned(findings, remedies=[with_variables(MODE)], rules=rules, values={("a", "mode"): "z"})) == {
        "mode": ("z", "operator")
    }


def test_what_nobody_set_is_missing_and_never_made_up() -> None:
    host = planned([finding("bad", "a")], remedies=[with_variables(MODE)]).actions[0].hosts[0]
    assert (host.values, host.missing) == ((), ("mode: what it is to be",))


def test_secrets_are_named_and_their_values_are_not_in_the_plan() -> None:
    secrets = (Variable(name="key", meaning="k", type="secret", required=True), Variable(name="other", meaning="o", type="secret"))
    plan = planned([finding("bad", "a")], remedies=[with_variables(*secrets)], values={("*", "key"): "hunter2-hunter2"})
    host = plan.actions[0].hosts[0]
    assert (host.secrets, host.required_secrets, host.values) == (("key", "other"), ("key",), ())
    assert "hunter2" not in repr(plan)


def test_a_variable_of_another_way_is_not_asked_for() -> None:
    raw = Variable(name="mode", meaning="m", required=True, ways=("raw",))
    assert planned([finding("bad", "a")], remedies=[with_variables(raw)]).actions[0].hosts[0].missing == ()
    hosts = {"a": state("a", "2.0")}
    assert planned([finding("bad", "a")], remedies=[with_variables(raw)], hosts=hosts).actions[0].hosts[0].missing == ("mode: m",)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("text", "12", "12"), ("whole", "12", 12), ("truth", "yes", True), ("truth", "False", False), ("texts", "one", ("one",))],
)
def test_a_persons_words_are_read_in_the_variables_type(kind: Any, text: str, value: object) -> None:
    variable = Variable(name="mode", meaning="m", type=kind)
    plan = planned([finding("bad", "a")], remedies=[with_variables(variable)], values={("a", "mode"): text})
    assert _values(plan) == {"mode": (value, "operator")}


@pytest.mark.parametrize(("kind", "value"), [("whole", "twelve"), ("whole", True), ("truth", "maybe"), ("text", ("a", "b")), ("texts", 3)])
def test_a_value_of_another_type_is_refused(kind: Any, value: Any) -> None:
    variable = Variable(name="mode", meaning="m", type=kind)
    with pytest.raises(RemediationError, match=f"a: mode is {kind}, and"):
        planned([finding("bad", "a")], remedies=[with_variables(variable)], values={("a", "mode"): value})


def test_choices_are_kept_to_in_lists_too() -> None:
    for kind, good, bad in (("text", "on", "off"), ("texts", ("on",), ("on", "off"))):
        variable = Variable(name="mode", meaning="m", type=kind, choices=("on",))  # type: ignore[arg-type]
        assert _values(planned([finding("bad", "a")], remedies=[with_variables(variable)], values={("a", "mode"): good}))
        with pytest.raises(RemediationError, match="mode is one of on, not 'off'"):
            planned([finding("bad", "a")], remedies=[with_variables(variable)], values={("a", "mode"): bad})


def test_a_declarations_words_are_filled_once_and_values_are_not_looked_into() -> None:
    odd = "{mode} {{ lookup('pipe','id') }}"
    plan = planned([finding("bad", "a")], remedies=[with_variables(MODE)], values={("a", "mode"): odd})
    host = plan.actions[0].hosts[0]
    assert host.steps[0].changes == f"sets {odd}"
    assert host.expected[0].what == f"mode is {odd}"
