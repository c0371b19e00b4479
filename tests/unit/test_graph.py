"""The fleet graph: edges with evidence and claimant, names that stay open, and what absence of an edge means."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.analysis.fleet.fleet import Fleet
from tests.unit.small_fleet import DENIED, KEY, fleet, kept

SERVER = [{"key": "g", "view": "native", "name": "Acme Guard", "version": "9.0"}]


def edges(found: Fleet, kind: str) -> list[tuple[str, str]]:
    return sorted((e.source, e.target) for e in found.graph.edges if e.kind == kind)


def copying(line: str, at: str = "19:00") -> dict[str, Any]:
    return {"tasks": [{"path": "\\Copy", "run": line, "at": at}]}


def test_a_copy_job_is_an_edge_with_its_chain() -> None:
    found = fleet({"A": copying("robocopy D:\\data \\\\B\\backup$ /MIR"), "B": {}})
    (edge,) = [e for e in found.graph.edges if e.kind == "copies-to"]
    assert (edge.source, edge.target, edge.claimant, edge.share, edge.destructive, edge.hours) == (
        "host:A",
        "host:B",
        "A",
        "backup$",
        True,
        (19,),
    )
    assert [(e.host, e.section, e.record) for e in edge.evidence] == [("A", "tasks", "\\Copy")]


def test_a_copy_that_is_pulled_points_the_way_the_files_go() -> None:
    assert edges(fleet({"A": copying("xcopy \\\\B\\public D:\\in"), "B": {}}), "copies-to") == [("host:B", "host:A")]


@pytest.mark.parametrize(
    "line", ["robocopy D:\\a E:\\b /MIR", "xcopy D:\\a \\\\localhost\\d$\\b", "xcopy D:\\a \\\\A\\d$\\b", "xcopy D:\\a \\\\tsclient\\c\\b"]
)
def test_copies_inside_one_host_are_no_edges(line: str) -> None:
    assert edges(fleet({"A": copying(line)}), "copies-to") == []


def test_a_name_that_nobody_has_is_a_node_of_its_own_and_is_told() -> None:
    found = fleet({"A": copying("xcopy D:\\a \\\\NAS01\\b"), "B": {}})
    assert edges(found, "copies-to") == [("host:A", "name:NAS01")]
    assert found.graph.unresolved == ("A: tasks: \\Copy: NAS01: unknown",)
    assert found.ties.doubt("A", "B", "copies-to", None) == (), "a plain unknown name is a host outside the fleet"


def test_an_end_that_is_not_known_leaves_every_tie_of_the_host_in_doubt() -> None:
    found = fleet({"A": copying("xcopy D:\\a %WHERE%\\b"), "B": {}, "C": {}})
    assert edges(found, "copies-to") == []
    assert found.ties.doubt("A", "B", "copies-to", None)
    assert found.ties.doubt("B", "A", "copies-to", None) == (), "files only leave A"
    assert found.ties.doubt("B", "C", "copies-to", None) == ()


def test_an_ambiguous_name_leaves_only_its_candidates_in_doubt() -> None:
    twin = {"network": [{"computer_name": "TWIN"}]}
    found = fleet({"A": copying("xcopy D:\\a \\\\TWIN\\b"), "B": twin, "C": twin, "D": {}})
    assert found.ties.doubt("A", "B", "copies-to", None)
    assert found.ties.doubt("A", "D", "copies-to", None) == ()


def test_a_script_or_task_that_was_not_read_leaves_copies_in_doubt() -> None:
    script = {
        "status": "partial",
        "rows": [{"path": "D:\\x.cmd", "called_by": ["\\Copy"]}],
        "gaps": [{"record": "D:\\x.cmd", "field": "text", "reason": "too large"}],
    }
    assert fleet({"A": {"scripts": script}, "B": {}}).ties.doubt("A", "B", "copies-to", None) == ("A: scripts: D:\\x.cmd: text: too large",)
    deep = {"status": "partial", "gaps": [{"record": "D:\\y.cmd", "field": "", "reason": "more than 3 scripts deep: not read"}]}
    assert fleet({"A": {"scripts": deep}, "B": {}}).ties.doubt("A", "B", "copies-to", None)
    broken = {"tasks": [{"path": "\\T", "source_format": "xml", "text": "<Task"}]}
    assert fleet({"A": broken, "B": {}}).ties.doubt("B", "A", "copies-to", None)
    assert fleet({"A": {"tasks": DENIED}, "B": {}}).ties.doubt("A", "B", "copies-to", None) == ("A: tasks: access denied",)


def test_logons_are_one_edge_a_source() -> None:
    logons = [{"time": f"2026-01-01T0{n}:00:00Z", "workstation": "B", "account": "svc", "domain": "CORP"} for n in range(8)]
    found = fleet({"A": {"logons": [*logons, {"time": "2026-01-01T09:00:00Z", "workstation": "A"}]}, "B": {}})
    (edge,) = [e for e in found.graph.edges if e.kind == "logs-on-to"]
    assert (edge.source, edge.target, edge.detail) == ("host:B", "host:A", "8 logons, last 2026-01-01T07:00:00Z")
    assert edge.evidence[0].value == "B CORP\\svc"
    assert len(edge.evidence) == 5


def test_a_logon_whose_name_and_address_differ_counts_for_neither() -> None:
    network = {"network": [{"computer_name": "C", "adapters": [{"addresses": ["10.0.0.3"]}]}]}
    found = fleet({"A": {"logons": [{"time": "2026-01-01T00:00:00Z", "workstation": "B", "address": "10.0.0.3"}]}, "B": {}, "C": network})
    assert edges(found, "logs-on-to") == []
    assert found.ties.doubt("B", "A", "logs-on-to", None)
    assert found.ties.doubt("C", "A", "logs-on-to", None)


@pytest.mark.parametrize(
    "sections",
    [
        {"logons": DENIED},
        {"logons": {"status": "partial", "reason": "logons are not audited"}},
        {"log_coverage": [{"log": "Security", "oldest": "2026-01-02T00:00:00Z", "asked_from": "2026-01-01T00:00:00Z"}]},
    ],
)
def test_logons_that_were_not_seen_leave_the_tie_in_doubt(sections: dict[str, Any]) -> None:
    found = fleet({"A": sections, "B": {}})
    assert found.ties.doubt("B", "A", "logs-on-to", None)
    assert found.ties.doubt("A", "B", "logs-on-to", None) == ()


def test_parents_and_groups() -> None:
    group = [kept("Name", "Head Office", f"{KEY}\\Group")]
    found = fleet(
        {
            "A": {"programs": SERVER, "security": group},
            "B": {"programs": SERVER, "security": [kept("Name", "HEAD OFFICE", f"{KEY}\\Group")]},
            "C": {"programs": SERVER, "security": [kept("Parent", "a")]},
        }
    )
    assert edges(found, "member-of") == [("host:A", "group:acme-guard:head office"), ("host:B", "group:acme-guard:head office")]
    assert edges(found, "manages") == [("host:A", "host:C")]
    assert edges(found, "updates") == [("host:A", "host:B"), ("host:B", "host:A")]
    assert found.ties.between("A", "B", "same-group", "acme-guard")
    assert not found.ties.between("A", "B", "same-group", "other-shield")
    assert set(found.ties.neighbours("A", "out", "same-group", None)) == {"B"}
    assert found.ties.between("B", "A", "updates", None)[0].detail == "same group"


def test_groups_are_in_doubt_only_where_both_may_be_in_one() -> None:
    in_group = {"programs": SERVER, "security": [kept("Name", "One", f"{KEY}\\Group")]}
    blind, alone = {"programs": SERVER, "security": DENIED}, {"programs": SERVER}
    found = fleet({"A": in_group, "B": blind, "C": alone, "D": blind, "E": {}})
    doubt = found.ties.doubt
    assert doubt("A", "B", "same-group", "acme-guard")
    assert doubt("B", "D", "same-group", "acme-guard")
    assert doubt("B", "C", "same-group", "acme-guard") == ()
    assert doubt("A", "E", "same-group", "acme-guard") == ()
    assert doubt("A", "C", "updates", "acme-guard") == ()


def test_servers_of_the_network() -> None:
    row = {
        "computer_name": "A",
        "time_server": "time.example.com,0x9 b,0x1",
        "adapters": [{"dns_servers": ["10.0.0.2", "127.0.0.1"], "dhcp_enabled": True, "dhcp_server": "10.0.0.2"}],
    }
    found = fleet({"A": {"network": [row]}, "B": {"network": [{"computer_name": "B", "adapters": [{"addresses": ["10.0.0.2"]}]}]}})
    assert sorted((e.source, e.detail) for e in found.graph.edges if e.kind == "serves") == [
        ("host:B", "dhcp"),
        ("host:B", "dns"),
        ("host:B", "time"),
        ("name:time.example.com", "time"),
    ]
    assert found.graph.unresolved == ()


def test_a_large_group_is_not_drawn_pair_by_pair() -> None:
    sections = {"programs": SERVER, "security": [kept("Name", "One", f"{KEY}\\Group")]}
    found = fleet({f"H{n:02}": sections for n in range(30)})
    assert edges(found, "updates") == []
    assert found.ties.between("H00", "H29", "updates", None), "but is known"
    assert len(found.ties.neighbours("H00", "out", "updates", "acme-guard")) == 29


def test_the_networkx_graph_has_every_edge() -> None:
    found = fleet({"A": copying("xcopy D:\\a \\\\NAS01\\b"), "B": {"logons": [{"time": "2026-01-01T00:00:00Z", "workstation": "A"}]}})
    graph = found.graph.networkx()
    assert graph.nodes["name:NAS01"] == {"kind": "name", "label": "NAS01"}
    assert {data["edge"].kind for _, _, data in graph.edges(data=True)} == {"copies-to", "logs-on-to"}


def test_one_copy_told_by_two_records_is_one_edge() -> None:
    xml_and_list = {"tasks": [{"path": "\\Copy", "run": "xcopy D:\\a \\\\B\\b"}, {"path": "Copy.job", "run": "xcopy D:\\a \\\\B\\b"}]}
    (edge,) = [e for e in fleet({"A": xml_and_list, "B": {}}).graph.edges if e.kind == "copies-to"]
    assert {e.record for e in edge.evidence} == {"\\Copy", "Copy.job"}
