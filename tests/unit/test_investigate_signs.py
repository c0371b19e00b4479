"""Single signs: each holds, does not, or says why it is not known."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.analysis.investigate.case import Case
from auditor.analysis.investigate.signs_activity import activity_signs
from auditor.analysis.investigate.signs_attack import attack_signs
from auditor.analysis.investigate.signs_change import change_signs
from auditor.analysis.investigate.signs_crash import crash_signs
from auditor.analysis.investigate.signs_driver import driver_signs
from auditor.analysis.investigate.signs_host import host_signs
from auditor.analysis.investigate.signs_rules import kind_of, rule_signs, shape_of
from auditor.analysis.pseudonyms import Pseudonyms
from auditor.model.change import Difference
from auditor.model.hypothesis import Sign
from tests.unit.small_case import CHINA, case, crashed
from tests.unit.small_fleet import DENIED, rule, target

AT = {"log": "System", "source": "EventLog", "id": 6008, "time": "2005-11-08T11:06:31Z", "record": 7, "strings": ["19:03:12", "2005-11-08"]}
DRIVER: dict[str, Any] = {
    "name": "widget",
    "path": "C:\\WINDOWS\\System32\\drivers\\widget.sys",
    "file_version": "1.0.0.0",
    "machine": 332,
    "link_timestamp": 0x3F99BC4F,
    "size_bytes": 100,
    "modified_at": "2003-10-25T00:00:00Z",
    "state": "running",
}
FELL = crashed(
    bugcheck={"code": "0x8e", "base_code": "0x8e"},
    image="widget.sys",
    offset="0x9785",
    image_timestamp="0x3f99bc4f",
    suspects=[{"image": "widget.sys", "confidence": "confirmed", "reasons": ["the exception happened in its code"]}],
    exception={"code": "0xc0000005", "address": "0xf535e785", "access": "write", "target": "0x4"},
    cause_class="driver",
)


def host(**sections: Any) -> dict[str, Any]:
    return {"system": [CHINA], "events": [AT], "drivers": [DRIVER], **sections}


def signs(found: Case, reader: Any) -> dict[str, Sign]:
    return {sign.id: sign for sign in reader(found)}


def states(found: Case, reader: Any) -> dict[str, bool | None]:
    return {name: sign.state for name, sign in signs(found, reader).items()}


def test_a_null_write_in_a_drivers_own_code() -> None:
    found = signs(case({"A": host()}, crash=FELL), crash_signs)
    assert found["fault_in_driver"].state is True
    assert found["fault_in_driver"].subject == "widget.sys"
    assert found["null_pointer"].text == "widget.sys+0x9785: a write through a null pointer (address 0x4)"
    assert found["crash_says_memory"].state is False


def test_without_a_crash_its_signs_are_not_known() -> None:
    found = states(case({"A": host()}), crash_signs)
    assert {name: found[name] for name in ("crash_read", "fault_in_driver", "null_pointer", "crash_says_memory")} == {
        "crash_read": None,
        "fault_in_driver": None,
        "null_pointer": None,
        "crash_says_memory": None,
    }


def test_a_text_that_only_names_a_driver_proves_nothing() -> None:
    named = crashed(image="widget.sys", suspects=[{"image": "widget.sys", "confidence": "suspected", "reasons": ["the text names it"]}])
    found = states(case({"A": host()}, crash=named), crash_signs)
    assert (found["fault_in_driver"], found["driver_suspected"]) == (False, False)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"driver_is_dumped_one": True, "driver_differs_from_dump": False, "driver_written_lately": False}),
        ({"link_timestamp": 1}, {"driver_is_dumped_one": False, "driver_differs_from_dump": True}),
        ({"modified_at": "2005-11-01T00:00:00Z"}, {"driver_written_lately": True}),
        ({"link_timestamp": None}, {"driver_is_dumped_one": None, "driver_differs_from_dump": None}),
        ({"link_timestamp": 2**60}, {"driver_differs_from_dump": True}),
        ({"signature": "invalid"}, {"driver_signature_bad": True}),
        ({"signature": "unknown"}, {"driver_signature_bad": None}),
    ],
)
def test_the_drivers_file(changes: dict[str, Any], expected: dict[str, bool | None]) -> None:
    found = states(case({"A": host(drivers=[{**DRIVER, **changes}])}, crash=FELL), driver_signs)
    assert {name: found[name] for name in expected} == expected


def test_peers_with_the_same_version_have_the_same_file_or_not() -> None:
    same = states(case({"A": host(), "B": {"drivers": [DRIVER]}}, crash=FELL), driver_signs)
    other = signs(case({"A": host(), "B": {"drivers": [{**DRIVER, "size_bytes": 101}]}}, crash=FELL), driver_signs)
    newer = states(
        case({"A": host(), "B": {"drivers": [{**DRIVER, "file_version": "2.0.0.0", "size_bytes": 9}]}}, crash=FELL), driver_signs
    )
    assert (same["driver_same_as_peers"], same["driver_differs_from_peers"]) == (True, False)
    assert other["driver_differs_from_peers"].state is True
    assert {item.host for item in other["driver_differs_from_peers"].evidence} == {"A", "B"}
    assert newer["driver_same_as_peers"] is None


def test_drivers_that_were_not_seen_are_not_absent() -> None:
    assert states(case({"A": host(drivers=DENIED)}, crash=FELL), driver_signs)["driver_on_host"] is None
    assert states(case({"A": host(drivers=[])}, crash=FELL), driver_signs)["driver_on_host"] is False


def disk(number: int, text: str, time: str = "2005-11-08T10:41:07Z") -> dict[str, Any]:
    return {"log": "System", "source": "disk", "id": number, "time": time, "record": number, "strings": [text]}


@pytest.mark.parametrize(
    ("events", "memory", "expected"),
    [
        ([disk(7, "\\Device\\Harddisk0\\DR0")], ["C:", "D:"], True),
        ([disk(7, "\\Device\\Harddisk1\\DR1")], ["C:", "D:"], False),
        ([disk(7, "\\Device\\Harddisk1\\DR1")], ["C:"], True),
        ([disk(51, "D:")], ["C:", "D:"], False),
        ([disk(7, "\\Device\\Harddisk0\\DR0", "2005-09-01T00:00:00Z")], ["C:"], False),
        ([], ["C:"], False),
    ],
)
def test_disk_errors_on_the_disk_of_the_page_file(events: list[dict[str, Any]], memory: list[str], expected: bool) -> None:
    rows: list[dict[str, Any]] = [{"kind": "page_file", "name": "C:\\pagefile.sys"}]
    rows += [{"kind": "volume", "name": name, "drive_type": "fixed", "dirty": False} for name in memory]
    found = states(case({"A": host(events=[AT, *events], memory=rows)}, crash=FELL), host_signs)
    assert found["disk_errors_on_page_file"] is expected
    assert found["page_file_volume_dirty"] is False


def test_a_first_restart_needs_a_log_that_reaches_back() -> None:
    assert states(case({"A": host()}, crash=FELL), host_signs)["first_restart"] is True
    assert states(case({"A": host(events={"status": "denied", "reason": "no"})}), host_signs)["first_restart"] is None
    again = {**AT, "time": "2005-10-20T11:06:31Z", "record": 5, "strings": ["19:03:12", "2005-10-20"]}
    assert states(case({"A": host(events=[AT, again])}, crash=FELL), host_signs)["first_restart"] is False


def test_logons_name_their_source_where_it_is_a_host_of_the_fleet() -> None:
    logon = {"time": "2005-11-08T11:02:40Z", "account": "svc", "workstation": "B", "logon_type": 3}
    found = signs(case({"A": host(logons=[logon]), "B": {}}, tied={"B": ("logs on to it",)}), activity_signs)
    assert (found["last_logon_from_tied"].state, found["last_logon_from_tied"].subject) == (True, "B")
    assert found["logon_shortly_before"].state is True
    stranger = signs(case({"A": host(logons=[{**logon, "workstation": "PC-7"}])}), activity_signs)
    assert stranger["last_logon_from_tied"].state is False
    assert states(case({"A": host(logons=DENIED)}), activity_signs)["logon_shortly_before"] is None


def job(command: str) -> dict[str, Any]:
    xml = (
        '<Task xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task"><Triggers><CalendarTrigger>'
        "<StartBoundary>2005-09-20T19:00:00</StartBoundary><Enabled>true</Enabled>"
        "<ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay></CalendarTrigger></Triggers>"
        f"<Actions><Exec><Command>cmd.exe</Command><Arguments>/c {command}</Arguments></Exec></Actions></Task>"
    )
    return {"path": "\\copy", "source_format": "xml", "text": xml}


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        ('robocopy D:\\Deploy "\\\\A\\c$\\Program Files\\Tools" /MIR', True),
        ("robocopy D:\\Deploy \\\\A\\admin$\\system32 /MIR", True),
        ("robocopy D:\\Deploy \\\\A\\data /MIR", False),
        ("robocopy D:\\Deploy \\\\A\\apps /MIR", True),
        ("robocopy D:\\Deploy \\\\A\\elsewhere /MIR", None),
        ("robocopy D:\\Deploy \\\\A\\apps *.txt", False),
    ],
)
def test_copies_that_replace_programs_are_told_from_those_of_data(command: str, programs: bool | None) -> None:
    shares = [{"name": "data", "path": "D:\\Data"}, {"name": "apps", "path": "C:\\Program Files\\Apps"}]
    hosts = {"A": host(shares=shares), "B": {"system": [CHINA], "tasks": [job(command)]}}
    found = signs(case(hosts, tied={"B": ("copies files to it",)}), activity_signs)
    assert found["copy_job_due"].state is True
    assert found["copy_job_writes_programs"].state is programs
    assert found["copy_job_due"].subject == "B"


def test_a_copy_in_another_zone_is_due_by_its_own_clock() -> None:
    london = {"bias_minutes": 0, "daylight_bias_minutes": 0}
    hosts = {"A": host(), "B": {"system": [london], "tasks": [job("robocopy D:\\x \\\\A\\data /E")]}}
    assert states(case(hosts, tied={"B": ()}), activity_signs)["copy_job_due"] is False


def test_attacks_count_in_the_minutes_before_and_the_days_noise_does_not() -> None:
    day = {
        "profile": "d",
        "source": "attack.csv",
        "window_start": "2005-11-08T00:00:00Z",
        "window_end": "2005-11-09T00:00:00Z",
        "attacks": 40,
    }
    near = {**day, "profile": "n", "window_start": "2005-11-08T10:36:00Z", "window_end": "2005-11-08T11:11:00Z", "attacks": 0}
    quiet = states(case({"A": host(firewall=[day, near])}), attack_signs)
    loud = states(case({"A": host(firewall=[day, {**near, "attacks": 3, "top_source": "203.0.113.9"}])}), attack_signs)
    unknown = states(case({"A": host(firewall=[day])}), attack_signs)
    assert (quiet["attack_entries"], loud["attack_entries"], unknown["attack_entries"]) == (False, True, None)
    assert (quiet["attack_several"], loud["attack_several"]) == (False, True)


def test_changes_count_only_from_a_snapshot_before_the_moment() -> None:
    change = Difference(host="A", section="drivers", key="widget", kind="changed", field="size_bytes", baseline="previous")
    seen = {"changes": (change,), "changes_since": "2005-11-01T00:00:00Z"}
    assert states(case({"A": host()}, crash=FELL, seen=seen), change_signs) == {
        "software_changed": True,
        "protection_changed": False,
        "suspect_changed": True,
    }
    late = {**seen, "changes_since": "2005-11-20T00:00:00Z"}
    assert set(states(case({"A": host()}, crash=FELL, seen=late), change_signs).values()) == {None}


@pytest.mark.parametrize(
    ("section", "state", "words"),
    [
        ({"status": "not_asked"}, None, "was not asked (--fragmentation)"),
        (
            [{"volume": "C:", "percent": 43, "page_file_fragments": 12, "recommended": True}],
            True,
            "C: is fragmented by 43 %, its page file",
        ),
        ([{"volume": "C:", "percent": 2, "recommended": False}], False, "Windows sees no need"),
        ({"status": "timed_out", "reason": "given up after 60 s, waiting for the analysis of C:"}, None, "given up after 60 s"),
    ],
)
def test_how_fragmented_the_page_files_volume_is(section: Any, state: bool | None, words: str) -> None:
    found = signs(case({"A": host(fragmentation=section)}, crash=FELL), host_signs)["page_file_fragmented"]
    assert found.state is state
    assert words in found.text


def test_a_rules_kind_comes_from_its_conditions() -> None:
    bug = rule(id="bug", when={"driver": {"name": "widget"}})
    copies = rule(
        id="copies", roles=["one", "other"], when={"edge": {"source": "one", "target": "other", "kinds": ["copies-to"]}}, subject="x"
    )
    found = states(case({"A": host()}, crash=FELL, rules=(bug, copies)), rule_signs)
    assert found["rule_driver_bug_about_driver"] is False
    assert (kind_of(bug, shape_of(bug, {})), kind_of(copies, shape_of(copies, {}))) == ("driver_bug", "copies")


def test_a_dumps_bytes_leave_with_no_export_without_names() -> None:
    piece = {"path": "C:\\WINDOWS\\MEMORY.DMP", "offset": 0, "size_bytes": 9, "data": "UEFHRURVTVA="}
    told = case({"A": host(dumpbytes=[piece])}).host.snapshot
    names = Pseudonyms()
    names.learn(target("A"), told)
    record = names.rewrite(told).sections.dumpbytes.records[0]
    assert (record.data, record.size_bytes) == (None, 9)
