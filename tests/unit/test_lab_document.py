"""Strict YAML with positions: what is text, what is refused, how layers merge."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from auditor.lab.document import MAXIMUM_DEPTH, Node, Problems, merge, read_document

NAMES = st.text(alphabet="abcdefgh", min_size=1, max_size=4)
PLAIN = st.recursive(
    st.integers(0, 99) | st.booleans() | st.text(alphabet="abc 01.", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


def _read(text: str) -> Node:
    problems = Problems()
    node = read_document(text, "f.yml", problems)
    assert node is not None
    assert problems.found == ()
    return node


def _problems(text: str) -> list[str]:
    problems = Problems()
    read_document(text, "f.yml", problems)
    return [str(problem) for problem in problems.found]


def test_only_null_true_false_and_integers_are_not_text() -> None:
    text = "a: 10.10\nb: no\nc: 12:30:45\nd: 0x10\ne: '12'\nf: true\ng: null\nh: 0804\ni: 1e5\nj: -3\n"
    expected = {"a": "10.10", "b": "no", "c": "12:30:45", "d": 16, "e": "12", "f": True, "g": None, "h": "0804", "i": "1e5", "j": -3}
    assert _read(text).plain() == expected


def test_every_node_knows_its_place() -> None:
    node = _read("a:\n  b: [1, x]\n")
    inner = node.value["a"].value["b"].value[1]
    assert (inner.value, inner.mark.line, inner.mark.column) == ("x", 2, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: *x\n", "f.yml:1:4: expected a plain document, got an alias or anchor"),
        ("a: !!python/name:os.system x\n", "f.yml:1:4: expected a plain document, got the tag tag:yaml.org,2002:python/name:os.system"),
        ("a: 1\nb: 2\na: 3\n", "f.yml:3:1: the key `a` stands here twice"),
        ("? [a]\n: 1\n", "f.yml:1:3: expected a text as key"),
        ("---\na: 1\n---\nb: 2\n", "f.yml:3:1: expected a plain document, got a second document"),
        ("a: [1,\n", "f.yml:2:1: not YAML: did not find expected node content"),
        ("a: \x00", "f.yml: not YAML: unacceptable character #x0000: control characters are not allowed"),
    ],
)
def test_what_a_strict_document_may_not_have(text: str, message: str) -> None:
    assert _problems(text) == [message]


def test_depth_and_size_are_bounded() -> None:
    deep = "[" * (MAXIMUM_DEPTH + 1) + "]" * (MAXIMUM_DEPTH + 1)
    assert "more than 40 levels" in _problems(deep)[0]
    assert "larger than" in _problems("a: " + "x" * (5 << 20))[0]


def test_all_problems_come_at_once_and_are_bounded() -> None:
    assert len(_problems("a: {b: 1, b: 2}\nc: {d: 1, d: 2}\n")) == 2
    assert len(_problems("".join(f"k{i}: {{x: 1, x: 2}}\n" for i in range(300)))) == Problems.LIMIT


def test_merging_lays_maps_over_maps_and_replaces_the_rest() -> None:
    problems = Problems()
    below, above = _read("a: {x: 1, y: 2}\nl: [1, 2]\nk: 1\n"), _read("a: {y: 3, z: 4}\nl: [3]\nk: null\n")
    assert merge(below, above, problems).plain() == {"a": {"x": 1, "y": 3, "z": 4}, "l": [3]}
    assert problems.found == ()


def test_a_null_that_removes_nothing_is_a_typing_error() -> None:
    problems = Problems()
    merge(_read("drivers: {RapDrv: {start: system}}\n"), _read("drivers:\n  Rapdrv: null\n"), problems)
    assert [str(problem) for problem in problems.found] == [
        "f.yml:2:11: drivers.Rapdrv: null removes `drivers.Rapdrv`, but there is no such thing below"
    ]


@given(PLAIN)
def test_what_is_written_is_what_is_read(value: object) -> None:
    assert _read(_dump({"a": value})).plain()["a"] == value


@given(st.dictionaries(NAMES, PLAIN, max_size=4), st.dictionaries(NAMES, PLAIN, max_size=4))
def test_merging_keeps_what_is_not_spoken_of_and_says_what_is(below: dict[str, object], above: dict[str, object]) -> None:
    problems = Problems()
    merged = merge(_read(_dump(below)), _read(_dump(above)), problems).plain()
    assert set(merged) == {*below, *above}
    for key in set(below) - set(above):
        assert merged[key] == below[key]
    for key, value in above.items():
        if not isinstance(value, dict):
            assert merged[key] == value
    assert merge(_read(_dump(merged)), _read(_dump(above)), problems).plain() == merged


def _dump(value: dict[str, object]) -> str:
    """YAML whose texts all stand in quotes."""

    class Quoting(yaml.SafeDumper):
        pass

    Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    return yaml.dump(value, Dumper=Quoting)
