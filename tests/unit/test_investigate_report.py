"""The page to hand over: everything in it, nothing of a host's texts alive in it, a picture whose marks lie inside it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import datetime
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.model.finding import Evidence, HostCoverage
from auditor.model.hypothesis import LANES, Entry, Hypothesis, Investigation, Line, Moment, Remedy, Tie, Wave, WaveHost, WavesDocument
from auditor.report import investigation, investigation_html, investigation_markdown, waves
from auditor.report.investigation_svg import LEFT, WIDTH, timeline_svg

BAD = "<script>alert(1)</script>\x1b[31m\u202e|`@all` [x](http://evil.example)\n# head"


def document(text: str = "srv", times: tuple[str, ...] = ("2005-11-08T11:00:00Z", "2005-11-08T11:02:40Z")) -> Investigation:
    at = Evidence(host=text, section="drivers", record=text, field="state", value=text)
    line = Line(sign="x", text=text, points=35, why=text, evidence=(at,))
    answer = Hypothesis(
        id="a",
        title=text,
        subject=text,
        score=68,
        confidence="suspected",
        limits=(text,),
        speaks_for=(line,),
        against=(line,),
        missing=(line,),
        settle=(text,),
    )
    return Investigation(
        host=text,
        auditor="1",
        matrix_digest="0" * 64,
        hypotheses_digest="1" * 64,
        moment=Moment(time="2005-11-08T11:03:12Z", local="2005-11-08T19:03:12", source="event_text", notes=(text,)),
        proximate=(msgspec.structs.replace(answer, confidence="confirmed"),),
        trigger=(answer,),
        timeline=tuple(
            Entry(time=t, host=text, lane=LANES[i % len(LANES)], text=text, evidence=at, planned=i == 0) for i, t in enumerate(times)
        ),
        ties=(Tie(host=text, reasons=(text,), seen=True),),
        steps=(text,),
        remedies=(Remedy(finding="f", rule="r", title=text, resolution=text, remedy=None, confidence="suspected"),),
        coverage=(HostCoverage(host=text, status="ok", reason=text),),
        notes=(text,),
    )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)


@pytest.mark.parametrize("text", ["srv-a", BAD])
def test_the_page_runs_and_loads_nothing(text: str) -> None:
    page = investigation_html.render(document(text))
    tags = _Tags()
    tags.feed(page)
    assert not {"script", "iframe", "img", "link", "object"} & tags.tags
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "default-src &#39;none&#39;" in page
    for title in ("Timeline", "Next steps", "Remedy", "Speaks for it", "Speaks against it", "Missing", "Would settle it"):
        assert title in page


def test_markdown_keeps_hosts_texts_dead() -> None:
    page = investigation_markdown.render(document(BAD))
    assert "\x1b" not in page
    assert not re.search(r"(?<!\\)\]\(http", re.sub(r"(`+).*?[^`]\1(?!`)", "", page))
    assert "<script" not in re.sub(r"(`+).*?[^`]\1(?!`)", "", page)
    assert not re.search(r"^# head", page, re.MULTILINE)


def test_the_table_tells_both_answers_and_why_on_request() -> None:
    plain, told = (investigation.render(document(BAD), why=why) for why in (False, True))
    assert "\x1b" not in told
    assert "confirmed" in plain
    assert "+35 (x, recorded)" in told
    assert "+35 (x, recorded)" not in plain


@settings(max_examples=40)
@given(st.lists(st.datetimes(min_value=datetime(2005, 11, 8), max_value=datetime(2005, 11, 20)), min_size=1, max_size=30))
def test_every_mark_of_the_picture_lies_inside_it(moments: list[datetime]) -> None:
    times = tuple(moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in moments)
    root = ET.fromstring(str(timeline_svg(document(times=times))))
    marks = [item for item in root if "mark" in (item.get("class") or "").split()]
    assert len(marks) == len(times)
    for mark in marks:
        x = float(mark.get("cx") or (mark.get("points") or "").split(",")[0])
        assert LEFT - 7 <= x <= WIDTH


def test_without_a_moment_there_is_no_picture_and_no_error() -> None:
    bare = msgspec.structs.replace(document(), moment=None, timeline=(), crash=None)
    assert str(timeline_svg(bare)) == ""
    for render in (investigation.render, investigation_html.render, investigation_markdown.render):
        assert "no unexpected restart was found" in render(bare)


def test_waves_are_told_with_their_spread() -> None:
    wave = Wave(
        key=BAD,
        first_seen="a",
        last_seen="b",
        hosts=(WaveHost(host=BAD, times=("t",)),),
        exposed=(WaveHost(host="e"),),
        unknown=(BAD,),
        reasons=(BAD,),
    )
    text = waves.render(WavesDocument(window_hours=72, waves=(wave,), hosts=3))
    assert "exposed  e runs the same build" in text
    assert "\x1b" not in text
    assert "No crash is known of 3 hosts" in waves.render(WavesDocument(window_hours=72, hosts=3))
