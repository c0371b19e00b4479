"""Exchanges that `collect --record` keeps: read again they give the snapshot that the host gave, and hold no secret."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from auditor.collect.recording import read_recording, replay, write_recording
from auditor.importing import Imported, read_files
from auditor.model.host import HostResult
from auditor.probes.bundle import ProbeRequest
from tests.lab.collect_fleet import Running, facts, running

pytestmark = pytest.mark.lab
SECRET = "Sommer!2005"
HOSTS = {
    "old": facts(tasks={"backup.job": {"command": "net.exe", "arguments": f"use \\\\b\\x {SECRET} /user:b\\c", "last_run": "-1h"}}),
    "new": facts("windows-2022", registry={r"HKLM\SOFTWARE\Vendor\Agent": {"Password": SECRET, "Version": "9"}}),
    "none": facts("windows-2019", system={"powershell": "none"}),
    "limited": facts("windows-2016", access={"elevated": False}),
    "denied": facts("windows-2012r2", access={"denied": ["wmi", "tasks"]}),
}
REQUEST = ProbeRequest(security_keys=(r"SOFTWARE\Vendor\*",))


class Recorded(NamedTuple):
    """Results, and the folder of their recordings."""

    results: dict[str, HostResult]
    folder: Path
    fleet: Running


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("recordings") / "new" / "folder"
    with running(HOSTS) as fleet:
        results = fleet.collect(seconds=60, request=REQUEST, record=partial(write_recording, folder))
        yield Recorded(results, folder, fleet)


def test_each_host_has_one_recording_for_its_owner_only(recorded: Recorded) -> None:
    files = sorted(recorded.folder.iterdir())
    assert [file.name.rpartition("-")[0] for file in files] == sorted(HOSTS)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_recording_gives_the_same_result(recorded: Recorded) -> None:
    for file in recorded.folder.iterdir():
        again = replay(read_recording(file.read_bytes()))
        first = recorded.results[again.host]
        assert again.snapshot is not None
        assert msgspec.json.encode(again.snapshot) == msgspec.json.encode(first.snapshot)
        assert again == first


def test_imported_it_keeps_its_groups_and_may_get_another_name(recorded: Recorded) -> None:
    file = next(recorded.folder.glob("new-*"))
    (found,) = read_files([file], datetime.now(UTC), host="renamed")
    assert isinstance(found, Imported)
    assert found.result.snapshot is not None
    assert (found.target.name, found.result.host, found.result.snapshot.host) == ("renamed", "renamed", "renamed")
    assert found.target.groups == recorded.fleet.target("new").groups


def test_no_secret_is_kept_and_not_who_asked(recorded: Recorded) -> None:
    for file in recorded.folder.iterdir():
        text = file.read_text(encoding="utf-8")
        target = recorded.fleet.target(json.loads(text)["host"])
        password = recorded.fleet.inventory.credentials[target.name].reveal()
        assert password
        document = json.loads(text)
        assert SECRET not in text
        assert password not in text
        assert not {"user", "port", "address", "password"} & set(document)
        assert document["answer"]["hello"]["account"] is None


def test_it_names_what_was_run(recorded: Recorded) -> None:
    ways = {}
    for file in recorded.folder.iterdir():
        document = json.loads(file.read_text(encoding="utf-8"))
        assert len(document["bundle_sha256"]) == len(document["bootstrap_sha256"]) == 64
        ways[document["host"]] = document["way"]
    assert ways["none"] == "wmi"
    assert ways["old"].startswith("powershell 2")
