"""A finding explained on a terminal: the rule, the hosts, every record that it rests on, every tie, what is missing. Safe text only."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from auditor.model.finding import Finding
from auditor.report.chain import Chain, ChainEdge, Link
from auditor.report.statements import said, supports
from auditor.report.text import clip, safe_text
from auditor.report.wording import edge_words, node_words, status_words

DEFAULT_WIDTH = 120
VALUE_LIMIT = 400
OPAQUE_LIMIT = 64
LINES_LIMIT = 30
_LABEL = 12


def explanation(chain: Chain, *, width: int = DEFAULT_WIDTH) -> str:
    """The chain as text of at most about `width` columns, ending in a line feed. A record is shown once, then referred to."""
    finding = chain.finding
    parts = [_head(finding, width), _rule(finding, width)]
    shown: dict[tuple[str, str, str], str] = {}
    if finding.missing:
        parts.append("MISSING\n" + "\n".join(_item(safe_text(missing), width) for missing in finding.missing))
    if chain.links:
        parts.append("EVIDENCE\n" + "\n\n".join(_link(str(number), link, width, shown) for number, link in enumerate(chain.links, 1)))
    if chain.edges:
        parts.append("TIES\n" + "\n\n".join(_edge(number, tie, width, shown) for number, tie in enumerate(chain.edges, 1)))
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


def _link(number: str, link: Link, width: int, shown: dict[tuple[str, str, str], str]) -> str:
    key = (link.host, link.section, link.record)
    lines = [f"{number}. {safe_text(f'{link.host} / {link.section} / {link.record}')}"]
    for statement in link.statements:
        point = f"   (evidence of {supports(statement)})" if statement.about else ""
        lines.append(f"   {safe_text(clip(said(statement), VALUE_LIMIT))}{safe_text(point)}")
    lines += [f"   source: {safe_text(source)}" for source in dict.fromkeys(s.source for s in link.statements if s.source)]
    if key in shown:
        return "\n".join([*lines, f"   stored record: see {shown[key]}"])
    shown[key] = number
    return "\n".join([*lines, *_stored(link, width)])


def _stored(link: Link, width: int) -> Sequence[str]:
    if link.fields is None:
        return [f"   {link.note}"]
    seen = f", section {status_words(link.status)}" if link.status else ""
    named = {statement.field for statement in link.statements}
    longest = max(len(name) for name in link.fields)
    lines = [f"   stored record of {safe_text(link.collected_at or '')}{seen}:"]
    for name, value in link.fields.items():
        rows = _value_rows(name, value, max(width - longest - 8, 20))
        lines.append(f"   {'*' if name in named else ' '} {name:<{longest}}   {rows[0]}")
        lines += [f"{' ' * (longest + 8)}{row}" for row in rows[1:]]
    return lines


def _value_rows(name: str, value: Any, room: int) -> list[str]:
    """A field's value in rows: the text of scripts and tasks keeps its lines, long runs without a blank (base64) are cut."""
    text = _plain(value)
    if len(text) > OPAQUE_LIMIT and not any(character.isspace() for character in text):
        text = clip(text, OPAQUE_LIMIT)
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n") if name == "text" else [text]
    rows = [row for line in lines[:LINES_LIMIT] for row in _wrapped(line, room)]
    return rows + ([f"… (+{len(lines) - LINES_LIMIT} lines)"] if len(lines) > LINES_LIMIT else [])


def _wrapped(line: str, room: int) -> list[str]:
    return textwrap.wrap(safe_text(clip(line, VALUE_LIMIT)), room, break_on_hyphens=False) or [""]


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={_plain(item)}" for name, item in value.items() if item not in (None, [], ()))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _edge(number: int, tie: ChainEdge, width: int, shown: dict[tuple[str, str, str], str]) -> str:
    edge = tie.edge
    head = safe_text(f"{number}. {node_words(edge.source)} -> {node_words(edge.target)}: {edge_words(edge)}, as {edge.claimant} states")
    lines = textwrap.wrap(head, width, subsequent_indent="   ", break_on_hyphens=False)
    inner = [textwrap.indent(_link(f"tie {number}.{place}", link, width - 3, shown), "   ") for place, link in enumerate(tie.links, 1)]
    return "\n".join([*lines, *inner])
