"""What may be behind a crash: the moment, what was observed, hypotheses with what speaks for and against them, and the document.

Rules of this file:
1. A *sign* is one observation, looked for on every case: it holds, it does not, or it is not known. Which sign speaks for or against
   which hypothesis, and how much, is data (`compat_matrix/hypotheses/`); the code only looks.
2. Every line of a hypothesis carries the records it rests on (host, section, record). A sign that is not known is `missing`, never
   evidence against.
3. The proximate cause (what fell) and the trigger (what pushed) are two questions, each with its own ranking and confidence.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from auditor.model.change import Difference
from auditor.model.crash import Crash
from auditor.model.finding import Evidence, Finding, HostCoverage
from auditor.model.grade import Confidence

INVESTIGATION_SCHEMA_VERSION = 1
WAVES_SCHEMA_VERSION = 1

Question = Literal["proximate", "trigger"]
QUESTIONS: tuple[Question, ...] = get_args(Question)
Grade = Literal["measured", "recorded", "named"]
"""How a sign is known: `measured` from addresses, bytes and hashes; `recorded` in a log or a registry; `named`: a name fits, no more."""
MomentSource = Literal["given", "dump", "event_text", "event_time", "boot_time"]
"""A person said so; header of a dump; the text of event 6008; when the restart was recorded, which is later; when Windows started."""
Lane = Literal["crash", "logon", "job", "security", "service", "disk", "network", "change", "other"]
"""Row of the timeline's picture."""
LANES: tuple[Lane, ...] = get_args(Lane)


SIGNS: tuple[str, ...] = tuple(  # a list of one name a line would be sixty lines
    """
    crash_read stop_code_known fault_in_driver driver_suspected null_pointer crash_says_hardware crash_says_memory
    crash_says_filesystem crash_says_program code_known_for_memory code_known_for_disk code_known_for_security_software
    code_known_for_malware driver_on_host driver_is_dumped_one driver_differs_from_dump driver_same_as_peers driver_differs_from_peers
    driver_written_lately driver_signature_bad driver_known_bad first_restart same_stop_before other_stop_before hardware_events
    disk_errors disk_errors_on_page_file paging_errors volume_damage memory_exhausted page_file_volume_dirty disk_check_clean
    page_file_fragmented services_failed service_installed program_installed near_full_hour task_due_here copy_job_due
    copy_job_writes_programs last_logon_from_tied logon_shortly_before security_update_here security_update_on_tied
    service_changed_state served_by_fleet rule_conflict_fleet rule_conflict_fleet_about_driver rule_conflict_host
    rule_conflict_host_about_driver rule_driver_bug rule_driver_bug_about_driver rule_copies rule_copies_about_driver
    malware_indicator malware_indicator_for_code attack_entries attack_several dropped_burst software_changed protection_changed
    suspect_changed
    """.split()  # noqa: SIM905
)
"""Every sign that is looked for, in the order of the looking; weights name no other."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When it happened."""

    time: str
    """ISO 8601 in UTC, on the collector's clock."""
    local: str | None = None
    """The host's local time, without offset; None where its offset is not known."""
    source: MomentSource
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()
    """What was corrected or assumed: skew, offset, an ambiguous date."""


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One observation."""

    id: str
    state: bool | None
    """Holds, does not hold, or is not known."""
    text: str
    """What was seen, or why it is not known, in one sentence."""
    grade: Grade = "recorded"
    evidence: tuple[Evidence, ...] = ()
    finding: str | None = None
    """Id of the finding that it comes from."""
    cap: Confidence | None = None
    """What rests on this sign is never surer than this, for example the rule's own confidence."""
    subject: str = ""
    """What it is about: an image, a host."""


