"""Which rules can concern a host at all: an index over what their conditions can't do without, so that a host costs only its own rules.

Rules of this file:
1. A rule waits behind all its gates; without any gate it is always decided.
2. What was not seen shows every token of its kind: the index never hides an unknown.
3. A host's tokens are made only for what the rules name, by look-ups in the host's indexes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from auditor.analysis.conditions.binding import Ties
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.host.nameindex import NameIndex
from auditor.analysis.host.registry import file_test
from auditor.analysis.rules.gates import Gates, best
from auditor.model.pattern import compile_pattern, is_glob, matches

_REMEMBERED_TEXTS = 20_000


class Triggers:
    """Rules by the tokens of their gates. `further` are gates whose tokens are wanted too."""

    def __init__(self, gates: Sequence[Gates], further: Sequence[Gates] = ()) -> None:
        self.always = tuple(number for number, found in enumerate(gates) if not found)
        self._by_token: dict[str, list[tuple[int, Gates]]] = {}
        for number, found in enumerate(gates):
            first = best(found) if found else frozenset()
            others = tuple(gate for gate in found if gate != first)
            for token in sorted(first):
                self._by_token.setdefault(token, []).append((number, others))
        named: dict[str, dict[str, str]] = {}
        for token in (token for found in (*gates, *further) for gate in found for token in gate):
            kind, _, name = token.partition(":")
            named.setdefault(kind, {})[name] = token
        self._makers = tuple((named[kind], make) for kind, make in _MAKERS.items() if kind in named)
        self._listings = tuple(_Listing(section, index, named[kind]) for kind, section, index in _LISTINGS if kind in named)
        self._commands = _Remembered({token: compile_pattern(name) for name, token in named.get("command", {}).items()})
        self._files = _Remembered({token: file_test(name) for name, token in named.get("file", {}).items()})
        self._paths = {name: name for name in named.get("file", {})}
        self._ties = tuple(named.get("ties", {}).items())

    def shown(self, facts: HostFacts, ties: Ties | None = None) -> set[str]:
        """The tokens that a host shows, of those that the rules name. Without `ties` it shows that it may have any."""
        shown: set[str] = set()
        for named, make in self._makers:
            shown.update(make(facts, named))
        for listing in self._listings:
            shown.update(listing.of(facts))
        shown.update(token for kind, token in self._ties if ties is None or _tied(facts.name, kind, ties))
        self._show_commands(facts, shown)
        self._show_files(facts, shown)
        return shown

    def _show_commands(self, facts: HostFacts, shown: set[str]) -> None:
        if not self._commands.tokens:
            return
        if facts.unseen("tasks") is not None or facts.lost("tasks") or facts.unread_tasks:
            shown.update(self._commands.tokens)
            return
        for task, lines in facts.task_lines:
            if task.actions is None:
                shown.update(self._commands.tokens)
            for _, line in lines:
                shown.update(self._commands.of(line))

    def _show_files(self, facts: HostFacts, shown: set[str]) -> None:
        if not self._files.tokens:
            return
        if facts.unseen("security") is not None or facts.lost("security"):
            shown.update(self._files.tokens)
            return
        for name in facts.security.file_names:
            shown.update(self._files.of(name))
        if facts.asked is not None:
            shown.update(f"file:{path}" for path in facts.asked.unasked_files(self._paths))

    def rules_for(self, shown: set[str]) -> set[int]:
        """Numbers of the gated rules that can concern a host that shows these tokens."""
        by_token = self._by_token
        found: set[int] = set()
        for token in shown & by_token.keys():
            for number, others in by_token[token]:
                if number not in found and not any(gate.isdisjoint(shown) for gate in others):
                    found.add(number)
        return found


class _Remembered:
    """Which of many tests a text passes. Hosts share most of their texts, so what was found is remembered."""

    def __init__(self, tests: Mapping[str, Callable[[str], bool]]) -> None:
        self.tokens = frozenset(tests)
        self._tests = tests
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, text: str) -> tuple[str, ...]:
        """Tokens whose tests a text passes."""
        found = self._known.get(text)
        if found is None:
            found = tuple(token for token, test in self._tests.items() if test(text))
            if len(self._known) < _REMEMBERED_TEXTS:
                self._known[text] = found
        return found


Named = Mapping[str, str]
"""Names of one kind that rules ask for, to their tokens."""


def _tied(name: str, kind: str, ties: Ties) -> bool:
    """Whether a host has ties of a kind, or may have some as their source."""
    if any(ties.neighbours(name, direction, kind, None) for direction in ("out", "in")):
        return True
    return bool(ties.side_doubt(name, "source", kind, None) or ties.open_doubts(name, "source", kind))


def _products(facts: HostFacts, named: Named) -> Iterator[str]:
    yield from (named[product.id] for product in facts.products if product.id in named)
    yield from (named[id_] for id_ in facts.unsure if id_ in named)


class _Listing:
    """Names of a section's records that rules ask for; all of them where the listing is not complete."""

    def __init__(self, section: str, index: Callable[[HostFacts], Mapping[str, Any]], named: Named) -> None:
        self._section, self._index = section, index
        self._tokens = frozenset(named.values())
        self._exact = {name: token for name, token in named.items() if not is_glob(name)}
        self._globs: NameIndex[str] = NameIndex()
        for name in named.keys() - self._exact.keys():
            self._globs.add(name, named[name])
        self._has_globs = len(self._exact) < len(named)

    def of(self, facts: HostFacts) -> Iterable[str]:
        """The tokens of a host."""
        if facts.unseen(self._section) is not None or facts.lost(self._section):
            return self._tokens
        names = self._index(facts)
        found = [self._exact[name] for name in self._exact.keys() & names.keys()]
        if self._has_globs:
            found += [token for _, tokens in self._globs.telling(names) for token in tokens]
        return found


