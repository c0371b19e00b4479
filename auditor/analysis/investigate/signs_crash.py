"""Signs in the crash itself: where it fell, and what its stop code is known for. Pure; a name that a text claims proves nothing."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.analysis.crash.evidence import DriverMap
from auditor.analysis.investigate.case import Case
from auditor.model.crash import CauseClass, Crash, hex_text
from auditor.model.finding import Evidence
from auditor.model.hypothesis import Sign

_NULL_PAGES = 0x10000
_CLASSES: tuple[tuple[str, tuple[CauseClass, ...], str], ...] = (
    ("crash_says_hardware", ("hardware",), "hardware"),
    ("crash_says_memory", ("memory",), "damaged memory"),
    ("crash_says_filesystem", ("filesystem",), "a damaged volume or a failed read from disk"),
    ("crash_says_program", ("user_mode",), "a program, not the system"),
)
_CAUSES = (
    ("code_known_for_memory", ("memory_hardware", "processor", "hardware", "overheating"), "defective memory or hardware"),
    ("code_known_for_disk", ("disk", "file_system_damage", "storage_driver"), "a disk or a damaged volume"),
    ("code_known_for_security_software", ("security_software", "file_system_filter"), "security products and file-system filters"),
)


def crash_signs(case: Case) -> Iterator[Sign]:
    """Everything that the crash says by itself."""
    yield _read(case)
    yield _stop(case)
    yield from _fault(case)
    yield from _classes(case)
    yield from _code(case)


def _read(case: Case) -> Sign:
    crash = case.crash
    if crash is None:
        return Sign(id="crash_read", state=None, text=case.seen.crash_missing or "no dump and no debugger's text was there to be read")
    state = f"{crash.source.kind.replace('_', ' ')} {crash.source.file}"
    return Sign(id="crash_read", state=True, text=f"the crash was read from a {state}", grade="measured", evidence=_at(case))


def _at(case: Case, field: str = "", value: str = "") -> tuple[Evidence, ...]:
    """Where the crash stands, with one of its values."""
    at = case.seen.crash_at
    if at is None:
        return ()
    return (Evidence(host=at.host, section=at.section, record=at.record, field=field or at.field, value=value or at.value),)


def _stop(case: Case) -> Sign:
    if case.code is None:
        return Sign(id="stop_code_known", state=None, text="neither a dump nor a record of the restart tells the stop code")
    fact = case.known.crashes.bugchecks.get(case.code)
    name = f" {fact.name}" if fact else ""
    text = f"stop code {hex_text(case.code)}{name}"
    if case.crash is not None and case.crash.bugcheck.base_code:
        return Sign(
            id="stop_code_known", state=True, text=text, grade="measured", evidence=_at(case, "bugcheck.base_code", hex_text(case.code))
        )
    return Sign(id="stop_code_known", state=True, text=text, evidence=case.seen.moment.evidence if case.seen.moment else ())


def _fault(case: Case) -> Iterator[Sign]:
    crash, suspect = case.crash, case.suspect
    if crash is None:
        yield Sign(id="fault_in_driver", state=None, text="where it fell is not known without a dump")
        yield Sign(id="driver_suspected", state=None, text="who is suspected is not known without a dump")
        yield Sign(id="null_pointer", state=None, text="what the instruction touched is not known without a dump")
        return
    own = suspect is not None and case.known.crashes.kind(suspect.image) is None
    sure = suspect is not None and own and (suspect.confidence == "confirmed" or _inside(case, crash))
    place = f"{case.image}+{crash.offset}" if crash.offset and case.is_image(crash.image or crash.module or "") else case.image
    because = "; ".join(suspect.reasons) if suspect is not None else "nobody is suspected"
    where = f"it fell in {place}: {because}" if sure else f"it was not shown to fall in a driver's own code: {because}"
    yield Sign(id="fault_in_driver", state=sure, text=where, grade="measured", evidence=_at(case, "suspects", place), subject=case.image)
    likely = suspect is not None and own and suspect.confidence != "suspected"
    text = f"{case.image} is suspected ({suspect.confidence})" if suspect is not None else "no driver is suspected"
    yield Sign(
        id="driver_suspected", state=likely, text=text, grade="measured", evidence=_at(case, "suspects", case.image), subject=case.image
    )
    yield _null(case, crash, place)


def _inside(case: Case, crash: Crash) -> bool:
    """Whether the address of the exception lies in the suspect's image, by the dump's own list of drivers, and nothing doubts it."""
    suspect, exception = case.suspect, crash.exception
    if suspect is None or suspect.confidence == "suspected" or exception is None or exception.address is None:
        return False
    found = DriverMap(crash.drivers or ()).at(int(exception.address, 16))
    return found is not None and case.is_image(found[0].name)


def _null(case: Case, crash: Crash, place: str) -> Sign:
    exception = crash.exception
    if exception is None or exception.target is None:
        return Sign(id="null_pointer", state=None, text="what the instruction touched is not stated")
    touched = int(exception.target, 16)
    if touched >= _NULL_PAGES:
        text = f"the instruction touched {exception.target}, which is no null pointer"
        return Sign(id="null_pointer", state=False, text=text, grade="measured", evidence=_at(case, "exception.target", exception.target))
    what = {"read": "read", "write": "write", "execute": "call"}.get(exception.access or "", "access")
    text = f"{place}: a {what} through a null pointer (address {exception.target})"
    return Sign(id="null_pointer", state=True, text=text, grade="measured", evidence=_at(case, "exception.target", exception.target))


def _classes(case: Case) -> Iterator[Sign]:
    crash = case.crash
    for name, classes, what in _CLASSES:
        if crash is None or crash.cause_class == "unknown":
            why = "the crash was not read" if crash is None else "the crash does not tell what kind it is"
            yield Sign(id=name, state=None, text=why)
            continue
        holds = crash.cause_class in classes
        because = "; ".join(crash.class_reasons)
        text = f"the crash itself points at {what}: {because}" if holds else f"the crash does not point at {what}: {because}"
        yield Sign(id=name, state=holds, text=text, grade="measured", evidence=_at(case, "cause_class", crash.cause_class))


def _code(case: Case) -> Iterator[Sign]:
    code = case.code
    fact = case.known.crashes.bugchecks.get(code) if code is not None else None
    for name, causes, what in _CAUSES:
        if fact is None:
            yield Sign(id=name, state=None, text="the stop code is not known" if code is None else f"{hex_text(code)} is not documented")
            continue
        holds = bool(set(causes) & set(fact.causes))
        words = (
            f"{hex_text(fact.code)} is {'' if holds else 'not '}among the stop codes that {what} cause{'s' if ' and ' not in what else ''}"
        )
        yield Sign(id=name, state=holds, text=words, grade="named", evidence=_at(case, "bugcheck.base_code", hex_text(fact.code)))
    families = [item for item in case.known.crashes.indicators if code is not None and code in item.codes]
    named = ", ".join(item.family for item in families)
    if code is None:
        yield Sign(id="code_known_for_malware", state=None, text="the stop code is not known")
    elif families:
        text = f"{hex_text(code)} is a stop code that {named} is known for"
        yield Sign(
            id="code_known_for_malware", state=True, text=text, grade="named", evidence=_at(case, "bugcheck.base_code", hex_text(code))
        )
    else:
        yield Sign(id="code_known_for_malware", state=False, text=f"no malware family is known for {hex_text(code)}", grade="named")
