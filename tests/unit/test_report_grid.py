"""The one table wrapper: versions stay as they are, columns stay within the width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditor.report.grid import grid


def test_versions_and_numbers_are_not_rewritten() -> None:
    text = grid(("Version",), [["10.10"], ["1e5"], ["0x10"], ["007"], ["3.6.ccf"]])
    assert text.split()[2:] == ["10.10", "1e5", "0x10", "007", "3.6.ccf"]


def test_markup_is_just_text() -> None:
    assert "[bold red]x[/]" in grid(("Name",), [["[bold red]x[/]"]])


def test_no_rows_leave_the_headers() -> None:
    assert grid(("Host", "Seen"), []).startswith("Host")


@given(st.lists(st.lists(st.text(st.sampled_from("ab c-\\"), max_size=200), min_size=3, max_size=3), max_size=5))
def test_a_table_is_never_wider_than_asked(rows: list[list[str]]) -> None:
    text = grid(("One", "Two", "Three"), rows, width=60)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 60


@given(st.text(st.sampled_from("abc\\/"), min_size=1, max_size=300))
def test_wrapping_loses_nothing(text: str) -> None:
    shown = grid(("Long",), [[text]], width=20)
    assert "".join(shown.splitlines()[2:]).replace(" ", "") == text
