"""Answers of the sections sessions, replication and jobs, from WMI, the registry and text files. Pure.

Follows `docs/probe.md` and the scripts of these sections.
"""

from __future__ import annotations

import re
from typing import Any

from auditor.lab.answers_software import DENIED, refusal, text_of
from auditor.lab.answers_system import ask_wmi
from auditor.lab.machine import SERVICES, LabFile, Machine
from auditor.lab.sheet import Ask, Ended, Sheet, or_null
from auditor.lab.texts import decode_text
from auditor.lab.wmi import Instance
from auditor.model.pattern import is_glob, matches

_DFS = r"root\microsoftdfs"
_INSTANCES = r"HKLM\SOFTWARE\Microsoft\Microsoft SQL Server\Instance Names\SQL"
_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows\Backup\Server"
_LARGEST = 262_144
_CRON = re.compile(r"\s*((?:[\w*/,-]+\s+){5}|@\w+\s+)(\S.*)")
_NOTHING = re.compile(r"\s*(#.*|\w+\s*=.*)?")
_DISABLED = 4


def sessions(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Open sessions of other machines on the shares."""
    found = ask_wmi(machine, sheet, "Win32_ServerSession")
    connections = ask_wmi(machine, sheet, "Win32_ServerConnection")
    for session in found:
        client = or_null(session["ComputerName"].lstrip("\\"))
        mine = [item["ShareName"] for item in connections if _same(item, session)]
        if client is None:
            sheet.gap("session", "client", "a session whose client has no name")
        else:
            files = session["ResourcesOpened"]
            sheet.row(client=client, user=or_null(session["UserName"]), open_files=files, shares=list(dict.fromkeys(mine)))


def _same(one: Instance, other: Instance) -> bool:
    return all(str(one[name]).lstrip("\\").lower() == str(other[name]).lstrip("\\").lower() for name in ("ComputerName", "UserName"))


def replication(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Replica sets of FRS and replicated folders of DFS Replication."""
    parent = machine.registry.key(rf"{SERVICES}\NtFrs\Parameters\Replica Sets")
    for key in parent.subkeys() if parent else ():
        path = rf"{SERVICES}\NtFrs\Parameters\Replica Sets\{key.name}"
        group = or_null(machine.registry.text(path, "Replica Set Name")) or key.name
        sheet.row(service="frs", group=group, folder=None, path=or_null(machine.registry.text(path, "Replica Set Root")), partners=[])
        sheet.gap(group, "partners", "the partners of FRS stand in the directory: not read from the host")
    if machine.registry.key(rf"{SERVICES}\DFSR") is None:
        return
    try:
        _folders(machine, sheet)
    except Ended as error:
        if not sheet.rows:
            raise
        sheet.gap("dfsr", "", error.reason)


def _folders(machine: Machine, sheet: Sheet) -> None:
    found = ask_wmi(machine, sheet, "DfsrReplicationGroupConfig", _DFS)
    groups = {group["ReplicationGroupGuid"]: group["ReplicationGroupName"] for group in found}
    connections = ask_wmi(machine, sheet, "DfsrConnectionConfig", _DFS)
    for folder in ask_wmi(machine, sheet, "DfsrReplicatedFolderConfig", _DFS):
        guid = folder["ReplicationGroupGuid"]
        names = {item["PartnerName"] for item in connections if item["ReplicationGroupGuid"] == guid}
        partners = sorted(names, key=lambda name: (str(name).upper(), str(name)))
        place = {"folder": folder["ReplicatedFolderName"], "path": or_null(folder["RootPath"])}
        sheet.row(service="dfsr", group=groups.get(guid, guid), partners=partners, **place)


def jobs(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """Policy of Windows Server Backup, tables of cron, and jobs of SQL Agent where the account may log on to SQL Server."""
    if not machine.may_read(_INSTANCES) or not machine.may_read(_POLICY):
        raise Ended("denied", DENIED)
    policy = machine.registry.key(_POLICY)
    for value in policy.values() if policy else ():
        sheet.row(scheduler="windows_server_backup_policy", name=value.name, step=None, command=text_of(value.data), enabled=None)
    for glob in ask.job_files:
        for file in find_files(machine, glob):
            _table(machine, sheet, file)
    _agents(machine, sheet)


def _agents(machine: Machine, sheet: Sheet) -> None:
    key = machine.registry.key(_INSTANCES)
    for value in key.values() if key else ():
        agent = "SQLSERVERAGENT" if value.name.upper() == "MSSQLSERVER" else f"SQLAgent${value.name}"
        service = machine.registry.key(rf"{SERVICES}\{agent}")
        if service is not None and machine.registry.number(rf"{SERVICES}\{agent}", "Start") != _DISABLED:
            _agent_jobs(machine, sheet, value.name, agent)


def _agent_jobs(machine: Machine, sheet: Sheet, instance: str, agent: str) -> None:
    found = {name.upper(): jobs for name, jobs in machine.facts.sql_agent.items()}.get(instance.upper())
    if found is None:
        where = f"jobs of SQL Agent of the instance {instance} lie in its database msdb, which does not answer this account"
        sheet.gap(agent, "command", f"{where}: Login failed for user.")
        return
    for name, job in sorted(found.items()):
        for number, step in enumerate(job.steps, 1):
            place = f"{number} {step.subsystem}: {step.name}"
            sheet.row(scheduler=f"sql_agent {instance}", name=name, step=place, command=step.command, enabled=job.enabled)


def _table(machine: Machine, sheet: Sheet, file: LabFile) -> None:
    if file.size > _LARGEST:
        sheet.gap(file.path, "", "larger than 256 KiB: not read")
        return
    for number, line in enumerate(decode_text(file.data(), file.path, machine).replace("\r", "").split("\n"), 1):
        if _NOTHING.fullmatch(line):
            continue
        match = _CRON.fullmatch(line)
        if match is None:
            sheet.gap(file.path, f"line {number}", "no line of a cron table")
        else:
            sheet.row(scheduler=file.path, name=f"line {number}", step=match.group(1).strip(), command=match.group(2), enabled=True)


def find_files(machine: Machine, glob: str) -> list[LabFile]:
    """Files that fit a glob, which may begin with a known folder."""
    found: dict[str, LabFile] = {}
    for start in _starts(machine, glob.replace("/", "\\")):
        if refusal(machine, start.split("\\")[0] + "\\") is None:
            levels = start.split("\\")
            files: Any = machine.files if is_glob(start) else filter(None, [machine.files.get(start)])
            for file in files:
                parts = file.path.split("\\")
                if len(parts) == len(levels) and all(matches(level, part) for level, part in zip(levels, parts, strict=True)):
                    found[file.path.upper()] = file
    return sorted(found.values(), key=lambda file: file.path)[:200]


def _starts(machine: Machine, glob: str) -> list[str]:
    if not glob.startswith("%"):
        return [glob]
    name, _, rest = glob[1:].partition("%")
    environment = machine.environment()
    folders = [environment.get(name.upper())]
    if name.upper() in ("PROGRAMFILES", "COMMONPROGRAMFILES"):
        folders.append(environment.get(f"{name.upper()}(X86)"))
    return [folder + rest for folder in folders if folder]
