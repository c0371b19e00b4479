"""The sections system and network over WMI: the same rows as the scripts', field by field from the same places (`docs/probe.md`)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from auditor.model.errors import CollectError
from auditor.model.times import stamp
from auditor.probes.wmi.properties import moment_of, number_of, since_epoch, text_of, texts_of, time_of, trimmed, truth_of, whole_number
from auditor.probes.wmi.questions import Instance, Steps
from auditor.probes.wmi.registry import ENVIRONMENT
from auditor.probes.wmi.sheet import Sheet
from auditor.probes.wmi.survey import CONTROL_KEY, SERVICES_KEY, VERSION_KEY, Survey

_PRODUCTS = {"WinNT": "workstation", "LanmanNT": "domain_controller", "ServerNT": "server"}
_ARCHITECTURES = {"x86": "x86", "AMD64": "x64", "ARM64": "arm64", "IA64": "ia64"}
_ROLES = (
    ("dns", "DNS"), ("dhcp", "DHCPServer"), ("cluster", "ClusSvc"), ("hyperv", "vmms"), ("iis", "W3SVC"), ("sql", "MSSQLSERVER"),
    ("exchange", "MSExchangeIS"),
)  # fmt: skip
_AUTO, _DISABLED = 2, 4
_ADAPTERS = "SELECT * FROM Win32_NetworkAdapterConfiguration WHERE IPEnabled=TRUE"


def system(survey: Survey, sheet: Sheet) -> Steps[None]:
    """One row; powershell_version stays null, for no engine was asked."""
    registry = survey.registry
    product = _PRODUCTS.get((yield from registry.text(rf"{CONTROL_KEY}\ProductOptions", "ProductType")) or "")
    row = sheet.row(powershell_version=None, product_type=product)
    row |= yield from _version(survey)
    row |= yield from _language(survey)
    row["architecture"] = _ARCHITECTURES.get((yield from registry.text(ENVIRONMENT, "PROCESSOR_ARCHITECTURE")) or "")
    row["roles"] = yield from _roles(survey, product)
    row["windows_directory"] = yield from survey.windows()
    row["pending_reboot"] = yield from _optional(sheet, "pending_reboot", _pending(survey))
    row |= yield from _zone(survey)
    yield from _by_classes(survey, sheet, row)


def _optional(sheet: Sheet, field: str, steps: Steps[Any]) -> Steps[Any]:
    return (yield from _or_gap(sheet, "system", field, steps))


def _or_gap(sheet: Sheet, record: str, field: str, steps: Steps[Any]) -> Steps[Any]:
    """What the steps give; where the host refuses them, null and a gap."""
    try:
        return (yield from steps)
    except CollectError as error:
        if error.status == "timed_out":
            raise
        sheet.gap(record, field, error.message)
        return None


def _version(survey: Survey) -> Steps[dict[str, Any]]:
    registry = survey.registry
    build = yield from registry.text(VERSION_KEY, "CurrentBuildNumber")
    installed = yield from registry.number(VERSION_KEY, "InstallDate")
    pack = yield from registry.number(rf"{CONTROL_KEY}\Windows", "CSDVersion")
    name = yield from registry.text(VERSION_KEY, "ProductName")
    return {
        "caption": (name or "").strip() or None,
        "version": f"{yield from survey.version()}.{build}",
        "build": whole_number(build),
        "revision": (yield from registry.number(VERSION_KEY, "UBR")),
        "edition": (yield from registry.text(VERSION_KEY, "EditionID")),
        "service_pack": pack // 256 if pack is not None else None,
        "installed_at": since_epoch(installed),
    }


def _language(survey: Survey) -> Steps[dict[str, Any]]:
    key = rf"{CONTROL_KEY}\Nls\Language"
    locale = yield from survey.registry.text(key, "Default")
    installed = yield from survey.registry.text(key, "InstallLanguage")
    page = yield from survey.registry.text(rf"{CONTROL_KEY}\Nls\CodePage", "OEMCP")
    return {
        "locale": locale.lower() if locale else None,
        "ui_language": installed.lower() if installed else None,
        "code_page": whole_number(page) or None,
    }


def _roles(survey: Survey, product: str | None) -> Steps[list[str]]:
    registry = survey.registry
    roles = ["domain_controller"] if product == "domain_controller" else []
    names = [name for name in (yield from registry.subkeys(SERVICES_KEY)) if name.upper().startswith("MSSQL$")]
    for role, service in _ROLES:
        for name in [service, *(names if role == "sql" else [])]:
            if (yield from _start(survey, name)) not in (None, _DISABLED):
                roles.append(role)
                break
    if product != "workstation":
        starts = ((yield from _start(survey, "DFSR")), (yield from _start(survey, "NtFrs")))
        roles += ["file_replication"] if _AUTO in starts else []
    if (yield from registry.number(rf"{CONTROL_KEY}\Terminal Server", "TSAppCompat")) == 1:
        roles.append("terminal_server")
    return roles


def _start(survey: Survey, name: str) -> Steps[int | None]:
    return (yield from survey.registry.number(rf"{SERVICES_KEY}\{name}", "Start"))


def _pending(survey: Survey) -> Steps[list[str]]:
    registry, base = survey.registry, r"SOFTWARE\Microsoft\Windows\CurrentVersion"
    names = rf"{CONTROL_KEY}\ComputerName"
    active = yield from registry.text(rf"{names}\ActiveComputerName", "ComputerName")
    found = {
        "component_servicing": (yield from registry.exists(rf"{base}\Component Based Servicing\RebootPending")),
        "windows_update": (yield from registry.exists(rf"{base}\WindowsUpdate\Auto Update\RebootRequired")),
        "file_rename": bool((yield from registry.items(rf"{CONTROL_KEY}\Session Manager", "PendingFileRenameOperations"))),
        "computer_rename": (active or "").upper() != ((yield from registry.text(rf"{names}\ComputerName", "ComputerName")) or "").upper(),
    }
    return [word for word, pending in found.items() if pending]


def _zone(survey: Survey) -> Steps[dict[str, Any]]:
    registry, key = survey.registry, rf"{CONTROL_KEY}\TimeZoneInformation"
    standard = yield from registry.binary(key, "StandardStart")
    daylight = yield from registry.binary(key, "DaylightStart")
    off = (yield from registry.number(key, "DisableAutoDaylightTimeSet")) == 1
    off |= (yield from registry.number(key, "DynamicDaylightTimeDisabled")) == 1
    off |= daylight is not None and daylight[2:4] == b"\0\0"
    bias = _signed((yield from registry.number(key, "DaylightBias")))
    return {
        "time_zone": (yield from _zone_name(survey, key)),
        "bias_minutes": _signed((yield from registry.number(key, "Bias"))),
        "daylight_bias_minutes": 0 if off else bias,
        "standard_start": standard.hex() if standard else None,
        "daylight_start": daylight.hex() if daylight else None,
    }


def _zone_name(survey: Survey, key: str) -> Steps[str | None]:
    name = yield from survey.registry.text(key, "TimeZoneKeyName")
    if name:
        return name.split("\0")[0] or None
    standard = yield from survey.registry.text(key, "StandardName")
    zones = rf"{VERSION_KEY}\Time Zones"
    for zone in (yield from survey.registry.subkeys(zones)) if standard else []:
        if (yield from survey.registry.text(rf"{zones}\{zone}", "Std")) == standard:
            return zone
    return None


def _signed(number: int | None) -> int | None:
    return number - (1 << 32) if number is not None and number >= 1 << 31 else number


def _by_classes(survey: Survey, sheet: Sheet, row: dict[str, Any]) -> Steps[None]:
    """What only the classes tell. The host's clock is in the row as it was when the host was first asked."""
    found = yield from survey.operating_system()
    computer = (yield from _optional(sheet, "manufacturer", survey.computer())) or {}
    row["caption"] = trimmed(found, "Caption") or row["caption"]
    row["boot_time"] = time_of(found, "LastBootUpTime")
    row["manufacturer"], row["model"] = trimmed(computer, "Manufacturer"), trimmed(computer, "Model")
    moment, offset = moment_of(found, "LocalDateTime"), number_of(found, "CurrentTimeZone")
    row["utc_time"], row["utc_offset_minutes"] = stamp(moment) if moment else None, offset
    if moment and offset is not None and abs(offset) <= 15 * 60:
        row["local_time"] = (moment + timedelta(minutes=offset)).strftime("%Y-%m-%dT%H:%M:%S")


