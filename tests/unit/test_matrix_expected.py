"""What a type allows at a place, and problems that say what was expected, all at once."""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.matrix.convert import convert
from auditor.matrix.expected import allowed_fields, allowed_values, missing_fields, one_of
from auditor.matrix.strict_yaml import parse_yaml


class Fruit(msgspec.Struct, tag_field="kind", tag="fruit", forbid_unknown_fields=True):
    colour: Literal["red", "green"]
    weight: int


class Stone(msgspec.Struct, tag_field="kind", tag="stone", forbid_unknown_fields=True):
    size: int


class Basket(msgspec.Struct, forbid_unknown_fields=True):
    owner: str
    things: tuple[Fruit | Stone, ...] = ()
    moods: dict[str, Literal["good", "bad"]] = {}


def said(text: str) -> list[str]:
    document, problems = parse_yaml(text, "f")
    assert document is not None
    assert problems == []
    return [str(problem) for problem in convert(document, document.value, Basket, (), "b")[1]]


def test_the_type_of_a_place_is_found_through_lists_maps_and_tags() -> None:
    value = {"things": [{"kind": "stone"}, {"kind": "fruit", "colour": "blue"}], "moods": {"a": "odd"}}
    assert set(allowed_values(Basket, value, ("things", 1, "colour"))) == {"red", "green"}
    assert set(allowed_values(Basket, value, ("moods", "a"))) == {"good", "bad"}
    assert allowed_fields(Basket, value, ("things", 0)) == ("size",)
    assert missing_fields(Basket, value, ("things", 1)) == ("weight",)
    assert missing_fields(Basket, value, ()) == ("owner",)
    assert allowed_values(Basket, value, ("nowhere", 3)) == ()
    assert missing_fields(Basket, value, ("things", 7)) is None


def test_words_name_the_nearest_and_all() -> None:
    assert one_of((), "x") == ""
    assert one_of(("high", "low"), "hihg") == ": did you mean high? expected one of high, low"
    assert one_of(("high", "low"), "zzz") == ": expected one of high, low"
    assert one_of(tuple(f"w{n}" for n in range(50)), "zzz").endswith("w39 and 10 more")


def test_all_missing_fields_come_at_once_and_wrong_ones_are_not_missing() -> None:
    fruit = "owner: me\nthings:\n- {kind: fruit}\n"
    assert said(fruit) == ["f:3:3: b: object missing required fields `colour`, `weight`"]
    wrong = said("owner: me\nthings:\n- {kind: fruit, colour: blue}\n")
    assert len(wrong) == 2
    assert "invalid enum value 'blue': expected one of " in wrong[0]
    assert wrong[1] == "f:3:3: b: object missing required field `weight`"
    assert said("owner: me\nthings:\n- {kind: stone, siez: 1, size: 2}\n") == [
        "f:3:17: b: object contains unknown field `siez`: did you mean `size`? expected one of size"
    ]
    assert len(said("owner: 1\n")) == 1
