"""Change files and driver files: YAML and bytes in, changes in waves out, or all that is wrong with the place of each. Applies nothing.

A file has `changes` (one wave), or `waves`, each with a name, hosts, changes, and the waves that it comes `after`.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from auditor.analysis.host.pefile import LIMIT_BYTES, NATIVE, Image, read_image
from auditor.analysis.precheck.spec import driver_change, read_change
from auditor.matrix.convert import convert
from auditor.matrix.strict_yaml import Document, Keys, read_yaml
from auditor.model.errors import DecodeError, InputFileError, Problem, UsageError
from auditor.model.host import DriverRecord
from auditor.model.signature import Signature
from auditor.model.whatif import Change, ChangeKind, DriverFile

_KINDS: tuple[ChangeKind, ...] = ("install", "upgrade", "remove", "os_upgrade", "update", "driver")
_WITH_FIELDS = ("install", "upgrade")


class ChangeEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change: exactly one of the first six."""

    install: str | None = None
    """PRODUCT[@VERSION], as on the command line."""
    upgrade: str | None = None
    remove: str | None = None
    os_upgrade: str | None = None
    """GENERATION[@BUILD]."""
    update: str | None = None
    """KB number of an update of Windows."""
    driver: str | None = None
    """A driver's file, beside the change file unless it is an absolute path."""
    role: str | None = None
    parent: str | None = None
    group: str | None = None
    with_: tuple[str, ...] = msgspec.field(default=(), name="with")
    without: tuple[str, ...] = ()


class WaveEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hosts that are changed together."""

    name: str
    hosts: tuple[str, ...] = ()
    """Names, groups and * patterns; left out: the hosts of the command line."""
    after: tuple[str, ...] = ()
    """Waves that come before it. Where no wave says so, they come as written."""
    changes: tuple[ChangeEntry, ...]


class ChangeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change file as written."""

    title: str = ""
    changes: tuple[ChangeEntry, ...] = ()
    """All changes in one wave."""
    waves: tuple[WaveEntry, ...] = ()


class PlannedWave(NamedTuple):
    """A wave whose hosts are still words."""

    name: str
    hosts: tuple[str, ...]
    changes: tuple[Change, ...]
    places: tuple[str, ...] = ()
    """Where each of the hosts is written: `file:line:column`."""


def load_changes(path: Path, signatures: Mapping[str, Signature], versions: Mapping[str, Sequence[str]]) -> list[PlannedWave]:
    """The waves of a change file in an order that keeps what comes after what. `versions` are those that the fleet has, by product.

    Raises InputFileError with every problem and its place.
    """
    document, problems = read_yaml(path)
    if document is None:
        raise _error(path, problems)
    found, problems = convert(document, document.value, ChangeFile, (), "")
    if found is None:
        raise _error(path, problems)
    reader = _Reader(document, path, signatures, versions)
    waves = reader.waves(found)
    if reader.problems:
        raise _error(path, reader.problems)
    return waves


def _error(path: Path, problems: list[Problem]) -> InputFileError:
    count = f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}"
    step = "See docs/precheck.md."
    return InputFileError(f"the change file {path} has {count}", tuple(problems), next_step=step, usage=not path.exists())


