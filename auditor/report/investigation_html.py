"""An investigation as one HTML page to hand over: answers, timeline with its picture, evidence, next steps. No script, no request."""

from __future__ import annotations

from importlib.resources import files

from markupsafe import Markup

from auditor.model.hypothesis import Entry, Investigation
from auditor.report.html import content_policy, shown
from auditor.report.investigation import QUESTIONS, moment_words, place
from auditor.report.investigation_svg import timeline_svg

RECORDED, DUE = 6, 2
"""Entries that stand in words below the picture: what was recorded, and what only a schedule says."""


def render(found: Investigation) -> str:
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
    environment.filters["place"] = place
    templates = files("auditor.report").joinpath("templates")
    style = "".join(templates.joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "investigation.css"))
    questions = [(title, getattr(found, name)) for name, title in QUESTIONS]
    page = environment.get_template("investigation.html.j2").render(
        found=found,
        when=moment_words(found.moment),
        questions=questions,
        picture=timeline_svg(found),
        nearest=_nearest(found),
        style=Markup(style),  # noqa: S704 - our own files
        policy=content_policy(style),
    )
    return page.rstrip("\n") + "\n"


def _nearest(found: Investigation) -> list[Entry]:
    """The entries that came last before the moment, and the moment's own, in order: the picture's right half in words."""
    if found.moment is None:
        return []
    before = [entry for entry in found.timeline if entry.time <= found.moment.time]
    recorded = [entry for entry in before if not entry.planned][-RECORDED:]
    due = [entry for entry in before if entry.planned][-DUE:]
    return [entry for entry in before if entry in recorded or entry in due]
