"""The sections programs, services and filters over WMI: the same rows as the scripts', field by field (`docs/probe.md`)."""

from __future__ import annotations

from auditor.model.errors import CollectError
from auditor.probes.wmi.entries import Entry, account_of, display_name, each, entries, note_replaced, start_of
from auditor.probes.wmi.questions import Steps
from auditor.probes.wmi.registry import Registry
from auditor.probes.wmi.sheet import Sheet
from auditor.probes.wmi.survey import CONTROL_KEY, Survey

_UNINSTALL = r"Microsoft\Windows\CurrentVersion\Uninstall"
_PROGRAM_TEXTS = {
    "DisplayName": "name", "DisplayVersion": "version", "Publisher": "publisher", "InstallDate": "install_date",
    "InstallLocation": "install_location", "UninstallString": "uninstall_string", "QuietUninstallString": "quiet_uninstall_string",
    "ParentKeyName": "parent",
}  # fmt: skip
_SERVICE_TYPES = {0x10: "own_process", 0x20: "share_process", 0x50: "user_own", 0x60: "user_share"}
_INTERACTIVE = 0x100


def programs(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Every uninstall entry of both views."""
    for view, root in (("native", "SOFTWARE"), ("wow64", r"SOFTWARE\Wow6432Node")):
        for name in (yield from survey.registry.subkeys(rf"{root}\{_UNINSTALL}")):
            try:
                yield from _program(survey.registry, sheet, view, rf"{root}\{_UNINSTALL}\{name}", name)
            except CollectError as error:
                if error.status == "timed_out":
                    raise
                sheet.gap(name, "", error.message)


def _program(registry: Registry, sheet: Sheet, view: str, key: str, name: str) -> Steps[None]:
    """The names of the values are asked first: most entries lack most of them."""
    known = {value.upper(): value for value in (yield from registry.values(key)) or {}}
    texts: dict[str, str | None] = dict.fromkeys(_PROGRAM_TEXTS.values())
    for value, field in _PROGRAM_TEXTS.items():
        if value.upper() in known:
            texts[field] = yield from registry.text(key, value)
    component = (yield from registry.number(key, "SystemComponent")) if "SYSTEMCOMPONENT" in known else None
    sheet.row(key=name, view=view, system_component=component == 1, **texts)


def services(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Every Win32 service but the instances of per-user services."""
    found = [entry for entry in (yield from entries(survey, sheet, "Win32_Service")) if entry.is_service]
    yield from each(sheet, found, lambda entry: _service(survey.registry, sheet, entry))
    yield from note_replaced(survey.registry, sheet, "image_path")


def _service(registry: Registry, sheet: Sheet, entry: Entry) -> Steps[None]:
    key = entry.key
    known = {value.upper() for value in (yield from registry.values(key)) or {}}
    texts: dict[str, str | None] = {}
    for value, field in (("ImagePath", "image_path"), ("Group", "group"), ("Description", "description")):
        texts[field] = (yield from registry.text(key, value)) if value.upper() in known else None
    delayed = (yield from registry.number(key, "DelayedAutostart")) if "DELAYEDAUTOSTART" in known else None
    groups = (yield from registry.items(key, "DependOnGroup")) if "DEPENDONGROUP" in known else []
    library = yield from registry.text(rf"{key}\Parameters", "ServiceDll")
    if library is None and "SERVICEDLL" in known:
        library = yield from registry.text(key, "ServiceDll")
    sheet.row(
        name=entry.name,
        display_name=(yield from display_name(registry, entry)),
        service_dll=library,
        start=(yield from start_of(registry, entry)),
        delayed=delayed == 1,
        account=(yield from account_of(registry, entry)),
        type=_SERVICE_TYPES.get(entry.type & ~_INTERACTIVE, "other"),
        state=entry.state,
        depends_on=[
            *((yield from registry.items(key, "DependOnService")) if "DEPENDONSERVICE" in known else []),
            *(f"+{name}" for name in groups),
        ],
        pid=entry.process,
        **texts,
    )


def filters(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Minifilter instances, legacy filters, class filters."""
    found = yield from entries(survey, sheet)
    yield from each(sheet, found, lambda entry: _filter(survey.registry, sheet, entry))
    yield from _class_filters(survey.registry, sheet)


def _filter(registry: Registry, sheet: Sheet, entry: Entry) -> Steps[None]:
    seen: set[str] = set()
    below = {name.upper() for name in (yield from registry.subkeys(entry.key))}
    places = [rf"{entry.key}\Instances"] if "INSTANCES" in below else []
    if "PARAMETERS" in below and "INSTANCES" in {name.upper() for name in (yield from registry.subkeys(rf"{entry.key}\Parameters"))}:
        places.append(rf"{entry.key}\Parameters\Instances")
    for place in places:
        for name in (yield from registry.subkeys(place)):
            if name.upper() not in seen:
                seen.add(name.upper())
                altitude = yield from registry.text(rf"{place}\{name}", "Altitude")
                flags = yield from registry.number(rf"{place}\{name}", "Flags")
                sheet.row(name=entry.name, instance=name, altitude=altitude, flags=flags)
    if entry.is_driver and not places and entry.name.upper() != "FLTMGR":
        group = ((yield from registry.text(entry.key, "Group")) or "").upper()
        if group.startswith("FSFILTER") or (group == "FILTER" and entry.type == 2):
            sheet.row(name=entry.name, legacy=True)


def _class_filters(registry: Registry, sheet: Sheet) -> Steps[None]:
    parent = rf"{CONTROL_KEY}\Class"
    for guid in (yield from registry.subkeys(parent)):
        if not guid.startswith("{"):
            continue
        try:
            known = (yield from registry.values(rf"{parent}\{guid}")) or {}
            for side, value in (("upper", "UpperFilters"), ("lower", "LowerFilters")):
                for name in (yield from registry.items(rf"{parent}\{guid}", value)) if value in known else []:
                    sheet.row(name=name, class_filter=side, device_class=guid)
        except CollectError as error:
            if error.status == "timed_out":
                raise
            sheet.gap(guid, "class_filter", error.message)
