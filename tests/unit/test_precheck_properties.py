"""What holds of every pre-check: the base stays the same, looking around the changed hosts finds what looking everywhere does,
and seeing less never turns into a go."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.analysis.fleet.forking import fork_fleet
from auditor.analysis.precheck.apply import apply_change
from auditor.analysis.precheck.run import check_waves
from auditor.analysis.precheck.state import State, facts_of
from auditor.analysis.products.detect import Detector
from auditor.analysis.rules.evaluate import Evaluation, evaluate_rules
from auditor.analysis.rules.ruleset import RuleSet
from auditor.model.whatif import ANSWERS, ChangeKind, Wave
from tests.unit.small_fleet import DENIED, KEY, kept
from tests.unit.small_precheck import LONELY, LOW, NOW, OLD_SERVER, PAIR, PLAIN, TWO, answer, bytes_of, change, fleet_of, world

WORLD = world(PAIR, TWO, LOW, LONELY)
RULES = RuleSet(WORLD)
DETECTOR = Detector(WORLD.signatures)
NAMES = ("A", "B", "C")
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

CHANGES: tuple[tuple[ChangeKind, str], ...] = (
    ("install", "acme-guard@10.0,role=server,group=One"),
    ("install", "acme-guard@10.0,role=server,without=Alerts"),
    ("install", "acme-guard@9,role=managed_client,parent=A,group="),
    ("install", "acme-guard"),
    ("install", "other-shield"),
    ("upgrade", "acme-guard@10.1"),
    ("remove", "acme-guard"),
    ("remove", "other-shield"),
    ("os_upgrade", "2022"),
)

SERVICES = st.sampled_from(
    [
        [],
        [{"name": "guardsvc", "state": "running"}],
        [{"name": "shieldsvc", "state": "running"}],
        [{"name": "guardsvc", "state": "stopped"}, {"name": "shieldsvc", "state": "running"}],
        DENIED,
    ]
)
SECURITY = st.sampled_from(
    [
        [],
        [kept("Version", "9.0"), kept("Name", "One", f"{KEY}\\Group")],
        [kept("Version", "10.0"), kept("Name", "One", f"{KEY}\\Group")],
        [kept("Version", "9.0"), kept("Parent", "A")],
        DENIED,
    ]
)
DRIVERS = st.sampled_from([[], [{"name": "bad", "state": "running"}], [{"name": "guard", "state": "running", "file_exists": True}], DENIED])
TASKS = st.sampled_from(
    [[], [{"path": "\\T", "run": "robocopy D:\\x \\\\B\\s$ /MIR"}], [{"path": "\\T", "run": "xcopy D:\\x %WHERE%\\s"}], DENIED]
)
LOGONS = st.sampled_from([[], [{"time": "2026-01-02T02:00:00Z", "account": "x", "workstation": "C", "logon_type": 3}], DENIED])
HOST = st.fixed_dictionaries(
    {"system": st.just(PLAIN["system"]), "services": SERVICES, "security": SECURITY, "drivers": DRIVERS, "tasks": TASKS, "logons": LOGONS}
)
HOSTS = st.fixed_dictionaries(dict.fromkeys(NAMES, HOST))
SOME = st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3)
WHERE = st.sets(st.sampled_from(NAMES), min_size=1)


@SLOW
@given(HOSTS, st.lists(st.tuples(WHERE, SOME), min_size=1, max_size=3))
def test_the_base_is_byte_for_byte_the_same_after_any_number_of_forks(
    hosts: dict[str, Any], waves: list[tuple[set[str], list[tuple[ChangeKind, str]]]]
) -> None:
    fleet = fleet_of(hosts, WORLD)
    before, said = bytes_of(fleet), _ids(evaluate_rules(fleet, RULES))
    planned = [
        Wave(name=str(number), hosts=tuple(sorted(names)), changes=tuple(change(kind, text, WORLD) for kind, text in changes))
        for number, (names, changes) in enumerate(waves)
    ]
    first = check_waves(fleet, planned, RULES, DETECTOR, NOW)
    assert bytes_of(fleet) == before
    assert _ids(evaluate_rules(fleet, RULES)) == said
    assert check_waves(fleet, planned, RULES, DETECTOR, NOW) == first, "the same question has the same answer"


@SLOW
@given(HOSTS, WHERE, SOME)
def test_around_the_changed_hosts_is_found_what_is_found_everywhere(
    hosts: dict[str, Any], names: set[str], changes: list[tuple[ChangeKind, str]]
) -> None:
    fleet = fleet_of(hosts, WORLD)
    made = tuple(change(kind, text, WORLD) for kind, text in changes)
    changed = {}
    for name in names:
        state = State(snapshot=fleet.hosts[name].snapshot)
        for one in made:
            state = apply_change(state, one, DETECTOR)
        changed[name] = facts_of(state, DETECTOR)
    old, new = evaluate_rules(fleet, RULES), evaluate_rules(fork_fleet(fleet, changed), RULES)
    outcome = check_waves(fleet, [Wave(name="1", hosts=tuple(sorted(names)), changes=made)], RULES, DETECTOR, NOW)
    told = [delta for said in outcome.hosts for delta in (*said.added, *said.cured)] + [d for e in outcome.elsewhere for d in e.deltas]
    before, after = {f.id for f in old.findings}, {f.id for f in new.findings}
    undecided = {f.id for f in new.undetermined}
    assert {d.finding.id for d in told if d.how == "added"} == after - before
    assert {d.finding.id for d in told if d.how == "cured"} == before - after - undecided


@SLOW
@given(HOSTS, st.sampled_from(CHANGES), st.sampled_from(["services", "security", "drivers", "tasks", "logons", "system"]))
def test_seeing_less_of_the_changed_host_never_makes_a_go(hosts: dict[str, Any], one: tuple[ChangeKind, str], section: str) -> None:
    """With less evidence an added violation may become an unknown, but what is no go with all of it is never a go."""
    whole = answer(hosts, WORLD, one)
    blind = answer({**hosts, "B": {**hosts["B"], section: DENIED}}, WORLD, one)
    if whole.answer == "no-go" and not any(delta.how == "worsened" for delta in whole.added):
        ids = {delta.finding.id for delta in whole.added if delta.finding.severity == "high"}
        left = {delta.finding.id for delta in (*blind.added, *blind.open)}
        assert ids <= left or ANSWERS.index(blind.answer) < ANSWERS.index("go with conditions") or blind.undecided_before


def _ids(evaluation: Evaluation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(f.id for f in evaluation.findings), tuple(f.id for f in evaluation.undetermined)


def test_the_old_server_alone_says_nothing() -> None:
    assert _ids(evaluate_rules(fleet_of({"A": OLD_SERVER}, world(PAIR)), RuleSet(world(PAIR)))) == ((), ())
