"""Whether a rule and its remedy fit: the playbook and the target exist, each value goes to a variable and comes from something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditor.matrix.check import Fault
from auditor.model.host import SECTION_NAMES
from auditor.model.remedy import GivenBy, Remedy
from auditor.model.rule import Rule

Remedies = Mapping[str, Remedy | None]
"""Id of a playbook -> its declaration; None where only its name is known."""


def remedy_faults(rule: Rule, remedies: Remedies) -> Iterator[Fault]:
    """Everything that is wrong with a rule's remedy."""
    if rule.remedy is None:
        if rule.remedy_for is not None:
            yield ("remedy_for",), "the rule names no remedy"
        return
    if rule.remedy not in remedies:
        yield ("remedy",), f"unknown playbook {rule.remedy!r}: expected null or one of {', '.join(sorted(remedies)) or 'none'}"
        return
    given = rule.remedy_for
    target = given.target if given else None
    if target is None and len(rule.roles) > 1:
        yield ("remedy_for",), f"a rule with two roles says which host is changed: target, one of {', '.join(rule.roles)}"
    if target is not None and target not in rule.roles:
        yield ("remedy_for", "target"), f"unknown role {target!r}: expected {', '.join(rule.roles)}"
    remedy = remedies[rule.remedy]
    for name, source in (given.values if given else {}).items():
        if remedy is not None:
            yield from ((("remedy_for", "values", name), text) for text in _variable_faults(name, remedy))
        yield from ((("remedy_for", "values", name), text) for text in _source_faults(source, rule))


def _variable_faults(name: str, remedy: Remedy) -> Iterator[str]:
    variable = next((v for v in remedy.variables if v.name == name), None)
    if variable is None:
        names = ", ".join(v.name for v in remedy.variables) or "none"
        yield f"unknown variable {name!r} of {remedy.id}: expected one of {names}"
    elif variable.type == "secret":
        yield f"{name!r} is a secret: only the operator gives it"


def _source_faults(source: GivenBy, rule: Rule) -> Iterator[str]:
    stated = [name for name in ("literal", "host", "evidence") if getattr(source, name) is not None]
    if len(stated) != 1:
        yield "expected exactly one of literal, host, evidence"
    for role in (source.host, source.role):
        if role is not None and role not in rule.roles:
            yield f"unknown role {role!r}: expected {', '.join(rule.roles)}"
    if source.evidence is not None and source.evidence not in SECTION_NAMES:
        yield f"unknown section {source.evidence!r}: expected one of {', '.join(SECTION_NAMES)}"
    if source.evidence is None and (source.role is not None or source.field is not None):
        yield "role and field go with evidence"
