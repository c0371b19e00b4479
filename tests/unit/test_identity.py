"""Names in evidence to targets: what the inventory states, what machines claim, and what stays unresolved."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.fleet.identity import Resolver
from auditor.model.host import Target
from tests.unit.small_fleet import snapshot, target


def resolver(targets: list[Target], **networks: dict[str, Any]) -> Resolver:
    return Resolver.of(targets, {name: snapshot(name, network=[row]).sections.network.records for name, row in networks.items()})


def network(name: str, *addresses: str, **more: Any) -> dict[str, Any]:
    return {"computer_name": name, "adapters": [{"addresses": list(addresses)}], **more}


LAB = [target("srv-a", "127.0.0.1"), target("srv-b", "127.0.0.1", aliases=("backup.corp.example",)), target("web", "web.corp.example")]
MACHINES = {
    "srv-a": network("SRVA", "192.168.1.11", "fe80::1%12", "127.0.0.1", host_name="srva", domain="corp.example", part_of_domain=True),
    "srv-b": network("SRVB", "192.168.1.12", "2001:db8::12", optional_names=["FILES"], domain="corp.example", part_of_domain=True),
}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("\\\\SRVB", "srv-b"),
        ("\\\\srvb\\share$\\folder", "srv-b"),
        ("//SRVB/share", "srv-b"),
        ("srvb.corp.example", "srv-b"),
        ("SRVB.CORP.EXAMPLE.", "srv-b"),
        ("FILES", "srv-b"),
        ("files.corp.example", "srv-b"),
        ("backup.corp.example", "srv-b"),
        ("backup", "srv-b"),
        ("192.168.1.12", "srv-b"),
        ("::ffff:192.168.1.12", "srv-b"),
        ("[2001:db8::12]", "srv-b"),
        ("2001-db8--12.ipv6-literal.net", "srv-b"),
        ("SRVB@SSL@5986", "srv-b"),
        ("srv-a", "srv-a"),
        ("web", "web"),
        ("WEB.corp.example", "web"),
    ],
)
def test_names_that_mean_one_host(name: str, meant: str) -> None:
    assert resolver(LAB, **MACHINES).resolve(name).target == meant


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        ".",
        "127.0.0.1",
        "::1",
        "tsclient",
        "VBOXSVR",
        "",
        "\\\\",
        "%SERVER%",
        "$env:X",
        "<server>",
        "a b",
        "169.254.3.4",
        "fe80::1%12",
        "0.0.0.0",
        "-",
        "host*",
    ],
)
def test_names_that_mean_no_host(name: str) -> None:
    found = resolver(LAB, **MACHINES).resolve(name)
    assert (found.target, found.reason) == (None, "not_a_host")


@pytest.mark.parametrize("name", ["NAS01", "192.168.1.99", "srvb.other.example", "srvbx", "corp.example"])
def test_names_that_nobody_has(name: str) -> None:
    found = resolver(LAB, **MACHINES).resolve(name)
    assert (found.target, found.reason, found.candidates) == (None, "unknown", ())


def test_an_address_that_two_hosts_have_is_ambiguous() -> None:
    found = resolver(LAB, **{"srv-a": network("SRVA", "10.0.0.1"), "srv-b": network("SRVB", "10.0.0.1")}).resolve("10.0.0.1")
    assert (found.target, found.reason, found.candidates) == (None, "ambiguous", ("srv-a", "srv-b"))
    assert str(found) == "10.0.0.1: ambiguous (srv-a, srv-b)"


def test_an_inventory_address_of_several_targets_identifies_none() -> None:
    shared = [target("a", "gateway.example"), target("b", "gateway.example")]
    assert resolver(shared).resolve("gateway.example").reason == "ambiguous"


def test_what_the_inventory_states_comes_before_what_a_machine_claims() -> None:
    """A host can't become another by calling itself so."""
    liar = {"evil": network("srvb", "192.168.1.66"), "srvb": network("SRVB", "192.168.1.12")}
    assert resolver([target("evil"), target("srvb")], **liar).resolve("SRVB").target == "srvb"


def test_two_machines_that_claim_one_name_make_it_ambiguous() -> None:
    twins = {"x": network("OLD"), "y": network("OLD")}
    assert resolver([target("x"), target("y")], **twins).resolve("OLD").candidates == ("x", "y")


def test_a_workgroup_is_no_domain() -> None:
    one = {"x": network("X1", domain="WORKGROUP", part_of_domain=False)}
    assert resolver([target("x")], **one).resolve("x1.workgroup").target == "x", "no domain speaks against it"


LABELS = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)


@given(st.sets(LABELS, min_size=2, max_size=5), st.data())
def test_different_names_never_meet(names: set[str], data: st.DataObject) -> None:
    """Each host is found under each spelling of its name, and under no other host's."""
    known = resolver([target(f"t-{name}", "127.0.0.1") for name in names], **{f"t-{name}": network(name.upper()) for name in names})
    name = data.draw(st.sampled_from(sorted(names)))
    spelled = data.draw(st.sampled_from([name, name.upper(), f"\\\\{name}", f"\\\\{name}\\c$", f"{name}.", f"  {name} "]))
    assert known.resolve(spelled).target == f"t-{name}"


@given(st.text(max_size=40))
def test_any_text_resolves_or_says_why(text: str) -> None:
    found = resolver(LAB, **MACHINES).resolve(text)
    assert (found.target is None) == (found.reason != "")
