"""Changes as the user writes them: `PRODUCT[@VERSION][,role=...,parent=...,group=...,with=...,without=...]` `GENERATION[@BUILD]` and
`KB` numbers.

Rules of this file:
1. Names are checked against the matrix at once; a name that is not known is answered with those nearest to it.
2. `parent=` and `group=` with nothing behind them mean none; left out they mean not known.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

import msgspec

from auditor.analysis.host.facts import altitude_of
from auditor.model.errors import UsageError
from auditor.model.finding import ProductRole
from auditor.model.selector import Generation
from auditor.model.signature import Signature
from auditor.model.table import AltitudesTable, Table
from auditor.model.version import parse_version
from auditor.model.whatif import Change, ChangeKind, DriverFile

_KEYS = ("role", "parent", "group", "with", "without")
_LONGEST = 500
_KB = re.compile(r"KB[0-9]{6,8}", re.IGNORECASE)
GENERATIONS: tuple[Generation, ...] = get_args(Generation)


def read_change(kind: ChangeKind, text: str, said: str, signatures: Mapping[str, Signature], versions: Iterable[str] = ()) -> Change:
    """A change of a kind from its text. `said` is how it is told; `versions` are versions of the product that the fleet has.

    Raises UsageError that names what is wrong, with the nearest names.
    """
    if len(text) > _LONGEST:
        raise UsageError(f"{said[:60]}…: longer than {_LONGEST} characters")
    if kind == "os_upgrade":
        return _windows(text, said)
    if kind == "update" or (kind == "install" and _KB.fullmatch(text.strip())):
        return _update(text.strip(), said)
    head, *rest = [part.strip() for part in text.split(",")]
    name, at, version = head.partition("@")
    signature = _signature(name.strip(), said, signatures)
    fields = _fields(rest, said)
    if kind == "remove" and (at or fields):
        raise UsageError(f"{said}: a removal takes the product's id only", next_step=f"Write {signature.id}.")
    if kind == "upgrade" and not at:
        raise UsageError(f"{said}: an upgrade needs the version", next_step=f"Write {signature.id}@VERSION.")
    role = _role(fields.get("role"), said, signature)
    if (role == "unmanaged_client" and fields.get("parent")) or (role == "managed_client" and fields.get("parent") == ""):
        raise UsageError(f"{said}: role={role} and parent={fields.get('parent')} contradict each other")
    return Change(
        kind=kind,
        said=said,
        product=signature.id,
        version=_version(version.strip(), said, signature, versions) if at else None,
        role=role,
        parent=fields.get("parent"),
        group=fields.get("group"),
        parts=_parts(rest, said, signature),
    )


def _update(text: str, said: str) -> Change:
    if not _KB.fullmatch(text):
        raise UsageError(f"{said}: expected the number of an update of Windows such as KB4493472, got {text!r}")
    return Change(kind="update", said=said, update=text.upper())


def driver_change(file: DriverFile, said: str) -> Change:
    """The change that puts a driver's file in place."""
    return Change(kind="driver", said=said, driver=file)


def with_altitudes(change: Change, lists: Mapping[str, Table]) -> Change:
    """A driver's change with the altitudes that tables say were given to it."""
    if change.driver is None:
        return change
    name = change.driver.record.name.casefold().removesuffix(".sys")
    tables = [table for table in lists.values() if isinstance(table, AltitudesTable)]
    given = {
        altitude for table in tables for altitude, names in table.owners.items() if name in names and altitude_of(altitude) is not None
    }
    return msgspec.structs.replace(change, driver=msgspec.structs.replace(change.driver, altitudes=tuple(sorted(given))))


def _signature(name: str, said: str, signatures: Mapping[str, Signature]) -> Signature:
    found = signatures.get(name.casefold())
    if found is not None:
        return found
    by_name = {signature.name.casefold(): id_ for id_, signature in signatures.items()}
    if name.casefold() in by_name:
        return signatures[by_name[name.casefold()]]
    near = difflib.get_close_matches(name.casefold(), [*signatures, *by_name], n=4, cutoff=0.5)
    near += [id_ for id_ in signatures if name and name.casefold() in id_]
    words = {word: id_ for id_ in signatures for word in id_.split("-")}
    near += [words[word] for word in difflib.get_close_matches(name.casefold(), words, n=4, cutoff=0.7)]
    ids = list(dict.fromkeys(by_name.get(word, word) for word in near))[:4]
    step = f"Near to it: {', '.join(ids)}." if ids else "`auditor matrix list --products` shows all."
    raise UsageError(f"{said}: there is no product {name!r}", next_step=step)


