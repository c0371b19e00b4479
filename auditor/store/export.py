"""The store as one file of lines, whole or for some hosts, with names or without; and back into a store. Interprets nothing."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
from sqlalchemy import Connection, Row, select

from auditor.analysis.pseudonyms import Pseudonyms
from auditor.model.errors import StoreError
from auditor.model.finding import Finding, Report, finding_id
from auditor.store import changes, keeping, lines, reading
from auditor.store.blobs import seal
from auditor.store.shapes import COLLECTING
from auditor.store.tables import NOTE, PART, RESULT, RUN, chunks

Wanted = Callable[[str, Collection[str]], bool]
"""Whether a host, with its groups, is exported."""


def export_lines(connection: Connection, head: lines.Head, wanted: Wanted | None) -> Iterator[lines.AnyLine]:
    """All lines but the last. Reports, which speak of the whole fleet, are left out where only some hosts are wanted.

    So are remediations, and they are never exported without names: plans hold values that people chose.
    """
    names = _Names(connection) if head.redacted else None
    yield head
    runs = list(connection.execute(select(RUN).order_by(RUN.c.number)))
    homes: dict[int, str] = {}
    for run in runs:
        yield lines.Run(id=run.id, kind=run.kind, started_at=run.started_at, auditor=run.auditor, state=run.state)
        for result in _results(connection, run, homes, wanted):
            yield names.line(result) if names else result
        if wanted is None and connection.execute(select(PART.c.run).where(PART.c.run == run.number)).first():
            report = lines.Reported(run=run.id, report=reading.report(connection, run.id))
            yield names.line(report) if names else report
    for line in _kept(connection, wanted):
        yield names.line(line) if names else line
    if wanted is None and names is None:
        yield from _noted(connection)
        for record in changes.records(connection):
            yield lines.Remediation(record=record, events=tuple(changes.events(connection, record.id)))


def _results(connection: Connection, run: Row[Any], homes: dict[int, str], wanted: Wanted | None) -> Iterator[lines.Result | lines.Link]:
    """The results of a run, some at a time; one whose snapshot an earlier run collected is a link to it."""
    number, id_, collecting = run.number, run.id, run.kind in COLLECTING
    rows = connection.execute(select(RESULT.c.number, RESULT.c.snapshot).where(RESULT.c.run == number).order_by(RESULT.c.number)).all()
    snapshots = {row.number: row.snapshot for row in rows}
    for chunk in chunks(row.number for row in rows):
        for stored in reading.numbered(connection, chunk):
            snapshot = snapshots[stored.row]
            if wanted is not None and not wanted(stored.target.name, stored.target.groups):
                continue
            if not collecting and snapshot in homes:
                yield lines.Link(run=id_, host=stored.target.name, of=homes[snapshot])
                continue
            if snapshot is not None:
                homes[snapshot] = id_
            yield lines.Result(run=id_, target=stored.target, result=stored.result)


def _kept(connection: Connection, wanted: Wanted | None) -> Iterator[lines.AnyLine]:
    for life in keeping.lives(connection).values():
        if wanted is None or all(wanted(host, ()) for host in life.hosts):
            yield lines.Life(life=life)
    for host, accepted in keeping.accepted(connection).items():
        if wanted is None or wanted(host, ()):
            yield lines.Frozen(accepted=accepted)
    for entry in keeping.explanations(connection) if wanted is None else ():
        yield lines.Expected(explanation=entry)


def _noted(connection: Connection) -> Iterator[lines.Noted]:
    """What the watch remembers, undelivered notices too: what was found is marked as told, so they are all there is of it.

    They keep their ids, by which a reader knows one that comes again.
    """
    for row in connection.execute(select(NOTE).where(NOTE.c.kind.in_(lines.NOTED)).order_by(NOTE.c.kind, NOTE.c.id)):
        if row.seal != seal((row.kind, row.id, row.data)):
            raise StoreError(f"the store is damaged: {row.kind} {row.id} has changed since it was written")
        yield lines.Noted(kind=row.kind, id=row.id, data=row.data)


class _Names:
    """Pseudonyms of everything in the store, and findings whose ids are made of them."""

    def __init__(self, connection: Connection) -> None:
        self._names = Pseudonyms()
        self._ids: dict[str, str] = {}
        numbers = list(connection.execute(select(RESULT.c.number).order_by(RESULT.c.number)).scalars())
        for chunk in chunks(numbers):
            for stored in reading.numbered(connection, chunk):
                self._names.learn(stored.target, stored.result.snapshot)

    def line(self, line: lines.AnyLine) -> lines.AnyLine:
        """A line without names."""
        replace = msgspec.structs.replace
        if isinstance(line, lines.Result):
            target = replace(self._names.rewrite(line.target), ca_file=None)
            return replace(line, target=target, result=self._names.rewrite(line.result))
        if isinstance(line, lines.Link):
            return replace(line, host=self._names.text(line.host))
        if isinstance(line, lines.Reported):
            return replace(line, report=self._report(line.report))
        if isinstance(line, lines.Life):
            life = self._names.rewrite(line.life)
            return replace(line, life=replace(life, id=self._id(line.life.id, life.hosts)))
        if isinstance(line, lines.Frozen | lines.Expected):
            return self._names.rewrite(line)  # type: ignore[no-any-return]
        return line

    def _report(self, report: Report) -> Report:
        replace = msgspec.structs.replace
        clean: Report = replace(self._names.rewrite(report), run=report.run)
        findings = tuple(map(self._finding, report.findings, clean.findings))
        return replace(clean, findings=findings, undetermined=tuple(map(self._finding, report.undetermined, clean.undetermined)))

    def _finding(self, old: Finding, new: Finding) -> Finding:
        """An id is made of names: it is made again, so that nobody can try names until one fits."""
        self._ids[old.id] = finding_id(new.rule, new.subjects, new.keys)
        return msgspec.structs.replace(new, id=self._ids[old.id])

    def _id(self, old: str, hosts: Collection[str]) -> str:
        """The new id of a life; where no exported report has the finding, one made of what is known."""
        return self._ids.get(old) or hashlib.sha256("\x1f".join(["life", *hosts, str(len(self._ids))]).encode()).hexdigest()[:16]


def write_lines(file: Path, found: Iterator[lines.AnyLine]) -> int:
    """Writes the lines and the last one, readable by the owner only, whole or not at all; compressed where the name ends in .gz.

    Gives how many lines there are. Raises StoreError where the file can't be written.
    """
    digest, count = hashlib.sha256(), 0
    with _whole(file) as stream:
        for line in found:
            data = msgspec.json.encode(line) + b"\n"
            digest.update(data)
            stream.write(data)
            count += 1
        stream.write(msgspec.json.encode(lines.End(lines=count, sha256=digest.hexdigest())) + b"\n")
    return count + 1


@contextlib.contextmanager
def _whole(file: Path) -> Iterator[IO[bytes]]:
    name = ""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600
        with os.fdopen(descriptor, "wb") as plain:
            if file.suffix == ".gz":
                with gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield plain
        Path(name).replace(file)
        name = ""
    except OSError as error:
        raise StoreError(f"{file} can't be written: {error.strerror or error}", next_step="Choose another file.") from error
    finally:
        if name:
            with contextlib.suppress(OSError):
                Path(name).unlink()
