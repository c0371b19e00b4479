"""Follows a finding to the stored records that it rests on. Pure: finding and snapshots in, chain out; words are `explanation`'s."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from auditor.model.finding import Edge, Evidence, Finding
from auditor.model.host import SCHEMA_VERSION, Section, Snapshot
from auditor.report.statements import Statements, grouped, merged, own_evidence
from auditor.report.wording import status_words

_NAMES = ("name", "key", "path", "id", "time", "scheduler", "profile", "client", "group")


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A stored record, and what was said of it."""

    host: str
    section: str
    record: str
    statements: tuple[Evidence, ...]
    """What the finding takes from this record."""
    collected_at: str | None = None
    status: str | None = None
    """Status of the section in the snapshot."""
    fields: dict[str, Any] | None = None
    """The record as stored; None where it is not found, with the reason in `note`."""
    note: str = ""


class ChainEdge(msgspec.Struct, frozen=True, kw_only=True):
    """A tie between hosts and the records that state it."""

    edge: Edge
    links: tuple[Link, ...]


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """A finding down to the records."""

    schema_version: int = SCHEMA_VERSION
    finding: Finding
    links: tuple[Link, ...]
    edges: tuple[ChainEdge, ...]


def follow(finding: Finding, snapshots: Mapping[str, Snapshot]) -> Chain:
    """The chain of a finding; `snapshots` are those of its run, by host."""
    edges = tuple(ChainEdge(edge=edge, links=_links(edge.evidence, snapshots)) for edge in merged(finding.edges))
    return Chain(finding=finding, links=_links(own_evidence(finding), snapshots), edges=edges)


def hosts_in(finding: Finding) -> list[str]:
    """Hosts whose snapshots are needed to follow a finding."""
    evidence = [*finding.evidence, *(e for edge in finding.edges for e in edge.evidence)]
    return list(dict.fromkeys([s.host for s in finding.subjects] + [e.host for e in evidence]))


def _links(evidence: Sequence[Evidence], snapshots: Mapping[str, Snapshot]) -> tuple[Link, ...]:
    """One link a record, in the order in which the records are first named."""
    return tuple(_link(group, snapshots.get(group.host)) for group in grouped(evidence))


def _link(group: Statements, snapshot: Snapshot | None) -> Link:
    link = Link(host=group.host, section=group.section, record=group.record, statements=group.statements)
    section_name, record = group.section, group.record
    if snapshot is None:
        return msgspec.structs.replace(link, note="the store holds no snapshot of this host for the run")
    section: Section[Any, Any] | None = getattr(snapshot.sections, section_name, None)
    if section is None:
        return msgspec.structs.replace(link, collected_at=snapshot.collected_at, note="derived from several sections")
    found = find_record(section_name, section, record)
    note = "" if found is not None else f"the record is not in the stored section ({status_words(section.status)})"
    return msgspec.structs.replace(link, collected_at=snapshot.collected_at, status=section.status, fields=found, note=note)


def find_record(section_name: str, section: Section[Any, Any], key: str) -> dict[str, Any] | None:
    """The record that a key of evidence means (its name, path, `path\\value`, `log/number` or time), with its readings, as plain values."""
    wanted = key.casefold()
    rows = [row for row in (*section.records, *section.readings) if wanted in _keys(section_name, row)]
    if not rows and len(section.records) == 1 and section_name in ("system", "network"):
        rows = list(section.records)
    found: dict[str, Any] = {}
    for row in rows[:1] + [r for r in rows[1:] if type(r) is not type(rows[0])]:
        found |= {name: value for name, value in msgspec.to_builtins(row).items() if value is not None and value not in ((), [], "")}
    return found or None


def _keys(section_name: str, row: Any) -> Iterator[str]:
    """Case-folded keys under which evidence may name a row."""
    facts = {name: getattr(row, name) for name in row.__struct_fields__}
    if section_name == "security" and facts.get("name"):
        yield f"{facts['path']}\\{facts['name']}".casefold()
        return
    for name in _NAMES:
        if isinstance(value := facts.get(name), str) and value:
            yield value.casefold()
    if "log" in facts:
        yield f"{facts['log']}/{facts['record']}".casefold()
    if "path" in facts:
        yield str(facts["path"]).rsplit("\\", 1)[-1].casefold()
