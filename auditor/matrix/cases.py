"""The cases beside rules and signatures: small fleets with what must come out. Run by `auditor matrix test` and by the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from auditor.analysis.fleet.fleet import build_fleet
from auditor.analysis.rules.evaluate import Evaluation, evaluate
from auditor.matrix.convert import convert
from auditor.matrix.fragments import HostFragment, merged, snapshot_of
from auditor.matrix.load import CASES
from auditor.matrix.strict_yaml import Document, read_yaml
from auditor.model.errors import MatrixError, Problem
from auditor.model.finding import Finding, Product
from auditor.model.host import Target
from auditor.model.pattern import matches
from auditor.model.rule import Matrix


class RuleCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small fleet and how the rule must come out on it."""

    name: str
    """What the case shows, in a few words."""
    expect: Literal["violated", "satisfied", "undetermined", "not_applicable"]
    """Violated: at least one finding. Undetermined: none, and at least one that could not be decided. Otherwise neither."""
    like: str | None = None
    """Name of an earlier case whose hosts this one starts from."""
    hosts: dict[str, HostFragment | None] = {}
    """Hosts by name; with `like`, what they state replaces that case's sections, and null takes a host away."""
    subjects: dict[str, str] = {}
    """Role to host of the one finding that must be there."""
    missing: tuple[str, ...] = ()
    """Globs, each of which fits something that is told as missing."""


class ProductCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host and the products that must be recognised on it, all of them."""

    name: str
    like: str | None = None
    """Name of an earlier case whose host this one starts from."""
    host: HostFragment
    expect: tuple[dict[str, Any], ...] = ()
    """Fields of each product, by `id`; fields that are left out are not compared."""
    unsure: tuple[str, ...] = ()
    """Signature ids whose presence must be unknown."""


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a case came out."""

    subject: str
    """Id of the rule or product."""
    case: str
    expect: str
    passed: bool
    message: str = ""
    """What differs, where the case failed."""
    file: str = ""
    line: int = 0


def run_cases(folders: Sequence[Path], matrix: Matrix) -> tuple[CaseResult, ...]:
    """Every case in the folders against a loaded matrix. Raises MatrixError where a cases file is wrong."""
    results: list[CaseResult] = []
    problems: list[Problem] = []
    for folder in folders:
        for part, type_, run in (("products", ProductCase, _run_product), ("rules", RuleCase, _run_rule)):
            for path in sorted((folder / part).rglob("*" + CASES)):
                results += _run_file(path, type_, run, matrix, problems)
    if problems:
        raise MatrixError(f"the cases of the compatibility matrix have {len(problems)} problems", tuple(problems))
    return tuple(results)


def _run_file(
    path: Path, type_: type[Any], run: Callable[[str, Any, Matrix], str], matrix: Matrix, problems: list[Problem]
) -> Iterator[CaseResult]:
    subject = path.name.removesuffix(CASES)
    known = {rule.id for rule in matrix.rules} if type_ is RuleCase else {signature.id for signature in matrix.signatures}
    document, wrong = read_yaml(path)
    problems += wrong
    if document is None:
        return
    if subject not in known or not isinstance(document.value, list):
        expected = "a list of cases" if subject in known else f"a rule or product {subject!r} beside it"
        problems.append(document.problem((), subject, f"expected {expected}"))
        return
    earlier: dict[str, Any] = {}
    for number, value in enumerate(document.value):
        case, wrong = convert(document, value, type_, (number,), subject)
        problems += wrong
        if case is not None and case.like is not None and case.like not in earlier:
            problems.append(document.problem((number, "like"), subject, f"no earlier case is called {case.like!r}"))
        elif case is not None:
            case = earlier[case.name] = grown(case, earlier.get(case.like))
            yield _run_case(document, number, subject, case, run, matrix, problems)


