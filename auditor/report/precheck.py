"""A pre-check told to people: as text for a terminal, and as Markdown for a change request. Pure; every host's text is made safe."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from auditor.model.finding import Edge, Finding, Waived
from auditor.model.whatif import CHANGE_SECTION, Answer, Delta, Dependent, HostAnswer, Precheck, Prerequisite, Vouched
from auditor.report.statements import grouped, merged, own_evidence, said, supports
from auditor.report.text import clip, markdown_code, safe_markdown, safe_text
from auditor.report.wording import edge_words, hosts_of, node_words, plural

DEFAULT_WIDTH = 120
VALUE_LIMIT = 160
SHOWN_RECORDS = 12
SHOWN_DEPENDENTS = 8
MARKS = {True: "met", False: "NOT MET", None: "NOT KNOWN"}


def answer_words(answer: Answer, decided: int) -> str:
    """The answer in words: a go never says more than what was looked at."""
    if answer == "go":
        return f"go: no known conflict among {plural(decided, 'decided rule')}"
    return answer


def render_text(found: Precheck, *, width: int = DEFAULT_WIDTH) -> str:
    """The pre-check as text of at most about `width` columns, ending in a line feed."""
    parts = ["\n".join(_wrapped(line, width) for line in _head(found))]
    parts += ["\n".join(_host_lines(answer, width)) for answer in found.hosts]
    for elsewhere in found.elsewhere:
        lines = [f"ELSEWHERE (wave {safe_text(elsewhere.wave)}): hosts that the change does not touch"]
        lines += [line for delta in elsewhere.deltas for line in _delta_lines(delta, width)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _head(found: Precheck) -> Iterator[str]:
    yield f"PRE-CHECK {found.at}: {found.answer.upper()}"
    yield f"auditor {found.auditor}, {plural(found.rules, 'rule')} (matrix {found.matrix_digest[:12]}); no host was asked"
    if found.oldest:
        yield f"The oldest evidence that was used is of {found.oldest}."
    if found.stale:
        names = ", ".join(safe_text(name) for name in found.stale[:SHOWN_RECORDS])
        yield f"Too old to count, so not seen: {names}{_more(len(found.stale), SHOWN_RECORDS)}."
    if len(found.hosts) > 1:
        counts: dict[str, int] = {}
        for answer in found.hosts:
            counts[answer.answer] = counts.get(answer.answer, 0) + 1
        yield f"{plural(len(found.hosts), 'answer')}: " + ", ".join(f"{count} {word}" for word, count in counts.items())


def _host_lines(answer: HostAnswer, width: int) -> Iterator[str]:
    wave = "" if answer.wave == "all" else f" (wave {answer.wave})"
    yield _wrapped(f"{answer.host}{wave}: {answer_words(answer.answer, answer.decided).upper()}", width)
    for text in answer.changes:
        yield _wrapped(f"  {text}", width)
    if answer.collected_at:
        yield _wrapped(f"  evidence of {answer.collected_at}{_age(answer.age_hours)}", width)
    yield from _section("ADDS", [line for delta in answer.added for line in _delta_lines(delta, width)])
    yield from _section("CAN'T BE DECIDED, AND COULD SAY NO", [line for delta in answer.open for line in _delta_lines(delta, width)])
    yield from _section("CURES", [_wrapped(f"    - {_title(delta.finding)}", width, 6) for delta in answer.cured])
    yield from _section("ACCEPTED", [_wrapped(f"    - {waived_words(entry)}", width, 6) for entry in answer.waived])
    yield from _section("BEFOREHAND AND AFTERWARDS", [_wrapped(f"    - {need_words(need)}", width, 6) for need in answer.prerequisites])
    yield from _section("WHAT THE SOURCES SAY", [_wrapped(f"    - {vouched_words(one)}", width, 6) for one in answer.vouched])
    yield from _section("WHO FEELS IT", [_wrapped(f"    - {line}", width, 6) for line in radius_lines(answer)])
    if answer.undecided_before or answer.lesser_open:
        yield _wrapped(f"  {rest_words(answer)}", width, 2)


def _section(head: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"  {head}"
        yield from lines


def _delta_lines(delta: Delta, width: int) -> Iterator[str]:
    finding = delta.finding
    word = " (it was there before, and this adds to it)" if delta.how == "worsened" else ""
    yield _wrapped(f"    - {_title(finding)}{word}", width, 6)
    for text in (finding.summary, finding.mechanism if delta.how != "open" else ""):
        if text:
            yield _wrapped(f"      {text}", width, 6)
    yield from (_wrapped(f"      needed: {reason}", width, 8) for reason in finding.missing[:SHOWN_RECORDS])
    if len(finding.missing) > SHOWN_RECORDS:
        yield f"      and {len(finding.missing) - SHOWN_RECORDS} more"
    for line in chain_lines(delta):
        yield _wrapped(f"      {line}", width, 8)
    if finding.resolution and delta.how != "open":
        yield _wrapped(f"      what to do: {finding.resolution}", width, 8)


def _title(finding: Finding) -> str:
    return f"{finding.severity.upper()} {finding.confidence}: {finding.title} [{finding.rule}: {hosts_of(finding)}]"


def chain_lines(delta: Delta) -> Iterator[str]:
    """The chain of evidence: records, then ties, each with what it says; what the change brings is marked."""
    brought = frozenset(delta.brought)
    for group in grouped(own_evidence(delta.finding))[:SHOWN_RECORDS]:
        place = f"{group.host}: {group.section}: {group.record}"
        mark = " (comes with the change)" if group.section == CHANGE_SECTION or place in brought else ""
        told = "; ".join(dict.fromkeys(f"{clip(said(s), VALUE_LIMIT)}{_supports(supports(s))}" for s in group.statements))
        yield f"because {place}{mark}: {told}"
    for edge in merged(delta.finding.edges):
        yield f"tied: {_edge(edge)}"


def _supports(text: str) -> str:
    return f" ({text})" if text else ""


def _edge(edge: Edge) -> str:
    proof = "; ".join(f"{e.section} {clip(e.record, VALUE_LIMIT)}" for e in edge.evidence[:2])
    return f"{node_words(edge.source)} {edge_words(edge)} {node_words(edge.target)}, says {edge.claimant}{': ' + proof if proof else ''}"


def waived_words(entry: Waived) -> str:
    """An accepted finding with who accepts it."""
    return f"{_title(entry.finding)}, accepted by {entry.owner} until {entry.until} ({entry.waiver}): {entry.reason}"


def need_words(need: Prerequisite) -> str:
    """A prerequisite with whether it is met."""
    if need.kind == "afterwards":
        return need.text
    return f"{MARKS[need.met]}: {need.text}{' (' + need.source + ')' if need.source else ''}"


def vouched_words(said: Vouched) -> str:
    """What a source says of a product, with where it says so."""
    place = f"on Windows {said.on}" if said.on else f"beside {said.beside}"
    product = f"{said.product} {said.version or ''}".strip()
    if said.says == "unknown":
        return f"{product} {place}: nobody says whether it is supported"
    only = f", versions {said.only.partition('/')[2]}" if said.only else ""
    note = f": {said.note}" if said.note else ""
    return f"{product} {place}: {said.says}{only}{note} ({said.confidence}, {said.source})"


def radius_lines(answer: HostAnswer) -> Iterator[str]:
    """Who feels it, a line a host."""
    radius = answer.radius
    for word, found in (("managed or served", radius.clients), ("copy jobs", radius.copies), ("peers", radius.peers)):
        if found:
            yield f"{word}: {'; '.join(_dependent(d) for d in found[:SHOWN_DEPENDENTS])}{_more(len(found), SHOWN_DEPENDENTS)}"
    if radius.others:
        yield f"and {radius.others} more that are not listed"


def _dependent(found: Dependent) -> str:
    return f"{node_words(found.node)} {found.why}"


def rest_words(answer: HostAnswer) -> str:
    """What else was not decided, counted."""
    parts = [f"{plural(answer.lesser_open, 'rule')} of lower severity can't be decided after the change"] if answer.lesser_open else []
    parts += (
        [f"{answer.undecided_before} could not be decided before either, and the change has no part in them"]
        if answer.undecided_before
        else []
    )
    return "; ".join(parts) + "."


def _age(hours: float | None) -> str:
    if hours is None:
        return ""
    return f", {hours / 24:.1f} days old" if hours >= 48 else f", {hours:.1f} hours old"


def _more(count: int, shown: int) -> str:
    return f" and {count - shown} more" if count > shown else ""


def _wrapped(line: str, width: int, indent: int = 4) -> str:
    plain = safe_text(line)
    start = len(plain) - len(plain.lstrip())
    return textwrap.fill(
        plain.strip(),
        width,
        initial_indent=" " * start,
        subsequent_indent=" " * max(indent, start),
        break_on_hyphens=False,
        break_long_words=False,
    )


def render_markdown(found: Precheck) -> str:
    """The pre-check for a change request, in GitHub's dialect of Markdown, ending in a line feed."""
    head = [f"# Pre-check: {safe_markdown(found.answer)}", "\n".join(f"- {safe_markdown(line)}" for line in list(_head(found))[1:])]
    blocks = [block for answer in found.hosts for block in _host_blocks(answer)]
    for elsewhere in found.elsewhere:
        blocks += [f"## Elsewhere (wave {safe_markdown(elsewhere.wave)})", *_delta_blocks(elsewhere.deltas)]
    return "\n\n".join([*head, *blocks]) + "\n"


