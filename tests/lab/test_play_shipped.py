"""Parents of clients, application protection and restarts: the plays over real Ansible and WinRM, with what they refuse and fail at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditor.model.remedy import Way
from tests.lab.play_bench import Bench, bench, outcomes

pytestmark = [pytest.mark.lab, pytest.mark.slow]
SAV = "HKLM\\SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion"
FOLDER = "C:\\Documents and Settings\\All Users\\Symantec"
CLIENT = """\
  {name}:
    base: windows-2003
    network: {{computer_name: {computer}}}
    registry: {{'{key}': {{Parent: OLDPARENT}}}}
    services: {{Rtv: {{image: 'C:\\Acme\\rtv.exe', start: auto, state: running}}}}
    files: {{'C:\\Acme\\{file}': {{text: "[KEYS]\\nPARENT=S{parent}\\n"}}, '{folder}\\here.txt': {{text: x}}}}
    drops:
      grc: {{file: '{folder}\\Grc.dat', service: Rtv, seconds: 1, settings: {{PARENT: {{key: '{key}', value: Parent, prefix: S}}}}}}
"""
GUARDED = """\
  {name}:
    base: windows-2003
    network: {{computer_name: {computer}}}
    restart: {{seconds: 2}}
    programs: {{BlackICE: {{name: BlackICE Server Protection, version: {version}}}}}
    drivers: {{RapDrv: {{image: 'System32\\drivers\\RapDrv.sys', start: system}}}}
    registry: {{'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Class\\{{4D36E967-E325-11CE-BFC1-08002BE10318}}': {{UpperFilters: [{filter}]}}}}
"""
WAITING = """\
  {name}:
    base: {base}
    network: {{computer_name: {computer}}}
    restart: {{seconds: 2, vanishes: {vanishes}}}
    registry: {{'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager': {{PendingFileRenameOperations: ['\\??\\C:\\x.tmp', '']}}}}
"""
CLIENTS = {"c-good": ("Grc.dat", "NEWPARENT"), "c-missing": ("other.dat", "NEWPARENT"), "c-else": ("Grc.dat", "THIRD")}
GUARDS = {"g-new": ("3.6.ccb", "partmgr"), "g-old": ("3.6.cbz", "partmgr"), "g-filter": ("3.6.ccb", "RapDrv")}
RESTARTS = {"w-03": ("windows-2003", "false"), "w-22": ("windows-2022", "false"), "w-gone": ("windows-2003", "true")}


def _plain(name: str) -> str:
    return name.replace("-", "").upper()


FLEET = (
    "title: clients, guarded hosts, and hosts that wait for a restart\nhosts:\n"
    + "".join(
        CLIENT.format(name=name, computer=_plain(name), key=SAV, folder=FOLDER, file=file, parent=parent)
        for name, (file, parent) in CLIENTS.items()
    )
    + "".join(
        GUARDED.format(name=name, computer=_plain(name), version=version, filter=name_of) for name, (version, name_of) in GUARDS.items()
    )
    + "".join(WAITING.format(name=name, computer=_plain(name), base=base, vanishes=vanishes) for name, (base, vanishes) in RESTARTS.items())
)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """All hosts of this file."""
    with bench(tmp_path_factory.mktemp("shipped"), FLEET) as running:
        yield running


def test_a_client_gets_another_parent_by_its_file(hosts: Bench) -> None:
    one: dict[str, object] = {"product_family": "sav", "parent": "NEWPARENT", "parent_file": "C:\\Acme\\Grc.dat", "data_folder": FOLDER}
    values = {name: {**one, "parent_deadline_seconds": 6} for name in CLIENTS}
    ways: dict[str, Way] = dict.fromkeys(values, "raw")
    before = hosts.states()
    checked = hosts.run("repoint_client_parent", values, check=True, ways=ways)
    assert outcomes(checked) == {"c-good": "would_change", "c-missing": "refused", "c-else": "would_change"}, checked.failed
    assert hosts.changes(before) == {}, "check mode changed a host"

    done = hosts.run("repoint_client_parent", values, ways=ways)
    assert outcomes(done) == {"c-good": "done", "c-missing": "refused", "c-else": "failed"}, done.failed
    assert "the client's parent is not NEWPARENT" in done.failed["c-else"]
    assert done.reports["c-good"].before == {"parent": "OLDPARENT"}
    after = hosts.states()
    again = hosts.run("repoint_client_parent", {"c-good": values["c-good"]}, ways=ways)
    assert (outcomes(again), again.changed, hosts.changes(after)) == ({"c-good": "nothing_to_do"}, {}, {})


def test_application_protection_is_switched_off_only_where_that_is_safe_and_on_again(hosts: Bench) -> None:
    values: dict[str, dict[str, object]] = {name: {"restart_deadline_seconds": 90} for name in GUARDS}
    ways: dict[str, Way] = dict.fromkeys(values, "raw")
    before = hosts.states()
    checked = hosts.run("disable_application_protection", values, check=True, restart=True, ways=ways)
    assert outcomes(checked) == {"g-new": "would_change", "g-old": "refused", "g-filter": "refused"}, checked.failed
    assert hosts.changes(before) == {}, "check mode changed a host"

    done = hosts.run("disable_application_protection", values, restart=True, ways=ways)
    assert outcomes(done) == {"g-new": "done", "g-old": "refused", "g-filter": "refused"}, done.failed
    assert "CVE-2004-2125" in done.failed["g-old"]
    assert set(hosts.changes(before)) == {"g-new"}
    assert hosts.machine("g-new").services["RAPDRV"].state == "stopped"
    after = hosts.states()
    again = hosts.run("disable_application_protection", {"g-new": values["g-new"]}, restart=True, ways=ways)
    assert (outcomes(again), again.changed, hosts.changes(after)) == ({"g-new": "nothing_to_do"}, {}, {})
    taken = hosts.take_back("disable_application_protection", {"g-new": values["g-new"]}, done, ways=ways)
    assert outcomes(taken) == {"g-new": "done"}, taken.failed
    assert hosts.machine("g-new").registry.number("HKLM\\SYSTEM\\CurrentControlSet\\Services\\RapDrv", "Start") == 1


def test_hosts_restart_where_it_is_allowed_and_one_that_stays_away_is_told(hosts: Bench) -> None:
    values: dict[str, dict[str, object]] = {name: {"restart_deadline_seconds": 10 if name == "w-gone" else 90} for name in RESTARTS}
    ways: dict[str, Way] = {"w-03": "raw", "w-gone": "raw"}
    before = hosts.states()
    assert outcomes(hosts.run("restart_when_allowed", values, ways=ways)) == dict.fromkeys(values, "refused")
    checked = hosts.run("restart_when_allowed", values, check=True, restart=True, ways=ways)
    assert outcomes(checked) == dict.fromkeys(values, "would_change"), checked.failed
    assert hosts.changes(before) == {}, "neither a refusal nor check mode restarts a host"

    done = hosts.run("restart_when_allowed", values, restart=True, ways=ways)
    assert outcomes(done) == {"w-03": "done", "w-22": "done", "w-gone": "failed"}, done.failed
    assert "did not come back" in done.failed["w-gone"]
    assert {name: hosts.machine(name).restarts for name in RESTARTS} == {"w-03": 1, "w-22": 1, "w-gone": 1}
    back = {name: values[name] for name in ("w-03", "w-22")}
    again = hosts.run("restart_when_allowed", back, restart=True, ways=ways)
    assert (outcomes(again), again.changed) == (dict.fromkeys(back, "nothing_to_do"), {})
    assert hosts.machine("w-03").restarts == 1
