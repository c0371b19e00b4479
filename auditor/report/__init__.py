"""Formats of a report: one file a format, found by looking into this folder. Pure: a `Report` in, text out; nothing is written here.

A module of this folder is a format when it has a function `render(report: Report) -> str`; its name without a trailing underscore is
the format's name. Text that comes from a host passes `text.safe_text` (or what a format builds on it) before it is shown.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import cast

from auditor.model.errors import UsageError
from auditor.model.finding import Report

Renderer = Callable[[Report], str]


def format_names() -> tuple[str, ...]:
    """Names of the formats that exist, sorted."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(name.rstrip("_") for name in names if _renders(importlib.import_module(f"{__name__}.{name}")))


def _renders(module: ModuleType) -> bool:
    render = getattr(module, "render", None)
    return render is not None and "report" in getattr(render, "__annotations__", {})


def renderer(name: str) -> Renderer:
    """The function that renders a report in this format. Raises UsageError for a format that does not exist."""
    if name not in format_names():
        raise UsageError(f"there is no report format {name!r}", next_step=f"Formats: {', '.join(format_names())}.")
    modules = {module.name.rstrip("_"): module.name for module in pkgutil.iter_modules(__path__)}
    return cast("Renderer", importlib.import_module(f"{__name__}.{modules[name]}").render)
