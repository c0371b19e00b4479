"""What sources say of what a change brings, and whether a Windows can be reached in one step."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from auditor.model.rule import Matrix
from auditor.model.support import SupportFile
from auditor.model.whatif import HostAnswer, Precheck, Vouched
from auditor.report.precheck import render_markdown, render_text
from tests.unit.small_fleet import DENIED
from tests.unit.small_precheck import OLD_SERVER, SYSTEM, answer, world

NOBODY = world()
ADDRESS = "https://acme.example/systems"
SHIELD = [{"name": "shieldsvc", "state": "running"}]


def stated(*statements: dict[str, Any], product: str = "acme-guard") -> Matrix:
    body = {"product": product, "statements": [{"confidence": "confirmed", "source": ADDRESS, **said} for said in statements]}
    return msgspec.structs.replace(NOBODY, supports=(msgspec.convert(body, SupportFile),))


def told(said: HostAnswer) -> list[tuple[str, str | None, str, str | None]]:
    return [(one.product, one.on or one.beside, one.says, one.only) for one in said.vouched]


@pytest.mark.parametrize(
    ("install", "statement", "expected"),
    [
        ("acme-guard@10.0", {"says": "supported", "on": ["2019"]}, ("supported", None)),
        ("acme-guard@10.0", {"says": "unsupported", "on": ["2019"], "version": "vers:windows/<11"}, ("unsupported", None)),
        ("acme-guard@10.0", {"says": "supported", "on": ["2019"], "version": "vers:windows/<10"}, ("unknown", None)),
        ("acme-guard@10.0", {"says": "supported", "on": ["2022"]}, ("unknown", None)),
        ("acme-guard", {"says": "supported", "on": ["2019"], "version": "vers:windows/<10"}, ("supported", "vers:windows/<10")),
    ],
)
def test_what_is_said_of_a_product_on_the_hosts_windows(install: str, statement: dict[str, Any], expected: tuple[str, str | None]) -> None:
    said = answer({"B": {"system": SYSTEM}}, stated(statement), ("install", f"{install},role=unmanaged_client"))
    assert told(said) == [("acme-guard", "2019", *expected)]


def test_what_is_said_of_two_products_is_told_whoever_of_them_says_it() -> None:
    host = {"system": SYSTEM, "services": SHIELD}
    for found in (
        stated({"says": "conflicts", "beside": "other-shield"}),
        stated({"says": "conflicts", "beside": "acme-guard"}, product="other-shield"),
    ):
        said = answer({"B": host}, found, ("install", "acme-guard@10.0,role=unmanaged_client"))
        assert [(one.says, one.source) for one in said.vouched if one.beside] == [("conflicts", ADDRESS)]
    narrow = stated({"says": "conflicts", "beside": "other-shield", "beside_version": "vers:windows/>=99"})
    said = answer({"B": {"system": SYSTEM}}, narrow, ("install", "acme-guard@10.0,role=unmanaged_client"))
    assert not [one for one in said.vouched if one.beside]


def test_another_windows_is_asked_of_all_that_is_there_and_a_removal_of_nothing() -> None:
    found = stated({"says": "supported", "on": ["2022"], "version": "vers:windows/<10"})
    assert told(answer({"B": {**OLD_SERVER}}, found, ("os_upgrade", "2022"))) == [("acme-guard", "2022", "supported", None)]
    assert answer({"B": OLD_SERVER}, found, ("remove", "acme-guard")).vouched == ()


def test_it_is_told_with_its_source() -> None:
    one = Vouched(
        product="acme-guard", version="10.0", on="2019", says="unsupported", note="too new", confidence="probable", source=ADDRESS
    )
    none = Vouched(product="other-shield", on="2019", says="unknown")
    said = HostAnswer(host="B", wave="all", answer="go", changes=("--install x",), vouched=(one, none))
    found = Precheck(at="2026-01-01T00:00:00Z", auditor="1", matrix_digest="0" * 64, rules=1, answer="go", hosts=(said,))
    text = render_text(found)
    assert f"acme-guard 10.0 on Windows 2019: unsupported: too new (probable, {ADDRESS})" in " ".join(text.split())
    assert "other-shield on Windows 2019: nobody says whether it is supported" in text
    assert "### What the sources say" in render_markdown(found)


@pytest.mark.parametrize(
    ("build", "roles", "target", "met", "words"),
    [
        ("10.0.17763", [], "2022", True, "one step"),
        ("6.3.9600", [], "2022", False, "go by way of 2019"),
        ("6.3.9600", [], "2025", True, "one step"),
        ("6.2.9200", [], "2025", False, "4 versions at a time"),
        ("10.0.14393", ["cluster"], "2022", False, "a cluster node takes 1 version at a time; go by way of 2019"),
        ("10.0.20348", [], "2019", False, "older than 2022"),
        ("10.0.17763", [], "2019", False, "is what the host runs"),
    ],
)
def test_a_windows_is_reached_in_one_step_or_by_way_of_another(build: str, roles: list[str], target: str, met: bool, words: str) -> None:
    system = {**SYSTEM[0], "version": build, "build": int(build.split(".")[2]), "roles": roles}
    said = answer({"B": {"system": [system]}}, NOBODY, ("os_upgrade", target))
    (need,) = [need for need in said.prerequisites if need.kind == "order"]
    assert need.met is met
    assert words in need.text


def test_without_the_system_the_step_is_not_known() -> None:
    said = answer({"B": {"system": DENIED}}, NOBODY, ("os_upgrade", "2022"))
    assert [need.met for need in said.prerequisites if need.kind == "order"] == [None]
