"""What is told and what is not: findings by their lives, hosts by whether they were seen; and the lines and figures for machines."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.rules.lives import advance, run_view
from auditor.model.case import Case
from auditor.model.change import FindingLife
from auditor.model.finding import Finding, HostCoverage, Report, Run, Subject, Verdict
from auditor.model.host import Status
from auditor.model.notice import Notice, NoticeItem, for_reader
from auditor.report.notice import html, plain, subject
from auditor.watch.journal import encoded
from auditor.watch.memory import WatchState
from auditor.watch.metrics import Figures, exposition
from auditor.watch.news import finding_news, host_news

NOW = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)


def finding(name: str, host: str = "SRVA", verdict: Verdict = "violated") -> Finding:
    id_ = f"{name:0<16}"
    subjects = (Subject(role="host", host=host),)
    return Finding(id=id_, rule=name, title=f"Trouble {name}", verdict=verdict, severity="high", confidence="probable", subjects=subjects)


def report(day: int, *names: str, unseen: dict[str, Status] | None = None, undetermined: tuple[str, ...] = ()) -> Report:
    coverage = [
        HostCoverage(host=host, status=(unseen or {}).get(host, "ok"), reason="no answer" if host in (unseen or {}) else "")
        for host in ("SRVA", "SRVB")
    ]
    return Report(
        run=Run(id=f"r{day}", started_at=f"2026-11-{day:02}T01:00:00Z", auditor="0.1", matrix_digest="m", rules=3),
        coverage=tuple(coverage),
        findings=tuple(finding(name) for name in names),
        undetermined=tuple(finding(name, verdict="undetermined") for name in undetermined),
    )


class Months:
    """Rounds one after the other, with the lives that the store would keep."""

    def __init__(self) -> None:
        self.lives: dict[str, FindingLife] = {}
        self.state = WatchState()
        self.day = 0

    def other_run(self, *names: str, waived: tuple[str, ...] = (), **more: Any) -> Report:
        """A run that the watch does not make."""
        self.day += 1
        found = report(self.day, *names, **more)
        view = run_view(found, rules=["a", "b", "c"], waived=[finding(name).id for name in waived])
        self.lives |= {life.id: life for life in advance(self.lives, view)}
        return found

    def round(self, *names: str, **more: Any) -> list[tuple[str, str]]:
        """A round; what it tells, as kind and rule."""
        found = self.other_run(*names, **more)
        items, self.state = finding_news(self.state, self.lives, found)
        return [(item.kind, item.rule) for item in items]


def test_a_finding_is_told_when_it_is_new_fixed_and_back_and_never_else() -> None:
    months = Months()
    assert months.round("a", "b") == [("new", "a"), ("new", "b")]
    assert months.round("a", "b") == []
    assert months.round("b") == [("fixed", "a")]
    assert months.round("b") == []
    assert months.round("a", "b") == [("back", "a")]
    assert months.round("a", "b") == []


def test_what_could_not_be_decided_is_neither_fixed_nor_new() -> None:
    months = Months()
    months.round("a")
    assert months.round(undetermined=("a",)) == []
    assert months.round(unseen={"SRVA": "failed"}) == []
    assert months.round("a") == []
    assert months.round() == [("fixed", "a")]


def test_what_other_runs_found_meanwhile_is_told_once() -> None:
    months = Months()
    months.other_run("a")
    months.other_run("a", "b")
    assert months.round("a", "b") == [("new", "a"), ("new", "b")]
    months.other_run()
    assert months.round("a", "b") == [("back", "a"), ("back", "b")]
    months.other_run()
    assert months.round() == [("fixed", "a"), ("fixed", "b")]


def test_what_is_waived_is_not_told_until_it_no_longer_is() -> None:
    months = Months()
    assert months.round("a", waived=("a",)) == []
    assert months.round("a") == [("new", "a")]
    assert months.round("a", waived=("a",)) == []
    assert months.round("a") == [("new", "a")]


def test_a_finding_that_comes_back_says_how_often() -> None:
    months = Months()
    for names in (("a",), (), ("a",), ()):
        months.round(*names)
    found = months.other_run("a")
    (item,), _ = finding_news(months.state, months.lives, found)
    assert item.text[0] == "It was fixed 2026-11-04T01:00:00Z, and is there for the 3rd time since 2026-11-01T01:00:00Z."
    assert item.next_step == f"auditor explain {finding('a').id}"


def test_a_host_that_is_lost_is_told_once_and_once_when_it_is_back() -> None:
    state = WatchState()
    items, state = host_news(state, report(1))
    assert items == []
    items, state = host_news(state, report(2, unseen={"SRVB": "timed_out"}))
    assert [(item.kind, item.hosts, item.text) for item in items] == [("unseen", ("SRVB",), ("no answer",))]
    items, state = host_news(state, report(3, unseen={"SRVB": "failed"}))
    assert items == []
    items, state = host_news(state, report(4))
    assert [(item.kind, item.hosts) for item in items] == [("seen_again", ("SRVB",))]
    assert state.unseen == {}


def test_a_host_that_was_never_seen_is_coverage_and_no_news() -> None:
    items, _ = host_news(WatchState(), report(1, unseen={"SRVB": "denied"}))
    assert items == []


ITEMS = st.builds(
    NoticeItem,
    kind=st.sampled_from(["new", "back", "unseen", "case_recurred"]),
    title=st.text(),
    severity=st.sampled_from([None, "low", "critical"]),
    hosts=st.lists(st.text(), max_size=3).map(tuple),
    text=st.lists(st.text(), max_size=3).map(tuple),
)


@given(st.lists(ITEMS, min_size=1, max_size=5).map(tuple), st.text())
def test_no_text_of_a_host_leaves_its_place(items: tuple[NoticeItem, ...], name: str) -> None:
    notice = Notice(id="n", at="2026-11-26T01:00:00Z", name=name, items=items)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", subject(notice))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain(notice))
    page = html(notice)
    assert page.count("<h3>") == len(items)
    assert not re.search(r"<(?!/?(?:html|head|meta|title|body|p|h3|ul|li)\b|!DOCTYPE)", page)


def test_a_long_notice_is_cut_and_says_so() -> None:
    items = tuple(NoticeItem(kind="new", title=f"Trouble {n}", severity="low", hosts=tuple(f"H{h}" for h in range(50))) for n in range(150))
    text = plain(Notice(id="n", at="x", name="plant", items=items))
    assert "And 50 more" in text
    assert "and 30 more" in text


def test_readers_get_kinds_and_severities_that_they_want() -> None:
    items = (
        NoticeItem(kind="new", title="1", severity="low"),
        NoticeItem(kind="case_recurred", title="2"),
        NoticeItem(kind="fixed", title="3", severity="high"),
    )
    notice = Notice(id="n", at="x", name="plant", items=items)
    wanted = for_reader(notice, ("new", "case_recurred"), "high")
    assert wanted is not None
    assert [item.title for item in wanted.items] == ["2"]
    assert for_reader(notice, (), "informational") == notice
    assert for_reader(notice, ("back",), "low") is None


@given(st.text(), st.integers(-(2**53), 2**53))
def test_a_line_of_the_journal_is_one_line_of_plain_json(text: str, number: int) -> None:
    line = encoded({"event": text, "count": number, "hosts": [text]})
    assert re.fullmatch(r"[\x20-\x7e]*", line)
    assert json.loads(line) == {"event": text, "count": number, "hosts": [text]}


def _samples(text: str) -> dict[str, float]:
    """The samples of an exposition, read as its grammar says."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(
                r'([a-z_]+(?:\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\})?) ([0-9.e+-]+)', line
            )
            assert match, line
            found[match.group(1)] = float(match.group(2))
    return found


