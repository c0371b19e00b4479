"""What a request asks for by name, as the snapshot keeps it. Pure."""

from __future__ import annotations

from auditor.model.host import Question
from auditor.probes.bundle import ProbeRequest
from auditor.probes.wmi.logs import APPLICATION, SYSTEM


def question_of(request: ProbeRequest) -> Question:
    """Keys, files and events that are looked for; the providers of the probe's own list are the same over both ways to ask."""
    sources = sorted(request.event_sources, key=str.casefold)
    events = [*(f"System/{item}" for item in SYSTEM), *(f"Application/{item}" for item in APPLICATION)]
    events += [f"Application/{source}=*" for source in sources]
    return Question(
        security_keys=tuple(sorted(request.security_keys, key=str.casefold)),
        security_files=tuple(sorted(request.security_files, key=str.casefold)),
        events=tuple(events),
        around=request.around,
    )
