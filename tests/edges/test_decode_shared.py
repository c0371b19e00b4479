"""`auditor decode` on recorded reality: every stated fact found, nothing invented. Skipped where the material is not there."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from auditor.analysis.copylines import parse_command
from auditor.decode import Decoded, decode, read_sources

ROOT = Path(os.environ.get("AUDITOR_SHARED", Path(__file__).parents[2].parent / "shared")) / "real"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (ROOT / "tasks").is_dir(), reason="no recorded listings beside the checkout (AUDITOR_SHARED)"),
]


def read(kind: str, *names: str) -> Decoded:
    document = decode(kind, read_sources([ROOT / name for name in names]))
    assert document.rows_in == len(document.records) + document.merged + document.skipped + len(document.errors)
    return document


def expected(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / name).read_text(encoding="utf-8"))
    return loaded


def _check_task(record: dict[str, Any], facts: dict[str, Any]) -> None:
    assert [(a["command"], a["arguments"], a["working_directory"]) for a in record["actions"]] == [
        (a.get("Command"), a.get("Arguments"), a.get("WorkingDirectory")) for a in facts["exec_actions"]
    ]
    for trigger, stated in zip(record["triggers"], facts["triggers"], strict=True):
        assert (trigger["type"], trigger["start"], trigger["schedule"]) == (
            stated["type"],
            stated.get("StartBoundary"),
            stated.get("schedule"),
        )
        repetition = trigger["repetition"] or {}
        assert (repetition.get("interval"), repetition.get("duration")) == (stated.get("Interval"), stated.get("Duration"))
        assert trigger["subscription"] == stated.get("Subscription")
    principal = record["principal"] or {}
    stated_principal = (facts["principals"] or [{}])[0]
    assert [principal.get(k) for k in ("user_id", "logon_type", "run_level")] == [
        stated_principal.get(k) for k in ("UserId", "LogonType", "RunLevel")
    ]
    assert (record["author"], record["description"]) == (facts.get("Author"), facts.get("Description"))
    assert record["enabled"] == (facts["settings_Enabled"] == "true")


@pytest.mark.parametrize("name", sorted(expected("tasks/expected_xml.json")) if (ROOT / "tasks").is_dir() else [])
def test_task_xml(name: str) -> None:
    facts = expected("tasks/expected_xml.json")[name]
    document = read("tasks", f"tasks/xml/{name}.xml")
    if "parse_error" in facts:
        assert document.records == []
        assert f"{document.errors[0].message}: {document.errors[0].place}" == facts["parse_error"]
        return
    tasks = facts.get("tasks", [facts])
    assert not document.errors
    for record, stated in zip(document.records, tasks, strict=True):
        _check_task(record, stated)
        assert record["path"] == stated.get("URI")


def runs(record: dict[str, Any]) -> list[int | None]:
    return [run["last_result"] for run in record["runs"]]


def test_schtasks_of_2003() -> None:
    document = read("tasks", "tasks/schtasks/win2003_query_v_csv_check_schtasks.csv")
    by_name = {r["name"]: r for r in document.records}
    assert (len(document.records), document.merged, document.errors) == (9, 2, [])
    assert runs(by_name["robocopy dir"]) == [3, 2]
    assert [n for n, r in by_name.items() if r["enabled"] is False] == ["Memory Optimization Schedule"]
    assert {r["principal"]["user_id"] for r in document.records} == {"domain\\SVC.Scheduler", "NT AUTHORITY\\SYSTEM"}
    (job,) = parse_command(by_name["robocopy dir"]["actions"][0]["line"])
    assert (job.source.kind, job.destination.path, job.destructive) == ("local", "d:\\dir", True)


def test_schtasks_table_of_windows_7() -> None:
    document = read("tasks", "tasks/schtasks/win7_query_table.txt")
    statuses = [r["runs"][0]["status"] if r["runs"] else None for r in document.records]
    assert (len(statuses), document.errors) == (83, [])
    assert {s: statuses.count(s) for s in set(statuses)} == {"Ready": 50, "Running": 3, "Unknown": 10, "Could not start": 3, None: 17}


@pytest.mark.parametrize(
    ("name", "count", "merged", "facts"),
    [
        ("inspec_schtasks-success.json", 1, 0, {"path": "\\Microsoft\\Windows\\Time Synchronization\\SynchronizeTime", "enabled": True}),
        ("inspec_schtasks-success-multiple-triggers.json", 1, 1, {}),
        ("win11_query_v_csv_es_trimmed_columns.csv", 2, 0, {"host": "DESKTOP-4PD2EV6", "enabled": True, "triggers": None}),
        ("win_query_v_list_server_deladminfiles.txt", 1, 0, {"path": "\\delAdminFiles", "host": "DIGISERVER3"}),
        ("win_query_list_short_de_quoted.txt", 1, 0, {"path": "\\Kosmos\\board", "host": "BUERO-PC", "enabled": False, "actions": None}),
        ("win2016_query_v_list_two_tasks_annotated.txt", 2, 0, {"path": "\\Clean file system", "host": "EC2AMAZ-I8UHO76"}),
        ("win_query_v_list_en_vi_dates.txt", 1, 0, {"path": "\\JAYT_AUTONOMOUS_SUPPLY_WORKER_145", "host": "JAY"}),
        ("win_query_v_list_ru_two_snapshots.txt", 1, 1, {"path": "\\WB_Orders_Hourly", "host": "KLIMGARANIN", "enabled": True}),
        ("win10_query_table_and_list_zh.txt", 18, 0, {}),
    ],
)
def test_schtasks(name: str, count: int, merged: int, facts: dict[str, Any]) -> None:
    document = read("tasks", f"tasks/schtasks/{name}")
    assert (len(document.records), document.merged, document.errors) == (count, merged, [])
    assert {k: document.records[0][k] for k in facts} == facts


def test_what_listings_say_of_runs() -> None:
    folder = "tasks/schtasks/"
    assert runs(read("tasks", f"{folder}inspec_schtasks-success-multiple-triggers.json").records[0]) == [999, 1056]
    (deleted,) = read("tasks", f"{folder}win_query_v_list_server_deladminfiles.txt").records
    assert (runs(deleted), deleted["runs"][0]["status"], deleted["triggers"][0]["type"]) == ([-2147216609], "Running", "LogonTrigger")
    assert deleted["actions"][0]["command"] == "C:\\AdminScripts\\schedule-login-clean-old-file.bat"
    (vietnamese,) = read("tasks", f"{folder}win_query_v_list_en_vi_dates.txt").records
    assert vietnamese["runs"][0]["next_run"] == "2026-08-27T03:00:00"
    (russian,) = read("tasks", f"{folder}win_query_v_list_ru_two_snapshots.txt").records
    assert [(r["last_run"], r["last_result"]) for r in russian["runs"]] == [("2026-01-18T20:05:01", 1), ("2026-01-18T20:47:46", 0)]
    assert (russian["triggers"][0]["repetition"]["interval"], russian["principal"]["user_id"]) == ("PT1H", "klimg")
    annotated = read("tasks", f"{folder}win2016_query_v_list_two_tasks_annotated.txt").records
    assert [runs(r) for r in annotated] == [[-2147020576], [0]]
    assert annotated[1]["triggers"][0]["repetition"]["interval"] == "PT5M"
    chinese = read("tasks", f"{folder}win10_query_table_and_list_zh.txt").records
    assert sum(1 for r in chinese if r["enabled"] is False) == 10
    assert (chinese[-1]["path"], runs(chinese[-1])) == ("\\Microsoft\\XblGameSave\\XblGameSaveTask", [267011])


def _commands() -> list[dict[str, str]]:
    path = ROOT / "tasks" / "copyjobs" / "copyjobs_cmdlines.tsv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("row", [r for r in _commands() if "%" not in r["command_line"]], ids=lambda r: r["id"])
def test_copy_command_lines(row: dict[str, str]) -> None:
    (job,) = parse_command(row["command_line"])
    for side, host, place in (
        (job.source, row["expected_source_host"], row["expected_source_share_or_drive"]),
        (job.destination, row["expected_destination_host"], row["expected_destination_share_or_drive"]),
    ):
        if host.startswith("("):
            assert (side.kind, side.host) == ("local", None)
            assert place in ((side.path or "")[: len(place)], side.share)
        else:
            assert (side.kind, side.host, side.share) == ("remote", host, place)


def test_lines_whose_values_are_not_stated_name_no_host() -> None:
    rows = [r for r in _commands() if "%" in r["command_line"]]
    jobs = [job for row in rows for job in parse_command(row["command_line"])]
    assert len(jobs) == len(rows)
    assert all(job.source.kind == "unresolved" and job.source.host is None and job.destination.host is None for job in jobs)


@pytest.mark.parametrize(
    "name", sorted(k for k in expected("registry/expected.json") if k.startswith("reg/")) if (ROOT / "tasks").is_dir() else []
)
def test_registry_exports(name: str) -> None:
    facts = expected("registry/expected.json")[name]
    document = read("registry", f"registry/{name}")
    assert not document.errors
    assert len(document.records) == facts["values"]
    assert len({r["key"] for r in document.records} | set(document.empty_keys)) == facts["keys"]
    for product in facts.get("products", []):
        values = {r["value_name"]: r["data"] for r in document.records if r["key"].endswith("\\Uninstall\\" + product["subkey"])}
        stated = (product["name"], product["version"], product["publisher"], product["install_date"])
        assert tuple(values.get(n) for n in ("DisplayName", "DisplayVersion", "Publisher", "InstallDate")) == stated


@pytest.mark.parametrize("name", ["fltmc_carbonblack_parity_server", "fltmc_csagent_legacy", "fltmc_win11_mssecflt"])
def test_filters(name: str) -> None:
    facts = dict(expected("registry/expected.json")[f"drivers/{name}.txt"]["expect"])
    document = read("filters", f"registry/drivers/{name}.txt")
    assert (len(document.records), document.errors) == (facts.pop("filters"), [])
    by_name = {r["name"]: r for r in document.records}
    for filter_, stated in facts.items():
        found = by_name[filter_]
        assert (found["altitude"], found["instances"]) == (stated["altitude"], stated["instances"])
        assert found["legacy"] == (stated.get("frame") == "<Legacy>")


def test_drivers() -> None:
    modern = read("drivers", "registry/drivers/driverquery_v_win11_insight.txt")
    assert (len(modern.records), modern.errors) == (12, [])
    assert [r["name"] for r in modern.records if r["state"] == "Running"] == ["ACPI", "acpiex", "AFD", "afunix"]
    assert [r["init_bytes"] for r in modern.records[-2:]] == [8192, 4096]
    old = read("drivers", "registry/drivers/driverquery_xp_table_truncated.txt")
    dates = {r["name"]: r["link_date"] for r in old.records}
    assert (len(old.records), len(old.errors)) == (10, 1)
    assert (dates["ACPI"], dates["AFD"]) == ("8/29/2002 9:09:03 AM", "8/17/2011 2:49:53 PM")


def test_services() -> None:
    (defender,) = read("services", "registry/services/sc_query_windefend_running.txt").records
    assert (defender["name"], defender["state"], defender["state_code"], defender["type"]) == ("windefend", "Running", 4, "Own Process")
    assert defender["accepts"] == ["STOPPABLE", "NOT_PAUSABLE", "ACCEPTS_SHUTDOWN"]
    (dhcp,) = read("services", "registry/services/inspec_get-service-dhcp.txt").records
    assert (dhcp["name"], dhcp["state"], dhcp["start_mode"], dhcp["account"]) == ("dhcp", "Running", "Auto", "LocalSystem")


def test_defender_and_security_center() -> None:
    facts = expected("registry/expected.json")
    document = read("defender", "registry/security/get_mpcomputerstatus_en_2022_truncated.txt")
    stated = facts["security/get_mpcomputerstatus_en_2022_truncated.txt"]["expect"]
    assert {k: document.records[0][k] for k in stated} == stated
    assert (document.records[0]["tamper_protected"], len(document.errors)) == (None, 1)
    (product,) = read("securitycenter", "registry/security/mondoo_security_products_antivirus.json").records
    assert (product["name"], product["enabled"], product["up_to_date"], product["product_state_hex"]) == (
        "Windows Defender",
        True,
        True,
        "0x061100",
    )


@pytest.mark.parametrize(
    ("class_name", "count"),
    [("Win32_ComputerSystem", 1), ("Win32_LogicalDisk", 1), ("Win32_OperatingSystem", 1), ("Win32_Process", 46), ("Win32_Service", 131)],
)
def test_wmi_enumerations(class_name: str, count: int) -> None:
    pages = sorted((ROOT / "winrm" / "txwinrm_wmi_enum").glob(f"*_{class_name}_*.xml"))
    document = read("wmi", *(str(p.relative_to(ROOT)) for p in reversed(pages)))
    text = "".join(p.read_text(encoding="utf-8") for p in pages)
    assert document.errors == []
    assert len(document.records) == text.count("<w:XmlFragment") == count
    assert {r["class"] for r in document.records} == {class_name}
    assert sum(v is None for r in document.records for v in r["properties"].values()) == text.count('xsi:nil="true"')


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("glpi_10-StandAlone-Win32_UserAccount", 4),
        ("glpi_win7-sp1-x64-Win32_OperatingSystem", 1),
        ("glpi_xp-Win32_QuickFixEngineering", 16),
    ],
)
def test_wmic_lists(name: str, count: int) -> None:
    document = read("wmi", f"registry/wmi/{name}.wmi")
    assert (len(document.records), document.errors) == (count, [])
