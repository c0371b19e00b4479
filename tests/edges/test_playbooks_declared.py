"""The shipped plays against what they declare: guard and report, steps, variables, command lines, ways. Ansible itself is not run here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from jinja2 import Environment, meta

from auditor.lab.operate.cmd_parse import Block, If, Join, Simple, Tree, parse_line
from auditor.matrix.remedies import load_remedies
from auditor.model.places import shipped
from auditor.model.remedy import Remedy, step_id
from auditor.playbooks.events import REPORT_TASK

FOLDER = shipped("playbooks")
REMEDIES = load_remedies()
COMMANDS = frozenset({
    "type", "reg", "sc", "net", "schtasks", "msiexec", "copy", "del", "move", "md", "rd", "echo", "ver", "shutdown", "ping",
    "findstr", "find", "exit", "attrib", "cmd", "tasklist",
})  # fmt: skip
"""What Server 2003's cmd.exe has without anything else, and the lab carries out."""
GIVEN = frozenset({
    "auditor_targets", "inventory_hostname", "ansible_check_mode", "ansible_host", "ansible_port",
    "ansible_playbook_python",
})  # fmt: skip
GIVEN_HERE = frozenset({
    "playbook_dir", "item", "now", "lookup", "range", "omit", "ansible_failed_task", "ansible_failed_result", "namespace",
})  # fmt: skip
INCLUDES = ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks")
RAW = "ansible.builtin.raw"
WINDOWS = ("ansible.windows.", "community.windows.")
PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)


class Task(NamedTuple):
    """A task with what stands above it."""

    body: Mapping[str, Any]
    when: str
    """All conditions from the play down, joined."""
    names: Mapping[str, Any]
    """Variables of the includes and blocks above it."""

    @property
    def name(self) -> str:
        return str(self.body.get("name", ""))

    @property
    def title(self) -> str | None:
        """The step that its name begins with, an include's variable put in."""
        head, bar, _ = self.name.partition(" | ")
        variable = re.fullmatch(r"\{\{ (\w+) \}\}", head)
        return None if not bar else str(self.names[variable[1]]) if variable else head


