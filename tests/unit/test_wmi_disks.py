"""What is asked of drives: no floppy or optical drive is woken."""

from __future__ import annotations

from importlib import resources

from auditor.probes.wmi.questions import Query
from tests.unit.wmi_host import SmallHost, section


def test_media_are_asked_of_fixed_disks_alone() -> None:
    host = SmallHost({"Win32_LogicalDisk": [], "Win32_PageFileUsage": [], "Win32_ComputerSystem": [{}], "Win32_OperatingSystem": [{}]})
    assert section("memory", host).status in ("ok", "partial")
    fixed, others = [asked.wql for asked in host.asked if isinstance(asked, Query) and "Win32_LogicalDisk" in asked.wql]
    assert "FreeSpace" in fixed
    assert fixed.endswith(" WHERE DriveType=3")
    assert others == "SELECT DeviceID, DriveType FROM Win32_LogicalDisk WHERE DriveType<>3"


def test_the_script_asks_the_same() -> None:
    script = resources.files("auditor.probes").joinpath("memory", "memory.ps1").read_text(encoding="ascii")
    assert script.count("'Win32_LogicalDisk'") == 2
    assert "'DriveType = 3' '' 'DeviceID, Size, FreeSpace, FileSystem, DriveType, VolumeName, VolumeDirty'" in script
    assert "'DriveType <> 3' '' 'DeviceID, DriveType'" in script
