"""The sections' steps: what stands on a page of their own, and that nothing a host answers can break them."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.lab.assemble import assemble
from auditor.lab.facts import HostFacts, MemoryFacts, NetworkFacts, SystemFacts, VolumeFacts
from auditor.lab.fleet import LabHost
from auditor.lab.paths import driver_path as lab_path
from auditor.model.errors import CollectError
from auditor.probes.bundle import EXTRA_SECTIONS, SCRIPTED_SECTIONS, ProbeRequest
from auditor.probes.decode import decode_answer
from auditor.probes.framing import Answer, Hello
from auditor.probes.tasks.at import read_at
from auditor.probes.wmi import logs
from auditor.probes.wmi.activity import at_line
from auditor.probes.wmi.drivers import driver_path
from auditor.probes.wmi.questions import Found, Instance, Output, Query, Question, RegistryCall
from auditor.probes.wmi.sections import SECTIONS, asked_sections
from auditor.probes.wmi.survey import CONTROL_KEY, SERVICES_KEY, VERSION_KEY, Survey, greet
from tests.unit.wmi_host import SmallHost, drive, section

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SYSTEM: dict[str, Any] = {"Caption": "Windows", "LocalDateTime": "2026-11-26T12:00:00Z", "CurrentTimeZone": "0"}


def test_every_section_of_the_probe_can_be_asked() -> None:
    assert set(SECTIONS) == {*SCRIPTED_SECTIONS, *EXTRA_SECTIONS}
    assert asked_sections(ProbeRequest(sections=("events", "system"))) == ("system", "events")


def test_the_wanted_events_are_those_of_the_script() -> None:
    script = resources.files("auditor.probes").joinpath("events", "events.ps1").read_text(encoding="ascii")
    log = resources.files("auditor.probes").joinpath("reading", "logs.ps1").read_text(encoding="ascii")
    quoted = set(re.findall(r"'([^'=]+=[0-9,]+)'", script))
    assert quoted == {*logs.SYSTEM, *logs.APPLICATION, *logs.AROUND_RESTART, *logs.DEFENDER}
    assert set(re.findall(r"'([^'=]+=[0-9,]+)'", log)) == set(logs.UNEXPECTED)


def event(number: int, when: datetime, source: str = "EventLog", code: int = 6008, **more: Any) -> dict[str, Any]:
    return {"RecordNumber": str(number), "TimeGenerated": when.isoformat(), "SourceName": source, "EventCode": str(code), "EventType": "1",
            "Logfile": "System", **more}  # fmt: skip


def test_a_log_is_asked_by_window_and_only_its_newest_are_kept() -> None:
    found = [event(n, NOW - timedelta(minutes=n), InsertionStrings=["a", ""], Data=["1", "255"]) for n in range(1, 6)]
    host = SmallHost({"Win32_NTLogEvent": found, "Win32_NTEventlogFile": [{"LogfileName": "System", "NumberOfRecords": "5"}],
                      "Win32_OperatingSystem": [SYSTEM]})  # fmt: skip
    answer = section("events", host, request=ProbeRequest(event_limit=3))
    assert answer.status == "partial"
    assert any("only the newest 3 records" in gap.reason for gap in answer.gaps)
    queries = [
        q.wql for q in host.asked if isinstance(q, Query) and "Win32_NTLogEvent" in q.wql and "SourceName" in q.wql.partition("WHERE")[2]
    ]
    assert queries
    assert all("Logfile=" in wql and "TimeGenerated>='20261027120000.000000+000'" in wql for wql in queries if "7035" not in wql)
    assert answer.rows[0]["strings"] == ["a", "", "01ff"]
    assert answer.coverage[0].log == "System"


def test_a_log_that_is_not_listed_is_denied() -> None:
    host = SmallHost({"Win32_NTLogEvent": [], "Win32_NTEventlogFile": [], "Win32_OperatingSystem": [SYSTEM]})
    assert section("events", host).status == "denied"
    assert section("logons", host).status == "denied"


def test_a_security_log_without_one_logon_is_not_believed() -> None:
    listed: list[Instance] = [{"LogfileName": "Security", "NumberOfRecords": "0"}]
    survey = Survey(ProbeRequest())
    survey.restart_known = True
    host = SmallHost({"Win32_NTLogEvent": [], "Win32_NTEventlogFile": listed, "Win32_OperatingSystem": [SYSTEM]},
                     {VERSION_KEY: {"CurrentVersion": (1, "6.1")}})  # fmt: skip
    answer = section("logons", host, survey)
    assert answer.status == "partial"
    assert "logons are not audited here" in answer.gaps[0].reason


@pytest.mark.parametrize(
    ("kind", "build", "services", "status"),
    [
        ("ServerNT", "9600", (), "ok"),
        ("LanmanNT", "3790", (), "ok"),
        ("ServerNT", "9600", ("WinDefend",), "unsupported"),
        ("ServerNT", "14393", (), "unsupported"),
        ("ServerNT", "", (), "unsupported"),
        ("WinNT", "9600", (), "unsupported"),
    ],
)
def test_a_server_from_before_defender_has_none(kind: str, build: str, services: tuple[str, ...], status: str) -> None:
    registry: dict[str, dict[str, tuple[int, object]]] = {
        rf"{CONTROL_KEY}\ProductOptions": {"ProductType": (1, kind)},
        VERSION_KEY: {"CurrentBuildNumber": (1, build)},
        **{rf"{SERVICES_KEY}\{name}": {} for name in services},
    }
    assert section("defender", SmallHost({"AntiVirusProduct": []}, registry)).status == status


def test_jobs_of_at_read_as_its_own_listing() -> None:
    job: dict[str, Any] = {"JobId": "3", "Command": r"\\SRVB\jobs\copy.cmd", "DaysOfWeek": "5", "RunRepeatedly": "true",
                           "StartTime": "********190000.000000-060"}  # fmt: skip
    answer = section("tasks", SmallHost({"Win32_ScheduledJob": [job]}))
    assert (answer.status, answer.rows[0]["path"]) == ("partial", "At3")
    read = read_at(answer.rows[0]["text"]).records[0]
    assert read.actions
    assert read.triggers
    assert (read.actions[0].line, read.triggers[0].start_time) == (r"\\SRVB\jobs\copy.cmd", "19:00:00")
    assert "M W" in at_line(job)
    assert section("tasks", SmallHost({"Win32_ScheduledJob": []})).status == "unsupported"
    assert section("tasks", SmallHost()).status == "unsupported"


IMAGES = [
    None, "", r"system32\DRIVERS\x.sys", r"\SystemRoot\System32\drivers\x.sys", r"%SystemRoot%\x.sys", r"\??\D:\x\y.sys", r"\\?\C:\x.sys",
    r"C:\Program Files\x\y.sys", r"\WINDOWS\x.sys", r"\Device\Harddisk0\x.sys", r"\\server\share\x.sys", '"C:\\a b\\x.sys"', "a/b/x.sys",
    r"%windir%\x.sys", r"\DosDevices\C:\x.sys",
]  # fmt: skip


@pytest.mark.parametrize("image", IMAGES)
def test_a_drivers_file_is_found_as_the_kernel_finds_it(image: str | None) -> None:
    facts = HostFacts(
        system=SystemFacts(caption="w", version="5.2.3790", windows_directory=r"C:\WINDOWS"),
        network=NetworkFacts(computer_name="X"),
        memory=MemoryFacts(volumes={"C:": VolumeFacts()}),
    )
    machine = assemble(LabHost(name="x", facts=facts, registry=()), NOW)
    host = SmallHost(registry={VERSION_KEY: {"SystemRoot": (1, r"C:\WINDOWS")}})
    assert drive(driver_path(Survey(ProbeRequest()), "x", image), host) == lab_path("x", image, machine)


def test_a_folder_that_is_closed_makes_its_files_unknown() -> None:
    driver: dict[str, tuple[int, object]] = {"Type": (4, 1), "ImagePath": (1, r"C:\Closed\x.sys")}
    root: dict[str, tuple[int, object]] = {"SystemRoot": (1, r"C:\Windows")}
    registry = {SERVICES_KEY: {}, rf"{SERVICES_KEY}\x": driver, VERSION_KEY: root}
    for mask, exists, gap in (("2032127", False, False), ("1179785", False, False), ("1180032", None, True), (None, None, True)):
        classes: dict[str, Any] = {
            "Win32_SystemDriver": [], "CIM_DataFile": [], "Win32_LogicalDisk": [{"DeviceID": "C:", "DriveType": "3"}],
            "Win32_Directory": [{"Name": r"c:\closed", "AccessMask": mask}],
        }  # fmt: skip
        answer = section("drivers", SmallHost(classes, registry))
        assert answer.rows[0].get("file_exists") is exists, mask
        assert any(found.field == "file_exists" for found in answer.gaps) is gap


TEXTS = (
    "", "-1", "0", "1", "4", "16", "99999999999999999999", "true", "x", "C:", r"C:\Windows", "\x00\ud7ff", "{guid}", "%%", "%a%b",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "2026-11-26T12:00:00Z", "a" * 5000, r"\\x\y", "6.1", "10", "5.2",
)  # fmt: skip


class Liar:
    """Answers anything to everything, from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.left = 3000

    def __call__(self, question: Question) -> Found | Output:
        self.left -= 1
        if self.left < 0:
            raise CollectError("", "the section's time was over", status="timed_out")
        if self.random.random() < 0.05:
            raise CollectError("", "no", status=self.random.choice(["denied", "unsupported", "failed"]))
        if isinstance(question, RegistryCall):
            names = ["sNames", "Types", "sValue", "uValue", "bGranted"]
            return Output(self.random.choice([0, 0, 0, 1, 2, 5, 0x80041005, 99]), {name: self.value() for name in names})
        columns = re.split(r",\s*", question.wql.partition("SELECT ")[2].partition(" FROM")[0])
        names = ["Name", "Domain", "LocalDateTime", "DNSHostName"] if columns == ["*"] else columns
        count = self.random.choice([0, 1, 1, 3])
        return Found(
            [{name: self.value() for name in names if self.random.random() < 0.9} for _ in range(count)], self.random.random() < 0.9
        )

    def value(self) -> str | list[str] | None:
        kind = self.random.random()
        if kind < 0.1:
            return None
        return [self.random.choice(TEXTS) for _ in range(self.random.randrange(4))] if kind < 0.3 else self.random.choice(TEXTS)


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0, max_value=1 << 32))
def test_whatever_a_host_answers_the_sections_end_and_decode(seed: int) -> None:
    liar = Liar(seed)
    request = ProbeRequest(
        security_keys=(r"SOFTWARE\*\*",), security_files=(r"%ProgramFiles%\*\*.exe", r"%AllUsersProfile%\x.log"), hash_drivers="all"
    )
    survey = Survey(request)
    try:
        hello = drive(greet(survey), liar)
    except CollectError:
        hello = Hello(powershell="")
    answers = {}
    for name in asked_sections(request):
        liar.left = 3000
        answers[name] = section(name, liar, survey)
    decoded = decode_answer(Answer(hello=hello, sections=answers, complete=True), request, now=NOW)
    assert decoded.sections.tasks.status in ("unsupported", "partial", "failed")
    assert decoded.sections.drivers.status != "ok"
