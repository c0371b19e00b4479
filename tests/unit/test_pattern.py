"""Globs: what they fit, that both ways to match agree, and that no pattern explodes."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.pattern import compile_pattern, is_glob, matches, matches_any
from tests.steps import lines_of

TEXT = st.text(alphabet="abAB", max_size=12)
GLOB = st.text(alphabet="abAB*?", max_size=8)


@given(GLOB, TEXT)
def test_agrees_with_the_standard_library(pattern: str, text: str) -> None:
    assert matches(pattern, text) == fnmatch.fnmatchcase(text.casefold(), pattern.casefold())


@given(GLOB, TEXT)
def test_a_compiled_pattern_says_the_same(pattern: str, text: str) -> None:
    assert compile_pattern(pattern)(text.casefold()) == matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("RapDrv", "rapdrv", True),
        ("Symantec AntiVirus*", "Symantec AntiVirus Server", True),
        ("?$", "D$", True),
        ("?$", "admin$", False),
        ("*", "", True),
        ("?*", "", False),
        ("", "", True),
        ("straße", "STRASSE", True),
        ("[ab]", "a", False),
        ("(a+)+", "aaa", False),
    ],
)
def test_examples(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) is fits
    assert compile_pattern(pattern)(text.casefold()) is fits


def test_one_of_several() -> None:
    assert matches_any(("x", "a*"), "abc")
    assert not matches_any((), "abc")
    assert is_glob("a?") and not is_glob("a[b]")


def test_no_pattern_explodes() -> None:
    """The cost is at most the product of the lengths, and what compiled patterns cost does not grow with the stars."""

    def explode() -> None:
        assert not matches(pattern, text)

    def compiled() -> None:
        assert not test(text)

    pattern, text = "*a" * 60 + "b", "a" * 4000
    assert lines_of(explode) < 10 * len(text) * len(pattern)
    test = compile_pattern("*a" * 60 + "?b")
    assert lines_of(compiled) < 10 * len(text) * len(pattern)
    test = compile_pattern(pattern + "*")
    assert lines_of(compiled) < 10 * len(pattern)