def _fields(parts: list[str], said: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        key, equals, value = (text.strip() for text in part.partition("="))
        if not equals or key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean {near[0]}=?" if near else f"expected one of {', '.join(f'{k}=' for k in _KEYS)}"
            raise UsageError(f"{said}: {part!r} is not understood: {hint}")
        if key in found and key not in ("with", "without"):
            raise UsageError(f"{said}: {key}= is given twice")
        found[key] = value
    return found


def _version(text: str, said: str, signature: Signature, versions: Iterable[str]) -> str:
    version = parse_version(text, signature.scheme)
    known = [*signature.releases, *dict.fromkeys(versions)]
    if version is None:
        raise UsageError(f"{said}: {text!r} is no version", next_step=_nearest(text, known) or f"For example {signature.id}@10.1.")
    lines = [line.parts for line in (parse_version(release, signature.scheme) for release in signature.releases) if line]
    if lines and not any((version.parts + (0,) * 8)[: len(line)] == line for line in lines):
        step = _nearest(text, list(signature.releases))
        raise UsageError(f"{said}: {signature.id} has no version {text}", next_step=step)
    return text


def _nearest(text: str, known: list[str]) -> str:
    """The known versions that lie nearest: by number where the text is one, else by letters."""
    wanted = parse_version(text)
    if wanted is None:
        near = difflib.get_close_matches(text, known, n=4, cutoff=0.1) or known[:4]
    else:
        near = sorted(known, key=lambda k: _distance(wanted.parts, k))[:4]
    return f"Near to it: {', '.join(near)}." if near else ""


def _distance(parts: tuple[int, ...], text: str) -> tuple[int, ...]:
    other = parse_version(text)
    theirs = other.parts if other is not None else ()
    return tuple(abs(a - b) for a, b in zip((*parts, 0, 0, 0, 0)[:4], (*theirs, 0, 0, 0, 0)[:4], strict=True))


def _role(text: str | None, said: str, signature: Signature) -> ProductRole | None:
    if text is None:
        return None
    roles = list(dict.fromkeys(sign.is_ for sign in signature.roles))
    if text not in roles:
        known = f"its roles are {', '.join(roles)}" if roles else "it has no roles"
        raise UsageError(f"{said}: {signature.id} has no role {text!r}: {known}")
    return cast("ProductRole", text)


def _parts(rest: list[str], said: str, signature: Signature) -> dict[str, bool]:
    names = {part.part.casefold(): part.part for part in signature.installs if part.part}
    found: dict[str, bool] = {}
    for key, _, value in (text.partition("=") for text in rest):
        if key.strip() in ("with", "without"):
            name = names.get(value.strip().casefold())
            if name is None:
                known = f"its optional parts are {', '.join(names.values())}" if names else "no optional part of it is known"
                raise UsageError(f"{said}: {signature.id} has no part {value.strip()!r}: {known}")
            if found.setdefault(name, key.strip() == "with") is not (key.strip() == "with"):
                raise UsageError(f"{said}: {name} is both chosen and left out")
    return found


def _windows(text: str, said: str) -> Change:
    name, at, build = (part.strip() for part in text.partition("@"))
    word = name.casefold().replace(" ", "").removeprefix("windows").removeprefix("server")
    if word not in GENERATIONS:
        near = difflib.get_close_matches(word, GENERATIONS, n=4, cutoff=0.4)
        step = f"Near to it: {', '.join(near)}." if near else f"Known: {', '.join(GENERATIONS)}."
        raise UsageError(f"{said}: there is no Windows {name!r}", next_step=step)
    version: Any = parse_version(build) if at else None
    if at and (version is None or len(version.parts) < 3):
        raise UsageError(f"{said}: expected a build such as 10.0.17763.1 behind @, got {build!r}")
    return Change(kind="os_upgrade", said=said, generation=word, build=build if at else None)
