"""The modern fleet: hosts that only live on give the same records scan after scan, and the quiet ones stay quiet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from auditor.analysis.drift.normalise import Normaliser
from auditor.audit import check, request_for, run_of
from auditor.lab.fleet import Fleet, load_fleet
from auditor.matrix import load_matrix
from auditor.matrix.drift_files import load_drift
from auditor.model.host import HostResult, Snapshot, Target
from auditor.model.places import shipped
from auditor.model.rule import Matrix
from auditor.probes.bundle import ProbeRequest
from auditor.probes.decode import Decoded
from auditor.probes.question import question_of
from tests.living_hosts import scanned

FIRST = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)
SCANS = 200
NAMED_ANEW = frozenset({"drivers", "tasks", "security"})
"""Sections in which Windows itself gives names and versions anew; there the records are the same for whoever compares them."""


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return load_fleet("modern")


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return load_matrix([shipped("compat_matrix")])


@pytest.fixture(scope="module")
def request_(matrix: Matrix) -> ProbeRequest:
    return request_for(matrix)


class Compared:
    """What of a scan has to be the same at the next."""

    def __init__(self, matrix: Matrix, request: ProbeRequest) -> None:
        self._normaliser = Normaliser(load_drift([shipped("compat_matrix")]), matrix.signatures)
        self._request = request

    def plain(self, decoded: Decoded) -> dict[str, bytes]:
        return {
            name: msgspec.json.encode(getattr(decoded.sections, name).records) for name in self._request.sections if name not in NAMED_ANEW
        }

    def settled(self, decoded: Decoded) -> dict[str, Any]:
        system = decoded.sections.system.records[0]
        found: dict[str, Any] = {}
        for name in NAMED_ANEW:
            items = self._normaliser.items(name, getattr(decoded.sections, name).records, system)
            found[name] = sorted(
                (item.key, item.names, [v for n, v in zip(item.names, item.values, strict=True) if n not in item.skip]) for item in items
            )
        return found

    def statuses(self, decoded: Decoded) -> dict[str, str]:
        return {name: getattr(decoded.sections, name).status for name in self._request.sections}


@pytest.mark.parametrize(("name", "scans"), [("app-16", SCANS), ("web-19", 8), ("sql-22", 8), ("edr-22", 8), ("hv-25", 8), ("file-19", 8)])
def test_a_host_that_only_lives_on_gives_the_same_records(
    fleet: Fleet, matrix: Matrix, request_: ProbeRequest, name: str, scans: int
) -> None:
    compared = Compared(matrix, request_)
    first = scanned(fleet.host(name), 0, request_, FIRST)
    plain, settled, statuses = compared.plain(first), compared.settled(first), compared.statuses(first)
    moved: set[str] = set()
    for scan in range(1, scans):
        later = scanned(fleet.host(name), scan, request_, FIRST)
        again = compared.plain(later)
        assert [section for section in plain if again[section] != plain[section]] == [], scan
        assert compared.settled(later) == settled, scan
        assert compared.statuses(later) == statuses, scan
        moved |= {n for n in request_.sections if getattr(later.sections, n).readings != getattr(first.sections, n).readings}
        moved |= {n for n in NAMED_ANEW if getattr(later.sections, n).records != getattr(first.sections, n).records}
    assert moved >= {"system", "memory", "logons", "sessions", "defender", *NAMED_ANEW}, "the host did not live"


def test_quiet_hosts_are_quiet_and_the_other_is_found(fleet: Fleet, matrix: Matrix, request_: ProbeRequest) -> None:
    asked = []
    for host in fleet.hosts:
        decoded = scanned(host, 0, request_, FIRST)
        target = Target(name=host.name, address=host.name, port=5985, scheme="http", transport="ntlm", groups=host.facts.groups)
        snapshot = Snapshot(
            host=host.name,
            collected_at="2026-11-26T01:30:00Z",
            collector="test",
            transport="test",
            clock=decoded.clock,
            log_coverage=decoded.log_coverage,
            sections=decoded.sections,
            asked=question_of(request_),
        )
        asked.append((target, HostResult(host=host.name, status="ok", snapshot=snapshot)))
    report = check(asked, matrix, run_of("test", "2026-11-26T01:30:00Z", matrix))
    grave = [finding for finding in report.findings if finding.severity not in ("informational", "low")]
    found = {(finding.rule, *sorted(subject.host for subject in finding.subjects)) for finding in grave}
    assert found == {("defender-active-beside-third-party-antivirus-on-server", "av-19")}


def test_what_the_fleet_says_of_its_protection(fleet: Fleet, request_: ProbeRequest) -> None:
    said = {host.name: scanned(host, 0, request_, FIRST).sections for host in fleet.hosts}
    modes = {name: sections.defender.records[0].running_mode for name, sections in said.items()}
    assert modes == {name: "Passive Mode" if name == "edr-22" else "Normal" for name in said}
    assert said["sql-22"].defender.records[0].exclusions is not None
    assert [gap.record for gap in said["sql-22"].jobs.gaps] == ["SQLSERVERAGENT"]
    (folder,) = said["file-19"].replication.records
    assert (folder.service, folder.path, folder.partners) == ("dfsr", "E:\\Projects", ("FILE20",))
    (log,) = said["web-19"].firewall.readings
    assert (log.dropped, log.allowed, log.top_source) == (2, 1, "10.20.0.77")
    drivers = {driver.name: driver for driver in said["edr-22"].drivers.records}
    assert (drivers["CSAgent"].signature, drivers["CSAgent"].signer) == (
        "valid",
        "CN=Microsoft Windows Hardware Compatibility Publisher",
    )
    filters = {(item.name, item.frame) for item in said["edr-22"].filters.records if item.instance}
    assert {("CSAgent", 0), ("WdFilter", 0)} <= filters
