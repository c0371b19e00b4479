"""The committed seed corpus: dumps built by the tests' own maker, texts written for the tests. Nothing in it comes from a real machine."""

from __future__ import annotations

from pathlib import Path

from tests.dump_maker import Dump, Mode, Module, paged, triage

SAMPLES = Path(__file__).parents[1] / "samples"
MODES: tuple[Mode, ...] = ("x86", "pae", "x64", "x64_5", "arm64")


def dump_of(mode: Mode) -> Dump:
    """A dump with some of everything."""
    small = mode in ("x86", "pae")
    base = 0x80800000 if small else 0xFFFFF80010000000
    driver = 0xF5355000 if small else 0xFFFFF80055000000
    fault = driver + 0x785
    dump = Dump(
        mode=mode,
        build=3790 if small else 19041,
        process_offset=0x164 if small else 0x5A8,
        parameters=(0x10, 2, 1, fault),
        modules=[Module("ntoskrnl.exe", base, 0x280000), Module("widget.sys", driver, 0x20000), Module("shield.sys", driver + 0x100000)],
        unloaded=[Module("monitor.sys", driver + 0x200000)],
        blocks=[(base + 0x70000, bytes(range(256)))],
    )
    dump.stack = [0, driver + 0x4B94, fault, 0x10 if not small else 8, 0x246, dump.stack_start + 0x30, 0x18, base + 0x5004]
    return dump


def dump_seeds() -> dict[str, bytes]:
    """Dumps by name."""
    seeds = {f"triage-{mode}": triage(dump_of(mode)) for mode in ("x86", "x64", "arm64")}
    for mode in MODES:
        kind = {"x86": "full", "pae": "summary", "x64": "bitmap", "x64_5": "full", "arm64": "bitmap"}[mode]
        seeds[f"{kind}-{mode}"] = paged(dump_of(mode), kind)  # type: ignore[arg-type]
    return seeds


def text_seeds() -> dict[str, bytes]:
    """Texts by name."""
    return {path.name: path.read_bytes() for path in sorted((SAMPLES / "crash_text").glob("*.txt"))}
