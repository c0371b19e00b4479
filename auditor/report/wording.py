"""What every format says in the same words: order of findings, counts, how much was seen. Lays nothing out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from auditor.model.finding import Edge, Finding, HostCoverage, Report, SectionCoverage
from auditor.model.host import SECTION_NAMES
from auditor.model.rule import CONFIDENCES, SEVERITIES, Severity

_STATUS_WORDS = {
    "ok": "seen in full",
    "partial": "seen in part",
    "denied": "access denied",
    "unsupported": "not supported by this way of asking",
    "timed_out": "timed out",
    "failed": "failed",
    "not_asked": "not asked",
}


def status_words(status: str) -> str:
    """A section's or host's status in words."""
    return _STATUS_WORDS.get(status, status)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by severity, then confidence, both falling, then by rule and hosts."""
    return sorted(
        findings,
        key=lambda f: (-SEVERITIES.index(f.severity), -CONFIDENCES.index(f.confidence), f.rule, tuple(s.host for s in f.subjects), f.keys),
    )


def alike(findings: Iterable[Finding]) -> list[tuple[Finding, ...]]:
    """Findings worst first, those of one rule that differ in their single host only put together."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in worst_first(findings):
        apart = "" if len(finding.subjects) == 1 else finding.id
        groups.setdefault((finding.rule, finding.severity, finding.confidence, finding.title, apart), []).append(finding)
    return [tuple(group) for group in groups.values()]


def severity_counts(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many findings of each severity, worst first, zeroes included."""
    found = [f.severity for f in findings]
    return {severity: found.count(severity) for severity in reversed(SEVERITIES)}


def at_or_above(findings: Iterable[Finding], severity: Severity) -> list[Finding]:
    """The findings of this severity or a worse one."""
    return [f for f in findings if SEVERITIES.index(f.severity) >= SEVERITIES.index(severity)]


def hosts_of(finding: Finding) -> str:
    """The bound hosts, with their roles where the rule speaks of several."""
    if len(finding.subjects) == 1:
        return finding.subjects[0].host
    return ", ".join(f"{s.host} ({s.role})" for s in finding.subjects)


def unseen(host: HostCoverage) -> list[SectionCoverage]:
    """Sections that were asked and not seen in full."""
    return [s for s in host.sections if s.status not in ("ok", "not_asked")]


def why_in_part(host: HostCoverage) -> str:
    """Why the host was seen as it was (the way taken, an answer that broke off), without the list of sections that follows anyway."""
    return host.reason.partition("not seen as a whole: ")[0].rstrip("; ")


def seen_in_full(host: HostCoverage) -> bool:
    """Whether every section that was asked was seen to its end."""
    return host.status == "ok" and not unseen(host)


def coverage_complete(report: Report) -> bool:
    """Whether every host was seen in full; otherwise what is not reported may still be there."""
    return all(seen_in_full(host) for host in report.coverage)


def coverage_sentence(report: Report) -> str:
    """How much of the fleet was seen, in one sentence."""
    hosts = report.coverage
    full = sum(seen_in_full(h) for h in hosts)
    none = sum(h.status not in ("ok", "partial") for h in hosts)
    partly = len(hosts) - full - none
    parts = [f"{full} of {plural(len(hosts), 'host')} seen in full"]
    parts += [f"{partly} in part"] if partly else []
    parts += [f"{none} not at all"] if none else []
    return ", ".join(parts) + "."


def findings_sentence(report: Report) -> str:
    """How much is wrong, in one sentence."""
    counts = [f"{count} {severity}" for severity, count in severity_counts(report.findings).items() if count]
    wrong = f"{plural(len(report.findings), 'finding')} ({', '.join(counts)})" if counts else "No findings"
    wrong += f"; {len(report.waived)} waived" if report.waived else ""
    return f"{wrong}; {len(report.undetermined)} undetermined; {report.satisfied} checks satisfied by {plural(report.run.rules, 'rule')}."


def plural(count: int, noun: str) -> str:
    """`1 host`, `2 hosts`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def section_order(report: Report) -> list[str]:
    """Names of the sections that were asked of any host, in the fixed order; names not known here come last."""
    present = {s.name for h in report.coverage for s in h.sections if s.status != "not_asked"}
    return [n for n in SECTION_NAMES if n in present] + sorted(present - set(SECTION_NAMES))


def node_words(node: str) -> str:
    """A graph node as people read it: `host:NAME`, `name:TEXT` (unresolved), `group:KIND:NAME`."""
    kind, _, rest = node.partition(":")
    if kind == "name":
        return f"{rest} (unresolved)"
    if kind == "group":
        group, _, name = rest.partition(":")
        return f"{name} ({group} group)" if name else rest
    return rest if kind == "host" else node


def edge_words(edge: Edge) -> str:
    """What the tie does, with the marks that matter: what it carries, when, whether it deletes."""
    marks = [*([edge.detail] if edge.detail else []), *edge_marks(edge)]
    return f"{edge.kind} ({'; '.join(marks)})" if marks else edge.kind


def edge_marks(edge: Edge) -> list[str]:
    """What of a tie matters for what may go wrong."""
    marks = ["deletes or moves files"] if edge.destructive else []
    marks += ["can write executables"] if edge.writes_executables else []
    marks += [f"starts at {hours_words(edge.hours)}"] if edge.hours else []
    return marks


def hours_words(hours: Sequence[int]) -> str:
    """Hours of the day, runs of three and more as a range: `01h, 07h to 20h`."""
    runs: list[list[int]] = []
    for hour in sorted(set(hours)):
        if runs and hour == runs[-1][-1] + 1:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    parts = [[f"{run[0]:02d}h to {run[-1]:02d}h"] if len(run) > 2 else [f"{hour:02d}h" for hour in run] for run in runs]
    return ", ".join(text for part in parts for text in part)


_IN_NAMES = ("/", "\\", ".", "_", ":", "`", "=")


def sentence(text: str) -> str:
    """A reason or next step with a capital at its start, unless it begins with a name whose spelling matters: a path, a file, code."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    name = first.rstrip(".,:;")
    return text if any(mark in name for mark in _IN_NAMES) else text[:1].upper() + text[1:]


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not known, and the findings that wait for it."""

    missing: str
    """`host: section: reason`."""
    findings: tuple[Finding, ...]


def waits(report: Report) -> list[Wait]:
    """What would have to be known, each with the findings that it would help to decide; those that hold up most come first."""
    waiting: dict[str, list[Finding]] = {}
    for finding in worst_first(report.undetermined):
        for missing in dict.fromkeys(finding.missing or ("not stated",)):
            waiting.setdefault(missing, []).append(finding)
    order = sorted(waiting.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Wait(missing=missing, findings=tuple(found)) for missing, found in order]


def rule_names(findings: Iterable[Finding], limit: int = 3) -> str:
    """The rules behind some findings, the first `limit` by name and the rest counted."""
    rules = list(dict.fromkeys(f.rule for f in findings))
    rest = len(rules) - limit
    return ", ".join(rules[:limit]) + (f" and {rest} more" if rest > 0 else "")
