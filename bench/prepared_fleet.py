"""A fleet for benchmarks: lab hosts that print prepared answers of a given size, so that making answers costs nothing.

    python bench/prepared_fleet.py STATE --hosts 200 --kilobytes 50 --latency-ms 20 --run-ms 300 [--pits 0]

Real WS-Management over NTLM, sealed. Writes STATE/inventory.yml for Ansible and STATE/fleet.json, prints one line when ready, serves
until its standard input ends. With --pits each of the first N hosts is a tar pit: at connecting, in the headers, in the body, or half-way.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from auditor.lab.answers import answer_section  # noqa: E402
from auditor.lab.assemble import assemble  # noqa: E402
from auditor.lab.endpoint import Account, HostEndpoint  # noqa: E402
from auditor.lab.fleet import load_fleet  # noqa: E402
from auditor.lab.misbehave import Behaviour, Fault, Place  # noqa: E402
from auditor.lab.process import BufferedProcess, Role  # noqa: E402
from auditor.lab.server import LabServer  # noqa: E402
from auditor.lab.sheet import Ask  # noqa: E402
from auditor.lab.shell import hello  # noqa: E402
from auditor.probes import framing  # noqa: E402
from auditor.probes.bundle import ProbeRequest, build_bundle  # noqa: E402
from auditor.probes.framing import SectionAnswer  # noqa: E402

AUDITOR, OPERATOR, PASSWORD = "svc-audit", "svc-operate", "Bench-7-pass"
REQUEST = ProbeRequest(security_files=("C:\\bench\\filler.txt",))
PITS: tuple[tuple[Fault, Place | None], ...] = (
    ("hang_accept", None), ("hang_headers", "any"), ("hang_body", "Create"), ("hang_command", None), ("dribble", "Receive"),
)  # fmt: skip


class Prepared:
    """What the probe prints on an ordinary server of the modern fleet, filled up with a text that can't be compressed well.

    Hosts differ as hosts of one build do: in that text, and in the ids of processes.
    """

    def __init__(self, kilobytes: int) -> None:
        now = datetime.now(UTC)
        machine = assemble(load_fleet("modern").host("web-19"), now)
        ask = Ask.read(framing.read_parameters(build_bundle(REQUEST)))
        self._sections = {name: answer_section(machine, name, ask, now) for name in ask.sections}
        self._packed = {name: framing.pack_section(name, answer) for name, answer in self._sections.items()}
        self._hello = framing.pack_hello(hello(machine, AUDITOR, now))
        self._filler = 0
        while (size := len(self.answer(0))) < kilobytes * 1024:
            self._filler += max(200, (kilobytes * 1024 - size) * 5 // 8)

    def answer(self, number: int) -> bytes:
        """What host `number` prints."""
        text = random.Random(number).randbytes(self._filler).hex()
        own = {
            "security": SectionAnswer(rows=[{"kind": "file", "path": "C:\\bench\\filler.txt", "type": "text", "data": text}]),
            "services": self._moved("services", "pid", number),
        }
        packed = {**self._packed, **{name: framing.pack_section(name, answer) for name, answer in own.items()}}
        return (self._hello + "".join(packed.values()) + framing.pack_end(len(packed))).encode("ascii")

    def _moved(self, section: str, field: str, number: int) -> SectionAnswer:
        """A section in which a number of each row is another on each host."""
        answer = self._sections[section]
        rows = [{**row, field: row[field] + 4 * number} if row.get(field) else row for row in answer.rows]
        return msgspec.structs.replace(answer, rows=rows)


class PreparedProcess(BufferedProcess):
    """Prints the answer when its input has ended, or at once."""

    def __init__(self, answer: bytes, *, waits: bool) -> None:
        super().__init__()
        self._answer = answer
        if not waits:
            self.on_input_end(b"")

    def on_input_end(self, data: bytes) -> None:  # noqa: ARG002 (the same answer to every script)
        """See BufferedProcess."""
        self.write("stdout", self._answer)
        self.finish(0)


class PreparedShell:
    """A HostShell that prints the same for every command."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def start(self, command: str, arguments: list[str], *, role: Role, **_: object) -> PreparedProcess:  # noqa: ARG002
        """See HostShell: the auditor's command reads standard input, Ansible's does not."""
        return PreparedProcess(self._answer, waits=role == "auditor")


def endpoints(hosts: int, latency_ms: int, run_ms: int, pits: int) -> list[HostEndpoint]:
    """The hosts, tar pits first."""
    accounts = (Account(user=AUDITOR, password=PASSWORD), Account(user=OPERATOR, password=PASSWORD, role="operator"))
    behaviour = Behaviour(latency_ms=latency_ms, run_ms=run_ms)
    found = []
    for number in range(hosts):
        fault, at = PITS[number % len(PITS)] if number < pits else (None, None)
        own = msgspec.structs.replace(behaviour, fault=fault, at=at)
        found.append(HostEndpoint(name=f"bench-{number:04}", accounts=accounts, behaviour=own, os_version="10.0.17763"))
    return found


def inventory(ports: Mapping[str, int]) -> dict[str, Any]:
    """For Ansible, with the operator's account."""
    common = {"ansible_connection": "winrm", "ansible_winrm_transport": "ntlm", "ansible_winrm_scheme": "http", "ansible_host": "127.0.0.1"}
    common |= {"ansible_user": OPERATOR, "ansible_password": PASSWORD}
    return {"all": {"vars": common, "hosts": {name: {"ansible_port": port} for name, port in ports.items()}}}


def main() -> int:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    for name, default in (("hosts", 200), ("kilobytes", 50), ("latency-ms", 20), ("run-ms", 300), ("pits", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    prepared = Prepared(options.kilobytes)
    answers = [prepared.answer(number) for number in range(options.hosts)]
    hosts = endpoints(options.hosts, options.latency_ms, options.run_ms, options.pits)
    shells: Any = {host.name: PreparedShell(answer) for host, answer in zip(hosts, answers, strict=True)}
    with LabServer(hosts, shells, options.state) as server:
        ports = {host.name: server.port(host.name) for host in hosts}
        (options.state / "inventory.yml").write_text(yaml.safe_dump(inventory(ports)), encoding="utf-8")
        (options.state / "fleet.json").write_text(json.dumps({"ports": ports, "answer_bytes": len(answers[0])}), encoding="utf-8")
        print(json.dumps({"ready": True, "hosts": len(hosts), "answer_bytes": len(answers[0])}), flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
