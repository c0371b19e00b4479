"""A little of what is known of crashes, as values, for tests that open no file. The shipped knowledge is tested where it is loaded."""

from __future__ import annotations

from auditor.model.crash import CauseClass
from auditor.model.crash_knowledge import BugcheckFact, BytePattern, CrashKnowledge, InPageFact, ModuleKind, Role, SystemModule, stem

_FAULT: dict[Role, int] = {"target": 1, "access": 3, "instruction": 4}
_CODES: tuple[tuple[int, str, dict[Role, int], CauseClass | None, bool], ...] = (
    (0x0A, "IRQL_NOT_LESS_OR_EQUAL", _FAULT, None, False),
    (0x18, "REFERENCE_BY_POINTER", {}, None, False),
    (0x24, "NTFS_FILE_SYSTEM", {"exception_record": 2, "context": 3}, "filesystem", False),
    (0x3B, "SYSTEM_SERVICE_EXCEPTION", {"exception_code": 1, "instruction": 2, "context": 3}, None, False),
    (0x50, "PAGE_FAULT_IN_NONPAGED_AREA", {"target": 1, "access": 2, "instruction": 3}, None, False),
    (0x7A, "KERNEL_DATA_INPAGE_ERROR", {"status": 2}, None, False),
    (
        0x7E,
        "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED",
        {"exception_code": 1, "instruction": 2, "exception_record": 3, "context": 4},
        None,
        False,
    ),
    (0x8E, "KERNEL_MODE_EXCEPTION_NOT_HANDLED", {"exception_code": 1, "instruction": 2, "trap_frame": 3}, None, False),
    (0xD1, "DRIVER_IRQL_NOT_LESS_OR_EQUAL", _FAULT, None, False),
    (0xE3, "RESOURCE_NOT_OWNED", {}, None, False),
    (0x124, "WHEA_UNCORRECTABLE_ERROR", {}, "hardware", True),
    (0x139, "KERNEL_SECURITY_CHECK_FAILURE", {"trap_frame": 2, "exception_record": 3}, None, False),
)
_MODULES: dict[ModuleKind, tuple[str, ...]] = {
    "kernel": ("ntoskrnl.exe", "ntkrnlmp.exe", "ntkrnlpa.exe", "hal.dll"),
    "framework": ("fltmgr.sys", "usbport.sys", "dxgkrnl.sys"),
    "filesystem": ("ntfs.sys",),
    "driver": ("win32k.sys", "win32kbase.sys", "fileinfo.sys", "disk.sys"),
    "user": ("ntdll.dll", "kernel32.dll", "csrss.exe"),
    "hardware": ("hardware", "GenuineIntel.sys"),
    "memory": ("memory_corruption", "Pool_Corruption"),
    "nothing": ("Unknown_Image",),
}


def small_knowledge() -> CrashKnowledge:
    """Stop codes, statuses, modules and loader patterns that the unit tests use."""
    facts = {code: _fact(code, name, roles, kind, innocent=innocent) for code, name, roles, kind, innocent in _CODES}
    facts[0x1A] = BugcheckFact(code=0x1A, name="MEMORY_MANAGEMENT", roles={"pte": 3}, when=0x41792, cause_class="memory")
    facts[0x9F] = BugcheckFact(code=0x9F, name="DRIVER_POWER_STATE_FAILURE", roles={"irp": 4}, when=3, innocent_stack=True)
    facts[0x116] = BugcheckFact(code=0x116, name="VIDEO_TDR_FAILURE", roles={"driver_address": 2}, innocent_stack=True)
    facts[0xEF] = BugcheckFact(code=0xEF, name="CRITICAL_PROCESS_DIED", roles={"process": 1}, innocent_stack=True)
    facts[0xBE] = BugcheckFact(code=0xBE, name="ATTEMPTED_WRITE_TO_READONLY_MEMORY", roles={"target": 1}, traps=True)
    modules = {stem(file): SystemModule(file=file, kind=kind) for kind, files in _MODULES.items() for file in files}
    modules["nt"] = SystemModule(file="ntoskrnl.exe", kind="kernel")
    in_page = (
        InPageFact(status=0xC000009A, cause_class="memory", means="pool used up"),
        InPageFact(status=0xC000009C, cause_class="hardware", means="bad block"),
        InPageFact(status=0xC0000185, cause_class="hardware", means="path to the disk"),
        InPageFact(status=0xC0000032, cause_class="filesystem", means="damaged volume"),
    )
    return CrashKnowledge(
        bugchecks=facts,
        names={fact.name: code for code, fact in facts.items()},
        statuses={0xC0000005: "STATUS_ACCESS_VIOLATION", 0xC0000409: "STATUS_STACK_BUFFER_OVERRUN"},
        in_page={fact.status: fact for fact in in_page},
        modules=modules,
        loader_patterns=(
            BytePattern(expected=b"\x48\xff", found=b"\x4c\x8b", why="import call"),
            BytePattern(expected=b"\x0f\x1f\x44\x00", found=b"\xe8", why="its padding"),
            BytePattern(expected=b"\x00", found=b"\x90", needs_others=True, why="last byte of the padding"),
        ),
    )


def _fact(code: int, name: str, roles: dict[Role, int], kind: CauseClass | None, *, innocent: bool) -> BugcheckFact:
    return BugcheckFact(
        code=code, name=name, roles=roles, cause_class=kind, innocent_stack=innocent, parameters=("one", "two", "three", "four")
    )
