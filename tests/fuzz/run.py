"""Feeds changed seeds to the crash readers and watches for what must never happen: another error than ours, a slow answer, a wrong form."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import msgspec

from auditor.analysis.crash.dump import read_dump
from auditor.analysis.crash.dump_bytes import Bytes
from auditor.analysis.crash.windbg import read_text
from auditor.model.crash import Crash, CrashDocument
from auditor.model.crash_knowledge import CrashKnowledge
from auditor.model.errors import DecodeError
from auditor.report.crash import render
from tests.fuzz.mutate import mutate
from tests.fuzz.seeds import dump_seeds, text_seeds

SLOWEST_SECONDS = 4.0
"""CPU time that one input of at most a quarter of a megabyte may take, with room for a slow machine."""


class Failure(msgspec.Struct, frozen=True):
    """An input that broke a promise."""

    seed: str
    number: int
    reason: str
    data: bytes


def check_dump(data: bytes, knowledge: CrashKnowledge) -> None:
    """Read as a dump. Raises where a promise is broken."""
    try:
        crash = read_dump(Bytes(data), file="fuzz", size=len(data), knowledge=knowledge)
    except DecodeError:
        return
    check_form([crash])


def check_text(data: bytes, knowledge: CrashKnowledge) -> None:
    """Read as a text. Raises where a promise is broken."""
    check_form(list(read_text(data.decode("utf-8", "replace").splitlines(), file="fuzz", knowledge=knowledge)))


def check_form(crashes: list[Crash]) -> None:
    """The document can be written, read back as itself, and shown."""
    document = CrashDocument(crashes=tuple(crashes))
    assert msgspec.json.decode(msgspec.json.encode(document), type=CrashDocument) == document
    render(document)
    for crash in crashes:
        assert len(crash.bugcheck.parameters) == 4
        assert all(suspect.reasons for suspect in crash.suspects)
        assert crash.class_reasons


def fuzz(knowledge: CrashKnowledge, *, start: int, seconds: float, most: int, keep: Path | None = None) -> tuple[int, list[Failure]]:
    """(inputs tried, failures): inputs numbered from `start` until time or number is used up. The same numbers give the same inputs."""
    dumps, texts = dump_seeds(), text_seeds()
    kinds = [(name, data, True) for name, data in dumps.items()] + [(name, data, False) for name, data in texts.items()]
    pool = [*dumps.values(), *texts.values()]
    failures: list[Failure] = []
    deadline, number = time.monotonic() + seconds, start
    while time.monotonic() < deadline and number < start + most:
        random = Random(number)
        name, seed, is_dump = kinds[number % len(kinds)]
        data = mutate(seed, random, pool)
        reason = _try(data, knowledge, is_dump=is_dump)
        if reason:
            failures.append(Failure(name, number, reason, data))
            if keep is not None:
                (keep / f"{number}-{name}").write_bytes(data)
        number += 1
    return number - start, failures


def _try(data: bytes, knowledge: CrashKnowledge, *, is_dump: bool) -> str:
    started = time.process_time()
    try:
        (check_dump if is_dump else check_text)(data, knowledge)
    except Exception as error:  # noqa: BLE001  whatever comes out is the finding
        return f"{type(error).__name__}: {error}"
    took = time.process_time() - started
    return f"took {took:.1f} s of CPU" if took > SLOWEST_SECONDS else ""
