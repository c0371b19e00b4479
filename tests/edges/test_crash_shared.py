"""The crash readers on recorded dumps and texts of real machines, where they lie beside the checkout."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from auditor.crash import read_crashes
from auditor.knowledge import load_crash_knowledge
from auditor.model.crash import Crash
from auditor.model.crash_knowledge import CrashKnowledge, stem

ROOT = Path(os.environ.get("AUDITOR_SHARED", Path(__file__).parents[2].parent / "shared")) / "real"
pytestmark = pytest.mark.shared


def recorded(folder: str) -> dict[str, dict[str, Any]]:
    path = ROOT / folder / "expected.json"
    if not path.is_file():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


DUMPS, TEXTS = recorded("dumps"), recorded("crash_text")
needs_dumps = pytest.mark.skipif(not DUMPS, reason="no recorded dumps beside the checkout (AUDITOR_SHARED)")
needs_texts = pytest.mark.skipif(not TEXTS, reason="no recorded texts beside the checkout (AUDITOR_SHARED)")
LOOSE_CLASSES = {"rts_0x1000007e_ntfs_interleaved_prose.txt": {"filesystem", "memory"}}


@pytest.fixture(scope="module")
def knowledge() -> CrashKnowledge:
    return load_crash_knowledge()


def number(text: str | None) -> int | None:
    return None if text is None else int(text, 16)


def one(folder: str, name: str, knowledge: CrashKnowledge) -> Crash:
    document = read_crashes([ROOT / folder / name], knowledge)
    assert document.errors == ()
    assert len(document.crashes) == 1
    return document.crashes[0]


@needs_dumps
@pytest.mark.parametrize("name", DUMPS)
def test_a_recorded_dump_is_read_whole(name: str, knowledge: CrashKnowledge) -> None:
    expected, crash = DUMPS[name], one("dumps", name, knowledge)
    assert crash.missing == ()
    assert (crash.bugcheck.code, crash.bugcheck.base_code) == (expected["bugcheck_code"], expected["bugcheck_code_base"])
    assert [number(text) for text in crash.bugcheck.parameters] == [number(text) for text in expected["parameters"]]
    assert crash.crash_time == expected["crash_time_utc"].replace(" ", "T")
    assert crash.uptime_seconds == expected["uptime_seconds"]
    assert crash.process == expected["process_name_imagefilename"]
    assert (crash.os.build, crash.os.product_type) == (expected["build"], expected["product_type_name"])
    assert crash.drivers is not None
    found = [(d.name, d.path, d.base, d.size, number(d.timestamp)) for d in crash.drivers]
    assert found == [(d["name"], d["path"], d["base"], d["size"], number(d["timestamp"])) for d in expected["drivers"]]
    assert [d.name for d in crash.unloaded_drivers or ()] == expected["unloaded_drivers_12char"]
    for place, inside in expected["param_in_module"].items():
        assert crash.bugcheck.places[int(place[1]) - 1] == f"{inside['module']}+{inside['offset']}"


@needs_texts
@pytest.mark.parametrize("name", TEXTS)
def test_a_recorded_text_is_told_exactly(name: str, knowledge: CrashKnowledge) -> None:
    expected, crash = TEXTS[name], one("crash_text", name, knowledge)
    assert number(crash.bugcheck.code) == number(expected["bugcheck_code"])
    assert [number(text) for text in crash.bugcheck.parameters] == [number(text) for text in expected["parameters"]]
    assert (crash.module, crash.image) == (expected["module_name"], expected["image_name"])
    assert number(crash.image_timestamp) == number(expected["image_timestamp"])
    assert crash.image_time == (expected["image_timestamp_utc"] or "").replace(" ", "T") or crash.image_time is None
    assert (crash.process, crash.bucket) == (expected["process_name"], expected["failure_bucket"])
    assert crash.cause_class in LOOSE_CLASSES.get(name, {expected["cause_class"]})


@needs_texts
@pytest.mark.parametrize("name", TEXTS)
def test_a_recorded_text_leads_to_the_right_driver_or_to_none(name: str, knowledge: CrashKnowledge) -> None:
    expected, crash = TEXTS[name], one("crash_text", name, knowledge)
    words = {stem(word.strip("(),;")) for word in expected["driver_supported_by_text"].split()}
    if expected["cause_class"] in ("driver", "user_mode"):
        assert stem(crash.suspects[0].image) in words
    elif expected["cause_class"] == "unknown":
        assert crash.suspects == ()
    assert all(stem(s.image) in words for s in crash.suspects if s.confidence != "suspected")


@needs_dumps
@pytest.mark.parametrize("name", sorted(DUMPS)[:3])
def test_the_first_part_of_a_recorded_dump_tells_what_it_holds(name: str, knowledge: CrashKnowledge, tmp_path: Path) -> None:
    whole = lzma.decompress((ROOT / "dumps" / name).read_bytes())
    path = tmp_path / "part.dmp"
    for size in (0x1000, 0x2000, 0x3000, 0x10000, 0x18000, 0x20000):
        path.write_bytes(whole[:size])
        (crash,) = read_crashes([path], knowledge).crashes
        assert crash.bugcheck.code == DUMPS[name]["bugcheck_code"]
        assert crash.missing
        names = [driver.name for driver in crash.drivers or ()]
        assert names == [driver["name"] for driver in DUMPS[name]["drivers"]][: len(names)]
