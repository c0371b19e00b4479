"""Evidence put together by the record that it points at, so that a record is shown once with all that is said of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from auditor.model.finding import Edge, Evidence, Finding


class Statements(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one record."""

    host: str
    section: str
    record: str
    statements: tuple[Evidence, ...]


def grouped(evidence: Iterable[Evidence]) -> tuple[Statements, ...]:
    """By record, in the order in which records are first named; equal statements once."""
    found: dict[tuple[str, str, str], dict[Evidence, None]] = {}
    for statement in evidence:
        found.setdefault((statement.host, statement.section, statement.record), {})[statement] = None
    return tuple(Statements(host=h, section=s, record=r, statements=tuple(said)) for (h, s, r), said in found.items())


def own_evidence(finding: Finding) -> tuple[Evidence, ...]:
    """The finding's evidence without what its ties between hosts carry themselves."""
    carried = {evidence for edge in finding.edges for evidence in edge.evidence}
    return tuple(evidence for evidence in finding.evidence if evidence not in carried)


def said(statement: Evidence) -> str:
    """What a statement takes from its record, in a few words: `field = value`, or that the record is there."""
    if statement.field and statement.value:
        return f"{statement.field} = {statement.value}"
    return statement.field or statement.value or "is there"


def supports(statement: Evidence) -> str:
    """What a statement is evidence of, with its confidence; empty where the record itself is the point."""
    sure = f", {statement.confidence}" if statement.confidence else ""
    return f"{statement.about}{sure}" if statement.about else (statement.confidence or "")


def merged(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Ties that differ in their evidence only, as one: a job found both as a file and in a listing is one tie."""
    found: dict[Edge, dict[Evidence, None]] = {}
    for edge in edges:
        found.setdefault(msgspec.structs.replace(edge, evidence=()), {}).update(dict.fromkeys(edge.evidence))
    return tuple(msgspec.structs.replace(edge, evidence=tuple(evidence)) for edge, evidence in found.items())
