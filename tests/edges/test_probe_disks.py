"""Drives as the probe's own script lists them, on a real PowerShell engine over a WMI that is stood in for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditor.probes.bundle import ProbeRequest, build_bundle
from tests.edges import engine

pytestmark = pytest.mark.engine
FULL = {"Size": 10, "FreeSpace": 4, "FileSystem": "NTFS", "VolumeName": "x", "VolumeDirty": False}


def test_of_drives_that_are_not_fixed_only_letter_and_kind_are_asked(tmp_path: Path) -> None:
    found = engine.folder()
    if found is None:
        pytest.skip(engine.NO_ENGINE)
    disks = [{"DeviceID": name, "DriveType": kind, **FULL} for name, kind in (("A:", 2), ("C:", 3), ("D:", 3), ("E:", 5))]
    classes = {"Win32_ComputerSystem": [], "Win32_OperatingSystem": [], "Win32_PageFileUsage": [], "Win32_LogicalDisk": disks}
    (tmp_path / "wmi.json").write_text(json.dumps({"root\\cimv2": classes}), encoding="utf-8")
    script = build_bundle(ProbeRequest(sections=("memory",))).replace("Add-PageFiles\nAdd-Volumes", "Add-Volumes")  # no registry here
    rows = engine.run(found, script, environment={"PSENGINE_WMI": str(tmp_path / "wmi.json")}).sections["memory"].rows
    volumes = {row["name"]: (row["drive_type"], row["size_bytes"], row["label"]) for row in rows if row["kind"] == "volume"}
    assert volumes == {
        "C:": ("fixed", 10, "x"),
        "D:": ("fixed", 10, "x"),
        "A:": ("removable", None, None),
        "E:": ("optical", None, None),
    }
