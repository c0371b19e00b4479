"""The bundle: parameters as data, the same text for the same request, only asked sections, nothing that a comment could break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.errors import UsageError
from auditor.model.host import SECTION_NAMES
from auditor.probes import framing
from auditor.probes.bundle import SCRIPTED_SECTIONS, ProbeRequest, build_bundle, bundle_digest, default_sections


def test_the_same_request_gives_the_same_text_and_the_digest_does_not_see_the_parameters() -> None:
    one = build_bundle(ProbeRequest(security_keys=("SOFTWARE\\A",)))
    two = build_bundle(ProbeRequest(security_keys=("SOFTWARE\\B",), host_deadline_seconds=20))
    assert one == build_bundle(ProbeRequest(security_keys=("SOFTWARE\\A",)))
    assert one != two
    assert bundle_digest(one) == bundle_digest(two)
    assert bundle_digest(one) != bundle_digest(build_bundle(ProbeRequest(sections=("system",))))


def test_sections_run_in_their_own_order_and_no_others_are_sent() -> None:
    script = build_bundle(ProbeRequest(sections=("logons", "services")))
    assert framing.read_parameters(script)["sections"] == ["services", "logons"]
    assert script.index("$AuditSections['services']") < script.index("$AuditSections['logons']")
    assert "$AuditSections['drivers']" not in script
    assert set(default_sections()) == set(SCRIPTED_SECTIONS) <= set(SECTION_NAMES)


@pytest.mark.parametrize("sections", [(), ("weather",), ("services", "x'; Remove-Item")])
def test_a_section_without_a_script_is_refused(sections: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        build_bundle(ProbeRequest(sections=sections))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=5))
def test_parameters_are_data_whatever_they_hold(texts: list[str]) -> None:
    script = build_bundle(ProbeRequest(sections=("security",), security_keys=tuple(texts)))
    assert framing.read_parameters(script)["security_keys"] == texts
    assert script.partition("\n")[0].count("'") == 2


def test_the_bundle_is_ascii_without_comments_and_small_enough_to_send_at_once() -> None:
    script = build_bundle(ProbeRequest())
    assert script.isascii()
    assert not [line for line in script.splitlines() if not line.strip() or line.lstrip().startswith("#")]
    assert len(framing.pack_script(script)) < 60_000
    assert framing.unpack_script(framing.pack_script(script)) == script
