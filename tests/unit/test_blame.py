"""Who is suspected, and of which class the cause is: evidence as values in, suspects with reasons out."""

from __future__ import annotations

import pytest

from auditor.analysis.crash.cause import judge
from auditor.analysis.crash.evidence import DriverMap, Evidence, Step
from auditor.model.crash import LoadedDriver
from auditor.model.crash_knowledge import stem
from tests.small_knowledge import small_knowledge

KNOWLEDGE = small_knowledge()
FAULT = Step(module="widget", address=0x90543BD0, offset=0x1CBD0, origin="exception")
IN_KERNEL = Step(module="nt", address=0x82A40FD3, symbol="memcpy+0x33", origin="exception")


def frames(*modules: str) -> tuple[Step, ...]:
    return tuple(Step(module=module, address=0x80000000 + index, symbol="F+0x1") for index, module in enumerate(modules))


def evidence(**changes: object) -> Evidence:
    values: dict[str, object] = {
        "code": 0x8E,
        "parameters": (0xC0000005, 0x90543BD0, 0, 0),
        "fault": FAULT,
        "frames": frames("widget", "nt"),
    }
    return Evidence(**{**values, **changes})  # type: ignore[arg-type]


def named(found: Evidence) -> list[tuple[str, str]]:
    return [(suspect.image, suspect.confidence) for suspect in judge(found, KNOWLEDGE)[0]]


def cause(found: Evidence) -> str:
    return judge(found, KNOWLEDGE)[1]


def test_the_exception_in_a_driver_s_code_weighs_most() -> None:
    assert named(evidence(claimed_image="other.sys")) == [("widget", "confirmed"), ("other.sys", "suspected")]


def test_every_suspect_has_reasons_and_the_class_has_one() -> None:
    suspects, _, reasons, _ = judge(evidence(claimed_image="widget.sys"), KNOWLEDGE)
    assert all(suspect.reasons for suspect in suspects)
    assert len(reasons) == 1


def test_the_kernel_is_never_a_suspect() -> None:
    found = evidence(fault=IN_KERNEL, frames=frames("nt", "nt"), claimed_module="nt", claimed_image="ntkrnlmp.exe")
    suspects, kind, _, notes = judge(found, KNOWLEDGE)
    assert suspects == ()
    assert kind == "unknown"
    assert any("ntkrnlmp.exe" in note for note in notes)


def test_the_caller_of_the_kernel_is_probable_not_confirmed() -> None:
    found = evidence(fault=IN_KERNEL, frames=frames("nt", "nt", "widget", "nt"), claimed_image="widget.sys")
    assert named(found) == [("widget.sys", "probable")]


@pytest.mark.parametrize("windows", ["win32k", "usbport", "fileinfo"])
def test_a_file_of_windows_is_only_suspected(windows: str) -> None:
    fault = Step(module=windows, address=0x1000, origin="exception")
    found = evidence(fault=fault, frames=frames(windows, "nt"), claimed_image=f"{windows}.sys", claimed_module=windows)
    assert [confidence for _, confidence in named(found)] == ["suspected"]
    assert cause(found) == "driver"


def test_a_foreign_driver_below_a_file_of_windows_comes_first() -> None:
    fault = Step(module="Ntfs", address=0x1000, origin="exception")
    found = evidence(fault=fault, frames=frames("Ntfs", "FLTMGR", "fileinfo", "nt", "widget"), claimed_image="fileinfo.sys")
    assert [image for image, _ in named(found)] == ["widget", "Ntfs.sys", "fileinfo.sys"]
    assert cause(found) == "driver"


def test_a_file_system_alone_is_a_matter_of_the_file_system() -> None:
    fault = Step(module="Ntfs", address=0x1000, origin="exception")
    assert cause(evidence(code=0x7E, fault=fault, frames=frames("Ntfs", "nt"))) == "filesystem"
    assert cause(Evidence(code=0x24)) == "filesystem"


def test_modules_of_user_mode_on_the_stack_count_nothing() -> None:
    user = Step(module="exploit", address=0x401100, symbol="main+0x100", user=True)
    found = evidence(code=0xEF, parameters=(1, 0, 0, 0), fault=None, frames=(*frames("nt"), user), claimed_image="ntdll.dll")
    assert named(found) == []
    assert cause(found) == "unknown"


def test_a_part_of_a_stack_has_no_first_frame() -> None:
    found = evidence(code=None, fault=None, frames=frames("rest"), from_top=False, claimed_image="hba.sys")
    assert [image for image, _ in named(found)] == ["hba.sys", "rest"]


