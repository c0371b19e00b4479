"""`auditor decode` on recorded reality: every stated fact found, nothing invented. Skipped where the material is not there."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from auditor.analysis.copying.copylines import parse_command
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
    for record, known in zip(document.records, tasks, strict=True):
        _check_task(record, known)
        assert record["path"] == known.get("URI")


def runs(record: dict[str, Any]) -> list[int | None]:
    return [run["last_result"] for run in record["runs"]]


def stated(name: str) -> tuple[Decoded, dict[str, Any]]:
    """What decode reads of a listing, and what a person read in it."""
    key = f"schtasks/{name}"
    return read("tasks", f"tasks/{key}"), expected("tasks/expected_other.json")[key]


def test_schtasks_of_2003() -> None:
    document, facts = stated("win2003_query_v_csv_check_schtasks.csv")
    by_name = {r["name"]: r for r in document.records}
    assert (document.rows_in, len(document.records), document.errors) == (facts["tasks"], facts["distinct_names"], [])
    assert {n: runs(by_name[n]) for n in facts["nonzero_last_result"]} == facts["nonzero_last_result"]
    assert [f"{n} ({len(r['triggers'])} triggers)" for n, r in by_name.items() if r["enabled"] is False] == facts["disabled"]
    assert {r["principal"]["user_id"] for r in document.records} == set(facts["run_as"])
    (job,) = [j for r in document.records for j in parse_command(r["actions"][0]["line"])]
    assert (job.source.kind, job.destination.kind, job.destination.path, job.destructive) == ("local", "local", "d:\\dir", True)


def test_schtasks_table_of_windows_7() -> None:
    document, facts = stated("win7_query_table.txt")
    statuses = [r["runs"][0]["status"] if r["runs"] else "(empty)" for r in document.records]
    assert (len(statuses), document.errors) == (facts["tasks"], [])
    assert {s: statuses.count(s) for s in set(statuses)} == facts["status"]


@pytest.mark.parametrize("name", ["inspec_schtasks-success.json", "inspec_schtasks-success-multiple-triggers.json"])
def test_schtasks_as_json(name: str) -> None:
    document, facts = stated(name)
    (record,) = document.records
    results = facts["last_result"]
    assert (document.merged, runs(record)) == (facts.get("rows", 1) - 1, results if isinstance(results, list) else [results])
    assert record["enabled"] is True


LISTS = (
    "win_query_v_list_server_deladminfiles.txt",
    "win_query_list_short_de_quoted.txt",
    "win_query_v_list_en_vi_dates.txt",
    "win_query_v_list_ru_two_snapshots.txt",
)


@pytest.mark.parametrize("name", LISTS)
def test_schtasks_lists_of_one_task(name: str) -> None:
    document, facts = stated(name)
    (record,) = document.records
    assert document.errors == []
    assert (record["path"], record["host"]) == (facts["task"], facts["host"])
    assert record["enabled"] is ("disabled" not in facts.get("status", ""))
    if "command" in facts:
        assert record["actions"][0]["command"] == facts["command"]
    if "run_as" in facts:
        assert record["principal"]["user_id"] == facts["run_as"]
    if isinstance(facts.get("last_result"), str):
        assert runs(record) == [int(facts["last_result"].split()[0])]
    if facts.get("next_run", "none") != "none":
        assert record["runs"][0]["next_run"] == facts["next_run"].replace(" ", "T")
    if "snapshots" in facts:
        assert [(r["last_run"], r["last_result"]) for r in record["runs"]] == [
            (s["last_run"].replace(" ", "T"), s["last_result"]) for s in facts["snapshots"]
        ]
        assert (document.merged, record["triggers"][0]["repetition"]["interval"]) == (len(facts["snapshots"]) - 1, "PT1H")


def test_schtasks_with_columns_that_were_left_out() -> None:
    document, facts = stated("win11_query_v_csv_es_trimmed_columns.csv")
    assert (len(document.records), document.errors) == (facts["tasks"], [])
    assert all(r["host"] == facts["host"] and r["enabled"] and r["triggers"] is None and r["principal"] is None for r in document.records)


def test_schtasks_that_somebody_annotated() -> None:
    document, facts = stated("win2016_query_v_list_two_tasks_annotated.txt")
    by_path = {r["path"]: r for r in document.records}
    assert len(by_path) == facts["tasks"]
    assert {p: runs(by_path[p]) for p in facts["last_result"]} == {p: [int(str(v).split()[0])] for p, v in facts["last_result"].items()}
    (repeated,) = facts["repeat"]
    assert by_path[repeated]["triggers"][0]["repetition"]["interval"] == "PT5M"


def test_a_table_and_a_list_in_one_text() -> None:
    document, facts = stated("win10_query_table_and_list_zh.txt")
    table, listed = document.records[:-1], document.records[-1]
    assert (len(table), sum(1 for r in table if r["enabled"] is False)) == (facts["table_tasks"], facts["table_disabled"])
    assert (listed["path"], listed["host"], runs(listed)) == (facts["list_task"], facts["host"], [int(facts["last_result"].split()[0])])


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
        known = (product["name"], product["version"], product["publisher"], product["install_date"])
        assert tuple(values.get(n) for n in ("DisplayName", "DisplayVersion", "Publisher", "InstallDate")) == known


@pytest.mark.parametrize("name", ["fltmc_carbonblack_parity_server", "fltmc_csagent_legacy", "fltmc_win11_mssecflt"])
def test_filters(name: str) -> None:
    facts = dict(expected("registry/expected.json")[f"drivers/{name}.txt"]["expect"])
    document = read("filters", f"registry/drivers/{name}.txt")
    assert (len(document.records), document.errors) == (facts.pop("filters"), [])
    by_name = {r["name"]: r for r in document.records}
    for name_, known in facts.items():
        found = by_name[name_]
        assert (found["altitude"], found["instances"]) == (known["altitude"], known["instances"])
        assert found["legacy"] == (known.get("frame") == "<Legacy>")


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
    known = facts["security/get_mpcomputerstatus_en_2022_truncated.txt"]["expect"]
    assert {k: document.records[0][k] for k in known} == known
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
