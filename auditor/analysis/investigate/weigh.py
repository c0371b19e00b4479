"""Signs and weights to ranked hypotheses. Pure; every weight stands in YAML, every line keeps its records.

Rules of this file:
1. A sign that is not known adds nothing and takes nothing: it is listed as missing, with what it could add.
2. A hypothesis without one of its leading signs has nothing of its own: it is listed, without a confidence.
3. Confirmed needs a measured sign; what rests on names alone is suspected; nothing is surer than the rule that its strongest line
   comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from auditor.model.grade import CONFIDENCES, Confidence
from auditor.model.hypothesis import Hypothesis, HypothesisKnowledge, HypothesisRule, Line, Question, Sign, SignWeight

_UNSURE: Confidence = "suspected"


class _Sums(msgspec.Struct):
    """Lines of one hypothesis while it is weighed."""

    score: int
    speaks_for: list[tuple[Line, Sign]] = msgspec.field(default_factory=list)
    against: list[Line] = msgspec.field(default_factory=list)
    missing: list[Line] = msgspec.field(default_factory=list)


def weigh(signs: Iterable[Sign], knowledge: HypothesisKnowledge, question: Question) -> tuple[Hypothesis, ...]:
    """The hypotheses that answer a question, the most likely first; those without anything of their own last."""
    by_id = {sign.id: sign for sign in signs}
    made = [_made(rule, by_id, knowledge) for rule in knowledge.hypotheses if question in rule.question]
    order = {rule.id: number for number, rule in enumerate(knowledge.hypotheses)}
    return tuple(sorted(made, key=lambda found: (found.confidence is None, -found.score, order[found.id])))


def _made(rule: HypothesisRule, signs: Mapping[str, Sign], knowledge: HypothesisKnowledge) -> Hypothesis:
    sums = _Sums(rule.base)
    for weight in rule.speaks_for:
        _take(weight, signs, sums, 1)
    for weight in rule.against:
        _take(weight, signs, sums, -1)
    led = not rule.leads_with or any(line.sign in rule.leads_with for line, _ in sums.speaks_for)
    confidence, limits = _confidence(rule, sums, knowledge) if led else (None, ("nothing of its own speaks for it",))
    ranked = sorted(sums.speaks_for, key=lambda pair: -pair[0].points)
    findings = dict.fromkeys(sign.finding for _, sign in ranked if sign.finding)
    return Hypothesis(
        id=rule.id,
        title=rule.title,
        subject=next((sign.subject for line, sign in ranked if sign.subject and (not rule.leads_with or line.sign in rule.leads_with)), ""),
        score=max(sums.score, 0),
        confidence=confidence,
        limits=limits,
        speaks_for=tuple(line for line, _ in ranked),
        against=tuple(sorted(sums.against, key=lambda line: line.points)),
        missing=tuple(sorted(sums.missing, key=lambda line: -line.points)),
        settle=rule.settle,
        steps=rule.steps,
        findings=tuple(found for found in findings if found is not None),
    )


def _take(weight: SignWeight, signs: Mapping[str, Sign], sums: _Sums, way: int) -> None:
    sign = signs.get(weight.sign)
    if sign is None:
        return
    needed = [signs[name].state if name in signs else None for name in weight.needs]
    line = Line(sign=sign.id, text=sign.text, points=way * weight.weight, why=weight.why, grade=sign.grade, evidence=sign.evidence)
    if sign.state is None:
        if way > 0 and False not in needed:
            sums.missing.append(line)
        return
    if sign.state is not weight.when or not all(needed):
        return
    sums.score += line.points
    if way > 0:
        sums.speaks_for.append((line, sign))
    else:
        sums.against.append(line)


def _confidence(rule: HypothesisRule, sums: _Sums, knowledge: HypothesisKnowledge) -> tuple[Confidence, tuple[str, ...]]:
    """How sure, and why not surer."""
    limits: list[str] = []
    if sums.score >= knowledge.confirmed_from:
        reached: Confidence = "confirmed"
    else:
        reached = "probable" if sums.score >= knowledge.probable_from else "suspected"
        limits.append(f"{max(sums.score, 0)} points: probable from {knowledge.probable_from}, confirmed from {knowledge.confirmed_from}")
    grades = {sign.grade for _, sign in sums.speaks_for}
    if reached == "confirmed" and "measured" not in grades:
        reached = _lower(reached, "probable", limits, "nothing that was measured speaks for it")
    if not grades & {"measured", "recorded"}:
        reached = _lower(reached, _UNSURE, limits, "only names speak for it")
    reached = _lower(reached, rule.cap, limits, "this can't be made surer from outside")
    strongest = max(sums.speaks_for, key=lambda pair: pair[0].points, default=None)
    if strongest is not None and strongest[1].cap is not None:
        reached = _lower(reached, strongest[1].cap, limits, f"the rule behind its strongest line is {strongest[1].cap}")
    return reached, tuple(limits)


def _lower(reached: Confidence, cap: Confidence, limits: list[str], why: str) -> Confidence:
    if CONFIDENCES.index(cap) < CONFIDENCES.index(reached):
        limits.append(why)
        return cap
    return reached
