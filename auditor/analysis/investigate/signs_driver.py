"""Signs in the suspected driver's file: is it the one of the dump, of its peers, of the snapshot before; who signed it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from auditor.analysis.investigate.case import Case
from auditor.analysis.investigate.zone import parse_utc
from auditor.model.crash import hex_text
from auditor.model.finding import Evidence
from auditor.model.host import DriverRecord
from auditor.model.hypothesis import Sign
from auditor.model.times import stamp

_COMPARED = ("sha256", "link_timestamp", "size_bytes", "checksum", "signer")
_OLD = timedelta(days=180)
_LAST_STAMP = 0xFFFFFFFF
_NAMES = (
    "driver_on_host", "driver_is_dumped_one", "driver_differs_from_dump", "driver_same_as_peers", "driver_differs_from_peers",
    "driver_written_lately", "driver_signature_bad", "driver_known_bad",
)  # fmt: skip


def driver_signs(case: Case) -> Iterator[Sign]:
    """What the file of the suspected driver says."""
    if not case.image:
        yield from (Sign(id=name, state=None, text="no driver is suspected, so no file was compared") for name in _NAMES)
        return
    record = next((r for r in case.host.sections.drivers.records if case.is_image(_file(r)) or case.is_image(r.name)), None)
    if record is None:
        unseen = case.host.unseen("drivers")
        state = None if unseen else False
        yield Sign(
            id="driver_on_host", state=state, text=unseen or f"{case.image} is not among the drivers of {case.name}", subject=case.image
        )
        yield from (Sign(id=name, state=None, text=f"{case.image} was not seen on {case.name}") for name in _NAMES[1:])
        return
    yield Sign(
        id="driver_on_host",
        state=True,
        text=f"{case.name} has {case.image}, version {record.file_version or 'not known'}, {record.state or 'state not known'}",
        evidence=_at(case, record, "state", record.state or ""),
        subject=case.image,
    )
    yield from _against_dump(case, record)
    yield from _against_peers(case, record)
    yield _lately(case, record)
    yield _signature(case, record)
    yield _known_bad(case, record)


def _file(record: DriverRecord) -> str:
    return (record.path or record.image_path or record.name).replace("/", "\\").rpartition("\\")[2]


def _at(case: Case, record: DriverRecord, field: str, value: object) -> tuple[Evidence, ...]:
    return (case.host.evidence("drivers", record.name, field, value),)


def _against_dump(case: Case, record: DriverRecord) -> Iterator[Sign]:
    same, other = "driver_is_dumped_one", "driver_differs_from_dump"
    dumped, on_disk = _dumped_stamp(case), record.link_timestamp
    if dumped is None or on_disk is None:
        why = "the dump does not tell the image's link time" if dumped is None else f"the link time of {case.image} on disk is not known"
        yield Sign(id=same, state=None, text=why)
        yield Sign(id=other, state=None, text=why)
        return
    evidence = _at(case, record, "link_timestamp", hex_text(on_disk))
    if dumped == on_disk:
        text = f"the file on disk carries the link time of the image that fell, {hex_text(dumped)}"
    else:
        text = f"the file on disk carries the link time {hex_text(on_disk)}, the image that fell {hex_text(dumped)}: they are two builds"
    yield Sign(id=same, state=dumped == on_disk, text=text, grade="measured", evidence=evidence, subject=case.image)
    yield Sign(id=other, state=dumped != on_disk, text=text, grade="measured", evidence=evidence, subject=case.image)


def _dumped_stamp(case: Case) -> int | None:
    crash = case.crash
    if crash is None:
        return None
    if crash.image_timestamp and case.is_image(crash.image or crash.module or ""):
        return int(crash.image_timestamp, 16) or None
    found = next((d.timestamp for d in crash.drivers or () if case.is_image(d.name)), None)
    return (int(found, 16) or None) if found else None


def _against_peers(case: Case, record: DriverRecord) -> Iterator[Sign]:
    same, other = "driver_same_as_peers", "driver_differs_from_peers"
    peers = [
        (host, theirs)
        for host, number in case.peers_with(case.image)
        if (theirs := host.sections.drivers.records[number]).file_version == record.file_version and theirs.machine == record.machine
    ]
    if not peers:
        why = f"no other host that was seen has {case.image} of the same version: nothing to compare it with"
        yield Sign(id=same, state=None, text=why)
        yield Sign(id=other, state=None, text=why)
        return
    differing: list[Evidence] = []
    names: list[str] = []
    for host, theirs in peers:
        fields = [f for f in _COMPARED if None not in (getattr(record, f), getattr(theirs, f)) and getattr(record, f) != getattr(theirs, f)]
        if fields:
            names.append(host.name)
            differing += [host.evidence("drivers", theirs.name, field, getattr(theirs, field)) for field in fields]
            differing += _at(case, record, fields[0], getattr(record, fields[0]))
    known = [f for f in _COMPARED if getattr(record, f) is not None]
    if names:
        text = f"{case.image} of the same version differs from that of {', '.join(names)} ({len(names)} of {len(peers)} that have it)"
        evidence = tuple(dict.fromkeys(differing))
    else:
        text = f"{case.image} is the same file as on {', '.join(host.name for host, _ in peers)}, by {', '.join(known) or 'version'}"
        field = known[0] if known else "file_version"
        theirs_too = (host.evidence("drivers", theirs.name, field, getattr(theirs, field)) for host, theirs in peers[:3])
        evidence = (*_at(case, record, field, getattr(record, field)), *theirs_too)
    yield Sign(id=same, state=not names, text=text, grade="measured", evidence=evidence, subject=case.image)
    yield Sign(id=other, state=bool(names), text=text, grade="measured", evidence=evidence, subject=case.image)


def _lately(case: Case, record: DriverRecord) -> Sign:
    name, written = "driver_written_lately", parse_utc(record.modified_at)
    if written is None or case.moment is None:
        return Sign(id=name, state=None, text=f"when {case.image} was written is not known")
    stamped = record.link_timestamp
    built = datetime.fromtimestamp(stamped, UTC) if stamped and 0 < stamped <= _LAST_STAMP else None
    window = case.minutes("file_written")
    lately = case.moment - window <= written <= case.moment + timedelta(days=1)
    old = built is not None and built < written - _OLD
    text = f"{case.image} was last written {stamp(written)}"
    if built is not None:
        text += f", built {stamp(built)}"
    evidence = _at(case, record, "modified_at", record.modified_at)
    return Sign(id=name, state=lately and old, text=text, grade="measured", evidence=evidence, subject=case.image)


def _signature(case: Case, record: DriverRecord) -> Sign:
    name = "driver_signature_bad"
    if record.signature in (None, "unknown"):
        return Sign(id=name, state=None, text=f"whether {case.image} is signed can't be seen on this Windows from outside")
    bad = record.signature in ("invalid", "unsigned")
    signer = f" by {record.signer}" if record.signer else ""
    text = f"the signature of {case.image}{signer} is {record.signature}"
    return Sign(
        id=name, state=bad, text=text, grade="measured", evidence=_at(case, record, "signature", record.signature), subject=case.image
    )


def _known_bad(case: Case, record: DriverRecord) -> Sign:
    name, tables = "driver_known_bad", case.known.matrix.tables
    if not tables:
        return Sign(id=name, state=None, text="the matrix holds no table of known vulnerable drivers")
    if record.sha256 is None:
        return Sign(id=name, state=None, text=f"{case.image} was not hashed: collect with --hash-drivers")
    hits = sorted(table for table, hashes in tables.items() if record.sha256 in hashes)
    text = (
        f"the hash of {case.image} stands in {', '.join(hits)}" if hits else f"the hash of {case.image} is in no table of known bad drivers"
    )
    return Sign(
        id=name, state=bool(hits), text=text, grade="measured", evidence=_at(case, record, "sha256", record.sha256), subject=case.image
    )
