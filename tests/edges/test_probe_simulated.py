"""The probe on simulated servers made from lab hosts' facts: its answer equals the lab's own, section by section."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.lab.answers import answer_section
from auditor.lab.assemble import assemble
from auditor.lab.fleet import LabHost, load_fleet
from auditor.lab.machine import Machine
from auditor.lab.registry import Setting, Value
from auditor.lab.sheet import Ask
from auditor.probes import framing
from auditor.probes.bundle import SCRIPTED_SECTIONS, ProbeRequest, build_bundle
from auditor.probes.decode import decode_answer
from auditor.probes.framing import Answer, SectionAnswer
from auditor.probes.rows import PLANS
from tests.edges import engine, simulated

pytestmark = pytest.mark.engine

HOSTS = tuple(os.environ.get("AUDITOR_SIMULATED_HOSTS", "srv-a de-1").split())
"""Hosts of the incident fleet: one of 2003, one of 2016 in German; others on demand."""
REQUEST = ProbeRequest(
    sections=(*SCRIPTED_SECTIONS, "dumpbytes"),
    section_deadline_seconds=10,
    host_deadline_seconds=50,
    hash_drivers="all",
    security_keys=(
        "SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion",
        "SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion\\*",
        "SOFTWARE\\Symantec\\*\\*",
        "SOFTWARE\\Network ICE\\*",
        "SOFTWARE\\Microsoft\\Windows Defender*",
        "SOFTWARE\\Nothing\\Here",
    ),
    security_files=(
        "%CommonProgramFiles%\\Symantec Shared\\VirusDefs\\definfo.dat",
        "%ProgramFiles%\\Symantec*\\*.exe",
        "%ProgramFiles%\\ISS\\*\\*.exe",
        "%SystemRoot%\\System32\\drivers\\Rap*.sys",
        "%ProgramData%\\Microsoft\\Windows Defender\\*\\*.exe",
    ),
)
LOGS = {"events", "logons"}
"""Sections that can't run here: wine has no event logs."""
MOVING = {
    "system": {"powershell_version", "utc_time", "local_time"},
    "memory": {"free_bytes"},
    "drivers": {"created_at", "state", "signature", "signer"},
    "services": {"state", "pid"},
    "filters": {"frame", "instances"},
    "firewall": {"window_start", "window_end"},
}
"""Fields that are of this engine or this minute; a file's creation can't be set on this machine; wine can't run the facts' services."""
OF_WINE = {"services": {"display_name"}, "drivers": {"display_name"}}
"""Fields that wine's own service control manager decides for services of wine's that have the names of Windows'."""
VERSION_FIELDS = {"file_version", "product_version", "company", "product", "description", "original_name"}
"""Wine answers questions about the version of a file of its own name (cng.sys) from its own file, which has none."""
UNKNOWN_TO_WINE = {"user_own", "user_share", "recognizer"}
"""Types of services that wine's service control manager does not take: their state is not known there."""


@pytest.fixture(scope="module")
def bin_folder() -> Path:
    if engine.folder() is None:
        pytest.skip(engine.NO_ENGINE)
    found = engine.wine_folder()
    if found is None:
        pytest.skip(engine.NO_WINE)
    return found


