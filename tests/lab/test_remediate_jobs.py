"""Jobs from finding to fixed with the shipped rules and plays over real WinRM: one disabled with what the finding tells, one moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import own_digest
from tests.lab.remediate_world import World, world
from tests.windows_collections import require_collections

pytestmark = [pytest.mark.lab, pytest.mark.slow]
COPY, RESTART = "copy-job-writes-programs-to-administrative-share", "restart-while-jobs-run"
FLEET = """\
title: jobs that get into each other's way
hosts:
  src-19:
    base: windows-2019
    network: {computer_name: SRC19}
    files:
      C:\\Jobs\\copy.cmd: {text: "robocopy C:\\\\Apps \\\\\\\\DST22\\\\C$\\\\Apps /MIR\\r\\n"}
    tasks:
      \\Jobs\\Copy apps: {command: 'C:\\Jobs\\copy.cmd', triggers: [{kind: daily, start: '2026-01-05 05:00:00'}]}
      \\Restart:
        {command: 'C:\\Windows\\System32\\shutdown.exe', arguments: '/r /t 0', triggers: [{kind: daily, start: '2026-01-05 02:10:00'}]}
      \\Backup:
        {command: 'C:\\Windows\\System32\\wbadmin.exe', arguments: 'start backup', triggers: [{kind: daily, start: '2026-01-05 02:00:00'}]}
  dst-22:
    base: windows-2022
    network: {computer_name: DST22}
"""


def _planned(running: World, rule: str, *words: str) -> dict[str, Any]:
    told = running.plan("--rule", rule, *words)
    assert told.code in (0, 3), told.err
    document: dict[str, Any] = told.document
    return document


def _applied(running: World, planned: dict[str, Any], rule: str) -> None:
    before = running.digests(("src-19", "dst-22"))
    checked = running.check()
    assert [host["outcome"] for host in checked.document["hosts"]] == ["would_change"], checked.err + checked.out
    assert running.digests(("src-19", "dst-22")) == before, "check mode changed a host"
    applied = running.apply(planned["digest"], 1)
    assert [verdict["verdict"] for verdict in applied.document["record"]["verdicts"]] == ["fixed"], applied.out
    assert rule not in {finding["rule"] for finding in running.audit().document["findings"]}


def test_jobs_go_from_finding_to_fixed(tmp_path: Path) -> None:
    require_collections()
    with world(tmp_path, FLEET, own_digest, playbooks=None, rule=None) as running:
        assert {COPY, RESTART} <= {finding["rule"] for finding in running.audit().document["findings"]}
        planned = _planned(running, COPY)
        (host,) = planned["plan"]["actions"][0]["hosts"]
        assert (host["host"], host["missing"], planned["plan"]["others"]) == ("src-19", [], ["dst-22"]), (
            "the finding gives all that is needed"
        )
        _applied(running, planned, COPY)

        (host,) = _planned(running, RESTART)["plan"]["actions"][0]["hosts"]
        assert [text.partition(":")[0] for text in host["missing"]] == ["task_name", "start_time"], (
            "which of the two is for a person to say"
        )
        planned = _planned(running, RESTART, "--set", "*:task_name=\\Restart", "--set", "*:start_time=06:30")
        _applied(running, planned, RESTART)
