"""Restarts of a lab host: nothing answers for a while, what waited for the restart is done, services and drivers come up as configured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from auditor.lab.facts_activity import EventFacts
from auditor.lab.machine import CURRENT_VERSION, LabFile, LogRecord, Machine
from auditor.lab.operate import services
from auditor.lab.operate.pending import COMPONENTS, RENAMES, SESSION_MANAGER, UPDATES, pending_renames
from auditor.lab.registry import Value

LOGON_SHOWN = rf"{CURRENT_VERSION}\Winlogon\AutoLogonChecked"
"""A key that Windows' logon screen makes: Ansible waits for it after a restart."""
_WINDOWS = r"HKLM\SYSTEM\CurrentControlSet\Control\Windows"
_FILE_TIME_START = datetime(1601, 1, 1, tzinfo=UTC)
_PASSIVE = r"HKLM\SOFTWARE\Policies\Microsoft\Windows Advanced Threat Protection"
_ONBOARDED = r"HKLM\SOFTWARE\Microsoft\Windows Advanced Threat Protection\Status"
_BOOT_SHARE = 0.6
"""How far into the time without answer Windows starts."""


def schedule(machine: Machine, seconds: float, user: str) -> bool:
    """Restarts in so many seconds; False where a restart is under way already."""
    if machine.shutdown_at is not None:
        return False
    moment = machine.shutdown_at = machine.agenda.now + timedelta(seconds=seconds)

    def due() -> None:
        if machine.shutdown_at == moment:
            _begin(machine, user)

    machine.agenda.at(moment, due)
    return True


def abort(machine: Machine) -> bool:
    """Takes a restart back that has not begun."""
    was = machine.shutdown_at is not None
    machine.shutdown_at = None
    return was


def cut_network(machine: Machine, seconds: float) -> None:
    """Nothing answers for a while, and everything goes on."""
    until = machine.agenda.now + timedelta(seconds=seconds)
    machine.away_until = max(until, machine.away_until or until)


def _begin(machine: Machine, user: str) -> None:
    now, facts = machine.agenda.now, machine.facts.restart
    machine.agenda.end_all()
    machine.installing = False
    note_event(machine, now, EventFacts(source="EventLog", id=6006, qualifiers=32768, time="-0s"))
    if not machine.legacy:
        strings = ("wininit.exe", machine.facts.network.computer_name, "No title", "0x80070000", "restart", "", user)
        note_event(machine, now, EventFacts(source="USER32", id=1074, qualifiers=32768, time="-0s", strings=strings))
    machine.restarts += 1
    _note_shutdown(machine, now)
    if facts.vanishes and machine.restarts > facts.vanishes_times:
        machine.vanished = True
        return
    machine.away_until = now + timedelta(seconds=facts.seconds)
    machine.agenda.at(now + timedelta(seconds=facts.seconds * _BOOT_SHARE), lambda: _come_up(machine))


def _note_shutdown(machine: Machine, now: datetime) -> None:
    """Every orderly shutdown ends with its time in the registry, as a FILETIME."""
    ticks = (now - _FILE_TIME_START) // timedelta(microseconds=1) * 10
    machine.registry.make(_WINDOWS).put(Value("ShutdownTime", "REG_BINARY", ticks.to_bytes(8, "little")))


def _come_up(machine: Machine) -> None:
    """Windows starts: what waited for this moment is done before anything runs."""
    now = machine.agenda.now
    machine.boot, machine.shutdown_at = now.replace(microsecond=0), None
    for source, target in pending_renames(machine):
        _move(machine, source, target)
    key = machine.registry.key(SESSION_MANAGER)
    if key is not None:
        key.clear(RENAMES)
    for path in (COMPONENTS, UPDATES):
        parent = machine.registry.key(path.rpartition("\\")[0])
        if parent is not None:
            parent.remove(path.rpartition("\\")[2])
    for act in machine.at_restart:
        act()
    machine.at_restart.clear()
    _start_services(machine)
    _settle_defender(machine)
    if not machine.legacy:
        machine.registry.make(LOGON_SHOWN)
    note_event(machine, now, EventFacts(source="EventLog", id=6005, qualifiers=32768, time="-0s"))


def _move(machine: Machine, source: str, target: str) -> None:
    file = machine.files.get(source)
    if file is None:
        machine.files.remove_folder(source)
        return
    machine.files.remove(source)
    if target:
        moved = LabFile(target, created=file.created, modified=file.modified, data=file.data())
        moved.package = file.package
        machine.files.put(moved)


def _start_services(machine: Machine) -> None:
    for entry in services.entries(machine):
        state = entry.state
        if entry.start == services.STARTS["disabled"]:
            state.state = "stopped"
        elif entry.start == state.usual_start:
            state.state = state.usual
        else:
            state.state = "running" if entry.start <= services.STARTS["auto"] else "stopped"
            state.usual, state.usual_start = state.state, entry.start
    blocked = {entry.name.upper() for entry in services.entries(machine) if entry.start == services.STARTS["disabled"]}
    for entry in services.entries(machine):
        if entry.running and blocked & set(map(str.upper, entry.depends)):
            entry.state.state = "stopped"


def _settle_defender(machine: Machine) -> None:
    """Passive mode is chosen at the start of Windows: where policy forces it on an onboarded host, and tamper protection lets it."""
    defender = machine.defender
    if defender is None or defender.mode is None:
        return
    forced = machine.registry.number(_PASSIVE, "ForceDefenderPassiveMode") == 1
    onboarded = machine.registry.number(_ONBOARDED, "OnboardingState") == 1
    if forced and onboarded and not defender.tamper:
        machine.defender = msgspec.structs.replace(defender, mode="Passive Mode", enabled=False, real_time=False)
    elif not forced and defender.mode == "Passive Mode" and machine.restarts:
        machine.defender = msgspec.structs.replace(defender, mode="Normal", enabled=True, real_time=True)


def note_event(machine: Machine, now: datetime, facts: EventFacts) -> None:
    """A record at the end of a log."""
    records = machine.logs.setdefault(facts.log.upper(), [])
    number = records[-1].number + 1 if records else 1
    records.append(LogRecord(facts=facts, time=now.replace(microsecond=0), strings=facts.strings, number=number))
