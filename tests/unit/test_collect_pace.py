"""How the time of a host is shared out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditor.collect.pace import close_seconds, paced
from auditor.probes.bundle import ProbeRequest


@given(st.floats(5, 86_400), st.floats(0, 1))
def test_the_probe_ends_before_nobody_listens_whenever_it_is_sent(deadline: float, used: float) -> None:
    left = (deadline - close_seconds(deadline)) * (1 - used)
    request = paced(ProbeRequest(host_deadline_seconds=100_000, section_deadline_seconds=100_000), left)
    assert request.section_deadline_seconds <= request.host_deadline_seconds
    assert request.host_deadline_seconds <= max(1, left - 3, 0)
    assert request.host_deadline_seconds <= max(1, left * 0.8)


def test_the_time_that_connecting_took_is_taken_off() -> None:
    early, late = paced(ProbeRequest(), 50), paced(ProbeRequest(), 30)
    assert (early.host_deadline_seconds, late.host_deadline_seconds) == (40, 24)


def test_one_section_that_hangs_leaves_time_for_the_others() -> None:
    assert paced(ProbeRequest(), 50).section_deadline_seconds == 13
    assert paced(ProbeRequest(sections=("services",)), 50).section_deadline_seconds == 40
    assert paced(ProbeRequest(sections=("services", "shares")), 50).section_deadline_seconds == 20


def test_deadlines_are_never_made_longer() -> None:
    request = ProbeRequest(host_deadline_seconds=20, section_deadline_seconds=2)
    assert paced(request, 1000) == request
