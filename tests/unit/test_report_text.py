"""Text of strangers: nothing that commands a display, a browser, a wiki or a spreadsheet comes through."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.report.text import clip, is_web_address, markdown_code, safe_cell, safe_markdown, safe_text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]8;;http://evil.example\x07click\x1b]8;;\x07", "\\x1b]8;;http://evil.example\\x07click\\x1b]8;;\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("good\u202egnp.exe", "good\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("two\nlines\r\n\tand a tab", "two\\nlines\\r\\n\\tand a tab"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("lone\ud800", "lone\\ud800"),
        ("para\u2029graph", "para\\u2029graph"),
        ("no\u00a0break", "no break"),
    ],
)
def test_what_commands_a_terminal_is_shown_as_an_escape(hostile: str, shown: str) -> None:
    assert safe_text(hostile) == shown


@pytest.mark.parametrize("text", ["Größe", "防病毒服务器", "Сервер", "C:\\Program Files\\SAV\\Rtvscan.exe", "naïve café", "שרת"])
def test_ordinary_text_of_any_language_stays(text: str) -> None:
    assert safe_text(text) == text


def test_a_tower_of_combining_marks_is_broken() -> None:
    shown = safe_text("a" + "\u0301" * 50)
    assert shown.count("\u0301") <= 4


@given(st.text())
def test_safe_text_holds_no_control_and_is_stable(text: str) -> None:
    shown = safe_text(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)
    assert safe_text(shown) == shown


@given(st.text(min_size=1))
def test_a_code_span_ends_where_it_should(text: str) -> None:
    """No run of backticks inside is as long as the fence."""
    span = markdown_code(text)
    if span == "-":
        return
    fence = re.match(r"`+", span)
    assert fence is not None
    inside = span[len(fence.group()) : -len(fence.group())]
    assert fence.group() not in re.findall(r"`+", inside)


def test_a_bar_in_a_table_cell_does_not_end_it() -> None:
    assert markdown_code("a|b", in_table=True) == "`a\\|b`"


@pytest.mark.parametrize(
    "text", ["<img src=x>", "[a](http://x)", "**b**", "# head", "![i](x)", "@everyone", "`code`", "a | b", "1. list", "- item", "$x$"]
)
def test_markup_in_running_text_does_not_come_to_life(text: str) -> None:
    shown = safe_markdown(text)
    assert "<img" not in shown
    assert not re.search(r"(?<!\\)[`*\[\]|$#]", shown.replace("&#", ""))
    assert "@" not in shown
    assert not re.match(r"(\d+\.|-) ", shown)


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1"])
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert safe_cell(text).startswith("'")


def test_an_ordinary_cell_stays() -> None:
    assert safe_cell("10.0.0.359") == "10.0.0.359"


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "http://",
        "https://x.example/\u202e",
        'https://x.example/"onload=',
        "https://x.example/a b",
        "file:///etc/passwd",
        "https://x.example/>",
    ],
)
def test_only_plain_addresses_become_links(text: str) -> None:
    assert not is_web_address(text)


def test_a_plain_address_is_one() -> None:
    assert is_web_address("https://learn.microsoft.com/en-us/lifecycle/?a=1&b=%20#top")


def test_what_is_cut_is_counted() -> None:
    assert clip("abcdef", 4) == "abcd… (+2 characters)"
    assert clip("abcd", 4) == "abcd"