def _document(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _play(remedy: str) -> Mapping[str, Any]:
    plays = _document(FOLDER / f"{remedy}.yml")
    assert len(plays) == 1
    return dict(plays[0])


def _tasks(bodies: list[Mapping[str, Any]], folder: Path, when: str = "", names: Mapping[str, Any] | None = None) -> Iterator[Task]:
    """Every task below, blocks and files that are included opened."""
    for body in bodies:
        joined = f"{when} and {_joined(body.get('when'))}"
        below = {**(names or {}), **body.get("vars", {})}
        yield Task(body, joined, below)
        for part in ("block", "rescue", "always"):
            yield from _tasks(body.get(part, []), folder, joined, below)
        for include in INCLUDES:
            if include in body:
                path = folder / str(body[include])
                yield from _tasks(_document(path), path.parent, joined, below)


def _joined(when: Any) -> str:
    return " and ".join(str(part) for part in when) if isinstance(when, list) else str(when)


def _all(remedy: str) -> list[Task]:
    return list(_tasks(_play(remedy)["tasks"], FOLDER))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


every_remedy = pytest.mark.parametrize("remedy", sorted(REMEDIES))


@every_remedy
def test_it_asks_whether_the_host_is_meant_before_anything_else(remedy: str) -> None:
    play = _play(remedy)
    assert (play["hosts"], play["gather_facts"]) == ("all", False)
    first = next(task for task in _all(remedy) if not {"block", *INCLUDES} & task.body.keys())
    assert "inventory_hostname in auditor_targets" in str(first.body["ansible.builtin.assert"]["that"])


@every_remedy
def test_it_tells_what_was_done_last_and_in_every_outcome(remedy: str) -> None:
    (whole,) = _play(remedy)["tasks"]
    last = list(_tasks(whole["always"], FOLDER))[-1]
    assert (last.name, last.body["ansible.builtin.debug"]) == (REPORT_TASK, {"var": "remedy_report"})
    assert "when" not in last.body


@every_remedy
def test_its_tasks_belong_to_declared_steps_and_each_step_has_tasks(remedy: str) -> None:
    declared = {step.id: step for step in REMEDIES[remedy].steps}
    used = {step_id(task.title) for task in _all(remedy) if task.title} - {"report"}
    assert used - set(declared) == set()
    by_person_only = {name for name, step in declared.items() if step.ways and set(step.ways.values()) == {"person"}}
    assert set(declared) - used - by_person_only == set()


@every_remedy
def test_it_uses_no_variable_that_is_not_declared(remedy: str) -> None:
    known = _known(remedy, REMEDIES[remedy])
    unknown: dict[str, str] = {}
    for task in _all(remedy):
        texts = list(_texts({key: value for key, value in task.body.items() if key not in ("block", "rescue", "always", "name")}))
        conditions = [task.body.get(key) for key in ("when", "until", "failed_when", "changed_when")]
        conditions.append(task.body.get("ansible.builtin.assert", {}).get("that"))
        texts += ["{{ " + condition + " }}" for condition in _texts(conditions)]
        unknown |= {name: task.name for text in texts for name in _variables(text) - known}
    assert unknown == {}


def _known(remedy: str, declared: Remedy) -> set[str]:
    found = {*GIVEN, *GIVEN_HERE, *(variable.name for variable in declared.variables), *_play(remedy).get("vars", {})}
    found |= {"remedy_way", "remedy_phase", "remedy_restart_allowed", "remedy_before"}
    for task in _all(remedy):
        found |= {*task.names, *task.body.get("ansible.builtin.set_fact", {}), str(task.body.get("register"))}
        found.add(str(task.body.get("loop_control", {}).get("loop_var")))
    return found


def _variables(text: str) -> set[str]:
    """Names that a template needs from outside; Ansible takes backslashes in its texts as they are, Jinja does not."""
    if "{" not in text:
        return set()
    environment = Environment(autoescape=True)
    for name in re.findall(r"(?:\||\bis(?: not)?)\s*([a-z_]+(?:\.[a-z_]+)*)", text):
        environment.filters[name] = environment.tests[name] = len
    own = set(re.findall(r"\{%-? set (\w+)", text))
    return meta.find_undeclared_variables(environment.parse(text.replace("\\", "/"))) - own


@every_remedy
def test_its_command_lines_are_of_cmd_exe_alone(remedy: str) -> None:
    for task in _all(remedy):
        if RAW not in task.body:
            continue
        line = PLACEHOLDER.sub("X", str(task.body[RAW]))
        assert line.startswith("type "), f"{task.name}: winrm hands only such lines to cmd.exe"
        assert "\n" not in line.strip(), f"{task.name}: a line end inside a command line ends it"
        strangers = {name for name in _commands(parse_line(line.strip())) if name not in COMMANDS and name != "x"}
        assert strangers == set(), task.name


def _commands(tree: Tree) -> Iterator[str]:
    if isinstance(tree, Simple):
        if tree.text.strip():
            yield tree.text.split()[0].strip('"').lower()
    elif isinstance(tree, Block):
        yield from _commands(tree.inner)
    elif isinstance(tree, Join):
        yield from _commands(tree.left)
        yield from _commands(tree.right)
    elif isinstance(tree, If):
        yield from _commands(tree.then)
        yield from _commands(tree.otherwise)


@every_remedy
def test_what_it_takes_for_plain_text_has_no_line_end(remedy: str) -> None:
    """A pattern that ends with `$` also fits a text with a line end behind, which ends a command line: what is judged is judged whole."""
    loose = re.compile(r"is (?:match|search)\('\^[^']*\$'\)")
    for task in _all(remedy):
        judged = str(task.body.get("ansible.builtin.assert", {}).get("that"))
        assert not loose.search(judged.replace('"', "'")), f"{task.name}: use regex(..., match_type='fullmatch')"


@every_remedy
def test_no_command_line_that_changes_something_runs_in_check_mode(remedy: str) -> None:
    for task in _all(remedy):
        if RAW in task.body and task.body.get("check_mode") is False:
            assert task.body.get("changed_when") is False, task.name


@every_remedy
def test_modules_for_windows_are_left_to_hosts_that_can_run_them(remedy: str) -> None:
    for task in _all(remedy):
        if any(key.startswith(WINDOWS) for key in task.body):
            assert "remedy_way == 'modules'" in task.when, f"{task.name}: would be sent to a host without PowerShell 5.1"
            assert "modules" in REMEDIES[remedy].ways


@every_remedy
def test_what_it_changes_says_how_it_is_taken_back(remedy: str) -> None:
    declared = REMEDIES[remedy]
    assert declared.rollback.how or declared.rollback.reason
    assert declared.rollback.kind == "automatic" or declared.rollback.reason
    for step in declared.steps:
        assert not step.changes or (step.rollback is not None and (step.rollback.how or step.rollback.reason))
    assert declared.verification or declared.operation == "restart"
    assert declared.preconditions