@pytest.fixture(scope="module")
def base(bin_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # wine needs its engine
    folder = tmp_path_factory.mktemp("wine") / "base"
    simulated.make_base(folder)
    assert simulated.inbox_services(folder), "the fresh prefix has no services"
    return folder


class Run:
    """Both answers about one host, and what wine brings itself."""

    def __init__(self, machine: Machine, answer: Answer, lab: dict[str, SectionAnswer], base: Path, now: datetime) -> None:
        self.machine, self.answer, self.lab, self.now = machine, answer, lab, now
        self.inbox = simulated.inbox_services(base)
        self.files = {path.name.upper() for path in base.glob("drive_c/windows/system32/drivers/*.sys")}


def _with_a_run(host: LabHost) -> LabHost:
    """The host, with one task that has run, of an account that keeps a drive mapped."""
    name, task = next(iter(host.facts.tasks.items()))
    ran = msgspec.structs.replace(task, last_run="-1d 02:00:05", last_result=-2147020576, user="CORP\\svc-copy")
    facts = msgspec.structs.replace(host.facts, tasks={**host.facts.tasks, name: ran})
    hive = r"HKU\S-1-5-21-11-22-33-1104"
    values = (
        ("Volatile Environment", "USERNAME", "svc-copy"),
        ("Volatile Environment", "USERDOMAIN", "CORP"),
        (r"Network\Q", "RemotePath", r"\\b\c"),
    )
    mapped = tuple(Setting(rf"{hive}\{key}", Value(value, "REG_SZ", data)) for key, value, data in values)
    return msgspec.structs.replace(host, facts=facts, registry=(*host.registry, *mapped))


@pytest.fixture(scope="module", params=HOSTS)
def run(request: pytest.FixtureRequest, base: Path, bin_folder: Path) -> Iterator[Run]:
    now = datetime.now(UTC)
    machine = assemble(_with_a_run(load_fleet("incident").host(request.param)), now)
    script = build_bundle(REQUEST)
    with simulated.running(base, base.parent / request.param, machine, now, bin_folder) as server:
        answer = server.probe(script)
    ask = Ask.read(framing.read_parameters(script))
    lab = {name: answer_section(machine, name, ask, now) for name in ask.sections}
    yield Run(machine, answer, lab, base, now)


def _by_key(section: str, rows: list[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    keys = PLANS[section].keys
    return {tuple(str(row.get(key) or "").casefold() for key in keys): row for row in rows}


def _fields(run: Run, section: str, row: dict[str, Any]) -> dict[str, Any]:
    """What a row says: a field that is null, or what it is without being said, says as much as one that is not there."""
    kinds = [kind for kind in (PLANS[section].record, PLANS[section].reading) if kind]
    usual = {field.name: field.default for kind in kinds for field in msgspec.structs.fields(kind)}
    left_out = MOVING.get(section, set())
    if str(row.get("name") or "").upper() in run.inbox:
        left_out = left_out | OF_WINE.get(section, set())
    if section == "drivers" and str(row.get("path") or "").rpartition("\\")[2].upper() in run.files:
        left_out = left_out | VERSION_FIELDS
    return {name: value for name, value in row.items() if value is not None and value != usual.get(name) and name not in left_out}


def test_every_section_arrives_in_its_own_time(run: Run) -> None:
    assert run.answer.complete
    assert set(run.answer.sections) == set(REQUEST.sections)
    assert run.answer.foreign_lines == 0
    assert all(section.seconds < REQUEST.section_deadline_seconds + 3 for section in run.answer.sections.values())


@pytest.mark.parametrize("section", sorted(set(REQUEST.sections) - LOGS))
def test_the_probe_says_what_the_lab_says(run: Run, section: str) -> None:
    mine, theirs = run.answer.sections[section], run.lab[section]
    found, expected = _by_key(section, mine.rows), _by_key(section, theirs.rows)
    without = {key for key, row in expected.items() if row.get("source_format") == "schtasks"}
    assert set(found) == set(expected) - without
    for key in set(expected) - without:
        assert _fields(run, section, found[key]) == _fields(run, section, expected[key])
    gaps = {(gap.record.casefold(), gap.field) for gap in mine.gaps if "schtasks" not in gap.reason}
    assert gaps == {(gap.record.casefold(), gap.field) for gap in theirs.gaps}
    if not without:
        assert mine.status == theirs.status


@pytest.mark.parametrize("section", ["services", "drivers"])
def test_states_are_what_windows_says_and_wine_runs_nothing_of_the_facts(run: Run, section: str) -> None:
    rows = [row for row in run.answer.sections[section].rows if row["name"].upper() not in run.inbox]
    assert {row["state"] for row in rows if row["type"] not in UNKNOWN_TO_WINE} == {"stopped"}
    assert {row["state"] for row in rows if row["type"] in UNKNOWN_TO_WINE} <= {None}


@pytest.mark.parametrize("section", sorted(LOGS))
def test_sections_that_cannot_run_here_say_so(run: Run, section: str) -> None:
    answer = run.answer.sections[section]
    assert answer.status in ("failed", "unsupported", "timed_out")
    assert answer.reason
    assert answer.rows == []


def test_decoded_snapshots_are_equal_where_both_could_look(run: Run) -> None:
    hello = run.answer.hello
    lab = Answer(hello=hello, sections=run.lab, complete=True)
    mine = decode_answer(run.answer, REQUEST, now=run.now).sections
    theirs = decode_answer(lab, REQUEST, now=run.now).sections
    for section in ("programs", "security", "dumps", "scripts", "network", "shares", "updates", "roles", "defender", "replication", "jobs"):
        assert sorted(getattr(mine, section).records, key=repr) == sorted(getattr(theirs, section).records, key=repr)
        assert getattr(mine, section).status == getattr(theirs, section).status
    filters = [msgspec.structs.replace(item, frame=None) for item in theirs.filters.records]  # wine has no fltmc
    assert sorted(mine.filters.records, key=repr) == sorted(filters, key=repr)