def test_the_figures_are_what_prometheus_reads() -> None:
    months = Months()
    months.other_run("a", "b")
    case = Case(id="c", title="t", opened_at="x", since="x", hosts=("SRVA",), conditions=(), days=1)
    figures = Figures(
        at=NOW,
        seconds=12.5,
        worked=True,
        rounds=3,
        missed=1,
        pending=2,
        next_due=NOW,
        report=report(1, "a", "b", unseen={"SRVB": "failed"}),
        lives=tuple(months.lives.values()),
        cases=(case, msgspec.structs.replace(case, state="escalated")),
    )
    text = exposition(figures)
    samples = _samples(text)
    assert samples["auditor_watch_last_round_timestamp_seconds"] == NOW.timestamp()
    assert samples['auditor_findings{severity="high"}'] == 2
    assert samples['auditor_hosts{status="failed"}'] == 1
    assert samples['auditor_findings_by_state{severity="high",state="open"}'] == 2
    assert samples['auditor_cases{state="escalated"}'] == 1
    names = re.findall(r"^# TYPE ([a-z_]+) (?:gauge|counter)$", text, re.MULTILINE)
    assert len(names) == len(set(names))
    assert {name.partition("{")[0] for name in samples} == set(names)
    assert text.endswith("\n")


def test_a_round_that_failed_tells_no_zeros() -> None:
    text = exposition(Figures(at=NOW, seconds=1, worked=False, rounds=1, missed=0, pending=0))
    assert _samples(text)["auditor_watch_last_round_success"] == 0
    assert "auditor_findings" not in text


@pytest.mark.parametrize("number", [0, 1, 0.5, 1e12, 3.14159])
def test_numbers_are_written_without_loss_that_matters(number: float) -> None:
    samples = _samples(exposition(Figures(at=NOW, seconds=number, worked=True, rounds=0, missed=0, pending=0)))
    assert samples["auditor_watch_last_round_seconds"] == pytest.approx(number, abs=0.001)
