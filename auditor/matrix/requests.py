"""What the collector has to ask for so that the matrix can be decided: the registry keys, files and event sources it names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from auditor.analysis.conditions.condition import selectors_of
from auditor.analysis.conditions.selectors_exclusions import AUTOMATIC_OFF
from auditor.model.pattern import is_glob
from auditor.model.rule import Rule
from auditor.model.selector import Condition, EventSelector, ExclusionsSelector, FileSelector, SettingSelector
from auditor.model.signature import Signature, ValueSource
from auditor.model.table import ExclusionsTable, Table


def requested_keys(
    signatures: Sequence[Signature], rules: Sequence[Rule] = (), lists: Mapping[str, Table] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Registry keys below HKLM and file paths for the security section, sorted and each once."""
    keys: dict[str, str] = {}
    files: dict[str, str] = {}
    for signature in signatures:
        for signs in (*signature.installed, *signature.remnant):
            keys |= {source.key.casefold(): source.key for source in signs.registry}
            files |= {source.path.casefold(): source.path for source in signs.files}
        for value in _sources(signature):
            keys |= {value.registry.key.casefold(): value.registry.key} if value.registry else {}
            files |= {value.file.path.casefold(): value.file.path} if value.file else {}
    settings = (s for condition in _conditions(signatures, rules) for _, s in selectors_of(condition) if isinstance(s, SettingSelector))
    keys |= {setting.key.casefold(): setting.key for setting in settings}
    wanted = (s for condition in _conditions(signatures, rules) for _, s in selectors_of(condition) if isinstance(s, FileSelector))
    files |= {file.path.casefold(): file.path for file in wanted}
    keys |= _exclusion_keys(rules, lists or {})
    return tuple(keys[name] for name in sorted(keys)), tuple(files[name] for name in sorted(files))


def _exclusion_keys(rules: Sequence[Rule], lists: Mapping[str, Table]) -> dict[str, str]:
    """Keys in which products keep their exclusions, for what rules name; and where Defender's own are switched off."""
    found: dict[str, str] = {}
    asked = [s for condition in _conditions((), rules) for _, s in selectors_of(condition) if isinstance(s, ExclusionsSelector)]
    for selector in asked:
        table = lists.get(selector.table)
        places = table.places if isinstance(table, ExclusionsTable) else ()
        found |= {place.key.casefold(): place.key for place in places if selector.product in (None, place.product)}
        found |= {key.casefold(): key for key, _ in AUTOMATIC_OFF}
    return found


def requested_logs(signatures: Sequence[Signature]) -> tuple[str, ...]:
    """Logs of attacks that the signatures name, sorted."""
    return tuple(sorted({path for signature in signatures for path in signature.logs}, key=str.casefold))


def requested_event_sources(rules: Sequence[Rule]) -> tuple[str, ...]:
    """Providers whose events rules ask for by name, sorted."""
    selectors = (s for condition in _conditions((), rules) for _, s in selectors_of(condition) if isinstance(s, EventSelector))
    return tuple(sorted({s.source for s in selectors if s.source and not is_glob(s.source)}))


def _sources(signature: Signature) -> Iterable[ValueSource]:
    return (*signature.version, *signature.engine, *signature.definitions, *signature.parent, *signature.group)


def _conditions(signatures: Sequence[Signature], rules: Sequence[Rule]) -> Iterator[Condition]:
    for rule in rules:
        yield rule.when
        if rule.applies_to is not None:
            yield rule.applies_to
    for signature in signatures:
        parts = [signs.unless for signs in (*signature.installed, *signature.remnant)]
        parts += [sign.when for sign in (*signature.roles, *signature.editions)]
        yield from (part for part in (*parts, signature.active) if part is not None)
