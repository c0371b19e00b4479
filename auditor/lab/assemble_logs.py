"""Facts of a host -> the event logs of its machine: records by time, logons written out as this Windows writes them. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime

from auditor.lab.facts_activity import EventFacts, LogonFacts
from auditor.lab.machine import LogRecord, Machine

_NO_GUID = "{00000000-0000-0000-0000-000000000000}"
_NETWORK = 3


def add_logs(machine: Machine) -> None:
    """The records of all logs. Raises ValueError for a record that lies in the future."""
    for name, log in machine.facts.logs.items():
        machine.log_facts[name.upper()] = log
    events = dict(machine.facts.events)
    for label, logon in machine.facts.logons.items():
        events[f"logon {label}"] = logon_event(machine, logon)
    logs: dict[str, list[tuple[datetime, str]]] = {}
    for label, event in events.items():
        moment = machine.dial.moment(event.time)
        if moment > machine.dial.now:
            raise ValueError(f"event `{label}` lies in the future")
        logs.setdefault(event.log.upper(), []).append((moment, label))
    for name, entries in logs.items():
        first = machine.log_facts[name].first_record if name in machine.log_facts else _first(f"{machine.name}:{name}")
        machine.logs[name] = [_record(machine, events[label], moment, first + i) for i, (moment, label) in enumerate(sorted(entries))]


def _record(machine: Machine, event: EventFacts, moment: datetime, number: int) -> LogRecord:
    return LogRecord(facts=event, time=moment, strings=tuple(machine.dial.expand(text) for text in event.strings), number=number)


def _first(seed: str) -> int:
    """Number of the oldest record, as on a host that has been running for a while."""
    return 1 + int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "little") % 40_000


def logon_event(machine: Machine, logon: LogonFacts) -> EventFacts:
    """A logon as a record of the Security log. Sources: Windows' own field lists of events 528, 540 and 4624."""
    number = hashlib.sha256(f"{logon.time}:{logon.user}".encode()).hexdigest()[:6]
    domain = logon.domain or machine.facts.network.computer_name
    strings: tuple[str, ...]
    if machine.legacy:
        start = (logon.user, domain, f"(0x0,0x{number.upper()})", str(logon.type), logon.process, logon.package, logon.workstation)
        strings = (*start, "-", "-", "-", "-", "-", "-", logon.address or "-", "0" if logon.address else "-")
        event, source = 540 if logon.type == _NETWORK else 528, "Security"
    else:
        subject = ("S-1-0-0", "-", "-", "0x0") if logon.type == _NETWORK else ("S-1-5-18", f"{domain}$", domain, "0x3e7")
        sid = f"S-1-5-21-1004336348-1177238915-682003330-{1100 + int(number[:2], 16)}"
        target = (sid, logon.user, domain, f"0x{number}", str(logon.type), logon.process, logon.package, logon.workstation or "-")
        lm_package = "NTLM V2" if logon.package == "NTLM" else "-"
        strings = (*subject, *target, _NO_GUID, "-", lm_package, "128", "0x0", "-", logon.address or "-", "0" if logon.address else "-")
        event, source = 4624, "Microsoft-Windows-Security-Auditing"
    return EventFacts(log="Security", source=source, id=event, time=logon.time, level="audit_success", category=2, strings=strings)
