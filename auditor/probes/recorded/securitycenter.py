"""Security Center's products (root\\SecurityCenter2 and its forerunner) from JSON, XML, lists, CSV: name, on or off, up to date or not.

productState is three bytes PPSSUU: the first hex digit of SS is 1 for on and 0 for off (2 and 3 were seen for snoozed and expired);
UU is 00 for definitions up to date and 10 for out of date. Anything else is not known. Servers have no Security Center.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from auditor.probes.recorded.csvtext import SEPARATORS, read_row, read_rows
from auditor.probes.recorded.jsontext import looks_like_json, read_json
from auditor.probes.recorded.layout import lines_of
from auditor.probes.recorded.outcome import Fault, Outcome, failed
from auditor.probes.recorded.properties import read_blocks
from auditor.probes.recorded.pstable import read_table, rule_line, without_dots
from auditor.probes.recorded.wmi import looks_like_xml, read_objects
from auditor.probes.recorded.words import failure_line

_KINDS = {"antivirus": "antivirus", "antivirusproduct": "antivirus", "firewall": "firewall", "firewallproduct": "firewall",
          "antispyware": "antispyware", "antispywareproduct": "antispyware"}  # fmt: skip
_MAX_DEPTH = 12


class SecurityProduct(msgspec.Struct, frozen=True, kw_only=True):
    """A product as Security Center registers it."""

    name: str | None
    enabled: bool | None = None
    up_to_date: bool | None = None
    product_state: int | None = None
    product_state_hex: str | None = None
    """Six hex digits, as 0x061100."""
    kind: str | None = None
    """antivirus, firewall or antispyware, where the source says it."""
    path: str | None = None
    guid: str | None = None
    timestamp: str | None = None


def product_state(state: int) -> tuple[bool | None, bool | None]:
    """Whether a product is on, and whether its definitions are up to date."""
    on, definitions = state >> 12 & 0xF, state & 0xFF
    return {0: False, 1: True}.get(on), {0x00: True, 0x10: False}.get(definitions)


def read_securitycenter(text: str) -> Outcome[SecurityProduct]:
    """All products of a text, whatever its format."""
    if looks_like_json(text):
        return _json(text)
    if looks_like_xml(text):
        return _xml(text)
    lines = lines_of(text)
    outcome: Outcome[SecurityProduct] = Outcome()
    if (head := _csv_head(lines)) is not None:
        return _csv(lines, *head)
    rule = rule_line(lines)
    if rule is not None and re.search(r"displayname|productstate", lines[rule - 1], re.IGNORECASE):
        for read in read_table(lines, rule):
            _add(outcome, {k: without_dots(v)[0] or None for k, v in read.values.items()}, None, f"line {read.line}")
        return outcome
    if any(failure_line(line) for line in lines):
        said = " ".join(line.strip() for line in lines if line.strip())
        return failed(f"the tool told a failure: {said[:300]}", "line 1")
    for block in read_blocks(text):
        _add(outcome, block.values, None, f"line {block.line}")
        if block.cut:
            outcome.faults.append(Fault(place=f"line {block.cut[0]}", message=f"the listing was cut inside {block.cut[1]}"))
    if not outcome.rows:
        _bare_numbers(lines, outcome)
    return outcome


def _csv_head(lines: list[str]) -> tuple[int, str] | None:
    for at, line in enumerate(lines[:50]):
        for separator in SEPARATORS:
            if separator in line and "displayname" in (n.strip().casefold() for n in read_row(lines, at, separator)[1] or ()):
                return at, separator
    return None


def _bare_numbers(lines: list[str], outcome: Outcome[SecurityProduct]) -> None:
    """`name 397568` a line (a table), or the number alone."""
    for number, line in enumerate(lines, 1):
        match = len(line) < 1000 and re.fullmatch(r"\s*(?:(\S.{0,200}?)[\s,:=]+)?(\d{4,8}|0x[0-9a-fA-F]{4,8})\s*", line)
        if match:
            named = match.group(1) if (match.group(1) or "").casefold() != "productstate" else None
            _add(outcome, {"displayName": named, "productState": match.group(2)}, None, f"line {number}")
        elif line.strip() and not re.fullmatch(r"[\s=-]+|\s*displayName\s+productState\s*", line):
            outcome.faults.append(Fault(place=f"line {number}", message=f"not a product of Security Center: {line.strip()[:120]}"))


def _csv(lines: list[str], head: int, separator: str) -> Outcome[SecurityProduct]:
    outcome: Outcome[SecurityProduct] = Outcome()
    taken, names = read_row(lines, head, separator)
    for number, values in read_rows(lines, head + taken, separator):
        if not values or not names or len(values) != len(names):
            message = f"{len(values or ())} of {len(names or ())} columns: the row was cut"
            outcome.faults.append(Fault(place=f"line {number}", message=message))
        else:
            _add(outcome, dict(zip(names, values, strict=True)), None, f"line {number}")
    return outcome


def _json(text: str) -> Outcome[SecurityProduct]:
    document, broken = read_json(text)
    outcome: Outcome[SecurityProduct] = Outcome()
    for place, kind, item in _objects(document, "", None, 0):
        _add(outcome, item, kind, place)
    outcome.faults.extend([broken] if broken else [])
    if not outcome.rows and document and not (isinstance(document, dict) and any(str(k).casefold() in _KINDS for k in document)):
        outcome.faults.append(Fault(place="", message="no product of Security Center in the document"))
    return outcome


def _xml(text: str) -> Outcome[SecurityProduct]:
    read = read_objects(text)
    outcome: Outcome[SecurityProduct] = Outcome(faults=read.faults, skipped=read.skipped)
    for number, item in enumerate(read.records):
        _add(outcome, item.properties, _KINDS.get((item.class_name or "").casefold()), f"item {number}")
    return outcome


def _objects(node: Any, place: str, kind: str | None, depth: int) -> Iterator[tuple[str, str | None, Mapping[str, Any]]]:
    """Every object that names a product, and whatever else stands in a list of products; with the kind that the lists say."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(node, list):
        for number, item in enumerate(node):
            if isinstance(item, dict) and not (_is_product(item) or (kind is not None and depth)):
                yield from _objects(item, f"{place}[{number}]", kind, depth + 1)
            elif isinstance(item, dict) or kind is not None:
                yield f"{place}[{number}]", kind, item if isinstance(item, dict) else {}
    elif isinstance(node, dict) and _is_product(node):
        yield place, kind, node
    elif isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, list | dict):
                yield from _objects(value, f"{place}.{key}" if place else str(key), _KINDS.get(str(key).casefold(), kind), depth + 1)


