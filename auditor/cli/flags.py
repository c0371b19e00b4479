"""Options: those that exist everywhere, how each gets its environment variable, and the decorator that makes a function a verb."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

SHOWN_WITHOUT_ORIGIN = frozenset({"show_config", "help"})


class Everywhere(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the options that every verb takes."""

    inventory: tuple[Path, ...]
    limit: str | None
    store: str | None
    matrix: tuple[Path, ...]
    format: str | None
    output: tuple[str, ...]
    verbose: int


def flag(*names: str, **settings: Any) -> click.Option:
    """An option that also reads AUDITOR_<FLAG>; a default is shown in the help."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "AUDITOR_" + long.lstrip("-").upper().replace("-", "_")
    return click.Option(list(names), envvar=variable, **({"show_default": "default" in settings} | settings))


def everywhere_options(*, plain: bool = False) -> list[click.Parameter]:
    """The options that every verb takes. `plain`: for a group, which hands them on and reads no environment."""
    path = click.Path(path_type=Path)
    options = [
        flag("-i", "--inventory", type=path, multiple=True, metavar="PATH", help="Ansible inventory (file or folder); may be repeated."),
        flag("--limit", metavar="PATTERN", help="Only these hosts, in Ansible's patterns."),
        flag("--store", metavar="FILE|URL", help="Where snapshots and reports are kept.  [default: in the user's data folder]"),
        flag(
            "--matrix", type=path, multiple=True, metavar="DIR", help="Own rules and signatures, beside the shipped ones; may be repeated."
        ),
        flag("--format", metavar="FORMAT", help="What is printed on standard output: table, json, ..."),
        flag("--output", multiple=True, metavar="FORMAT:FILE", help="Also write this format to a file; may be repeated."),
        flag("-v", "--verbose", count=True, help="More log on standard error; twice for all of it, and traces of errors."),
        flag(
            "--config",
            type=path,
            metavar="FILE",
            help="TOML file of option values.",
            is_eager=True,
            expose_value=False,
            callback=_read_config,
        ),
        flag("--show-config", is_flag=True, help="Show each value with its origin, and stop."),
    ]
    if plain:
        for option in options:
            option.envvar, option.callback, option.expose_value = None, None, False
    return list(options)


def _read_config(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        from auditor.cli.config import config_values

        context.default_map = config_values(value, context)
        context.meta["auditor.config"] = value


def verb(name: str, *own: click.Parameter) -> Callable[[Callable[..., int]], click.Command]:
    """Makes a function a verb: `function(every: Everywhere, **own)` gives the exit code; its docstring is the help."""

    def decorate(function: Callable[..., int]) -> click.Command:
        @functools.wraps(function)
        def call(**values: Any) -> int:
            show = values.pop("show_config")
            every = Everywhere(**{field: values.pop(field) for field in Everywhere.__struct_fields__})
            if show:
                from auditor.cli.config import show_config

                return show_config(click.get_current_context(), every)
            start_log(every.verbose)
            return function(every, **values)

        text = (function.__doc__ or "").strip()
        return click.Command(
            name, callback=call, params=[*own, *everywhere_options()], help=text, context_settings={"max_content_width": 120}
        )

    return decorate


def start_log(verbose: int) -> None:
    """Sends the log to standard error: warnings, with -v what happens, with -vv everything."""
    import logging

    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.basicConfig(level=level, stream=sys.stderr, format="auditor: %(levelname)s: %(message)s")
    if verbose < 3:
        for chatty in ("urllib3", "requests", "spnego", "requests_ntlm", "winrm"):
            logging.getLogger(chatty).setLevel(max(level, logging.INFO))
