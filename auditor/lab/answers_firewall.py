"""Answer of the section firewall: profiles from the registry, counts from the logs of firewalls and intrusion detection. Pure.

Follows `docs/probe.md` and `probes/firewall/firewall.ps1`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from auditor.lab.answers_events import last_restart
from auditor.lab.answers_jobs import find_files
from auditor.lab.answers_software import DENIED, refusal
from auditor.lab.machine import SERVICES, LabFile, Machine
from auditor.lab.paths import expand
from auditor.lab.sheet import Ask, Ended, Sheet, or_null
from auditor.lab.texts import decode_text
from auditor.model.times import stamp

_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
_OWN = rf"{SERVICES}\SharedAccess\Parameters\FirewallPolicy"
_LONGEST = 2 << 20
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_ADDRESS = re.compile(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")
Window = tuple[datetime, datetime]
Bounds = Callable[[datetime], str]


def firewall(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """Profiles, and a reading for each log and window."""
    logs: dict[str, None] = {}
    if not machine.may_read(_OWN):
        raise Ended("denied", DENIED)
    if machine.registry.key(_OWN) is None:
        sheet.status, sheet.reason = "unsupported", "this Windows keeps no firewall profiles in its registry"
    else:
        private = "standard" if machine.legacy else "private"
        for name, key in (("domain", "DomainProfile"), (private, "StandardProfile"), ("public", "PublicProfile")):
            if machine.registry.key(rf"{_OWN}\{key}") is not None:
                logs |= {path: None for path in [_profile(machine, sheet, name, key)] if path}
    windows = _windows(machine, ask, sheet)
    for written in logs:
        path = expand(written, machine)
        if (reason := refusal(machine, path)) is not None:
            sheet.gap(path, "dropped", reason)
        elif not machine.may_open(path):
            sheet.gap(path, "dropped", f"Access to the path '{path}' is denied.")
        elif (file := machine.files.get(path)) is not None:
            _firewall_log(machine, sheet, path, _lines(machine, file), windows)
    for glob in ask.intrusion_logs:
        for file in find_files(machine, glob):
            _intrusion_log(machine, sheet, file.path, _lines(machine, file), windows)


def _profile(machine: Machine, sheet: Sheet, name: str, key: str) -> str | None:
    keys = [rf"{_POLICY}\PrivateProfile"] if key == "StandardProfile" else []
    keys += [rf"{_POLICY}\{key}", rf"{_OWN}\{key}"]
    numbers = [n for path in keys if (n := machine.registry.number(path, "EnableFirewall")) is not None]
    paths = [text for path in keys if (text := or_null(machine.registry.text(rf"{path}\Logging", "LogFilePath")))]
    log = paths[0] if paths else None
    sheet.row(profile=name, enabled=numbers[0] != 0 if numbers else None, log_path=log)
    if not numbers:
        sheet.gap(name, "enabled", "neither policy nor setting says whether it is on")
    return log


def _windows(machine: Machine, ask: Ask, sheet: Sheet) -> list[Window]:
    found = [(sheet.now - timedelta(hours=ask.number("logon_hours")), sheet.now)]
    known = "events" in ask.sections and "system_log" not in machine.access.denied
    if known and (restart := last_restart(machine, ask, sheet.now)) is not None:
        found.append((restart - timedelta(minutes=ask.number("logon_minutes")), restart + timedelta(minutes=5)))
    return found


def _lines(machine: Machine, file: LabFile) -> list[str]:
    data = file.data()
    lines = decode_text(data[-_LONGEST:], file.path, machine).replace("\r", "").split("\n")
    if len(data) > _LONGEST:
        lines[0] = ""
    return lines


def _bounds(machine: Machine, *, utc: bool) -> Bounds:
    def shown(time: datetime) -> str:
        return (time if utc else machine.dial.zone.to_local(time)).strftime("%Y-%m-%d %H:%M:%S")

    return shown


def _row(sheet: Sheet, path: str, window: Window, sources: Counter[str], **counts: int) -> dict[str, Any]:
    top = min(sources, key=lambda name: (-sources[name], name)) if sources else None
    zeros = {"dropped": 0, "allowed": 0, "attacks": 0}
    return sheet.row(source=path, window_start=stamp(window[0]), window_end=stamp(window[1]), **{**zeros, **counts}, top_source=top)


def _firewall_log(machine: Machine, sheet: Sheet, path: str, lines: list[str], windows: list[Window]) -> None:
    head = list(_until(lines, lambda line: bool(line) and not line.startswith("#")))
    shown = _bounds(machine, utc=any(re.match(r"#Time Format:\s*(UTC|GMT)", line, re.IGNORECASE) for line in head))
    for window in windows:
        first, last = shown(window[0]), shown(window[1])
        entries = [line.split(" ") for line in lines if len(line) >= 25 and first <= line[:19] <= last]
        entries = [parts for parts in entries if len(parts) >= 5]
        dropped = [parts for parts in entries if parts[2].upper() == "DROP"]
        allowed = sum(parts[2].upper() == "ALLOW" or parts[2].upper().startswith("OPEN") for parts in entries)
        _row(sheet, path, window, Counter(parts[4] for parts in dropped), dropped=len(dropped), allowed=allowed)


def _intrusion_log(machine: Machine, sheet: Sheet, path: str, lines: list[str], windows: list[Window]) -> None:
    head = _until(lines, lambda line: _STAMP.search(line) is not None)
    shown = _bounds(machine, utc=any(re.search("GMT|UTC", line, re.IGNORECASE) for line in head))
    for window in windows:
        first, last = shown(window[0]), shown(window[1])
        entries = [line for line in lines if (time := _STAMP.search(line)) and first <= time.group().replace("T", " ") <= last]
        sources = Counter(found.group() for line in entries if (found := _ADDRESS.search(line)))
        _row(sheet, path, window, sources, attacks=len(entries))


def _until(lines: list[str], ends: Callable[[str], bool]) -> Iterator[str]:
    for line in lines:
        if ends(line):
            return
        yield line
