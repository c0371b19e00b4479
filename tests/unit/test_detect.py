"""Products from records: presence, remnants, values with their sources, roles that stay open, absence that is not claimed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.host.facts import HostFacts
from auditor.analysis.products.detect import Detector, detect_products, detection_gaps
from auditor.analysis.products.values import DECODERS
from auditor.matrix.requests import requested_event_sources, requested_keys
from auditor.model.finding import Product
from tests.unit.small_fleet import DENIED, GUARD, KEY, OTHER, kept, rule, signature, snapshot

PROGRAM = {"key": "{1}", "view": "native", "name": "Acme Guard Server", "version": "9.0.1"}
SERVICE = {"name": "GuardSvc", "state": "running"}


def products(body: dict[str, Any] = GUARD, **sections: Any) -> tuple[Product, ...]:
    return detect_products(snapshot(**sections), (signature(body),))


def guard(**sections: Any) -> Product:
    (found,) = products(**sections)
    return found


@pytest.mark.parametrize(
    "sections", [{"programs": [PROGRAM]}, {"services": [SERVICE]}, {"drivers": [{"name": "x", "path": "C:\\W\\GUARD.sys"}]}]
)
def test_one_sign_is_enough(sections: dict[str, Any]) -> None:
    found = guard(**sections)
    assert (found.id, found.remnant, found.confidence) == ("acme-guard", False, "confirmed")
    assert found.evidence[0].about == "presence"
    assert found.evidence[0].source == "https://acme.example/"


def test_nothing_is_nothing() -> None:
    assert products() == ()


def test_leftovers_are_a_remnant() -> None:
    assert guard(security=[kept("Version", "9.0")]).remnant
    assert guard(drivers=[{"name": "guard", "file_exists": False}]).remnant, "a driver whose file is gone"
    assert not guard(drivers=[{"name": "guard", "file_exists": True}], security=[kept("Version", "9.0")]).remnant


def test_leftovers_may_be_more_where_services_were_not_seen() -> None:
    blind: dict[str, Any] = {"services": DENIED, "drivers": DENIED, "security": [kept("Version", "9.0")]}
    assert products(**blind) == ()
    assert detection_gaps(snapshot(**blind), signature(GUARD)) == ("A: services: access denied", "A: drivers: access denied")


def test_absence_needs_one_section_that_would_have_told() -> None:
    assert detection_gaps(snapshot(programs=DENIED, services=DENIED), signature(GUARD)) == (), "the drivers were seen"
    assert detection_gaps(snapshot(services=DENIED, drivers=DENIED), signature(GUARD)) != (), "programs alone are not enough"
    only = {**OTHER, "installed": [{"registry": [{"key": KEY}]}]}
    assert detection_gaps(snapshot(security=DENIED), signature(only)) == ("A: security: access denied",)


def test_values_are_tried_in_order_of_trust_and_carry_their_source() -> None:
    found = guard(programs=[PROGRAM], security=[kept("Version", "9.0.5")])
    assert found.version == "9.0.5"
    (told,) = [e for e in found.evidence if e.about == "version"]
    assert (told.section, told.record, told.field, told.value, told.confidence) == (
        "security",
        f"HKLM\\{KEY}\\Version",
        "data",
        "9.0.5",
        "confirmed",
    )
    fallen_back = guard(programs=[PROGRAM], security=DENIED)
    assert fallen_back.version == "9.0.1"
    assert [e.confidence for e in fallen_back.evidence if e.about == "version"] == ["probable"]


def test_both_registry_views_are_one_place() -> None:
    wow = kept("Version", "8.1", "SOFTWARE\\Wow6432Node\\Acme\\Guard", view="wow64")
    assert guard(programs=[PROGRAM], security=[wow]).version == "8.1"


@pytest.mark.parametrize(
    ("rows", "role"),
    [
        ([kept("Parent", "SRVA")], "managed_client"),
        ([kept("Parent", ""), kept("Name", "One", f"{KEY}\\Group")], "server"),
        ([kept("Parent", "")], "unmanaged_client"),
        ([], "unmanaged_client"),
    ],
)
def test_roles(rows: list[dict[str, Any]], role: str) -> None:
    assert guard(programs=[PROGRAM], security=rows).role == role


def test_a_role_is_open_where_an_earlier_sign_is() -> None:
    facts = HostFacts(snapshot(programs=[PROGRAM], security=DENIED))
    detection = Detector((signature(GUARD),)).detect(facts)
    (found,) = detection.products
    assert found.role == "unknown"
    assert {"role", "parent", "group"} <= set(found.unknown)
    assert detection.doubts["acme-guard", "role"] == ("A: security: access denied",)


def test_active_follows_its_condition() -> None:
    assert guard(services=[SERVICE]).active is True
    assert guard(services=[{**SERVICE, "state": "stopped"}]).active is False
    assert guard(programs=[PROGRAM], services=DENIED).active is None


def test_two_products_of_one_vendor_stay_two() -> None:
    second = signature({**OTHER, "vendor": "Acme"})
    found = detect_products(snapshot(services=[SERVICE, {"name": "shieldsvc"}]), (signature(GUARD), second))
    assert [p.id for p in found] == ["acme-guard", "other-shield"]


def test_a_sign_says_nothing_where_another_product_uses_the_name() -> None:
    body = {**OTHER, "installed": [{"services": ["guardsvc"], "unless": {"program": {"name": "Acme Guard*"}}}]}
    assert [p.id for p in products(body, services=[SERVICE])] == ["other-shield"]
    assert products(body, services=[SERVICE], programs=[PROGRAM]) == ()
    assert detection_gaps(snapshot(services=[SERVICE], programs=DENIED), signature(body)) == ("A: programs: access denied",)


def test_confidence_is_that_of_the_best_sign() -> None:
    body = {**OTHER, "installed": [{"services": ["a"], "confidence": "suspected"}, {"drivers": ["b"], "confidence": "confirmed"}]}
    assert products(body, services=[{"name": "a"}])[0].confidence == "suspected"
    assert products(body, services=[{"name": "a"}], drivers=[{"name": "b"}])[0].confidence == "confirmed"


@pytest.mark.parametrize(
    ("decode", "raw", "value"),
    [
        ("text", " 9.0 ", "9.0"),
        ("text", " ", None),
        ("sep_date", "2f021e0000000000", "2017-03-30"),
        ("sep_date", "2f0c1e", None),
        ("sep_date", "zz", None),
        ("definfo_date", "20060912.018", "2006-09-12 rev 18"),
        ("definfo_date", "21060912", None),
        ("after_colon", "Connected: SEPM1:8014", "SEPM1"),
        ("after_colon", "Offline", None),
        ("hex_dword", "255", "0x000000ff"),
        ("trend_pattern", "1234567", "12.345.67"),
        ("trend_pattern", "x", None),
        ("unix_time", "1700000000", "2023-11-14T22:13:20Z"),
        ("unix_time", "-5", None),
        ("unix_time", "²", None),
        ("filetime", "133444736000000000", "2023-11-14T22:13:20Z"),
        ("filetime", "00006dc64717da01", "2023-11-14T22:13:20Z"),
        ("filetime", "99", None),
        ("first_line", "\n one \ntwo", "one"),
        ("sav_version", str(0x03E80384), "9.0.1000"),
        ("sav_version", str(0x07D003E8), "10.0.2000"),
        ("sav_version", "10.1.4.4000", "10.1.4.4000"),
        ("sav_version", "5", None),
    ],
)
def test_vendors_ways_of_writing(decode: Any, raw: str, value: str | None) -> None:
    assert DECODERS[decode](raw) == value


@given(st.sampled_from(sorted(DECODERS)), st.text(max_size=60))
def test_no_text_of_a_host_breaks_a_decoder(decode: Any, raw: str) -> None:
    found = DECODERS[decode](raw)
    assert found is None or found.strip()


@given(st.lists(st.sampled_from(["security", "programs", "services", "drivers"]), unique=True))
def test_hiding_sections_never_invents_or_contradicts(hidden: list[str]) -> None:
    """What is said of a host with hidden sections is said of it with all of them too, or is left open."""
    whole = {
        "programs": [PROGRAM],
        "services": [SERVICE],
        "drivers": [{"name": "guard", "file_exists": True}],
        "security": [kept("Parent", "SRVA")],
    }
    seen: dict[str, Any] = {**whole, **dict.fromkeys(hidden, DENIED)}
    truth = guard(**whole)
    for found in products(**seen):
        assert found.remnant == truth.remnant
        for field in ("role", "parent", "active", "group"):
            value = getattr(found, field)
            assert value == getattr(truth, field) or field in found.unknown
    assert products(**seen) or detection_gaps(snapshot(**seen), signature(GUARD))


def test_a_line_of_a_text_file_is_a_value() -> None:
    body = {
        **GUARD,
        "definitions": [{"file": {"path": "%CommonProgramFiles%\\Acme\\definfo.dat", "line": "CurDefs="}, "decode": "definfo_date"}],
    }
    row = {
        "kind": "file",
        "path": "C:\\Program Files\\Common Files\\Acme\\definfo.dat",
        "type": "text",
        "data": "[DefDates]\r\nCurDefs=20060912.018\r\n",
    }
    assert products(body, programs=[PROGRAM], security=[row])[0].definitions == "2006-09-12 rev 18"


def test_what_has_to_be_asked_for_comes_from_signatures_and_rules() -> None:
    asking = rule(
        when={
            "any": [
                {"setting": {"key": "SYSTEM\\X", "value": "y", "present": True}},
                {"file": {"path": "%SystemRoot%\\z.exe"}},
                {"event": {"id": [1], "source": "Srv"}},
            ]
        }
    )
    keys, files = requested_keys((signature(GUARD),), (asking,))
    assert keys == (KEY, f"{KEY}\\Group", "SYSTEM\\X")
    assert files == ("%SystemRoot%\\z.exe",)
    assert requested_event_sources((asking,)) == ("Srv",)
