"""Which rules can concern a host at all: an index over what a condition cannot do without, so that a host costs only its own rules.

Rules of this file:
1. A gate is a set of tokens one of which a host must show for a condition to be true or unknown. A rule waits behind all gates of the
   parts that must hold together; without any gate it is always decided.
2. What was not seen shows every token of its kind: the index never hides an unknown.
3. A host's tokens are made only for what the rules name, by look-ups in the host's indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from auditor.analysis.condition import chosen
from auditor.analysis.facts import HostFacts
from auditor.analysis.registry import file_test, normal_key
from auditor.model.pattern import compile_pattern, is_glob
from auditor.model.selector import (
    CollisionSelector,
    Condition,
    CountSelector,
    DefenderSelector,
    DriverSelector,
    EventSelector,
    ExclusionsSelector,
    FeatureSelector,
    FileSelector,
    FilterSelector,
    ListedSelector,
    OsSelector,
    ProductSelector,
    ProgramSelector,
    ServiceSelector,
    SettingSelector,
    TaskSelector,
    UpdateSelector,
)
from auditor.model.signature import Signature
from auditor.model.table import ProductsTable, Table

_REMEMBERED_TEXTS = 20_000
Gate = frozenset[str]
Gates = tuple[Gate, ...]
_RANK: Mapping[str, int] = MappingProxyType({"product": 1, "defender": 2, "filters": 2, "role": 2, "os": 3, "type": 4})
"""How little a kind of token says: the gate of the lowest rank is looked up first, the others are held against the host's tokens."""


class Knowledge:
    """What gates are made from: signatures, and tables that selectors name."""

    def __init__(self, signatures: Sequence[Signature], lists: Mapping[str, Table]) -> None:
        self.signatures = signatures
        self.lists = lists


def gates_of(condition: Condition | None, role: str, known: Knowledge) -> Gates:
    """Gates of a condition for the host in a role, all of which must be shown."""
    if condition is None or condition.not_ is not None:
        return ()
    if condition.all_ is not None:
        return tuple(dict.fromkeys(gate for part in condition.all_ for gate in gates_of(part, role, known)))
    if condition.any_ is not None:
        return _one_of([gates_of(part, role, known) for part in condition.any_])
    name, selector = chosen(condition)
    if name == "compare":
        sides = (_product(side, known) for side in (selector.left, selector.right) if (side.host or role) == role)
        return tuple(gate for gate in sides if gate is not None)
    if isinstance(selector, CountSelector):
        return _counted(selector, role, known)
    if getattr(selector, "host", role) not in (None, role):
        return ()
    gate = _GATES[type(selector)](selector, known) if type(selector) in _GATES else None
    return () if gate is None else (gate,)


def _one_of(parts: list[Gates]) -> Gates:
    """One of several conditions holds: the union of a gate of each, none where one of them has none."""
    if not parts or not all(parts):
        return ()
    return (frozenset(token for gates in parts for token in best(gates)),)


def best(gates: Gates) -> Gate:
    """The gate that says most."""
    return min(gates, key=lambda gate: (max((_RANK.get(token.partition(":")[0], 0) for token in gate), default=0), len(gate)))


def _counted(selector: CountSelector, role: str, known: Knowledge) -> Gates:
    inner = selector.product or selector.driver or selector.filter
    if inner is None or (selector.at_least or 0) < 1 or (inner.host or role) != role:
        return ()
    gate = _GATES[type(inner)](inner, known)
    return () if gate is None else (gate,)


def _product(selector: ProductSelector, known: Knowledge) -> Gate | None:
    """Ids of the signatures that a selector can mean."""
    if (selector.id is None and selector.kind is None and selector.vendor is None) or selector.remnant:
        return None  # leftovers that were not seen are told for products that show no other token
    by_id = compile_pattern(selector.id) if selector.id else lambda _: True
    by_vendor = compile_pattern(selector.vendor) if selector.vendor else lambda _: True
    meant = (s for s in known.signatures if by_id(s.id.casefold()) and by_vendor(s.vendor.casefold()) and selector.kind in (None, s.kind))
    return frozenset(f"product:{s.id}" for s in meant if s.id not in selector.except_ids)


def _driver(selector: DriverSelector, known: Knowledge) -> Gate | None:
    del known
    return frozenset({f"driver:{selector.name.casefold().removesuffix('.sys')}"}) if selector.name and not is_glob(selector.name) else None


def _filter(selector: FilterSelector, known: Knowledge) -> Gate | None:
    del known
    if selector.name and not is_glob(selector.name):
        return frozenset({f"filter:{selector.name.casefold().removesuffix('.sys')}"})
    return frozenset({"filters"})


def _service(selector: ServiceSelector, known: Knowledge) -> Gate | None:
    del known
    return None if is_glob(selector.name) else frozenset({f"service:{selector.name.casefold()}"})


def _feature(selector: FeatureSelector, known: Knowledge) -> Gate | None:
    del known
    return None if is_glob(selector.name) else frozenset({f"feature:{selector.name.casefold()}"})


def _update(selector: UpdateSelector, known: Knowledge) -> Gate | None:
    del known
    return frozenset(f"update:{kb.casefold()}" for kb in selector.any_of)


def _setting(selector: SettingSelector, known: Knowledge) -> Gate | None:
    del known
    return None if selector.present is False or is_glob(selector.key) else frozenset({f"key:{normal_key(selector.key)}"})


