"""The plays that remove and install products, over real Ansible and real WinRM, with installers that end well and installers that do not.

Many hosts in each run, one for each way in which an installer ends; the state of all of them is compared whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditor.model.remedy import Way
from tests.lab.play_bench import Bench, bench, outcomes

pytestmark = [pytest.mark.lab, pytest.mark.slow]
TOOL, CLIENT = "{11111111-2222-3333-4444-555555555555}", "{AAAAAAAA-2222-3333-4444-555555555555}"
OLD, NEW = "windows-2003", "windows-2022"
REMOVALS = {
    "r-0": (OLD, "{seconds: 1}"),
    "r-3010": (OLD, "{seconds: 1, code: 3010}"),
    "r-3010-22": (NEW, "{seconds: 1, code: 3010}"),
    "r-1603": (OLD, "{seconds: 1, fails_times: 9, fail_code: 1603}"),
    "r-1605": (OLD, "{seconds: 1, fails_times: 9, fail_code: 1605}"),
    "r-1618": (OLD, "{seconds: 1, fails_times: 9, fail_code: 1618}"),
    "r-cut": (OLD, "{seconds: 1, cuts_network_seconds: 2}"),
    "r-gone": (OLD, "{seconds: 1, code: 3010}"),
    "r-password": (OLD, "{seconds: 1}"),
}
REMOVAL = """\
  {name}:
    base: {base}
    network: {{computer_name: {computer}}}
    restart: {{seconds: 2, vanishes: {vanishes}}}
    programs: {{'{code}': {{name: Acme Tool, version: 1.2.0}}}}
    packages: {{tool: {{code: '{code}', remove: {act}{password}}}}}
"""
OWN_INSTALLER = """\
  {name}:
    base: windows-2003
    network: {{computer_name: {computer}}}
    restart: {{seconds: 2, vanishes: {vanishes}}}
    programs: {{AcmeTool: {{name: Acme Tool, version: 1.2.0}}}}
    files: {{'C:\\Acme\\uninst.exe': {{seed: uninst}}}}
    packages:
      tool: {{paths: ['C:\\Acme\\uninst.exe'], removes: {{programs: {{AcmeTool: {{}}}}}}, remove: {{seconds: 1, code: 1641}}}}
"""
INSTALLS = {
    "i-0": "{seconds: 1}",
    "i-cut": "{seconds: 1, code: 3010, cuts_network_seconds: 2}",
    "i-1603": "{seconds: 1, fails_times: 9}",
    "i-unresolved": "{seconds: 1}",
    "i-gone": "{seconds: 1, code: 3010}",
}
INSTALL = """\
  {name}:
    base: windows-2003
    network: {{computer_name: {computer}}}
    restart: {{seconds: 2, vanishes: {vanishes}}}
    files: {{'C:\\Acme\\client.msi': {{seed: client}}}}
    packages:
      client:
        paths: ['C:\\Acme\\client.msi']
        code: '{code}'
        adds: {{programs: {{'{code}': {{name: Symantec AntiVirus, version: 9.0.3.1000}}}}}}
        settings: {{SERVERNAME: {{key: 'HKLM\\SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion', value: Parent, resolvable: true}}}}
        install: {act}
"""
SERVER = "{BBBBBBBB-2222-3333-4444-555555555555}"
SERVERS = ("v-good", "v-password", "v-primary", "v-stop")
CONVERTED = """\
  {name}:
    base: windows-2003
    network: {{computer_name: {computer}}}
    restart: {{seconds: 2}}
    files: {{'C:\\Acme\\client.msi': {{seed: client}}}}
    registry: {{'HKLM\\SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion\\DomainData': {{PrimaryServer: {primary}}}}}
    programs: {{'{server}': {{name: Symantec AntiVirus Server, version: 10.0.2.2000}}}}
    packages:
      server: {{code: '{server}', remove: {{seconds: 1, code: 3010}}{password}}}
      client:
        paths: ['C:\\Acme\\client.msi']
        code: '{code}'
        conflicts: ['{server}']
        adds: {{programs: {{'{code}': {{name: Symantec AntiVirus, version: 9.0.3.1000}}}}}}
        settings: {{SERVERNAME: {{key: 'HKLM\\SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion', value: Parent, resolvable: true}}}}
        install: {{seconds: 1, code: 3010}}
