"""set_service over both ways: check mode, change, second run, rollback, what is refused, and what a policy puts back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditor.model.remedy import Way
from tests.lab.play_bench import Bench, bench, outcomes

pytestmark = [pytest.mark.lab, pytest.mark.slow]
HOST = """\
  {name}:
    base: {base}
    network: {{computer_name: {computer}}}
    services:
      Acme Agent: {{image: 'C:\\Acme\\agent.exe', start: auto, state: running}}
      AcmeBase: {{image: 'C:\\Acme\\base.exe', start: auto, state: running}}
      AcmeTop: {{image: 'C:\\Acme\\top.exe', start: auto, state: running, depends: [AcmeBase]}}
      AcmeHeld: {{image: 'C:\\Acme\\held.exe', start: auto, state: running}}
    held: {{policy: {{services: [AcmeHeld]}}}}
"""
FLEET = "title: services that are to be set\nhosts:\n" + "".join(
    HOST.format(name=name, base=base, computer=name.replace("-", "").upper())
    for name, base in {"old-03": "windows-2003", "new-22": "windows-2022", **{f"more-{n}": "windows-2019" for n in range(7)}}.items()
)
AGENT = {"service": "Acme Agent", "start_type": "disabled", "run_state": "stopped"}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """An old and a modern host with services of several kinds."""
    with bench(tmp_path_factory.mktemp("services"), FLEET) as running:
        yield running


def test_set_and_taken_back_on_both_ways(services: Bench) -> None:
    values = {"old-03": AGENT, "new-22": AGENT}
    before = services.states()
    checked = services.run("set_service", values, check=True, ways={"old-03": "raw"})
    assert set(outcomes(checked).values()) == {"would_change"}, checked.failed
    assert services.changes(before) == {}, "check mode changed a host"
    assert any("disabled" in event.difference for event in services.events if event.host == "new-22"), "the module's difference is shown"

    done = services.run("set_service", values, ways={"old-03": "raw"})
    assert set(outcomes(done).values()) == {"done"}, done.failed
    changed = services.changes(before)
    assert {line.partition(":")[0] for line in changed["old-03"]} == {
        "service Acme Agent",
        "value HKLM\\SYSTEM\\CurrentControlSet\\Services\\Acme Agent\\Start",
    }
    assert done.reports["old-03"].before == done.reports["new-22"].before == {"start": "auto", "state": "running"}

    after = services.states()
    again = services.run("set_service", values, ways={"old-03": "raw"})
    assert set(outcomes(again).values()) == {"nothing_to_do"}
    assert again.changed == {}
    assert services.changes(after) == {}

    back = services.take_back("set_service", values, done, ways={"old-03": "raw"})
    assert set(outcomes(back).values()) == {"done"}, back.failed
    assert _but_an_explicit_no_delay(services.changes(before)) == {}


def _but_an_explicit_no_delay(changes: dict[str, list[str]]) -> dict[str, list[str]]:
    """Windows writes DelayedAutostart 0 where it was not written before, which means the same."""
    kept = {
        host: [line for line in lines if not line.endswith("DelayedAutostart: not there -> REG_DWORD 0")] for host, lines in changes.items()
    }
    return {host: lines for host, lines in kept.items() if lines}


@pytest.mark.parametrize("way", ["modules", "raw"])
def test_a_delayed_start(services: Bench, way: Way) -> None:
    host = "new-22"
    done = services.run("set_service", {host: {"service": "AcmeTop", "start_type": "delayed"}}, ways={host: way})
    assert outcomes(done) == {host: "done"}, done.failed
    assert done.reports[host].before == {"start": "auto"}
    back = services.take_back("set_service", {host: {"service": "AcmeTop"}}, done, ways={host: way})
    assert outcomes(back) == {host: "done"}, back.failed


REFUSED: dict[str, dict[str, object]] = {
    "needed by others": {"service": "AcmeBase", "run_state": "stopped"},
    "not there": {"service": "Nothing", "start_type": "demand"},
    "a driver": {"service": "Tcpip", "start_type": "disabled"},
    "the connection": {"service": "WinRM", "run_state": "stopped"},
    "nothing wanted": {"service": "AcmeBase"},
    "no plain name": {"service": 'Acme" & del x', "start_type": "demand"},
    "a line end": {"service": "AcmeBase\n", "start_type": "demand"},
    "both at once": {"service": "AcmeBase", "start_type": "disabled", "run_state": "running"},
}


@pytest.mark.parametrize("way", ["modules", "raw"])
def test_what_is_refused_before_anything_is_changed(services: Bench, way: Way) -> None:
    hosts = dict(zip(("new-22", *(f"more-{n}" for n in range(7))), REFUSED, strict=True))
    before = services.states()
    result = services.run("set_service", {host: REFUSED[why] for host, why in hosts.items()}, ways=dict.fromkeys(hosts, way))
    expected = dict.fromkeys(hosts, "refused") | ({"new-22": "failed"} if way == "raw" else {})  # Windows itself refuses that one
    assert outcomes(result) == expected, result.failed
    assert services.changes(before) == {}


def test_server_2003_knows_no_delayed_start(services: Bench) -> None:
    late = services.run("set_service", {"old-03": {"service": "AcmeBase", "start_type": "delayed"}}, ways={"old-03": "raw"})
    assert outcomes(late) == {"old-03": "refused"}


def test_what_a_policy_puts_back_is_managed_elsewhere(services: Bench) -> None:
    given = {"service": "AcmeHeld", "start_type": "disabled"}
    before = services.states()
    result = services.run("set_service", {"old-03": given, "new-22": given}, ways={"old-03": "raw"})
    assert set(outcomes(result).values()) == {"managed_elsewhere"}, result.failed
    assert services.changes(before) == {}


def test_for_a_person_nothing_is_sent(services: Bench) -> None:
    before = services.lab.operations.read_text()
    result = services.run("set_service", {"new-22": AGENT}, ways={"new-22": "person"})
    assert outcomes(result) == {"new-22": "person_needed"}
    assert any(note.startswith("Set its start type: ") for note in result.reports["new-22"].notes)
    assert services.lab.operations.read_text() == before
