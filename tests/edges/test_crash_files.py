"""`auditor.crash` on files: plain, compressed, in archives, damaged, lying, huge. Nothing raises, nothing grows, nothing hangs."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import resource
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from auditor.crash import exit_code, read_crashes
from auditor.crash_files import CrashLimits
from auditor.knowledge import load_crash_knowledge
from auditor.model.crash import Crash
from auditor.model.crash_knowledge import CrashKnowledge
from auditor.report.crash import render
from tests.dump_maker import Dump, Module, paged, triage

SAMPLES = Path(__file__).parents[1] / "samples" / "crash_text"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def knowledge() -> CrashKnowledge:
    return load_crash_knowledge()


def small_dump() -> Dump:
    kernel, driver = Module("ntoskrnl.exe", 0xFFFFF80010000000, 0x1000000), Module("widget.sys", 0xFFFFF80055000000, 0x20000)
    return Dump(parameters=(0x10, 2, 1, driver.base + 0x1234), modules=[kernel, driver])


def told(crash: Crash) -> dict[str, object]:
    return {
        "code": crash.bugcheck.code,
        "module": crash.module,
        "image": crash.image,
        "offset": crash.offset,
        "stamp": crash.image_timestamp,
        "stamp_time": crash.image_time,
        "process": crash.process,
        "bucket": crash.bucket,
        "architecture": crash.os.architecture,
        "generation": crash.os.generation,
        "time": crash.crash_time,
        "first": crash.suspects[0].image if crash.suspects else None,
        "cause": crash.cause_class,
    }


@pytest.mark.parametrize("name", EXPECTED)
def test_the_samples_are_told_as_written_beside_them(name: str, knowledge: CrashKnowledge) -> None:
    document = read_crashes([SAMPLES / name], knowledge)
    assert document.errors == ()
    assert len(document.crashes) == len(EXPECTED[name])
    for crash, expected in zip(document.crashes, EXPECTED[name], strict=True):
        found = told(crash)
        assert {key: found[key] for key in expected} == expected


def test_the_founding_crash_is_confirmed(knowledge: CrashKnowledge) -> None:
    (crash,) = read_crashes([SAMPLES / "incident-analyze-v.txt"], knowledge).crashes
    assert (crash.suspects[0].image, crash.suspects[0].confidence) == ("RapDrv.sys", "confirmed")
    assert any("null pointer" in reason for reason in crash.suspects[0].reasons)
    assert any("0x222034" in reason and "blackice.exe" in reason for reason in crash.suspects[0].reasons)


def pack(kind: str, data: bytes) -> bytes:
    if kind == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("folder/", "")
            archive.writestr("folder/a.dmp", data)
        return out.getvalue()
    return lzma.compress(data) if kind == "xz" else gzip.compress(data) if kind == "gzip" else data


@pytest.mark.parametrize("kind", ["plain", "xz", "gzip", "zip"])
def test_dumps_and_texts_inside_archives(kind: str, tmp_path: Path, knowledge: CrashKnowledge) -> None:
    text = (SAMPLES / "incident-analyze-v.txt").read_bytes()
    for index, data in enumerate((triage(small_dump()), paged(small_dump(), "bitmap"), text)):
        path = tmp_path / str(index)
        path.write_bytes(pack(kind, data))
        document = read_crashes([path], knowledge)
        assert document.errors == ()
        assert document.crashes[0].suspects
        assert document.crashes[0].source.member == ("folder/a.dmp" if kind == "zip" else None)
        assert exit_code(document) == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_encodings(encoding: str, tmp_path: Path, knowledge: CrashKnowledge) -> None:
    path = tmp_path / "t.txt"
    text = "Für alle: so sah es aus\r\n" + (SAMPLES / "incident-analyze-v.txt").read_text(encoding="utf-8")
    path.write_bytes(text.encode(encoding))
    document = read_crashes([path], knowledge)
    assert document.errors == ()
    assert document.crashes[0].process == "blackice.exe"


@pytest.mark.parametrize("kind", ["xz", "gzip", "zip"])
def test_compressed_data_that_is_cut_short(kind: str, tmp_path: Path, knowledge: CrashKnowledge) -> None:
    data = pack(kind, paged(small_dump(), "bitmap"))
    path = tmp_path / "x"
    for size in (10, 40, 400):
        path.write_bytes(data[:size])
        document = read_crashes([path], knowledge)
        assert document.errors
        assert exit_code(document) in (1, 3)


def test_what_can_t_be_read_is_an_error_with_its_reason(tmp_path: Path, knowledge: CrashKnowledge) -> None:
    os.mkfifo(tmp_path / "pipe")
    files = {
        "empty": b"",
        "zeros": b"\0" * 100_000,
        "random": bytes(range(256)) * 500,
        "program": b"MDMP\x93\xa7" + b"\0" * 4000,
        "prose": b"Nothing happened today.\n" * 20,
        "short": b"PAGEDU64",
        "locked": b"PK\x03\x04 no directory",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    paths = [tmp_path / name for name in (*files, "pipe", "absent", ".")]
    document = read_crashes(paths, knowledge)
    assert document.crashes == ()
    assert [error.file for error in document.errors] == [str(path) for path in paths]
    assert exit_code(document) == 1
    assert "user mode" in next(error.message for error in document.errors if error.file.endswith("program"))


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path, knowledge: CrashKnowledge) -> None:
    good = SAMPLES / "incident-analyze-v.txt"
    document = read_crashes([tmp_path / "absent", good], knowledge)
    assert (len(document.crashes), len(document.errors), exit_code(document)) == (1, 1, 3)


@pytest.mark.parametrize("kind", ["xz", "gzip", "zip"])
def test_bombs_stop_at_the_limit(kind: str, tmp_path: Path, knowledge: CrashKnowledge) -> None:
    limits = CrashLimits(text_bytes=1 << 20, dump_bytes=1 << 20)
    text = b"MODULE_NAME: x\n" * (1 << 20)
    dump = bytearray(paged(small_dump(), "bitmap"))
    struct.pack_into("<Q", dump, 0x2020, 0x40000000)
    for data in (text, bytes(dump) + b"\0" * (1 << 24)):
        path = tmp_path / "bomb"
        path.write_bytes(pack(kind, data))
        started = time.process_time()
        document = read_crashes([path], knowledge, limits=limits)
        assert time.process_time() - started < 5
        assert document.errors or document.crashes[0].missing


def test_a_dictionary_bomb_is_refused(tmp_path: Path, knowledge: CrashKnowledge) -> None:
    path = tmp_path / "d.xz"
    packer = lzma.LZMACompressor(format=lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}])
    data = bytearray(packer.compress(b"x" * 100) + packer.flush())
    place = data.index(b"\x21\x01")
    data[place + 2] = 40
    header_end = 12 + (data[12] + 1) * 4
    struct.pack_into("<I", data, header_end - 4, zlib.crc32(bytes(data[12 : header_end - 4])))
    path.write_bytes(bytes(data))
    document = read_crashes([path], knowledge)
    assert "damaged" in document.errors[0].message or "emory" in document.errors[0].message


def test_memory_stays_flat_for_a_sparse_gigabyte_dump(tmp_path: Path) -> None:
    path = tmp_path / "MEMORY.DMP"
    data = bytearray(paged(small_dump(), "full"))
    struct.pack_into("<Q", data, 0xFA0, 3 << 30)
    path.write_bytes(bytes(data))
    os.truncate(path, 3 << 30)
    code = (
        "import re,sys;from auditor.crash import read_crashes;d=read_crashes([sys.argv[1]]);"
        "assert d.crashes[0].drivers and not d.errors;print(re.search(r'VmHWM:\\s+(\\d+)',open('/proc/self/status').read())[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) * 1024 < 200 << 20


def test_a_text_without_line_ends_and_one_of_line_ends_only(tmp_path: Path, knowledge: CrashKnowledge) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = tmp_path / "long"
    for data in (b"A" * (8 << 20), b"\n" * (8 << 20), b"STACK_TEXT:\n" + b"f4c0b720 " * (1 << 20)):
        path.write_bytes(data)
        started = time.process_time()
        assert read_crashes([path], knowledge).crashes == ()
        assert time.process_time() - started < 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_an_archive_of_many_files_is_read_in_part(tmp_path: Path, knowledge: CrashKnowledge) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(6):
            archive.writestr(f"{index}.txt", (SAMPLES / "incident-analyze-v.txt").read_bytes())
    document = read_crashes([path], knowledge, limits=CrashLimits(members=4))
    assert len(document.crashes) == 4
    assert "6 files" in document.errors[0].message


def test_strange_names_are_shown_as_escapes(tmp_path: Path, knowledge: CrashKnowledge) -> None:
    path = tmp_path / "evil\x1b[31m.txt"
    text = (SAMPLES / "incident-analyze-v.txt").read_text(encoding="utf-8").replace("blackiceexe", "black\x1b[2Jice\u202eexe.exe")
    path.write_text(text, encoding="utf-8")
    shown = render(read_crashes([path, tmp_path / "\x07absent"], knowledge))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\x07" not in shown
