"""From finding to fixed over real Ansible and real WinRM with a play of the tests: both ways, check mode, rollback, and what is refused."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.lab.state import differences, state_of
from auditor.model.case import Case, CaseCondition, Contingency
from auditor.store import open_store
from tests.lab.conftest import own_digest
from tests.lab.remediate_world import World, world
from tests.windows_collections import require_collections

pytestmark = [pytest.mark.lab, pytest.mark.slow]
BASES = {"old-03": "windows-2003", "new-19": "windows-2019", "new-22": "windows-2022"}
HOST = """\
  {name}:
    base: {base}
    network: {{computer_name: {computer}}}
    services: {{AcmeAgent: {{image: 'C:\\Acme\\agent.exe', start: auto, state: stopped}}}}
"""
FLEET = "title: an agent that is to be switched off\nhosts:\n" + "".join(
    HOST.format(name=name, base=base, computer=name.replace("-", "").upper()) for name, base in BASES.items()
)
HOSTS = ("new-19", "new-22", "old-03")
SERVICE = ("--set", "*:service=AcmeAgent", "--rule", "own-agent-starts", "--remedy", "set_start")


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[World]:
    """Three hosts, audited once."""
    require_collections()
    with world(tmp_path, FLEET, own_digest) as running:
        assert running.audit().code in (2, 4)
        yield running
        assert running.lab.violations.read_text() == "", "the auditor's account asked for something that is not the probe"


def test_from_a_finding_to_fixed_by_modules_and_by_command_lines(agents: World) -> None:
    planned = agents.plan(*SERVICE)
    assert planned.code == 0, planned.err
    plan = planned.document["plan"]
    ways = {host["host"]: host["way"] for action in plan["actions"] for host in action["hosts"]}
    assert ways == {"old-03": "raw", "new-19": "modules", "new-22": "modules"}
    before = agents.digests(HOSTS)

    checked = agents.check()
    assert checked.code == 0, checked.err + checked.out
    assert {host["outcome"] for host in checked.document["hosts"]} == {"would_change"}
    assert all(step["would_change"] for host in checked.document["hosts"] for step in host["steps"] if step["id"] == "set-the-start-type")
    assert agents.digests(HOSTS) == before, "check mode changed a host"

    applied = agents.apply(planned.document["digest"], 3)
    assert applied.code == 0, applied.err + applied.out
    record = applied.document["record"]
    assert [verdict["verdict"] for verdict in record["verdicts"]] == ["fixed"] * 3
    assert sorted(item["host"] for wave in record["waves"] for item in wave["items"]) == sorted(HOSTS)
    after = agents.digests(HOSTS)
    assert all(after[host] != before[host] for host in HOSTS)
    shown = agents.call("remediate", "show", "last", "--store", str(agents.folder / "s.db"))
    assert "finished" in shown.out
    assert "Set the start type | With the module [changed]" in shown.out
    assert "fixed" in agents.call("remediate", "history", "--store", str(agents.folder / "s.db")).out
    drift = agents.call(
        "diff",
        "new-19",
        record["waves"][0]["run_before"],
        "--store",
        str(agents.folder / "s.db"),
        "--format",
        "json",
        "--against",
        "previous",
    )
    classes = {(d["section"], d["key"]): d["class"] for d in json.loads(drift.out)["hosts"][0]["differences"]}
    assert classes[("services", "AcmeAgent")] == "expected"


def test_a_play_that_changes_a_host_in_check_mode_is_caught(agents: World) -> None:
    words = ("--set", "*:service=AcmeAgent", "--finding", _finding(agents, "old-03"), "--remedy", "cheating")
    assert agents.plan(*words).code == 0
    before = agents.digests(("old-03",))
    states = {name: state_of(machine) for name, machine in agents.lab.machines.items()}
    agents.check()
    assert agents.digests(("old-03",)) != before, "the comparison would not see a cheat"
    changed = {name for name, machine in agents.lab.machines.items() if differences(states[name], state_of(machine))}
    assert changed == {"old-03"}, "the comparison of all that lasts would not see a cheat"


def test_a_rollback_is_played_and_verified_when_the_finding_stays(agents: World) -> None:
    """Starting on demand is no cure for this rule's brother: the play is told to set what the rule still finds."""
    words = ("--set", "*:service=AcmeAgent", "--set", "*:start=demand", "--finding", _finding(agents, "new-19"), "--remedy", "set_start")
    own = agents.folder / "own" / "rules" / "own" / "own-agent-starts.yml"
    own.write_text(own.read_text().replace("[auto]", "[auto, demand]"))
    agents.audit()
    planned = agents.plan(*words)
    before = agents.digests(("new-19",))
    applied = agents.apply(planned.document["digest"], 1)
    assert applied.code == 2, applied.err
    record = applied.document["record"]
    assert record["state"] == "held"
    assert record["waves"][0]["rolled_back"] == {"set_start new-19": "taken back: reading again shows the host as before"}
    assert agents.digests(("new-19",)) == before


