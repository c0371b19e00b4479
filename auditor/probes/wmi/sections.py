"""Every section that can be asked over WMI, in the order in which they are asked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from auditor.probes.bundle import EXTRA_SECTIONS, SCRIPTED_SECTIONS, ProbeRequest
from auditor.probes.wmi.activity import events, logons, scripts, tasks
from auditor.probes.wmi.drivers import drivers
from auditor.probes.wmi.dumps import dumpbytes, dumps
from auditor.probes.wmi.exchange import jobs, replication, sessions
from auditor.probes.wmi.machine import fragmentation, memory, roles, shares, updates
from auditor.probes.wmi.protection import defender, firewall
from auditor.probes.wmi.questions import Steps
from auditor.probes.wmi.security import security
from auditor.probes.wmi.sheet import Sheet
from auditor.probes.wmi.software import filters, programs, services
from auditor.probes.wmi.survey import Survey
from auditor.probes.wmi.system import network, system

SECTIONS: Mapping[str, Callable[[Survey, Sheet], Steps[None]]] = {
    "system": system, "network": network, "memory": memory, "shares": shares, "updates": updates, "roles": roles,
    "programs": programs, "services": services, "drivers": drivers, "filters": filters, "security": security, "dumps": dumps,
    "tasks": tasks, "scripts": scripts, "sessions": sessions, "replication": replication, "jobs": jobs, "firewall": firewall,
    "events": events, "logons": logons, "defender": defender, "dumpbytes": dumpbytes, "fragmentation": fragmentation,
}  # fmt: skip
"""Section to its steps. What the steps raise (CollectError) is the section's status and reason."""


def asked_sections(request: ProbeRequest) -> tuple[str, ...]:
    """The sections of a request in the order in which they are asked: short answers first, event logs last."""
    return tuple(name for name in SECTIONS if name in request.sections and name in (*SCRIPTED_SECTIONS, *EXTRA_SECTIONS))
