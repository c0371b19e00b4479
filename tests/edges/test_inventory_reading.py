"""Inventories in Ansible's own forms, resolved by Ansible itself: what comes out as targets, groups and credentials."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from auditor.inventory import Inventory, load_inventory, resolve_credentials
from auditor.model.errors import UsageError
from auditor.model.host import Target
from tests.edges.inventory_samples import SAMPLES, VAULT_PASSWORD, windows_host, write

SHARED = Path(os.environ.get("AUDITOR_SHARED", Path(__file__).parents[3] / "shared")) / "real" / "inventory"


def target(inventory: Inventory, name: str) -> Target:
    return next(t for t in inventory.targets if t.name == name)


def password(inventory: Inventory, name: str) -> str | None:
    return resolve_credentials(inventory, [name])[name].reveal()


@pytest.fixture(scope="module")
def site() -> Inventory:
    return load_inventory([SAMPLES / "site" / "hosts.ini"], vault_password_files=[VAULT_PASSWORD])


@pytest.fixture(scope="module")
def fleet() -> Inventory:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITOR_TEST_PASSWORD", 'from "the" environment {{x}}')
        return load_inventory([SAMPLES / "fleet.yml"], vault_password_files=[VAULT_PASSWORD])


def test_ini_with_ranges_group_vars_host_vars_and_a_vault(site: Inventory) -> None:
    assert [t.name for t in site.targets] == ["fs01", "fs02", "app1.site.example", "app2.site.example", "app3.site.example"]
    assert site.left_out == ("web01",)
    assert site.groups["legacy"] == ("fs01", "fs02")
    assert len(site.groups["windows"]) == 5
    assert target(site, "fs01").groups == ("legacy", "windows")
    fs02 = target(site, "fs02")
    assert (fs02.address, fs02.port, fs02.scheme, fs02.transport) == ("10.20.0.12", 5985, "http", "ntlm")
    assert fs02.aliases == ("files", "files.site.example")
    app = target(site, "app1.site.example")
    assert (app.address, app.port, app.scheme, app.transport) == ("app1.site.example", 5986, "https", "kerberos")
    assert {password(site, t.name) for t in site.targets} == {'p%d: "x" #1 \\ä'}


def test_templates_lookups_inline_vault_and_literal_texts(fleet: Inventory) -> None:
    db01, db02 = target(fleet, "db01"), target(fleet, "db02")
    assert (db01.address, db01.ca_file, db01.groups) == ("db01.example.test", "/etc/pki/zone-ca.pem", ("databases", "windows"))
    assert db02.address == "db02.example.test"
    assert password(fleet, "db01") == 'from "the" environment {{x}}'
    assert password(fleet, "db02") == "Inline!{{no}}"
    assert target(fleet, "literal").user == "EXAMPLE\\{{audit}}"
    assert password(fleet, "literal") == "{% raw"


def test_ansibles_own_defaults(fleet: Inventory) -> None:
    kerb, six = target(fleet, "kerb"), target(fleet, "six")
    assert (kerb.address, kerb.port, kerb.scheme, kerb.transport) == ("kerb", 5986, "https", "kerberos")
    assert (six.address, six.port, six.scheme) == ("2001:db8::17", 5985, "http")
    assert password(fleet, "six") == "12345"
    assert (target(fleet, "by_port").scheme, target(fleet, "by_variable").transport) == ("http", "basic")


def test_psrp_where_it_means_the_same_and_clear_words_where_not(fleet: Inventory) -> None:
    ps01 = target(fleet, "ps01")
    assert (ps01.port, ps01.scheme, ps01.transport, ps01.user) == (5985, "http", "ntlm", "audit")
    reasons = {problem.subject: problem.message for problem in fleet.refused}
    assert "negotiate" in reasons["ps02"]
    assert "ansible_psrp_configuration_name" in reasons["ps03"]


def test_other_hosts_are_left_out_and_counted(fleet: Inventory) -> None:
    assert fleet.left_out == ("linux01", "switch01", "winssh")


def test_secrets_are_in_no_representation(fleet: Inventory) -> None:
    shown = repr(fleet)
    assert "Inline!" not in shown
    assert "environment" not in shown
    with pytest.raises(UsageError, match="nobody"):
        resolve_credentials(fleet, ["nobody"])


def test_sources_are_joined_and_a_folder_is_a_source(tmp_path: Path) -> None:
    write(tmp_path, "[dc]\ndc01\n", "provider.winrm")
    write(tmp_path, "[all:vars]\nansible_connection=winrm\nansible_user=a\nansible_password=b\nip_range=10.9.8\n", "data.ini")
    write(tmp_path, "[dc]\ndc01 ansible_host={{ip_range}}.10\n", "more.ini")
    joined = load_inventory([tmp_path / "provider.winrm", tmp_path / "data.ini", tmp_path / "more.ini"])
    assert (target(joined, "dc01").address, joined.groups) == ("10.9.8.10", {"dc": ("dc01",)})
    folder = tmp_path / "folder"
    windows_host(folder)
    write(folder, "h2:\n", "group_vars/all.yml")
    assert [t.name for t in load_inventory([folder]).targets] == ["h1"]


def test_limit_takes_ansibles_patterns() -> None:
    def names(limit: str) -> list[str]:
        inventory = load_inventory([SAMPLES / "site" / "hosts.ini"], limit=limit, vault_password_files=[VAULT_PASSWORD])
        return [t.name for t in inventory.targets]

    assert names("legacy:!fs01") == ["fs02"]
    assert names("~app[13].*,fs01") == ["fs01", "app1.site.example", "app3.site.example"]


def test_a_limit_does_not_hide_what_other_hosts_say(tmp_path: Path) -> None:
    text = windows_host(tmp_path, ansible_host="\"{{ hostvars['h2'].site_address }}\"").read_text(encoding="utf-8")
    source = write(tmp_path, text + "    h2: {site_address: 10.7.7.7}\n")
    assert target(load_inventory([source], limit="h1"), "h1").address == "10.7.7.7"


def test_saved_output_of_a_listing(tmp_path: Path) -> None:
    listing = {
        "_meta": {"hostvars": {"h1": {"ansible_connection": "winrm", "ansible_host": "{{ a }}", "a": "10.1.1.1"}, "h2": {}}},
        "all": {"children": ["ungrouped", "web"]},
        "web": {"hosts": ["h1"], "children": ["inner"], "vars": {"ansible_user": "u"}},
        "inner": ["h2"],
    }
    inventory = load_inventory([write(tmp_path, json.dumps(listing), "listing.json")])
    assert (target(inventory, "h1").address, target(inventory, "h1").user) == ("10.1.1.1", "u")
    assert inventory.left_out == ("h2",)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no recorded inventories beside the checkout (AUDITOR_SHARED)")
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("mondoo", ["mondoo/winrm.ini"]),
        ("mondoo", ["mondoo/winrm_list.json"]),
        ("choco", ["chocolatey/vagrant-inventory.winrm"]),
        ("goad", ["goad/data_inventory.ini", "goad/provider_vmware_inventory.ini", "goad/globalsettings.ini", "ip_range"]),
    ],
)
def test_recorded_inventories(name: str, files: list[str], tmp_path: Path) -> None:
    expected = json.loads((SHARED / "expected.json").read_text(encoding="utf-8"))[name]
    ip_range = write(tmp_path, "[all:vars]\nip_range=192.168.57\n", "range.ini")
    inventory = load_inventory([ip_range if file == "ip_range" else SHARED / file for file in files])
    assert {t.name for t in inventory.targets} == set(expected["hosts"])
    groups = {group: set(hosts) for group, hosts in expected["groups_with_direct_hosts"].items()}
    assert {group: set(hosts) for group, hosts in inventory.groups.items()} == groups
    for host, variables in expected["hosts"].items():
        found = target(inventory, host)
        assert found.address == str(variables.get("ansible_host", host)).replace("{{ip_range}}", "192.168.57")
        assert found.user == variables["ansible_user"]
        assert found.port == variables.get("ansible_port", 5986)
        assert found.transport == variables.get("ansible_winrm_transport", "basic")
        assert found.validate_certificate is False
        assert password(inventory, host) == variables["ansible_password"]


def test_secrets_of_playbooks_come_from_variables_vault_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNINSTALL", "from the environment {{ x }}")
    file = windows_host(
        tmp_path,
        auditor_secret_plain="of-the-file",
        auditor_secret_looked_up="\"{{ lookup('env', 'UNINSTALL') }}\"",
        auditor_secret_number="12",
        auditor_other="x",
    )
    found = load_inventory([file]).secrets
    assert {name: one.reveal() for name, one in found["h1"].items()} == {
        "plain": "of-the-file",
        "looked_up": "from the environment {{ x }}",
    }
    assert "of-the-file" not in repr(found)


def test_a_secret_that_would_run_a_program_is_refused(tmp_path: Path) -> None:
    found = load_inventory([windows_host(tmp_path, auditor_secret_key="\"{{ lookup('pipe', 'id') }}\"")])
    assert [problem.subject for problem in found.refused] == ["h1"]
    assert found.secrets == {}
