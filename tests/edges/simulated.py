"""A simulated server: a wine prefix that holds a lab host's facts, on which the real probe runs. Owns the prefix and its processes.

How the facts get in, and why in two steps: wine starts every service that is to start by itself when it boots, and writes its own names,
time zone and architecture over what is there. So the facts go in first with every service on demand, wine boots and its service control
manager learns their names; then all facts go in again, with their true values, while it runs.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from auditor.lab.machine import Machine
from auditor.lab.materialise import materialise
from auditor.probes.framing import Answer
from tests.edges import engine

_HIVES = ("system.reg", "user.reg", "userdef.reg")
_SERVICE = re.compile(r"^\[System\\\\CurrentControlSet\\\\Services\\\\([^\\\]]+)\].*?(?=^\[|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_NEWER_WINE = '[HKEY_CURRENT_USER\\Software\\Wine]\r\n"Version"="win10"\r\n\r\n'
"""What wine itself claims to be; without it wine follows the facts, and .NET starts on no Windows before 7."""


class Server:
    """A running simulated server."""

    def __init__(self, folder: Path, machine: Machine, bin_folder: Path) -> None:
        self.folder = folder
        self.machine = machine
        self._bin = bin_folder
        self.environment = {
            **engine.WINE_RUNTIME,
            "WINEPREFIX": str(folder),
            "PSENGINE_PREFIX": str(folder),
            "PSENGINE_WMI": _outside(folder / "wmi.json"),
            "TZ": _posix_zone(machine),
        }

    def probe(self, script: str, seconds: float = 60) -> Answer:
        """The probe's answer."""
        return engine.run(self._bin, script, wine=True, seconds=seconds, environment=self.environment)

    def run(self, *command: str, seconds: float = 60) -> None:
        """A program of wine's. Without pipes: what it starts would keep them open."""
        settings = {**os.environ, **self.environment}
        nowhere = subprocess.DEVNULL
        subprocess.run(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=settings, check=False, timeout=seconds)


def _outside(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


def make_base(folder: Path) -> None:
    """A fresh prefix, to be copied by links."""
    server_settings = {**os.environ, **engine.WINE_RUNTIME, "WINEPREFIX": str(folder)}
    nowhere = subprocess.DEVNULL
    for command in (["wine", "wineboot", "-i"], ["wineserver", "-k"], ["wineserver", "-w"]):
        subprocess.run(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=server_settings, check=False, timeout=120)


def inbox_services(base: Path) -> frozenset[str]:
    """Services and drivers that wine brings itself and needs to run, in upper case."""
    text = (base / "system.reg").read_text(encoding="utf-8", errors="replace")
    return frozenset(match.group(1).upper() for match in _SERVICE.finditer(text) if '"Type"=' in match.group(0))


@contextmanager
def running(base: Path, folder: Path, machine: Machine, now: datetime, bin_folder: Path) -> Iterator[Server]:
    """A server with these facts; ended with all its processes."""
    _copy(base, folder)
    inbox = inbox_services(base)
    for file in machine.files:
        if file.path.rpartition("\\")[2].upper().removesuffix(".SYS") not in inbox:
            _unlink(folder, file.path)
    server = Server(folder, machine, bin_folder)
    try:
        materialise(machine, folder, now, keep=inbox)
        _link_drives(folder)
        facts = (folder / "facts.reg").read_text(encoding="utf-16")
        quiet = re.sub(r'(?m)^"Start"=dword:0000000[0-2]', '"Start"=dword:00000003', facts)
        head, _, body = quiet.partition("\n")
        (folder / "quiet.reg").write_text(
            f"{head.rstrip()}\r\n\r\n{_NEWER_WINE}{_zone_rules(machine)}{body}", encoding="utf-16", newline=""
        )
        server.run("wine", "regedit", "/S", _outside(folder / "quiet.reg"))
        server.run("wineserver", "-k")
        server.run("wineserver", "-w")
        server.run("wineserver", "-p")
        server.run("wine", "wineboot")
        for file in machine.files:
            _unlink(folder, file.path)
        materialise(machine, folder, now)
        zone = _zone_rules(machine)
        with (folder / "facts.reg").open("a", encoding="utf-16-le", newline="") as stream:
            stream.write("\r\n" + zone)
        server.run("wine", "regedit", "/S", _outside(folder / "facts.reg"))
        yield server
    finally:
        server.run("wineserver", "-k")
        shutil.rmtree(folder, ignore_errors=True)


def _copy(base: Path, folder: Path) -> None:
    """The prefix by links; the registry, which wine writes in place, as copies."""
    shutil.copytree(base, folder, symlinks=True, copy_function=lambda a, b: os.link(a, b, follow_symlinks=False))
    for name in _HIVES:
        (folder / name).unlink()
        shutil.copy2(base / name, folder / name)


def _unlink(folder: Path, path: str) -> None:
    """Takes away a file of wine's that the facts replace, whatever its case, so that the base keeps its own."""
    place = folder / f"drive_{path[0].lower()}"
    for part in path[3:].split("\\"):
        found = [entry for entry in place.iterdir() if entry.name.upper() == part.upper()] if place.is_dir() else []
        if not found:
            return
        place = found[0]
    if place.is_file():
        place.unlink()


def _posix_zone(machine: Machine) -> str:
    """The host's zone as TZ takes it: `STD-1:00DST,M3.5.0/2:00,M10.5.0/3:00`."""
    zone = machine.facts.zone
    standard = f"STD{_hours(zone.bias)}"
    changes = []
    for rule in (zone.daylight_start, zone.standard_start):
        _, month, week, hour, minute, _, _, weekday = struct.unpack("<8H", bytes.fromhex(rule) or bytes(16))
        changes.append(f"M{month}.{week}.{weekday}/{hour}:{minute:02}" if month else "")
    return f"{standard}DST{_hours(zone.bias + zone.daylight_bias)},{','.join(changes)}" if all(changes) else standard


def _hours(minutes: int) -> str:
    return f"{'-' if minutes < 0 else ''}{abs(minutes) // 60}:{abs(minutes) % 60:02}"


def _zone_rules(machine: Machine) -> str:
    """The zone's rules where wine looks for them: each of its processes writes the name of the zone that fits TZ."""
    zone = machine.facts.zone
    starts = [_system_time(bytes.fromhex(text) or bytes(16)) for text in (zone.standard_start, zone.daylight_start)]
    rules = struct.pack("<iii", zone.bias, 0, zone.daylight_bias) + b"".join(starts)
    key = f"HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Time Zones\\{zone.name}"
    return f'[{key}]\r\n"TZI"=hex:{rules.hex(",")}\r\n"Dlt"="{zone.name}"\r\n\r\n'


def _system_time(rule: bytes) -> bytes:
    """TIME_FIELDS as the SYSTEMTIME that `TZI` values hold: there the weekday follows the month."""
    year, month, week, hour, minute, second, fraction, weekday = struct.unpack("<8H", rule)
    return struct.pack("<8H", year, month, weekday, week, hour, minute, second, fraction)


def _link_drives(folder: Path) -> None:
    for drive in folder.glob("drive_?"):
        link = folder / "dosdevices" / f"{drive.name[-1]}:"
        if not link.exists():
            link.symlink_to(f"../{drive.name}")