def _host_blocks(answer: HostAnswer) -> Iterator[str]:
    yield f"## {markdown_code(answer.host)}: {safe_markdown(answer_words(answer.answer, answer.decided))}"
    facts = [f"- change: {markdown_code(text)}" for text in answer.changes]
    facts += [f"- evidence of {safe_markdown(answer.collected_at)}{safe_markdown(_age(answer.age_hours))}"] if answer.collected_at else []
    yield "\n".join(facts)
    for title, deltas in (("Adds", answer.added), ("Can't be decided, and could say no", answer.open), ("Cures", answer.cured)):
        if deltas:
            yield f"### {title}"
            yield from _delta_blocks(deltas)
    for title, lines in (
        ("Beforehand and afterwards", [need_words(n) for n in answer.prerequisites]),
        ("What the sources say", [vouched_words(one) for one in answer.vouched]),
        ("Who feels it", list(radius_lines(answer))),
    ):
        if lines:
            yield f"### {title}"
            yield "\n".join(f"- {safe_markdown(line)}" for line in lines)
    if answer.undecided_before or answer.lesser_open:
        yield safe_markdown(rest_words(answer))


def _delta_blocks(deltas: Iterable[Delta]) -> Iterator[str]:
    for delta in deltas:
        lines = [f"**{safe_markdown(_title(delta.finding))}**"]
        lines += [safe_markdown(delta.finding.summary)] if delta.finding.summary else []
        rows = [*(f"needed: {reason}" for reason in delta.finding.missing), *chain_lines(delta)] if delta.how != "cured" else []
        lines += ["\n".join(f"- {safe_markdown(row)}" for row in rows)] if rows else []
        yield "\n\n".join(lines)
