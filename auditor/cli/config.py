"""The configuration file (TOML) as values of options, and where each value of a command line came from."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

import click

from auditor.cli.flags import SHOWN_WITHOUT_ORIGIN, Everywhere
from auditor.model.errors import InputFileError, Problem

ORIGINS = {"COMMANDLINE": "flag", "ENVIRONMENT": "environment", "DEFAULT_MAP": "config", "DEFAULT": "default"}


def config_values(file: Path, context: click.Context) -> dict[str, Any]:
    """Values for the options of a verb: those at the top of the file, then those of the table named like the verb.

    Keys are the names of flags (`host-deadline`). Raises InputFileError with all keys that no verb knows.
    """
    tables = _read(file)
    names = context.command_path.split()[1:]
    own = tables
    for name in names:
        own = own.get(name, {}) if isinstance(own.get(name, {}), dict) else {}
    flat = {key: value for key, value in tables.items() if not isinstance(value, dict)} | {
        key: value for key, value in own.items() if not isinstance(value, dict)
    }
    known = {parameter.name for parameter in context.command.params if parameter.name}
    values = {_name(key): value for key, value in flat.items() if _name(key) in known}
    _refuse_unknown(file, tables, context)
    return values


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputFileError(f"the configuration {file} can't be read: {error.strerror}", (), usage=not file.is_file()) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = Problem(file=str(file), message=str(error))
        raise InputFileError(f"the configuration {file} is no TOML file", (problem,)) from error


def _name(key: str) -> str:
    return key.replace("-", "_")


def _refuse_unknown(file: Path, tables: dict[str, Any], context: click.Context) -> None:
    """Looks at the keys of all verbs, importing them only where a key is not one of this verb's."""
    known = {parameter.name for parameter in context.command.params if parameter.name}
    keys = [(key, value) for key, value in tables.items() if isinstance(value, dict) or _name(key) not in known]
    if not keys:
        return
    verbs = _all_verbs(context.find_root())
    everyones = {parameter.name for verb in verbs.values() for parameter in verb.params if parameter.name}
    problems = _problems(str(file), dict(keys), "", verbs, everyones)
    if problems:
        count = f"{len(problems)} unknown {'key' if len(problems) == 1 else 'keys'}"
        raise InputFileError(
            f"the configuration {file} has {count}", tuple(problems), next_step="Keys are names of flags, tables names of verbs."
        )


def _all_verbs(root: click.Context) -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    waiting: list[tuple[str, click.Command]] = [("", root.command)]
    while waiting:
        prefix, command = waiting.pop()
        if prefix:
            found[prefix] = command
        if isinstance(command, click.Group):
            for name in command.list_commands(root):
                child = command.get_command(root, name)
                if child is not None:
                    waiting.append((f"{prefix}.{name}".lstrip("."), child))
    return found


def _problems(file: str, table: dict[str, Any], place: str, verbs: dict[str, click.Command], everyones: set[str]) -> list[Problem]:
    found: list[Problem] = []
    for key, value in table.items():
        path = f"{place}.{key}".lstrip(".")
        known = {p.name for p in verbs[place].params if p.name} if place else everyones
        if isinstance(value, dict):
            inner = _problems(file, value, path, verbs, everyones) if path in verbs else [_unknown(file, path, list(verbs))]
            found += inner
        elif _name(key) not in known:
            found.append(_unknown(file, path, [name.replace("_", "-") for name in known]))
    return found


def _unknown(file: str, path: str, known: list[str]) -> Problem:
    near = difflib.get_close_matches(path.rsplit(".", 1)[-1].replace("_", "-"), known, n=2)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return Problem(file=file, subject=path, message=f"no such flag or verb{hint}")


def show_config(context: click.Context, every: Everywhere) -> int:
    """Prints each value of this command line with its origin: default, config, environment or flag."""
    from auditor.cli.say import Outputs
    from auditor.report.grid import grid
    from auditor.report.json_ import json_text
    from auditor.report.text import safe_text

    rows = [_row(context, parameter) for parameter in context.command.params if parameter.name not in SHOWN_WITHOUT_ORIGIN]
    table = [[row["flag"], safe_text(str(row["value"])) if row["value"] is not None else "-", row["origin"]] for row in rows]
    Outputs.plan(every, ("table", "json")).emit(
        {
            "table": lambda: grid(("Flag", "Value", "Origin"), table) + "\n",
            "json": lambda: json_text({"schema_version": 1, "settings": rows}),
        }
    )
    return 0


def _row(context: click.Context, parameter: click.Parameter) -> dict[str, Any]:
    name = parameter.name or ""
    source = context.get_parameter_source(name)
    origin = ORIGINS.get(source.name, source.name.lower()) if source else "default"
    value = context.params.get(name)
    if name == "config":
        value, origin = _config_file(context)
    elif name == "store":
        from auditor.store import default_path
        from auditor.store.wording import shown_place

        value = shown_place(value or default_path())
    shown = [str(item) for item in value] if isinstance(value, tuple | list) else str(value) if isinstance(value, Path) else value
    long = next((word for word in parameter.opts if word.startswith("--")), name.upper())
    return {"flag": long, "value": shown, "origin": origin}


def _config_file(context: click.Context) -> tuple[str | None, str]:
    source = context.get_parameter_source("config")
    value = context.meta.get("auditor.config")
    return (str(value) if value else None), (ORIGINS.get(source.name, "flag") if source and value else "default")
