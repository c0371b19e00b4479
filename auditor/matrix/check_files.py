"""What types can't say of a rule or a signature as a whole."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from auditor.analysis.conditions.condition import selectors_of
from auditor.analysis.rules.pairs import take_apart
from auditor.matrix.check import Fault, Known, check_condition, check_key
from auditor.matrix.check_installs import check_installs
from auditor.matrix.check_remedies import Remedies, remedy_faults
from auditor.model.rule import Rule
from auditor.model.selector import Condition
from auditor.model.signature import RoleSign, Signature, Signs, ValueSource

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ROLE = re.compile(r"[a-z][a-z_]{0,30}")
_PRODUCT_ROLES = ("server", "managed_client", "unmanaged_client", "manager", "client")
_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?")
_NOT_IN_SIGNATURES = ("product", "edge", "ties", "compare", "listed", "exclusions", "collision")
_VALUES = ("version", "engine", "definitions", "parent", "group")


def check_rule(rule: Rule, stem: str, known: Known, remedies: Remedies) -> Iterator[Fault]:
    """Everything that is wrong with a rule."""
    yield from _identity(rule.id, stem)
    for field in ("title", "subject", "mechanism", "effect", "resolution"):
        if not getattr(rule, field).strip():
            yield (field,), "expected a text"
    if len(rule.roles) not in (1, 2) or len(set(rule.roles)) != len(rule.roles) or not all(_ROLE.fullmatch(r) for r in rule.roles):
        yield ("roles",), "expected one or two different names in lower case"
        return
    for role in re.findall(r"\{([^}]*)\}", rule.subject):
        if role not in rule.roles:
            yield ("subject",), f"unknown role {role!r} in braces: expected {', '.join(rule.roles)}"
    yield from (
        (("subject",), f"the sentence does not name the role {role!r}: write {{{role}}}")
        for role in rule.roles
        if f"{{{role}}}" not in rule.subject
    )
    if rule.symmetric and len(rule.roles) == 1:
        yield ("symmetric",), "only a rule with two roles can be symmetric"
    yield from remedy_faults(rule, remedies)
    if not rule.references:
        yield ("references",), "expected at least one source"
    yield from _addresses(rule.references, "references", ("incident",))
    yield from _conditions(rule, known)


def _conditions(rule: Rule, known: Known) -> Iterator[Fault]:
    faults = [
        fault for field in ("applies_to", "when") if (part := getattr(rule, field)) for fault in check_condition(part, known, (field,))
    ]
    yield from faults
    if len(rule.roles) == 1 or faults:
        return
    try:
        parts = take_apart(rule.applies_to, rule.when, rule.roles)
    except ValueError as error:
        yield ("when",), str(error)
        return
    for role in rule.roles:
        if not parts.own[role]:
            yield ("when",), f"the role {role!r} needs a condition of its own, so that not every host is paired with every other"


def check_signature(signature: Signature, stem: str, known: Known) -> Iterator[Fault]:
    """Everything that is wrong with a signature."""
    yield from _identity(signature.id, stem)
    if not signature.installed:
        yield ("installed",), "expected at least one group of signs"
    for field in ("installed", "remnant"):
        for number, signs in enumerate(getattr(signature, field)):
            yield from (((field, number, *place), message) for place, message in _signs(signs, known))
    for field in _VALUES:
        for number, source in enumerate(getattr(signature, field)):
            yield from (((field, number, *place), message) for place, message in _source(source))
    for field in ("roles", "editions"):
        for number, sign in enumerate(getattr(signature, field)):
            last = number == len(getattr(signature, field)) - 1
            yield from (((field, number, *place), message) for place, message in _role_sign(sign, known, field, last=last))
    if signature.active is not None:
        yield from _host_condition(signature.active, known, ("active",))
    yield from _addresses(signature.references, "references")
    yield from check_installs(signature, known)


def _identity(id_: str, stem: str) -> Iterator[Fault]:
    if not _ID.fullmatch(id_):
        yield ("id",), f"expected words of lower-case letters and digits joined by hyphens, got {id_!r}"
    elif id_ != stem:
        yield ("id",), f"the id {id_!r} and the file's name {stem!r} differ"


def _addresses(texts: Collection[str], field: str, words: tuple[str, ...] = ()) -> Iterator[Fault]:
    for number, text in enumerate(texts):
        if text not in words and not _ADDRESS.fullmatch(text):
            yield (field, number), f"expected an http or https address{' or ' + words[0] if words else ''}, got {text!r}"


def _source_address(text: str) -> Iterator[Fault]:
    if text and not _ADDRESS.fullmatch(text):
        yield ("source",), f"expected an http or https address, got {text!r}"


def _signs(signs: Signs, known: Known) -> Iterator[Fault]:
    if not any((signs.programs, signs.services, signs.drivers, signs.registry, signs.files)):
        yield (), "expected programs, services, drivers, registry or files"
    for field in ("programs", "services", "drivers"):
        for number, name in enumerate(getattr(signs, field)):
            if len(name.strip("*?")) < 2:
                yield (field, number), f"{name!r} would fit nearly everything"
    for number, source in enumerate(signs.registry):
        yield from ((("registry", number, *place), message) for place, message in check_key(source.key, "key"))
    if signs.unless is not None:
        yield from _host_condition(signs.unless, known, ("unless",))
    yield from _source_address(signs.source)


def _source(source: ValueSource) -> Iterator[Fault]:
    kinds = [name for name in ("registry", "file", "program", "driver", "defender") if getattr(source, name) is not None]
    if len(kinds) != 1:
        yield (), f"expected exactly one of registry, file, program, driver, defender, got {', '.join(kinds) or 'none'}"
    if source.registry is not None:
        yield from (((("registry"), *place), message) for place, message in check_key(source.registry.key, "key"))
    yield from _source_address(source.source)


def _role_sign(sign: RoleSign, known: Known, field: str, *, last: bool) -> Iterator[Fault]:
    if field == "roles" and sign.is_ not in _PRODUCT_ROLES:
        yield ("is",), f"expected one of {', '.join(_PRODUCT_ROLES)}, got {sign.is_!r}"
    if sign.when is not None:
        yield from _host_condition(sign.when, known, ("when",))
    elif not last:
        yield (), "only the last sign can do without `when`: those after it are never looked at"
    yield from _source_address(sign.source)


def _host_condition(condition: Condition, known: Known, keys: tuple[str, ...]) -> Iterator[Fault]:
    """Conditions in signatures speak of the records of one host: products are not known yet when they are decided."""
    faults = list(check_condition(condition, Known(("host",), known.signatures, known.tables, known.lists), keys))
    yield from faults
    if not faults:
        names = {name for name, _ in selectors_of(condition)}
        if wrong := sorted(names & set(_NOT_IN_SIGNATURES)):
            yield keys, f"a signature can't ask for {', '.join(wrong)}"
