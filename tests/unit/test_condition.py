"""Three-valued logic and every selector: true with evidence, false in silence, unknown with what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.conditions.binding import Binding, Setting
from auditor.analysis.conditions.condition import SELECTORS, chosen, compile_condition, selectors_of
from auditor.analysis.host.outcome import FALSE, TRUE, Outcome, conjoin, disjoin, negate, unknown
from auditor.model.selector import Condition
from tests.unit.small_fleet import DENIED, condition, facts, kept

VALUES = st.sampled_from([TRUE, FALSE, unknown("A: drivers: denied"), unknown("B: tasks: denied")])


def decide(test: Condition, **sections: Any) -> Outcome:
    return compile_condition(test, Setting(("host",), {"bad": frozenset({"f" * 64})}))(Binding({"host": facts(**sections)}))


@given(st.lists(VALUES, max_size=5))
def test_all_is_false_as_soon_as_one_is_and_unknown_before_true(parts: list[Outcome]) -> None:
    values = [part.value for part in parts]
    assert conjoin(parts).value is (False if False in values else None if None in values else True)


@given(st.lists(VALUES, max_size=5))
def test_any_is_true_as_soon_as_one_is_and_unknown_before_false(parts: list[Outcome]) -> None:
    values = [part.value for part in parts]
    assert disjoin(parts).value is (True if True in values else None if None in values else False)


@given(VALUES, VALUES)
def test_de_morgan_holds_for_unknown_too(left: Outcome, right: Outcome) -> None:
    assert negate(conjoin([left, right])).value is disjoin([negate(left), negate(right)]).value
    assert negate(disjoin([left, right])).value is conjoin([negate(left), negate(right)]).value
    assert negate(negate(left)).value is left.value


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_only_unknown_tells_what_is_missing(parts: list[Outcome]) -> None:
    for outcome in (conjoin(parts), disjoin(parts)):
        assert bool(outcome.missing) == (outcome.value is None)


@given(
    st.recursive(
        st.sampled_from(["yes", "no", "maybe"]),
        lambda inner: st.tuples(st.sampled_from(["all", "any", "not"]), st.lists(inner, min_size=1, max_size=3)),
        max_leaves=6,
    )
)
def test_knowing_more_never_turns_a_decision_round(tree: Any) -> None:
    """What is decided while something is unknown stays so whatever the unknown turns out to be."""

    def build(node: Any) -> dict[str, Any]:
        if isinstance(node, str):
            return {"driver": {"name": node, "state": "running"}}
        key, parts = node
        return {key: build(parts[0])} if key == "not" else {key: [build(part) for part in parts]}

    test = condition(**build(tree))
    rows = [{"name": "yes", "state": "running"}, {"name": "no", "state": "stopped"}]
    before = decide(test, drivers=[*rows, {"name": "maybe"}]).value
    later = {decide(test, drivers=[*rows, {"name": "maybe", "state": state}]).value for state in ("running", "stopped")}
    assert before is None or later == {before}
    assert None not in later


DRIVER = {
    "name": "RapDrv",
    "path": "C:\\WINDOWS\\system32\\drivers\\rapdrv.sys",
    "file_version": "3.6.0.0",
    "link_timestamp": 0x3F99BC4F,
    "company": "ISS",
    "start": "system",
    "state": "running",
    "group": "Base",
    "file_exists": True,
    "sha256": "f" * 64,
}
SYSTEM = {
    "version": "10.0.17763",
    "build": 17763,
    "revision": 5000,
    "product_type": "server",
    "architecture": "x64",
    "service_pack": 0,
    "roles": ["dns"],
}
XML = (
    '<Task xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task"><Triggers><CalendarTrigger><StartBoundary>'
    "2026-01-01T19:00:00</StartBoundary></CalendarTrigger></Triggers><Settings><Enabled>true</Enabled></Settings><A"
    "ctions><Exec><Command>defrag.exe</Command><Arguments>-c</Arguments></Exec></Actions></Task>"
)
HOST: dict[str, Any] = {
    "system": [SYSTEM],
    "drivers": [DRIVER],
    "filters": [
        {"name": "rapdrv", "altitude": "320900.5"},
        {"name": "old", "legacy": True},
        {"name": "up", "class_filter": "upper"},
    ],
    "services": [{"name": "RapApp", "state": "running", "start": "auto"}],
    "programs": [{"key": "k", "view": "native", "name": "BlackICE Server", "version": "3.6.1", "publisher": "ISS"}],
    "updates": [{"id": "KB4474419"}],
    "roles": [{"name": "Windows-Defender"}],
    "security": [
        kept("Mode", "1", "SOFTWARE\\Acme\\One"),
        {
            "kind": "file",
            "path": "C:\\Program Files (x86)\\Acme\\guard.exe",
            "view": "wow64",
            "file_version": "2.1",
            "modified_at": "2026-01-01T00:00:00Z",
        },
    ],
    "tasks": [{"path": "\\Defrag", "source_format": "xml", "text": XML}],
    "defender": [{"source": "defender", "name": "Defender", "running_mode": "Passive Mode", "real_time": False}],
    "events": [{"log": "System", "source": "Srv", "id": 2020, "time": "2026-01-01T10:00:00Z", "record": 5, "strings": ["x", "pool"]}],
}

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "drivers",
        {"driver": {"name": "rapdrv.sys", "linked_from": "2003-10-24T23:57:03Z", "linked_to": "2003-10-24T23:57:03Z"}},
        {"driver": {"name": "RapDrv", "linked_from": "2003-10-24T23:57:04Z"}},
    ),
    (
        "drivers",
        {"driver": {"name": "RAPDRV", "version": "vers:windows/>=3.6|<3.7", "start": ["boot", "system"], "state": "running"}},
        {"driver": {"name": "RapDrv", "version": "vers:windows/<3.6"}},
    ),
    ("drivers", {"driver": {"table": "bad"}}, {"driver": {"sha256": ["a" * 64]}}),
    ("drivers", {"driver": {"company": "i?s", "group": "base", "file_exists": True}}, {"driver": {"name": "Rap*", "company": "Other"}}),
    ("filters", {"filter": {"altitude_from": "320000", "altitude_to": "329999"}}, {"filter": {"altitude_from": "320900.51"}}),
    ("filters", {"filter": {"legacy": True}}, {"filter": {"name": "rapdrv", "legacy": True}}),
    ("filters", {"filter": {"name": "up", "class_filter": "upper"}}, {"filter": {"name": "up", "class_filter": "lower"}}),
    (
        "services",
        {"service": {"name": "rapapp", "state": "running", "start": ["auto"]}},
        {"service": {"name": "RapApp", "state": "stopped"}},
    ),
    (
        "programs",
        {"program": {"name": "blackice*", "version": "vers:windows/>=3.6", "publisher": "iss"}},
        {"program": {"name": "BlackICE"}},
    ),
    ("updates", {"update": {"any_of": ["KB1234567", "KB4474419"]}}, {"update": {"any_of": ["KB1234567"]}}),
    ("roles", {"feature": {"name": "windows-defender*"}}, {"feature": {"name": "DNS"}}),
    (
        "security",
        {"setting": {"key": "SOFTWARE\\*\\One", "value": "mode", "equals": ["1"]}},
        {"setting": {"key": "SOFTWARE\\Acme\\One", "value": "Mode", "at_least": 2}},
    ),
    ("security", {"setting": {"key": "software\\acme", "present": True}}, {"setting": {"key": "SOFTWARE\\Acme\\Two", "present": True}}),
    (
        "security",
        {"setting": {"key": "SOFTWARE\\Acme\\Two", "value": "Mode", "present": False}},
        {"setting": {"key": "SOFTWARE\\Acme\\One", "value": "Mode", "present": False}},
    ),
    (
        "security",
        {"file": {"path": "%ProgramFiles%\\Acme\\guard.exe", "version": "vers:windows/>=2.1"}},
        {"file": {"path": "%ProgramFiles%\\Acme\\other.exe"}},
    ),
    (
        "security",
        {"file": {"path": "%ProgramFiles%\\*\\guard.exe", "modified_from": "2026-01-01T00:00:00Z"}},
        {"file": {"path": "%ProgramFiles%\\Acme\\guard.exe", "modified_to": "2025-01-01T00:00:00Z"}},
    ),
    ("tasks", {"task": {"command": "*defrag*-c", "enabled": True, "hours": [19]}}, {"task": {"path": "\\Defrag", "hours": [1]}}),
    ("defender", {"defender": {"running_mode": "passive*", "real_time": False}}, {"defender": {"real_time": True}}),
    ("events", {"event": {"id": [2020, 2019], "source": "srv", "string": "p*l"}}, {"event": {"id": [2020], "at_least": 2}}),
    ("events", {"event": {"id": [2020], "log": "System", "within_days": 2}}, {"event": {"id": [2020], "log": "Application"}}),
    (
        "system",
        {"os": {"generation": ["2019"], "product_type": ["server"], "architecture": ["x64"], "role": "dns"}},
        {"os": {"generation": ["2022"]}},
    ),
    (
        "system",
        {"os": {"build": "vers:windows/>=10.0.17763.4000", "service_pack": "vers:windows/=0"}},
        {"os": {"build": "vers:windows/<10.0.17763.4000"}},
    ),
]


@pytest.mark.parametrize(("section", "holds", "fails"), CASES, ids=[f"{n}-{c[0]}" for n, c in enumerate(CASES)])
def test_each_selector_is_true_false_and_unknown(section: str, holds: dict[str, Any], fails: dict[str, Any]) -> None:
    found = decide(condition(**holds), **HOST)
    assert found.value is True
    if "present" not in str(holds):
        assert found.evidence, "what made it true is told"
        assert {e.section for e in found.evidence} == {section}
    assert decide(condition(**fails), **HOST).value is False
    blind = decide(condition(**holds), **{**HOST, section: DENIED})
    assert blind.value is None
    assert any(m.startswith(f"A: {section}: access denied") for m in blind.missing), blind.missing


def test_every_selector_of_one_host_is_tried_above() -> None:
    tried = {next(iter(holds)) for _, holds, _ in CASES}
    assert tried == set(SELECTORS) - {"product", "edge", "ties", "compare", "count", "listed", "exclusions", "collision"}


def test_a_field_that_is_not_known_leaves_it_open_and_is_named() -> None:
    gap = {
        "status": "partial",
        "rows": [{"name": "RapDrv"}],
        "gaps": [{"record": "RapDrv", "field": "file_version", "reason": "access denied"}],
    }
    outcome = decide(condition(driver={"name": "RapDrv", "version": "vers:windows/>=1"}), drivers=gap)
    assert (outcome.value, outcome.missing) == (None, ("A: drivers: RapDrv: file_version: access denied",))


def test_a_partial_section_whose_gaps_name_records_is_still_a_full_list() -> None:
    gap = {"status": "partial", "rows": [{"name": "other"}], "gaps": [{"record": "other", "field": "sha256", "reason": "locked"}]}
    assert decide(condition(driver={"name": "RapDrv"}), drivers=gap).value is False
    both = {**gap, "reason": "1 not read, see gaps; the account was not shown to be an administrator"}
    assert decide(condition(driver={"name": "RapDrv"}), drivers=both).value is None
    fields = {"status": "partial", "rows": [{"name": "other"}], "gaps": [{"record": "", "field": "state", "reason": "no manager"}]}
    assert decide(condition(driver={"name": "RapDrv"}), drivers=fields).value is False
    assert decide(condition(driver={"state": "running"}), drivers=fields).missing == ("A: drivers: other: state: no manager",)
    shortened = {"status": "partial", "reason": "not elevated", "rows": [{"name": "other"}]}
    assert decide(condition(driver={"name": "RapDrv"}), drivers=shortened).missing == ("A: drivers: not elevated",)


def test_a_record_that_was_listed_and_not_read_may_be_the_one() -> None:
    gap = {"status": "partial", "rows": [], "gaps": [{"record": "HKLM\\SOFTWARE\\Acme\\One", "field": "", "reason": "access denied"}]}
    assert decide(condition(setting={"key": "SOFTWARE\\Acme\\One", "value": "x", "equals": ["1"]}), security=gap).value is None
    assert decide(condition(setting={"key": "SOFTWARE\\Other", "value": "x", "equals": ["1"]}), security=gap).value is False


def test_data_that_is_no_number_is_not_known_to_be_in_bounds() -> None:
    test = condition(setting={"key": "SOFTWARE\\Acme\\One", "value": "Mode", "at_least": 1})
    assert decide(test, security=[kept("Mode", "high", "SOFTWARE\\Acme\\One")]).value is None


def test_a_build_whose_revision_is_not_known_is_decided_only_where_it_does_not_matter() -> None:
    row = {**SYSTEM, "revision": None}
    assert decide(condition(os={"build": "vers:windows/>=10.0.17763.4000"}), system=[row]).value is None
    assert decide(condition(os={"build": "vers:windows/>=10.0.17763"}), system=[row]).value is True
    assert decide(condition(os={"build": "vers:windows/>=10.0.18362"}), system=[row]).value is False


@pytest.mark.parametrize(
    ("version", "build", "kind", "name"),
    [
        ("5.0.2195", None, None, "2000"),
        ("5.1.2600", None, "workstation", "xp"),
        ("5.2.3790", None, "server", "2003"),
        ("5.2.3790", None, "workstation", "xp"),
        ("6.0.6002", None, "server", "2008"),
        ("6.1.7601", None, "domain_controller", "2008r2"),
        ("6.1.7601", None, "workstation", "7"),
        ("6.2.9200", None, "server", "2012"),
        ("6.3.9600", None, "workstation", "8.1"),
        ("10.0.14393", None, "server", "2016"),
        ("10.0.17763", 17763, "server", "2019"),
        ("10.0.20348", None, "server", "2022"),
        ("10.0.26100", None, "server", "2025"),
        ("10.0.19045", None, "workstation", "10"),
        ("10.0.22631", None, "workstation", "11"),
    ],
)
def test_generations(version: str, build: int | None, kind: str | None, name: str) -> None:
    assert facts(system=[{"version": version, "build": build, "product_type": kind}]).generation == name


def test_a_log_that_was_overwritten_leaves_absence_open() -> None:
    short = [{"log": "System", "oldest": "2026-01-02T00:00:00Z", "asked_from": "2025-12-03T00:00:00Z"}]
    test = condition(event={"id": [2020], "log": "System"})
    assert decide(test, log_coverage=short).value is None
    assert decide(test, log_coverage=[{**short[0], "oldest": "2025-01-01T00:00:00Z"}]).value is False
    security = [{"log": "Security", "oldest": "2026-01-02T00:00:00Z", "asked_from": "2025-12-03T00:00:00Z"}]
    assert decide(condition(event={"id": [2020]}), log_coverage=security).value is False


def test_hostile_times_and_tasks_are_no_errors() -> None:
    assert (
        decide(condition(event={"id": [1], "within_days": 1}), events=[{"log": "System", "source": "x", "id": 1, "time": "never"}]).value
        is False
    )
    broken = [{"path": "\\X", "source_format": "xml", "text": "<Task"}]
    outcome = decide(condition(task={"command": "*"}), tasks=broken)
    assert outcome.value is None
    assert outcome.missing[0].startswith("A: tasks: \\X")


COUNT = {"filter": {"loaded": True}, "same": "altitude", "distinct": "name", "at_least": 2}


def filters(*rows: tuple[str, str, str | None]) -> dict[str, Any]:
    return {
        "filters": [{"name": name, "altitude": altitude} for name, altitude, _ in rows],
        "drivers": [{"name": name, "state": state, "company": name} for name, _, state in rows],
    }


@pytest.mark.parametrize(
    ("rows", "value"),
    [
        ([("a", "321000", "running"), ("b", "321000.0", "running")], True),
        ([("a", "321000", "running"), ("b", "321000.1", "running")], False),
        ([("a", "321000", "running"), ("a", "321000", "running")], False),
        ([("a", "321000", "running"), ("b", "321000", "stopped")], False),
        ([("a", "321000", "running"), ("b", "321000", None)], None),
        ([], False),
    ],
)
def test_counts_of_filters_at_one_altitude(rows: list[tuple[str, str, str | None]], value: bool | None) -> None:
    assert decide(condition(count=COUNT), **filters(*rows)).value is value


@pytest.mark.parametrize(
    ("at_least", "at_most", "value"),
    [(2, None, True), (3, None, None), (4, None, False), (None, 1, False), (None, 2, None), (None, 3, True)],
)
def test_a_count_is_decided_as_soon_as_what_is_in_doubt_can_not_matter(
    at_least: int | None, at_most: int | None, value: bool | None
) -> None:
    rows = [{"name": "a", "state": "running"}, {"name": "b", "state": "running"}, {"name": "c"}]
    bounds = {key: bound for key, bound in (("at_least", at_least), ("at_most", at_most)) if bound is not None}
    assert decide(condition(count={"driver": {"state": "running"}, "distinct": "name", **bounds}), drivers=rows).value is value
    assert decide(condition(count={"driver": {"state": "running"}, "distinct": "name", "at_least": 1}), drivers=DENIED).value is None


def test_a_condition_without_a_key_is_an_error_of_the_author() -> None:
    with pytest.raises(ValueError, match="exactly one key"):
        chosen(Condition())


def test_every_selector_of_a_condition_is_found() -> None:
    test = condition(
        all=[
            {"not": {"count": {"product": {"id": "x"}, "at_least": 1}}},
            {"compare": {"left": {"id": "a"}, "relation": "older", "right": {"id": "b"}}},
        ]
    )
    assert [name for name, _ in selectors_of(test)] == ["count", "product", "compare", "product", "product"]


def test_security_center_is_on_clients_only() -> None:
    test = condition(defender={"source": "securitycenter", "enabled": True})
    server = {"system": [{"version": "10.0.17763", "build": 17763, "product_type": "server"}]}
    client = {"system": [{"version": "10.0.19045", "build": 19045, "product_type": "workstation"}]}
    own = [{"source": "defender", "name": "Microsoft Defender", "enabled": True}]
    assert decide(test, defender=own, **client).value is False
    assert decide(test, defender=own, **server).value is None
    assert "on clients only" in decide(test, defender=own, **server).missing[0]
    assert decide(test, defender=[{"source": "securitycenter", "name": "x", "enabled": True}], **server).value is True
