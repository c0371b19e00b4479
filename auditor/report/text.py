"""Text of strangers made fit to be shown: on a terminal, in Markdown, in a spreadsheet. Owns escaping; lays nothing out.

Names and values of hosts may hold terminal commands (ANSI, OSC 8 links), characters that reorder or hide text (bidi controls,
zero-width), markup, mentions and formulas. What is escaped stays visible as `\\x1b` or `\\u202e`; nothing is dropped in silence.
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a reader can't see or that command the display: control, format, surrogate, private, unassigned, line ends."""
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u034f\u180b\u180c\u180d\u180f\u17b4\u17b5\u2800")
"""Letters and marks that show as nothing."""
_PLAIN = re.compile(r"[\x20-\x7e]*")
_MARKDOWN = re.compile(r"([\\`*_\[\]#$|~>])")
_MARKS_IN_A_ROW = 4


def safe_text(text: str) -> str:
    """`text` on one line with every control, bidi and invisible character as a visible escape. Safe on a terminal, not yet in markup."""
    if _PLAIN.fullmatch(text):
        return text
    result: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        hidden = category in _HIDDEN or character in _INVISIBLE or marks > _MARKS_IN_A_ROW or _is_variation(character)
        result.append(_escape(character) if hidden else " " if category == "Zs" else character)
    return "".join(result)


def _is_variation(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _escape(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if named:
        return named
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def clip(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, with what was left out counted."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… (+{len(text) - limit} characters)"


def safe_markdown(text: str) -> str:
    """Running text for Markdown: no markup, HTML, link, mention or issue number comes to life."""
    escaped = safe_text(text).replace("&", "&amp;").replace("<", "&lt;")
    escaped = _MARKDOWN.sub(r"\\\1", escaped)
    escaped = escaped.replace("@", "&#64;").replace("://", "&#58;//").replace("www.", "www&#46;")
    return re.sub(r"^(\s*\d*)([.)+=-])", r"\1\\\2", escaped)


def markdown_code(text: str, *, in_table: bool = False) -> str:
    """A value as a Markdown code span, whatever backticks it holds; `-` where it is empty."""
    shown = safe_text(text)
    if not shown.strip():
        return "-"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", shown)), default=0) + 1)
    pad = " " if len(fence) > 1 or shown != shown.strip() else ""
    if in_table:
        shown = shown.replace("|", "\\|")
    return f"{fence}{pad}{shown}{pad}{fence}"


def safe_cell(text: str) -> str:
    """A spreadsheet cell that no program takes for a formula: a leading apostrophe where it starts like one."""
    shown = safe_text(text)
    return f"'{shown}" if shown.lstrip()[:1] in ("=", "+", "-", "@", "|", "%") or text[:1] in ("\t", "\r", "\n") else shown


def is_web_address(text: str) -> bool:
    """Whether a reference may become a link: http or https, visible ASCII only, nothing that ends an attribute or a Markdown link."""
    return re.fullmatch(r"https?://[A-Za-z0-9][!#$%&'*+,./0-9:;=?@A-Z_a-z~-]*", text) is not None
