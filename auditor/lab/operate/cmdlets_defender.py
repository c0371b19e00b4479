"""Defender's cmdlets of a lab host: what it says of itself, and its preferences. Only where the host has Defender.

Exclusions of a policy stay whatever is removed locally; what tamper protection or a manager holds is `held` in the fleet file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.lab.facts_software import DefenderFacts
from auditor.lab.operate.cmdlets import Bound, Cmdlet, CmdletError, Values, as_text
from auditor.lab.operate.writes import DEFENDER_LISTS, Denied, set_defender
from auditor.lab.wmi import DEFENDER, classes

_LISTS = {"exclusionpath": "paths", "exclusionextension": "extensions", "exclusionprocess": "processes"}
_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows Defender\Exclusions"
_HIDDEN = "N/A: Administrators are not allowed to view exclusions"
_REFUSED = "Operation failed with the following error: 0x80070005"


def _facts(values: Values, name: str) -> DefenderFacts:
    facts = values.machine.defender
    if facts is None:
        raise CmdletError(
            f"{name} : The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program."
        )
    return facts


def _status(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    _facts(values, "Get-MpComputerStatus")
    return dict(classes(values.machine, values.machine.agenda.now)[DEFENDER]["MSFT_MpComputerStatus"][0])


def _preference(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    facts = _facts(values, "Get-MpPreference")
    lists = {
        "ExclusionPath": facts.paths,
        "ExclusionExtension": facts.extensions,
        "ExclusionProcess": facts.processes,
    }
    shown = {name: [_HIDDEN] if facts.hidden else list(items) or None for name, items in lists.items()}
    return {**shown, "DisableRealtimeMonitoring": not facts.real_time}


def _add(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    facts = _facts(values, "Add-MpPreference")
    wanted = {field: _joined(getattr(facts, field), items) for field, items in _lists_of(bound).items()}
    return _change(values, "Add-MpPreference", wanted)


def _remove(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    facts = _facts(values, "Remove-MpPreference")
    wanted = {}
    for field, items in _lists_of(bound).items():
        gone = {item.lower() for item in items} - _of_policy(values, field)
        wanted[field] = tuple(item for item in getattr(facts, field) if item.lower() not in gone)
    return _change(values, "Remove-MpPreference", wanted)


def _set(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    _facts(values, "Set-MpPreference")
    if bound.names() != {"disablerealtimemonitoring"}:
        raise CmdletError(f"the lab's Set-MpPreference sets DisableRealtimeMonitoring only, not {', '.join(sorted(bound.names()))}")
    return _change(values, "Set-MpPreference", {"real_time": not _truth(bound.get("disablerealtimemonitoring"))})


def _change(values: Values, name: str, changes: Mapping[str, Any]) -> Any:
    try:
        set_defender(values.machine, **changes)
    except Denied as error:
        raise CmdletError(f"{name} : {_REFUSED}") from error
    return []


def _lists_of(bound: Bound) -> dict[str, list[str]]:
    """Lists of preferences that were named. Raises CmdletError for others."""
    unknown = bound.names() - set(_LISTS)
    if unknown:
        raise CmdletError(f"the lab's Defender has no list {', '.join(sorted(unknown))}")
    return {_LISTS[name]: [as_text(item) for item in bound.list(name)] for name in bound.names()}


def _joined(old: tuple[str, ...], new: list[str]) -> tuple[str, ...]:
    known = {item.lower() for item in old}
    return (*old, *(item for item in dict.fromkeys(new) if item.lower() not in known))


def _of_policy(values: Values, field: str) -> set[str]:
    key = values.machine.registry.key(rf"{_POLICY}\{DEFENDER_LISTS[field]}")
    return {value.name.lower() for value in key.values()} if key else set()


def _truth(value: Any) -> bool:
    return value not in (False, 0, None, "", "0", "False", "$false")


CMDLETS: Mapping[str, Cmdlet] = {
    "get-mpcomputerstatus": _status, "get-mppreference": _preference, "add-mppreference": _add, "remove-mppreference": _remove,
    "set-mppreference": _set,
}  # fmt: skip
