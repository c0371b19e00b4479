"""Why a host ran no probe, from what it printed instead: language-independent marks first, its own words as a last resort. Pure."""

from __future__ import annotations

import re

from auditor.collect.budget import SUSPICIOUS
from auditor.model.errors import CollectError

_POWERSHELLS_OWN = ("CLIXML", "FullyQualifiedErrorId")
"""What PowerShell writes once it runs: complaints without these are cmd.exe's, that it is not there or must not start."""
_ERROR_TEXT = re.compile(r'<S S="Error">(.*?)</S>', re.DOTALL)
_ESCAPED = re.compile(r"_x([0-9A-F]{4})_")
_MARKS: tuple[tuple[str, str, str], ...] = (
    (
        "ScriptContainedMaliciousContent",
        "the host's malware protection (AMSI) blocked the probe",
        "allow the probe in the security product (`auditor probe` prints it for review), or ask over WMI",
    ),
    (
        "ScriptBlockedByPolicy",
        "application control on the host blocked the probe",
        "allow the probe in the policy, or ask over WMI",
    ),
    (
        "MethodInvocationNotSupportedInConstrainedLanguage",
        "the host runs PowerShell in constrained language only",
        "exempt the auditor's account from the policy, or ask over WMI",
    ),
)
"""Ids of PowerShell's errors, the same in every language."""
_BLOCKED = re.compile(r"group policy|blocked by|Gruppenrichtlinie|AppLocker", re.IGNORECASE)


def no_probe_reason(host: str, output: bytes, complaints: bytes, exit_code: int | None) -> CollectError:
    """The error for a command that ended without a word of the probe."""
    raw = complaints.decode("utf-8", "replace")
    text = plain_text(raw)
    for mark, reason, step in _MARKS:
        if mark in raw:
            return CollectError(host, reason, status="unsupported", next_step=step)
    if _BLOCKED.search(text):
        reason = f"a policy on the host keeps PowerShell from starting: {text[:200]}"
        return CollectError(host, reason, status="unsupported", next_step="exempt the auditor's account from the policy, or ask over WMI")
    if text and not output.strip() and not any(mark in raw for mark in _POWERSHELLS_OWN):
        reason = f"the host has no PowerShell that starts ({text[:200]})"
        return CollectError(host, reason, status="unsupported", next_step="install it (2.0 or later), let it start, or ask over WMI")
    if not text and not output.strip():
        ended = f" (exit code {exit_code})" if exit_code is not None else ""
        return CollectError(
            host, f"the host ran the command and printed nothing{ended}", next_step="look at the host's PowerShell event log"
        )
    if not text:
        return CollectError(host, "the host printed something that is not the probe's answer", next_step=SUSPICIOUS)
    return CollectError(host, f"the host could not run the probe: {text[:200]}", next_step="look at the host's PowerShell event log")


def plain_text(text: str) -> str:
    """PowerShell's error stream (CLIXML or plain) as one line without control characters."""
    found = _ERROR_TEXT.findall(text[:100_000])
    joined = "".join(found) if found else text[:2000]
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        joined = joined.replace(entity, character)
    joined = _ESCAPED.sub(lambda m: chr(int(m.group(1), 16)), joined)
    return " ".join("".join(c if c.isprintable() else " " for c in joined).split())
