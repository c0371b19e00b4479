"""What types can't say of a condition: one key, known names, ranges that hold something, selectors that select."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from auditor.analysis.conditions.condition import SELECTORS
from auditor.analysis.host.matching import seconds
from auditor.matrix.check_lists import check_collision, check_exclusions, check_listed, check_table_name
from auditor.matrix.strict_yaml import Keys
from auditor.model.pattern import compile_pattern, is_glob
from auditor.model.selector import (
    CollisionSelector,
    CompareSelector,
    Condition,
    CountSelector,
    DriverSelector,
    EdgeSelector,
    ExclusionsSelector,
    FileSelector,
    FilterSelector,
    ListedSelector,
    OsSelector,
    ProductSelector,
    ProgramSelector,
    SettingSelector,
    TaskSelector,
    TiesSelector,
    UpdateSelector,
)
from auditor.model.signature import Signature
from auditor.model.table import AltitudesTable, DriversTable, Table
from auditor.model.version import VersionRange

Fault = tuple[Keys, str]
"""Where below the condition, and what is wrong and what was expected."""
_COMBINING = {"all": "all_", "any": "any_", "not": "not_"}
_KB = re.compile(r"KB\d{6,8}")


class Known:
    """Names that conditions may use."""

    def __init__(
        self, roles: Sequence[str], signatures: Mapping[str, Signature], tables: Iterable[str], lists: Mapping[str, Table] | None = None
    ) -> None:
        self.roles = tuple(roles)
        self.signatures = signatures
        self.tables = frozenset(tables)
        self.lists = lists or {}


def check_condition(condition: Condition, known: Known, keys: Keys = ()) -> Iterator[Fault]:
    """Everything that is wrong with a condition and those inside it."""
    names = [*(name for name, field in _COMBINING.items() if getattr(condition, field) is not None)]
    names += [name for name in SELECTORS if getattr(condition, name) is not None]
    if len(names) != 1:
        yield keys, f"expected exactly one of {', '.join((*_COMBINING, *SELECTORS))}, got {', '.join(names) or 'none'}"
        return
    name = names[0]
    if name == "not":
        yield from check_condition(condition.not_ or condition, known, (*keys, "not"))
    elif name in _COMBINING:
        parts = condition.all_ if name == "all" else condition.any_
        if not parts:
            yield (*keys, name), "expected at least one condition"
        for number, part in enumerate(parts or ()):
            yield from check_condition(part, known, (*keys, name, number))
    else:
        for place, message in check_selector(getattr(condition, name), known):
            yield (*keys, name, *place), message


def check_selector(selector: Any, known: Known) -> Iterator[Fault]:
    """Everything that is wrong with one selector."""
    if hasattr(selector, "host"):
        yield from _role(selector.host, known, "host")
    for type_, check in _CHECKS.items():
        if isinstance(selector, type_):
            yield from check(selector, known)


def _role(role: str | None, known: Known, field: str) -> Iterator[Fault]:
    if role is None and len(known.roles) > 1:
        yield (field,), f"a rule with two roles says whom it means: expected one of {', '.join(known.roles)}"
    elif role is not None and role not in known.roles:
        yield (field,), f"unknown role {role!r}: expected one of {', '.join(known.roles)}"


def _range(text: str | None, field: str) -> Iterator[Fault]:
    if text is not None:
        try:
            VersionRange(text)
        except ValueError as error:
            yield (field,), str(error)


def meant(selector: ProductSelector, known: Known) -> list[Signature]:
    """Signatures that a product selector can mean."""
    by_id, by_vendor = (compile_pattern(text) if text else (lambda _: True) for text in (selector.id, selector.vendor))
    return [
        s
        for s in known.signatures.values()
        if by_id(s.id.casefold()) and by_vendor(s.vendor.casefold()) and selector.kind in (None, s.kind)
    ]


def unknown_product(id_: str, known: Known) -> str:
    """Message for a product id that no signature has, with the nearest ones."""
    near = difflib.get_close_matches(id_, known.signatures, n=3, cutoff=0.5)
    return f"unknown product {id_!r}{': did you mean ' + ' or '.join(near) + '?' if near else ''}"


def _product(selector: ProductSelector, known: Known) -> Iterator[Fault]:
    signatures = meant(selector, known)
    if not signatures:
        yield (
            ("id" if selector.id else "vendor",),
            (unknown_product(selector.id, known) if selector.id else "no product fits this selector"),
        )
        return
    for number, id_ in enumerate(selector.except_ids):
        if id_ not in known.signatures:
            yield ("except_ids", number), unknown_product(id_, known)
    roles = sorted({sign.is_ for signature in signatures for sign in signature.roles})
    if selector.role is not None and selector.role not in roles:
        yield ("role",), f"no such product has the role {selector.role!r}: expected one of {', '.join(roles) or 'none'}"
    for field in ("version", "engine"):
        yield from _range(getattr(selector, field), field)
    if (selector.definitions_older_than_days or 0) < 0:
        yield ("definitions_older_than_days",), "expected a number of days"
    if selector.version is not None and selector.version.partition("/")[0].removeprefix("vers:") not in {s.scheme for s in signatures}:
        yield ("version",), f"the versions of {signatures[0].id} follow the scheme {signatures[0].scheme}"
    if selector.active is not None and not any(s.active for s in signatures):
        yield ("active",), f"the signature of {signatures[0].id} does not say when it is active"


def _driver(selector: DriverSelector, known: Known) -> Iterator[Fault]:
    yield from _range(selector.version, "version")
    yield from _times(selector, "linked_from", "linked_to")
    if selector.resembles is not None:
        yield from check_table_name(selector.resembles, ("resembles",), known.lists, DriversTable, "drivers")
    if selector.table is not None and selector.table not in known.tables:
        yield ("table",), f"unknown table {selector.table!r}: expected one of {', '.join(sorted(known.tables)) or 'none'}"
    for number, text in enumerate(selector.sha256):
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            yield ("sha256", number), "expected 64 hex digits in lower case"


def _times(selector: DriverSelector | FileSelector, first: str, last: str) -> Iterator[Fault]:
    ends: list[float] = []
    for field in (first, last):
        if (text := getattr(selector, field)) is not None:
            try:
                ends.append(seconds(text))
            except ValueError as error:
                yield (field,), f"expected a time such as 2003-10-24T23:57:03Z: {error}"
    yield from _ordered(ends, selector, first, last)


def _ordered(ends: Sequence[float | Decimal], selector: object, first: str, last: str) -> Iterator[Fault]:
    """A range ends no earlier than it begins."""
    if len(ends) == 2 and ends[0] > ends[1]:
        yield (last,), f"nothing lies from {getattr(selector, first)} to {getattr(selector, last)}: the ends contradict each other"


def _file(selector: FileSelector, known: Known) -> Iterator[Fault]:
    del known
    yield from _range(selector.version, "version")
    yield from _times(selector, "modified_from", "modified_to")
    if len(selector.path.strip("*?\\")) < 4:
        yield ("path",), f"{selector.path!r} would ask for nearly everything"


def _filter(selector: FilterSelector, known: Known) -> Iterator[Fault]:
    del known
    ends: list[Decimal] = []
    for field in ("altitude_from", "altitude_to"):
        if (text := getattr(selector, field)) is not None:
            try:
                ends.append(Decimal(text))
            except InvalidOperation:
                yield (field,), f"expected an altitude such as 320000, got {text!r}"
    yield from _ordered(ends, selector, "altitude_from", "altitude_to")


def _allocation(selector: FilterSelector, known: Known) -> Iterator[Fault]:
    yield from _filter(selector, known)
    if (selector.altitudes is None) != (selector.allocated is None):
        yield ("altitudes",), "altitudes and allocated belong together"
    elif selector.altitudes is not None:
        yield from check_table_name(selector.altitudes, ("altitudes",), known.lists, AltitudesTable, "altitudes")


def _os(selector: OsSelector, known: Known) -> Iterator[Fault]:
    del known
    yield from _range(selector.build, "build")
    yield from _range(selector.service_pack, "service_pack")
    asked = (selector.generation, selector.build, selector.service_pack, selector.product_type, selector.architecture)
    if not any((*asked, selector.role, selector.manufacturer)):
        yield (), "says nothing of the operating system"


def _hours(hours: Sequence[int], known: Known) -> Iterator[Fault]:
    del known
    for number, hour in enumerate(hours):
        if hour not in range(24):
            yield ("hours", number), f"expected an hour from 0 to 23, got {hour}"


def _edge(selector: EdgeSelector, known: Known) -> Iterator[Fault]:
    for field in ("source", "target"):
        yield from _role(getattr(selector, field), known, field)
    if selector.source == selector.target:
        yield ("target",), "an edge ties two roles"
    if not selector.kinds:
        yield ("kinds",), "expected at least one kind of edge"
    if selector.either_way and selector.and_back:
        yield ("and_back",), "either_way and and_back exclude each other"
    if selector.same_hours is not None and not selector.and_back:
        yield ("same_hours",), "same_hours needs and_back"
    yield from _hours(selector.hours, known)
    yield from _named_product(selector.product, known)


def _ties(selector: TiesSelector, known: Known) -> Iterator[Fault]:
    if not selector.kinds:
        yield ("kinds",), "expected at least one kind of edge"
    yield from _bounds(selector)
    yield from _named_product(selector.product, known)


def _named_product(id_: str | None, known: Known) -> Iterator[Fault]:
    if id_ is not None and id_ not in known.signatures:
        yield ("product",), unknown_product(id_, known)


def _bounds(selector: TiesSelector | CountSelector) -> Iterator[Fault]:
    if selector.at_least is None and selector.at_most is None:
        yield (), "expected at_least, at_most, or both"
    elif selector.at_least is not None and selector.at_most is not None and selector.at_least > selector.at_most:
        yield ("at_most",), f"no number is at least {selector.at_least} and at most {selector.at_most}"


def _count(selector: CountSelector, known: Known) -> Iterator[Fault]:
    counted = [name for name in ("product", "driver", "filter") if getattr(selector, name) is not None]
    if len(counted) != 1:
        yield (), f"expected exactly one of product, driver, filter, got {', '.join(counted) or 'none'}"
        return
    yield from (((counted[0], *place), message) for place, message in check_selector(getattr(selector, counted[0]), known))
    yield from _bounds(selector)
    if selector.same is not None and selector.filter is None:
        yield ("same",), "only filters have an altitude"
    fitting = {"product": ("id", "vendor"), "driver": ("id", "name", "company"), "filter": ("id", "name", "company")}[counted[0]]
    if selector.distinct not in fitting:
        yield ("distinct",), f"expected one of {', '.join(fitting)}"


def _compare(selector: CompareSelector, known: Known) -> Iterator[Fault]:
    for side in ("left", "right"):
        yield from (((side, *place), message) for place, message in check_selector(getattr(selector, side), known))
    schemes = {s.scheme for side in (selector.left, selector.right) for s in meant(side, known)}
    if len(schemes) > 1:
        yield (), f"versions of different schemes ({', '.join(sorted(schemes))}) can't be compared"


def _setting(selector: SettingSelector, known: Known) -> Iterator[Fault]:
    del known
    yield from check_key(selector.key, "key")
    if not selector.equals and all(v is None for v in (selector.present, selector.pattern, selector.at_least, selector.at_most)):
        yield (), "expected equals, pattern, at_least, at_most or present"
    if selector.at_least is not None and selector.at_most is not None and selector.at_least > selector.at_most:
        yield ("at_most",), f"no number is at least {selector.at_least} and at most {selector.at_most}"


def check_key(key: str, field: str) -> Iterator[Fault]:
    """A registry key as the probe takes it: below HKLM, one `*` for one level."""
    if key.upper().startswith(("HKLM", "HKEY_")) or not key.strip("\\") or key != key.strip("\\") or "\\\\" in key:
        yield (field,), f"expected a key below HKLM such as SOFTWARE\\Vendor\\Product, got {key!r}"
    elif is_glob(key.split("\\", maxsplit=1)[0]):
        yield (field,), "the first level of a key has no wildcard: it would ask for everything"


def _task(selector: TaskSelector, known: Known) -> Iterator[Fault]:
    yield from _hours(selector.hours, known)


def _update(selector: UpdateSelector, known: Known) -> Iterator[Fault]:
    del known
    if not selector.any_of:
        yield ("any_of",), "expected at least one KB number"
    for number, text in enumerate(selector.any_of):
        if not _KB.fullmatch(text):
            yield ("any_of", number), f"expected a KB number such as KB4474419, got {text!r}"


def _program(selector: ProgramSelector, known: Known) -> Iterator[Fault]:
    del known
    yield from _range(selector.version, "version")


_CHECKS: Mapping[type, Callable[[Any, Known], Iterator[Fault]]] = MappingProxyType(
    {
        ProductSelector: _product,
        DriverSelector: _driver,
        FilterSelector: _allocation,
        FileSelector: _file,
        OsSelector: _os,
        EdgeSelector: _edge,
        TiesSelector: _ties,
        CountSelector: _count,
        CompareSelector: _compare,
        SettingSelector: _setting,
        TaskSelector: _task,
        UpdateSelector: _update,
        ProgramSelector: _program,
        ListedSelector: lambda selector, known: check_listed(selector, known.lists),
        ExclusionsSelector: lambda selector, known: check_exclusions(selector, known.signatures, known.lists),
        CollisionSelector: lambda selector, _: check_collision(selector),
    }
)
