"""What a condition can't do without: gates, from which the index of rules is made.

A gate is a set of tokens (`kind:name`) one of which a host must show for a condition to be true or unknown. All gates of a condition must
be shown; a condition without gates may hold on any host. Names of programs, services, drivers, filters and features may be globs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from auditor.analysis.conditions.condition import chosen
from auditor.analysis.host.registry import normal_key
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
from auditor.model.table import DriversTable, ProductsTable, Table

Gate = frozenset[str]
Gates = tuple[Gate, ...]
_RANK: Mapping[str, int] = MappingProxyType(
    {"ties": 1, "product": 1, "defender": 2, "center": 2, "filters": 2, "others": 2, "meet": 1, "role": 2, "os": 3, "type": 4}
)
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
    if isinstance(selector, CollisionSelector):
        return _both_jobs(selector)
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
    gates = () if gate is None else (gate,)
    return (*gates, frozenset({"meet:altitude"})) if selector.same == "altitude" and (selector.at_least or 0) > 1 else gates


def _product(selector: ProductSelector, known: Knowledge) -> Gate | None:
    """Ids of the signatures that a selector can mean."""
    if (selector.id is None and selector.kind is None and selector.vendor is None) or selector.remnant:
        return None  # leftovers that were not seen are told for products that show no other token
    by_id = compile_pattern(selector.id) if selector.id else lambda _: True
    by_vendor = compile_pattern(selector.vendor) if selector.vendor else lambda _: True
    meant = (s for s in known.signatures if by_id(s.id.casefold()) and by_vendor(s.vendor.casefold()) and selector.kind in (None, s.kind))
    return frozenset(f"product:{s.id}" for s in meant if s.id not in selector.except_ids)


def _driver(selector: DriverSelector, known: Knowledge) -> Gate | None:
    table = known.lists.get(selector.resembles) if selector.resembles else None
    if isinstance(table, DriversTable):
        return frozenset(f"driver:{name}" for name, _ in table.names)
    if selector.name:
        return frozenset({f"driver:{selector.name.casefold().removesuffix('.sys')}"})
    if selector.signature is not None:
        return frozenset({f"signature:{selector.signature}"})
    return frozenset({f"file_exists:{selector.file_exists}"}) if selector.file_exists is not None else None


def _filter(selector: FilterSelector, known: Knowledge) -> Gate | None:
    del known
    if selector.name:
        return frozenset({f"filter:{selector.name.casefold().removesuffix('.sys')}"})
    if selector.except_companies:
        return frozenset({f"others:{'|'.join(selector.except_companies).casefold()}"})
    return frozenset({"filters"})


def _service(selector: ServiceSelector, known: Knowledge) -> Gate | None:
    del known
    return frozenset({f"service:{selector.name.casefold()}"})


def _feature(selector: FeatureSelector, known: Knowledge) -> Gate | None:
    del known
    return frozenset({f"feature:{selector.name.casefold()}"})


def _update(selector: UpdateSelector, known: Knowledge) -> Gate | None:
    del known
    return frozenset(f"update:{kb.casefold()}" for kb in selector.any_of)


def _setting(selector: SettingSelector, known: Knowledge) -> Gate | None:
    del known
    if selector.present is False or is_glob(selector.key):
        return None
    key = normal_key(selector.key)
    return frozenset({f"value:{key}\\{selector.value.casefold()}" if _names_a_value(selector) else f"key:{key}"})


def _names_a_value(selector: SettingSelector) -> bool:
    """Whether data is asked for; else the key, or anything below it, is enough."""
    return bool(selector.value or selector.equals or selector.pattern) or selector.at_least is not None or selector.at_most is not None


def _event(selector: EventSelector, known: Knowledge) -> Gate | None:
    del known
    if selector.source is None or is_glob(selector.source) or selector.at_least < 1:
        return None
    return frozenset(f"event:{selector.source.casefold()}/{number}" for number in selector.id)


def _defender(selector: DefenderSelector, known: Knowledge) -> Gate | None:
    del known
    return frozenset({"center" if selector.source == "securitycenter" else "defender"})


def _os(selector: OsSelector, known: Knowledge) -> Gate | None:
    del known
    if selector.role is not None and not is_glob(selector.role):
        return frozenset({f"role:{selector.role.casefold()}"})
    if selector.generation:
        return frozenset(f"os:{generation}" for generation in selector.generation)
    return frozenset(f"type:{word}" for word in selector.product_type) if selector.product_type else None


def _program(selector: ProgramSelector, known: Knowledge) -> Gate | None:
    del known
    return frozenset({f"program:{selector.name.casefold()}"})


def _file(selector: FileSelector, known: Knowledge) -> Gate | None:
    del known
    return None if selector.present is False else frozenset({f"file:{selector.path}"})


def _task(selector: TaskSelector, known: Knowledge) -> Gate | None:
    del known
    return None if selector.command is None else frozenset({f"command:{selector.command.casefold()}"})


def _both_jobs(selector: CollisionSelector) -> Gates:
    """Each of the two kinds of jobs must be there, copies by the tie that they make."""
    parts = [(part.commands, ("ties:copies-to",) if part.copies else ()) for part in (selector.one, selector.other)]
    return tuple(frozenset((*(f"command:{text.casefold()}" for text in commands), *copies)) for commands, copies in parts)


def _exclusions(selector: ExclusionsSelector, known: Knowledge) -> Gate | None:
    return _product(ProductSelector(id=selector.product, kind=selector.kind), known)


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
    }
)
