"""The join behind `auditor crash --fleet`: crashes of the store's hosts and of given files, grouped into waves. Asks no host."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from auditor.analysis.investigate.fleetview import Given, waves
from auditor.crash import read_crashes
from auditor.model.crash import Crash, CrashDocument
from auditor.model.crash_knowledge import CrashKnowledge
from auditor.model.errors import UsageError
from auditor.model.host import Snapshot
from auditor.model.hypothesis import WavesDocument

LARGEST_DOCUMENT = 64 * 1024 * 1024


def fleet_crashes(store: str | None, files: Sequence[Path], knowledge: CrashKnowledge, *, window_hours: int) -> tuple[WavesDocument, bool]:
    """The waves, and whether all hosts and files could be read. `store` is the store's place, None for the usual one."""
    snapshots, whole = _snapshots(store, needed=not files)
    crashes, errors = _given(files, knowledge, {name.casefold(): name for name in snapshots})
    document = waves(snapshots, crashes, knowledge, window_hours=window_hours)
    return msgspec.structs.replace(document, notes=(*document.notes, *errors)), whole and not errors


def _snapshots(place: str | None, *, needed: bool) -> tuple[dict[str, Snapshot], bool]:
    """The last snapshot of each host. Files alone will do where there is no store and none was named."""
    from auditor.store import default_path, open_store

    if place is None and not needed and not default_path().is_file():
        return {}, True
    with open_store(place or default_path(), write=False) as store:
        results = store.latest_results()
    found = {item.target.name: item.result.snapshot for item in results if item.result.snapshot is not None}
    if needed and not found:
        raise UsageError("the store holds no snapshots", next_step="Run `auditor collect` first, name a store, or give files.")
    return found, len(found) == len(results)


def _given(files: Sequence[Path], knowledge: CrashKnowledge, hosts: dict[str, str]) -> tuple[list[Given], tuple[str, ...]]:
    """Crashes of the files, each with the host that its folder names, and what could not be read."""
    found: list[Given] = []
    errors: list[str] = []
    for file in files:
        document = _document(file) if file.suffix.casefold() == ".json" else read_crashes([file], knowledge)
        found += [Given(host=_host(crash, hosts), crash=crash) for crash in document.crashes]
        errors += [f"{error.file}: {error.message}" for error in document.errors]
    return found, tuple(errors)


def _document(file: Path) -> CrashDocument:
    """A document that `auditor crash --format json` wrote. Raises UsageError for anything else."""
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST_DOCUMENT + 1)
        if len(data) > LARGEST_DOCUMENT:
            raise UsageError(f"{file} is larger than {LARGEST_DOCUMENT} bytes")
        return msgspec.json.decode(data, type=CrashDocument)
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{file} is no document of `auditor crash`: {error}") from error


def _host(crash: Crash, hosts: dict[str, str]) -> str:
    """The host that the file's folder names; a file that lies in none stands for itself."""
    path = Path(crash.source.file)
    folder = path.parent.name
    return hosts.get(folder.casefold(), folder or path.stem)