class _Reader:
    """Turns a file's entries into changes and gathers what is wrong."""

    def __init__(self, document: Document, path: Path, signatures: Mapping[str, Signature], versions: Mapping[str, Sequence[str]]) -> None:
        self._document = document
        self._path = path
        self._signatures = signatures
        self._versions = versions
        self.problems: list[Problem] = []

    def waves(self, found: ChangeFile) -> list[PlannedWave]:
        """All waves in their order."""
        if bool(found.changes) == bool(found.waves):
            self._wrong((), "expected `changes`, or `waves`, and not both")
            return []
        if found.changes:
            return [PlannedWave("all", (), tuple(self._changes(found.changes, ("changes",))))]
        planned: dict[str, PlannedWave] = {}
        for number, wave in enumerate(found.waves):
            keys: Keys = ("waves", number)
            if wave.name in planned or not wave.name.strip():
                self._wrong((*keys, "name"), f"the name {wave.name!r} is {'taken' if wave.name.strip() else 'empty'}")
            if not wave.changes:
                self._wrong((*keys, "changes"), "expected at least one change")
            places = tuple(self._place((*keys, "hosts", place)) for place in range(len(wave.hosts)))
            planned[wave.name] = PlannedWave(wave.name, wave.hosts, tuple(self._changes(wave.changes, (*keys, "changes"))), places)
        return [planned[name] for name in self._order(found.waves)]

    def _order(self, waves: tuple[WaveEntry, ...]) -> list[str]:
        """Names in an order in which each wave comes after those that it names; as written where that leaves a choice."""
        names = [wave.name for wave in waves]
        sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
        for number, wave in enumerate(waves):
            for place, other in enumerate(wave.after):
                if other not in names:
                    self._wrong(("waves", number, "after", place), f"there is no wave {other!r}: expected one of {', '.join(names)}")
            sorter.add(wave.name, *wave.after)
        if not any(wave.after for wave in waves):
            return names
        try:
            return [name for name in sorter.static_order() if name in names] if not self.problems else []
        except graphlib.CycleError as error:
            circle = [str(name) for name in reversed(error.args[1])]
            number = names.index(circle[0])
            self._wrong(("waves", number, "after"), f"the waves wait for each other in a circle: {' after '.join(circle)}")
            return []

    def _changes(self, entries: tuple[ChangeEntry, ...], keys: Keys) -> Iterator[Change]:
        for number, entry in enumerate(entries):
            change = self._change(entry, (*keys, number))
            if change is not None:
                yield change

    def _change(self, entry: ChangeEntry, keys: Keys) -> Change | None:
        named = [kind for kind in _KINDS if getattr(entry, kind) is not None]
        if len(named) != 1:
            self._wrong(keys, f"expected exactly one of {', '.join(_KINDS)}, got {', '.join(named) or 'none'}")
            return None
        kind = named[0]
        fields = [f"{field}={value}" for field in ("role", "parent", "group") if (value := getattr(entry, field)) is not None]
        fields += [f"with={part}" for part in entry.with_] + [f"without={part}" for part in entry.without]
        if fields and kind not in _WITH_FIELDS:
            self._wrong(keys, f"{kind} takes no {fields[0].partition('=')[0]}")
            return None
        text = ",".join([getattr(entry, kind), *fields])
        line, _ = self._document.place((*keys, kind))
        said = f"{self._path.name}:{line} {kind} {text}"
        try:
            return self._read(kind, text, said)
        except (UsageError, InputFileError) as error:
            message = error.message.removeprefix(f"{said}: ")
            self._wrong((*keys, kind), f"{message}{'. ' + error.next_step if error.next_step else ''}")
            return None

    def _read(self, kind: ChangeKind, text: str, said: str) -> Change:
        if kind == "driver":
            return driver_change(read_driver(self._path.parent / text, text), said)
        product = text.partition(",")[0].partition("@")[0].strip().casefold()
        return read_change(kind, text, said, self._signatures, self._versions.get(product, ()))

    def _place(self, keys: Keys) -> str:
        line, column = self._document.place(keys)
        return f"{self._path}:{line}:{column}"

    def _wrong(self, keys: Keys, message: str) -> None:
        self.problems.append(self._document.problem(keys, "", message))


def read_driver(path: Path, shown: str) -> DriverFile:
    """What a driver's file says. Raises UsageError that names the file for what can't be read, or is no driver."""
    try:
        with path.open("rb") as stream:
            data = stream.read(LIMIT_BYTES + 1)
        image = read_image(data)
    except OSError as error:
        raise UsageError(f"the driver {shown} can't be read: {error.strerror or error}") from error
    except DecodeError as error:
        raise UsageError(f"{shown} is no driver: {error.message} ({error.place})", next_step="Name the driver's .sys file.") from error
    if image.subsystem != NATIVE:
        raise UsageError(
            f"{shown} is a Windows program, not a driver (subsystem {image.subsystem})", next_step="Name the driver's .sys file."
        )
    return DriverFile(file=shown, record=_record(path, image), filter=_is_filter(image), signed=image.signed)


def _record(path: Path, image: Image) -> DriverRecord:
    name = path.name[:-4] if path.name.lower().endswith(".sys") else path.name
    return DriverRecord(
        name=name,
        path=path.name,
        type="kernel",
        state="running",
        file_exists=True,
        file_version=image.file_version,
        product_version=image.product_version,
        company=image.strings.get("CompanyName"),
        product=image.strings.get("ProductName"),
        description=image.strings.get("FileDescription"),
        original_name=image.strings.get("OriginalFilename"),
        size_bytes=image.size_bytes,
        link_timestamp=image.link_timestamp,
        machine=image.machine,
        checksum=image.checksum,
        sha256=image.sha256,
    )


def _is_filter(image: Image) -> bool | None:
    return None if image.imports is None else "fltmgr.sys" in image.imports
