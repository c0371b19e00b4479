"""Inventories that can't be read, and those that would run something: one clear error with the file and the next step, no secret in it."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from auditor.ansible_place import private_place, program_path
from auditor.inventory import load_inventory
from auditor.model.errors import AuditorError, InventoryError, UsageError
from tests.edges.inventory_samples import SAMPLES, VAULT_PASSWORD, windows_host, write

SECRET = "Geheim-4711"


def _bytes(file: Path) -> bytes:
    """What is in a file; nothing where it is none or has gone meanwhile."""
    with contextlib.suppress(OSError):
        return file.read_bytes()
    return b""


def error_of(*sources: Path, limit: str | None = None, vault: tuple[Path, ...] = ()) -> AuditorError:
    with pytest.raises(AuditorError) as caught:
        load_inventory(sources, limit=limit, vault_password_files=vault)
    error = caught.value
    assert SECRET not in f"{error.message} {error.next_step}"
    assert "\n" not in error.message
    assert error.next_step
    return error


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.ini", f"[win]\nh1 ansible_password=my {SECRET}\n", "a.ini:2:1: not a readable Ansible inventory: a host line has a word"),
        ("d.ini", "h1\n\n  [win\nh2\n", "d.ini:3:3: not a readable Ansible inventory: a line is neither a section nor a host"),
        ("e.ini", "[win:vars]\nansible_port: 1\n[win]\nh1\n", "e.ini:2:1: not a readable Ansible inventory: a variable of a section"),
        ("f.ini", "[win]\nh1 ansible_user='x\n", "f.ini:2:1: not a readable Ansible inventory: a quotation does not end"),
        ("b.yml", f'all:\n  hosts:\n    h1:\n      ansible_password: "{SECRET}\n', "b.yml:4:25: not a readable Ansible inventory"),
        ("c.yml", f"all:\n  hosts: [h1, {SECRET}\n", "c.yml:"),
        ("d.ini", "[win:vars]\nx=1\n", "section [win:vars] belongs to a group that is not defined"),
        ("e.yml", "plugin: amazon.aws.aws_ec2\n", "needs an inventory plugin"),
        ("f.yml", "\t- {\n", "f.yml:"),
    ],
)
def test_unreadable_sources(tmp_path: Path, name: str, text: str, words: str) -> None:
    error = error_of(write(tmp_path, text, name))
    assert isinstance(error, InventoryError)
    assert words in error.message


def test_no_such_file_and_nothing_in_it(tmp_path: Path) -> None:
    assert "no such file" in error_of(tmp_path / "nowhere").message
    assert isinstance(error_of(write(tmp_path, "")), UsageError)
    empty = error_of(write(tmp_path, "[linux]\nl1\nl2\n", "linux.ini"))
    assert isinstance(empty, UsageError)
    assert "no Windows host in it (2 hosts of other kinds)" in empty.message
    with pytest.raises(UsageError, match="no inventory given"):
        load_inventory([])


def test_limits_that_match_nothing() -> None:
    sources = (SAMPLES / "site" / "hosts.ini",)
    unknown = error_of(*sources, limit="fs01,nosuch", vault=(VAULT_PASSWORD,))
    assert isinstance(unknown, UsageError)
    assert "nosuch is no host or group" in unknown.message
    assert isinstance(error_of(*sources, limit="fs01:!fs01", vault=(VAULT_PASSWORD,)), UsageError)


def test_vaults_without_their_password(tmp_path: Path) -> None:
    source = SAMPLES / "site" / "hosts.ini"
    missing = error_of(source)
    assert "group_vars/windows/vault.yml: encrypted" in missing.message
    assert "--vault-password-file" in missing.next_step
    assert "none of the vault passwords" in error_of(source, vault=(write(tmp_path, "wrong", "pw"),)).message
    assert "was not found" in error_of(source, vault=(tmp_path / "nofile",)).message
    inline = load_inventory([SAMPLES / "fleet.yml"], limit="db02")
    assert ["Ansible Vault" in problem.message for problem in inline.refused] == [True]


def test_a_variable_that_is_not_defined_costs_only_its_host(tmp_path: Path) -> None:
    source = write(tmp_path, windows_host(tmp_path, ansible_host='"{{ nosuch }}.1"').read_text(encoding="utf-8") + "    h2: {}\n")
    inventory = load_inventory([source])
    assert [t.name for t in inventory.targets] == ["h2"]
    assert [(p.subject, p.message) for p in inventory.refused] == [("h1", "ansible_host: 'nosuch' is undefined")]
    assert inventory.refused[0].file == str(source)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ansible_port": "70000"}, "ansible_port"),
        ({"ansible_host": '"a b"'}, "ansible_host"),
        ({"ansible_host": '"x/../y@z"'}, "ansible_host"),
        ({"ansible_winrm_transport": "telepathy"}, "ansible_winrm_transport"),
        ({"ansible_winrm_server_cert_validation": "maybe"}, "validate, ignore"),
        ({"ansible_winrm_path": '"/wsman?x=1"'}, "ansible_winrm_path"),
        ({"ansible_winrm_scheme": "ftp"}, "https, http"),
        ({"ansible_winrm_proxy": "http://p:1"}, "proxy"),
        ({"auditor_way": "smoke"}, "auditor_way"),
    ],
)
def test_values_that_make_no_sense_are_refused(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    inventory = load_inventory([windows_host(tmp_path, **variables)])
    assert not inventory.targets
    assert words in inventory.refused[0].message


EXECUTING = [
    "{{ lookup('pipe', 'touch MARK') }}",
    "{{ lookup('ansible.builtin.pipe', 'touch MARK') }}",
    "{{ query('pipe', 'touch MARK') }}",
    "{{ q('lines', 'touch MARK') }}",
    "{{ lookup('pi' ~ 'pe', 'touch MARK') }}",
    "{% set f = lookup %}{{ f('pipe', 'touch MARK') }}",
    "{{ indirect }}",
    "{{ vars['indirect'] }}",
    "{{ hostvars['h1']['indirect'] }}",
    "{% include 'x' %}",
    "{{ lookup('url', 'http://127.0.0.1:9/') }}",
    "{{ 'x' | map(lookup) }}",
]


@pytest.mark.parametrize("template", EXECUTING)
def test_nothing_runs_without_trust(tmp_path: Path, template: str) -> None:
    mark = tmp_path / "mark"
    quoted = template.replace("MARK", str(mark)).replace('"', '\\"')
    indirect = f"\"{{{{ lookup('pipe', 'touch {mark}') }}}}\""
    inventory = load_inventory([windows_host(tmp_path, ansible_password=f'"{quoted}"', indirect=indirect)])
    assert not inventory.targets
    assert "--trust-inventory" in inventory.refused[0].message or "resolve" in inventory.refused[0].message
    assert not mark.exists()


def test_a_lookup_beside_the_connection_is_not_evaluated_and_refuses_nobody(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    unrelated = f"\"{{{{ lookup('pipe', 'touch {mark}') }}}}\""
    inventory = load_inventory([windows_host(tmp_path, ansible_host='"{{ a }}.2"', a="10.0.0", unrelated=unrelated)])
    assert [t.address for t in inventory.targets] == ["10.0.0.2"]
    assert not mark.exists()


def test_programs_among_the_sources_run_only_with_trust(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    variables = {"ansible_connection": "winrm", "ansible_password": "{{ lookup('pipe', 'echo it') }}"}
    hostvars = json.dumps({"_meta": {"hostvars": {"h1": variables}}, "all": {"hosts": ["h1"]}})
    source = write(tmp_path, f"#!/bin/sh\ntouch {mark}\ncat <<'END'\n{hostvars}\nEND\n", "source.sh")
    source.chmod(0o700)
    assert "--trust-inventory" in error_of(source).next_step
    assert not mark.exists()
    trusted = load_inventory([source], trust=True)
    assert mark.exists()
    assert trusted.credentials["h1"].reveal() == "it"


def test_no_configuration_of_the_folder_or_the_environment_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "mark"
    plugin = f"from ansible.plugins.lookup import LookupBase\nopen({str(mark)!r}, 'w')\nclass LookupModule(LookupBase):\n    pass\n"
    write(tmp_path, plugin, "lookup_plugins/env.py")
    write(tmp_path, "[defaults]\nlookup_plugins=./lookup_plugins\nvault_password_file=./x\ninventory=nowhere\n", "ansible.cfg")
    source = windows_host(tmp_path, ansible_host="\"{{ lookup('env', 'AUDITOR_TEST_HOST') }}\"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_LOOKUP_PLUGINS", str(tmp_path / "lookup_plugins"))
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AUDITOR_TEST_HOST", "10.3.3.3")
    assert [t.address for t in load_inventory([source]).targets] == ["10.3.3.3"]
    assert not mark.exists()
    assert not (tmp_path / "home").exists()


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    places: list[Path] = []
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AUDITOR_TEST_SECRET", SECRET)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "home").mkdir()
    with private_place() as place:
        places.append(place)
        assert place.stat().st_mode & 0o777 == 0o700
    before = set(places[0].parent.iterdir())
    inventory = load_inventory([windows_host(tmp_path, ansible_password="\"{{ lookup('env', 'AUDITOR_TEST_SECRET') }}\"")])
    assert inventory.credentials["h1"].reveal() == SECRET
    # other processes of the auditor may have a private place of their own just now: only ours would hold this secret
    new = [p for p in set(places[0].parent.iterdir()) - before if p.name.startswith("auditor-")]
    assert not [file for place in new for file in place.rglob("*") if SECRET.encode() in _bytes(file)]
    left = [p for p in tmp_path.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    assert left == []
    assert SECRET not in "".join(capfd.readouterr())


def test_programs_are_found_beside_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert os.access(program_path("ansible-inventory"), os.X_OK)
    with pytest.raises(AuditorError, match="not installed"):
        program_path("ansible-nosuch")
