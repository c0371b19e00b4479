"""A store as one file and back: whole or not at all, for some hosts, with names or without."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.model.change import Accepted, Explanation
from auditor.model.errors import StoreError
from auditor.model.host import HostResult, NetworkRecord, Section, Target
from auditor.store import Store, open_store
from auditor.store.lines import Head
from tests.edges.history_samples import collect, day, finding, host, report
from tests.edges.postgres import Place
from tests.edges.store_samples import result_of, target_of

HEAD = Head(auditor="0.1.0", at="2026-12-01T00:00:00Z", redacted=False)


def exported(store: Store, file: Path, *, redacted: bool = False, wanted: Any = None) -> list[dict[str, Any]]:
    store.export(file, msgspec.structs.replace(HEAD, redacted=redacted), wanted)
    text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def full(store: Store) -> None:
    """Two collections, a check that rests on the second, and everything that is kept."""
    run = collect(store, 1, host("SRVA", 1), host("SRVB", 1))
    store.finish_run(run, report(run, 1, finding("SRVA"), hosts=("SRVA", "SRVB")))
    run = collect(store, 2, host("SRVA", 2, "10.0"))
    store.save_result(run, target_of("SRVB"), result_of("SRVB"))
    store.finish_run(run)
    check = store.begin_run("check", day(3), "0.1.0")
    store.link_results(check, store.latest_results())
    store.finish_run(check, report(check, 3, finding("SRVB"), hosts=("SRVA", "SRVB")))
    store.accept(store.states("SRVA")[0], Accepted(host="SRVA", collected_at=day(2), at=day(2), reason="SRVA is right"))
    store.explain(Explanation(id="w", kind="maintenance", reason="patch day", from_=day(1), until=day(2)))


def everything(store: Store) -> Any:
    runs = [(r.id, r.kind, r.started_at, r.state, r.hosts, r.findings) for r in store.runs()]
    results = {r[0]: [(s.target, s.result) for s in store.results_of(r[0])] for r in runs}
    reports = {r[0]: store.read_report(r[0]) for r in runs if r[5] is not None}
    return runs, results, reports, store.lives(), store.accepted(), store.explanations(), [s.collected_at for s in store.states("SRVA")]


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_what_is_exported_comes_back_in_another_store(place: Place, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    with open_store(place.where) as store:
        full(store)
        exported(store, file)
        whole = everything(store)
    assert file.stat().st_mode & 0o777 == 0o600
    with open_store(tmp_path / "other.db") as other:
        found = other.restore(file)
        assert (found.runs, found.results, found.reports, found.redacted) == (3, 6, 2, False)
        assert everything(other) == whole
        with pytest.raises(StoreError, match="already"):
            other.restore(file)
        assert everything(other) == whole


def test_a_file_that_was_cut_or_changed_restores_nothing(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    with open_store(tmp_path / "store.db") as store:
        full(store)
        exported(store, file)
    data = file.read_bytes()
    lines = data.splitlines(keepends=True)
    damaged = {
        "cut short": b"".join(lines[:-1]),
        "changed": data.replace(b"RapDrv", b"RapDrw", 1),
        "no exported store": b'{"line":"end","lines":0,"sha256":""}\n',
        "no line": lines[0] + b'{"line":"nonsense"}\n',
        "follows after": data + lines[0],
        "another host": data.replace(b'"host":"SRVA","status":"ok"', b'"host":"SRVX","status":"ok"', 1),
        "newer auditor": data.replace(b'"version":1', b'"version":99', 1),
    }
    for words, text in damaged.items():
        file.write_bytes(text)
        with open_store(tmp_path / "other.db") as other:
            with pytest.raises(StoreError, match=words):
                other.restore(file)
            assert other.runs() == []


def test_some_hosts_can_be_exported(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        full(store)
        found = exported(store, tmp_path / "out.jsonl", wanted=lambda host, groups: host == "SRVB" or "SRVB" in groups)
    assert {line["target"]["name"] for line in found if line["line"] == "result"} == {"SRVB"}
    assert not [line for line in found if line["line"] in ("reported", "expected", "frozen")]
    assert "SRVA" not in (tmp_path / "out.jsonl").read_text()


def test_names_are_replaced_and_ties_stay(tmp_path: Path) -> None:
    network: Section[Any, Any] = Section(
        status="ok", records=(NetworkRecord(computer_name="SRVA", domain="corp.example", part_of_domain=True),)
    )
    snapshot = msgspec.structs.replace(host("SRVA", 1), sections=msgspec.structs.replace(host("SRVA", 1).sections, network=network))
    target = Target(
        name="SRVA", address="10.9.8.7", port=5985, scheme="http", transport="ntlm", user="CORP\\svc-audit", ca_file="/etc/x.pem"
    )
    with open_store(tmp_path / "store.db") as store:
        full(store)
        run = store.begin_run("audit", day(9), "0.1.0")
        store.save_result(
            run, target, HostResult(host="SRVA", status="ok", snapshot=snapshot, reason="srva.corp.example answered 10.9.8.7")
        )
        store.finish_run(run, report(run, 9, finding("SRVA"), hosts=("SRVA",)))
        found = exported(store, tmp_path / "out.jsonl", redacted=True)
    text = (tmp_path / "out.jsonl").read_text()
    assert not [word for word in ("SRVA", "srva", "SRVB", "corp.example", "svc-audit", "10.9.8.7", "x.pem") if word in text]
    assert "RapDrv" in text
    with open_store(tmp_path / "clean.db") as clean:
        assert clean.restore(tmp_path / "out.jsonl").redacted
        hosts = {s.target.name for s in clean.latest_results()}
        assert len(hosts) == 2
        ids = {life.id for life in clean.lives().values()}
        assert ids == {f.id for r in ("20261109T010000Z", "20261103T010000Z") for f in clean.read_report(r).findings}
    assert {line["life"]["hosts"][0] for line in found if line["line"] == "life"} == hosts


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with open_store(tmp_path / "store.db") as store, pytest.raises(StoreError, match="can't be written"):
        store.export(tmp_path / "file" / "out.jsonl", HEAD)
