"""What a change makes of a host: records that come and go, what stays open, what of other products stays."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.analysis.host.facts import HostFacts
from auditor.analysis.precheck.apply import apply_change
from auditor.analysis.precheck.spec import with_altitudes
from auditor.analysis.precheck.state import State, facts_of
from auditor.analysis.products.detect import Detector
from auditor.model.finding import Product
from auditor.model.host import DriverRecord
from auditor.model.rule import Matrix
from auditor.model.table import AltitudesTable
from auditor.model.whatif import Change, ChangeKind, DriverFile
from tests.unit.small_fleet import DENIED, GUARD, KEY, kept, signature, snapshot
from tests.unit.small_precheck import GUARD_INSTALLED, OLD_SERVER, PLAIN, SYSTEM, change, world

WORLD = world()
SERVER = "acme-guard@10.0,role=server,group=One,without=Alerts"


def after(sections: dict[str, Any], *changes: tuple[ChangeKind, str] | Change, found: Matrix = WORLD) -> tuple[State, HostFacts]:
    detector = Detector(found.signatures)
    state = State(snapshot=snapshot("B", **sections))
    for one in changes:
        state = apply_change(state, one if isinstance(one, Change) else change(one[0], one[1], found), detector)
    return state, facts_of(state, detector)


def guard(facts: HostFacts) -> Product:
    (product,) = [p for p in facts.products if p.id == "acme-guard"]
    return product


def names(facts: HostFacts, section: str) -> list[str]:
    return sorted(record.name for record in facts.section(section).records)


def test_an_installation_brings_entry_service_driver_filter_and_settings() -> None:
    _, facts = after(PLAIN, ("install", SERVER))
    assert [(p.name, p.version) for p in facts.sections.programs.records] == [("Acme Guard Server", "10.0")]
    assert [(s.name, s.state, s.start) for s in facts.sections.services.records] == [("guardsvc", "running", "auto")]
    assert names(facts, "drivers") == ["guard", "guardnet"]
    assert [(f.name, f.altitude) for f in facts.sections.filters.records] == [("guard", "321000")]
    assert [(r.path, r.name, r.data) for r in facts.sections.security.records] == [(f"HKLM\\{KEY}\\Group", "Name", "One")]


def test_parts_hold_for_their_roles_and_versions() -> None:
    _, client = after(PLAIN, ("install", "acme-guard@9,role=unmanaged_client"))
    assert [p.name for p in client.sections.programs.records] == ["Acme Guard"]
    assert names(client, "drivers") == ["guard"], "guardnet comes with 10 only"


def test_the_product_is_what_was_stated() -> None:
    product = guard(after(PLAIN, ("install", SERVER))[1])
    assert (product.version, product.role, product.group, product.parent, product.active) == ("10.0", "server", "One", None, True)
    assert product.unknown == ()
    assert {(e.about, e.value) for e in product.evidence} >= {("version", "10.0"), ("role", "server"), ("group", "One")}
    assert {(e.section, e.record) for e in product.evidence} == {("change", f"--install {SERVER}")}


def test_what_was_not_stated_is_open_with_what_would_settle_it() -> None:
    _, facts = after(PLAIN, ("install", "acme-guard"))
    product = guard(facts)
    assert set(product.unknown) == {"role", "version", "parent", "group"}
    assert facts.doubts_of("acme-guard", "role")[0].endswith(
        "role is not stated: say role= and one of managed_client, server, unmanaged_client"
    )


def test_a_stated_parent_makes_a_managed_client() -> None:
    assert guard(after(PLAIN, ("install", "acme-guard@9,parent=A"))[1]).role == "managed_client"


def test_settings_and_drivers_that_nothing_is_said_of_are_open_not_absent() -> None:
    _, facts = after(PLAIN, ("install", SERVER))
    assert facts.unseen("security") is None, "other keys are as they were"
    assert facts.lost_key(f"{KEY}\\Anything below")
    assert facts.lost_key("SOFTWARE\\Other") == ()
    assert [gap.record for gap in facts.lost("drivers")] == ["guardold"]


def test_a_driver_whose_altitude_is_not_known_may_be_a_filter() -> None:
    quiet = signature({**GUARD_INSTALLED, "installs": [{"drivers": [{"name": "guard"}]}]})
    found = world(guard=None)
    _, facts = after(PLAIN, ("install", SERVER.replace(",without=Alerts", "")), found=Matrix(rules=(), signatures=(quiet,), digest="0"))
    assert facts.sections.filters.records == ()
    assert [gap.record for gap in facts.lost("filters")] == ["guard"]
    assert found.signatures


def test_a_product_without_installs_leaves_its_services_and_drivers_open() -> None:
    bare = signature(GUARD, services=["guardsvc"], drivers=["guard"])
    _, facts = after(PLAIN, ("install", "acme-guard@9,role=server"), found=Matrix(rules=(), signatures=(bare,), digest="0"))
    assert guard(facts).active is True
    for section in ("services", "drivers", "filters"):
        assert facts.lost(section)


def test_a_section_that_was_denied_stays_denied_and_shows_what_comes() -> None:
    _, facts = after(PLAIN | {"drivers": DENIED}, ("install", SERVER))
    assert facts.sections.drivers.status == "denied"
    assert names(facts, "drivers") == ["guard", "guardnet"]
    assert facts.unseen("drivers") == "B: drivers: access denied"


def test_a_removal_takes_what_belongs_to_the_product_only() -> None:
    state, facts = after(OLD_SERVER, ("remove", "acme-guard"))
    assert facts.products == ()
    assert names(facts, "drivers") == ["bad"]
    assert facts.sections.services.records == ()
    assert facts.sections.programs.records == ()
    assert facts.sections.security.records == ()
    assert {(e.section, e.record) for e in state.brought if e.field == "removed"} >= {("drivers", "guard"), ("services", "guardsvc")}


def test_what_another_product_names_too_stays() -> None:
    twin = {"id": "twin", "name": "Twin", "vendor": "T", "kind": "backup", "installed": [{"services": ["twinsvc"]}], "drivers": ["guard"]}
    found = world(others=(signature(twin),))
    hosts = OLD_SERVER | {"services": [*OLD_SERVER["services"], {"name": "twinsvc", "state": "running"}]}
    assert names(after(hosts, ("remove", "acme-guard"), found=found)[1], "drivers") == ["bad", "guard"]


def test_an_upgrade_keeps_role_and_ties_and_forgets_what_the_files_said() -> None:
    old = OLD_SERVER | {"drivers": [{"name": "guard", "state": "running", "file_version": "9.0.1", "sha256": "a" * 64, "start": "system"}]}
    _, facts = after(old, ("upgrade", "acme-guard@10.1"))
    product, (driver,) = guard(facts), facts.sections.drivers.records
    assert (product.version, product.role, product.group) == ("10.1", "server", "One")
    assert (driver.file_version, driver.sha256, driver.start, driver.state) == (None, None, "system", "running")
    assert facts.sections.programs.records[0].version == "10.1"
    assert facts.why("drivers", "guard", "file_version").endswith("it comes with the change, and is not known before")


def test_an_upgrade_may_state_another_group() -> None:
    assert guard(after(OLD_SERVER, ("upgrade", "acme-guard@10.1,group=Two"))[1]).group == "Two"


def test_an_upgrade_of_what_is_not_there_changes_nothing() -> None:
    assert after(PLAIN, ("upgrade", "acme-guard@10.1"))[1].products == ()
    blind = after(PLAIN | {"services": DENIED, "drivers": DENIED}, ("upgrade", "acme-guard@10.1"))[1]
    assert guard(blind).version == "10.1"


def test_an_installation_over_another_version_replaces_it() -> None:
    _, facts = after(OLD_SERVER, ("install", "acme-guard@10.0,role=unmanaged_client,without=Alerts"))
    assert (guard(facts).version, guard(facts).role, len(facts.sections.programs.records)) == ("10.0", "unmanaged_client", 1)


def test_another_windows() -> None:
    bundled = signature({**GUARD_INSTALLED, "comes_with": ["2022"]})
    found = Matrix(rules=(), signatures=(bundled,), digest="0")
    _, facts = after({"system": SYSTEM, "updates": [{"id": "KB1234567"}]}, ("os_upgrade", "2022"), found=found)
    assert (facts.generation, facts.system and facts.system.architecture) == ("2022", "x64")
    assert facts.sections.updates.records == ()
    assert facts.unseen("updates")
    assert guard(facts).active is True
    assert after({"system": SYSTEM}, ("os_upgrade", "2019"), found=found)[1].products == ()


@pytest.mark.parametrize("generation", ["2003", "2008", "2008r2", "2012", "2012r2", "2016", "2019", "2022", "2025"])
def test_every_server_is_recognised_as_what_it_was_said_to_be(generation: str) -> None:
    assert after({"system": SYSTEM}, ("os_upgrade", generation))[1].generation == generation


def _file(**fields: Any) -> Change:
    record = DriverRecord(
        name="bad", path="bad.sys", file_version="2.0", link_timestamp=5, sha256="b" * 64, state="running", file_exists=True
    )
    return Change(kind="driver", said="--driver bad.sys", driver=DriverFile(file="bad.sys", record=record, **fields))


def test_a_drivers_file_takes_the_place_of_the_one_that_is_there() -> None:
    old = {
        "system": SYSTEM,
        "drivers": [{"name": "BadSvc", "path": "C:\\x\\bad.sys", "file_version": "1.0", "start": "boot", "group": "G"}],
    }
    _, facts = after(old, _file(filter=False))
    (driver,) = [d for d in facts.sections.drivers.records if d.file_version == "2.0"]
    assert (driver.name, driver.start, driver.group, driver.sha256) == ("BadSvc", "boot", "G", "b" * 64)
    assert len(facts.sections.drivers.records) == 1


@pytest.mark.parametrize(("filter_", "open_"), [(False, False), (True, True), (None, True)])
def test_a_new_driver_may_be_a_filter(filter_: bool | None, open_: bool) -> None:
    _, facts = after(PLAIN, _file(filter=filter_))
    assert names(facts, "drivers") == ["bad"]
    assert bool(facts.lost("filters")) is open_


def test_a_filter_that_is_known_has_its_altitude() -> None:
    record = DriverRecord(name="guard", path="guard.sys", state="running")
    one = Change(kind="driver", said="--driver guard.sys", driver=DriverFile(file="guard.sys", record=record, filter=True))
    assert [(f.name, f.altitude) for f in after(PLAIN, one)[1].sections.filters.records] == [("guard", "321000")]
    assert kept("a", "b")["kind"] == "registry"


@pytest.mark.parametrize(("filter_", "altitudes"), [(True, ["389999.5", "41000"]), (False, []), (None, [])])
def test_a_filter_of_the_tables_has_the_altitudes_that_were_given_to_it(filter_: bool | None, altitudes: list[str]) -> None:
    owners = {"389999.5": frozenset({"bad"}), "41000": frozenset({"other", "bad"}), "42000": frozenset({"other"})}
    table = AltitudesTable(id="a", source="s", licence="l", date="2026-01-01", owners=owners)
    change = with_altitudes(_file(filter=filter_), {"a": table})
    assert [f.altitude for f in after(PLAIN, change)[1].sections.filters.records] == altitudes
    assert with_altitudes(Change(kind="remove", said="x", product="guard"), {"a": table}).driver is None
