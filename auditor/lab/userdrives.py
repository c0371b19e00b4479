"""Drives that the account of a task keeps mapped, as the probe reads them out of the user hives that are loaded. Pure.

Windows keeps a persistent mapping in the user's own hive: `HKU\\<SID>\\Network\\<letter>`, value `RemotePath`.
"""

from __future__ import annotations

import re

from auditor.lab.machine import Machine
from auditor.lab.registry import Key, Value

_ACCOUNT = re.compile(r"<Principal[\s>].{0,2000}?<UserId>\s*([^<]{1,300}?)\s*</UserId>", re.DOTALL)
_SID = re.compile(r"S-1-5-[0-9-]+")
_SYSTEM = dict.fromkeys(("system", "nt authority\\system", "localsystem"), "S-1-5-18")
_DENIED = "Requested registry access is not allowed."


def user_drives(machine: Machine, text: str | None) -> tuple[list[str] | None, str]:
    """The drives, or None where they can't be known; and why, where the account may not read the hive."""
    found = _ACCOUNT.search(text or "")
    if found is None:
        return None, ""
    account = _accounts(machine).get(found[1].casefold(), found[1])
    if not _SID.fullmatch(account):
        return None, ""
    hive = machine.registry.key(rf"HKU\{account}")
    if hive is None:
        return None, ""
    if not machine.may_read(rf"HKU\{account}") or not (machine.access.elevated or not account.startswith("S-1-5-21-")):
        return None, _DENIED
    drives = _mapped(hive.child("Network"))
    return (drives if drives or account.startswith("S-1-5-21-") else None), ""


def _mapped(network: Key | None) -> list[str]:
    targets = [(key.name, key.value("RemotePath")) for key in network.subkeys()] if network else []
    return [f"{name.lower()}: {text}" for name, value in targets if len(name) == 1 and (text := _text(value))]


def _text(value: Value | None) -> str:
    return value.data if value is not None and isinstance(value.data, str) else ""


def _accounts(machine: Machine) -> dict[str, str]:
    """Accounts by lower-case name, as far as their hives say it."""
    found = dict(_SYSTEM)
    users = machine.registry.key("HKU")
    for hive in users.subkeys() if users else ():
        volatile = hive.child("Volatile Environment")
        if volatile is None or not re.fullmatch(r"S-1-5-21-[0-9-]+", hive.name):
            continue
        if user := _text(volatile.value("USERNAME")):
            found[f"{_text(volatile.value('USERDOMAIN'))}\\{user}".casefold()] = hive.name
    return found
