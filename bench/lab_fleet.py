"""A fleet of any size for benchmarks: the hosts of the lab's fleets again and again, each time as other machines.

A cell is one copy of all lab hosts. Names, addresses and names of product groups differ from cell to cell, in texts too, so that the hosts
of a cell copy to each other, manage each other and log on to each other, and to nobody outside of it. Everything else is as the probe would
have told it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from auditor.analysis.host.facts import HostFacts
from auditor.analysis.products.detect import Detector
from auditor.audit import request_for
from auditor.lab.answers import answer_section
from auditor.lab.assemble import assemble
from auditor.lab.fleet import LabHost, load_fleet
from auditor.lab.sheet import Ask
from auditor.lab.shell import hello
from auditor.model.host import Snapshot, Target
from auditor.model.rule import Matrix
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, build_bundle
from auditor.probes.decode import decode_answer
from auditor.probes.question import question_of

FLEETS = ("incident", "modern")
NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
_ADDRESS = re.compile(r"(?<![\d.])(?:192\.168|172\.16|10\.\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\d.])")


class BenchHost(NamedTuple):
    """A host of the fleet."""

    target: Target
    raw: bytes
    """Its snapshot as JSON."""


class _Original(NamedTuple):
    name: str
    groups: tuple[str, ...]
    text: str


class _Form:
    """A host's text in pieces, with what differs from cell to cell between them."""

    def __init__(self, original: _Original, names: re.Pattern[str]) -> None:
        self.name, self.groups = original.name, original.groups
        marked = names.sub(lambda match: f"{match[0]}x\0cell\0", original.text)
        marked = _ADDRESS.sub(lambda match: f"\0net\0{(int(match[1]) * 7 + int(match[2])) % 254 + 1}", marked)
        self._pieces = marked.split("\0")

    def text(self, cell: int) -> str:
        """The host's text in a cell."""
        pieces = self._pieces.copy()
        values = {"cell": str(cell), "net": f"10.{cell >> 8 & 255}.{cell & 255}."}
        pieces[1::2] = [values[slot] for slot in pieces[1::2]]
        return "".join(pieces)


class LabFleet:
    """Hosts by number; the same number gives the same host."""

    def __init__(self, matrix: Matrix) -> None:
        originals = [original for fleet in FLEETS for original in _originals(fleet, matrix)]
        detector = Detector(matrix.signatures)
        words = sorted({word for original in originals for word in _words(original, detector)}, key=len, reverse=True)
        names = re.compile("|".join(map(re.escape, words)))
        self._forms = [_Form(original, names) for original in originals]

    def hosts(self, count: int, first_cell: int = 0) -> Iterator[BenchHost]:
        """So many hosts, beginning with a cell."""
        for number in range(count):
            cell, place = divmod(number, len(self._forms))
            yield self._host(self._forms[place], first_cell + cell)

    def cells(self, count: int) -> int:
        """How many cells so many hosts take."""
        return -(-count // len(self._forms))

    def _host(self, form: _Form, cell: int) -> BenchHost:
        name = f"{form.name}x{cell}"
        address = f"{name}.bench.example"
        target = Target(name=name, address=address, port=5985, scheme="http", transport="ntlm", groups=form.groups)
        return BenchHost(target, form.text(cell).encode())


def _originals(fleet: str, matrix: Matrix) -> Iterator[_Original]:
    request = request_for(matrix)
    for host in load_fleet(fleet).hosts:
        snapshot = lab_snapshot(host, request)
        yield _Original(host.name, tuple(sorted(host.facts.groups)), msgspec.json.encode(snapshot).decode())


def lab_snapshot(host: LabHost, request: ProbeRequest) -> Snapshot:
    """What the probe tells of a lab host, without a network between."""
    machine = assemble(host, NOW)
    ask = Ask.read(framing.read_parameters(build_bundle(request)))
    sections = {name: answer_section(machine, name, ask, NOW) for name in ask.sections}
    told = framing.Answer(hello=hello(machine, "svc-audit", NOW), sections=sections, complete=True)
    decoded = decode_answer(told, request, now=NOW)
    return Snapshot(
        host=host.name,
        collected_at=NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
        collector="bench",
        transport="powershell over http/ntlm",
        clock=decoded.clock,
        asked=question_of(request),
        log_coverage=decoded.log_coverage,
        sections=decoded.sections,
    )


def _words(original: _Original, detector: Detector) -> Iterator[str]:
    """By what a host and the groups of its products are called in texts."""
    snapshot = msgspec.json.decode(original.text, type=Snapshot)
    for record in snapshot.sections.network.records:
        yield from (text for text in (record.computer_name, record.host_name) if text)
    for product in detector.detect(HostFacts(snapshot)).products:
        yield from (text for text in (product.group, product.parent) if text)
    yield original.name
