"""Answer of the section defender: Microsoft Defender's own words and, on clients, those of Security Center. Pure.

Follows `docs/probe.md` and `probes/defender/defender.ps1`.
"""

from __future__ import annotations

from typing import Any

from auditor.lab.answers_software import DENIED
from auditor.lab.answers_system import ask_wmi, cim_utc
from auditor.lab.machine import CURRENT_VERSION, SERVICES, Machine
from auditor.lab.sheet import Ask, Ended, Sheet, or_null
from auditor.lab.wmi import DEFENDER, Instance

_OWN = "Microsoft Defender Antivirus"
_ABSENT = "this Windows has no Defender that tells of itself, and Security Center is on clients only"
_FIRST_BUILD = 14393
"""Windows Server 2016, the first server that comes with Defender."""
_KINDS = (
    ("ExclusionPath", "path"),
    ("ExclusionExtension", "extension"),
    ("ExclusionProcess", "process"),
    ("ExclusionIpAddress", "address"),
)


def defender(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Defender's row and, on clients, a row for each product that is registered with Security Center."""
    client = machine.facts.system.product_type == "workstation"
    if client:
        _security_center(machine, sheet)
    try:
        found = ask_wmi(machine, sheet, "MSFT_MpComputerStatus", DEFENDER)
    except Ended as error:
        if error.status == "unsupported" and not client and _has_none(machine):
            return
        if not client or not sheet.rows:
            raise Ended(error.status, f"{_ABSENT} ({error.reason})" if error.status == "unsupported" else error.reason) from error
        if error.status != "unsupported":
            sheet.gap(_OWN, "", error.reason)
        return
    row = _status(sheet, found[0])
    try:
        row["exclusions"] = _exclusions(machine, sheet)
    except Ended as error:
        sheet.gap(_OWN, "exclusions", error.reason)


def _has_none(machine: Machine) -> bool:
    """Whether servers of this generation come without Defender, and none was added."""
    build = machine.registry.text(CURRENT_VERSION, "CurrentBuildNumber") or ""
    if not build.isascii() or not build.isdigit() or int(build[:9]) >= _FIRST_BUILD:
        return False
    service = rf"{SERVICES}\WinDefend"
    if not machine.may_read(service):
        raise Ended("denied", DENIED)
    return machine.registry.key(service) is None


def _status(sheet: Sheet, found: Instance) -> dict[str, Any]:
    late = found.get("DefenderSignaturesOutOfDate")
    return sheet.row(
        source="defender",
        name=_OWN,
        running_mode=or_null(found.get("AMRunningMode")),
        product_version=or_null(found["AMProductVersion"]),
        engine_version=or_null(found["AMEngineVersion"]),
        enabled=found["AntivirusEnabled"],
        real_time=found["RealTimeProtectionEnabled"],
        up_to_date=None if late is None else not late,
        tamper_protected=found.get("IsTamperProtected"),
        exclusions=None,
        definitions_version=or_null(found["AntivirusSignatureVersion"]),
        definitions_updated=cim_utc(found["AntivirusSignatureLastUpdated"]),
    )


def _exclusions(machine: Machine, sheet: Sheet) -> list[str] | None:
    """What is excluded; None with a gap where it is hidden."""
    excluded: list[str] = []
    for preference in ask_wmi(machine, sheet, "MSFT_MpPreference", DEFENDER):
        for name, kind in _KINDS:
            for text in preference.get(name) or ():
                if text.startswith("N/A:"):
                    sheet.gap(_OWN, "exclusions", f"hidden from this account: {text}")
                    return None
                excluded.append(f"{kind} {text}")
    return excluded


def _security_center(machine: Machine, sheet: Sheet) -> None:
    namespace = r"root\SecurityCenter" if machine.legacy else r"root\SecurityCenter2"
    try:
        products = ask_wmi(machine, sheet, "AntiVirusProduct", namespace)
    except Ended as error:
        sheet.gap("securitycenter", "", error.reason)
        return
    for product in products:
        state = product.get("productState")
        enabled, fresh = product.get("onAccessScanningEnabled"), product.get("productUptoDate")
        if state is not None:
            on, late = state >> 12 & 0xF, state & 0xFF
            enabled, fresh = (on == 1 if on <= 3 else None), {0: True, 0x10: False}.get(late)
        sheet.row(source="securitycenter", name=product["displayName"], product_state=state, enabled=enabled, up_to_date=fresh)
