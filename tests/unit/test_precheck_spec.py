"""Changes as people write them: what is understood, and what is refused with the names that lie nearest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.precheck.spec import read_change
from auditor.model.errors import UsageError
from auditor.model.whatif import Change, ChangeKind
from tests.unit.small_fleet import OTHER, signature
from tests.unit.small_precheck import GUARD_INSTALLED

SIGNATURES = {s.id: s for s in (signature(GUARD_INSTALLED), signature(OTHER))}


def read(text: str, kind: ChangeKind = "install") -> Change:
    return read_change(kind, text, f"--{kind} {text}", SIGNATURES, ("9.0.5",))


def test_everything_that_an_installation_can_state() -> None:
    found = read("acme-guard@10.0.2,role=server,parent=,group=Head Office,with=alerts")
    assert (found.product, found.version, found.role, found.parent, found.group) == ("acme-guard", "10.0.2", "server", "", "Head Office")
    assert found.parts == {"Alerts": True}
    assert found.said == "--install acme-guard@10.0.2,role=server,parent=,group=Head Office,with=alerts"


def test_what_is_left_out_is_not_known() -> None:
    found = read("acme-guard")
    assert (found.version, found.role, found.parent, found.group, found.parts) == (None, None, None, None, {})


def test_a_product_may_be_called_by_its_name() -> None:
    assert read("Guard@9").product == "acme-guard"


@pytest.mark.parametrize(
    ("text", "kind", "words", "step"),
    [
        ("acme-gaurd@10", "install", "there is no product 'acme-gaurd'", "Near to it: acme-guard"),
        ("", "install", "there is no product ''", "`auditor matrix list --products`"),
        ("acme-guard@ten", "install", "'ten' is no version", "Near to it: "),
        ("acme-guard@12.0", "install", "acme-guard has no version 12.0", "Near to it: 10.0, 10.1, 9"),
        ("acme-guard@8.0", "upgrade", "acme-guard has no version 8.0", "Near to it: 9"),
        ("acme-guard@", "install", "'' is no version", ""),
        ("acme-guard", "upgrade", "an upgrade needs the version", "acme-guard@VERSION"),
        ("acme-guard@9", "remove", "a removal takes the product's id only", "acme-guard"),
        ("acme-guard@9,rolle=server", "install", "did you mean role=?", ""),
        ("acme-guard@9,server", "install", "is not understood", ""),
        ("acme-guard@9,role=boss", "install", "has no role 'boss': its roles are managed_client, server, unmanaged_client", ""),
        ("other-shield,role=server", "install", "it has no roles", ""),
        ("acme-guard@9,group=a,group=b", "install", "group= is given twice", ""),
        ("acme-guard@9,with=Alarms", "install", "its optional parts are Alerts", ""),
        ("acme-guard@9,with=Alerts,without=Alerts", "install", "both chosen and left out", ""),
        ("acme-guard@9,role=unmanaged_client,parent=A", "install", "contradict each other", ""),
        ("acme-guard@9,role=managed_client,parent=", "install", "contradict each other", ""),
        ("2018", "os_upgrade", "there is no Windows '2018'", "Near to it: 2019"),
        ("2019@17763", "os_upgrade", "expected a build such as", ""),
        ("x" * 600, "install", "longer than 500", ""),
    ],
)
def test_what_is_wrong_is_told(text: str, kind: ChangeKind, words: str, step: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text, kind)
    assert words in caught.value.message
    assert step in caught.value.next_step


@pytest.mark.parametrize(
    ("text", "generation"), [("2019", "2019"), ("Windows Server 2012 R2", "2012r2"), ("windows 11", "11"), ("8.1", "8.1")]
)
def test_windows_by_its_names(text: str, generation: str) -> None:
    assert read(text, "os_upgrade").generation == generation


def test_windows_with_its_build() -> None:
    assert read("2019@10.0.17763.6414", "os_upgrade").build == "10.0.17763.6414"


@given(st.text(max_size=80), st.sampled_from(["install", "upgrade", "remove", "os_upgrade"]))
def test_any_text_is_a_change_or_one_clear_error(text: str, kind: ChangeKind) -> None:
    try:
        found = read(text, kind)
    except UsageError as error:
        assert error.message
    else:
        assert found.kind == kind
