"""Differences and history as HTML pages of one file each: no script, no request, a strict content security policy."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from markupsafe import Markup

from auditor.model.change import DIFFERENCE_CLASSES, DriftReport
from auditor.model.history import FleetHistory, HostHistory, ProductSpread, RoleTrend
from auditor.report import drift_words
from auditor.report.html import content_policy, shown
from auditor.report.plots import Series, bars_svg, legend, spark_svg

MOST_VERSIONS = 8
"""Versions of a product with a look of their own; the rest is counted as others."""


def drift_html(report: DriftReport) -> str:
    """A page of differences, ending in a line feed."""
    return _page("drift.html.j2", report=report, classes=DIFFERENCE_CLASSES)


def host_history_html(history: HostHistory) -> str:
    """A page of one host over time."""
    ticks = [line.at for line in history.states]
    series = [
        Series("unexplained", [line.unexplained for line in history.states], "unexplained"),
        Series("expected or back to baseline", [line.differences - line.unexplained for line in history.states], "expected"),
    ]
    plot = bars_svg(series, ticks, "Differences in each snapshot")
    changes = sorted(history.differences, key=lambda difference: difference.since or "", reverse=True)
    return _page("host_history.html.j2", history=history, changes=changes, plot=plot, legend=legend(series) if plot else Markup(""))


def fleet_history_html(history: FleetHistory) -> str:
    """A page of the fleet over time."""
    ticks = [point.at for point in history.runs]
    names = list(history.runs[-1].findings) if history.runs else []
    severities = [Series(name, [point.findings.get(name, 0) for point in history.runs], name) for name in names]
    return _page(
        "fleet_history.html.j2",
        history=history,
        findings=bars_svg(severities, ticks, "Findings of each run by severity"),
        findings_legend=legend(severities) if severities else Markup(""),
        rules=[(rule, spark_svg(rule.counts, ticks, rule.severity, f"Findings of {rule.rule} in each run")) for rule in history.rules],
        products=[(product, *_spread(product, ticks)) for product in history.products],
        roles=[(role, *_drift(role)) for role in history.roles],
    )


def _spread(product: ProductSpread, ticks: list[str]) -> tuple[Markup, Markup]:
    ranked = sorted(product.versions.items(), key=lambda item: (-sum(item[1]), item[0]))
    series = [Series(version or "version not known", counts) for version, counts in ranked[: MOST_VERSIONS - 1]]
    rest = [counts for _, counts in ranked[MOST_VERSIONS - 1 :]]
    if rest:
        series.append(Series("others", [sum(counts[place] for counts in rest) for place in range(len(ticks))]))
    return bars_svg(series, ticks, f"Versions of {product.name} in each run"), legend(series)


def _drift(role: RoleTrend) -> tuple[Markup, Markup, Markup]:
    """Changes between snapshots, their legend, and the differences from the role's baseline."""
    ticks = [point.at for point in role.points]
    series = [
        Series("unexplained", [point.unexplained for point in role.points], "unexplained"),
        Series("back to baseline", [point.back_to_baseline for point in role.points], "back_to_baseline"),
        Series("expected", [point.expected for point in role.points], "expected"),
    ]
    known = [point for point in role.points if point.off is not None]
    off = [Series("differences from the baseline", [point.off or 0 for point in known], "unexplained")]
    plot = bars_svg(series, ticks, f"Changes on hosts of {role.role}")
    standing = bars_svg(off, [point.at for point in known], f"Differences from the baseline of {role.role}") if known else Markup("")
    return plot, legend(series) if plot else Markup(""), standing


def _page(template: str, **view: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("auditor.report", "templates"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "value": drift_words.value_words,
        "field": drift_words.field_words,
        "against": drift_words.against_words,
        "since": drift_words.since_words,
        "life": drift_words.life_words,
        "state": drift_words.STATE_WORDS.__getitem__,
        "class_name": drift_words.CLASS_WORDS.__getitem__,
        "concern": drift_words.CONCERN_WORDS.get,
        "unseen": drift_words.not_compared_words,
        "ordered": drift_words.ordered,
        "drift_sentence": drift_words.drift_sentence,
    }
    folder = files("auditor.report").joinpath("templates")
    style = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "drift.css"))
    page = environment.get_template(template).render(**view, style=Markup(style), policy=content_policy(style))  # noqa: S704 - our own files
    return page.rstrip("\n") + "\n"
