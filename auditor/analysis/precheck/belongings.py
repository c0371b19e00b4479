"""Which records of a host belong to a product: what goes with it when it is removed, and changes when it is upgraded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from auditor.analysis.host.facts import driver_names
from auditor.analysis.host.registry import file_test, may_hold, normal_key
from auditor.analysis.precheck.install import kept_places
from auditor.analysis.precheck.state import State
from auditor.model.host import SecurityRecord
from auditor.model.pattern import compile_pattern
from auditor.model.signature import Signature

Names = Callable[[str], bool]


class Belongings:
    """Records of one product on one host, without those that another installed product names too."""

    def __init__(self, state: State, signature: Signature, others: Iterable[Signature]) -> None:
        self._state = state
        shared = tuple(others)
        self._services = _without(_service_names(signature), [_service_names(other) for other in shared])
        self._drivers = _without(_driver_names(signature), [_driver_names(other) for other in shared])
        self._programs = _any_of(name for signs in signature.installed for name in signs.programs)
        self._kept = _without(_kept_test(signature, shared), [_kept_test(other, ()) for other in shared])

    def records(self) -> Mapping[str, tuple[Any, ...]]:
        """Its records by section."""
        section = self._state.section
        drivers = tuple(r for r in section("drivers").records if any(map(self._drivers, driver_names(r))))
        names = {name for record in drivers for name in driver_names(record)}
        return {
            "programs": tuple(r for r in section("programs").records if r.name and self._programs(r.name.casefold())),
            "services": tuple(r for r in section("services").records if self._services(r.name.casefold())),
            "drivers": drivers,
            "filters": tuple(r for r in section("filters").records if r.name.casefold().removesuffix(".sys") in names),
            "security": tuple(r for r in section("security").records if self._kept(_place(r))),
        }


def _place(record: SecurityRecord) -> str:
    return record.path if record.kind == "registry" else f"file:{record.path}"


def _service_names(signature: Signature) -> Names:
    named = [*signature.services, *(name for signs in signature.installed for name in signs.services)]
    return _any_of([*named, *(service.name for part in signature.installs for service in part.services or ())])


def _driver_names(signature: Signature) -> Names:
    named = [*signature.drivers, *(name for signs in signature.installed for name in signs.drivers)]
    named += [driver.name for part in signature.installs for driver in part.drivers or ()]
    return _any_of(name.casefold().removesuffix(".sys") for name in named)


def _any_of(patterns: Iterable[str]) -> Names:
    tests = [compile_pattern(pattern) for pattern in dict.fromkeys(patterns)]
    return lambda text: any(test(text) for test in tests)


def _without(own: Names, others: list[Names]) -> Names:
    return lambda text: own(text) and not any(other(text) for other in others)


def _kept_test(signature: Signature, others: Iterable[Signature]) -> Names:
    """Whether a key is one of the product's or lies below one, or a file is one of its files (`file:PATH`)."""
    places = kept_places(signature, others)
    keys = [place.removeprefix("HKLM\\") for place in places if place.startswith("HKLM\\")]
    files = [file_test(place) for place in places if not place.startswith("HKLM\\")]

    def test(place: str) -> bool:
        if place.startswith("file:"):
            return any(fits(place.removeprefix("file:").casefold()) for fits in files)
        return any(place.count("\\") > key.count("\\") and may_hold(normal_key(place), key) for key in keys)

    return test
