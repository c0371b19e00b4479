"""Which Windows a debugger's text speaks of: generation, build, architecture, product type. Only what the text states."""

from __future__ import annotations

import re

from auditor.analysis.crash.windbg_draft import Draft
from auditor.analysis.host.generation import generation
from auditor.model.crash import Architecture, CrashOs, ProductType
from auditor.model.host import SystemRecord

_KERNEL_VERSION = re.compile(r"Windows (.{1,60}?) Kernel Version (\d{3,6})(?:\.(\d{1,6}))?(?: \(Service Pack (\d)[^)]{0,10}\))?")
_VERSION = re.compile(r"\b(\d{1,2})\.(\d)\.(\d{4,5})(?:\.(\d{1,6}))?")
_BUILD_STRING = re.compile(r"\b(\d{4,5})\.(\d{1,6})\.(amd64|x86|arm64|ia64)(?:fre|chk)")
_WORDS = (
    ("server 2003", "2003"),
    ("server 2008 r2", "2008r2"),
    ("server 2008", "2008"),
    ("server 2012 r2", "2012r2"),
    ("server 2012", "2012"),
    ("server 2016", "2016"),
    ("server 2019", "2019"),
    ("server 2022", "2022"),
    ("server 2025", "2025"),
    ("vista", "vista"),
    ("xp", "xp"),
    ("2000", "2000"),
    ("8.1", "8.1"),
    ("11", "11"),
    ("10", "10"),
    ("8", "8"),
    ("7", "7"),
)
"""Words in the name that a debugger prints, the longer first."""
_NAMES = tuple((re.compile(rf"(?<![\d.]){re.escape(word)}(?![\d.])"), known) for word, known in _WORDS)
_PRODUCTS: dict[str, ProductType] = {"winnt": "workstation", "lanmannt": "domain_controller", "server": "server", "servernt": "server"}
_PRODUCT_NUMBERS: dict[str, ProductType] = {"1": "workstation", "2": "domain_controller", "3": "server"}
_MACHINES: dict[str, Architecture] = {"amd64": "x64", "x64": "x64", "x86": "x86", "arm64": "arm64", "ia64": "ia64"}
_FIRST_BUILDS = ((10240, "10.0"), (9600, "6.3"), (9200, "6.2"), (7600, "6.1"), (6000, "6.0"), (3790, "5.2"), (2600, "5.1"), (2195, "5.0"))
_FIRST_WINDOWS_11 = 22000


def read_system(draft: Draft) -> CrashOs:
    """What the text states of the system; None where it does not."""
    fields = draft.fields
    line = _KERNEL_VERSION.search(draft.system_line or "")
    build, revision = _build(draft, line)
    product = _product(draft)
    pack = line.group(4) if line else fields.get("OSSERVICEPACK") or fields.get("SERVICEPACK_NUMBER")
    return CrashOs(
        generation=_generation(draft, line.group(1) if line else fields.get("OSNAME", ""), build, product),
        build=build,
        revision=revision,
        service_pack=int(pack) if pack and pack.isdigit() and len(pack) < 3 and (build or 0) < 9200 else None,
        architecture=_architecture(draft),
        product_type=product,
    )


def _build(draft: Draft, line: re.Match[str] | None) -> tuple[int | None, int | None]:
    if line:
        return int(line.group(2)), int(line.group(3)) if line.group(3) else None
    for key in ("OS_VERSION", "WER.OS.Version", "BUILDOSVER_STR"):
        match = _VERSION.search(draft.fields.get(key, ""))
        if match:
            return int(match.group(3)), int(match.group(4)) if match.group(4) else None
    match = _BUILD_STRING.search(draft.fields.get("BUILD_VERSION_STRING", ""))
    if match:
        return int(match.group(1)), int(match.group(2))
    build = draft.fields.get("OSBUILD", "")
    if build.isdigit() and len(build) < 6:
        return int(build), None
    version = _VERSION.search(draft.fields.get("IMAGE_VERSION", ""))
    if version and draft.fields.get("MODULE_NAME") == "nt":
        return int(version.group(3)), int(version.group(4)) if version.group(4) else None
    return None, None


def _product(draft: Draft) -> ProductType | None:
    if draft.product_line:
        word = draft.product_line.partition(":")[2].split(",")[0].strip().casefold()
        return _PRODUCTS.get(word)
    return _PRODUCT_NUMBERS.get(draft.fields.get("PRODUCT_TYPE", ""))


def _generation(draft: Draft, name: str, build: int | None, product: ProductType | None) -> str | None:
    """By build and product type; without the product type by the name that is stated, which says 10 for 11 too."""
    if build is not None and product is not None:
        version = next((text for first, text in _FIRST_BUILDS if build >= first), None)
        found = generation(SystemRecord(version=f"{version}.{build}", build=build, product_type=product)) if version else None
        if found is not None:
            return found
    folded = name.casefold()
    stated = next((known for word, known in _NAMES if word.search(folded)), None) if folded else None
    if stated == "10" and build is not None and build >= _FIRST_WINDOWS_11:
        return "11"
    if stated is None and draft.fields.get("DEFAULT_BUCKET_ID", "").startswith("WIN7_"):
        return "7"
    return stated


def _architecture(draft: Draft) -> Architecture | None:
    stated = draft.fields.get("OSPLATFORM_TYPE", "").casefold()
    if stated in _MACHINES:
        return _MACHINES[stated]
    line = (draft.system_line or "").casefold()
    for word, machine in (("aarch64", "arm64"), ("arm 64", "arm64"), ("arm64", "arm64"), ("x64", "x64"), ("x86", "x86"), ("ia64", "ia64")):
        if word in line:
            return _MACHINES[machine]
    for key in ("BUILD_VERSION_STRING", "BUILDOSVER_STR"):
        match = _BUILD_STRING.search(draft.fields.get(key, ""))
        if match:
            return _MACHINES[match.group(3)]
    if draft.machine in _MACHINES:
        return _MACHINES[draft.machine]
    if any(draft.fields.get(key, "").startswith("X64_") for key in ("FAILURE_BUCKET_ID", "BUCKET_ID")):
        return "x64"
    frames = [frame for stack in draft.stacks for frame in stack.frames[:3]]
    return "x86" if frames and not any(frame.wide for frame in frames) else None
