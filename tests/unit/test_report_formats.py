"""Every format against its expected report, and against a host that wants its names to be run, clicked or believed."""

from __future__ import annotations

import csv
import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from auditor.model.errors import UsageError
from auditor.model.finding import Evidence, Finding, HostCoverage, Report
from auditor.report import format_names, renderer

TESTS = Path(__file__).parents[1]
HOSTILE = (
    "<script>alert(1)</script>\x1b]8;;http://evil.example\x07link\x1b[2J\u202egpj.exe[bold]x[/bold]"
    "[click](javascript:x)`=cmd|'/c calc'!A0`\"><img src=x onerror=y>{{ 7*7 }}\n| cell"
)
FORMATS = ("csv", "html", "json", "markdown", "table")


def incident() -> Report:
    """The report that the golden files are of."""
    return msgspec.json.decode((TESTS / "samples" / "report_incident.json").read_bytes(), type=Report)


def hostile() -> Report:
    """The same report where every text that a host or an inventory could choose is hostile."""
    report = incident()
    evidence = Evidence(host=HOSTILE, section="drivers", record=HOSTILE, field="file_version", value=HOSTILE)
    edge = msgspec.structs.replace(
        report.edges[0], source=f"host:{HOSTILE}", target=f"name:{HOSTILE}", claimant=HOSTILE, detail=HOSTILE, evidence=(evidence,)
    )
    subjects = tuple(msgspec.structs.replace(s, host=HOSTILE) for s in report.findings[0].subjects)
    finding = msgspec.structs.replace(
        report.findings[0],
        subjects=subjects,
        summary=HOSTILE,
        evidence=(evidence,),
        edges=(edge,),
        references=("javascript:alert(1)", HOSTILE),
    )
    unsure = msgspec.structs.replace(report.undetermined[0], subjects=subjects[:1], missing=(HOSTILE,))
    sections = tuple(msgspec.structs.replace(s, status="failed", reason=HOSTILE) for s in report.coverage[0].sections)
    host = HostCoverage(host=HOSTILE, status="partial", reason=HOSTILE, next_step=HOSTILE, transport=HOSTILE, sections=sections)
    product = msgspec.structs.replace(report.products[0], host=HOSTILE, name=HOSTILE, version=HOSTILE, parent=HOSTILE, group=HOSTILE)
    return msgspec.structs.replace(
        report, coverage=(host,), findings=(finding,), undetermined=(unsure,), products=(product,), edges=(edge,), unresolved=(HOSTILE,)
    )


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_the_expected_report(name: str) -> None:
    golden = TESTS / "golden" / f"report.{name}"
    text = renderer(name)(incident())
    if os.environ.get("AUDITOR_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8", newline="")
    assert text == golden.read_bytes().decode("utf-8")


def test_the_formats_are_the_files_that_can_render() -> None:
    assert format_names() == FORMATS


def test_an_unknown_format_is_wrong_usage_and_names_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        renderer("pdf")
    assert "markdown" in caught.value.next_step


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_hostile_reaches_a_terminal(name: str) -> None:
    text = renderer(name)(hostile())
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)


def test_json_says_the_same_data_with_escapes() -> None:
    assert msgspec.json.decode(renderer("json")(hostile()), type=Report) == hostile()


class _Page(HTMLParser):
    """Counts what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.stack: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br", "path", "use", "rect", "circle"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.stack and self.stack[-1] == tag:
            self.stack.pop()


def _page(report: Report) -> _Page:
    page = _Page()
    page.feed(renderer("html")(report))
    return page


@pytest.mark.parametrize("report", [incident(), hostile()], ids=["incident", "hostile"])
def test_a_page_holds_no_script_and_asks_for_nothing(report: Report) -> None:
    page = _page(report)
    assert not {"script", "img", "iframe", "object", "embed", "link", "form", "base"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "srcset", "style")]
    assert all(value is not None and re.match(r"#|https?://", value) for name, value in page.attributes if name == "href")
    assert page.stack == []


def test_a_hostile_page_has_no_tag_more_than_its_content_needs() -> None:
    assert "{{ 7*7 }}" in renderer("html")(hostile())
    assert "javascript:alert" not in [value for name, value in _page(hostile()).attributes if name == "href"]


def test_the_policy_allows_the_one_style_and_nothing_else() -> None:
    text = renderer("html")(incident())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert re.fullmatch(
        r"default-src &#39;none&#39;; style-src &#39;sha256-[A-Za-z0-9+/=]+&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;",
        policy.group(1),
    )


def test_ids_of_a_page_are_unique_and_links_inside_it_lead_somewhere() -> None:
    page = _page(incident())
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for name, value in page.attributes if name == "href" and value and value.startswith("#")} <= set(ids)


def test_no_spreadsheet_cell_of_a_host_is_a_formula() -> None:
    report = incident()
    finding: Finding = msgspec.structs.replace(report.findings[0], summary="=cmd|'/c calc'!A0")
    rows = list(csv.reader(io.StringIO(renderer("csv")(msgspec.structs.replace(report, findings=(finding,))))))
    assert all(not cell.startswith(("=", "+", "@")) for row in rows for cell in row)


def test_a_report_without_findings_says_how_little_that_means() -> None:
    report = msgspec.structs.replace(incident(), findings=())
    assert "no proof that nothing is wrong" in renderer("html")(report)
    assert "No findings" in renderer("table")(report)


def test_a_report_of_nothing_renders_in_every_format() -> None:
    empty = msgspec.structs.replace(incident(), coverage=(), findings=(), undetermined=(), products=(), edges=(), unresolved=())
    for name in FORMATS:
        assert renderer(name)(empty)