"""
PARENT = "  parent-1: {base: windows-2003, network: {computer_name: PARENT1}}\n"


def _plain(name: str) -> str:
    return name.replace("-", "").upper()


FLEET = "title: installers of all kinds\nhosts:\n" + "".join(
    REMOVAL.format(
        name=name, base=base, computer=_plain(name), code=TOOL, act=act, vanishes=str(name == "r-gone").lower(),
        password=", password: right" if name == "r-password" else "",
    )
    for name, (base, act) in REMOVALS.items()
) + "".join(
    OWN_INSTALLER.format(name=name, computer=_plain(name), vanishes=str(name != "r-1641").lower()) for name in ("r-1641", "r-1641-gone")
) + "".join(
    INSTALL.format(name=name, computer=_plain(name), code=CLIENT, act=act, vanishes=str(name == "i-gone").lower())
    for name, act in INSTALLS.items()
) + "".join(
    CONVERTED.format(
        name=name, computer=_plain(name), server=SERVER, code=CLIENT, primary=_plain(name) if name == "v-primary" else "PARENT1",
        password=", password: right" if name == "v-password" else "",
    )
    for name in SERVERS
) + PARENT  # fmt: skip
REMOVE: dict[str, object] = {"product_names": ["Acme Tool"], "restart_deadline_seconds": 90, "installer_deadline_seconds": 60}
ADD: dict[str, object] = {
    "product_family": "sav", "parent": "PARENT1", "client_package": "C:\\Acme\\client.msi", "client_names": ["Symantec AntiVirus"],
    "client_version": "9.0.3.1000", "manager_version": "9.0.3.1000", "client_properties": "NETWORKTYPE=1 SERVERNAME=PARENT1",
    "parent_deadline_seconds": 5, "restart_deadline_seconds": 90, "installer_deadline_seconds": 60,
}  # fmt: skip
CONVERT: dict[str, object] = {
    "managed_parent": "PARENT1", "client_package": "C:\\Acme\\client.msi", "client_properties": "NETWORKTYPE=1 SERVERNAME=PARENT1",
    "client_not_newer_than_parent": True, "console": "not_there", "restart_deadline_seconds": 90, "installer_deadline_seconds": 60,
}  # fmt: skip


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """All hosts of this file."""
    with bench(tmp_path_factory.mktemp("products"), FLEET) as running:
        yield running


def test_removals_end_as_their_uninstaller_says(products: Bench) -> None:
    values: dict[str, dict[str, object]] = {name: dict(REMOVE) for name in REMOVALS}
    values["r-1641"] = {**REMOVE, "uninstall_line": "C:\\Acme\\uninst.exe /uninstall"}
    values["r-1641-gone"] = {**values["r-1641"], "restart_deadline_seconds": 9, "installer_deadline_seconds": 20}
    values["r-gone"] |= {"restart_deadline_seconds": 9}
    values["r-password"] |= {"uninstall_password_property": "UNINSTALLPASSWORD"}
    secrets = {"r-password": {"uninstall_password": "canary"}}
    ways: dict[str, Way] = {name: "raw" for name in values if name != "r-3010-22"}
    before = products.states()
    checked = products.run("remove_product", values, check=True, restart=True, ways=ways, secrets=secrets)
    assert outcomes(checked) == dict.fromkeys(values, "would_change"), checked.failed
    assert products.changes(before) == {}, "check mode changed a host"

    done = products.run("remove_product", values, restart=True, ways=ways, secrets=secrets)
    well = {"r-0", "r-3010", "r-3010-22", "r-1641", "r-cut"}
    assert outcomes(done) == {name: "done" if name in well else "failed" for name in values}, done.failed
    assert {name: products.machine(name).restarts for name in well} == {"r-0": 0, "r-3010": 1, "r-3010-22": 1, "r-1641": 1, "r-cut": 0}
    assert "ended with 1603" in done.failed["r-1603"]
    assert "ended with 1618: another installation is running" in done.failed["r-1618"]
    assert "ended with 1605" in done.failed["r-1605"]
    assert "is still there" in done.failed["r-1605"]
    assert "did not come back" in done.failed["r-gone"]
    assert "may be left" in " ".join(done.reports["r-1641-gone"].notes)
    assert "uninstall password" in done.failed["r-password"]
    assert "canary" not in str(products.events)
    _nothing_left(products, set(values) - {"r-gone", "r-1641-gone"})

    after = products.states()
    twice = ("r-0", "r-3010-22", "r-1641")
    again = products.run("remove_product", {name: values[name] for name in twice}, restart=True, ways=ways)
    assert (outcomes(again), again.changed) == (dict.fromkeys(twice, "nothing_to_do"), {})
    assert products.changes(after) == {}


def test_installations_end_as_their_installer_says(products: Bench) -> None:
    values: dict[str, dict[str, object]] = {name: dict(ADD) for name in INSTALLS}
    values["i-gone"] |= {"restart_deadline_seconds": 9}
    values["i-unresolved"] |= {"parent": "NOSUCH", "client_properties": "NETWORKTYPE=1 SERVERNAME=NOSUCH"}
    ways: dict[str, Way] = dict.fromkeys(values, "raw")
    before = products.states()
    checked = products.run("install_managed_client", values, check=True, restart=True, ways=ways)
    assert outcomes(checked) == dict.fromkeys(values, "would_change"), checked.failed
    assert products.changes(before) == {}, "check mode changed a host"

    done = products.run("install_managed_client", values, restart=True, ways=ways)
    well = {"i-0", "i-cut"}
    assert outcomes(done) == {name: "done" if name in well else "failed" for name in values}, done.failed
    assert "ended with 1603" in done.failed["i-1603"]
    assert "could not be resolved" in done.failed["i-unresolved"]
    assert "did not come back" in done.failed["i-gone"]
    _nothing_left(products, set(values) - {"i-gone"})

    after = products.states()
    again = products.run("install_managed_client", {name: values[name] for name in well}, restart=True, ways=ways)
    assert (outcomes(again), again.changed) == (dict.fromkeys(well, "nothing_to_do"), {})
    assert products.changes(after) == {}


def test_a_server_becomes_a_client_or_is_left_where_it_stops(products: Bench) -> None:
    values = dict.fromkeys(SERVERS, CONVERT)
    ways: dict[str, Way] = dict.fromkeys(values, "raw")
    secrets = {"v-password": {"uninstall_password": "canary"}}
    before = products.states()
    checked = products.run("convert_server_to_managed_client", values, check=True, ways=ways, secrets=secrets)
    assert outcomes(checked) == {**dict.fromkeys(values, "would_change"), "v-primary": "refused"}, checked.failed
    assert products.changes(before) == {}, "check mode changed a host"

    stopped = products.run("convert_server_to_managed_client", {"v-stop": CONVERT}, ways=ways)
    assert (outcomes(stopped), stopped.reports["v-stop"].restart_needed) == ({"v-stop": "person_needed"}, True), stopped.failed
    done = products.run("convert_server_to_managed_client", values, restart=True, ways=ways, secrets=secrets)
    assert outcomes(done) == {"v-good": "done", "v-password": "failed", "v-primary": "refused", "v-stop": "refused"}, done.failed
    assert "uninstall password" in done.failed["v-password"]
    assert "a restart is due first" in done.failed["v-stop"]
    assert (products.machine("v-good").restarts, done.reports["v-good"].restart_needed) == (2, False)
    _nothing_left(products, set(values))
    after = products.states()
    again = products.run("convert_server_to_managed_client", {"v-good": CONVERT}, restart=True, ways=ways)
    assert (outcomes(again), again.changed, products.changes(after)) == ({"v-good": "nothing_to_do"}, {}, {})


def _nothing_left(products: Bench, hosts: set[str]) -> None:
    """Neither the one-shot task nor its folder outlives the run."""
    for host in hosts:
        machine = products.machine(host)
        assert not [name for name in machine.tasks if "auditor" in name.lower()], host
        assert not machine.files.below(f"{machine.windows}\\Temp"), host
