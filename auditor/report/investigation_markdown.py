"""An investigation for a ticket, in GitHub's dialect of Markdown: one page. Values of hosts stand in code spans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.model.finding import Evidence
from auditor.model.hypothesis import Hypothesis, Investigation, Line
from auditor.report.investigation import QUESTIONS, moment_words, place
from auditor.report.markdown import table
from auditor.report.text import clip, markdown_code, safe_markdown

VALUE_LIMIT = 300
EVIDENCE_SHOWN = 3
ENTRIES_SHOWN = 80


def render(found: Investigation) -> str:
    """The page as Markdown, ending in a line feed."""
    parts = [f"# What made {safe_markdown(found.host)} restart", *_head(found)]
    for name, title in QUESTIONS:
        answers: tuple[Hypothesis, ...] = getattr(found, name)
        parts += [f"## {title.capitalize()}", _overview(answers), *(block for answer in answers for block in _hypothesis(answer))]
    parts += [*_timeline(found), *_steps(found), *_remedies(found), *_seen(found)]
    return "\n\n".join(parts) + "\n"


def _head(found: Investigation) -> Iterator[str]:
    yield safe_markdown(moment_words(found.moment)) + "."
    answers = []
    for title, ranking in (("Fell", found.proximate), ("Pushed", found.trigger)):
        first = next((answer for answer in ranking if answer.confidence is not None), None)
        words = f"{safe_markdown(first.title)} — *{first.confidence}*" if first is not None else "not known"
        answers.append(f"- **{title}:** {words}")
    yield "\n".join(answers)
    if found.moment is not None and found.moment.notes:
        yield "\n".join(f"- {safe_markdown(note)}" for note in found.moment.notes)
    if found.crash is not None:
        yield f"Read from {markdown_code(clip(found.crash_from, VALUE_LIMIT))}."
    if found.ties:
        rows = [[markdown_code(t.host, in_table=True), safe_markdown("; ".join(t.reasons)), "yes" if t.seen else "no"] for t in found.ties]
        yield table(("Tied host", "How", "Seen"), rows)


def _overview(answers: Sequence[Hypothesis]) -> str:
    rows = [[str(i), safe_markdown(a.title), a.confidence or "nothing of its own", str(a.score)] for i, a in enumerate(answers, 1)]
    return table(("", "Hypothesis", "Confidence", "Points"), rows)


def _hypothesis(answer: Hypothesis) -> Iterator[str]:
    if not (answer.speaks_for or answer.against or answer.missing):
        return
    yield f"### {safe_markdown(answer.title)}"
    for title, lines in (("Speaks for it", answer.speaks_for), ("Speaks against it", answer.against), ("Missing", answer.missing)):
        if lines:
            yield f"**{title}**\n\n" + "\n".join(_line(line) for line in lines)
    if answer.settle:
        yield "**Would settle it**\n\n" + "\n".join(f"- {safe_markdown(way)}" for way in answer.settle)


def _line(line: Line) -> str:
    text = f"- {safe_markdown(clip(line.text, 600))} ({line.points:+d}: {safe_markdown(line.why)})"
    return "\n".join([text, *(f"  - {_evidence(item)}" for item in line.evidence[:EVIDENCE_SHOWN])])


def _evidence(item: Evidence) -> str:
    return markdown_code(clip(place(item), VALUE_LIMIT))


def _timeline(found: Investigation) -> Iterator[str]:
    if found.timeline:
        yield "## Timeline (UTC)"
        entries = found.timeline[-ENTRIES_SHOWN:]
        rows = [
            [
                e.time,
                markdown_code(e.host, in_table=True),
                e.lane + (" (due)" if e.planned else ""),
                markdown_code(clip(e.text, 160), in_table=True),
            ]
            for e in entries
        ]
        yield table(("Time", "Host", "What", "Entry"), rows)


def _steps(found: Investigation) -> Iterator[str]:
    if found.steps:
        yield "## Next steps"
        yield "\n".join(f"1. {safe_markdown(clip(step, 400))}" for step in found.steps)


def _remedies(found: Investigation) -> Iterator[str]:
    if found.remedies:
        yield "## Remedy, as the matching rules offer it"
        for item in found.remedies:
            playbook = f"Playbook {markdown_code(item.remedy)}." if item.remedy else "No playbook: steps for a person."
            marks = f"*{item.confidence}*, finding {markdown_code(item.finding)}"
            yield f"**{safe_markdown(item.title)}** ({marks})\n\n{safe_markdown(item.resolution)} {playbook}"


def _seen(found: Investigation) -> Iterator[str]:
    yield "## What was seen"
    rows = [
        [markdown_code(c.host, in_table=True), c.status, safe_markdown(clip(c.reason, VALUE_LIMIT)) or "-", c.collected_at or "never"]
        for c in found.coverage
    ]
    yield table(("Host", "Status", "Reason", "Collected"), rows)
    digests = f"matrix {markdown_code(found.matrix_digest[:16])}, hypotheses {markdown_code(found.hypotheses_digest[:16])}"
    run = f" run {markdown_code(found.run)}," if found.run else ""
    yield f"Auditor {safe_markdown(found.auditor)},{run} {digests}."
    if found.notes:
        yield "\n".join(f"- {safe_markdown(note)}" for note in found.notes)
