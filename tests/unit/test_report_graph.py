"""The picture of the findings' neighbourhood: what is chosen, how it is laid out, that it stays small."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.finding import Edge, Report
from auditor.report.graph_layout import Box, lay_out
from auditor.report.graph_pick import MAXIMUM_NODES, pick
from auditor.report.graph_svg import graph_svg

SAMPLE = Path(__file__).parents[1] / "samples" / "report_incident.json"


def _report() -> Report:
    return msgspec.json.decode(SAMPLE.read_bytes(), type=Report)


def _serves(source: str, target: str) -> Edge:
    return Edge(kind="serves", source=f"host:{source}", target=f"host:{target}", claimant=target, detail="dns")


def test_the_incidents_hosts_group_and_ties_are_drawn() -> None:
    svg = graph_svg(_report())
    for word in ("SRVA", "SRVB", "HQ Servers", "updates", "copies-to deletes 19h", "logs-on-to", "member-of"):
        assert word in svg


def test_a_fleet_without_ties_has_no_picture() -> None:
    report = _report()
    findings = tuple(msgspec.structs.replace(f, edges=()) for f in report.findings)
    assert graph_svg(msgspec.structs.replace(report, edges=(), findings=findings)) == ""


def test_neighbours_with_equal_ties_are_folded_into_one_node() -> None:
    report = _report()
    copies = (Edge(kind="copies-to", source="host:SRVB", target=f"host:PC{i:03d}", claimant="SRVB") for i in range(120))
    picture = pick(msgspec.structs.replace(report, edges=(*report.edges, *copies)))
    fold = [n for n in picture.nodes if n.kind == "fold"]
    assert [n.words for n in fold] == ["120 hosts"]
    assert "PC007" in fold[0].members


def test_what_one_server_serves_to_many_is_one_line() -> None:
    report = _report()
    edges = (*report.edges, *(_serves("SRVB", f"PC{i:03d}") for i in range(120)))
    picture = pick(msgspec.structs.replace(report, edges=edges))
    assert [n.words for n in picture.nodes if n.kind == "fold"] == ["124 hosts"]
    assert [t.labels for t in picture.ties if t.target.startswith("fold:")] == [("serves dns",)]


def test_a_large_neighbourhood_is_cut_and_says_so() -> None:
    report = _report()
    edges = (
        *report.edges,
        *(Edge(kind="copies-to", source="host:SRVB", target=f"name:N{i}", claimant="SRVB", detail=str(i)) for i in range(900)),
    )
    picture = pick(msgspec.structs.replace(report, edges=edges))
    assert picture.left_out > 500
    assert len(picture.nodes) <= MAXIMUM_NODES
    assert {"host:SRVA", "host:SRVB"} <= {n.key for n in picture.nodes}


def test_a_tie_of_a_host_to_itself_is_not_drawn() -> None:
    report = _report()
    edges = (Edge(kind="copies-to", source="host:SRVA", target="host:SRVA", claimant="SRVA"),)
    findings = tuple(msgspec.structs.replace(f, edges=()) for f in report.findings)
    assert pick(msgspec.structs.replace(report, edges=edges, findings=findings)).ties == ()


def _apart(a: Box, b: Box) -> bool:
    return abs(a.x - b.x) >= (a.width + b.width) / 2 or abs(a.y - b.y) >= (a.height + b.height) / 2


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda e: e[0] != e[1]), max_size=30))
def test_any_graph_is_laid_out_without_boxes_that_overlap(numbers: set[tuple[int, int]]) -> None:
    edges = {(str(a), str(b)): 1 for a, b in sorted(numbers)}
    sizes = {str(i): (80.0, 30.0) for i in range(10)}
    layout = lay_out(sizes, edges)
    boxes = list(layout.boxes.values())
    assert set(layout.boxes) == set(sizes)
    assert set(layout.lines) == set(edges)
    assert all(_apart(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    assert all(0 <= x <= layout.width and 0 <= y <= layout.height for line in layout.lines.values() for x, y in line)


def test_a_line_starts_at_its_source_and_ends_at_its_target_even_when_it_runs_back() -> None:
    layout = lay_out({"a": (80, 30), "b": (80, 30)}, {("a", "b"): 1, ("b", "a"): 1})
    assert layout.lines["a", "b"][0][0] < layout.lines["a", "b"][-1][0]
    assert layout.lines["b", "a"][0][0] > layout.lines["b", "a"][-1][0]


def test_the_same_report_gives_the_same_picture() -> None:
    assert graph_svg(_report()) == graph_svg(_report())


def test_no_number_of_the_picture_is_strange() -> None:
    assert not re.search(r"nan|inf\b", graph_svg(_report()))
