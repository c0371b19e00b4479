"""Versions and their ranges: order, padding, ends, contradictions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.version import Version, VersionRange, parse_version

PARTS = st.lists(st.integers(0, 70000), min_size=1, max_size=5)


def version(text: str, scheme: str = "windows") -> Version:
    found = parse_version(text, scheme)
    assert found is not None
    return found


def dotted(parts: list[int]) -> str:
    return ".".join(map(str, parts))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("10.1.5.5000", (10, 1, 5, 5000)),
        ("10,1,5,5000", (10, 1, 5, 5000)),
        ("10.1.5.5000 (WinBuild.160101.0800)", (10, 1, 5, 5000)),
        ("v4.18.2208.0", (4, 18, 2208, 0)),
        (" 9 ", (9,)),
        ("20061.3.0.12", (20061, 3, 0, 12)),
        ("1067039823", (1067039823,)),
        ("10.0.2.2000a", (10, 0, 2, 2000)),
    ],
)
def test_the_leading_numbers_are_read(text: str, parts: tuple[int, ...]) -> None:
    assert version(text).parts == parts


@pytest.mark.parametrize("text", [None, "", "unknown", ".5", "9" * 40, "-1"])
def test_a_text_without_a_version_is_none(text: str | None) -> None:
    assert parse_version(text) is None


def test_the_text_is_kept() -> None:
    assert str(version("10.1.5.5000 (WinBuild)")) == "10.1.5.5000 (WinBuild)"


@given(PARTS, PARTS)
def test_order_is_that_of_the_parts_with_zeros_behind(left: list[int], right: list[int]) -> None:
    width = max(len(left), len(right))
    padded = [parts + [0] * (width - len(parts)) for parts in (left, right)]
    ours, theirs = version(dotted(left)), version(dotted(right))
    assert (ours < theirs) == (padded[0] < padded[1])
    assert (ours == theirs) == (padded[0] == padded[1])
    if ours == theirs:
        assert hash(ours) == hash(theirs)


def test_blackice_builds_are_ordered_by_their_letters() -> None:
    builds = ["3.5.xyz", "3.6.cbz", "3.6.ccb", "3.6.ccf", "3.6.cpiE", "3.6.cpj", "3.6.cqn", "7.0.ebf"]
    versions = [version(build, "blackice") for build in builds]
    assert versions == sorted(versions)
    assert version("3.6.CCF", "blackice") == version("3.6.ccf", "blackice")


@given(PARTS, PARTS, PARTS)
def test_a_half_open_range_holds_what_lies_between_its_ends(low: list[int], high: list[int], probe: list[int]) -> None:
    if version(dotted(low)) >= version(dotted(high)):
        return
    span = VersionRange(f"vers:windows/>={dotted(low)}|<{dotted(high)}")
    assert (version(dotted(probe)) in span) == (version(dotted(low)) <= version(dotted(probe)) < version(dotted(high)))


@given(PARTS)
def test_an_end_is_inside_only_where_it_is_said(parts: list[int]) -> None:
    end = dotted(parts)
    assert [version(end) in VersionRange(f"vers:windows/{op}{end}") for op in (">=", "<=", "=", ">", "<")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert version(end) in VersionRange("vers:windows/*")


def test_equal_alternatives_stand_beside_bounds() -> None:
    span = VersionRange("vers:windows/>=8.16|<=8.16.6|=9.0")
    assert [version(v) in span for v in ("8.16.6", "8.17", "9.0.0", "9.0.1")] == [True, False, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ">=1.0",
        "vers:semver/>=1.0",
        "vers:windows",
        "vers:windows/",
        "vers:windows/>=",
        "vers:windows/>=x",
        "vers:windows/>=2|<1",
        "vers:windows/>1|<1",
        "vers:windows/>=1|<1",
        "vers:windows/>=1|>=2",
        "vers:windows/<1|<=2",
    ],
)
def test_what_is_no_range_or_holds_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        VersionRange(text)


def test_a_range_of_one_version_is_allowed() -> None:
    assert version("1.0") in VersionRange("vers:windows/>=1|<=1.0.0")
