"""A lab host that only lives on: what moves by itself on a Windows machine nobody touches, as facts of a later scan. Pure."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import msgspec

from auditor.lab.answers import answer_section
from auditor.lab.assemble import assemble
from auditor.lab.facts import SessionFacts
from auditor.lab.facts_activity import TaskFacts, TriggerFacts
from auditor.lab.facts_software import DriverFacts, FileFacts, ServiceFacts, VersionFacts
from auditor.lab.fleet import LabHost
from auditor.lab.registry import Setting, Value
from auditor.lab.sheet import Ask
from auditor.lab.shell import hello, note_logon
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, build_bundle
from auditor.probes.decode import Decoded, decode_answer

STEP = timedelta(hours=5, minutes=37)
"""Between two scans."""
_SIGNATURES = "\\Signature Updates"


def lived(host: LabHost, scan: int, now: datetime) -> LabHost:
    """The host at its n-th scan: new definitions and their folder, other logons, another per-user service, tasks named by other GUIDs."""
    guid = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{host.name}:{scan}")).upper()
    facts, definitions = host.facts, f"1.441.{120 + scan}.0"
    services = {name: service for name, service in facts.services.items() if not service.instance}
    services[f"CDPUserSvc_{scan + 0x4A1F2:x}"] = ServiceFacts(
        image="C:\\Windows\\system32\\svchost.exe -k UnistackSvcGroup", type="user_share", instance=True, start="auto", state="running"
    )
    drivers = {name: driver for name, driver in facts.drivers.items() if not name.startswith("MpKsl")}
    folder = f"C:\\ProgramData\\Microsoft\\Windows Defender\\Definition Updates\\{{{guid}}}"
    drivers[f"MpKsl{guid[:8].lower()}"] = DriverFacts(
        image=f"\\??\\{folder}\\MpKslDrv.sys",
        start="system",
        file=FileFacts(version=VersionFacts(file="1.1.24090.6", company="Microsoft Corporation"), size=58736, modified=_stamp(now)),
    )
    feed = TaskFacts(command="C:\\Windows\\system32\\msfeedssync.exe", arguments="sync", user="CORP\\jdoe", triggers=(TriggerFacts(),))
    tasks = {name: task for name, task in facts.tasks.items() if "_Synchronization-{" not in name}
    tasks[f"\\User_Feed_Synchronization-{{{guid}}}"] = feed
    sessions = {"now": SessionFacts(client=f"10.20.0.{scan % 200 + 20}", user="jdoe", files=scan % 7)}
    defender = facts.defender and msgspec.structs.replace(
        facts.defender, definitions=definitions, engine=f"1.1.{26100 + scan // 40}.9", updated=_stamp(now - timedelta(hours=1))
    )
    changed: dict[str, Any] = {"services": services, "drivers": drivers, "tasks": tasks, "sessions": sessions, "defender": defender}
    registry = tuple(_newer(setting, definitions, scan) for setting in host.registry)
    return LabHost(name=host.name, facts=msgspec.structs.replace(facts, **changed), registry=registry)


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _newer(setting: Setting, definitions: str, scan: int) -> Setting:
    if not setting.key.endswith(_SIGNATURES) or setting.value is None:
        return setting
    data = definitions if setting.value.name == "AVSignatureVersion" else f"1.1.{26100 + scan // 40}.9"
    return Setting(setting.key, Value(setting.value.name, setting.value.type, data))


def scanned(host: LabHost, scan: int, request: ProbeRequest, first: datetime) -> Decoded:
    """What the n-th scan of a host that lives on says; its facts stay those of the moment `first`."""
    now = first + scan * STEP
    machine = assemble(lived(host, scan, now), first)
    for number in range(scan % 5 + 1):
        note_logon(machine, f"user{number}", now - timedelta(minutes=number))
    ask = Ask.read(framing.read_parameters(build_bundle(request)))
    sections = {name: answer_section(machine, name, ask, now) for name in ask.sections}
    answer = framing.Answer(hello=hello(machine, "svc-audit", now), sections=sections, complete=True)
    return decode_answer(answer, request, now=now)
