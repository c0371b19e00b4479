"""The weighing: unknown adds and takes nothing, names alone prove nothing, nothing is surer than what it rests on."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.investigate.weigh import weigh
from auditor.model.hypothesis import Hypothesis, HypothesisKnowledge, HypothesisRule, Sign
from tests.unit.small_case import KNOWN, hypothesis


def sign(name: str, state: bool | None = True, **more: Any) -> Sign:
    return Sign(id=name, state=state, text=name, **more)


def weighed(rule: HypothesisRule, *signs: Sign) -> Hypothesis:
    knowledge = msgspec.structs.replace(KNOWN, hypotheses=(rule,))
    return weigh(signs, knowledge, "trigger")[0]


def weight(name: str, points: int, **more: Any) -> dict[str, Any]:
    return {"sign": name, "weight": points, "why": "because", **more}


RULE = hypothesis(**{"for": [weight("x", 70), weight("y", 40, needs=["x"])], "against": [weight("z", 30)]})


def test_points_add_up_and_every_line_says_why() -> None:
    found = weighed(RULE, sign("x"), sign("y"), sign("z"))
    assert found.score == 80
    assert [(line.sign, line.points, line.why) for line in found.speaks_for] == [("x", 70, "because"), ("y", 40, "because")]
    assert [(line.sign, line.points) for line in found.against] == [("z", -30)]


def test_what_is_not_known_is_missing_and_moves_nothing() -> None:
    found = weighed(RULE, sign("x"), sign("y", None), sign("z", None))
    assert found.score == 70
    assert [(line.sign, line.points) for line in found.missing] == [("y", 40)]
    assert found.against == ()


def test_a_sign_that_needs_another_counts_only_beside_it() -> None:
    assert weighed(RULE, sign("x", False), sign("y")).score == 0
    assert weighed(RULE, sign("y")).speaks_for == ()


def test_a_sign_may_count_where_it_does_not_hold() -> None:
    rule = hypothesis(**{"against": [weight("x", 10, when=False)], "for": [weight("y", 50)]})
    assert weighed(rule, sign("x", False), sign("y")).score == 40
    assert weighed(rule, sign("x"), sign("y")).score == 50
    assert weighed(rule, sign("x", None), sign("y")).score == 50


def test_confirmed_needs_points_and_something_measured() -> None:
    assert weighed(RULE, sign("x", grade="measured"), sign("y")).confidence == "confirmed"
    assert weighed(RULE, sign("x"), sign("y")).confidence == "probable"
    assert weighed(RULE, sign("x", grade="measured")).confidence == "probable"


def test_names_alone_are_suspected_however_many_points() -> None:
    found = weighed(RULE, sign("x", grade="named"), sign("y", grade="named"))
    assert found.confidence == "suspected"
    assert "only names speak for it" in found.limits


def test_nothing_is_surer_than_the_rule_behind_its_strongest_line() -> None:
    found = weighed(RULE, sign("x", grade="measured", cap="suspected"), sign("y"))
    assert found.confidence == "suspected"
    assert weighed(hypothesis(**{"for": [weight("x", 100)], "cap": "probable"}), sign("x", grade="measured")).confidence == "probable"


def test_without_a_leading_sign_it_has_no_confidence_and_stands_last() -> None:
    led = hypothesis(**{"id": "led", "for": [weight("x", 70), weight("y", 80)], "leads_with": ["x"]})
    plain = hypothesis(id="plain", base=5)
    knowledge = msgspec.structs.replace(KNOWN, hypotheses=(led, plain))
    found = weigh([sign("y")], knowledge, "trigger")
    assert [(item.id, item.confidence) for item in found] == [("plain", "suspected"), ("led", None)]


NAMES = ("a", "b", "c")


@st.composite
def cases(draw: st.DrawFn) -> tuple[HypothesisKnowledge, list[Sign]]:
    rules = [
        hypothesis(
            **{
                "id": f"h{number}",
                "for": [weight(name, draw(st.integers(1, 100))) for name in draw(st.lists(st.sampled_from(NAMES), unique=True))],
                "against": [weight(name, draw(st.integers(1, 100))) for name in draw(st.lists(st.sampled_from(NAMES), unique=True))],
            }
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    signs = [
        sign(name, draw(st.sampled_from([True, False, None])), grade=draw(st.sampled_from(["measured", "recorded", "named"])))
        for name in NAMES
    ]
    return msgspec.structs.replace(KNOWN, hypotheses=tuple(rules)), signs


@given(cases())
def test_the_order_of_signs_does_not_count_and_no_score_is_below_zero(drawn: tuple[HypothesisKnowledge, list[Sign]]) -> None:
    knowledge, signs = drawn
    found = weigh(signs, knowledge, "trigger")
    assert found == weigh(list(reversed(signs)), knowledge, "trigger")
    assert all(item.score >= 0 for item in found)
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


@given(cases())
def test_forgetting_what_is_known_never_makes_surer_of_what_speaks_for(drawn: tuple[HypothesisKnowledge, list[Sign]]) -> None:
    knowledge, signs = drawn
    blind = weigh([msgspec.structs.replace(item, state=None) for item in signs], knowledge, "trigger")
    assert all(item.score == 0 and not item.speaks_for and not item.against for item in blind)
