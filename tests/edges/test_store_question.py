"""What a host was asked for is kept with its snapshot, once for all hosts; where it is lost, nothing counts as asked for."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from auditor.model.host import Question, Snapshot
from auditor.store import open_store
from auditor.store.sections import Facts, blobs_of, join, split
from tests.edges.store_samples import result_of, snapshot_of, target_of

QUESTION = Question(security_keys=("SOFTWARE\\Acme",), security_files=("%ProgramFiles%\\Acme\\x.exe",), events=("System/disk=7",))


def _asked(question: Question | None, host: str = "SRVA") -> Snapshot:
    return msgspec.structs.replace(snapshot_of(host), asked=question)


@pytest.mark.parametrize("question", [None, Question(), QUESTION])
def test_the_question_comes_back(tmp_path: Path, question: Question | None) -> None:
    with open_store(tmp_path / "s.db") as store:
        run = store.begin_run("collect", "2026-11-26T01:00:00Z", "0.1.0")
        for host in ("SRVA", "SRVB"):
            store.save_result(run, target_of(host), result_of(host, _asked(question, host)))
        assert store.read_snapshot("SRVA") == _asked(question)
        first, second = (store.read_snapshot(host) for host in ("SRVA", "SRVB"))
        assert first is not None
        assert second is not None
        assert first.asked is second.asked


def test_one_question_is_stored_once(tmp_path: Path) -> None:
    with open_store(tmp_path / "s.db") as store:
        run = store.begin_run("collect", "2026-11-26T01:00:00Z", "0.1.0")
        for host in ("SRVA", "SRVB", "SRVC"):
            store.save_result(run, target_of(host), result_of(host, _asked(QUESTION, host)))
    digest = split(_asked(QUESTION)).records[-1].digest
    with sqlite3.connect(tmp_path / "s.db") as database:
        assert database.execute("select count(*) from blob where digest = ?", (digest,)).fetchone() == (1,)


def test_what_was_not_kept_or_is_damaged_was_not_asked_for() -> None:
    pieces = split(_asked(QUESTION))
    records = {blob.digest: blob for blob in pieces.records}
    facts = msgspec.json.decode(_raw(pieces.facts.data), type=Facts)
    assert isinstance(facts.asked, str)
    assert facts.asked in blobs_of(facts)
    whole = join("SRVA", "2026-11-26T01:00:00Z", facts, None, records)
    assert whole.asked == QUESTION
    lost = {digest: blob for digest, blob in records.items() if digest != facts.asked}
    assert join("SRVA", "2026-11-26T01:00:00Z", facts, None, lost).asked == Question()
    older = msgspec.structs.replace(facts, asked=msgspec.UNSET)
    assert join("SRVA", "2026-11-26T01:00:00Z", older, None, records).asked == Question()


def _raw(data: bytes) -> bytes:
    import zlib

    return zlib.decompress(data)
