"""Crashes of lab fleets without a network: the lab's own answers go through framing and the decoder into snapshots. For tests."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from auditor.analysis.investigate.case import Known
from auditor.collect.assemble import Asked as AskedHost
from auditor.collect.assemble import make_result
from auditor.crash import read_crashes
from auditor.hypotheses import load_hypotheses
from auditor.investigate import Asked, Gathered, investigate, request_for
from auditor.knowledge import load_crash_knowledge
from auditor.lab.answers import answer_section
from auditor.lab.assemble import assemble
from auditor.lab.fleet import Fleet, load_fleet
from auditor.lab.sheet import Ask
from auditor.lab.shell import hello
from auditor.matrix import load_matrix
from auditor.model.crash import Crash
from auditor.model.host import HostResult, Target
from auditor.model.hypothesis import Investigation
from auditor.model.places import shipped
from auditor.probes import framing
from auditor.probes.bundle import build_bundle

TEXT = Path(__file__).parents[1] / "samples" / "crash_text" / "incident-analyze-v.txt"


class Told:
    """What a host printed, as the collector keeps it."""

    def __init__(self, output: bytes, at: datetime) -> None:
        self.output = bytearray(output)
        self.complaints = bytearray()
        self.exit_code = 0
        self.failure = None
        self.first_output_at = at


@cache
def known() -> Known:
    """The shipped knowledge."""
    return Known(matrix=load_matrix([shipped("compat_matrix")]), hypotheses=load_hypotheses(), crashes=load_crash_knowledge())


@cache
def incident_text() -> Crash:
    """The founding case's text as read."""
    return read_crashes([TEXT]).crashes[0]


def variant(folder: Path, text: str) -> Fleet:
    """The incident's fleet with changes, written as a fleet file is."""
    path = folder / "variant.yml"
    path.write_text("title: a variant\nextends: incident\n" + textwrap.dedent(text), encoding="utf-8")
    return load_fleet(path)


def collected(fleet: Fleet, hosts: tuple[str, ...], now: datetime | None = None) -> Gathered:
    """The fleet as `investigate` would have collected these hosts."""
    at = now or datetime.now(UTC)
    targets = tuple(
        Target(name=host.name, address="127.0.0.1", port=40000 + i, scheme="http", transport="ntlm", groups=host.facts.groups)
        for i, host in enumerate(fleet.hosts)
    )
    results = {target.name: _result(fleet, target, at) for target in targets if target.name in hosts}
    return Gathered(targets=targets, results=results)


def _result(fleet: Fleet, target: Target, at: datetime) -> HostResult:
    machine = assemble(fleet.host(target.name), at)
    request = request_for(known())
    ask = Ask.read(framing.read_parameters(build_bundle(request)))
    blocks = [framing.pack_section(name, answer_section(machine, name, ask, at)) for name in ask.sections]
    text = "".join([framing.pack_hello(hello(machine, "svc-audit", at)), *blocks, framing.pack_end(len(blocks))])
    asked = AskedHost(target=target, request=request, started_at=at, answer_bytes=framing.DEFAULT_LIMIT_BYTES)
    return make_result(asked, Told(text.encode("ascii"), at), 0.1)  # type: ignore[arg-type]


def answered(fleet: Fleet, *, crash: Crash | None, hosts: tuple[str, ...] = ("srv-a", "srv-b", "dc-1", "print-1")) -> Investigation:
    """What `investigate srv-a` says of the fleet."""
    asked = Asked(host="srv-a", crash=crash, crash_file=TEXT.name if crash is not None else "")
    return investigate(asked, collected(fleet, hosts), known(), None)
