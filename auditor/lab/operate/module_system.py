"""Modules that ask a lab host for its system: win_ping, setup, win_product_facts, win_whoami. They change nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from auditor.lab.machine import CURRENT_VERSION, Machine
from auditor.lab.operate.module import Failed, Job, ModuleSpec, Option
from auditor.lab.operate.pending import restart_pending
from auditor.lab.sheet import moment

_PRODUCTS = {"workstation": ("workstation", 1), "domain_controller": ("domain_controller", 2), "server": ("server", 3)}


def _ping(job: Job) -> None:
    if job["data"] == "crash":
        raise Failed("Unhandled exception while executing module: boom")
    job.result["ping"] = job["data"]


def _setup(job: Job) -> None:
    machine, now = job.machine, job.machine.agenda.now
    facts: dict[str, Any] = {}
    for part in (_distribution, _platform, _network, _memory, _times):
        facts |= part(machine, now)
    wanted = [str(name) for name in job["gather_subset"]]
    facts |= {"gather_subset": wanted, "module_setup": True}
    job.result["ansible_facts"] = {
        f"ansible_{name}" if not name.startswith(("gather_", "module_")) else name: v for name, v in facts.items()
    }


def _distribution(machine: Machine, now: datetime) -> dict[str, Any]:  # noqa: ARG001
    system = machine.facts.system
    major, minor, build = machine.version
    revision = system.revision or 0
    return {
        "distribution": system.caption.strip(),
        "distribution_version": f"{major}.{minor}.{build}.{revision if major >= 10 else system.service_pack * 65536}",
        "distribution_major_version": str(major),
        "os_family": "Windows",
        "os_name": system.caption.strip(),
        "os_product_type": _PRODUCTS[system.product_type][0],
        "os_installation_type": machine.registry.text(CURRENT_VERSION, "InstallationType") or "Server",
        "kernel": f"{major}.{minor}.{build}.{revision}",
        "system": "Win32NT",
        "system_description": "",
        "system_vendor": system.manufacturer,
        "product_name": system.model,
    }


def _platform(machine: Machine, now: datetime) -> dict[str, Any]:  # noqa: ARG001
    system = machine.facts.system
    numbers = [int(part) for part in system.powershell.split(".")] if system.powershell != "none" else [0, 0]
    bits = "64-bit" if system.architecture == "x64" else "32-bit"
    return {
        "architecture": bits,
        "architecture2": "x86_64" if system.architecture == "x64" else "i386",
        "powershell_version": numbers[0],
        "powershell_major_version": numbers[0],
        "powershell_minor_version": numbers[1],
        "win_rm_certificate_expires": None,
        "reboot_pending": restart_pending(machine),
        "env": dict(machine.environment()),
        "windows_domain_member": machine.facts.network.part_of_domain,
        "windows_domain_role": "Member server" if machine.facts.network.part_of_domain else "Stand-alone server",
    }


def _network(machine: Machine, now: datetime) -> dict[str, Any]:  # noqa: ARG001
    network = machine.facts.network
    host = network.host_name or network.computer_name.lower()
    full = f"{host}.{network.domain}" if network.part_of_domain else host
    addresses = [address for adapter in network.adapters.values() for address in adapter.addresses]
    interfaces = [
        {
            "connection_name": name,
            "interface_name": adapter.description,
            "interface_index": index,
            "default_gateway": next(iter(adapter.gateways), None),
            "dns_domain": None,
            "macaddress": adapter.mac,
        }
        for index, (name, adapter) in enumerate(network.adapters.items(), 2)
    ]
    found = {"hostname": network.computer_name, "nodename": full, "fqdn": full, "netbios_name": network.computer_name}
    return {**found, "domain": network.domain, "windows_domain": network.domain, "ip_addresses": addresses, "interfaces": interfaces}


def _memory(machine: Machine, now: datetime) -> dict[str, Any]:  # noqa: ARG001
    memory = machine.facts.memory
    return {"memtotal_mb": memory.physical // 2**20, "memfree_mb": memory.free // 2**20, "swaptotal_mb": 0, "processor_count": 1}


def _times(machine: Machine, now: datetime) -> dict[str, Any]:
    local = machine.dial.zone.to_local(now)
    uptime = machine.uptime(now)
    return {
        "date_time": {
            "date": local.strftime("%Y-%m-%d"), "day": local.strftime("%d"), "epoch": str(int(now.timestamp())),
            "hour": local.strftime("%H"), "minute": local.strftime("%M"), "month": local.strftime("%m"), "second": local.strftime("%S"),
            "time": local.strftime("%H:%M:%S"), "iso8601": moment(now), "tz": machine.facts.zone.name, "year": local.strftime("%Y"),
            "weekday": local.strftime("%A"), "weekday_number": local.strftime("%w"), "weeknumber": local.strftime("%V"),
        },
        "lastboot": machine.dial.zone.to_local(machine.boot).strftime("%Y-%m-%d %H:%M:%SZ"),
        "uptime_seconds": int(uptime.total_seconds()),
    }  # fmt: skip


def _product_facts(job: Job) -> None:
    key = job.machine.registry.key(CURRENT_VERSION)
    edition = job.machine.registry.text(CURRENT_VERSION, "ProductId") if key else None
    job.result["ansible_facts"] = {
        "ansible_os_product_id": edition,
        "ansible_os_product_key": None,
        "ansible_os_license_edition": job.machine.facts.system.edition,
        "ansible_os_license_channel": None,
        "ansible_os_license_status": None,
    }


def _whoami(job: Job) -> None:
    domain, _, user = job.context.user.rpartition("\\")
    computer = job.machine.facts.network.computer_name
    name = re.split("@", user)[0]
    job.result |= {
        "account": {"account_name": name, "domain_name": domain or computer, "sid": None, "type": "User"},
        "upn": None,
        "login_domain": domain or computer,
        "label": {"account_name": "High Mandatory Level", "domain_name": "Mandatory Label", "sid": "S-1-16-12288", "type": "Label"},
    }


MODULES: Mapping[str, ModuleSpec] = {
    "win_ping": ModuleSpec(options={"data": Option(default="pong")}, body=_ping),
    "setup": ModuleSpec(
        options={
            "gather_subset": Option(type="list", default=["all"]),
            "gather_timeout": Option(type="int", default=10),
            "fact_path": Option(),
        },
        body=_setup,
        free=True,
    ),
    "win_product_facts": ModuleSpec(options={}, body=_product_facts),
    "win_whoami": ModuleSpec(options={}, body=_whoami),
}
