"""What types can't say of what an installation brings: roles that exist, ranges and altitudes that can be read, products that are known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from auditor.matrix.check import Fault, Known, check_selector
from auditor.model.signature import Brings, BroughtDriver, Signature
from auditor.model.version import VersionRange, parse_version

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,40}")
_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?")


def check_installs(signature: Signature, known: Known) -> Iterator[Fault]:
    """Everything that is wrong with releases and with what installations bring."""
    for number, text in enumerate(signature.releases):
        if parse_version(text, signature.scheme) is None:
            yield ("releases", number), f"expected a version such as 10.1, got {text!r}"
    for number, part in enumerate(signature.installs):
        yield from ((("installs", number, *place), message) for place, message in _part(part, signature, known))


def _part(part: Brings, signature: Signature, known: Known) -> Iterator[Fault]:
    roles = sorted({sign.is_ for sign in signature.roles})
    for number, role in enumerate(part.roles):
        if role not in roles:
            yield ("roles", number), f"the product has no role {role!r}: expected one of {', '.join(roles) or 'none'}"
    if part.part is not None and not _PART.fullmatch(part.part):
        yield ("part",), f"expected a name of letters, digits, dots and hyphens, got {part.part!r}"
    if part.versions is not None:
        yield from _range(part.versions, signature.scheme)
    for field in ("disk_mb", "memory_mb"):
        value = getattr(part, field)
        if value is not None and not 0 <= value <= 10_000_000:
            yield (field,), f"expected megabytes, got {value}"
    for number, driver in enumerate(part.drivers or ()):
        yield from ((("drivers", number, *place), message) for place, message in _driver(driver))
    for number, selector in enumerate(part.remove_first):
        inner = Known(("host",), known.signatures, known.tables)
        yield from ((("remove_first", number, *place), message) for place, message in check_selector(selector, inner))
    if part.source and not _ADDRESS.fullmatch(part.source):
        yield ("source",), f"expected an http or https address, got {part.source!r}"


def _range(text: str, scheme: str) -> Iterator[Fault]:
    try:
        span = VersionRange(text)
    except ValueError as error:
        yield ("versions",), str(error)
        return
    if span.scheme != scheme:
        yield ("versions",), f"the product's versions follow the scheme {scheme}"


def _driver(driver: BroughtDriver) -> Iterator[Fault]:
    if any(c in driver.name for c in "*?\\/") or not driver.name:
        yield ("name",), f"expected a service or file name, got {driver.name!r}"
    for number, text in enumerate(driver.altitudes or ()):
        try:
            Decimal(text)
        except InvalidOperation:
            yield ("altitudes", number), f"expected an altitude such as 320000, got {text!r}"
    if driver.altitudes and driver.legacy:
        yield ("legacy",), "a legacy filter has no altitude"
