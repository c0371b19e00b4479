"""A finding explained on a terminal: the rule, the hosts, every record that it rests on, every tie, what is missing. Safe text only."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from auditor.model.finding import Finding
from auditor.report.chain import Chain, ChainEdge, Link
from auditor.report.text import clip, safe_text
from auditor.report.wording import edge_words, node_words, status_words

DEFAULT_WIDTH = 120
VALUE_LIMIT = 400
_LABEL = 12


def explanation(chain: Chain, *, width: int = DEFAULT_WIDTH) -> str:
    """The chain as text of at most about `width` columns, ending in a line feed."""
    finding = chain.finding
    parts = [_head(finding, width), _rule(finding, width)]
    if finding.missing:
        parts.append("MISSING\n" + "\n".join(_item(safe_text(missing), width) for missing in finding.missing))
    if chain.links:
        parts.append("EVIDENCE\n" + "\n\n".join(_link(number, link, width) for number, link in enumerate(chain.links, 1)))
    if chain.edges:
        parts.append("TIES\n" + "\n\n".join(_edge(number, tie, width) for number, tie in enumerate(chain.edges, 1)))
    if not chain.links and not chain.edges:
        parts.append("EVIDENCE\nNone is stored: nothing that was seen decides the rule.")
    return "\n\n".join(parts) + "\n"


def _head(finding: Finding, width: int) -> str:
    verdict = "undetermined" if finding.verdict == "undetermined" else "finding"
    lines = [f"{verdict} {finding.id}: {finding.severity} severity, {finding.confidence}", safe_text(finding.title)]
    lines += textwrap.wrap(safe_text(finding.summary), width)
    return "\n".join(lines)


def _rule(finding: Finding, width: int) -> str:
    rows = [("Rule", finding.rule)]
    rows += [("Subject", f"{s.role} = {s.host}") for s in finding.subjects]
    rows += [("Mechanism", finding.mechanism), ("Effect", finding.effect), ("Resolution", finding.resolution)]
    rows += [("Remedy", f"playbook {finding.remedy}")] if finding.remedy else []
    rows += [("Source", "the founding incident" if r == "incident" else r) for r in finding.references]
    return "RULE\n" + "\n".join(_row(label, value, width) for label, value in rows if value)


def _row(label: str, value: str, width: int) -> str:
    shown = textwrap.wrap(safe_text(value), max(width - _LABEL, 20), break_on_hyphens=False) or [""]
    return f"{label:<{_LABEL}}" + f"\n{' ' * _LABEL}".join(shown)


def _item(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False))


def _link(number: int, link: Link, width: int) -> str:
    where = safe_text(f"{link.host} / {link.section} / {link.record}")
    lines = [f"{number}. {where}"]
    for statement in (s for s in link.statements if s.field or s.value or s.about):
        said = " = ".join(part for part in (statement.field, statement.value) if part)
        about = f"  (says the {statement.about})" if statement.about else ""
        sure = f"  [{statement.confidence}]" if statement.confidence else ""
        lines.append(f"   says {safe_text(clip(said, VALUE_LIMIT))}{safe_text(about)}{sure}")
        lines += [f"   why  {safe_text(statement.source)}"] if statement.source else []
    return "\n".join([*lines, *_stored(link, width)])


def _stored(link: Link, width: int) -> Sequence[str]:
    if link.fields is None:
        return [f"   {link.note}"]
    seen = f", section {status_words(link.status)}" if link.status else ""
    named = {statement.field for statement in link.statements}
    longest = max(len(name) for name in link.fields)
    lines = [f"   stored record of {safe_text(link.collected_at or '')}{seen}:"]
    for name, value in link.fields.items():
        mark = "*" if name in named else " "
        text = safe_text(clip(_plain(value), VALUE_LIMIT))
        room = max(width - longest - 8, 20)
        shown = f"\n{' ' * (longest + 8)}".join(textwrap.wrap(text, room, break_on_hyphens=False) or [""])
        lines.append(f"   {mark} {name:<{longest}}   {shown}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={_plain(item)}" for name, item in value.items() if item not in (None, []))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _edge(number: int, tie: ChainEdge, width: int) -> str:
    edge = tie.edge
    head = f"{number}. {node_words(edge.source)} {edge_words(edge)} {node_words(edge.target)}, as {edge.claimant} states"
    inner = [textwrap.indent(_link(place, link, width - 3), "   ") for place, link in enumerate(tie.links, 1)]
    return "\n".join([safe_text(head), *inner])
