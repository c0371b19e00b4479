"""What an installation makes of a host: its uninstall entry, services, drivers, filters and settings, and the product as it was stated.

Rules of this file:
1. The signature's `installs` says what comes; what it does not say is a gap, so that no rule takes it for absent.
2. What is installed is taken to run afterwards, unless the signature says otherwise.
3. Values of the product are those that the change states. A group, a parent or a version that is not stated is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.analysis.conditions.condition import selectors_of
from auditor.analysis.precheck.parts import Package, package_of
from auditor.analysis.precheck.state import MAY_COME, OPEN_FILTER, WRITES_IT, State
from auditor.model.finding import Evidence, Product, ProductRole
from auditor.model.host import DriverRecord, FilterRecord, ProgramRecord, SecurityRecord, ServiceRecord, SystemRecord
from auditor.model.pattern import is_glob
from auditor.model.selector import FileSelector, SettingSelector
from auditor.model.signature import BroughtDriver, Signature
from auditor.model.whatif import CHANGE_SECTION, Change

_POLICIES = "software\\policies\\"
_CLIENTS = ("managed_client", "client")


def install(state: State, change: Change, signature: Signature, signatures: Iterable[Signature]) -> State:
    """The host with a product installed. `signatures` are those of all products: what is theirs it does not write."""
    package = package_of(signature, change, architecture_of(state))
    state = _programs(state, change, signature, package)
    state = _services(state, change, signature, package)
    state = _drivers(state, change, signature, package)
    state = _settings(state, change, signature, signatures)
    product, doubts = stated_product(state.host, change, signature)
    return state.with_product(product, doubts)


def architecture_of(state: State) -> str | None:
    """Architecture of the host's Windows."""
    records: tuple[SystemRecord, ...] = state.section("system").records
    return records[0].architecture if records else None


def _programs(state: State, change: Change, signature: Signature, package: Package) -> State:
    records = [
        ProgramRecord(key=f"{CHANGE_SECTION}:{signature.id}", view="native", name=name, version=change.version, publisher=signature.vendor)
        for name in package.programs[:1]
    ]
    return state.with_records("programs", records, change.said)


def _services(state: State, change: Change, signature: Signature, package: Package) -> State:
    records = [
        ServiceRecord(name=s.name, start=s.start, state=None if s.runs is None else "running" if s.runs else "stopped")
        for s in package.services
    ]
    state = state.with_records("services", records, change.said)
    named = {service.name.casefold() for service in package.services}
    for part, settle in package.maybe:
        state = state.with_gaps("services", (s.name for s in part.services or () if s.name.casefold() not in named), settle)
    if package.services_known:
        return state
    return state.with_gaps("services", _others(signature.services, named, state.section("services").records), MAY_COME)


def _drivers(state: State, change: Change, signature: Signature, package: Package) -> State:
    state = state.with_records("drivers", [driver_record(driver) for driver in package.drivers], change.said)
    filters = [record for driver in package.drivers for record in filter_records(driver)]
    state = state.with_records("filters", filters, change.said)
    open_filters = [driver.name for driver in package.drivers if driver.altitudes is None and not driver.legacy]
    state = state.with_gaps("filters", open_filters, OPEN_FILTER)
    named = {driver.name.casefold() for driver in package.drivers}
    for part, settle in package.maybe:
        names = [driver.name for driver in part.drivers or () if driver.name.casefold() not in named]
        state = state.with_gaps("drivers", names, settle).with_gaps("filters", names, settle)
    others = _others(signature.drivers, named, state.section("drivers").records)
    state = state.with_gaps("drivers", others, MAY_COME)
    return state if package.drivers_known else state.with_gaps("filters", others, MAY_COME)


def _others(names: Iterable[str], named: set[str], there: Iterable[ServiceRecord | DriverRecord]) -> list[str]:
    """Names of a signature that nothing is said of and that are not there already."""
    known = named | {record.name.casefold() for record in there}
    return [name for name in names if not is_glob(name) and name.casefold() not in known]


def driver_record(driver: BroughtDriver) -> DriverRecord:
    """The record of a driver that comes; its file is not known."""
    return DriverRecord(
        name=driver.name,
        path=f"{driver.name}.sys",
        type="file_system" if driver.altitudes or driver.legacy else "kernel",
        start=driver.start,
        state=None if driver.runs is None else "running" if driver.runs else "stopped",
        group=driver.group,
        file_exists=True,
        company=driver.company,
    )