def network(survey: Survey, sheet: Sheet) -> Steps[None]:
    """One row."""
    tcpip, registry = rf"{SERVICES_KEY}\Tcpip\Parameters", survey.registry
    host = (yield from registry.text(tcpip, "NV Hostname")) or (yield from registry.text(tcpip, "Hostname"))
    active = yield from registry.text(rf"{CONTROL_KEY}\ComputerName\ActiveComputerName", "ComputerName")
    computer = (yield from _or_gap(sheet, "network", "domain", survey.computer())) or {}
    adapters = (yield from _or_gap(sheet, "network", "adapters", survey.once(_ADAPTERS))) or []
    sheet.row(
        computer_name=text_of(computer, "Name") or active,
        host_name=text_of(computer, "DNSHostName") or host,
        domain=text_of(computer, "Domain"),
        part_of_domain=truth_of(computer, "PartOfDomain"),
        dns_suffixes=(yield from _suffixes(survey, tcpip)),
        optional_names=(yield from registry.items(rf"{SERVICES_KEY}\LanmanServer\Parameters", "OptionalNames")),
        adapters=[_adapter(found) for found in adapters],
        time_server=(yield from registry.text(rf"{SERVICES_KEY}\W32Time\Parameters", "NtpServer")),
    )


def _suffixes(survey: Survey, tcpip: str) -> Steps[list[str]]:
    domain = yield from survey.registry.text(tcpip, "NV Domain")
    searched = yield from survey.registry.text(tcpip, "SearchList")
    found: dict[str, str] = {}
    for item in re.split("[, ]", f"{domain or ''},{searched or ''}"):
        if item:
            found.setdefault(item.lower(), item)
    return list(found.values())


def _adapter(found: Instance) -> dict[str, Any]:
    return {
        "description": text_of(found, "Description"),
        "addresses": texts_of(found, "IPAddress"),
        "gateways": texts_of(found, "DefaultIPGateway"),
        "dns_servers": texts_of(found, "DNSServerSearchOrder"),
        "dhcp_enabled": truth_of(found, "DHCPEnabled"),
        "dhcp_server": text_of(found, "DHCPServer"),
        "mac": text_of(found, "MACAddress"),
    }
