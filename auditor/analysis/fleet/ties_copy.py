"""Ties that copy jobs make: which host writes files to which, and which ends could not be read."""

from __future__ import annotations

import msgspec

from auditor.analysis.copying.copyrecord import CopyJob
from auditor.analysis.fleet.naming import Naming
from auditor.analysis.host.facts import HostFacts
from auditor.model.finding import CopyEnd, Edge, EdgeKind

KIND: EdgeKind = "copies-to"
_TOLD_COMMAND = 200


def copy_edges(facts: HostFacts, naming: Naming) -> list[Edge]:
    """`copies-to` edges of the copy jobs that a host runs, whichever way they copy. Copies inside one host are no edges."""
    found: dict[tuple[object, ...], Edge] = {}
    for job in facts.claims.copies:
        edge = _edge(facts, job, naming)
        if edge is not None:
            key = (edge.source, edge.target, edge.share, edge.destructive, edge.writes_executables, edge.hours, edge.detail)
            found[key] = _joined(found[key], edge) if key in found else edge
    return list(found.values())


def _joined(first: Edge, second: Edge) -> Edge:
    """One copy that two records tell of, as a .job file and the listing of schtasks do."""
    return msgspec.structs.replace(first, evidence=tuple(dict.fromkeys((*first.evidence, *second.evidence))))


def _edge(facts: HostFacts, job: CopyJob, naming: Naming) -> Edge | None:
    where = _where(job)
    source, target = (_node(facts, end, side, where, naming) for end, side in ((job.source, "source"), (job.destination, "target")))
    if source is None or target is None:
        _leave_open(facts, job, where, source, target, naming)
        return None
    if source == target:
        return None
    far = job.destination if job.destination.kind == "remote" else job.source
    return Edge(
        kind=KIND,
        source=source,
        target=target,
        claimant=facts.name,
        evidence=job.steps,
        destructive=job.destructive,
        writes_executables=job.writes_executables,
        hours=job.hours,
        detail=f"{job.tool}: {job.command[:_TOLD_COMMAND]}" if job.command else job.tool,
        share=far.share,
    )


def _where(job: CopyJob) -> str:
    return f"{job.steps[-1].section}: {job.steps[-1].record}" if job.steps else job.tool


def _node(facts: HostFacts, end: CopyEnd, side: str, where: str, naming: Naming) -> str | None:
    """Node of an end; None where it could be anywhere. A remote name that is no host's (`localhost`) is the host itself."""
    if end.kind == "local":
        return f"host:{facts.name}"
    if end.kind == "unresolved" or not end.host:
        return None
    return naming.node(end.host, claimant=facts.name, kind=KIND, side=side, where=where) or f"host:{facts.name}"


def _leave_open(facts: HostFacts, job: CopyJob, where: str, source: str | None, target: str | None, naming: Naming) -> None:
    """Note the ends that could be anywhere; the other end, where it is known, is the host whose ties they leave in doubt."""
    reason = job.reason or "an end is not known"
    for node, other, side in ((source, target, "source"), (target, source, "target")):
        if node is None:
            known = other.removeprefix("host:") if other and other.startswith("host:") else facts.name
            naming.leave_open(facts.name, KIND, side, "", reason, where, other=known)