def _keys(facts: HostFacts, named: Named) -> Iterable[str]:
    if facts.unseen("security") is not None or facts.lost("security"):
        return named.values()
    shown = [named[key] for key in named.keys() & facts.security.keys_and_parents]
    return shown if facts.asked is None else [*shown, *(named[key] for key in facts.asked.unasked_keys(named))]


def _values(facts: HostFacts, named: Named) -> Iterable[str]:
    """Values by key and name."""
    if facts.unseen("security") is not None or facts.lost("security"):
        return named.values()
    shown = [named[value] for value in facts.security.values_of(named)]
    return shown if facts.asked is None else [*shown, *(named[value] for value in facts.asked.unasked_values(named))]


def _driver_values(field: str) -> Callable[[HostFacts, Named], Iterable[str]]:
    """What drivers have in a field; everything where it is not known of one."""

    def make(facts: HostFacts, named: Named) -> Iterable[str]:
        found = facts.drivers_by(field)
        if facts.unseen("drivers") is not None or facts.lost("drivers") or None in found or "unknown" in found:
            return named.values()
        return [named[str(value)] for value in found if str(value) in named]

    return make


def _filters_of_others(facts: HostFacts, named: Named) -> Iterable[str]:
    """Filters of other companies than those left out."""
    if facts.unseen("filters") is not None or facts.lost("filters"):
        return named.values()
    companies = {place.company for place in facts.filter_places}
    return [token for left_out, token in named.items() if any(_is_other(company, left_out) for company in companies)]


@functools.lru_cache(maxsize=4096)
def _is_other(company: str | None, left_out: str) -> bool:
    return company is None or not any(matches(pattern, company) for pattern in left_out.split("|"))


def _filters_that_meet(facts: HostFacts, named: Named) -> Iterable[str]:
    unsure = facts.unseen("filters") is not None or facts.lost("filters")
    return named.values() if unsure or facts.filters_that_meet else ()


def _events(facts: HostFacts, named: Named) -> Iterable[str]:
    short = any(c.oldest and c.asked_from and c.oldest > c.asked_from for c in facts.snapshot.log_coverage)
    unasked = facts.asked is not None and not facts.asked.all_events(named)
    if short or unasked or facts.unseen("events") is not None or facts.lost("events"):
        return named.values()
    return [named[name] for name in {f"{r.source.casefold()}/{r.id}" for r in facts.sections.events.readings} & named.keys()]


def _systems(facts: HostFacts, named: Named) -> Iterable[str]:
    if facts.generation is None:
        return named.values()
    return (named[facts.generation],) if facts.generation in named else ()


def _types(facts: HostFacts, named: Named) -> Iterable[str]:
    word = facts.system.product_type if facts.system else None
    if word is None:
        return named.values()
    return (named[word],) if word in named else ()


def _roles(facts: HostFacts, named: Named) -> Iterable[str]:
    if facts.unseen("system") is not None or facts.lost("system") or facts.system is None:
        return named.values()
    words = {word.casefold() for word in (*facts.system.roles, *facts.groups)}
    return [named[word] for word in words & named.keys()]


def _any(section: str) -> Callable[[HostFacts, Named], Iterable[str]]:
    """The one token of a section: it is shown where the section holds anything, or was not seen as a whole."""

    def make(facts: HostFacts, named: Named) -> Iterable[str]:
        there = facts.section(section)
        empty = not there.records and not there.gaps and facts.unseen(section) is None
        return () if empty else named.values()

    return make


def _security_center(facts: HostFacts, named: Named) -> Iterable[str]:
    """Security Center is on clients only: of any other host it is not known what would be registered there."""
    return _any("defender")(facts, named) if facts.on_client else named.values()


_MAKERS: Mapping[str, Callable[[HostFacts, Named], Iterable[str]]] = MappingProxyType(
    {
        "product": _products,
        "key": _keys,
        "value": _values,
        "signature": _driver_values("signature"),
        "file_exists": _driver_values("file_exists"),
        "others": _filters_of_others,
        "meet": _filters_that_meet,
        "event": _events,
        "os": _systems,
        "role": _roles,
        "type": _types,
        "filters": _any("filters"),
        "defender": _any("defender"),
        "center": _security_center,
    }
)
_LISTINGS: tuple[tuple[str, str, Callable[[HostFacts], Mapping[str, Any]]], ...] = (
    ("driver", "drivers", lambda facts: facts.drivers),
    ("service", "services", lambda facts: facts.services),
    ("filter", "filters", lambda facts: facts.filters),
    ("program", "programs", lambda facts: facts.programs),
    ("feature", "roles", lambda facts: dict.fromkeys(r.name.casefold() for r in facts.sections.roles.records)),
    ("update", "updates", lambda facts: dict.fromkeys(r.id.casefold() for r in facts.sections.updates.records)),
)
"""Kind of token, section, and the case-folded names of a host's records."""
