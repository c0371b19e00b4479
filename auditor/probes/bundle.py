"""Joins the probe's scripts into one text for one host: parameters, readers, asked sections, core. Reads package files only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Literal

import msgspec

from auditor.model.errors import UsageError
from auditor.probes.framing import parameter_line

READERS = ("answer", "registry", "files", "texts", "run", "wmi", "logs")
"""Scripts of `reading/`, in the order in which they are joined."""

SCRIPTED_SECTIONS = (
    "programs", "drivers", "filters", "security", "dumps", "tasks", "scripts", "jobs", "services",
    "system", "network", "memory", "shares", "sessions", "updates", "events", "logons", "firewall", "roles", "replication", "defender",
)  # fmt: skip
"""Sections that have a script, in the order in which they run: registry and files first, what can hang (WMI, event logs) last."""

EXTRA_SECTIONS = ("dumpbytes", "fragmentation")
"""Sections with a script that are only asked for by name: bytes of a dump by an investigation, fragmentation with `--fragmentation`."""

_AFTER_DUMPS = SCRIPTED_SECTIONS.index("dumps") + 1
_ORDER = (*SCRIPTED_SECTIONS[:_AFTER_DUMPS], "dumpbytes", *SCRIPTED_SECTIONS[_AFTER_DUMPS:], "fragmentation")

_PARTS = {"scripts": ("names", "scripts")}
"""Sections whose script is in several files."""


CRON_TABLES = ("C:\\cygwin\\var\\cron\\tabs\\*", "C:\\cygwin64\\var\\cron\\tabs\\*", "%ProgramFiles%\\ICW\\var\\cron\\tabs\\*")
"""Where the usual ports of cron keep their tables."""


class ProbeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a host. Travels as data in the first line of the bundle, see `docs/probe.md`."""

    sections: tuple[str, ...] = SCRIPTED_SECTIONS
    """Sections to ask for; they run in the order of `SCRIPTED_SECTIONS`."""
    section_deadline_seconds: int = 60
    """A section is given up after this."""
    host_deadline_seconds: int = 150
    """The whole script ends after this."""
    security_keys: tuple[str, ...] = ()
    """Registry key globs below HKLM; `*` and `?` match within one level."""
    security_files: tuple[str, ...] = ()
    """File globs; may begin with %ProgramFiles%, %CommonProgramFiles%, %SystemRoot%, %ProgramData%, %AllUsersProfile%."""
    event_days: int = 30
    """Window of the events section, back from now."""
    event_sources: tuple[str, ...] = ()
    """Providers of the Application log whose events are all wanted."""
    event_limit: int = 2000
    """Events kept a log, newest first."""
    logon_minutes: int = 30
    """Window of logons before the last unexpected restart."""
    logon_hours: int = 24
    """Window of logons before now."""
    logon_limit: int = 500
    """Logons kept a window, newest first."""
    hash_drivers: Literal["none", "non_microsoft", "all"] = "none"
    """Which driver files get a SHA-256."""
    signature_limit: int = 100
    """Driver files whose signature is looked at, those of other makers than Microsoft first; 0 is none."""
    intrusion_logs: tuple[str, ...] = ()
    """Globs of text logs of one entry a line, such as lists of attacks: their entries are counted around the last unexpected restart."""
    around: str = ""
    """A moment, ISO 8601 in UTC, to look round in place of the last unexpected restart: logons, services, firewall logs, dumps."""
    dump_limit_bytes: int = 2_097_152
    """Bytes of one dump file that are taken at most."""
    dump_ranges: tuple[str, ...] = ()
    """Parts of the dump as `offset:size` in bytes; without any it is taken from its start."""
    job_files: tuple[str, ...] = CRON_TABLES
    """Globs of tables of cron."""
    script_limit_bytes: int = 262_144
    """Larger scripts are not read."""
    script_limit: int = 200
    """Scripts read at most."""
    task_limit: int = 5000
    """Tasks read at most."""
    answer_limit_bytes: int = 30_000_000
    """Decoded bytes of all sections together; a section that would pass it is failed."""
    echo_parameters: bool = False
    """Whether the answer repeats the parameters: for scripts that are run by hand."""


def default_sections() -> tuple[str, ...]:
    """Sections that are asked for unless someone says otherwise."""
    return SCRIPTED_SECTIONS


def build_bundle(request: ProbeRequest) -> str:
    """The script for one host. The same request gives the same text. Raises UsageError for a section without a script."""
    unknown = [name for name in request.sections if name not in _ORDER]
    if unknown or not request.sections:
        asked = ", ".join(unknown) or "nothing"
        raise UsageError(f"the probe can't ask for {asked}", next_step=f"sections are {', '.join(sorted(_ORDER))}")
    return assemble(request, {name: _script(name) for name in _ORDER if name in request.sections})


def assemble(request: ProbeRequest, scripts: Mapping[str, str]) -> str:
    """The bundle of these section scripts, which run in the order given: parameter line, readers, sections, core."""
    parts = [parameter_line({**msgspec.structs.asdict(request), "sections": list(scripts)}), "$AuditReading = {\n"]
    parts += [_text("reading", name) for name in READERS]
    parts.append("}\n$AuditSections = @{}\n")
    parts += [f"$AuditSections['{name}'] = {{\n{script}}}\n" for name, script in scripts.items()]
    parts.append(_text("core"))
    return "".join(parts)


def bundle_digest(script: str) -> str:
    """SHA-256 in hex of what follows the parameter line: equal for all bundles of the same sections and version, whatever is asked."""
    return hashlib.sha256(script.partition("\n")[2].encode("utf-8")).hexdigest()


def _script(section: str) -> str:
    return "".join(_text(section, part) for part in _PARTS.get(section, (section,)))


def _text(*place: str) -> str:
    """One script of the package without whole-line comments, blank lines and indents; no text in a script goes over several lines."""
    *folders, name = place
    text = resources.files("auditor.probes").joinpath(*folders, f"{name}.ps1").read_text(encoding="ascii")
    kept = [line.strip() for line in text.splitlines()]
    return "".join(f"{line}\n" for line in kept if line and not line.startswith("#"))
