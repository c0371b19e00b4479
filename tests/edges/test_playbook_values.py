"""Texts that Ansible would take for templates stay texts: in every variable of every shipped play, by every way, and in what a play tells.

Nothing answers at the hosts' address: what is tried is all that happens on the controller, where a template would be carried out.
`scripts/other-ansible` runs this file with another ansible-core.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from auditor.matrix.remedies import load_remedies
from auditor.model.credential import Credential
from auditor.model.host import Target
from auditor.model.remedy import HostRun, Remedy, RunRequest, RunResult, TaskEvent, Variable, Way
from auditor.playbooks import Connection, run_playbook
from tests.windows_collections import collections_there, require_collections

pytestmark = pytest.mark.slow
REMEDIES = load_remedies()
STOPPED = {"refused", "failed", "not_reported"}
SAMPLES = Path(__file__).parents[1] / "samples"
WAYS: tuple[Way, ...] = ("modules", "raw", "person")


def hostile(canary: Path) -> list[str]:
    """Texts that would make the canary, or show a secret, where they were templates, YAML, or words of a shell."""
    return [
        f"{{{{ lookup('pipe', 'touch {canary}') }}}}",
        f"{{% set x = lookup('ansible.builtin.pipe', 'touch {canary}') %}}{{{{ x }}}}",
        f"a{{# #}}{{{{ query('ansible.builtin.lines', 'touch {canary}') }}}}",
        f"#jinja2: variable_start_string:'[[', variable_end_string:']]'\n[[ lookup('pipe', 'touch {canary}') ]]",
        "{{ ansible_password }}",
        "\"'\n- !unsafe x\n{{ undefined_here }} %PATH% $(id) `id` & calc",
        '{"__ansible_unsafe": "x"}',
        f"$ANSIBLE_VAULT;1.1;AES256\n{canary.name}",
    ]


def value_of(variable: Variable, text: str) -> object:
    """A value of the variable's type, the hostile text wherever a text fits."""
    if variable.type == "texts":
        return [text, text]
    if variable.type in ("whole", "truth"):
        return 1 if variable.type == "whole" else True
    return text


def play(remedy: str, hosts: tuple[HostRun, ...], folder: Path | None = None, events: list[TaskEvent] | None = None) -> RunResult:
    """One real run; nobody listens at port 1."""
    target = Target(name="h", address="127.0.0.1", port=1, scheme="http", transport="ntlm", user="OPERATOR")
    connections = {run.host: Connection(target, Credential("OPERATOR", "the-canary-secret")) for run in hosts}
    request = RunRequest(remedy=remedy, hosts=hosts, check=False, deadline_seconds=120)
    heard = events if events is not None else []
    return run_playbook(request, connections, on_event=heard.append, collections=collections_there(), folder=folder)


def runs(remedy: Remedy, canary: Path) -> tuple[HostRun, ...]:
    """For each way and each hostile text a host; a variable with choices gets a choice, so that the play goes on."""
    ways = [way for way in WAYS if way in remedy.ways]
    found = []
    for number, text in enumerate(hostile(canary)):
        values: Mapping[str, object] = {
            v.name: v.choices[0] if v.choices else value_of(v, text) for v in remedy.variables if v.type != "secret"
        }
        secrets = {v.name: text for v in remedy.variables if v.type == "secret"}
        way = ways[number % len(ways)]
        found.append(HostRun(host=f"{way}-{number}", way=way, values=dict(values), secrets=secrets, restart_allowed=True))
    return tuple(found)


@pytest.mark.parametrize("remedy", sorted(REMEDIES))
def test_in_every_variable_of_a_shipped_play(remedy: str, tmp_path: Path) -> None:
    if "modules" in REMEDIES[remedy].ways:
        require_collections()
    canary = tmp_path / "canary"
    events: list[TaskEvent] = []
    hosts = runs(REMEDIES[remedy], canary)
    result = play(remedy, hosts, events=events)
    assert not canary.exists()
    assert {event.host for event in events} == {run.host for run in hosts}, result.reason
    told = " ".join(event.message + event.difference for event in events) + repr(result)
    assert "the-canary-secret" not in told
    outcomes = {run.host: result.reports[run.host].outcome if run.host in result.reports else "not_reported" for run in hosts}
    allowed = {"person": {"person_needed"}, "modules": STOPPED, "raw": STOPPED}
    assert not {host: outcome for host, outcome in outcomes.items() if outcome not in allowed[host.partition("-")[0]]}


def test_in_what_a_play_takes_tells_and_takes_back(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    texts = hostile(canary)
    run = HostRun(
        host="h", way="person", values={"one": texts[0], "several": texts, "nested": {"in": {"it": texts}}}, before={"was": texts}
    )
    result = play("say_again", (run,), folder=SAMPLES / "values")
    assert not canary.exists()
    assert result.status == "successful", result.reason + repr(result.failed)
    report = result.reports["h"]
    clean = [text.replace("\n", " ") for text in texts]
    assert [note.replace("\n", " ") for note in report.notes] == [texts[0].replace("\n", " "), *clean, *clean]
    assert report.before == {"was": texts}


def test_a_tag_that_is_left_out_is_caught(tmp_path: Path) -> None:
    """The canary would be made: what the other tests rest on."""
    canary = tmp_path / "canary"
    folder = tmp_path / "plays"
    folder.mkdir()
    for file in (SAMPLES / "values").iterdir():
        (folder / file.name).write_text(file.read_text(encoding="utf-8").replace("{{ one }}", hostile(canary)[0]), encoding="utf-8")
    play("say_again", (HostRun(host="h", way="person", values={"one": "x", "several": [], "nested": {"in": {"it": []}}}),), folder=folder)
    assert canary.exists()
