"""A kernel dump whose list of drivers lies behind the first part: it arrives in rounds over real WinRM, within its limit."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.store import open_store
from tests.lab.test_investigate_lab import _auditor

pytestmark = pytest.mark.lab
MEGABYTE = 1 << 20
DRIVERS = ["ntoskrnl.exe", "hal.dll", "Ntfs.sys", "tcpip.sys", "blackdrv.sys", "RapDrv.sys"]
FLEET = """\
extends: incident
remove: [srv-b, dc-1, print-1, file-1, web-1, sql-1, de-1, quiet-19, quiet-22]
patch:
  srv-a:
    memory: {volumes: {'C:': {fragmented: 43, page_file_pieces: 812}}}
    files:
      'C:\\WINDOWS\\Minidump\\Mini{{-1d|%m%d%y}}-01.dmp': {size: 3670016, dump: {kind: kernel}}
"""


def _taken(store: Path) -> int:
    with open_store(store, write=False) as opened:
        (host,) = opened.latest_results(["srv-a"])
    assert host.result.snapshot is not None
    section = host.result.snapshot.sections.dumpbytes
    assert all(
        msgspec.structs.replace(r, data="", offset=0) == msgspec.structs.replace(section.records[0], data="", offset=0)
        for r in section.records
    )
    return sum(len(base64.b64decode(record.data or "")) for record in section.records)


def _investigate(folder: Path, *arguments: str) -> dict[str, Any]:
    fleet = folder / "large.yml"
    fleet.write_text(FLEET)
    store = str(folder / "s.db")
    run = _auditor(folder, "investigate", "srv-a", "--lab", str(fleet), "--store", store, "--format", "json", *arguments)
    assert run.returncode in (0, 3), run.stderr
    found: dict[str, Any] = msgspec.json.decode(run.stdout)
    return found


def test_the_list_of_drivers_arrives_from_behind_the_first_part(tmp_path: Path) -> None:
    found = _investigate(tmp_path, "--fragmentation")
    fragmented = next(sign for sign in found["signs"] if sign["id"] == "page_file_fragmented")
    assert (fragmented["state"], "in 812 pieces" in fragmented["text"]) == (True, True)
    crash = found["crash"]
    assert [driver["name"] for driver in crash["drivers"]] == DRIVERS
    assert (crash["image"], crash["offset"], crash["process"]) == ("RapDrv.sys", "0x9785", "blackice.exe")
    assert crash["missing"] == []
    assert found["proximate"][0]["subject"] == "RapDrv.sys"
    assert 2 * MEGABYTE < _taken(tmp_path / "s.db") < 3 * MEGABYTE
    assert "dumpbytes" not in found["coverage"][0]["reason"]


def test_no_more_than_what_was_set_is_taken(tmp_path: Path) -> None:
    found = _investigate(tmp_path, "--dump-bytes", "2M")
    assert _taken(tmp_path / "s.db") == 2 * MEGABYTE
    assert found["crash"]["bugcheck"]["base_code"] == "0x8e"
    assert any("of the file were taken" in words for words in found["crash"]["missing"])
