"""Which right of the account a section needs, and what is lost without it: the table behind docs/rights.md and `auditor doctor`. Values.

A test denies each of these rights to the account of a lab host and holds that the section is then not ok.
"""

from __future__ import annotations

import msgspec

SHELL = "Remote Management Users (or Administrators): a WinRM shell may be opened"
WMI_RIGHT = "Remote Enable on the WMI namespace root\\cimv2 (on 2003 also root\\default)"


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """What a section needs."""

    needs: str
    """Beside the shell, or beside the WMI namespace on the WMI way."""
    without: str
    """What the section is without it."""
    give: str
    """How to give it."""


_ADMINISTRATOR = "make the account a member of Administrators on the host"
_READERS = "make the account a member of Event Log Readers on the host (on 2003: right Manage auditing and security log)"
_WMI = "give the account Enable Account on the WMI namespace root\\cimv2"
RIGHTS: dict[str, Right] = {
    "system": Right(needs="WMI, for manufacturer, model and start time", without="partial: these three are gaps", give=_WMI),
    "network": Right(needs="WMI, for domain and adapters", without="partial: these are gaps", give=_WMI),
    "memory": Right(needs="WMI; Administrators for the dirty bit", without="denied without WMI, else partial", give=_ADMINISTRATOR),
    "programs": Right(needs="read access to the Uninstall keys, which everyone has by default",
                      without="denied, or a gap for each closed key", give="open the key to the account again"),
    "services": Right(needs="Administrators: services may be hidden from others", without="partial", give=_ADMINISTRATOR),
    "drivers": Right(needs="Administrators: drivers may be hidden, folders closed", without="partial", give=_ADMINISTRATOR),
    "filters": Right(needs="Administrators: keys of filters may be closed", without="partial", give=_ADMINISTRATOR),
    "security": Right(needs="Administrators: keys and files of security products may be closed", without="partial", give=_ADMINISTRATOR),
    "tasks": Right(needs="Administrators: tasks of other accounts are hidden", without="partial", give=_ADMINISTRATOR),
    "scripts": Right(needs="Administrators, as for tasks; read access to the scripts", without="partial", give=_ADMINISTRATOR),
    "shares": Right(needs="WMI", without="denied", give=_WMI),
    "events": Right(needs="Event Log Readers (or Administrators)", without="denied", give=_READERS),
    "logons": Right(needs="Event Log Readers (or Administrators); logons must be audited", without="denied, partial where not audited",
                    give=_READERS),
    "dumps": Right(needs="Administrators: dump files are closed to others", without="partial or denied", give=_ADMINISTRATOR),
    "updates": Right(needs="WMI", without="denied", give=_WMI),
    "roles": Right(needs="WMI; on 2003 the registry", without="denied", give=_WMI),
    "defender": Right(needs="WMI; Administrators for exclusions", without="denied without WMI, else partial: exclusions are a gap",
                      give=_ADMINISTRATOR),
    "firewall": Right(needs="read access to the firewall's keys, which everyone has by default; Administrators for its logs",
                      without="denied, or a gap for each closed log", give=_ADMINISTRATOR),
    "sessions": Right(needs="Administrators; WMI", without="denied", give=_ADMINISTRATOR),
    "replication": Right(needs="WMI, namespace root\\microsoftdfs", without="denied where DFS Replication is installed",
                         give=_ADMINISTRATOR),
    "jobs": Right(needs="read access to the keys of SQL Server and backup, which everyone has by default", without="denied",
                  give="open the key to the account again"),
}  # fmt: skip
"""Section to what it needs. On the WMI way tasks and scripts are unsupported whatever the rights, drivers and files lack their contents."""
