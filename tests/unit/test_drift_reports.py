"""Drift and history as people and programs read them: one expected text a format, and nothing of a host that comes to life."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.change import Difference, DriftReport, FindingLife, HostDrift, NotCompared
from auditor.model.history import FleetHistory, HostHistory, ProductSpread, RolePoint, RoleTrend, RuleTrend, RunPoint, StateLine
from auditor.report.drift_html import drift_html, fleet_history_html, host_history_html
from auditor.report.drift_markdown import drift_markdown, fleet_history_markdown, host_history_markdown
from auditor.report.drift_table import drift_table, fleet_history_table, host_history_table
from auditor.report.plots import Series, bars_svg, spark_svg

GOLDEN = Path(__file__).parents[1] / "golden"
DAYS = [f"2026-11-{day:02}T01:00:00Z" for day in range(1, 6)]


def difference(**values: Any) -> Difference:
    usual: dict[str, Any] = {
        "host": "SRVA",
        "section": "services",
        "key": "Spooler",
        "field": "start",
        "kind": "changed",
        "before": "auto",
        "after": "disabled",
        "baseline": "previous",
        "against": DAYS[3],
        "since": DAYS[4],
        "not_before": DAYS[3],
    }
    return Difference(**(usual | values))


DIFFERENCES = (
    difference(),
    difference(baseline="role", against="print_servers", since=DAYS[2], not_before=None),
    difference(
        section="drivers",
        key="RapDrv",
        field="sha256",
        before="aa" * 32,
        after="bb" * 32,
        baseline="peers",
        against="x",
        agree=7,
        of=8,
        concern="integrity",
    ),
    difference(section="shares", key="Loot$", field="", kind="added", before=None, after={"name": "Loot$", "path": "C:\\"}),
    difference(
        section="scripts",
        key="D:\\copy.cmd",
        field="text",
        before="one\r\ntwo\r\n",
        after="one\r\n```\r\n",
        class_="expected",
        reason="maintenance window w",
    ),
    difference(
        key="Telnet",
        field="",
        kind="removed",
        before={"name": "Telnet"},
        after=None,
        class_="back_to_baseline",
        reason="as most of web are",
    ),
)
DRIFT = DriftReport(
    hosts=(
        HostDrift(
            host="SRVA",
            groups=("print_servers", "windows"),
            at=DAYS[4],
            previous=DAYS[3],
            differences=DIFFERENCES,
            not_compared=(NotCompared(host="SRVA", section="logons", baseline="previous", reason="not seen now: access denied"),),
            notes=("collected by auditor 0.2.0, before by auditor 0.1.0",),
        ),
        HostDrift(host="SRVB", at=DAYS[4]),
    )
)
LIVES = (
    FindingLife(
        id="0123456789abcdef",
        rule="a-rule",
        title="A rule is violated",
        severity="high",
        hosts=("SRVA", "SRVB"),
        state="back",
        first_seen=DAYS[0],
        last_seen=DAYS[4],
        fixed_at=DAYS[1],
        returned_at=DAYS[2],
        times_back=1,
    ),
)
HOST = HostHistory(
    host="SRVA",
    groups=("windows",),
    states=tuple(
        StateLine(at=at, run=at[:10], differences=n, unexplained=n // 2, not_seen=("logons",) if n == 3 else ())
        for n, at in enumerate(DAYS)
    ),
    differences=DIFFERENCES[:1] + DIFFERENCES[4:5],
    findings=LIVES,
)
FLEET = FleetHistory(
    runs=tuple(
        RunPoint(run=at[:10], at=at, hosts=9, seen=8, findings={"critical": 0, "high": n, "low": 2}, undetermined=1)
        for n, at in enumerate(DAYS)
    ),
    rules=(RuleTrend(rule="a-rule", title="A rule is violated", severity="high", counts=(0, 1, 2, 3, 4)),),
    products=(
        ProductSpread(product="av", name="AntiVirus", versions={"9.0": (5, 4, 3, 2, 1), "10.0": (0, 1, 2, 3, 4), "": (1, 1, 1, 1, 1)}),
    ),
    roles=(
        RoleTrend(
            role="web", points=tuple(RolePoint(run=at[:10], at=at, hosts=4, unexplained=n, expected=1, off=n) for n, at in enumerate(DAYS))
        ),
        RoleTrend(role="windows", points=tuple(RolePoint(run=at[:10], at=at, hosts=9) for at in DAYS)),
    ),
    findings=LIVES,
)
TEXTS: dict[str, Callable[[], str]] = {
    "drift.table": lambda: drift_table(DRIFT),
    "drift.markdown": lambda: drift_markdown(DRIFT),
    "drift.html": lambda: drift_html(DRIFT),
    "host_history.table": lambda: host_history_table(HOST),
    "host_history.markdown": lambda: host_history_markdown(HOST),
    "host_history.html": lambda: host_history_html(HOST),
    "fleet_history.table": lambda: fleet_history_table(FLEET),
    "fleet_history.markdown": lambda: fleet_history_markdown(FLEET),
    "fleet_history.html": lambda: fleet_history_html(FLEET),
}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_format_says_what_is_expected(name: str) -> None:
    """AUDITOR_UPDATE_GOLDEN=1 writes them anew."""
    text = TEXTS[name]()
    if os.environ.get("AUDITOR_UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert (GOLDEN / name).read_text(encoding="utf-8") == text


def test_empty_reports_are_texts_too() -> None:
    for text in (
        fleet_history_table(FleetHistory()),
        fleet_history_markdown(FleetHistory()),
        fleet_history_html(FleetHistory()),
        host_history_html(HostHistory(host="A")),
        drift_table(DriftReport(hosts=(HostDrift(host="A"),))),
    ):
        assert text.endswith("\n")


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_value_of_a_host_commands_a_display(key: str, value: str) -> None:
    evil = DriftReport(
        hosts=(HostDrift(host=key or "x", at=DAYS[0], differences=(difference(key=key, before=value, after=f"{value}\x1b[31m\u202e"),)),)
    )
    for render in (drift_table, drift_markdown, drift_html):
        text = render(evil)
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script" not in drift_html(
        DriftReport(hosts=(HostDrift(host="<script>", at=DAYS[0], differences=(difference(after="<script>x"),)),))
    )


@given(st.lists(st.lists(st.integers(0, 50), min_size=5, max_size=5), min_size=1, max_size=4))
def test_bars_stay_inside_their_plot(counts: list[list[int]]) -> None:
    import re

    svg = bars_svg([Series(f"part {n}", part) for n, part in enumerate(counts)], DAYS, "plot")
    if not any(map(any, counts)):
        assert svg == ""
        return
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert box is not None
    for x, y, width, height in re.findall(r'<rect class="part [^"]*" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg):
        assert float(x) + float(width) <= float(box[1]) + 0.1
        assert float(y) + float(height) <= float(box[2]) + 0.1
    assert spark_svg(counts[0], DAYS, "high", "spark").count("<rect") == 5
