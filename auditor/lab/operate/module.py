"""What every module of the lab is made from: options read as Ansible.Basic reads them, results, failures. Knows no module.

A module that the lab has answers as the real one would; an option that the lab does not carry out is a failure that names it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate.said import Context
from auditor.model.errors import AuditorError

OptionType = Literal["str", "bool", "int", "float", "list", "dict", "raw", "path"]
_TRUE = ("yes", "on", "1", "true", "t", "y", "1.0")
_FALSE = ("no", "off", "0", "false", "f", "n", "0.0")


class Failed(AuditorError):
    """A module's failure: `msg` and further fields of the result."""

    def __init__(self, msg: str, **fields: Any) -> None:
        super().__init__(msg)
        self.msg = msg
        self.fields = fields


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """An option of a module."""

    type: OptionType = "str"
    default: Any = None
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    required: bool = False
    secret: bool = False


class Job(msgspec.Struct, kw_only=True):
    """One call of a module: where, with what, and what is to be told besides the result."""

    machine: Machine
    name: str
    """Without its collection."""
    options: dict[str, Any]
    check: bool
    wants_diff: bool
    context: Context
    result: dict[str, Any] = msgspec.field(default_factory=lambda: {"changed": False})
    diff: dict[str, Any] = msgspec.field(default_factory=dict)
    warnings: list[str] = msgspec.field(default_factory=list)

    def __getitem__(self, option: str) -> Any:
        return self.options[option]

    def change(self, do: Callable[[], object] | None = None) -> None:
        """Notes a change, and makes it unless this is check mode."""
        self.result["changed"] = True
        if do is not None and not self.check:
            do()


Body = Callable[[Job], None] | Callable[[Job], Steps[None]]


class ModuleSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A module that the lab has."""

    options: Mapping[str, Option]
    body: Body
    check_mode: bool = True
    """Whether it supports check mode; where not, it is skipped there."""
    free: bool = False
    """Whether further options are let pass, as by setup."""
    required_if: tuple[tuple[str, Any, tuple[str, ...]], ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()


def read_options(name: str, spec: ModuleSpec, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Typed options with their defaults. Raises Failed for what the module does not take and for what the lab does not know."""
    names = {alias.lower(): option for option, facts in spec.options.items() for alias in (option, *facts.aliases)}
    given: dict[str, Any] = {}
    for key, value in arguments.items():
        if key.startswith("_ansible") or (value is None and key.lower() not in names):
            continue
        if key.lower() not in names and not spec.free:
            raise Failed(
                f"the lab does not carry out the option `{key}` of {name} (it knows {', '.join(sorted(spec.options))}): "
                "leave it out, or try it on a real host"
            )
        given[names.get(key.lower(), key)] = value
    result = {option: _typed(option, facts, given.get(option)) for option, facts in spec.options.items()}
    _check_together(spec, result)
    return result


def _check_together(spec: ModuleSpec, options: Mapping[str, Any]) -> None:
    missing = sorted(option for option, facts in spec.options.items() if facts.required and options[option] is None)
    if missing:
        raise Failed(f"missing required arguments: {', '.join(missing)}")
    for option, value, needed in spec.required_if:
        absent = [other for other in needed if options.get(other) is None]
        if options.get(option) == value and absent:
            raise Failed(f"{option} is {value} but all of the following are missing: {', '.join(absent)}")
    for group in spec.exclusive:
        if sum(options.get(option) is not None for option in group) > 1:
            raise Failed(f"parameters are mutually exclusive: {', '.join(group)}")


def _typed(name: str, option: Option, value: Any) -> Any:
    if value is None:
        return option.default
    try:
        typed = _CONVERTERS[option.type](value)
    except (ValueError, TypeError) as error:
        shown = "" if option.secret else f" ({value!r})"
        raise Failed(
            f"argument for {name} is of type {type(value).__name__} and we were unable to convert to {option.type}{shown}"
        ) from error
    if option.choices:
        found = next((choice for choice in option.choices if choice.lower() == str(typed).lower()), None)
        if found is None:
            raise Failed(f"value of {name} must be one of: {', '.join(option.choices)}. Got no match for: {typed}")
        return found
    return typed


def _truth(value: Any) -> bool:
    text = str(value).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(text)


def _text(value: Any) -> str:
    return str(value) if not isinstance(value, bool) else str(value).capitalize()


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else [value]


def _dict(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise TypeError(type(value).__name__)


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "str": _text,
    "path": _text,
    "bool": _truth,
    "int": int,
    "float": float,
    "list": _list,
    "dict": _dict,
    "raw": functools.partial(lambda value: value),
}
