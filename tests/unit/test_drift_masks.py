"""Patterns of what changes by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.drift.masks import LONGEST, Mask, MaskError


@pytest.mark.parametrize(
    ("pattern", "text", "masked"),
    [
        ("*_<hex>", "CDPUserSvc_4a1f2", "CDPUserSvc_<hex>"),
        ("*_<hex>", "CDPUserSvc", None),
        ("*_<hex>", "Some_Service", None),
        ("MpKsl<word>", "mpksl1A2b3C", "mpksl<word>"),
        ("*\\Platform\\<level>\\*", "C:\\D\\Platform\\4.18.2211.5-0\\MsMpEng.exe", "C:\\D\\Platform\\<level>\\MsMpEng.exe"),
        ("*\\<date>.<number>\\*", "C:\\VIRUSD~1\\20051107.003\\naveng.sys", "C:\\VIRUSD~1\\<date>.<number>\\naveng.sys"),
        ("*\\<date>.<number>\\*", "C:\\Program Files\\Tool\\14.2\\x.sys", None),
        ("*<guid>*", "\\User_Feed-{0C55C096-0F1D-4F28-AAA2-85EF591126E7}", "\\User_Feed-<guid>"),
        ("*<sid>*", "OneDrive Task-S-1-5-21-1-2-3-1001", "OneDrive Task-<sid>"),
        ("* - <version>", "Runtime - 11.0.61030", "Runtime - <version>"),
        ("* <version>", "Visual C++ 2012", None),
        ("exactly this", "EXACTLY THIS", "EXACTLY THIS"),
        ("a.c", "abc", None),
    ],
)
def test_a_pattern_masks_what_changes(pattern: str, text: str, masked: str | None) -> None:
    assert Mask(pattern).masked(text) == masked


def test_what_the_stars_kept_is_told() -> None:
    assert Mask("*_<hex>").kept("CDPUserSvc_4a1f2") == ("CDPUserSvc",)


@pytest.mark.parametrize("pattern", ["<nonsense>", "*****"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(MaskError):
        Mask(pattern)


@given(st.text(max_size=40), st.text(alphabet="0123456789abcdef", min_size=1, max_size=8))
def test_a_suffix_never_shows_in_what_is_masked(name: str, suffix: str) -> None:
    masked = Mask("*_<hex>").masked(f"{name}_{suffix}")
    assert masked == f"{name}_<hex>"


@given(st.text(alphabet="a\\_0.", max_size=LONGEST * 2))
def test_any_text_is_answered(text: str) -> None:
    """Hostile texts cost little: the longest are not looked at."""
    found = Mask("*\\<level>\\*_<hex>.<number>").masked(text)
    assert found is None or len(text) <= LONGEST