def test_a_value_that_looks_like_a_template_stays_a_name_on_both_ways(agents: World) -> None:
    canary = agents.folder / "canary"
    odd = f"{{{{ lookup('pipe', 'touch {canary}') }}}}"
    planned = agents.plan("--set", f"*:service={odd}", "--set", f"*:note={odd}", "--rule", "own-agent-starts", "--remedy", "set_start")
    assert planned.code == 0
    checked = agents.check()
    assert checked.code == 1
    assert not canary.exists()
    assert {host["outcome"] for host in checked.document["hosts"]} == {"failed"}


def test_refusals_come_before_any_host_is_changed(agents: World) -> None:
    planned = agents.plan(*SERVICE)
    digest = planned.document["digest"]
    assert agents.apply("0" * 64, 3).code == 1
    assert agents.apply(digest, 2).code == 64
    asked = agents.call("remediate", "apply", str(agents.plan_file), "--digest", digest, "-i", str(agents.lab.inventory))
    assert (asked.code, "nobody to ask" in asked.err) == (64, True)
    data = agents.plan_file.read_bytes()
    agents.plan_file.write_bytes(data.replace(b"AcmeAgent", b"AcmeAgenu", 1))
    assert "is not the plan with the digest" in " ".join(agents.apply(digest, 3).err.split())
    agents.plan_file.write_bytes(data)
    assert not agents.lab.operations.read_text(), "the operator's account was used"


def test_the_watchs_runner_applies_the_contingency_of_a_case(agents: World) -> None:
    values = agents.folder / "values.yml"
    values.write_text("'*': {service: AcmeAgent}\n")
    case = Case(
        id="agent",
        title="The agent",
        opened_at="2026-11-20T01:00:00Z",
        since="2026-11-20T01:00:00Z",
        hosts=("old-03", "new-22"),
        conditions=(CaseCondition(kind="bugcheck", code="0x8e"),),
        days=3,
        contingency=Contingency(playbook="set_start", run=True),
    )
    with agents.runner(values) as run:
        told = run(case)
    assert told.endswith("done on old-03, new-22, and read again")
    record = json.loads(agents.call("remediate", "show", "last", "--store", str(agents.folder / "s.db"), "--format", "json").out)["record"]
    assert record["plan"]["made_by"].endswith("for case agent")
    assert [verdict["verdict"] for verdict in record["verdicts"]] == ["fixed", "fixed"]
    assert {d["host"] for d in _left(agents)} == {"new-19"}


def _left(agents: World) -> list[dict[str, str]]:
    report = agents.audit().document
    return [{"host": f["subjects"][0]["host"]} for f in report["findings"] if f["rule"] == "own-agent-starts"]


def test_killed_in_the_middle_it_is_interrupted_and_a_new_plan_goes_on(agents: World) -> None:
    """The real program, killed at once when the first task's end is in the store; what Ansible still does ends at the next start."""
    planned = agents.plan(*SERVICE)
    command = agents.apply_command(planned.document["digest"], 3)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        _wait_for_events(agents, child)
        child.kill()
        _, err = child.communicate(timeout=30)
    assert child.returncode == -9, err
    history = json.loads(agents.call("remediate", "history", "--store", str(agents.folder / "s.db"), "--format", "json").out)
    assert [record["state"] for record in history["applications"]] == ["interrupted"]
    again = agents.apply(planned.document["digest"], 3)
    assert (again.code, "was begun on" in " ".join(again.err.split())) == (1, True)
    assert agents.audit().code in (0, 2, 3, 4)
    left = _left(agents)
    planned = agents.plan(*SERVICE)
    applied = agents.apply(planned.document["digest"], len(left))
    assert applied.code == 0, applied.err
    assert not _left(agents)


def test_the_first_signal_lets_the_wave_be_verified_and_no_further_one_begin(agents: World) -> None:
    planned = agents.plan(*SERVICE)
    with subprocess.Popen(agents.apply_command(planned.document["digest"], 3), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        _wait_for_events(agents, child)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=120)
    record = json.loads(out)["record"]
    assert (child.returncode, record["state"], record["reason"]) == (1, "held", "wave 2 was not let begin"), err
    assert [verdict["verdict"] for verdict in record["verdicts"]] == ["fixed", "not_checked", "not_checked"]


def test_a_person_is_asked_before_each_wave(agents: World) -> None:
    planned = agents.plan(*SERVICE)
    command = [word for word in agents.apply_command(planned.document["digest"], 3) if word != "--yes"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        os.close(theirs)
        os.write(ours, b"yes\nno\n")
        out, err = child.communicate(timeout=120)
    os.close(ours)
    assert child.returncode == 1, err
    record = json.loads(out)["record"]
    assert (record["state"], record["reason"]) == ("held", "wave 2 was not let begin")
    assert err.count(b"Change these hosts now? Write yes: ") == 2
    assert len(_left(agents)) == 2


def _wait_for_events(agents: World, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not _events(agents) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)


def _events(agents: World) -> bool:
    with open_store(agents.folder / "s.db", write=False) as store:
        return any(store.remediation_events(record.id) for record in store.remediations())


def _finding(agents: World, host: str) -> str:
    report = agents.audit().document
    return next(str(f["id"]) for f in report["findings"] if f["rule"] == "own-agent-starts" and f["subjects"][0]["host"] == host)
