"""set_defender_mode on simulated servers: passive by policy and restart, its scanner by preference, what keeps it from either."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditor.lab.registry import Value
from tests.lab.play_bench import Bench, bench, outcomes

pytestmark = [pytest.mark.lab, pytest.mark.slow]
ONBOARDED = "registry: {'HKLM\\SOFTWARE\\Microsoft\\Windows Advanced Threat Protection\\Status': {OnboardingState: 1}}"
OTHER = "services: {OtherAV: {image: 'C:\\Other\\av.exe', start: auto, state: running}}"
POLICY = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Advanced Threat Protection"
HOSTS = {
    "onboarded": (ONBOARDED, OTHER, "defender: {tamper: false}"),
    "apart": (OTHER, "defender: {tamper: false}"),
    "tampered": (ONBOARDED, OTHER, "defender: {tamper: true}"),
    "held": (ONBOARDED, "defender: {tamper: false}", f"held: {{policy: {{keys: ['{POLICY}']}}}}"),
    "early": (ONBOARDED,),
    "bare": ("defender: null",),
    "off": ("defender: {real_time: false, enabled: false}",),
}
FLEET = "title: servers with Defender\nhosts:\n" + "".join(
    f"  {name}:\n    base: {'windows-2016' if name == 'early' else 'windows-2022'}\n    network: {{computer_name: {name.upper()}}}\n"
    + "".join(f"    {line}\n" for line in lines)
    for name, lines in HOSTS.items()
)
PLAY = "set_defender_mode"
PASSIVE = {"defender_mode": "passive"}
SCANNER = {"defender_mode": "real_time_off", "other_service": "OtherAV"}


@pytest.fixture(scope="module")
def defenders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Servers with Defender in several states."""
    with bench(tmp_path_factory.mktemp("defenders"), FLEET) as running:
        yield running


def _mode(bench: Bench, host: str) -> str | None:
    facts = bench.machine(host).defender
    return facts.mode if facts else None


def test_passive_from_check_to_done_and_back(defenders: Bench) -> None:
    host = "onboarded"
    values = {host: {**PASSIVE, "other_service": "OtherAV"}}
    before = defenders.states()
    checked = defenders.run(PLAY, values, check=True, restart=True)
    assert outcomes(checked) == {host: "would_change"}, checked.failed
    assert defenders.changes(before) == {}, "check mode changed a host"
    assert any("ForceDefenderPassiveMode" in event.difference for event in defenders.events)

    told = defenders.run(PLAY, values)
    assert outcomes(told) == {host: "done"}, told.failed
    assert (told.reports[host].restart_needed, told.reports[host].before) == (True, {"policy": "absent"})
    assert _mode(defenders, host) == "Normal", "it counts from the next restart on"
    waiting = defenders.run(PLAY, values)
    assert (outcomes(waiting), waiting.changed, waiting.reports[host].restart_needed) == ({host: "nothing_to_do"}, {}, True)

    done = defenders.run(PLAY, values, restart=True)
    assert outcomes(done) == {host: "done"}, done.failed
    assert (done.reports[host].restart_needed, _mode(defenders, host)) == (False, "Passive Mode")
    after = defenders.states()
    again = defenders.run(PLAY, values, restart=True)
    assert (outcomes(again), again.changed) == ({host: "nothing_to_do"}, {})
    assert defenders.changes(after) == {}

    back = defenders.take_back(PLAY, values, told)
    assert outcomes(back) == {host: "done"}, back.failed
    assert defenders.machine(host).registry.number(POLICY, "ForceDefenderPassiveMode") is None


def test_what_keeps_defender_as_it_is(defenders: Bench) -> None:
    """Each is told by its own name, and no host is changed."""
    before = defenders.states()
    values = {"apart": PASSIVE, "tampered": PASSIVE, "held": PASSIVE, "bare": PASSIVE, "early": {**PASSIVE, "other_service": "Nothing"}}
    result = defenders.run(PLAY, values, restart=False)
    assert outcomes(result) == {
        "apart": "refused",
        "tampered": "managed_elsewhere",
        "held": "managed_elsewhere",
        "bare": "refused",
        "early": "refused",
    }, result.failed
    assert "it is not onboarded" in result.failed["apart"]
    assert "tamper protection" in result.failed["tampered"]
    assert defenders.changes(before) == {}


def test_an_active_defender_that_a_restart_does_not_make_passive_is_managed_elsewhere(defenders: Bench) -> None:
    host = "held"
    defenders.machine(host).registry.make(POLICY).put(Value("ForceDefenderPassiveMode", "REG_DWORD", 1))
    defenders.machine(host).registry.make("HKLM\\SOFTWARE\\Microsoft\\Windows Advanced Threat Protection\\Status").clear("OnboardingState")
    values = {host: {"defender_mode": "active", "mode_deadline_seconds": 1}}
    result = defenders.run(PLAY, values)
    assert outcomes(result) == {host: "managed_elsewhere"}, result.failed


def test_an_active_defender_scans(defenders: Bench) -> None:
    """Where no policy makes it passive, only its scanner is switched on, tamper protection or not."""
    done = defenders.run(PLAY, {"off": {"defender_mode": "active"}})
    assert outcomes(done) == {"off": "done"}, done.failed
    assert done.reports["off"].before == {"real_time": False}
    assert not done.reports["off"].restart_needed
    assert defenders.run(PLAY, {"off": {"defender_mode": "active"}}).changed == {}


def test_its_scanner_by_preference(defenders: Bench) -> None:
    before = defenders.states()
    values = {"apart": SCANNER, "tampered": SCANNER, "onboarded": {"defender_mode": "real_time_off"}}
    checked = defenders.run(PLAY, {"apart": SCANNER}, check=True)
    assert outcomes(checked) == {"apart": "would_change"}, checked.failed
    assert any("+ real-time protection: False" in event.difference for event in defenders.events)
    assert defenders.changes(before) == {}
    done = defenders.run(PLAY, values)
    assert outcomes(done) == {"apart": "done", "tampered": "managed_elsewhere", "onboarded": "refused"}, done.failed
    assert list(defenders.changes(before)) == ["apart"]
    back = defenders.take_back(PLAY, {"apart": SCANNER}, done)
    assert outcomes(back) == {"apart": "done"}, back.failed
    facts = defenders.machine("apart").defender
    assert facts is not None
    assert facts.real_time
