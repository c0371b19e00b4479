"""Files that `auditor decode` opens: missing, unreadable, a folder, too big."""

from __future__ import annotations

from pathlib import Path

from auditor.decode import MAX_FILE_BYTES, decode, read_sources


def test_files_are_read_or_say_why_not(tmp_path: Path) -> None:
    good, big = tmp_path / "good.txt", tmp_path / "big.txt"
    good.write_bytes(b"robocopy a \\\\b1\\c")
    with big.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    sources = read_sources([good, tmp_path / "missing", tmp_path, big])
    assert [bool(s.problem) for s in sources] == [False, True, True, True]
    assert "32 MiB" in sources[3].problem
    document = decode("commands", sources)
    assert (len(document.records), len(document.errors), document.rows_in) == (1, 3, 4)
