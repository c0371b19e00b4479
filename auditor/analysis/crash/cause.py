"""Which class of cause a crash belongs to, and why. Says `unknown` rather than guess.

Order: a program's own crash; the processor's or a disk's word for it; a single flipped bit; a damaged file system; a driver with enough
against it; damaged memory; unknown.
"""

from __future__ import annotations

from auditor.analysis.crash.blame import Ranking, rank
from auditor.analysis.crash.evidence import Evidence
from auditor.model.crash import CauseClass, Suspect, hex_text
from auditor.model.crash_knowledge import CrashKnowledge

_DRIVER_FROM = 20
_IN_PAGE_ERROR = 0xC0000006
_MACHINE_CHECK = 0x12
_IRQL_CODES = (0xA, 0xD1)
"""Memory touched at too high a level: where that hits a file system's code, the volume is not what is damaged."""
_Class = tuple[CauseClass, str]


def judge(evidence: Evidence, knowledge: CrashKnowledge) -> tuple[tuple[Suspect, ...], CauseClass, tuple[str, ...], tuple[str, ...]]:
    """Suspects, cause class, its reasons, and notes on what was not believed."""
    ranking = rank(evidence, knowledge)
    if evidence.corruption == "loader":
        ranking.notes.append("the differences in code that the text calls memory corruption are those that Windows' loader writes itself")
    found = _class(evidence, ranking)
    doubted = found is not None and found[0] in ("hardware", "memory")
    reasons = (found[1],) if found else ("nothing here tells the cause",)
    return ranking.suspects(doubted=doubted), found[0] if found else "unknown", reasons, tuple(ranking.notes)


def _class(evidence: Evidence, ranking: Ranking) -> _Class | None:
    if evidence.user_mode:
        return "user_mode", "a program of user mode crashed, not Windows"
    return (
        _hardware(evidence, ranking)
        or _in_page(evidence, ranking)
        or _by_code(evidence, ranking, "filesystem")
        or _by_driver(evidence, ranking)
        or _memory(evidence, ranking)
    )


def _hardware(evidence: Evidence, ranking: Ranking) -> _Class | None:
    if evidence.corruption == "one_bit":
        return "hardware", "code in memory differs from its file by a single bit: memory, processor or bus, not a program"
    bit = _flipped_bit(evidence, ranking.knowledge)
    if bit is not None:
        return "hardware", f"a page-table entry that should be zero has the single bit {hex_text(bit)} set: memory, processor or bus"
    if evidence.code == 0x7F and evidence.parameters[0] == _MACHINE_CHECK:
        return "hardware", "the processor's machine-check exception"
    named = evidence.claimed_image or evidence.claimed_module
    if named and ranking.kind(named) == "hardware":
        return "hardware", f"the debugger names {named}, its word for a hardware fault"
    return _by_code(evidence, ranking, "hardware")


def _flipped_bit(evidence: Evidence, knowledge: CrashKnowledge) -> int | None:
    """The one bit that is set in a page-table entry which should be empty; None where there is no such entry or more than one bit."""
    entry = knowledge.parameter("pte", evidence.code, evidence.parameters)
    return entry if entry is not None and entry.bit_count() == 1 else None


def _in_page(evidence: Evidence, ranking: Ranking) -> _Class | None:
    """A page that could not be read from disk: its status says why."""
    status = ranking.knowledge.parameter("status", evidence.code, evidence.parameters)
    if status is None and evidence.exception_code == _IN_PAGE_ERROR:
        status = _IN_PAGE_ERROR
    known = ranking.knowledge.in_page.get(status & 0xFFFFFFFF) if status is not None else None
    return (known.cause_class, f"a page could not be read: {known.means}") if known else None


def _by_code(evidence: Evidence, ranking: Ranking, wanted: CauseClass) -> _Class | None:
    fact = ranking.knowledge.bugchecks.get(evidence.code or -1)
    if fact is None or fact.cause_class != wanted:
        return None
    return wanted, f"the stop code {fact.name} by itself speaks of {'the file system' if wanted == 'filesystem' else wanted}"


def _by_driver(evidence: Evidence, ranking: Ranking) -> _Class | None:
    fact = ranking.knowledge.bugchecks.get(evidence.code or -1)
    if fact is not None and fact.innocent_stack and not evidence.waiting_driver and evidence.accused is None:
        return None
    foreign = ranking.best(windows=False)
    if foreign is not None and foreign[1] >= _DRIVER_FROM:
        return "driver", f"what speaks against {foreign[0]} outweighs the rest"
    own = ranking.best(windows=True)
    if own is None or own[1] < _DRIVER_FROM:
        return None
    if ranking.kind(own[0]) == "filesystem" and evidence.code in _IRQL_CODES:
        return None
    if ranking.kind(own[0]) == "filesystem":
        return "filesystem", f"the fault lies in {own[0]}, a file system, and nothing foreign is on the stack"
    return "driver", f"what speaks against {own[0]}, a driver that ships with Windows, outweighs the rest"


def _memory(evidence: Evidence, ranking: Ranking) -> _Class | None:
    if evidence.corruption in ("bytes", "claimed"):
        return "memory", "code in memory differs from its file, by more than one bit"
    named = evidence.claimed_image or evidence.claimed_module
    if named and ranking.kind(named) == "memory" and evidence.corruption != "loader":
        return "memory", f"the debugger names {named}, its word for damaged memory"
    return _by_code(evidence, ranking, "memory")
