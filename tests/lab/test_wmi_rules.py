"""The shipped incident asked both ways: what is found over PowerShell is found over WMI too, or said to be undecided, never denied."""

from __future__ import annotations

import msgspec
import pytest

from auditor.audit import check, request_for, run_of
from auditor.collect.fleet import Limits, collect_fleet
from auditor.inventory import load_inventory
from auditor.lab.serve import serve
from auditor.matrix import load_matrix
from auditor.model.finding import Finding, Report
from auditor.model.places import shipped

pytestmark = [pytest.mark.lab, pytest.mark.slow]
HOSTS = ("srv-a", "srv-b", "dc-1", "file-1")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    matrix = load_matrix([shipped("compat_matrix")])
    found: dict[str, Report] = {}
    with serve("incident", tmp_path_factory.mktemp("lab")) as lab:
        inventory = load_inventory([lab.inventory])
        for way in ("powershell", "wmi"):
            targets = [msgspec.structs.replace(target, way=way) for target in inventory.targets if target.name in HOSTS]
            results = collect_fleet(targets, inventory.credentials, request_for(matrix), limits=Limits(host_deadline_seconds=120))
            found[way] = check(list(zip(targets, results, strict=True)), matrix, run_of("both", "", matrix))
        assert lab.violations.read_bytes() == b""
    return found


def keys(findings: tuple[Finding, ...]) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    return {(finding.rule, tuple((subject.role, subject.host) for subject in finding.subjects)) for finding in findings}


def test_nothing_is_lost_and_nothing_is_made_up(reports: dict[str, Report]) -> None:
    scripted, over_wmi = reports["powershell"], reports["wmi"]
    assert keys(scripted.findings), "the incident has findings"
    assert keys(scripted.findings) <= keys(over_wmi.findings) | keys(over_wmi.undetermined)
    assert keys(over_wmi.findings) <= keys(scripted.findings) | keys(scripted.undetermined)
    assert keys(over_wmi.findings), "much is seen over WMI too"


def test_what_stands_in_tasks_is_undecided_over_wmi(reports: dict[str, Report]) -> None:
    lost = keys(reports["powershell"].findings) - keys(reports["wmi"].findings)
    assert any("copy" in rule for rule, _ in lost)
    missing = {text for finding in reports["wmi"].undetermined for text in finding.missing}
    assert any("tasks" in text for text in missing)
