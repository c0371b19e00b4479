"""The index of patterns says what holding each pattern against each name would say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.host.nameindex import NameIndex
from auditor.model.pattern import compile_pattern

WORDS = st.text(alphabet="abAB*?", min_size=1, max_size=7)
NAMES = st.text(alphabet="abc", min_size=1, max_size=7)


@given(patterns=st.lists(WORDS, max_size=8), rounds=st.lists(st.lists(NAMES, max_size=6, unique=True), max_size=3))
def test_it_says_what_each_pattern_says(patterns: list[str], rounds: list[list[str]]) -> None:
    index: NameIndex[int] = NameIndex()
    for number, pattern in enumerate(patterns):
        index.add(pattern, number)
    tests = [compile_pattern(pattern) for pattern in patterns]
    for names in rounds:
        expected = {name: {number for number, fits in enumerate(tests) if fits(name)} for name in names}
        told = index.telling(names)
        assert {name: set(said) for name, said in told} == {name: found for name, found in expected.items() if found}
        assert [name for name, _ in told] == [name for name in names if expected[name]]


@given(patterns=st.lists(WORDS, min_size=1, max_size=4), names=st.lists(NAMES, max_size=6, unique=True))
def test_a_pattern_that_comes_later_counts_too(patterns: list[str], names: list[str]) -> None:
    index: NameIndex[int] = NameIndex()
    for number, pattern in enumerate(patterns):
        index.add(pattern, number)
        expected = {name for name in names if any(compile_pattern(p)(name) for p in patterns[: number + 1])}
        assert {name for name, _ in index.telling(names)} == expected
