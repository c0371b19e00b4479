"""A short run of the fuzzer with fixed numbers, so that every change of the readers meets some thousand damaged inputs."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.model.crash import Crash, CrashSource
from tests.fuzz.mutate import MOST_BYTES, mutate
from tests.fuzz.run import check_dump, check_form, check_text, fuzz
from tests.fuzz.seeds import dump_seeds, text_seeds
from tests.small_knowledge import small_knowledge

KNOWLEDGE = small_knowledge()


def test_the_seeds_themselves_are_read() -> None:
    for data in dump_seeds().values():
        check_dump(data, KNOWLEDGE)
    for data in text_seeds().values():
        check_text(data, KNOWLEDGE)


def test_damaged_inputs_break_no_promise() -> None:
    tried, failures = fuzz(KNOWLEDGE, start=0, seconds=20, most=1500)
    assert failures == []
    assert tried > 100


def test_a_broken_promise_is_seen() -> None:
    crash = Crash(source=CrashSource(file="x", kind="full_dump"))
    with pytest.raises(AssertionError):
        check_form([crash])
    check_form([msgspec.structs.replace(crash, class_reasons=("nothing here tells the cause",))])


def test_a_mutation_is_repeatable_and_bounded() -> None:
    seeds = list(dump_seeds().values())
    for number in range(50):
        one = mutate(seeds[number % len(seeds)], Random(number), seeds)
        assert one == mutate(seeds[number % len(seeds)], Random(number), seeds)
        assert len(one) <= MOST_BYTES


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=0x2200))
def test_any_bytes_behind_a_dump_s_name(data: bytes) -> None:
    check_dump(b"PAGEDU64" + data, KNOWLEDGE)
    check_dump(b"PAGEDUMP" + data, KNOWLEDGE)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=2000))
def test_any_text(text: str) -> None:
    check_text(text.encode("utf-8", "replace"), KNOWLEDGE)
