"""The files behind drift: what ships loads and says what it should, and what is wrong is told with its place, all at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.analysis.drift.learn import learn_baseline
from auditor.analysis.drift.normalise import Normaliser
from auditor.cli.baseline_verbs import baseline_yaml
from auditor.matrix.drift_files import load_baselines, load_drift, load_expected
from auditor.model.errors import MatrixError
from auditor.model.host import Nothing, Sections
from auditor.model.places import shipped
from tests.unit.small_drift import state

SHIPPED = shipped("compat_matrix")


def _write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_what_ships_loads() -> None:
    knowledge = load_drift([SHIPPED])
    with_records = {f.name for f in msgspec.structs.fields(Sections) if f.type.__args__[0] is not Nothing}
    assert set(knowledge.sections) == with_records - {"dumpbytes"}, "a new section needs a plan, or a reason to have none"
    assert knowledge.alike == ("version", "architecture", "product_type")
    assert set(load_baselines([SHIPPED])) >= {"domain_controllers", "file_servers"}
    assert load_expected([SHIPPED]) == ()


def test_every_volatile_rule_is_explained_and_has_its_id() -> None:
    rules = load_drift([SHIPPED]).rules
    assert all(rule.why.endswith(".") and len(rule.why) > 10 for rule in rules)
    assert len({rule.id for rule in rules}) == len(rules)
    assert not [rule.id for rule in rules if rule.leave_out and not rule.where]


def test_every_record_of_a_section_has_a_key_of_its_own() -> None:
    """Two services, or two values of one registry key, are never one record."""
    ready = Normaliser(load_drift([SHIPPED]))
    rows: dict[str, Any] = {
        "services": [{"name": "a"}, {"name": "b"}],
        "filters": [
            {"name": "a", "instance": "x"},
            {"name": "a", "instance": "y"},
            {"name": "a", "class_filter": "upper", "device_class": "{1}"},
        ],
        "security": [
            {"kind": "registry", "path": "HKLM\\A", "name": "x"},
            {"kind": "registry", "path": "HKLM\\A", "name": "y"},
            {"kind": "registry", "path": "HKLM\\A", "name": "x", "view": "wow64"},
            {"kind": "file", "path": "C:\\A"},
        ],
        "programs": [{"key": "a", "view": "native"}, {"key": "a", "view": "wow64"}, {"key": "{1}", "view": "native", "name": "Tool"}],
        "tasks": [{"path": "\\a", "source_format": "xml"}, {"path": "\\a", "source_format": "schtasks"}],
    }
    snapshot = state(**rows)
    for name, listed in rows.items():
        items = ready.items(name, getattr(snapshot.sections, name).records, None)
        assert len({item.identity for item in items}) == len(listed), name


BROKEN = {
    "drift/volatile.yml": (
        "rules:\n"
        "  - {id: a, section: servces, why: w, leave_out: true, where: {name: x}}\n"
        "  - {id: b, section: services, why: w, leave_out: true}\n"
        "  - {id: c, section: services, why: w, where: {nam: x}, forget: [stat]}\n"
        "  - {id: d, section: services, why: w, where: {name: '<nonsense>'}, leave_out: true}\n"
        "  - {id: e, section: services, why: w, where: {name: x}}\n"
        "  - {id: e, section: services, why: '', where: {name: x}, leave_out: true}\n",
        [
            "2:.*is no section",
            "3:.*would leave out the section",
            "4:.*unknown field 'nam'",
            "4:.*unknown field 'stat'",
            "5:.*unknown placeholder <nonsense>",
            "6:.*says nothing",
            "7:.*the id is taken",
            "7:.*expected a sentence",
        ],
    ),
    "drift/sections.yml": (
        "sections:\n  services: {key: [nam], individual: ['*']}\n  events: {key: [id]}\n  drivers: {keys: [name]}\n",
        ["2:.*unknown field 'nam'", "3:.*no section with records", "4:.*unknown field `keys`"],
    ),
    "drift/expected.yml": (
        "expected:\n"
        "  - {id: w, kind: maintenance, reason: patch day}\n"
        "  - {id: x, kind: accepted, reason: r, until: tomorrow, sections: [nonsense]}\n"
        "  - {id: x, kind: maintenance, reason: r, from: 2026-02-02, until: 2026-01-01}\n",
        ["2:.*needs from and until", "3:.*expected a date", "3:.*is no section", "4:.*the id is taken", "4:.*lies before from"],
    ),
    "baselines/web.yml": (
        "role: wbe\nsections:\n  services:\n    records:\n      Spooler: {strat: auto}\n      Other: {start: {range: 10.0}}\n"
        "      Third: maybe\n      Fourth: {start: {rnge: x}}\n"
        "  nonsense: {only_these: true}\n  shares: {}\n",
        ["1:.*differ", "5:.*unknown field 'strat'", "6:.*vers:", "7:.*maybe", "8:.*rnge", "9:.*is no section", "10:.*says nothing"],
    ),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_all_that_is_wrong_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    text, expected = BROKEN[name]
    file = _write(tmp_path, name, text)
    load = {"expected": load_expected, "web": load_baselines}.get(file.stem, load_drift)
    with pytest.raises(MatrixError) as caught:
        load([SHIPPED, tmp_path])
    told = [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]
    assert [pattern for pattern in expected if not any(re.match(pattern, line) for line in told)] == [], told


def test_own_folders_add_rules_and_replace_plans(tmp_path: Path) -> None:
    _write(tmp_path, "drift/volatile.yml", "rules:\n  - {id: own, section: services, why: w, where: {name: x}, leave_out: true}\n")
    _write(tmp_path, "drift/sections.yml", "alike: [version]\nsections:\n  shares: {key: [name], individual: ['*']}\n")
    found = load_drift([SHIPPED, tmp_path])
    assert found.rules[-1].id == "own"
    assert found.sections["shares"].individual == ("*",)
    assert found.sections["services"].key == ("name",)
    assert found.alike == ("version",)


def test_a_proposed_baseline_loads_again(tmp_path: Path) -> None:
    rows = [
        {"name": "10.10", "start": "auto", "account": "yes", "image_path": "C:\\x y\\ä.exe: -k"},
        {"name": "no", "start": "demand", "account": "\u202eevil", "image_path": "'\"{[&*"},
    ]
    hosts = [state(f"H{n}", services=rows, shares=[{"name": "Data$", "path": "D:\\"}]) for n in range(3)]
    found = learn_baseline("web", hosts, Normaliser(load_drift([SHIPPED]), between_hosts=True), at="2026-11-26T00:00:00Z")
    text = baseline_yaml(found)
    assert "\u202e" not in text
    _write(tmp_path, "baselines/web.yml", text)
    assert load_baselines([tmp_path])["web"] == found
