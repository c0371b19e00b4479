"""Values and secrets that people give to plans: words of the command line, files, the environment. Mistakes are told with an example."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.model.errors import UsageError
from auditor.model.plan import Window
from auditor.model.remedy import Value
from auditor.model.times import stamp

if TYPE_CHECKING:
    from auditor.inventory import Inventory

SECRET = "AUDITOR_SECRET_"  # noqa: S105 - the beginning of variables' names
MOST_BYTES = 1024 * 1024
_NAME = re.compile(r"[a-z][a-z0-9_]{0,80}")


def given_values(words: Iterable[str], files: Iterable[Path]) -> dict[tuple[str, str], Value]:
    """(host, variable) -> value, host `*` for every host; the command line before files, a repeated word makes a list."""
    found: dict[tuple[str, str], Value] = {}
    for file in files:
        found |= _of_file(file)
    told: dict[tuple[str, str], list[str]] = {}
    for word in words:
        host, _, rest = word.partition(":")
        name, equals, value = rest.partition("=")
        if not (host and equals and _NAME.fullmatch(name)):
            raise UsageError(
                f"--set {word!r}: expected HOST:NAME=VALUE", next_step="For example --set 'srv-a:parent=SRVB'; * is every host."
            )
        told.setdefault((host, name), []).append(value)
    return found | {key: values[0] if len(values) == 1 else tuple(values) for key, values in told.items()}


def _of_file(file: Path) -> dict[tuple[str, str], Value]:
    found: dict[tuple[str, str], Value] = {}
    for host, values in _mapping(file, "--values").items():
        if not isinstance(values, Mapping):
            raise UsageError(f"{file}: {host}: expected names and values", next_step="For example `srv-a: {parent: SRVB}`.")
        for name, value in values.items():
            found[str(host), str(name)] = _plain(value, file, f"{host}: {name}")
    return found


def _plain(value: Any, file: Path, place: str) -> Value:
    if isinstance(value, list) and all(isinstance(item, str | int) and not isinstance(item, bool) for item in value):
        return tuple(map(str, value))
    if isinstance(value, str | int | bool):
        return value
    raise UsageError(f"{file}: {place}: expected a text, a whole number, true or false, or a list of texts")


def given_secrets(file: Path | None, environment: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """(host or `*`, variable) -> secret, from AUDITOR_SECRET_<NAME> and a file that only its owner can read."""
    found = {("*", name.removeprefix(SECRET).lower()): value for name, value in environment.items() if name.startswith(SECRET) and value}
    if file is None:
        return found
    _refuse_open(file)
    for host, values in _mapping(file, "--secrets").items():
        if not isinstance(values, Mapping) or not all(isinstance(value, str) for value in values.values()):
            raise UsageError(f"{file}: {host}: expected names and texts", next_step="For example `'*': {uninstall_password: ...}`.")
        found |= {(str(host), str(name)): value for name, value in values.items()}
    return found


def _refuse_open(file: Path) -> None:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError as error:
        raise UsageError(f"--secrets {file} can't be read: {error.strerror}") from error
    if mode & 0o077:
        raise UsageError(f"--secrets {file} can be read by others (mode {mode:04o})", next_step=f"chmod 600 {file}")


def _mapping(file: Path, option: str) -> dict[Any, Any]:
    import yaml

    try:
        if file.stat().st_size > MOST_BYTES:
            raise UsageError(f"{option} {file} is larger than {MOST_BYTES} bytes")
        value = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{option} {file} can't be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        # the words of the parser may hold a line of the file
        place = getattr(error, "problem_mark", None)
        line = f" at line {place.line + 1}" if place is not None else ""
        raise UsageError(f"{option} {file} is no YAML{line}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{option} {file}: expected hosts with names and values")
    return value


def ways_of(words: Iterable[str]) -> dict[str, str]:
    """Host -> way, of `--way HOST=WAY`."""
    found: dict[str, str] = {}
    for word in words:
        host, equals, way = word.partition("=")
        if not (host and equals and way):
            raise UsageError(f"--way {word!r}: expected HOST=modules, HOST=raw or HOST=person", next_step="* is every host.")
        found[host] = way
    return found


def window_of(text: str | None) -> Window | None:
    """START/END as in ISO 8601, each with its zone."""
    if text is None:
        return None
    ends = [_time(part, text) for part in text.split("/")]
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise UsageError(f"--window {text!r}: expected START/END", next_step="For example 2026-11-27T22:00Z/2026-11-28T02:00Z.")
    start, end = map(stamp, ends)
    return Window(start=start, end=end)


def _time(part: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(part.strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        step = "Each end is a time with its zone, for example 2026-11-27T22:00Z."
        raise UsageError(f"--window {text!r}: {part!r} is no time with a zone", next_step=step)
    return moment


def known_secrets(file: Path | None, inventory: Inventory) -> dict[tuple[str, str], str]:
    """The secrets of the inventory's hosts, of this process' environment and of a file; the file before the inventory."""
    own = {(host, name): text for host, named in inventory.secrets.items() for name, one in named.items() if (text := one.reveal())}
    return own | given_secrets(file, os.environ)
