"""The lab's server under many clients at once, and under Ansible's own winrm connection."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab.server_fixtures import AUDITOR, CHINESE, OPERATOR, big, client, host, run, running

pytestmark = [pytest.mark.lab, pytest.mark.slow]
HOSTS = 200


def test_two_hundred_hosts_answer_at_once(tmp_path: Path) -> None:
    names = [f"h{number:03}" for number in range(HOSTS)]
    with running(tmp_path, *(host(name, latency_ms=5, run_ms=50) for name in names)) as server:

        def ask(name: str) -> bool:
            with client(server, name, read_timeout_sec=30) as protocol:
                return run(protocol, "big", "50000") == (big(50_000), b"", 0)

        started = time.monotonic()
        with ThreadPoolExecutor(32) as pool:
            assert all(pool.map(ask, names))
        assert time.monotonic() - started < 60
        assert [server.counts(name)["Create"] for name in names] == [1] * HOSTS
        assert not any(server.open_shells(name) for name in names)


@pytest.mark.parametrize(("name", "account"), [("srva", OPERATOR), ("srvb", AUDITOR)])
def test_ansible_raw_runs_over_its_winrm_connection(tmp_path: Path, name: str, account: object) -> None:
    hosts = (host(), host("srvb", scheme="https"))
    with running(tmp_path / "state", *hosts) as server:
        who = OPERATOR if account is OPERATOR else AUDITOR
        inventory = tmp_path / "inventory.ini"
        inventory.write_text(
            f"{name} ansible_host=127.0.0.1 ansible_port={server.port(name)} ansible_connection=winrm"
            f" ansible_winrm_scheme={server.url(name).partition(':')[0]} ansible_winrm_transport=ntlm"
            f" ansible_winrm_ca_trust_path={server.ca_file} ansible_user='{who.user}' ansible_password='{who.password}'\n",
            encoding="utf-8",
        )
        configuration = tmp_path / "ansible.cfg"
        configuration.write_text("[defaults]\n", encoding="utf-8")
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(configuration)}
        words = [name, "-i", str(inventory), "-m", "raw", "-a", "Get-Date"]
        ansible = [sys.executable, "-m", "ansible.cli.adhoc", *words]
        done = subprocess.run(ansible, capture_output=True, text=True, check=False, timeout=60, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{name} | CHANGED | rc=0 >>\n{CHINESE}" in done.stdout
        assert server.open_shells(name) == ()
