"""The sections defender and firewall over WMI: the same rows as the scripts' (`docs/probe.md`), without what stands in files."""

from __future__ import annotations

from auditor.model.errors import CollectError
from auditor.probes.wmi.properties import number_of, text_of, texts_of, time_of, truth_of
from auditor.probes.wmi.questions import Instance, Steps, ask
from auditor.probes.wmi.sheet import NO_CONTENTS, Sheet
from auditor.probes.wmi.survey import CONTROL_KEY, SERVICES_KEY, VERSION_KEY, Survey

_DEFENDER = "root/Microsoft/Windows/Defender"
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
_POLICY = r"SOFTWARE\Policies\Microsoft\WindowsFirewall"
_FIREWALL = rf"{SERVICES_KEY}\SharedAccess\Parameters\FirewallPolicy"


def defender(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Defender's own words, and on clients those of Security Center."""
    client = (yield from survey.registry.text(rf"{CONTROL_KEY}\ProductOptions", "ProductType")) == "WinNT"
    if client:
        yield from _security_center(survey, sheet)
    try:
        found = yield from ask("SELECT * FROM MSFT_MpComputerStatus", namespace=_DEFENDER)
    except CollectError as error:
        if error.status == "unsupported" and not client and (yield from _has_none(survey)):
            return
        if error.status == "timed_out" or not sheet.rows:
            words = f"{_ABSENT} ({error.message})" if error.status == "unsupported" else error.message
            raise CollectError(error.host, words, status=error.status) from error
        if error.status != "unsupported":
            sheet.gap(_OWN, "", error.message)
        return
    if not found:
        raise CollectError("", "Defender is there, and says nothing of its state")
    yield from _own(sheet, found[0])


def _has_none(survey: Survey) -> Steps[bool]:
    """Whether servers of this generation come without Defender, and none was added: then there is none to tell of."""
    build = (yield from survey.registry.text(VERSION_KEY, "CurrentBuildNumber")) or ""
    if not build.isascii() or not build.isdigit() or int(build[:9]) >= _FIRST_BUILD:
        return False
    return not (yield from survey.registry.exists(rf"{SERVICES_KEY}\WinDefend"))


def _own(sheet: Sheet, found: Instance) -> Steps[None]:
    late = truth_of(found, "DefenderSignaturesOutOfDate")
    row = sheet.row(
        source="defender",
        name=_OWN,
        running_mode=text_of(found, "AMRunningMode"),
        product_version=text_of(found, "AMProductVersion"),
        engine_version=text_of(found, "AMEngineVersion"),
        enabled=truth_of(found, "AntivirusEnabled"),
        real_time=truth_of(found, "RealTimeProtectionEnabled"),
        up_to_date=None if late is None else not late,
        tamper_protected=truth_of(found, "IsTamperProtected"),
        exclusions=None,
        definitions_version=text_of(found, "AntivirusSignatureVersion"),
        definitions_updated=time_of(found, "AntivirusSignatureLastUpdated"),
    )
    try:
        row["exclusions"] = yield from _exclusions(sheet)
    except CollectError as error:
        sheet.gap(_OWN, "exclusions", error.message)


def _exclusions(sheet: Sheet) -> Steps[list[str] | None]:
    """What is excluded; None with a gap where it is hidden."""
    excluded: list[str] = []
    for preference in (yield from ask("SELECT * FROM MSFT_MpPreference", namespace=_DEFENDER)):
        for name, kind in _KINDS:
            for text in texts_of(preference, name):
                if text.startswith("N/A:"):
                    sheet.gap(_OWN, "exclusions", f"hidden from this account: {text}")
                    return None
                excluded.append(f"{kind} {text}")
    return excluded


def _security_center(survey: Survey, sheet: Sheet) -> Steps[None]:
    namespace = "root/SecurityCenter2" if (yield from survey.generation()) >= 600 else "root/SecurityCenter"
    try:
        products = yield from ask("SELECT * FROM AntiVirusProduct", namespace=namespace)
    except CollectError as error:
        if error.status == "timed_out":
            raise
        sheet.gap("securitycenter", "", error.message)
        return
    for product in products:
        state = number_of(product, "productState")
        enabled, fresh = truth_of(product, "onAccessScanningEnabled"), truth_of(product, "productUptoDate")
        if state is not None:
            on, late = state >> 12 & 0xF, state & 0xFF
            enabled, fresh = (on == 1 if on <= 3 else None), {0: True, 0x10: False}.get(late)
        sheet.row(source="securitycenter", name=text_of(product, "displayName"), product_state=state, enabled=enabled, up_to_date=fresh)


def firewall(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Profiles from the registry; what the logs hold is a gap."""
    there = {name.upper() for name in (yield from survey.registry.subkeys(_FIREWALL))}
    if not there:
        raise CollectError("", "this Windows keeps no firewall profiles in its registry", status="unsupported")
    private = "private" if (yield from survey.generation()) >= 600 else "standard"
    for name, key in (("domain", "DomainProfile"), (private, "StandardProfile"), ("public", "PublicProfile")):
        if key.upper() in there:
            yield from _profile(survey, sheet, name, key)
    for row in list(sheet.rows):
        if row["log_path"]:
            sheet.gap(row["log_path"], "dropped", f"{NO_CONTENTS}: its entries are not counted")
    for glob in survey.request.intrusion_logs:
        sheet.gap(glob, "attacks", f"{NO_CONTENTS}: its entries are not counted")


def _profile(survey: Survey, sheet: Sheet, name: str, key: str) -> Steps[None]:
    keys = [rf"{_POLICY}\PrivateProfile"] if key == "StandardProfile" else []
    keys += [rf"{_POLICY}\{key}", rf"{_FIREWALL}\{key}"]
    enabled: int | None = None
    log: str | None = None
    for path in keys:
        enabled = enabled if enabled is not None else (yield from survey.registry.number(path, "EnableFirewall"))
        log = log or (yield from survey.registry.text(rf"{path}\Logging", "LogFilePath"))
    sheet.row(profile=name, enabled=None if enabled is None else enabled != 0, log_path=log)
    if enabled is None:
        sheet.gap(name, "enabled", "neither policy nor setting says whether it is on")
