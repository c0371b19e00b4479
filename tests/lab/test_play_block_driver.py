"""block_driver over both ways: blocked and taken back, and never one that a class filter names or Windows starts with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditor.lab.registry import Value
from auditor.model.remedy import Way
from tests.lab.play_bench import Bench, bench, outcomes

pytestmark = [pytest.mark.lab, pytest.mark.slow]
PLAY = "block_driver"
DRIVERS = """\
    drivers:
      AcmeFlt: {start: system, type: file_system, group: FSFilter Anti-Virus}
      AcmeDisk: {start: system, type: kernel}
      AcmeBoot: {start: boot, type: kernel}
      AcmeNet: {start: system, type: kernel, group: NDIS}
      AcmeHeld: {start: system, type: kernel}
      AcmeOne: {start: system, type: kernel}
    services: {AcmeAV: {image: 'C:\\Acme\\av.exe', start: auto, state: running, depends: [AcmeFlt]}}
    class_filters: {'{4d36e967-e325-11ce-bfc1-08002be10318}': {upper: [partmgr, acmedisk]}}
    registry: {'HKLM\\SYSTEM\\CurrentControlSet\\Enum\\SCSI\\Disk&Ven_A\\4&1': {Class: DiskDrive, LowerFilters: [AcmeOne]}}
    held: {manager: {services: [AcmeHeld]}}
"""
HOSTS = {"old-03": "windows-2003", "new-22": "windows-2022", **{f"more-{n}": "windows-2019" for n in range(7)}}
FLEET = "title: drivers that are to be blocked\nhosts:\n" + "".join(
    f"  {name}:\n    base: {base}\n    network: {{computer_name: {name.replace('-', '').upper()}}}\n{DRIVERS}"
    for name, base in HOSTS.items()
)
OLD_RAW: dict[str, Way] = {"old-03": "raw"}


@pytest.fixture(scope="module")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Hosts with drivers of several kinds."""
    with bench(tmp_path_factory.mktemp("drivers"), FLEET) as running:
        yield running


def test_blocked_and_taken_back_on_both_ways(drivers: Bench) -> None:
    values = {"old-03": {"driver": "AcmeFlt"}, "new-22": {"driver": "AcmeFlt"}}
    before = drivers.states()
    checked = drivers.run(PLAY, values, check=True, ways=OLD_RAW)
    assert set(outcomes(checked).values()) == {"would_change"}, checked.failed
    assert drivers.changes(before) == {}, "check mode changed a host"
    assert any("Start" in event.difference for event in drivers.events if event.host == "new-22"), "the module's difference is shown"

    done = drivers.run(PLAY, values, ways=OLD_RAW)
    assert set(outcomes(done).values()) == {"done"}, done.failed
    changed = drivers.changes(before)
    line = "value HKLM\\SYSTEM\\CurrentControlSet\\Services\\AcmeFlt\\Start: REG_DWORD 1 -> REG_DWORD 4"
    assert changed == {"old-03": [line], "new-22": [line]}
    assert [(report.before, report.restart_needed) for report in done.reports.values()] == [({"start": "1"}, True)] * 2
    assert any("AcmeAV" in note for note in done.reports["new-22"].notes), "the service that needs it is named"

    again = drivers.run(PLAY, values, ways=OLD_RAW)
    assert (set(outcomes(again).values()), again.changed) == ({"nothing_to_do"}, {})
    assert all(report.restart_needed for report in again.reports.values())
    assert drivers.changes(before) == changed

    back = drivers.take_back(PLAY, values, done, ways=OLD_RAW)
    assert set(outcomes(back).values()) == {"done"}, back.failed
    assert drivers.changes(before) == {}


REFUSED = {
    "AcmeDisk": "0x7B",
    "AcmeOne": "0x7B",
    "AcmeBoot": "start type 0",
    "AcmeNet": "group NDIS",
    "Tcpip": "start with",
    "AcmeAV": "no driver",
    'x" & del y': "a name of letters",
}


@pytest.mark.parametrize("way", ["modules", "raw"])
def test_what_windows_needs_is_never_blocked(drivers: Bench, way: Way) -> None:
    before = drivers.states()
    hosts = dict(zip((f"more-{n}" for n in range(7)), REFUSED, strict=True))
    result = drivers.run(PLAY, {host: {"driver": name} for host, name in hosts.items()}, ways=dict.fromkeys(hosts, way))
    assert outcomes(result) == dict.fromkeys(hosts, "refused"), result.failed
    for host, name in hosts.items():
        assert REFUSED[name] in result.failed[host], f"{name}: {result.failed[host]}"
    assert drivers.changes(before) == {}


def test_a_class_filter_that_came_after_the_check_is_seen_before_the_change(drivers: Bench) -> None:
    hosts = ("old-03", "new-22")
    values = {host: {"driver": "AcmeFlt"} for host in hosts}
    assert set(outcomes(drivers.run(PLAY, values, check=True, ways=OLD_RAW)).values()) == {"would_change"}
    before = drivers.states()
    for host in hosts:
        classes = drivers.machine(host).registry.make(
            "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Class\\{AAAAAAAA-0000-0000-0000-00000000000A}"
        )
        classes.put(Value("LowerFilters", "REG_MULTI_SZ", ("first", "ACMEFLT")))
    result = drivers.run(PLAY, values, ways=OLD_RAW)
    assert set(outcomes(result).values()) == {"refused"}, result.failed
    assert all("0x7B" in text for text in result.failed.values())
    assert all("\\Services\\" not in line for lines in drivers.changes(before).values() for line in lines)


def test_a_driver_that_its_product_enables_again_is_managed_elsewhere(drivers: Bench) -> None:
    values = {"old-03": {"driver": "AcmeHeld"}, "new-22": {"driver": "AcmeHeld"}}
    result = drivers.run(PLAY, values, ways=OLD_RAW)
    assert set(outcomes(result).values()) == {"managed_elsewhere"}, result.failed


def test_after_a_restart_it_does_not_run(drivers: Bench) -> None:
    result = drivers.run(PLAY, {"more-0": {"driver": "AcmeFlt"}}, restart=True)
    assert outcomes(result) == {"more-0": "done"}, result.failed
    assert not result.reports["more-0"].restart_needed
    services = drivers.machine("more-0").services
    assert (services["ACMEFLT"].state, services["ACMEAV"].state) == ("stopped", "stopped")