class SignWeight(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a sign says for or against a hypothesis."""

    sign: str
    weight: int
    """Points, 1 to 100."""
    why: str
    """Why it says so; shown by `--why`."""
    when: bool = True
    """Counts where the sign has this state."""
    needs: tuple[str, ...] = ()
    """Counts only where these signs hold too."""


class HypothesisRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hypothesis as data."""

    id: str
    title: str
    question: tuple[Question, ...]
    base: int = 0
    """Points before anything is known."""
    speaks_for: tuple[SignWeight, ...] = msgspec.field(name="for", default=())
    against: tuple[SignWeight, ...] = ()
    cap: Confidence = "confirmed"
    """Never surer than this."""
    leads_with: tuple[str, ...] = ()
    """Signs of which at least one must hold, else the hypothesis has nothing of its own and stays below `unknown`."""
    settle: tuple[str, ...] = ()
    """What would decide it."""
    steps: tuple[str, ...] = ()
    """What to do next where it leads."""


class EventKind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events that mean one thing."""

    source: str
    ids: tuple[int, ...] = ()
    """Empty: all."""
    log: Literal["System", "Application"] = "Application"
    around: bool = False
    """Read only round the last unexpected restart: too many for the whole window."""


class HypothesisKnowledge(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in `compat_matrix/hypotheses`."""

    hypotheses: tuple[HypothesisRule, ...]
    confirmed_from: int = 100
    probable_from: int = 60
    minutes: dict[str, int] = {}
    """Windows around the moment by name."""
    counts: dict[str, int] = {}
    """From how many on something counts, by name."""
    events: dict[str, tuple[EventKind, ...]] = {}
    """Kinds of events by name."""
    program_paths: tuple[str, ...] = ()
    """Globs of places where programs lie."""
    clean_checks: tuple[str, ...] = ()
    """Words, in lower case, with which a disk check says that all is well."""
    log_files: tuple[str, ...] = ()
    """Firewall and intrusion logs to look into, as the probe takes files."""
    digest: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One statement for or against a hypothesis, or one that is missing."""

    sign: str
    text: str
    points: int = 0
    """What it adds, negative for what speaks against; for a missing one what it could add."""
    why: str = ""
    grade: Grade = "recorded"
    evidence: tuple[Evidence, ...] = ()


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """One possible answer to one of the two questions."""

    id: str
    title: str
    subject: str = ""
    """What it is about: an image, hosts."""
    score: int
    confidence: Confidence | None = None
    """None where nothing of its own speaks for it."""
    limits: tuple[str, ...] = ()
    """Why it is not surer."""
    speaks_for: tuple[Line, ...] = msgspec.field(name="for", default=())
    against: tuple[Line, ...] = ()
    missing: tuple[Line, ...] = ()
    settle: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    """Ids of findings that it rests on."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline."""

    time: str
    """ISO 8601 in UTC, the host's skew taken out."""
    host: str
    lane: Lane
    text: str
    evidence: Evidence | None = None
    planned: bool = False
    """A start that was due by a schedule, not one that was recorded."""


class Tie(msgspec.Struct, frozen=True, kw_only=True):
    """A host that is looked at beside the one that crashed, and why."""

    host: str
    reasons: tuple[str, ...]
    seen: bool
    """Whether there is a snapshot of it."""
    note: str = ""


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """What the matching rule offers."""

    finding: str
    rule: str
    title: str
    resolution: str
    remedy: str | None = None
    """Playbook id."""
    confidence: Confidence


class Investigation(msgspec.Struct, frozen=True, kw_only=True):
    """What `auditor investigate` prints."""

    schema_version: int = INVESTIGATION_SCHEMA_VERSION
    host: str
    run: str | None = None
    """The run whose collection this rests on."""
    auditor: str
    matrix_digest: str
    hypotheses_digest: str
    moment: Moment | None
    crash: Crash | None = None
    crash_from: str = ""
    """Where the crash was read from."""
    proximate: tuple[Hypothesis, ...]
    """What fell: the most likely first."""
    trigger: tuple[Hypothesis, ...]
    """What pushed: the most likely first."""
    timeline: tuple[Entry, ...] = ()
    ties: tuple[Tie, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Rules violated with this host as a subject."""
    undecided: tuple[Finding, ...] = ()
    changes: tuple[Difference, ...] = ()
    """Since the snapshot before."""
    changes_since: str | None = None
    signs: tuple[Sign, ...] = ()
    """Everything that was looked for, used by a hypothesis or not."""
    steps: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    coverage: tuple[HostCoverage, ...] = ()
    notes: tuple[str, ...] = ()


class WaveHost(msgspec.Struct, frozen=True, kw_only=True):
    """One host of a wave."""

    host: str
    times: tuple[str, ...] = ()
    """Its crashes, ISO 8601 in UTC; empty for a host that runs the build and has not crashed."""
    evidence: tuple[Evidence, ...] = ()


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """Crashes of one bucket and driver build inside a time window: one incident."""

    key: str
    """Stop code, image and build."""
    code: str | None = None
    image: str | None = None
    build: str | None = None
    """Link time stamp or file version of the image."""
    first_seen: str
    last_seen: str
    hosts: tuple[WaveHost, ...]
    """Those that crashed, by their first crash."""
    exposed: tuple[WaveHost, ...] = ()
    """Those that run the same build and have not crashed yet."""
    unknown: tuple[str, ...] = ()
    """Hosts of which it is not known whether they run it."""
    confidence: Confidence = "suspected"
    reasons: tuple[str, ...] = ()


class WavesDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `auditor crash --fleet` prints."""

    schema_version: int = WAVES_SCHEMA_VERSION
    window_hours: int
    waves: tuple[Wave, ...] = ()
    hosts: int = 0
    """How many hosts were looked at."""
    notes: tuple[str, ...] = ()
