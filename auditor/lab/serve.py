"""Runs a fleet: facts -> machines -> shells -> WS-Management server, and the inventory to reach it by. Prints nothing.

Owns the state folder: inventory.yml and operator.yml (0600, for each holds an account's password), ca.pem, violations.jsonl (what the
auditor's account tried besides the probe), operations.jsonl (what the operator's account did, in order, without secrets).
"""

from __future__ import annotations

import functools
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from auditor.lab.assemble import assemble
from auditor.lab.endpoint import Account, HostEndpoint, KerberosService
from auditor.lab.fleet import Fleet, LabHost, load_fleet, problem_of
from auditor.lab.machine import Machine
from auditor.lab.operate.journal import Journal
from auditor.lab.server import LabServer
from auditor.lab.shell import Digest, LabShell, Probe, Violations
from auditor.lab.wmi_service import WmiService
from auditor.model.errors import LabError

INVENTORY, OPERATOR_INVENTORY, VIOLATIONS, OPERATIONS = "inventory.yml", "operator.yml", "violations.jsonl", "operations.jsonl"


class Lab:
    """A running lab; also a context manager."""

    def __init__(self, fleet: Fleet, server: LabServer, machines: dict[str, Machine], state: Path) -> None:
        self.fleet = fleet
        self.server = server
        self.machines = machines
        self.inventory = state / INVENTORY
        self.operator_inventory = state / OPERATOR_INVENTORY
        self.violations = state / VIOLATIONS
        self.operations = state / OPERATIONS

    def ready(self) -> dict[str, Any]:
        """The line that the command prints when all hosts listen."""
        return {
            "ready": True,
            "title": self.fleet.title,
            "hosts": len(self.fleet.hosts),
            "inventory": str(self.inventory),
            "operator_inventory": str(self.operator_inventory),
            "ca": str(self.server.ca_file),
            "violations": str(self.violations),
            "operations": str(self.operations),
            "urls": {host.name: self.server.url(host.name) for host in self.fleet.hosts},
        }

    def stop(self) -> None:
        """Closes everything; the files stay."""
        self.server.stop()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def serve(
    fleet_file: str | Path,
    state_dir: Path,
    *,
    probe_digests: frozenset[str] = frozenset(),
    probe_digest_of: Digest | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Lab:
    """Starts the fleet in a file, or a shipped one by its id. Returns when every host listens. Raises LabError.

    The auditor's account may run only bundles whose digest is in `probe_digests`, or equals `probe_digest_of(sections)`; with neither,
    any script with a parameter line. `clock` gives aware times (the hosts' own clocks); times of the fleet count from its first answer.
    """
    fleet = load_fleet(fleet_file)
    tell = clock or _utc_now
    machines = make_machines(fleet, tell())
    state = _prepare(state_dir)
    passwords = {role: getattr(fleet.accounts, role).password or secrets.token_urlsafe(12) for role in ("auditor", "operator")}
    violations = Violations(state / VIOLATIONS, tell)
    probe = Probe(digests=probe_digests, digest_of=probe_digest_of)
    journal = Journal(state / OPERATIONS, tell)
    shells = {
        name: LabShell(machine, clock=tell, probe=probe, violations=violations, journal=journal) for name, machine in machines.items()
    }
    reachable = {name: functools.partial(_reachable, machine, tell) for name, machine in machines.items()}
    routes = {name: WmiService(machine, shells[name]).routes() for name, machine in machines.items()}
    server = LabServer([_endpoint(host, fleet, passwords) for host in fleet.hosts], shells, state, routes=routes, reachable=reachable)
    server.start()
    lab = Lab(fleet, server, machines, state)
    for path, role in ((lab.inventory, "auditor"), (lab.operator_inventory, "operator")):
        _write_private(path, yaml.safe_dump(inventory(lab, passwords, role), sort_keys=False, allow_unicode=True))
    return lab


def make_machines(fleet: Fleet, now: datetime) -> dict[str, Machine]:
    """A machine for each host. Raises LabError where facts contradict each other."""
    machines: dict[str, Machine] = {}
    problems = []
    for host in fleet.hosts:
        try:
            machines[host.name] = assemble(host, now)
        except ValueError as error:
            problems.append(problem_of(host.name, error))
    if problems:
        count = "1 host" if len(problems) == 1 else f"{len(problems)} hosts"
        raise LabError(f"{count} can't be made", tuple(problems), next_step="see docs/lab.md")
    _introduce(machines)
    return machines


def _introduce(machines: dict[str, Machine]) -> None:
    """Tells every host of the others, by the names and addresses that lead to them."""
    peers: dict[str, Machine] = {}
    for name, machine in machines.items():
        network = machine.facts.network
        names = {name, network.computer_name, network.host_name or network.computer_name, *network.optional_names, *machine.facts.aliases}
        names |= {f"{short}.{network.domain}" for short in tuple(names)} if network.part_of_domain else set()
        names |= {address for adapter in network.adapters.values() for address in adapter.addresses}
        peers.update({known.upper(): machine for known in names})
    for machine in machines.values():
        machine.peers = peers


def _reachable(machine: Machine, clock: Callable[[], datetime]) -> bool:
    return machine.reachable(clock())


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _prepare(state: Path) -> Path:
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in (VIOLATIONS, OPERATIONS):
            (state / name).write_bytes(b"")
    except OSError as error:
        raise LabError(f"the state folder {state} can't be written: {error.strerror}", ()) from error
    return state.absolute()


def _endpoint(host: LabHost, fleet: Fleet, passwords: dict[str, str]) -> HostEndpoint:
    facts = host.facts
    accounts = (
        Account(user=fleet.accounts.auditor.user, password=passwords["auditor"], role="auditor"),
        Account(user=fleet.accounts.operator.user, password=passwords["operator"], role="operator"),
    )
    return HostEndpoint(
        name=host.name,
        scheme=facts.scheme,
        accounts=accounts,
        os_version=facts.system.version,
        service_pack=f"{facts.system.service_pack}.0",
        hostname=facts.network.computer_name,
        behaviour=facts.behaviour,
        winrm_stack=facts.winrm_stack,
        kerberos=KerberosService(keytab=k.keytab, realm=k.realm, spn=k.spn) if (k := facts.kerberos) else None,
    )


def inventory(lab: Lab, passwords: dict[str, str], role: str = "auditor") -> dict[str, Any]:
    """An Ansible inventory of the running lab, for one of its accounts."""
    hosts: dict[str, dict[str, Any]] = {}
    groups: dict[str, dict[str, Any]] = {}
    for host in lab.fleet.hosts:
        variables: dict[str, Any] = {"ansible_host": "127.0.0.1", "ansible_port": lab.server.port(host.name)}
        variables["ansible_winrm_scheme"] = host.facts.scheme
        if host.facts.kerberos:
            name = getattr(lab.fleet.accounts, role).user
            variables |= {"ansible_winrm_transport": "kerberos", "ansible_user": f"{name}@{host.facts.kerberos.realm}"}
            variables["ansible_winrm_kerberos_hostname_override"] = host.facts.kerberos.spn.partition("/")[2]
        if host.facts.aliases:
            variables["auditor_aliases"] = list(host.facts.aliases)
        hosts[host.name] = variables
        for group in host.facts.groups:
            groups.setdefault(group, {"hosts": {}})["hosts"][host.name] = {}
    common = {
        "ansible_connection": "winrm",
        "ansible_winrm_transport": "ntlm",
        "ansible_winrm_server_cert_validation": "validate",
        "ansible_winrm_ca_trust_path": str(lab.server.ca_file),
        "ansible_user": getattr(lab.fleet.accounts, role).user,
        "ansible_password": passwords[role],
    }
    return {"all": {"children": {"windows": {"vars": common, "hosts": hosts}, **groups}}}


def _write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, also where one was there before."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