def _is_product(item: Mapping[str, Any]) -> bool:
    return bool({"productstate", "displayname", "onaccessscanningenabled"} & {str(k).casefold() for k in item})


def _add(outcome: Outcome[SecurityProduct], item: Mapping[str, Any], kind: str | None, place: str) -> None:
    values = {str(k).casefold(): v for k, v in item.items()}
    name, state = values.get("displayname"), _number(values.get("productstate"))
    if not isinstance(name, str | None) or (name is None and state is None and "productstate" not in values):
        outcome.faults.append(Fault(place=place, message="an object with neither displayName nor productState"))
        return
    kind = kind or _kind_of(values)
    enabled, up_to_date = product_state(state) if state is not None else (None, None)
    if state is None:
        enabled, up_to_date = _flag(values.get("onaccessscanningenabled", values.get("enabled"))), _flag(values.get("productuptodate"))
    outcome.records.append(
        SecurityProduct(
            name=name.strip() or None if name else None,
            enabled=enabled,
            up_to_date=up_to_date,
            product_state=state,
            product_state_hex=f"0x{state:06x}" if state is not None else None,
            kind=kind,
            path=_text(values.get("pathtosignedproductexe")),
            guid=_text(values.get("instanceguid")),
            timestamp=_text(values.get("timestamp")),
        )
    )


def _kind_of(values: Mapping[str, Any]) -> str | None:
    system = values.get("cimsystemproperties")
    name = system.get("ClassName") if isinstance(system, dict) else values.get("__class")
    return _KINDS.get(name.casefold()) if isinstance(name, str) else None


def _number(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 1 << 32 else None
    if isinstance(value, float) and value.is_integer():
        return _number(int(value))
    text = str(value).strip() if isinstance(value, str) else ""
    if re.fullmatch(r"0[0-9a-fA-F]{5}", text):
        return int(text, 16)  # six hex digits: no state is printed with a zero before it in decimal
    if re.fullmatch(r"\d{1,10}", text):
        return int(text)
    return int(text, 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", text) else None


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).strip().casefold())


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