def grown(case: Any, base: Any) -> Any:
    """A case with what it takes over from the one that it is like."""
    if base is None:
        return case
    if isinstance(case, ProductCase):
        return msgspec.structs.replace(case, host=merged(base.host, case.host))
    hosts = {**base.hosts, **{name: host and merged(base.hosts.get(name), host) for name, host in case.hosts.items()}}
    return msgspec.structs.replace(case, hosts={name: host for name, host in hosts.items() if host is not None})


def _run_case(
    document: Document,
    number: int,
    subject: str,
    case: Any,
    run: Callable[[str, Any, Matrix], str],
    matrix: Matrix,
    problems: list[Problem],
) -> CaseResult:
    try:
        message = run(subject, case, matrix)
    except (ValueError, msgspec.ValidationError) as error:
        message = str(error)
        problems.append(document.problem((number,), subject, f"{case.name}: {message}"))
    expect = case.expect if isinstance(case.expect, str) else "products"
    line = document.place((number,))[0]
    return CaseResult(subject=subject, case=case.name, expect=expect, passed=not message, message=message, file=document.file, line=line)


def _run_rule(subject: str, case: RuleCase, matrix: Matrix) -> str:
    """What differs from the expectation; empty where nothing does."""
    rules = tuple(rule for rule in matrix.rules if rule.id == subject)
    evaluation = evaluate_case(case, msgspec.structs.replace(matrix, rules=rules))
    found = {"violated": evaluation.findings, "undetermined": evaluation.undetermined}
    verdict = next((name for name, findings in found.items() if findings), None)
    if verdict is None:
        tally = evaluation.tallies[0]
        verdict = "satisfied" if tally.satisfied or not tally.not_applicable else "not_applicable"
    if verdict != case.expect:
        told = "; ".join(f.summary + (f" (missing: {', '.join(f.missing)})" if f.missing else "") for f in found.get(verdict, ()))
        return f"expected {case.expect}, came out {verdict}{': ' + told if told else ''}"
    return _differs(case, found.get(verdict, ()))


def _differs(case: RuleCase, findings: tuple[Finding, ...]) -> str:
    bound = [{subject.role: subject.host for subject in finding.subjects} for finding in findings]
    if case.subjects and bound != [case.subjects]:
        return f"expected one finding on {case.subjects}, got {bound}"
    told = [missing for finding in findings for missing in finding.missing]
    unmet = [pattern for pattern in case.missing if not any(matches(pattern, text) for text in told)]
    return f"nothing like {unmet[0]!r} is told as missing: {told}" if unmet else ""


def evaluate_case(case: RuleCase, matrix: Matrix) -> Evaluation:
    """The fleet of a case, evaluated. Raises ValueError for an unknown section or field."""
    hosts = {name: host for name, host in case.hosts.items() if host is not None}
    targets = [
        Target(name=name, address=host.address or name, port=5985, scheme="http", transport="ntlm", groups=host.groups)
        for name, host in hosts.items()
    ]
    snapshots = {name: snapshot_of(name, host) for name, host in hosts.items() if host.collected}
    return evaluate(build_fleet(snapshots, targets, matrix), matrix)


def _run_product(subject: str, case: ProductCase, matrix: Matrix) -> str:
    del subject
    fleet = build_fleet({"HOST": snapshot_of("HOST", case.host)}, [], matrix)
    facts = fleet.hosts["HOST"]
    found = {product.id: product for product in facts.products}
    expected = {str(fields.get("id")): fields for fields in case.expect}
    if set(found) != set(expected):
        return f"expected {sorted(expected)}, recognised {sorted(found)}"
    differences = [text for id_, fields in expected.items() for text in _differing(found[id_], fields)]
    unsure = [id_ for id_ in case.unsure if id_ not in facts.unsure]
    differences += [f"the presence of {id_} should not be known" for id_ in unsure]
    return "; ".join(differences)


def _differing(product: Product, fields: dict[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        if not hasattr(product, name):
            raise ValueError(f"a product has no field {name!r}")
        actual = getattr(product, name)
        actual = list(actual) if isinstance(actual, tuple) else actual
        if actual != value:
            yield f"{product.id}: {name} is {actual!r}, expected {value!r}"
