"""Readings as bytes: whatever they were, they come back, alone or resting on others; a changed byte is an error."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.errors import StoreError
from auditor.model.host import Clock
from auditor.store.readings import LONGEST_CHAIN, SHORTEST_CHAIN, Packed, Prior, pack_readings, unpack_readings
from auditor.store.sections import Moving, SectionMoving, moving_bytes, moving_of

TEXTS = st.one_of(
    st.text(), st.sampled_from(["2026-11-25T19:03:12Z", "2026-11-26T", "2026-11-27T01:00:00", "\x01", "\x02T", "\n", '"\x03'])
)
TIMES = st.one_of(
    st.sampled_from(["2026-11-26T01:00:00Z", "2026-02-29T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", ""]), st.text()
)


@given(st.dictionaries(st.sampled_from(["events", "tasks", "logons"]), st.lists(st.dictionaries(TEXTS, TEXTS, max_size=3))), TIMES)
def test_whatever_moves_comes_back(sections: dict[str, list[Any]], collected_at: str) -> None:
    moves = Moving(
        clock=Clock(skew_seconds=0.5),
        log_coverage=(),
        sections={
            name: SectionMoving(started_at=collected_at, seconds=1.5, readings=msgspec.Raw(msgspec.json.encode(rows)))
            for name, rows in sections.items()
        },
    )
    back = moving_of(moving_bytes(moves, collected_at), collected_at)
    assert msgspec.json.encode(back, order="deterministic") == msgspec.json.encode(moves, order="deterministic")


def test_what_happens_each_day_at_one_time_gives_the_same_bytes() -> None:
    def task(day: int) -> bytes:
        rows = msgspec.Raw(f'[{{"last_run":"2026-11-{day:02}T02:30:00Z","next_run":"2026-11-{day + 1:02}T02:30:00Z"}}]'.encode())
        moves = Moving(clock=Clock(), log_coverage=(), sections={"tasks": SectionMoving(started_at=None, seconds=None, readings=rows)})
        return moving_bytes(moves, f"2026-11-{day:02}T06:00:00Z")

    assert task(3) == task(4)


def _chain(texts: list[bytes], host: str = "SRVA") -> list[Packed]:
    chain: list[Packed] = []
    prior: Prior | None = None
    for number, raw in enumerate(texts):
        packed = pack_readings(raw, host, prior)
        chain = [*chain, packed] if packed.base is not None else [packed]
        prior = Prior(number=number, raw=raw, depth=len(chain) - 1)
    return chain


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=12))
def test_any_bytes_come_back_through_any_chain(texts: list[bytes]) -> None:
    assert unpack_readings(_chain(texts)) == texts[-1]


def _days(count: int) -> list[bytes]:
    import random

    chance = random.Random(7)
    lines = [b"line %d %d" % (n, chance.randrange(10**9)) for n in range(400)]
    return [b"\n".join([*lines[: day * 2], b"day %d" % day, *lines[day * 2 :]]) for day in range(count)]


def test_an_unchanged_day_costs_little_and_now_and_then_one_stands_alone() -> None:
    chain, longest, prior, alone = 0, 0, None, 0
    for number, raw in enumerate(_days(180)):
        packed = pack_readings(raw, "SRVA", prior)
        alone += packed.base is None
        chain = 0 if packed.base is None else chain + 1
        longest = max(longest, chain)
        assert packed.base is None or len(packed.data) < 80
        prior = Prior(number=number, raw=raw, depth=chain)
    assert SHORTEST_CHAIN <= longest < LONGEST_CHAIN
    assert 1 < alone <= 180 // SHORTEST_CHAIN + 1


def test_hosts_stand_alone_on_different_days() -> None:
    raw = _days(1)[0]
    limits = set()
    for host in (f"SRV{n}" for n in range(60)):
        limits.add(next(d for d in range(200) if pack_readings(raw, host, Prior(number=1, raw=raw, depth=d)).base is None))
    assert len(limits) > 30


@given(st.data())
def test_a_changed_bit_gives_an_error_and_never_other_readings(data: st.DataObject) -> None:
    days = _days(4)
    chain = _chain(days)
    place = data.draw(st.integers(0, len(chain) - 1))
    changed = bytearray(chain[place].data)
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    broken = [*chain[:place], msgspec.structs.replace(chain[place], data=bytes(changed)), *chain[place + 1 :]]
    try:
        found = unpack_readings(broken)
    except StoreError:
        return
    assert found == days[-1], "a bit that means nothing, such as the check of one that others rest on, or a spare one of the format"


@pytest.mark.parametrize("size", [-1, 0, 10**12])
def test_a_damaged_size_is_refused_before_anything_is_made(size: int) -> None:
    packed = pack_readings(b"some readings that stand alone", "SRVA", None)
    with pytest.raises(StoreError, match="damaged"):
        unpack_readings([msgspec.structs.replace(packed, size=size)])


def test_a_chain_without_its_start_is_lost() -> None:
    chain = _chain(_days(3))
    for broken in ([], chain[1:]):
        with pytest.raises(StoreError, match="lost"):
            unpack_readings(broken)
