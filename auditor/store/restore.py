"""An exported file into a store: every line checked, everything or nothing. The file may come from anyone."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
from sqlalchemy import Connection, select

from auditor.model.errors import StoreError
from auditor.store import changes, keeping, lines, writing
from auditor.store.blobs import seal
from auditor.store.past import states_of
from auditor.store.shapes import StoredHost
from auditor.store.tables import NOTE, RESULT, RUN

LONGEST_LINE = 256 * 1024 * 1024
_STEP = "Export the store again."


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What came into the store."""

    runs: int
    results: int
    reports: int
    redacted: bool


def read_lines(file: Path) -> Iterator[lines.AnyLine]:
    """The lines of a file, the last one checked and left out. Raises StoreError for a file that is none, is cut short or was changed."""
    decoder = msgspec.json.Decoder(lines.AnyLine)
    digest, count, ended = hashlib.sha256(), 0, False
    try:
        with _opened(file) as stream:
            while data := stream.readline(LONGEST_LINE + 1):
                line = _decoded(decoder, data, file, count + 1, ended=ended)
                if isinstance(line, lines.End):
                    ended = True
                    if (line.lines, line.sha256) != (count, digest.hexdigest()):
                        raise StoreError(f"{file} was changed after it was written", next_step=_STEP)
                    continue
                digest.update(data)
                count += 1
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise StoreError(f"{file} can't be read: {getattr(error, 'strerror', None) or error}", next_step=_STEP) from error
    if not ended:
        raise StoreError(f"{file} is cut short: its last line is missing", next_step=_STEP)


def _decoded(decoder: msgspec.json.Decoder[lines.AnyLine], data: bytes, file: Path, number: int, *, ended: bool) -> lines.AnyLine:
    if ended:
        raise StoreError(f"{file}:{number}: something follows after the last line", next_step=_STEP)
    if len(data) > LONGEST_LINE:
        raise StoreError(f"{file}:{number}: a line is longer than {LONGEST_LINE} bytes", next_step=_STEP)
    try:
        line = decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{file}:{number}: no line of an exported store: {error}", next_step=_STEP) from error
    if number == 1 and (not isinstance(line, lines.Head) or line.format != lines.FORMAT):
        raise StoreError(f"{file} is no exported store", next_step="`auditor store export` writes one.")
    if isinstance(line, lines.Head) and line.version > lines.VERSION:
        raise StoreError(f"{file} was written by a newer auditor (format {line.version})", next_step="Update the auditor.")
    return line


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    with file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield stream


class _Restoring:
    """A store while lines come in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.runs = self.results = self.reports = 0
        self.redacted = False

    def take(self, line: lines.AnyLine) -> None:
        """One line."""
        if isinstance(line, lines.Head):
            self.redacted = line.redacted
        elif isinstance(line, lines.Run):
            self._run(line)
        elif isinstance(line, lines.Result):
            if line.target.name != line.result.host or (line.result.snapshot and line.result.snapshot.host != line.target.name):
                raise StoreError(f"a result of {line.target.name} speaks of another host", next_step=_STEP)
            writing.results(self._connection, line.run, [(line.target, line.result)])
            self.results += 1
        elif isinstance(line, lines.Link):
            self._link(line)
        elif isinstance(line, lines.Reported):
            row = self._connection.execute(select(RUN.c.state).where(RUN.c.id == line.run)).one()
            writing.finish(self._connection, line.run, line.report, row.state)
            self.reports += 1
        else:
            self._keep(line)

    def _run(self, line: lines.Run) -> None:
        if self._connection.execute(select(RUN.c.number).where(RUN.c.id == line.id)).first():
            raise StoreError(f"the store holds a run {line.id} already", next_step="Restore into another store, named with --store.")
        row = {
            "id": line.id,
            "kind": line.kind,
            "started_at": line.started_at,
            "auditor": line.auditor,
            "state": line.state,
            "findings": None,
        }
        self._connection.execute(RUN.insert().values(row | {"seal": seal(row.values())}))
        self.runs += 1

    def _link(self, line: lines.Link) -> None:
        from auditor.store.reading import numbered

        chosen = select(RESULT.c.number).join(RUN, RUN.c.number == RESULT.c.run).where(RUN.c.id == line.of, RESULT.c.host == line.host)
        number = self._connection.execute(chosen).scalar()
        if number is None:
            raise StoreError(f"run {line.run} rests on a result of {line.host} that is not there", next_step=_STEP)
        found: list[StoredHost] = numbered(self._connection, [number])
        writing.link(self._connection, line.run, found)
        self.results += 1

    def _keep(self, line: lines.AnyLine) -> None:
        if isinstance(line, lines.Life):
            keeping.save_lives(self._connection, [line.life])
        elif isinstance(line, lines.Expected):
            keeping.explain(self._connection, line.explanation)
        elif isinstance(line, lines.Noted):
            mark = seal((line.kind, line.id, line.data))
            self._connection.execute(NOTE.delete().where(NOTE.c.kind == line.kind, NOTE.c.id == line.id))
            self._connection.execute(NOTE.insert().values(kind=line.kind, id=line.id, data=line.data, seal=mark))
        elif isinstance(line, lines.Remediation):
            changes.save_record(self._connection, line.record)
            changes.save_events(self._connection, line.record.id, line.events)
        elif isinstance(line, lines.Frozen):
            states = states_of(self._connection, line.accepted.host, line.accepted.collected_at)
            found = next((state for state in states if state.collected_at == line.accepted.collected_at), None)
            if found is not None:
                keeping.accept(self._connection, found.number, line.accepted)


def restore(connection: Connection, found: Iterator[lines.AnyLine]) -> Restored:
    """Takes all lines into the store. Raises StoreError, and then the caller's transaction must not be kept."""
    restoring = _Restoring(connection)
    for line in found:
        restoring.take(line)
    return Restored(runs=restoring.runs, results=restoring.results, reports=restoring.reports, redacted=restoring.redacted)
