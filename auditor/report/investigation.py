"""An investigation for people: the two answers, what speaks for and against each, the timeline, next steps. Plain text; decides nothing.

`--why` adds the points and the reason of every line and the records that it rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditor.model.finding import Evidence
from auditor.model.hypothesis import Hypothesis, Investigation, Line, Moment
from auditor.report.grid import grid
from auditor.report.text import clip, safe_text

DEFAULT_WIDTH = 120
LINES_SHOWN = 5
ENTRIES_SHOWN = 40
_VALUE = 160
SOURCES = {
    "given": "as given",
    "dump": "from the dump's header",
    "event_text": "from event 6008",
    "event_time": "when the restart was recorded",
    "boot_time": "when Windows started",
}
QUESTIONS = (("proximate", "WHAT FELL (proximate cause)"), ("trigger", "WHAT PUSHED (trigger)"))


def render(found: Investigation, *, width: int = DEFAULT_WIDTH, why: bool = False) -> str:
    """The investigation as text of about `width` columns, ending in a line feed."""
    blocks = [_head(found)]
    for name, title in QUESTIONS:
        answers: tuple[Hypothesis, ...] = getattr(found, name)
        blocks.append(f"{title}\n{_overview(answers, width)}")
        blocks += [_hypothesis(answer, why=why) for answer in answers if answer.confidence is not None or why]
    blocks += [_timeline(found, width), _list("NEXT STEPS", found.steps), _remedies(found), _coverage(found)]
    blocks.append(_list("NOTES", found.notes))
    return "\n\n".join(block for block in blocks if block) + "\n"


def headline(found: Investigation) -> str:
    """The two first answers in one sentence each."""
    return " ".join(f"{title}: {_answer(answers)}." for title, answers in (("Fell", found.proximate), ("Pushed", found.trigger)))


def _answer(answers: Sequence[Hypothesis]) -> str:
    first = next((answer for answer in answers if answer.confidence is not None), None)
    return f"{safe_text(first.title)} ({first.confidence})" if first is not None else "not known"


def moment_words(moment: Moment | None) -> str:
    """When it happened, in both clocks, and how that is known."""
    if moment is None:
        return "no unexpected restart was found"
    local = f" ({moment.local.replace('T', ' ')} local)" if moment.local else ""
    return f"{moment.time}{local}, {SOURCES[moment.source]}"


def _head(found: Investigation) -> str:
    lines = [f"INVESTIGATION OF {safe_text(found.host)}", f"  when       {moment_words(found.moment)}"]
    lines += [f"             {safe_text(note)}" for note in (found.moment.notes if found.moment else ())]
    crash = found.crash
    if crash is not None:
        stop = " ".join(part for part in (crash.bugcheck.code, crash.bugcheck.name) if part)
        place = " ".join(safe_text(part) for part in (crash.image or crash.module or "", crash.offset or "") if part)
        lines += [f"  stop       {safe_text(stop)}", f"  place      {place or '-'}", f"  read from  {safe_text(found.crash_from)}"]
    ties = ", ".join(f"{safe_text(tie.host)} ({'; '.join(map(safe_text, tie.reasons))})" for tie in found.ties)
    lines.append(f"  tied to    {ties or 'no other host'}")
    lines += [f"  {part}" for part in headline(found).split(". ")]
    return "\n".join(lines)


def _overview(answers: Sequence[Hypothesis], width: int) -> str:
    rows = [
        [
            str(number),
            safe_text(a.title),
            a.confidence or "nothing of its own",
            str(a.score),
            str(len(a.speaks_for)),
            str(len(a.against)),
            str(len(a.missing)),
        ]
        for number, a in enumerate(answers, 1)
    ]
    return grid(("No", "Hypothesis", "Confidence", "Points", "For", "Against", "Missing"), rows, width=width)


def _hypothesis(answer: Hypothesis, *, why: bool) -> str:
    subject = f" [{safe_text(answer.subject)}]" if answer.subject else ""
    lines = [f"{safe_text(answer.title)}{subject}: {answer.confidence or 'nothing of its own'}, {answer.score} points"]
    lines += [f"    limited: {safe_text(limit)}" for limit in answer.limits if why]
    for sign, found in (("+", answer.speaks_for), ("-", answer.against), ("?", answer.missing)):
        shown = found if why else found[:LINES_SHOWN]
        lines += [text for line in shown for text in _line(sign, line, why=why)]
        if len(found) > len(shown):
            lines.append(f"    {sign} … and {len(found) - len(shown)} more, see --why")
    lines += [f"    settle: {safe_text(way)}" for way in answer.settle]
    return "\n".join(lines)


def _line(sign: str, line: Line, *, why: bool) -> Iterable[str]:
    yield f"    {sign} {clip(safe_text(line.text), 400)}"
    if why:
        yield f"        {line.points:+d} ({line.sign}, {line.grade}): {safe_text(line.why)}"
    evidence = line.evidence if why else line.evidence[:1]
    yield from (f"        {place(item)}" for item in evidence)


def place(item: Evidence) -> str:
    """Where a statement stands: host, section, record, field, value."""
    field = f" {safe_text(item.field)}" if item.field else ""
    value = f" = {clip(safe_text(item.value), _VALUE)}" if item.value else ""
    return f"{safe_text(item.host)} / {item.section} / {safe_text(item.record)}{field}{value}"


def _timeline(found: Investigation, width: int) -> str:
    if not found.timeline:
        return ""
    entries = found.timeline
    rows = [
        [e.time, safe_text(e.host), e.lane + (" (due)" if e.planned else ""), clip(safe_text(e.text), 160)]
        for e in entries[-ENTRIES_SHOWN:]
    ]
    more = f"\n({len(entries) - ENTRIES_SHOWN} earlier ones are in the other formats)" if len(entries) > ENTRIES_SHOWN else ""
    return "TIMELINE (UTC)\n" + grid(("Time", "Host", "What", "Entry"), rows, width=width) + more


def _list(title: str, items: Sequence[str]) -> str:
    return "\n".join([title, *(f"  - {safe_text(item)}" for item in items)]) if items else ""


def _remedies(found: Investigation) -> str:
    lines: list[str] = []
    for item in found.remedies:
        lines.append(f"  - {safe_text(item.title)} ({item.confidence}; finding {item.finding})")
        lines.append(f"      {safe_text(item.resolution)}")
        lines.append(f"      playbook: {safe_text(item.remedy)}" if item.remedy else "      no playbook: steps for a person")
    return "\n".join(["REMEDY, as the matching rules offer it", *lines]) if lines else ""


def _coverage(found: Investigation) -> str:
    lines = []
    for host in found.coverage:
        short = [f"{s.name}: {s.reason or s.status}" for s in host.sections if s.status not in ("ok", "not_asked")]
        reason = f" ({safe_text(host.reason)})" if host.reason else ""
        lines.append(f"  {safe_text(host.host)}: {host.status}{reason}, collected {host.collected_at or 'never'}")
        lines += [f"      {clip(safe_text(text), 200)}" for text in short]
    return "\n".join(["SEEN", *lines])
