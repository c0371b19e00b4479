"""The shipped matrix against hosts that say anything: no text of a host raises, and the same host gives the same verdicts."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.analysis.fleet.fleet import build_fleet
from auditor.analysis.rules.evaluate import evaluate
from auditor.matrix import load_matrix, requested_keys
from auditor.model.places import shipped
from auditor.model.rule import Matrix
from tests.unit.small_fleet import snapshot, target

SPECIAL = st.sampled_from(
    [
        "",
        "\\\\",
        "%A%%A%",
        "*",
        "?",
        "9" * 400,
        "vers:windows/>=1",
        "\x00\x1b[31m",
        "SRVB",
        "10.0.0.1",
        "::ffff:1.2.3.4",
        "²",
        "2026-13-99T99:99:99Z",
    ]
)
TEXT = st.one_of(SPECIAL, st.text(max_size=30))
STATE = st.sampled_from(["running", "stopped", None])


@cache
def matrix() -> Matrix:
    return load_matrix([shipped("compat_matrix")])


def rows(**fields: Any) -> Any:
    return st.lists(st.fixed_dictionaries(fields), max_size=4)


def known_names() -> Any:
    """Names that signatures look for, so that the texts reach the decoders behind them."""
    found = matrix()
    keys, files = requested_keys(found.signatures, found.rules)
    registry = st.fixed_dictionaries(
        {
            "kind": st.just("registry"),
            "path": st.sampled_from([f"HKLM\\{key}" for key in keys]),
            "name": st.one_of(
                st.sampled_from(
                    [
                        "Parent",
                        "DomainName",
                        "ProductVersion",
                        "OnboardingState",
                        "LastSuccessfulUpdate",
                        "PatternFileDate",
                        "CommunicationStatus",
                    ]
                ),
                TEXT,
            ),
            "data": st.one_of(TEXT, st.none()),
        }
    )
    file = st.fixed_dictionaries(
        {
            "kind": st.just("file"),
            "path": st.sampled_from([f"C:{path[path.index('%', 1) + 1 :]}" for path in files]),
            "file_version": TEXT,
            "modified_at": TEXT,
            "data": TEXT,
        }
    )
    return st.lists(st.one_of(registry, file), max_size=8)


def hosts() -> Any:
    found = matrix()
    services = sorted({name for s in found.signatures for group in s.installed for name in group.services})
    drivers = sorted({name for s in found.signatures for group in s.installed for name in group.drivers})
    programs = sorted({name.replace("*", "x") for s in found.signatures for group in s.installed for name in group.programs})
    return st.fixed_dictionaries(
        {
            "system": rows(
                version=TEXT, build=st.one_of(st.none(), st.integers(-5, 10**9)), product_type=st.sampled_from(["server", None])
            ),
            "network": rows(computer_name=TEXT, host_name=TEXT, domain=TEXT, time_server=TEXT),
            "programs": rows(key=TEXT, view=st.just("native"), name=st.one_of(st.sampled_from(programs), TEXT), version=TEXT),
            "services": rows(name=st.one_of(st.sampled_from(services), TEXT), state=STATE),
            "drivers": rows(name=st.one_of(st.sampled_from(drivers), TEXT), state=STATE, file_version=TEXT, path=TEXT, company=TEXT),
            "filters": rows(name=TEXT, altitude=TEXT),
            "security": known_names(),
            "tasks": rows(path=TEXT, source_format=st.sampled_from(["xml", "job", "schtasks", "at"]), text=TEXT, data=TEXT),
            "scripts": rows(path=TEXT, text=TEXT),
            "logons": rows(time=TEXT, workstation=TEXT, address=TEXT, account=TEXT),
            "events": rows(log=TEXT, source=TEXT, id=st.integers(0, 3000), time=TEXT),
        }
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_no_text_of_a_host_raises(data: st.DataObject) -> None:
    fleet = {name: snapshot(name, **data.draw(hosts())) for name in ("SRVA", "SRVB")}
    targets = [target(name) for name in (*fleet, "SRVC")]
    first, second = (evaluate(build_fleet(fleet, targets, matrix()), matrix()) for _ in range(2))
    assert first == second
    assert all(finding.missing for finding in first.undetermined)


def test_many_names_cost_little() -> None:
    """Twenty thousand services that look like the starts of what signatures look for."""
    rows = [{"name": f"AVP.KES{n:05}"} for n in range(20_000)]
    started = time.process_time()
    found = evaluate(build_fleet({"A": snapshot("A", services=rows)}, [target("A")], matrix()), matrix())
    assert time.process_time() - started < 10
    assert found.tallies
