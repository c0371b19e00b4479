"""A notice as a subject line, as text and as HTML. Pure; every value passes `safe_text`, and in HTML the escaping of markup.

The same words for mail, chat and everything else. Long notices are cut with what was left out counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from auditor.model.grade import SEVERITIES
from auditor.model.notice import ITEM_KINDS, ITEM_WORDS, Notice, NoticeItem
from auditor.report.text import clip, safe_text

SUBJECT_LIMIT = 120
ITEM_LIMIT = 100
TEXT_LIMIT = 600
_STYLE = "font-family:sans-serif;font-size:14px;line-height:1.4"


def subject(notice: Notice) -> str:
    """One line: counts, and the first title. Without control characters, so that it can't begin another header."""
    counts = [f"{len(group)} {ITEM_WORDS[kind].lower()}" for kind in ITEM_KINDS if (group := [i for i in notice.items if i.kind == kind])]
    first = ordered(notice.items)[0].title if notice.items else "nothing"
    return clip(safe_text(f"[{notice.name}] {', '.join(counts)}: {first}"), SUBJECT_LIMIT)


def ordered(items: Sequence[NoticeItem]) -> list[NoticeItem]:
    """Items by kind, then by falling severity."""
    return sorted(items, key=lambda i: (ITEM_KINDS.index(i.kind), -SEVERITIES.index(i.severity) if i.severity else 0, i.title))


def plain(notice: Notice) -> str:
    """The notice as text, ending in a line feed."""
    lines = [safe_text(f"{notice.name}, {notice.at}" + (f", run {notice.run}" if notice.run else "")), ""]
    for item in ordered(notice.items)[:ITEM_LIMIT]:
        lines += [_head(item), *(f"  {line}" for line in _details(item)), ""]
    lines += _left_out(notice)
    return "\n".join(lines).rstrip() + "\n"


def html(notice: Notice) -> str:
    """The notice as an HTML body without script, links or anything to fetch."""
    blocks = [Markup("<p>{}</p>").format(safe_text(f"{notice.name}, {notice.at}" + (f", run {notice.run}" if notice.run else "")))]
    for item in ordered(notice.items)[:ITEM_LIMIT]:
        details = Markup("").join(Markup("<li>{}</li>").format(line) for line in _details(item))
        blocks.append(Markup("<h3>{}</h3><ul>{}</ul>").format(_head(item), details))
    blocks += [Markup("<p>{}</p>").format(line) for line in _left_out(notice)]
    page = Markup('<!DOCTYPE html><html><head><meta charset="utf-8"><title>{}</title></head><body style="{}">{}</body></html>\n')
    return str(page.format(subject(notice), escape(_STYLE), Markup("\n").join(blocks)))


def _head(item: NoticeItem) -> str:
    severity = f" ({item.severity})" if item.severity else ""
    return safe_text(f"{ITEM_WORDS[item.kind]}{severity}: {clip(item.title, TEXT_LIMIT)}")


def _details(item: NoticeItem) -> list[str]:
    lines = (
        [f"Hosts: {', '.join(item.hosts[:20])}{f' and {len(item.hosts) - 20} more' if len(item.hosts) > 20 else ''}"] if item.hosts else []
    )
    lines += item.text
    lines += [f"Next: {item.next_step}"] if item.next_step else []
    lines += [f"Finding {item.ref} of rule {item.rule}" if item.rule else f"Case {item.ref}"] if item.ref else []
    return [safe_text(clip(line, TEXT_LIMIT)) for line in lines]


def _left_out(notice: Notice) -> list[str]:
    rest = len(notice.items) - ITEM_LIMIT
    return [f"And {rest} more: `auditor report` shows all."] if rest > 0 else []
