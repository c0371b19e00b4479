"""Two states of a host: what is a difference, and what is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.drift.apply import apply_deltas, invert
from auditor.analysis.drift.compare import Comparison, Delta, compare_snapshots, system_of
from auditor.model.host import SECTION_NAMES, Question, Snapshot
from tests.unit.small_drift import normaliser, partial, state

A: dict[str, Any] = {"name": "Spooler", "start": "auto", "state": "running", "account": "LocalSystem", "image_path": "spoolsv.exe"}


def compared(before: Snapshot, after: Snapshot) -> Comparison:
    return compare_snapshots(before, after, normaliser())


def words(found: Comparison) -> list[str]:
    return [f"{d.kind} {d.section} {d.key}{'.' + d.field if d.field else ''}: {d.before!r} -> {d.after!r}" for d in found.deltas]


def test_a_changed_field_says_what_it_was_and_is() -> None:
    found = compared(state(services=[A]), state(services=[A | {"start": "disabled", "state": "stopped"}]))
    assert words(found) == [
        "changed services Spooler.start: 'auto' -> 'disabled'",
        "changed services Spooler.state: 'running' -> 'stopped'",
    ]
    assert found.unseen == ()


def test_records_that_came_and_went() -> None:
    found = compared(state(services=[A], shares=[{"name": "Data", "path": "D:\\"}]), state(services=[A | {"name": "Other"}], shares=[]))
    assert [(d.kind, d.section, d.key) for d in found.deltas] == [
        ("removed", "services", "Spooler"),
        ("added", "services", "Other"),
        ("removed", "shares", "Data"),
    ]
    assert found.deltas[2].before == {"name": "Data", "path": "D:\\", "type": "unknown", "administrative": False}


def test_names_are_one_whatever_their_case() -> None:
    assert words(compared(state(services=[A]), state(services=[A | {"name": "SPOOLER", "account": "x"}]))) == [
        "changed services SPOOLER.name: 'Spooler' -> 'SPOOLER'",
        "changed services SPOOLER.account: 'LocalSystem' -> 'x'",
    ]


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("status", ["denied", "failed", "timed_out", "unsupported", "not_asked"])
def test_a_section_that_was_not_seen_is_not_compared(side: str, status: str) -> None:
    unseen = state(services={"status": status, "reason": "access denied"})
    pair = (unseen, state(services=[A])) if side == "before" else (state(services=[A]), unseen)
    found = compared(*pair)
    assert found.deltas == ()
    assert [(u.section, u.key) for u in found.unseen] == [("services", "")]


def test_what_a_shortened_listing_lacks_is_not_removed() -> None:
    found = compared(state(services=[A]), state(services=partial(reason="not an administrator")))
    assert found.deltas == ()
    assert "not an administrator" in found.unseen[0].reason


def test_what_a_shortened_listing_lacked_is_not_added() -> None:
    assert compared(state(services=partial(reason="not an administrator")), state(services=[A])).deltas == ()


def test_what_both_listings_tell_is_compared_though_they_are_short() -> None:
    short = partial(A, reason="not an administrator")
    assert words(compared(state(services=short), state(services=[A | {"start": "demand"}]))) == [
        "changed services Spooler.start: 'auto' -> 'demand'"
    ]


def test_only_the_records_with_gaps_are_in_doubt() -> None:
    gaps = partial(gaps=(("spooler", ""),))
    found = compared(state(services=[A, A | {"name": "Gone"}]), state(services=gaps))
    assert [(d.kind, d.key) for d in found.deltas] == [("removed", "Gone")]
    assert [(u.key, u.reason) for u in found.unseen] == [("Spooler", "now: not readable")]


def test_a_field_with_a_gap_is_not_compared() -> None:
    row = A | {"group": "one"}
    found = compared(state(services=partial(row, gaps=(("Spooler", "group"),))), state(services=[row | {"group": "two", "account": "x"}]))
    assert [d.field for d in found.deltas] == ["account"]
    assert [(u.key, u.field) for u in found.unseen] == [("Spooler", "group")]


def test_null_is_not_known_and_no_value() -> None:
    assert compared(state(services=[A]), state(services=[A | {"account": None, "state": None}])).deltas == ()


def test_null_is_none_where_the_plan_says_so() -> None:
    assert words(compared(state(services=[A]), state(services=[A | {"image_path": None}]))) == [
        "changed services Spooler.image_path: 'spoolsv.exe' -> None"
    ]


def test_null_of_another_way_of_asking_says_nothing() -> None:
    other = state(services=[A | {"image_path": None}], way="wmi over http/ntlm")
    assert compared(state(services=[A]), other).deltas == ()


def test_readings_are_not_compared() -> None:
    event = {"log": "System", "source": "EventLog", "id": 6008, "time": "2026-11-01T00:00:00Z"}
    assert compared(state(events=[event]), state(events=[])).deltas == ()


def test_what_moves_by_itself_is_no_difference() -> None:
    platform = {"name": "WdFilter", "path": "C:\\PD\\Platform\\4.18.1\\WdFilter.sys", "file_version": "1.0"}
    template = {"name": "CDPUserSvc", "start": "auto"}
    before = state(
        services=[template, A | {"start": "demand"}, {"name": "CDPUserSvc_4a1f2", "start": "auto"}],
        drivers=[platform, {"name": "MpKsl0a1b2c3d"}],
        system=[{"pending_reboot": ["file_rename"]}],
        security=[{"kind": "registry", "path": "HKLM\\SOFTWARE\\Acme\\Guard", "name": "Defs", "data": "1"}],
    )
    after = state(
        services=[{"name": "CDPUserSvc_99f00", "start": "auto"}, A | {"start": "demand", "state": "stopped"}, template],
        drivers=[{"name": "MpKslffff0000"}, platform | {"path": "C:\\PD\\Platform\\4.18.2\\WdFilter.sys"}],
        system=[{"pending_reboot": []}],
        security=[{"kind": "registry", "path": "HKLM\\SOFTWARE\\Acme\\Guard", "name": "Defs", "data": "2"}],
    )
    assert compared(before, after) == Comparison((), ())


def test_a_suffix_without_its_template_is_a_service_of_its_own() -> None:
    found = compared(state(services=[]), state(services=[{"name": "evil_4a1f2", "start": "auto"}]))
    assert [(d.kind, d.key) for d in found.deltas] == [("added", "evil_4a1f2")]


def test_a_rule_for_some_hosts_holds_on_them_only() -> None:
    for model, expected in (("Virtual Machine", 0), ("ProLiant", 1)):
        row = {"model": model, "manufacturer": "x"}
        assert len(compared(state(system=[row]), state(system=[row | {"manufacturer": "y"}])).deltas) == expected


def test_adapters_are_compared_one_by_one_and_leases_are_not() -> None:
    lease = {"mac": "00:11:22:33:44:55", "addresses": ["10.0.0.7"], "dhcp_enabled": True}
    fixed = {"mac": "00:11:22:33:44:66", "addresses": ["10.0.0.8", "10.0.0.9"]}
    before = state(network=[{"computer_name": "A", "adapters": [lease, fixed]}])
    after = state(network=[{"computer_name": "A", "adapters": [fixed | {"addresses": ["10.0.0.9"]}, lease | {"addresses": ["10.0.0.99"]}]}])
    assert words(compared(before, after)) == [
        "changed network adapters: 00:11:22:33:44:66.addresses: ['10.0.0.8', '10.0.0.9'] -> ['10.0.0.9']"
    ]


def test_instances_of_one_thing_count_once() -> None:
    one = {"name": "WdFilter", "path": "C:\\PD\\Platform\\4.18.1\\WdFilter.sys"}
    two = one | {"path": "C:\\PD\\Platform\\4.18.2\\WdFilter.sys"}
    assert compared(state(drivers=[one]), state(drivers=[one, two])).deltas == ()
    assert compared(state(drivers=[one, two]), state(drivers=[two])).deltas == ()


def test_two_programs_of_one_name_are_two() -> None:
    old = {"key": "{1}", "view": "native", "name": "Tool", "version": "1"}
    new = old | {"key": "{2}", "version": "2"}
    assert [(d.kind, d.key) for d in compared(state(programs=[old]), state(programs=[old, new])).deltas] == [("added", "Tool")]
    assert [d.kind for d in compared(state(programs=[old, new]), state(programs=[new])).deltas] == ["removed"]


def test_a_task_is_compared_by_what_it_does() -> None:
    task = {"path": "\\Copy", "run": "robocopy D:\\ E:\\", "at": "19:00"}
    later = compared(state(tasks=[task]), state(tasks=[task | {"at": "20:00"}]))
    assert [(d.key, d.field) for d in later.deltas] == [("\\Copy", "triggers")]
    other = compared(state(tasks=[task]), state(tasks=[task | {"run": "xcopy D:\\ E:\\"}]))
    assert [d.field for d in other.deltas] == ["actions"]


def test_what_was_not_asked_for_is_not_added() -> None:
    row = {"kind": "registry", "path": "HKLM\\SOFTWARE\\New", "name": "x", "data": "1"}
    known = row | {"path": "HKLM\\SOFTWARE\\Old\\Sub"}
    file = {"kind": "file", "path": "C:\\Program Files\\New\\x.exe"}
    before = msgspec.structs.replace(state(security=[known]), asked=Question(security_keys=("SOFTWARE\\Old\\*",)))
    after = state(security=[known, row, known | {"name": "y"}, file])
    found = compared(before, after)
    assert [d.key for d in found.deltas] == ["HKLM\\SOFTWARE\\Old\\Sub\\y"]
    assert [(u.key, u.reason) for u in found.unseen] == [
        ("HKLM\\SOFTWARE\\New\\x", "then: it was not asked for"),
        ("C:\\Program Files\\New\\x.exe", "then: it was not asked for"),
    ]
    wide = Question(security_keys=("SOFTWARE\\Old\\*", "software\\new"), security_files=("%ProgramFiles%\\New\\*.exe",))
    assert len(compared(msgspec.structs.replace(before, asked=wide), after).deltas) == 3


# --- properties

NAMES = st.sampled_from(["Alpha", "beta", "Gamma", "delta_1f", "delta", "x y"])
ROWS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "start": st.sampled_from(["auto", "demand", "disabled"]),
        "state": st.sampled_from(["running", "stopped"]),
        "account": st.sampled_from(["LocalSystem", "CORP\\x", "ünïcode"]),
        "image_path": st.one_of(st.none(), st.sampled_from(["a.exe", "b.exe"])),
        "depends_on": st.lists(st.sampled_from(["p", "q"]), max_size=2).map(tuple),
    }
)
SHARES = st.fixed_dictionaries({"name": NAMES, "path": st.sampled_from(["C:\\", "D:\\"])})
STATES = st.builds(
    lambda services, shares: state(services=services, shares=shares),
    st.lists(ROWS, max_size=6, unique_by=lambda row: row["name"]),
    st.lists(SHARES, max_size=4, unique_by=lambda row: row["name"]),
)


def listed(snapshot: Snapshot) -> dict[tuple[str, str], dict[str, Any]]:
    ready = normaliser()
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name in SECTION_NAMES:
        if ready.compared(name):
            records = getattr(snapshot.sections, name).records
            found |= {(name, item.identity): item.fields() for item in ready.items(name, records, system_of(snapshot))}
    return found


def without_volatile(fields: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """A field that one of the two states forgets stays as it was: it is not compared."""
    return {place: {k: v for k, v in row.items() if k != "state"} for place, row in fields.items()}


@given(STATES)
def test_nothing_differs_from_itself(one: Snapshot) -> None:
    assert compared(one, one) == Comparison((), ())


@given(STATES, STATES)
def test_differences_lead_from_one_state_to_the_other_and_back(one: Snapshot, other: Snapshot) -> None:
    deltas = compared(one, other).deltas
    assert without_volatile(apply_deltas(listed(one), deltas)) == without_volatile(listed(other))
    assert without_volatile(apply_deltas(listed(other), [invert(d) for d in reversed(deltas)])) == without_volatile(listed(one))


def _sorted(deltas: list[Delta]) -> list[str]:
    return sorted(map(repr, deltas))


@given(STATES, STATES)
def test_the_way_back_is_the_inverse(one: Snapshot, other: Snapshot) -> None:
    assert _sorted(list(compared(other, one).deltas)) == _sorted([invert(d) for d in compared(one, other).deltas])


@given(STATES, st.randoms(use_true_random=False))
def test_the_order_of_records_means_nothing(one: Snapshot, chance: Any) -> None:
    rows = list(one.sections.services.records)
    chance.shuffle(rows)
    section = msgspec.structs.replace(one.sections.services, records=tuple(rows))
    shuffled = msgspec.structs.replace(one, sections=msgspec.structs.replace(one.sections, services=section))
    assert compared(one, shuffled) == Comparison((), ())
