"""How the time of one host is shared out: closing its shell, the probe's own end, one section. Pure.

Owns these shares alone; `auditor.collect.budget` keeps the clock, the core of the probe keeps the deadlines on the host.
"""

from __future__ import annotations

import msgspec

from auditor.probes.bundle import ProbeRequest

_CLOSE_SECONDS = 10.0
_CLOSE_SHARE = 6
_MARGIN_SHARE = 0.2
_MARGIN_SECONDS = 3.0
"""At least so long the probe ends before its host is given up: PowerShell starts, and the last block travels, in that time."""
_SECTION_SHARE = 3
"""One question that hangs uses up a third of the time at most, so that the sections after it are still asked."""


def close_seconds(deadline_seconds: float) -> float:
    """What is kept back of a host's time for closing its shell."""
    return min(_CLOSE_SECONDS, deadline_seconds / _CLOSE_SHARE)


def paced(request: ProbeRequest, seconds_left: float) -> ProbeRequest:
    """The request with deadlines that fit into the seconds that are left until nobody listens any more; never longer ones."""
    margin = max(_MARGIN_SECONDS, seconds_left * _MARGIN_SHARE)
    whole = min(request.host_deadline_seconds, max(1, int(seconds_left - margin)))
    each = max(1, whole // max(1, min(_SECTION_SHARE, len(request.sections))))
    return msgspec.structs.replace(
        request, host_deadline_seconds=whole, section_deadline_seconds=min(request.section_deadline_seconds, each)
    )
