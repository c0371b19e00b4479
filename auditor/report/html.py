"""The report as one HTML file: no script, no request, a strict content security policy, readable in print and in the dark.

Every value passes `safe_text` and the template engine's escaping; a reference becomes a link only when it is a plain http(s) address.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Callable
from importlib.resources import files

import msgspec
from markupsafe import Markup

from auditor.model.finding import Edge, Evidence, Finding, HostCoverage, Product, Report, SectionCoverage
from auditor.model.rule import SEVERITIES
from auditor.report import acceptance, wording
from auditor.report.graph_pick import pick
from auditor.report.graph_svg import graph_svg
from auditor.report.statements import grouped, merged, own_evidence, supports
from auditor.report.text import clip, is_web_address, safe_text

VALUE_LIMIT = 600
HOSTS_OPEN = 40
"""Up to this many hosts, their sections of the page start opened."""


class HostPage(msgspec.Struct, frozen=True, kw_only=True):
    """What the page says of one host."""

    number: int
    """Its place in the report; anchors are made of it, not of the host's name."""
    coverage: HostCoverage
    sections: dict[str, SectionCoverage]
    full: bool
    findings: tuple[Finding, ...]
    undetermined: int
    products: tuple[Product, ...]
    drivers: dict[str, dict[str, str]]
    """Drivers that findings speak of, with the fields that they rest on."""
    edges: tuple[Edge, ...]


def render(report: Report) -> str:
    """The whole page, ending in a line feed."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("auditor.report", "templates"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= _filters()
    environment.tests["web"] = is_web_address
    style = files("auditor.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    page = environment.get_template("report.html.j2").render(**_view(report), style=Markup(style), policy=content_policy(style))  # noqa: S704 - our own file
    return page.rstrip("\n") + "\n"


def _filters() -> dict[str, Callable[..., object]]:
    return {
        "words": wording.status_words,
        "node": wording.node_words,
        "marks": wording.edge_marks,
        "sentence": wording.sentence,
        "yesno": _yes_no,
        "grouped": grouped,
        "merged": merged,
        "own_evidence": own_evidence,
        "supports": supports,
    }


def shown(value: object) -> object:
    """What the template prints for a value: safe text, markup of our own as it is."""
    if isinstance(value, Markup):
        return value
    return "" if value is None else safe_text(clip(str(value), VALUE_LIMIT))


def content_policy(style: str) -> str:
    """The content security policy of a page whose only style sheet this is: nothing else is loaded, run or sent."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _yes_no(value: bool | None) -> str:
    return "not known" if value is None else "yes" if value else "no"


def _view(report: Report) -> dict[str, object]:
    hosts = _host_pages(report)
    return {
        "report": report,
        "counts": wording.severity_counts(report.findings),
        "severities": SEVERITIES,
        "findings": wording.worst_first(report.findings),
        "alike": wording.alike,
        "undetermined": wording.worst_first(report.undetermined),
        "waits": wording.waits(report),
        "coverage_sentence": wording.coverage_sentence(report),
        "findings_sentence": wording.findings_sentence(report),
        "complete": wording.coverage_complete(report),
        "section_names": wording.section_order(report),
        "hosts": hosts,
        "hosts_open": len(hosts) <= HOSTS_OPEN,
        "graph": graph_svg(report),
        "left_out": pick(report).left_out,
        "unseen": wording.unseen,
        "why_in_part": wording.why_in_part,
        "rule_names": wording.rule_names,
        "waived_sentence": acceptance.waived_sentence(report),
        "waived_heads": acceptance.WAIVED_HEADS,
        "waived_row": acceptance.waived_row,
        "stale_heads": acceptance.STALE_HEADS,
        "stale_row": acceptance.stale_row,
    }


def _host_pages(report: Report) -> list[HostPage]:
    findings, undetermined = _by_host(report.findings), _by_host(report.undetermined)
    products: dict[str, list[Product]] = defaultdict(list)
    for product in report.products:
        products[product.host].append(product)
    edges: dict[str, list[Edge]] = defaultdict(list)
    for edge in report.edges:
        for end in dict.fromkeys((edge.source, edge.target)):
            edges[end].append(edge)
    return [
        HostPage(
            number=number,
            coverage=host,
            sections={s.name: s for s in host.sections},
            full=wording.seen_in_full(host),
            findings=tuple(wording.worst_first(findings[host.host])),
            undetermined=len(undetermined[host.host]),
            products=tuple(products[host.host]),
            drivers=_drivers_of_note(host.host, findings[host.host]),
            edges=tuple(edges[f"host:{host.host}"]),
        )
        for number, host in enumerate(report.coverage)
    ]


def _by_host(findings: tuple[Finding, ...]) -> dict[str, list[Finding]]:
    result: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        for host in dict.fromkeys(s.host for s in finding.subjects):
            result[host].append(finding)
    return result


def _drivers_of_note(host: str, findings: list[Finding]) -> dict[str, dict[str, str]]:
    drivers: dict[str, dict[str, str]] = {}
    for evidence in (e for finding in findings for e in _all_evidence(finding)):
        if evidence.host == host and evidence.section == "drivers":
            drivers.setdefault(evidence.record, {})[evidence.field or "seen"] = evidence.value
    return drivers


def _all_evidence(finding: Finding) -> list[Evidence]:
    return [*finding.evidence, *(e for edge in finding.edges for e in edge.evidence)]
