"""A first draft of a rule and its cases, from a few answers. Pure: texts out; writes nothing.

Rules of this file:
1. A draft names one product, perhaps in a range of versions, perhaps beside another product, perhaps on generations of Windows.
2. Its cases are hosts that show what the signatures say: one that violates, one without the product, one of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from auditor.model.grade import Confidence, Severity
from auditor.model.pattern import matches
from auditor.model.rule import Matrix
from auditor.model.selector import Generation
from auditor.model.signature import Signature
from auditor.model.version import VersionRange, parse_version

_SYSTEMS: Mapping[str, dict[str, Any]] = {
    "2000": {"version": "5.0.2195", "product_type": "server"},
    "xp": {"version": "5.1.2600", "product_type": "workstation"},
    "2003": {"version": "5.2.3790", "product_type": "server"},
    "vista": {"version": "6.0.6002", "product_type": "workstation"},
    "2008": {"version": "6.0.6002", "product_type": "server"},
    "7": {"version": "6.1.7601", "product_type": "workstation"},
    "2008r2": {"version": "6.1.7601", "product_type": "server"},
    "8": {"version": "6.2.9200", "product_type": "workstation"},
    "2012": {"version": "6.2.9200", "product_type": "server"},
    "8.1": {"version": "6.3.9600", "product_type": "workstation"},
    "2012r2": {"version": "6.3.9600", "product_type": "server"},
    "10": {"version": "10.0.19045", "build": 19045, "product_type": "workstation"},
    "2016": {"version": "10.0.14393", "build": 14393, "product_type": "server"},
    "2019": {"version": "10.0.17763", "build": 17763, "product_type": "server"},
    "11": {"version": "10.0.22631", "build": 22631, "product_type": "workstation"},
    "2022": {"version": "10.0.20348", "build": 20348, "product_type": "server"},
    "2025": {"version": "10.0.26100", "build": 26100, "product_type": "server"},
}
"""A host of each generation, as the system section says it."""
_DENIED = {"status": "denied", "reason": "access denied"}
_UNSEEN = ("programs", "services", "drivers", "security", "defender")


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of a new rule."""

    id: str
    title: str
    severity: Severity
    confidence: Confidence
    product: str
    version: str | None = None
    """Range, `vers:windows/>=9.0|<10.0`."""
    beside: str | None = None
    generations: tuple[Generation, ...] = ()
    mechanism: str
    effect: str
    resolution: str
    references: tuple[str, ...]


def draft_rule(answers: Answers) -> str:
    """The rule as YAML."""
    product = {"id": answers.product} | ({"version": answers.version} if answers.version else {})
    parts: list[dict[str, Any]] = [{"product": product}]
    parts += [{"product": {"id": answers.beside}}] if answers.beside else []
    body: dict[str, Any] = {"id": answers.id, "title": answers.title, "severity": answers.severity, "confidence": answers.confidence}
    if answers.generations:
        body["applies_to"] = {"os": {"generation": list(answers.generations)}}
    body["when"] = parts[0] if len(parts) == 1 else {"all": parts}
    body["subject"] = f"{{host}}: {answers.title.rstrip('.')}."
    body |= {"mechanism": answers.mechanism, "effect": answers.effect, "resolution": answers.resolution}
    return _yaml(body | {"remedy": None, "references": list(answers.references)})


def draft_cases(answers: Answers, matrix: Matrix) -> str:
    """The cases as YAML. Raises KeyError for a product without a signature, ValueError for a range that can't be read."""
    signatures = {signature.id: signature for signature in matrix.signatures}
    shown = _signs(signatures[answers.product], answers.version)
    if answers.beside:
        shown = _joined(shown, _signs(signatures[answers.beside], None))
    system = {"system": [dict(_SYSTEMS[answers.generations[0]])]} if answers.generations else {}
    first = "it is there"
    return _yaml(
        [
            {"name": first, "expect": "violated", "hosts": {"A": {**system, **shown}}},
            {"name": "it is not", "expect": "satisfied", "hosts": {"A": {**system}}},
            {"name": "nothing was seen", "expect": "undetermined", "hosts": {"A": {**system, **dict.fromkeys(_UNSEEN, _DENIED)}}},
        ]
    )


def _signs(signature: Signature, version: str | None) -> dict[str, list[dict[str, Any]]]:
    """Rows that show a product: an uninstall entry where it has one, since that holds the version; else a service or a driver."""
    sources = [source.program for source in signature.version if source.program]
    programs = [_plain(name) for signs in signature.installed for name in signs.programs]
    programs.sort(key=lambda name: not any(matches(source, name) for source in sources))
    if programs:
        row = {"key": signature.id, "view": "native", "name": programs[0]}
        return {"programs": [row | ({"version": example(version)} if version else {})]}
    services = [name for signs in signature.installed for name in signs.services]
    if services:
        return {"services": [{"name": _plain(services[0]), "state": "running"}]}
    drivers = [name for signs in signature.installed for name in signs.drivers]
    return {"drivers": [{"name": _plain(name), "state": "running", "file_exists": True} for name in drivers[:1]]}


def _plain(pattern: str) -> str:
    """A text that fits a glob."""
    return pattern.replace("*", "").replace("?", "1").strip()


def _joined(one: dict[str, list[dict[str, Any]]], other: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {section: [*one.get(section, []), *other.get(section, [])] for section in sorted({*one, *other})}


def example(text: str) -> str:
    """A version inside a range: its lower end, an equal one, or a small one. Raises ValueError for what is no range."""
    span = VersionRange(text)
    ends = [part.strip().lstrip("<>=") for part in text.partition("/")[2].split("|")]
    tries = [*ends, *(f"{end}.1" for end in ends), "0.1", "1.0"]
    fitting = (word for word in tries if (version := parse_version(word, span.scheme)) is not None and version in span)
    return next(fitting, ends[0])


class _Plain(yaml.SafeDumper):
    """Writes a value out each time: a matrix takes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never an alias."""
        del data
        return True


def _yaml(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=136))
