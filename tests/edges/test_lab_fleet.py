"""Fleet files on the disk: places of problems, extends, bases and patches, no way out of their folders, the published schema."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest
import yaml

from auditor.lab.answers import answer_section
from auditor.lab.document import Problems, read_document
from auditor.lab.facts import HostFacts
from auditor.lab.fleet import SHIPPED, Fleet, fleet_schema, load_fleet, shipped_fleets
from auditor.lab.serve import make_machines
from auditor.lab.sheet import Ask
from auditor.model.errors import LabError
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, build_bundle

NOW = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)
ONE = "hosts:\n  a:\n    base: windows-2003\n    network: {computer_name: A}\n"


def _write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / f"{next(iter(files))}.yml"


def _problems(path: Path | str) -> list[str]:
    with pytest.raises(LabError) as caught:
        load_fleet(path)
    return [str(problem).replace(str(path), "FILE") for problem in caught.value.problems]


def _patched(folder: Path, patch: str) -> Fleet:
    return load_fleet(_write(folder, mine=f"extends: incident\n{patch}"))


def test_every_shipped_fleet_and_base_loads_and_makes_machines() -> None:
    assert "incident" in shipped_fleets()
    for name in shipped_fleets():
        fleet = load_fleet(name)
        assert set(make_machines(fleet, NOW)) == {host.name for host in fleet.hosts}
    used = "".join(path.read_text(encoding="utf-8") for path in SHIPPED.glob("*.yml"))
    assert [path.stem for path in sorted((SHIPPED / "base").glob("*.yml")) if path.stem not in used] == []


def test_the_incident_has_ten_hosts_of_several_generations() -> None:
    hosts = load_fleet("incident").hosts
    assert len(hosts) == 10
    assert len({host.facts.system.version for host in hosts}) >= 5
    assert {host.facts.behaviour.fault for host in hosts} == {None, "refuse_logon", "hang_command"}
    assert {host.facts.system.ui_language for host in hosts} == {"0409", "0407"}


def test_all_problems_come_at_once_with_file_line_and_column(tmp_path: Path) -> None:
    text = (
        "title: t\nhosts:\n  a:\n    base: windows-2003\n    network: {computer_name: TOOLONGCOMPUTERNAME}\n"
        "    services: {X: {start: sometimes}, Y: {stat: running}}\n    events: {e: {source: S, id: 70000, time: yesterday}}\n"
        "  b: {network: {computer_name: B}}\n  'x/../y': {}\nmore: 1\n"
    )
    found = _problems(_write(tmp_path, f=text))
    assert [problem.split(": ")[0] for problem in found] == [
        "FILE:5:30", "FILE:6:27", "FILE:6:49", "FILE:7:33", "FILE:7:46", "FILE:8:6", "FILE:9:13", "FILE:10:7",
    ]  # fmt: skip
    assert any("expected one of boot, system, auto, demand, disabled" in problem for problem in found)
    assert any("expected a time such as -1d 19:03" in problem and "got `yesterday`" in problem for problem in found)
    assert any("b: needs system" in problem for problem in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hosts: {a: {base: ../../etc/passwd}}\n", "expected an id of letters, digits, dot, dash or underscore"),
        ("extends: /etc/hosts\n", "expected an id"),
        ("extends: ..\n", "expected an id"),
        ("extends: nothing-like-it\n", "no file nothing-like-it.yml beside this one or among the shipped fleets"),
        ("extends: f\n", "no file f.yml beside this one"),
        ("extends: incident\npatch: {srv-x: {}}\n", "patches `srv-x`, but the extended fleet has no such host"),
        ("extends: incident\nremove: [srv-x]\n", "removes `srv-x`, but the extended fleet has no such host"),
        ("extends: incident\nhosts: {srv-a: {}}\n", "the extended fleet has a host `srv-a` already: use `patch`"),
        ("extends: incident\npatch: {srv-a: {drivers: {Rapdrv: null}}}\n", "null removes `srv-a.drivers.Rapdrv`"),
        ("hosts: {}\n", "a fleet needs at least one host"),
        ("- a\n", "expected a map"),
        ("", "a fleet needs at least one host"),
    ],
)
def test_what_a_fleet_may_not_say(tmp_path: Path, text: str, message: str) -> None:
    assert any(message in problem for problem in _problems(_write(tmp_path, f=text)))


def test_extends_does_not_go_round_in_circles(tmp_path: Path) -> None:
    assert any("round in a circle" in problem for problem in _problems(_write(tmp_path, one="extends: two\n", two="extends: one\n")))


def test_a_file_that_is_not_there_and_one_that_is_no_text(tmp_path: Path) -> None:
    assert "no such fleet file, and no shipped fleet of that name (incident" in _problems("nowhere")[0]
    (tmp_path / "f.yml").write_bytes(b"title: \xff\xfe\n")
    assert "not UTF-8" in _problems(tmp_path / "f.yml")[0]


def test_own_bases_lie_beside_the_file_and_win_in_order(tmp_path: Path) -> None:
    own = "system: {model: Mine}\nservices: {Spooler: null, Mine: {start: auto}}\n"
    path = _write(tmp_path, f=ONE.replace("windows-2003", "[windows-2003, mine]"), base__mine=own)
    facts = load_fleet(path).hosts[0].facts
    assert facts.system.model == "Mine"
    assert "Spooler" not in facts.services
    assert "Mine" in facts.services


def test_a_patch_takes_one_condition_away_and_leaves_the_rest(tmp_path: Path) -> None:
    plain = load_fleet("incident").host("srv-a").facts
    fleet = _patched(tmp_path, "remove: [web-1]\npatch:\n  srv-a: {drivers: {RapDrv: null}, logons: {from-b-last: null}}\n")
    facts = fleet.host("srv-a").facts
    assert set(plain.drivers) - set(facts.drivers) == {"RapDrv"}
    assert set(plain.logons) - set(facts.logons) == {"from-b-last"}
    assert (facts.services, facts.tasks, facts.files) == (plain.services, plain.tasks, plain.files)
    assert len(fleet.hosts) == 9
    assert fleet.title == load_fleet("incident").title


def test_patches_may_be_patched_and_hosts_added(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        top="extends: middle\npatch: {srv-b: {groups: [top]}}\n" + ONE.replace("a:", "new-1:"),
        middle="extends: incident\npatch: {srv-b: {groups: [middle], system: {model: M}}}\n",
    )
    fleet = load_fleet(path)
    assert fleet.host("srv-b").facts.groups == ("top",)
    assert fleet.host("srv-b").facts.system.model == "M"
    assert len(fleet.hosts) == 11


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("files: {'C:\\..\\..\\etc\\x': {text: y}}", "expected a full Windows path"),
        ("files: {'\\\\server\\share\\x': {text: y}}", "expected a full Windows path"),
        ("files: {'C:\\a/../b': {text: y}}", "expected a full Windows path"),
        ("files: {'C:\\x.txt': {text: y, size: 3}}", "can't stand together"),
        ("files: {'C:\\x.txt': {text: 文, encoding: ansi}}", "text can't be written as ansi"),
        ("drivers: {BITS: {}}", "a service and a driver are both named `BITS`"),
        ("services: {bits: {}}", "two names that differ in case only: `bits`"),
        ("events: {e: {source: S, id: 1, time: 2031-01-01}}", "event `e` lies in the future"),
        ("system: {installed: 2005-02-31}", "day is out of range"),
        ("files: {'C:\\x.sys': {version: {file: 1.2.x}}}", "invalid literal"),
        ("programs: {X: {view: wow64}}", "Windows of 32 bits has no view wow64"),
        ("tasks: {'..\\..\\x.job': {command: y}}", "expected a full Windows path"),
    ],
)
def test_facts_that_contradict_each_other_are_told_by_host(tmp_path: Path, patch: str, message: str) -> None:
    path = _write(tmp_path, f=f"{ONE}    system: {{ansi_code_page: 1252}}\n" if "text: 文" in patch else ONE)
    path.write_text(path.read_text() + f"    {patch}\n", encoding="utf-8")
    with pytest.raises(LabError) as caught:
        make_machines(load_fleet(path), NOW)
    assert [str(problem) for problem in caught.value.problems if message in problem.message and problem.file == "a"]


def test_the_published_schema_fits_the_shipped_fleets_and_refuses_others() -> None:
    schema = fleet_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for name in shipped_fleets():
        document = _plain((SHIPPED / f"{name}.yml").read_text(encoding="utf-8"))
        assert [error.message for error in validator.iter_errors(document)] == []
    assert not validator.is_valid({"hosts": {"a": {"services": {"X": {"stat": "running"}}}}})
    assert validator.is_valid({"extends": "incident", "patch": {"srv-a": {"drivers": {"RapDrv": None}}}})


def _plain(text: str) -> Any:
    node = read_document(text, "f.yml", Problems())
    assert node is not None
    return node.plain()


def test_yaml_that_other_readers_take_means_the_same() -> None:
    """Nothing in a shipped fleet depends on our reader's strictness: the common one gives the same keys."""
    for name in shipped_fleets():
        text = (SHIPPED / f"{name}.yml").read_text(encoding="utf-8")
        assert set(yaml.safe_load(text)["hosts"]) == set(_plain(text)["hosts"])


def test_the_examples_of_the_documentation_work(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    for text in examples:
        assert make_machines(load_fleet(_write(tmp_path, f=text)), NOW)


def test_the_documented_file_server_has_its_drive_and_the_script_on_it(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    example = next(text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "copy.cmd" in text)
    machine = make_machines(load_fleet(_write(tmp_path, f=example)), NOW)["fs-1"]
    ask = Ask.read(framing.read_parameters(build_bundle(ProbeRequest(sections=("memory", "tasks", "scripts")))))
    answers = {name: answer_section(machine, name, ask, NOW) for name in ask.sections}
    assert "D:" in json.dumps(answers["memory"].rows)
    assert [row["path"] for row in answers["scripts"].rows] == [r"D:\Jobs\copy.cmd"]


def test_the_documentation_names_every_fact_base_and_fleet() -> None:
    page = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")
    names = [field.name for field in msgspec.structs.fields(HostFacts)]
    names += [path.stem for path in SHIPPED.rglob("*.yml")]
    assert [name for name in names if f"`{name}`" not in page] == []
