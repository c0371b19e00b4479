"""The sections sessions, replication and jobs over WMI: the same rows as the scripts' (`docs/probe.md`), without what stands in files."""

from __future__ import annotations

from auditor.model.errors import CollectError
from auditor.probes.wmi.properties import number_of, text_of
from auditor.probes.wmi.questions import Instance, Steps, ask
from auditor.probes.wmi.registry import text_of_data
from auditor.probes.wmi.sheet import NO_CONTENTS, Sheet
from auditor.probes.wmi.survey import SERVICES_KEY, Survey

_DFS = "root/microsoftdfs"
_SETS = rf"{SERVICES_KEY}\NtFrs\Parameters\Replica Sets"
_INSTANCES = r"SOFTWARE\Microsoft\Microsoft SQL Server\Instance Names\SQL"
_POLICY = r"SOFTWARE\Policies\Microsoft\Windows\Backup\Server"
_DISABLED = 4


def sessions(survey: Survey, sheet: Sheet) -> Steps[None]:  # noqa: ARG001 (all sections are asked alike)
    """Open sessions of other machines on the shares."""
    found = yield from ask("SELECT ComputerName, UserName, ResourcesOpened FROM Win32_ServerSession")
    shares = yield from _shares(sheet)
    for session in found:
        client, user = _key(session)
        row = sheet.row(client=client or None, user=user or None, open_files=number_of(session, "ResourcesOpened"), shares=None)
        if shares is not None:
            row["shares"] = shares.get((client.lower(), user.lower()), [])


def _key(instance: Instance) -> tuple[str, str]:
    return (text_of(instance, "ComputerName") or "").lstrip("\\"), text_of(instance, "UserName") or ""


def _shares(sheet: Sheet) -> Steps[dict[tuple[str, str], list[str]] | None]:
    """Share names by client and account; None with a gap where they are not told."""
    found: dict[tuple[str, str], list[str]] = {}
    try:
        for connection in (yield from ask("SELECT ComputerName, UserName, ShareName FROM Win32_ServerConnection")):
            client, user = _key(connection)
            names = found.setdefault((client.lower(), user.lower()), [])
            name = text_of(connection, "ShareName")
            if name and name not in names:
                names.append(name)
    except CollectError as error:
        if error.status == "timed_out":
            raise
        sheet.gap("", "shares", error.message)
        return None
    return found


def replication(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Replica sets of FRS and replicated folders of DFS Replication."""
    registry = survey.registry
    for name in (yield from registry.subkeys(_SETS)):
        group = (yield from registry.text(rf"{_SETS}\{name}", "Replica Set Name")) or name
        path = yield from registry.text(rf"{_SETS}\{name}", "Replica Set Root")
        sheet.row(service="frs", group=group, folder=None, path=path, partners=[])
        sheet.gap(group, "partners", "the partners of FRS stand in the directory: not read from the host")
    if not (yield from registry.exists(rf"{SERVICES_KEY}\DFSR")):
        return
    try:
        yield from _folders(sheet)
    except CollectError as error:
        if error.status == "timed_out" or not sheet.rows:
            raise
        sheet.gap("dfsr", "", error.message)


def _folders(sheet: Sheet) -> Steps[None]:
    asked = yield from ask("SELECT ReplicationGroupGuid, ReplicationGroupName FROM DfsrReplicationGroupConfig", namespace=_DFS)
    groups = {text_of(group, "ReplicationGroupGuid"): text_of(group, "ReplicationGroupName") for group in asked}
    connections = yield from ask("SELECT ReplicationGroupGuid, PartnerName FROM DfsrConnectionConfig", namespace=_DFS)
    columns = "ReplicationGroupGuid, ReplicatedFolderName, RootPath"
    for folder in (yield from ask(f"SELECT {columns} FROM DfsrReplicatedFolderConfig", namespace=_DFS)):  # noqa: S608 (of constants)
        guid = text_of(folder, "ReplicationGroupGuid")
        names = {text_of(item, "PartnerName") or "" for item in connections if text_of(item, "ReplicationGroupGuid") == guid} - {""}
        sheet.row(
            service="dfsr",
            group=groups.get(guid) or guid,
            folder=text_of(folder, "ReplicatedFolderName"),
            path=text_of(folder, "RootPath"),
            partners=sorted(names, key=lambda name: (name.upper(), name)),
        )


def jobs(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Policy of Windows Server Backup; agents of SQL Server and tables of cron are gaps."""
    registry = survey.registry
    for name in (yield from registry.values(_INSTANCES)) or {}:
        agent = "SQLSERVERAGENT" if name.upper() == "MSSQLSERVER" else f"SQLAgent${name}"
        key = rf"{SERVICES_KEY}\{agent}"
        if (yield from registry.exists(key)) and (yield from registry.number(key, "Start")) != _DISABLED:
            where = f"jobs of SQL Agent of the instance {name} lie in its database msdb"
            sheet.gap(agent, "command", f"{where}: this way asks WMI alone, and no SQL Server")
    for name in (yield from registry.values(_POLICY)) or {}:
        data = text_of_data((yield from registry.data(_POLICY, name)))
        sheet.row(scheduler="windows_server_backup_policy", name=name, step=None, command=data, enabled=None)
    if survey.request.job_files:
        sheet.gap("", "command", f"{NO_CONTENTS}: tables of cron are not read")