def test_a_claim_with_wrong_symbols_weighs_little() -> None:
    found = Evidence(code=0x50, claimed_image="widget.sys", wrong_symbols=True)
    assert cause(found) == "unknown"
    assert cause(Evidence(code=0x50, claimed_image="widget.sys")) == "driver"


def test_hardware_outweighs_whoever_stands_on_the_stack() -> None:
    for found in (
        evidence(corruption="one_bit"),
        evidence(code=0x124),
        evidence(code=0x7F, parameters=(0x12, 0, 0, 0), fault=None),
        evidence(claimed_image="GenuineIntel.sys"),
        evidence(code=0x1A, parameters=(0x41792, 1, 0x2000000000, 0), fault=None),
    ):
        assert cause(found) == "hardware"
        assert all(confidence == "suspected" for _, confidence in named(found))


@pytest.mark.parametrize(("corruption", "expected"), [("bytes", "memory"), ("claimed", "memory"), ("loader", "unknown"), (None, "memory")])
def test_damaged_code_is_memory_unless_the_loader_wrote_it(corruption: str | None, expected: str) -> None:
    found = evidence(fault=IN_KERNEL, frames=frames("nt"), claimed_image="memory_corruption", corruption=corruption)
    assert cause(found) == expected


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        (0x7A, 0xC000009A, "memory"),
        (0x7A, 0xC0000185, "hardware"),
        (0x7A, 0xFFFFFFFFC000009C, "hardware"),
        (0x7A, 0, "unknown"),
        (0x50, 0xC000009C, "unknown"),
    ],
)
def test_in_page_errors(code: int, status: int, expected: str) -> None:
    assert cause(Evidence(code=code, parameters=(0, status, 0, 0))) == expected


def test_a_null_pointer_and_an_ioctl_are_reasons() -> None:
    stack = (*frames("widget"), Step(module="nt", symbol="NtDeviceIoControlFile+0x2a", address=0x8092E81B))
    stack = (Step(module="widget", address=1, offset=2, arguments=(0x222034, 5)), *stack)
    reasons = " | ".join(judge(evidence(frames=stack, access="write", target=4, process="tray.exe"), KNOWLEDGE)[0][0].reasons)
    assert "writes to address 0x4: a null pointer" in reasons
    assert "IOCTL 0x222034" in reasons
    assert "tray.exe" in reasons


def test_a_stuck_request_names_its_holder() -> None:
    found = Evidence(
        code=0x9F, parameters=(3, 1, 2, 3), waiting_driver="disk.sys", frames=(Step(module="left", origin="scanned", address=9),)
    )
    assert named(found) == [("disk.sys", "suspected")]
    assert cause(found) == "driver"


def test_left_overs_on_a_raw_stack_never_decide_the_class() -> None:
    found = evidence(fault=IN_KERNEL, frames=(Step(module="widget", origin="scanned", address=9),))
    assert named(found) == [("widget", "suspected")]
    assert cause(found) == "unknown"


def test_a_program_is_user_mode_whatever_else() -> None:
    assert cause(evidence(user_mode=True)) == "user_mode"


def test_images_are_named_from_the_driver_list_the_claim_and_windows() -> None:
    drivers = (LoadedDriver(name="Widget.SYS", base="0x90527000", size=0x40000),)
    assert named(evidence(drivers=drivers))[0][0] == "Widget.SYS"
    assert named(evidence(claimed_image="widget.sys"))[0][0] == "widget.sys"
    fault = Step(module="USBPORT", address=1, origin="exception")
    assert named(evidence(fault=fault, frames=()))[0][0] == "USBPORT.SYS"


def test_addresses_are_looked_up_in_ranges() -> None:
    drivers = DriverMap((LoadedDriver(name="b.sys", base="0x2000", size=0x1000), LoadedDriver(name="a.sys", base="0x1000", size=0x800)))
    hits = [(drivers.at(address) or (None, 0))[0] for address in (0xFFF, 0x1000, 0x17FF, 0x1800, 0x2FFF, 0x3000)]
    assert [hit.name if hit else None for hit in hits] == [None, "a.sys", "a.sys", None, "b.sys", None]


@pytest.mark.parametrize(
    ("name", "key"), [("NTFS.SYS", "ntfs"), ("nt", "nt"), ("Microsoft.Bluetooth.AvrcpTransport.sys", "microsoft_bluetooth_avrcptransport")]
)
def test_keys_of_module_names(name: str, key: str) -> None:
    assert stem(name) == key