def filter_records(driver: BroughtDriver) -> Iterator[FilterRecord]:
    """Its minifilter instances, or the legacy filter that it is."""
    for altitude in driver.altitudes or ():
        yield FilterRecord(name=driver.name, instance=driver.name, altitude=altitude)
    if driver.legacy:
        yield FilterRecord(name=driver.name, legacy=True)


def _settings(state: State, change: Change, signature: Signature, signatures: Iterable[Signature]) -> State:
    """Settings that the change states, and gaps for all others that the product keeps."""
    records = []
    for field in ("parent", "group"):
        value = getattr(change, field)
        source = next(
            (s.registry for s in getattr(signature, field) if s.registry and s.decode == "text" and not is_glob(s.registry.key)), None
        )
        if value and source:
            records.append(SecurityRecord(kind="registry", path=f"HKLM\\{source.key}", name=source.value, type="REG_SZ", data=value))
    state = state.with_records("security", records, change.said)
    return state.with_gaps("security", kept_places(signature, signatures), f"the installation{WRITES_IT}")


def kept_places(signature: Signature, signatures: Iterable[Signature]) -> list[str]:
    """Registry keys (with their hive) and files that a product keeps its values in, as its signature names them.

    Policies are written by nobody's installer, and what another product is recognised by is that product's.
    """
    signs = [*signature.installed, *signature.remnant]
    keys = [source.key for group in signs for source in group.registry]
    files = [source.path for group in signs for source in group.files]
    for value in (*signature.version, *signature.engine, *signature.definitions, *signature.parent, *signature.group):
        keys += [value.registry.key] if value.registry else []
        files += [value.file.path] if value.file else []
    own = {key.casefold() for key in keys}
    conditions = [sign.when for sign in (*signature.roles, *signature.editions)] + [signature.active]
    for condition in conditions:
        for _, selector in selectors_of(condition) if condition is not None else ():
            keys += [selector.key] if isinstance(selector, SettingSelector) else []
            files += [selector.path] if isinstance(selector, FileSelector) else []
    others = {source.key.casefold() for s in signatures if s.id != signature.id for group in s.installed for source in group.registry} - own
    written = [key for key in keys if key.casefold() not in others and not key.casefold().startswith(_POLICIES)]
    return list(dict.fromkeys([*(f"HKLM\\{key}" for key in written), *files]))


def stated_product(host: str, change: Change, signature: Signature) -> tuple[Product, dict[str, tuple[str, ...]]]:
    """The product as an installation states it, and its open fields with what would settle each."""
    doubts: dict[str, tuple[str, ...]] = {}

    def open_(field: str, settle: str) -> None:
        doubts[field] = (f"{host}: {CHANGE_SECTION}: {signature.id}: {field} is not stated: {settle}",)

    role, parent, group = _role(change, signature), change.parent, change.group
    if role is None and signature.roles:
        open_("role", f"say role= and one of {', '.join(dict.fromkeys(sign.is_ for sign in signature.roles))}")
    if change.version is None:
        open_("version", f"say {signature.id}@VERSION")
    if parent is None and signature.parent and role in (None, *_CLIENTS):
        open_("parent", "say parent=NAME, or parent= for none")
    if group is None and signature.group and role != "unmanaged_client":
        open_("group", "say group=NAME, or group= for none")
    for field in ("engine", "definitions"):
        if getattr(signature, field):
            open_(field, "it is known after the first update")
    if signature.editions:
        open_("edition", "it is known after the installation")
    stated = {"presence": signature.id, "version": change.version, "role": role, "parent": parent, "group": group}
    product = Product(
        host=host,
        id=signature.id,
        name=signature.name,
        vendor=signature.vendor,
        role=role or "unknown",
        version=change.version,
        parent=parent or None,
        group=group or None,
        active=True if signature.active is not None else None,
        confidence="confirmed",
        evidence=tuple(change_evidence(host, change, field, value) for field, value in stated.items() if value),
    )
    return product, doubts


def change_evidence(host: str, change: Change, about: str, value: str) -> Evidence:
    """The change as the evidence of what it states."""
    field = "" if about == "presence" else about
    return Evidence(host=host, section=CHANGE_SECTION, record=change.said, field=field, value=value, about=about, confidence="confirmed")


def _role(change: Change, signature: Signature) -> ProductRole | None:
    """The role that is stated, or the only one that a stated parent leaves."""
    if change.role is not None:
        return change.role
    roles = {sign.is_ for sign in signature.roles}
    return "managed_client" if change.parent and "managed_client" in roles and "server" in roles else None
