"""`auditor diff` and `auditor history`: what changed, against what, since when, and whether it was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.say import Outputs, width
from auditor.model.change import BASELINE_KINDS, BaselineKind, DriftReport, HostDrift
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.history import Known
    from auditor.store import Store, StoredState

FORMATS = ("table", "json", "markdown", "html")
EVERYONE = "all"


def known(every: Everywhere) -> Known:
    """What differences are judged by, from the shipped folder and those of --matrix."""
    from auditor.cli.matrix import folders, load
    from auditor.history import load_known

    return load_known(folders(every), load(every).signatures)


@verb(
    "diff",
    click.Argument(["host"]),
    click.Argument(["from_"], metavar="[FROM]", required=False),
    click.Argument(["to"], metavar="[TO]", required=False),
    flag(
        "--against",
        type=click.Choice(BASELINE_KINDS),
        multiple=True,
        metavar="BASELINE",
        help="Only these: previous, role, accepted, peers; may be repeated.  [default: all]",
    ),
    flag("--unexplained", is_flag=True, help="Only differences that nothing explains."),
)
def diff(every: Everywhere, host: str, from_: str | None, to: str | None, against: tuple[str, ...], unexplained: bool) -> int:
    """Show how HOST differs from its snapshot before, its role, its accepted state and its peers.

    HOST is a host, an inventory group, or `all`. FROM and TO are runs or times (2026-11-26, 2026-11-26T01:00:00Z); without them the
    last two snapshots are compared. Exits with 2 where something is unexplained, 3 where something could not be compared, 4 for both.
    """
    from auditor.report.drift_html import drift_html
    from auditor.report.drift_markdown import drift_markdown
    from auditor.report.drift_table import drift_table
    from auditor.report.json_ import json_text
    from auditor.store import default_path, open_store

    outputs = Outputs.plan(every, FORMATS)
    baselines = tuple(cast("BaselineKind", name) for name in against) or BASELINE_KINDS
    judged_by = known(every)
    with open_store(every.store or default_path(), write=False) as store:
        drifts = _drifts(store, judged_by, (host, from_, to), baselines)
    report = DriftReport(hosts=tuple(_chosen(drift, unexplained=unexplained) for drift in drifts), baselines=baselines)
    outputs.emit(
        {
            "table": lambda: drift_table(report, width()),
            "json": lambda: json_text(report),
            "markdown": lambda: drift_markdown(report),
            "html": lambda: drift_html(report),
        }
    )
    outputs.say_files()
    return _code(report)


def _code(report: DriftReport) -> int:
    odd = any(d.class_ == "unexplained" for drift in report.hosts for d in drift.differences)
    blind = any(drift.not_compared for drift in report.hosts)
    return {(False, False): 0, (True, False): 2, (False, True): 3, (True, True): 4}[odd, blind]


def _chosen(drift: HostDrift, *, unexplained: bool) -> HostDrift:
    import msgspec

    if not unexplained:
        return drift
    return msgspec.structs.replace(drift, differences=tuple(d for d in drift.differences if d.class_ == "unexplained"))


def _drifts(
    store: Store, judged_by: Known, asked: tuple[str, str | None, str | None], baselines: tuple[BaselineKind, ...]
) -> list[HostDrift]:
    from auditor.history import Comparer, among_for, fleet_drift

    host, from_, to = asked
    newest = store.latest_states(1)
    names = [state.host for state in newest]
    if host not in names:
        members = [s.host for s in newest if host == EVERYONE or host in s.groups]
        if not members:
            raise UsageError(f"the store holds no host and no group {host!r}", next_step=_near(host, names))
        if from_ is not None:
            raise UsageError("FROM and TO are for one host", next_step=f"For example `auditor diff {members[0]} {from_}`.")
        return list(fleet_drift(store, judged_by, members, baselines))
    states = store.states(host)
    end = states[0] if to is None else _state(store, states, to)
    start = None if from_ is None else _state(store, states, from_)
    if start is not None and start.collected_at > end.collected_at:
        raise UsageError(f"{from_} lies after {to or 'the last snapshot'}", next_step="FROM is the earlier one.")
    among = among_for(store, judged_by, newest, end) if "peers" in baselines else None
    drift = Comparer(store, judged_by, baselines).host(states[states.index(end) :], among, start)
    return [drift if to is not None else _with_failure(store, drift)]


def _with_failure(store: Store, drift: HostDrift) -> HostDrift:
    """Says so where the host was asked later and did not answer: the compared state may not be that of today."""
    import msgspec

    for last in store.latest_results([drift.host]):
        if last.result.snapshot is None:
            note = f"the last collection failed ({last.result.reason or last.result.status}): this is the last state that was seen"
            return msgspec.structs.replace(drift, notes=(*drift.notes, note))
    return drift


def _near(host: str, names: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(host, names, n=3)
    return f"Near to it: {', '.join(near)}." if near else "`auditor report --list` shows the runs; `all` is every host."


def _state(store: Store, states: list[StoredState], text: str) -> StoredState:
    """The snapshot of a run, or the last one at or before a time."""
    import re

    for state in states:
        if state.run == text:
            return state
    if any(run.id == text for run in store.runs()):
        raise UsageError(f"run {text} collected no snapshot of {states[0].host}", next_step="`auditor history HOST` lists its snapshots.")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}Z)?", text):
        step = "Give the id of a run, a date (2026-11-26) or a time in UTC (2026-11-26T01:00:00Z)."
        raise UsageError(f"{text!r} is no run of the store and no time", next_step=step)
    until = text if "T" in text else f"{text}T23:59:59Z"
    found = next((state for state in states if state.collected_at <= until), None)
    if found is None:
        oldest = states[-1].collected_at
        raise UsageError(f"there is no snapshot of {states[0].host} at or before {text}", next_step=f"The oldest is of {oldest}.")
    return found


@verb(
    "history",
    click.Argument(["host"], required=False),
    flag("--runs", type=click.IntRange(1), default=30, help="Without HOST: how many of the last runs are looked at."),
)
def history(every: Everywhere, host: str | None, runs: int) -> int:
    """Show what changed on HOST and the lives of its findings; without HOST, trends of rules, products and roles over the fleet."""
    from auditor.report.json_ import json_text
    from auditor.store import default_path, open_store
    from auditor.trends import fleet_history, host_history

    outputs = Outputs.plan(every, FORMATS)
    judged_by = known(every)
    with open_store(every.store or default_path(), write=False) as store:
        found: Any = fleet_history(store, judged_by, runs) if host is None else host_history(store, judged_by, host)
    outputs.emit({**_pages(found, fleet=host is None), "json": lambda: json_text(found)})
    outputs.say_files()
    return 0


def _pages(found: Any, *, fleet: bool) -> dict[str, Any]:
    from auditor.report import drift_html, drift_markdown, drift_table

    if fleet:
        return {
            "table": lambda: drift_table.fleet_history_table(found, width()),
            "markdown": lambda: drift_markdown.fleet_history_markdown(found),
            "html": lambda: drift_html.fleet_history_html(found),
        }
    return {
        "table": lambda: drift_table.host_history_table(found, width()),
        "markdown": lambda: drift_markdown.host_history_markdown(found),
        "html": lambda: drift_html.host_history_html(found),
    }