def _event(selector: EventSelector, known: Knowledge) -> Gate | None:
    del known
    if selector.source is None or is_glob(selector.source) or selector.at_least < 1:
        return None
    return frozenset(f"event:{selector.source.casefold()}/{number}" for number in selector.id)


def _defender(selector: DefenderSelector, known: Knowledge) -> Gate | None:
    del selector, known
    return frozenset({"defender"})


def _os(selector: OsSelector, known: Knowledge) -> Gate | None:
    del known
    if selector.role is not None and not is_glob(selector.role):
        return frozenset({f"role:{selector.role.casefold()}"})
    if selector.generation:
        return frozenset(f"os:{generation}" for generation in selector.generation)
    return frozenset(f"type:{word}" for word in selector.product_type) if selector.product_type else None


def _program(selector: ProgramSelector, known: Knowledge) -> Gate | None:
    del known
    return None if is_glob(selector.name) else frozenset({f"program:{selector.name.casefold()}"})


def _file(selector: FileSelector, known: Knowledge) -> Gate | None:
    del known
    return None if selector.present is False else frozenset({f"file:{selector.path}"})


def _task(selector: TaskSelector, known: Knowledge) -> Gate | None:
    del known
    return None if selector.command is None else frozenset({f"command:{selector.command.casefold()}"})


def _collision(selector: CollisionSelector, known: Knowledge) -> Gate | None:
    """Command lines of one of the two kinds of jobs; a kind that copies are counted to is not told by command lines alone."""
    del known
    parts = [part.commands for part in (selector.one, selector.other) if not part.copies]
    return frozenset(f"command:{text.casefold()}" for text in min(parts, key=len)) if parts else None


def _exclusions(selector: ExclusionsSelector, known: Knowledge) -> Gate | None:
    del known
    return frozenset({f"product:{selector.product}"})


def _listed(selector: ListedSelector, known: Knowledge) -> Gate | None:
    """Products of the rows, or systems where a row has no product."""
    table = known.lists.get(selector.table)
    rows = table.rows if isinstance(table, ProductsTable) else ()
    tokens: set[str] = set()
    for row in rows:
        own = [f"product:{row.product}"] if row.product else [f"os:{generation}" for generation in row.generation]
        if not own:
            return None
        tokens.update(own)
    return frozenset(tokens)


_GATES: Mapping[type, Callable[..., Gate | None]] = MappingProxyType(
    {
        ProductSelector: _product,
        DriverSelector: _driver,
        FilterSelector: _filter,
        ServiceSelector: _service,
        FeatureSelector: _feature,
        UpdateSelector: _update,
        SettingSelector: _setting,
        EventSelector: _event,
        DefenderSelector: _defender,
        OsSelector: _os,
        ExclusionsSelector: _exclusions,
        ListedSelector: _listed,
        ProgramSelector: _program,
        FileSelector: _file,
        TaskSelector: _task,
        CollisionSelector: _collision,
    }
)


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
        self._commands = _Remembered({token: compile_pattern(name) for name, token in named.get("command", {}).items()})
        self._files = _Remembered({token: file_test(name) for name, token in named.get("file", {}).items()})
        self._paths = {name: name for name in named.get("file", {})}

    def shown(self, facts: HostFacts) -> set[str]:
        """The tokens that a host shows, of those that the rules name."""
        shown: set[str] = set()
        for named, make in self._makers:
            shown.update(make(facts, named))
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


def _products(facts: HostFacts, named: Named) -> Iterator[str]:
    yield from (named[product.id] for product in facts.products if product.id in named)
    yield from (named[id_] for id_ in facts.unsure if id_ in named)


def _listing(section: str, index: Callable[[HostFacts], Iterable[str]]) -> Callable[[HostFacts, Named], Iterable[str]]:
    """Names of a section's records that rules ask for; all of them where the listing is not complete."""

    def make(facts: HostFacts, named: Named) -> Iterable[str]:
        if facts.unseen(section) is not None or facts.lost(section):
            return named.values()
        return [named[name] for name in named.keys() & index(facts)]

    return make


def _keys(facts: HostFacts, named: Named) -> Iterable[str]:
    if facts.unseen("security") is not None or facts.lost("security"):
        return named.values()
    shown = [named[key] for key in named.keys() & facts.security.keys_and_parents]
    return shown if facts.asked is None else [*shown, *(named[key] for key in facts.asked.unasked_keys(named))]


def _events(facts: HostFacts, named: Named) -> Iterable[str]:
    short = any(c.oldest and c.asked_from and c.oldest > c.asked_from for c in facts.snapshot.log_coverage)
    if short or facts.unseen("events") is not None or (facts.asked is not None and not facts.asked.all_events(named)):
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


_MAKERS: Mapping[str, Callable[[HostFacts, Named], Iterable[str]]] = MappingProxyType(
    {
        "product": _products,
        "driver": _listing("drivers", lambda facts: facts.drivers.keys()),
        "service": _listing("services", lambda facts: facts.services.keys()),
        "filter": _listing("filters", lambda facts: facts.filters.keys()),
        "feature": _listing("roles", lambda facts: {r.name.casefold() for r in facts.sections.roles.records}),
        "update": _listing("updates", lambda facts: {r.id.casefold() for r in facts.sections.updates.records}),
        "key": _keys,
        "event": _events,
        "program": _listing("programs", lambda facts: facts.programs.keys()),
        "os": _systems,
        "role": _roles,
        "type": _types,
        "filters": _any("filters"),
        "defender": _any("defender"),
    }
)
