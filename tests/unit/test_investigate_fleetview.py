"""Waves: one stop code and build, inside one window, with who is exposed and who is not known."""

from __future__ import annotations

from typing import Any

from auditor.analysis.investigate.fleetview import Given, waves
from auditor.model.crash import Crash
from auditor.model.host import Snapshot
from auditor.model.hypothesis import WavesDocument
from tests.unit.small_case import CRASHES, crashed
from tests.unit.small_fleet import DENIED, snapshot

STAMP = 0x66A1B2C3
DRIVER = {"name": "guard", "path": "C:\\Windows\\System32\\drivers\\guard.sys", "link_timestamp": STAMP, "state": "running"}


def guard_crash(time: str | None = "2024-07-19T04:20:00Z", stamp: int = STAMP) -> Crash:
    return crashed(
        bugcheck={"code": "0x50", "base_code": "0x50"},
        image="guard.sys",
        image_timestamp=hex(stamp),
        crash_time=time,
        suspects=[{"image": "guard.sys", "confidence": "confirmed", "reasons": ["fell in it"]}],
    )


def host(name: str, **sections: Any) -> Snapshot:
    return snapshot(name, **sections)


def grouped(hosts: list[Snapshot], *given: Given, hours: int = 72) -> WavesDocument:
    return waves({found.host: found for found in hosts}, given, CRASHES, window_hours=hours)


def recorded(time: str, code: str = "0x00000050 (0x0, 0x0, 0x0, 0x0)") -> dict[str, Any]:
    return {"log": "System", "source": "BugCheck", "id": 1001, "time": time, "record": 1, "strings": [code]}


def test_a_wave_is_one_incident_with_its_spread_and_who_is_exposed() -> None:
    hosts = [host("B", drivers=[DRIVER]), host("C", drivers=[{**DRIVER, "link_timestamp": 1}]), host("D", drivers=DENIED)]
    given = [Given(host="X", crash=guard_crash()), Given(host="Y", crash=guard_crash("2024-07-19T05:00:00Z"))]
    wave = grouped(hosts, *given).waves[0]
    assert (wave.code, wave.image, wave.build, wave.confidence) == ("0x50", "guard.sys", "linked 0x66a1b2c3", "probable")
    assert (wave.first_seen, wave.last_seen) == ("2024-07-19T04:20:00Z", "2024-07-19T05:00:00Z")
    assert [item.host for item in wave.hosts] == ["X", "Y"]
    assert [item.host for item in wave.exposed] == ["B"]
    assert wave.unknown == ("D",)


def test_a_long_gap_and_another_build_part_waves() -> None:
    given = [
        Given(host="X", crash=guard_crash()),
        Given(host="Y", crash=guard_crash("2024-08-19T05:00:00Z")),
        Given(host="Z", crash=guard_crash(stamp=7)),
    ]
    assert sorted([item.host for item in wave.hosts] for wave in grouped([], *given).waves) == [["X"], ["Y"], ["Z"]]
    assert len(grouped([], *given, hours=8760).waves) == 2


def test_a_recorded_restart_joins_where_the_host_runs_the_build_and_says_so() -> None:
    runs = host("B", drivers=[DRIVER], events=[recorded("2024-07-19T04:31:00Z")])
    other = host("C", drivers=[], events=[recorded("2024-07-19T04:31:00Z")])
    found = grouped([runs, other], Given(host="X", crash=guard_crash())).waves
    joined = next(wave for wave in found if wave.image)
    assert [item.host for item in joined.hosts] == ["X", "B"]
    assert any("records of the restart alone" in reason for reason in joined.reasons)
    assert [item.host for wave in found if not wave.image for item in wave.hosts] == ["C"]


def test_the_record_and_the_file_of_one_crash_count_once() -> None:
    fallen = host("B", drivers=[DRIVER], events=[recorded("2024-07-19T04:31:00Z")])
    found = grouped([fallen], Given(host="B", crash=guard_crash())).waves
    assert [(item.host, item.times) for wave in found for item in wave.hosts] == [("B", ("2024-07-19T04:20:00Z",))]
    assert found[0].confidence == "suspected"


def test_three_dumps_of_one_build_are_confirmed_and_undated_ones_are_told() -> None:
    given = [Given(host=name, crash=guard_crash()) for name in "XYZ"]
    found = grouped([], *given, Given(host="W", crash=guard_crash(None)))
    assert found.waves[0].confidence == "confirmed"
    assert found.notes == ("1 crashes tell no time and are in no wave",)
