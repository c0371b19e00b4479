"""Hosts that misbehave while they are asked over WMI: one clear reason each, what arrived is kept, nothing hangs or is believed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from auditor.collect.fleet import Limits
from auditor.model.host import HostResult
from auditor.probes.bundle import ProbeRequest
from tests.lab.collect_fleet import Running, running

pytestmark = pytest.mark.lab
SMALL: dict[str, Any] = {
    "system": {"caption": "w", "version": "10.0.20348", "powershell": "none"},
    "network": {"computer_name": "SMALL"},
    "memory": {"volumes": {"C:": {"size": 1000000000}}},
}
DEADLINE = 8.0
FAULTS: list[tuple[str, str, str]] = [
    # fault, at which action, what the reason says
    ("garbage", "Enumerate", "no SOAP"),
    ("wrong_xml", "Enumerate", "no SOAP"),
    ("empty_body", "Invoke", "no SOAP"),
    ("entity_bomb", "Enumerate", "no SOAP"),
    ("half_answer", "Invoke", "half an answer"),
    ("gzip_bomb", "Enumerate", "compressed body"),
    ("unsealed_reply", "Enumerate", "unsealed reply"),
    ("tampered_reply", "Invoke", "the seal does not hold"),
    ("wrong_charset", "Enumerate", "makes no sense"),
    ("endless_body", "Invoke", "sent a reply of more than"),
    ("redirect", "Enumerate", "redirects are not followed"),
    ("reset", "Enumerate", "closed the connection"),
    ("hang_body", "Invoke", "the time for this host was over while asking over WMI"),
    ("access_denied", "Enumerate", "WMI denies it"),
]


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, HostResult]]:
    hosts = {f"{fault}-{at}": {**msgspec.to_builtins(SMALL), "behaviour": {"fault": fault, "at": at}} for fault, at, _ in FAULTS}
    with running({name: {key: dict(value) for key, value in host.items()} for name, host in hosts.items()}) as fleet:
        yield _collect(fleet)


def _collect(fleet: Running) -> dict[str, HostResult]:
    started = time.monotonic()
    found = fleet.collect(request=ProbeRequest(), limits=Limits(host_deadline_seconds=DEADLINE, answer_bytes=8 * 1024 * 1024))
    assert time.monotonic() - started < 2 * DEADLINE
    assert fleet.violations() == ""
    assert fleet.open_shells() == {}
    return found


@pytest.mark.parametrize(("fault", "at", "words"), FAULTS)
def test_a_clear_reason_and_no_answer_that_is_not_there(results: dict[str, HostResult], fault: str, at: str, words: str) -> None:
    result = results[f"{fault}-{at}"]
    assert result.status != "ok"
    assert "no PowerShell" in result.reason
    assert words in result.reason
    if result.snapshot is not None:
        assert all(getattr(result.snapshot.sections, name).status != "ok" for name in ("services", "programs", "drivers"))
