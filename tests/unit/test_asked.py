"""What was not asked for by name is unknown, never absent: keys, files, events, values of products, leftovers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from auditor.analysis.conditions.binding import Binding, Setting
from auditor.analysis.conditions.condition import compile_condition
from auditor.analysis.host.asked import AskedIndex
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.products.detect import Detector
from auditor.model.host import Question, Snapshot
from auditor.probes.bundle import ProbeRequest
from auditor.probes.question import question_of
from tests.unit.small_fleet import GUARD, KEY, OTHER, condition, kept, signature, snapshot

RUNNING = [{"name": "guardsvc", "state": "running"}]


def asked(question: Question | None, **sections: Any) -> Snapshot:
    return msgspec.structs.replace(snapshot("A", **sections), asked=question)


def decided(question: Question | None, body: dict[str, Any], **sections: Any) -> tuple[bool | None, tuple[str, ...]]:
    facts = HostFacts(asked(question, **sections))
    Detector((signature(GUARD), signature(OTHER))).detect(facts)
    outcome = compile_condition(condition(**body), Setting(("host",), {}))(Binding({"host": facts}))
    return outcome.value, outcome.missing


@pytest.mark.parametrize("present", [True, False])
def test_a_key_that_was_not_asked_for_is_unknown(present: bool) -> None:
    body = {"setting": {"key": KEY, "present": present}}
    reason = f"A: security: {KEY}: was not asked for when the host was collected: collect it again"
    assert decided(Question(), body) == (None, (reason,))
    assert decided(Question(security_keys=(KEY,)), body) == (not present, ())
    assert decided(None, body) == (not present, ())


def test_a_value_that_is_there_counts_whoever_asked() -> None:
    body = {"setting": {"key": KEY, "value": "Mode", "equals": ["1"]}}
    assert decided(Question(), body, security=[kept("Mode", "1")])[0] is True
    assert decided(Question(), body, security=[kept("Mode", "2")])[0] is None
    assert decided(Question(security_keys=(KEY,)), body, security=[kept("Mode", "2")])[0] is False


def test_a_section_that_was_not_seen_says_its_own_reason_only() -> None:
    body = {"setting": {"key": KEY, "present": True}}
    denied = {"status": "denied", "reason": "access denied"}
    assert decided(Question(), body, security=denied) == (None, ("A: security: access denied",))


@pytest.mark.parametrize(
    ("globs", "covered"),
    [
        ((KEY,), True),
        ((KEY.lower(),), True),
        (("SOFTWARE\\*\\Guard",), True),
        (("SOFTWARE\\Acme\\Gua?d",), True),
        (("SOFTWARE\\Acme",), False),
        (("SOFTWARE\\Acme\\Guard\\Group",), False),
        (("SOFTWARE\\Wow6432Node\\Acme\\Guard",), True),
        (("SOFTWARE\\*",), False),
    ],
)
def test_a_glob_covers_what_it_means_level_by_level(globs: tuple[str, ...], covered: bool) -> None:
    assert AskedIndex(Question(security_keys=globs)).key(KEY) is covered


def test_a_glob_that_is_wanted_needs_a_glob_that_was_asked() -> None:
    assert AskedIndex(Question(security_keys=("SOFTWARE\\*\\Guard",))).key("SOFTWARE\\*\\Guard")
    assert not AskedIndex(Question(security_keys=("SOFTWARE\\Acme\\Guard",))).key("SOFTWARE\\*\\Guard")


def test_files_are_asked_for_by_their_globs() -> None:
    index = AskedIndex(Question(security_files=("%ProgramFiles%\\Acme\\*.exe",)))
    assert index.file("%programfiles%/acme/guard.exe")
    assert not index.file("%SystemRoot%\\Acme\\guard.exe")
    body = {"file": {"path": "%ProgramFiles%\\Acme\\x.ini", "present": True}}
    assert decided(Question(), body)[0] is None
    assert decided(Question(security_files=("%ProgramFiles%\\Acme\\*.ini",)), body)[0] is False


def test_events_are_asked_for_by_provider_and_number() -> None:
    body = {"event": {"id": [5], "source": "Guard", "log": "Application"}}
    assert decided(Question(), body)[0] is None
    assert decided(question_of(ProbeRequest(event_sources=("guard",))), body)[0] is False
    usual = question_of(ProbeRequest())
    assert decided(usual, {"event": {"id": [6008], "source": "EventLog"}})[0] is False
    assert decided(usual, {"event": {"id": [6008, 1], "source": "EventLog"}})[0] is None
    assert decided(usual, {"event": {"id": [6008]}})[0] is None, "any provider was not asked for"


def test_values_of_a_product_are_open_where_their_keys_were_not_asked_for() -> None:
    detector = Detector((signature(GUARD),))
    facts = HostFacts(asked(Question(), services=RUNNING))
    (product,) = detector.detect(facts).products
    assert {"group", "parent", "role"} <= set(product.unknown)
    assert "was not asked for" in facts.doubts_of("acme-guard", "group")[0]
    whole = HostFacts(asked(Question(security_keys=(KEY, f"{KEY}\\Group")), services=RUNNING))
    (known,) = detector.detect(whole).products
    assert (known.unknown, known.role, known.group) == ((), "unmanaged_client", None)


def test_values_below_a_refused_key_are_open() -> None:
    refused = {"status": "partial", "gaps": [{"record": f"HKLM\\{KEY}\\Group", "field": "", "reason": "access denied"}]}
    facts = HostFacts(snapshot("A", services=RUNNING, security=refused))
    (product,) = Detector((signature(GUARD),)).detect(facts).products
    assert "group" in product.unknown
    assert facts.doubts_of("acme-guard", "group") == (f"A: security: HKLM\\{KEY}\\Group: access denied",)


def test_a_product_that_only_its_registry_shows_is_open_where_it_was_not_asked_for() -> None:
    only = signature(GUARD, installed=[{"registry": [{"key": KEY}]}], remnant=[])
    assert "acme-guard" in Detector((only,)).detect(HostFacts(asked(Question()))).unsure
    assert Detector((only,)).detect(HostFacts(asked(Question(security_keys=(KEY,))))).unsure == {}


def test_leftovers_that_were_not_asked_for_may_be_there() -> None:
    body = {"product": {"kind": "antivirus", "remnant": True}}
    assert decided(Question(), body)[0] is None
    assert decided(Question(security_keys=(KEY,)), body)[0] is False
    assert decided(None, body, security={"status": "denied", "reason": "access denied"})[0] is None
