"""Rules over fleets: the four verdicts, pairs through edges, doubts that are told, a fixed order, and a cost that does not explode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.rules.evaluate import Evaluation
from auditor.analysis.rules.gates import Knowledge, gates_of
from auditor.analysis.rules.pairs import take_apart
from auditor.model.finding import finding_id
from auditor.model.rule import Rule
from tests.steps import calls_of
from tests.unit.small_fleet import DENIED, GUARD, KEY, OTHER, condition, evaluated, kept, rule, signature

BAD = {"drivers": [{"name": "bad", "state": "running"}]}


def server(version: str, **more: Any) -> dict[str, Any]:
    return {
        "programs": [{"key": "g", "view": "native", "name": "Acme Guard", "version": version}],
        "security": [kept("Name", "One", f"{KEY}\\Group")],
        **more,
    }


PAIR = rule(
    id="pair",
    roles=["old", "new"],
    applies_to={
        "all": [
            {"product": {"host": "old", "id": "acme-guard", "role": "server"}},
            {"product": {"host": "new", "id": "acme-guard", "role": "server"}},
        ]
    },
    when={
        "all": [
            {
                "compare": {
                    "left": {"host": "old", "id": "acme-guard"},
                    "relation": "older",
                    "right": {"host": "new", "id": "acme-guard"},
                    "by": "major",
                }
            },
            {"driver": {"host": "old", "name": "bad", "state": "running"}},
            {
                "any": [
                    {"edge": {"source": "new", "target": "old", "kinds": ["logs-on-to", "copies-to"], "either_way": True}},
                    {"edge": {"source": "new", "target": "old", "kinds": ["same-group"], "product": "acme-guard"}},
                ]
            },
        ]
    },
    subject="{old} and {new}.",
    subject_keys=["bad"],
)
FLEET = {"A": server("9.0", **BAD), "B": server("10.0")}


def changed(host: str, **sections: Any) -> dict[str, Any]:
    return {**FLEET, host: {**FLEET[host], **sections}}


def verdict(found: Evaluation) -> str:
    return "violated" if found.findings else "undetermined" if found.undetermined else "quiet"


def test_the_four_verdicts_of_a_rule_on_one_host() -> None:
    one = rule(applies_to={"os": {"product_type": ["server"]}}, when={"driver": {"name": "bad"}})
    system = [{"version": "5.2.3790", "product_type": "server"}]
    found = evaluated(
        {
            "violated": {"system": system, **BAD},
            "clean": {"system": system},
            "other": {"system": [{"version": "5.1.2600", "product_type": "workstation"}], **BAD},
            "blind": {"system": system, "drivers": DENIED},
            "none": None,
        },
        one,
    )
    tally = found.tallies[0]
    assert (tally.violated, tally.satisfied, tally.not_applicable, tally.undetermined) == (1, 1, 1, 1)
    assert [f.subjects[0].host for f in found.findings] == ["violated"]
    assert [f.missing for f in found.undetermined] == [("blind: drivers: access denied",)]
    assert found.satisfied == 1


def test_what_is_seen_decides_even_where_the_scope_is_not_known() -> None:
    scoped = rule(applies_to={"os": {"product_type": ["server"]}})
    assert verdict(evaluated({"A": {"system": DENIED}}, scoped)) == "quiet"
    assert verdict(evaluated({"A": {"system": DENIED, **BAD}}, scoped)) == "undetermined"


def test_a_finding_says_everything() -> None:
    (finding,) = evaluated(FLEET, PAIR).findings
    assert [(s.role, s.host) for s in finding.subjects] == [("old", "A"), ("new", "B")]
    assert (finding.summary, finding.keys, finding.verdict) == ("A and B.", ("bad",), "violated")
    assert {e.kind for e in finding.edges} == {"member-of"}
    assert {"bad", "g", f"HKLM\\{KEY}\\Group\\Name"} <= {e.record for e in finding.evidence}
    assert finding.id == finding_id("pair", finding.subjects, ("BAD",))


def test_an_id_does_not_move_with_versions_and_texts() -> None:
    before = evaluated(FLEET, PAIR).findings[0].id
    newer = {**changed("A", **server("9.5", **BAD))}
    reworded = msgspec.structs.replace(PAIR, title="Other", subject="{new}, {old}", severity="low")
    assert evaluated(newer, reworded).findings[0].id == before


@pytest.mark.parametrize(
    "fleet",
    [
        changed("A", programs=[{"key": "g", "view": "native", "name": "Acme Guard", "version": "10.1"}]),
        changed("B", programs=[{"key": "g", "view": "native", "name": "Acme Guard", "version": "9.7"}]),
        changed("A", drivers=[]),
        changed("A", drivers=[{"name": "bad", "state": "stopped"}]),
        changed("B", security=[kept("Parent", "A"), kept("Name", "One", f"{KEY}\\Group")]),
        changed("A", security=[]),
        changed("B", security=[kept("Name", "Two", f"{KEY}\\Group")]),
        {"A": FLEET["A"]},
        {"A": FLEET["B"], "B": {**FLEET["A"], "drivers": []}},
    ],
)
def test_without_any_one_condition_the_finding_goes(fleet: Mapping[str, Any]) -> None:
    assert verdict(evaluated(fleet, PAIR)) == "quiet"


UNTIED = changed("B", security=[kept("Name", "Two", f"{KEY}\\Group")])


@pytest.mark.parametrize(
    "tie",
    [
        ("A", {"logons": [{"time": "2026-01-01T00:00:00Z", "workstation": "b"}]}),
        ("B", {"logons": [{"time": "2026-01-01T00:00:00Z", "workstation": "a"}]}),
        ("A", {"tasks": [{"path": "\\T", "run": "xcopy D:\\x \\\\B\\y"}]}),
        ("B", {"tasks": [{"path": "\\T", "run": "xcopy D:\\x \\\\A\\y"}]}),
    ],
)
def test_each_tie_alone_is_enough(tie: tuple[str, dict[str, Any]]) -> None:
    host, sections = tie
    assert verdict(evaluated(UNTIED, PAIR)) == "quiet"
    assert verdict(evaluated({**UNTIED, host: {**UNTIED[host], **sections}}, PAIR)) == "violated"


@pytest.mark.parametrize(
    ("host", "section"),
    [("A", "drivers"), ("A", "security"), ("B", "security")],
)
def test_what_was_not_seen_makes_it_undetermined(host: str, section: str) -> None:
    found = evaluated(changed(host, **{section: DENIED}), PAIR)
    assert verdict(found) == "undetermined"
    assert any(f"{host}: {section}: access denied" in m for f in found.undetermined for m in f.missing)


@pytest.mark.parametrize(("host", "section"), [("A", "tasks"), ("B", "tasks"), ("A", "scripts"), ("A", "logons"), ("B", "logons")])
def test_a_tie_that_may_be_there_unseen_makes_it_undetermined(host: str, section: str) -> None:
    found = evaluated({**UNTIED, host: {**UNTIED[host], section: DENIED}}, PAIR)
    assert [(s.role, s.host) for s in found.undetermined[0].subjects] == [("old", "A"), ("new", "B")]
    assert found.undetermined[0].missing == (f"{host}: {section}: access denied",)


def test_a_tie_that_is_seen_needs_no_other() -> None:
    assert verdict(evaluated(changed("A", tasks=DENIED, logons=DENIED), PAIR)) == "violated"


def test_a_host_that_was_not_collected_is_told_only_at_the_end_of_an_edge() -> None:
    assert verdict(evaluated({**FLEET, "B": None}, PAIR)) == "quiet"
    tied = {"A": {**FLEET["A"], "logons": [{"time": "2026-01-01T00:00:00Z", "workstation": "B"}]}, "B": None}
    found = evaluated(tied, PAIR)
    assert verdict(found) == "undetermined"
    assert any("B: " in m and "not collected" in m for m in found.undetermined[0].missing)


def test_symmetric_rules_look_at_each_pair_once() -> None:
    both = rule(
        roles=["one", "other"],
        symmetric=True,
        applies_to={"all": [{"os": {"host": "one", "product_type": ["server"]}}, {"os": {"host": "other", "product_type": ["server"]}}]},
        when={"edge": {"source": "one", "target": "other", "kinds": ["copies-to"], "and_back": True, "same_hours": True}},
        subject="{one} {other}",
    )
    system = [{"version": "6.3.9600", "product_type": "server"}]
    hosts = {
        "B": {"system": system, "tasks": [{"path": "\\T", "run": "xcopy D:\\x \\\\A\\y", "at": "19:30"}]},
        "A": {"system": system, "tasks": [{"path": "\\T", "run": "xcopy D:\\x \\\\B\\y", "at": "19:00"}]},
    }
    found = evaluated(hosts, both)
    assert [[s.host for s in f.subjects] for f in found.findings] == [["A", "B"]]
    assert len(found.findings[0].edges) == 2
    hosts["B"]["tasks"] = [{"path": "\\T", "run": "xcopy D:\\x \\\\A\\y", "at": "07:30"}]
    assert verdict(evaluated(hosts, both)) == "quiet"


TIES = rule(
    applies_to={"product": {"id": "acme-guard", "role": "server"}},
    when={"ties": {"direction": "out", "kinds": ["manages"], "product": "acme-guard", "at_most": 0}},
)
CLIENT = {"programs": FLEET["A"]["programs"], "security": [kept("Parent", "A")]}


def test_ties_that_are_not_there_are_known_only_where_the_whole_fleet_was_seen() -> None:
    assert verdict(evaluated({"A": FLEET["A"]}, TIES)) == "violated"
    assert verdict(evaluated({"A": FLEET["A"], "C": CLIENT}, TIES)) == "quiet"
    assert verdict(evaluated({"A": FLEET["A"], "C": {**CLIENT, "security": DENIED}}, TIES)) == "undetermined"
    assert verdict(evaluated({"A": FLEET["A"], "C": None}, TIES)) == "undetermined"
    assert verdict(evaluated({"A": FLEET["A"], "C": CLIENT, "D": None}, TIES)) == "quiet", "one client is enough"


def test_counts_of_products_and_doubtful_ones() -> None:
    two = rule(when={"count": {"product": {"kind": "antivirus", "active": True}, "at_least": 2}})
    running = [{"name": "guardsvc", "state": "running"}, {"name": "shieldsvc", "state": "running"}]
    assert verdict(evaluated({"A": {"services": running}}, two)) == "violated"
    assert verdict(evaluated({"A": {"services": running[:1]}}, two)) == "quiet"
    assert verdict(evaluated({"A": {"services": DENIED, "programs": FLEET["A"]["programs"]}}, two)) == "undetermined"
    except_one = rule(when={"count": {"product": {"kind": "antivirus", "active": True, "except_ids": ["other-shield"]}, "at_least": 2}})
    assert verdict(evaluated({"A": {"services": running}}, except_one)) == "quiet"


def test_a_comparison_that_can_not_come_true_needs_no_more_knowledge() -> None:
    """A server whose role is not known, but whose version already speaks against it."""
    blind = changed("A", programs=[{"key": "g", "view": "native", "name": "Acme Guard", "version": "10.1"}], security=DENIED)
    blind["B"] = server("9.0")
    assert verdict(evaluated(blind, PAIR)) == "quiet"


def test_the_order_of_findings_does_not_depend_on_the_order_of_hosts() -> None:
    rules = [rule(id="low-one", severity="low"), rule(id="high-one", severity="high"), rule(id="high-two", severity="high")]
    forward = evaluated(dict.fromkeys("CAB", BAD), *rules)
    backward = evaluated(dict.fromkeys("BAC", BAD), *reversed(rules))
    assert forward == backward
    assert [(f.rule, f.subjects[0].host) for f in forward.findings][:4] == [
        ("high-one", "A"),
        ("high-one", "B"),
        ("high-one", "C"),
        ("high-two", "A"),
    ]


def test_an_edge_between_the_roles_is_required() -> None:
    driver = condition(
        all=[{"driver": {"host": "a", "name": "x"}}, {"not": {"edge": {"source": "a", "target": "b", "kinds": ["manages"]}}}]
    )
    with pytest.raises(ValueError, match="needs an edge"):
        take_apart(None, driver, ("a", "b"))


BOTH = {"product:acme-guard", "product:other-shield"}


@pytest.mark.parametrize(
    ("body", "gates"),
    [
        ({"driver": {"name": "RapDrv.sys"}}, [{"driver:rapdrv"}]),
        ({"driver": {"name": "Rap*"}}, [{"driver:rap*"}]),
        ({"driver": {"company": "Acme"}}, []),
        ({"driver": {"signature": "unsigned"}}, [{"signature:unsigned"}]),
        ({"driver": {"file_exists": False}}, [{"file_exists:False"}]),
        ({"not": {"driver": {"name": "x"}}}, []),
        ({"product": {"kind": "antivirus"}}, [BOTH]),
        ({"product": {"kind": "antivirus", "remnant": True}}, []),
        ({"product": {"vendor": "acme"}}, [{"product:acme-guard"}]),
        ({"any": [{"driver": {"name": "x"}}, {"service": {"name": "y"}}]}, [{"driver:x", "service:y"}]),
        ({"any": [{"driver": {"name": "x"}}, {"driver": {"name": "x*"}}]}, [{"driver:x", "driver:x*"}]),
        ({"any": [{"driver": {"name": "x"}}, {"driver": {"company": "Acme"}}]}, []),
        (
            {"any": [{"all": [{"os": {"generation": ["2003"]}}, {"driver": {"name": "x"}}]}, {"service": {"name": "y"}}]},
            [{"driver:x", "service:y"}],
        ),
        ({"setting": {"key": "SOFTWARE\\Wow6432Node\\X", "present": True}}, [{"key:software\\x"}]),
        ({"setting": {"key": "SOFTWARE\\X", "present": False}}, []),
        ({"setting": {"key": "SOFTWARE\\X", "value": "On", "equals": ["1"]}}, [{"value:software\\x\\on"}]),
        (
            {"all": [{"setting": {"key": "SOFTWARE\\X", "present": True}}, {"os": {"generation": ["2003"]}}]},
            [{"key:software\\x"}, {"os:2003"}],
        ),
        ({"count": {"product": {"id": "acme-guard"}, "at_least": 1}}, [{"product:acme-guard"}]),
        ({"count": {"product": {"id": "acme-guard"}, "at_most": 1}}, []),
        ({"count": {"filter": {"loaded": True}, "at_least": 2}}, [{"filters"}]),
        ({"count": {"filter": {}, "same": "altitude", "at_least": 2}}, [{"filters"}, {"meet:altitude"}]),
        ({"filter": {"except_companies": ["Microsoft*"]}}, [{"others:microsoft*"}]),
        ({"event": {"id": [5, 6], "source": "Disk"}}, [{"event:disk/5", "event:disk/6"}]),
        ({"event": {"id": [5]}}, []),
        ({"feature": {"name": "DNS"}}, [{"feature:dns"}]),
        ({"update": {"any_of": ["KB1234567"]}}, [{"update:kb1234567"}]),
        ({"defender": {"enabled": True}}, [{"defender"}]),
        ({"os": {"product_type": ["server"]}}, [{"type:server"}]),
    ],
)
def test_gates(body: dict[str, Any], gates: list[set[str]]) -> None:
    known = Knowledge((signature(GUARD), signature(OTHER)), {})
    assert gates_of(condition(**body), "host", known) == tuple(frozenset(gate) for gate in gates)


HOSTS = st.dictionaries(
    st.sampled_from("ABCD"),
    st.fixed_dictionaries(
        {},
        optional={
            "services": st.sampled_from([DENIED, [{"name": "guardsvc", "state": "running"}], [{"name": "shieldsvc", "state": "stopped"}]]),
            "drivers": st.sampled_from([DENIED, [{"name": "bad"}], [{"name": "bad", "state": "running"}], [{"name": "guard"}]]),
            "system": st.sampled_from(
                [DENIED, [{"version": "5.2.3790", "product_type": "server"}], [{"version": "6.3.9600", "product_type": "server"}]]
            ),
        },
    ),
    max_size=4,
)
RULES = [
    rule(id="r1"),
    rule(id="r2", applies_to={"product": {"id": "acme-guard"}}, when={"driver": {"name": "bad", "state": "running"}}),
    rule(id="r3", applies_to={"os": {"generation": ["2003"]}}, when={"product": {"kind": "antivirus", "active": True}}),
    rule(id="r4", when={"not": {"product": {"id": "acme-guard"}}}),
    rule(id="r5", applies_to={"driver": {"name": "bad"}}, when={"os": {"generation": ["2003"]}}),
]


@given(HOSTS)
def test_the_index_changes_nothing(hosts: dict[str, Any]) -> None:
    """A condition that is always true beside the others takes the gate away: verdicts and counts stay the same."""

    def ungated(one: Rule) -> Rule:
        always = condition(any=[{"driver": {"name": "x*"}}, {"not": {"driver": {"name": "x*"}}}, {"driver": {"name": "*"}}])
        parts = [part for part in (one.applies_to, always) if part is not None]
        return msgspec.structs.replace(one, applies_to=condition(any=[msgspec.to_builtins({"all": parts})]))

    plain = evaluated(hosts, *RULES)
    for one in RULES:
        if one.applies_to is None:
            continue
        blind = any(sections.get("drivers") == DENIED for sections in hosts.values())
        if not blind:
            assert evaluated(hosts, ungated(one)).tallies == tuple(t for t in plain.tallies if t.rule == one.id)
    for tally in plain.tallies:
        assert tally.violated + tally.satisfied + tally.undetermined + tally.not_applicable == len(hosts)


def test_the_cost_grows_with_the_hosts_and_not_with_their_pairs() -> None:
    """Many servers, each tied to one other, and a hundred whose tasks were not seen."""

    def cost(count: int) -> tuple[int, int]:
        hosts = {
            f"H{n:05}": server("9.0" if n % 2 else "10.0", **(BAD if n % 2 else {}), tasks=DENIED if n % 10 == 0 else [])
            for n in range(count)
        }
        for n in range(count):
            hosts[f"H{n:05}"]["security"] = [kept("Name", f"G{n // 2}", f"{KEY}\\Group")]
        found: list[Evaluation] = []
        return calls_of(lambda: found.append(evaluated(hosts, PAIR))), len(found[0].findings)

    small, few = cost(50)
    large, many = cost(200)
    assert (few, many) == (25, 100)
    assert large < 5 * small


def test_doubts_of_too_many_pairs_are_told_host_by_host() -> None:
    hosts = {f"N{n:03}": server("10.0", tasks=DENIED) for n in range(80)} | {f"O{n:03}": server("9.0", **BAD) for n in range(80)}
    for n, name in enumerate(hosts):
        hosts[name]["security"] = [kept("Name", f"G{n}", f"{KEY}\\Group")]
    found = evaluated(hosts, PAIR)
    assert len(found.undetermined) == 80
    assert all(len(f.subjects) == 1 and f.missing for f in found.undetermined)


def test_a_copy_to_a_box_outside_the_fleet_leaves_nothing_in_doubt() -> None:
    copying = {"tasks": [{"path": "\\T", "run": "xcopy D:\\x \\\\NAS01\\y"}]}
    assert verdict(evaluated({"A": {**UNTIED["A"], **copying}, "B": UNTIED["B"]}, PAIR)) == "quiet"
    nowhere = {"tasks": [{"path": "\\T", "run": "xcopy D:\\x %WHERE%\\y"}]}
    assert verdict(evaluated({"A": {**UNTIED["A"], **nowhere}, "B": UNTIED["B"]}, PAIR)) == "undetermined"
