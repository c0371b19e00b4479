"""Fleet files: finding, merging and checking them -> the facts of each host. Reads files below two folders only.

Rules of this file:
1. A file names others (`extends`, `base`) by id: letters, digits, dot, dash, underscore. They are looked for beside the file and among
   the fleets that ship; a base lies in a folder `base` there. No id can leave these folders.
2. `base` is laid under a host (several: in order, later over earlier), `patch` over the hosts of the extended fleet, after their bases.
3. All problems of all files come at once, as LabError, each with file, line and column.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from auditor.lab.convert import convert_struct
from auditor.lab.document import MAXIMUM_BYTES, Mark, Node, Problems, merge, read_document
from auditor.lab.facts import HostFacts
from auditor.lab.facts_change import CommandFacts, PackageFacts, ProgramCommands
from auditor.lab.facts_types import Facts, Name, Text
from auditor.lab.registry import Setting, read_registry
from auditor.model.errors import LabError, Problem

MAXIMUM_HOSTS = 500
MAXIMUM_CHAIN = 8
SHIPPED = Path(__file__).parent / "fleets"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_SHARED = ("packages", "commands")
_TOP = ("title", "extends", "accounts", *_SHARED, "hosts", "patch", "remove")


class AccountFacts(Facts, frozen=True, kw_only=True):
    """An account of the lab, the same on every host."""

    user: Name
    password: Text | None = None
    """Null lets the lab make one up for each run; it stands in the inventory that the lab writes."""


class AccountsFacts(Facts, frozen=True, kw_only=True):
    """The two accounts of every host."""

    auditor: AccountFacts = AccountFacts(user="svc-audit")
    operator: AccountFacts = AccountFacts(user="svc-operate")


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A package with the registry of its contents typed."""

    facts: PackageFacts
    adds: tuple[Setting, ...] = ()
    removes: tuple[Setting, ...] = ()


class ProductCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command of a product's program, its registry typed."""

    path: str
    facts: CommandFacts
    registry: tuple[Setting, ...] = ()


class LabHost(msgspec.Struct, frozen=True, kw_only=True):
    """One host of a fleet: its name in the inventory and its facts."""

    name: str
    facts: HostFacts
    registry: tuple[Setting, ...]
    """The `registry` of its facts, typed."""
    packages: dict[str, Package] = {}
    """The fleet's and its own, by label."""
    commands: tuple[ProductCommand, ...] = ()


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet as loaded."""

    title: str
    accounts: AccountsFacts
    hosts: tuple[LabHost, ...]

    def host(self, name: str) -> LabHost:
        """The host of that name. Raises KeyError."""
        return next((host for host in self.hosts if host.name == name), None) or _missing(name)


def _missing(name: str) -> LabHost:
    raise KeyError(name)


def load_fleet(source: str | Path) -> Fleet:
    """The fleet in a file, or a shipped one by its id (`incident`). Raises LabError with all problems."""
    problems = Problems()
    path = _find_source(source)
    layers = _Loader(problems).load(path, str(source), ()) if path else None
    if path is None:
        problems.add(Mark(str(source)), f"no such fleet file, and no shipped fleet of that name ({', '.join(shipped_fleets())})")
    fleet = _convert(layers, problems) if layers else None
    if problems or fleet is None:
        count = "1 problem" if len(problems.found) == 1 else f"{len(problems.found)} problems"
        raise LabError(f"the fleet {source} has {count}", problems.found, next_step="see docs/lab.md", usage=path is None)
    return fleet


def shipped_fleets() -> tuple[str, ...]:
    """Ids of the fleets that ship with the auditor."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.yml")))


def _find_source(source: str | Path) -> Path | None:
    path = Path(source)
    if path.is_file():
        return path
    shipped = SHIPPED / f"{source}.yml"
    return shipped if _ID.fullmatch(str(source)) and shipped.is_file() else None


class _Layers(msgspec.Struct):
    """A fleet while it is put together: title and accounts as nodes, hosts with their bases merged in."""

    mark: Mark
    title: Node | None = None
    accounts: Node | None = None
    packages: Node = Node({}, Mark(""))
    commands: Node = Node({}, Mark(""))
    hosts: dict[str, Node] = {}


class _Loader:
    """Reads a fleet file and what it names."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._bases: dict[Path, Node | None] = {}

    def load(self, path: Path, shown: str, chain: tuple[Path, ...]) -> _Layers | None:
        """The layers of one file on top of what it extends."""
        root = self._read(path, shown)
        if root is None or not isinstance(root.value, dict):
            if root is not None:
                self._problems.add(root.mark, "expected a map with `hosts` or `extends`")
            return None
        for key, node in root.value.items():
            if key not in _TOP:
                self._problems.add(node.mark, f"unknown key `{key}`, expected one of {', '.join(_TOP)}")
        layers = self._extended(root, path, (*chain, path.resolve()))
        layers.title = root.value.get("title", layers.title)
        layers.accounts = root.value.get("accounts", layers.accounts)
        for name in _SHARED:
            if name in root.value:
                setattr(layers, name, merge(getattr(layers, name), self._with_bases(root.value[name], path), self._problems, name))
        self._remove(root, layers)
        self._patch(root, layers)
        self._add(root, path, layers)
        return layers

    def _read(self, path: Path, shown: str) -> Node | None:
        try:
            with path.open("rb") as stream:
                data = stream.read(MAXIMUM_BYTES + 1)
            text = data.decode("utf-8-sig")
        except OSError as error:
            self._problems.add(Mark(shown), f"can't be read: {error.strerror}")
        except UnicodeDecodeError as error:
            self._problems.add(Mark(shown), f"not UTF-8: {error.reason} at byte {error.start}")
        else:
            return read_document(text, shown, self._problems)
        return None

    def _extended(self, root: Node, path: Path, chain: tuple[Path, ...]) -> _Layers:
        node, nothing = root.value.get("extends"), _Layers(root.mark)
        if node is None:
            return nothing
        found = self._named(node, path, "")
        if found is None:
            return nothing
        if found.resolve() in chain or len(chain) >= MAXIMUM_CHAIN:
            self._problems.add(node.mark, f"`extends` goes round in a circle or over more than {MAXIMUM_CHAIN} files")
            return nothing
        return self.load(found, found.name, chain) or nothing

    def _named(self, node: Node, path: Path, folder: str) -> Path | None:
        name = node.value
        if not isinstance(name, str) or not _ID.fullmatch(name) or ".." in name:
            self._problems.add(node.mark, f"expected an id of letters, digits, dot, dash or underscore, got `{node.plain()}`")
            return None
        file = name if name.endswith(".yml") else f"{name}.yml"
        for place in (path.parent / folder / file, SHIPPED / folder / file):
            if place.is_file() and place.resolve() != path.resolve():
                return place
        self._problems.add(node.mark, f"no file {folder}{'/' if folder else ''}{file} beside this one or among the shipped fleets")
        return None

    def _remove(self, root: Node, layers: _Layers) -> None:
        node = root.value.get("remove")
        if node is None:
            return
        for item in node.value if isinstance(node.value, list) else [node]:
            if not isinstance(item.value, str) or layers.hosts.pop(item.value, None) is None:
                self._problems.add(item.mark, f"removes `{item.plain()}`, but the extended fleet has no such host")

    def _patch(self, root: Node, layers: _Layers) -> None:
        for name, node in self._map(root, "patch").items():
            if name not in layers.hosts:
                self._problems.add(node.mark, f"patches `{name}`, but the extended fleet has no such host")
            else:
                layers.hosts[name] = merge(layers.hosts[name], node, self._problems, name)

    def _add(self, root: Node, path: Path, layers: _Layers) -> None:
        for name, node in self._map(root, "hosts").items():
            if name in layers.hosts:
                self._problems.add(node.mark, f"the extended fleet has a host `{name}` already: use `patch`")
            elif not _HOST.fullmatch(name):
                self._problems.add(node.mark, f"expected a host name of letters, digits, dot and dash, got `{name}`")
            elif len(layers.hosts) >= MAXIMUM_HOSTS:
                self._problems.add(node.mark, f"more than {MAXIMUM_HOSTS} hosts")
            else:
                layers.hosts[name] = self._based(node, path, name)
                own = layers.hosts[name].value.get("packages") if isinstance(layers.hosts[name].value, dict) else None
                if own is not None:
                    layers.hosts[name].value["packages"] = self._with_bases(own, path)

    def _map(self, root: Node, key: str) -> dict[str, Node]:
        node = root.value.get(key)
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            self._problems.add(node.mark, f"`{key}` is a map of host names")
            return {}
        return node.value

    def _with_bases(self, packages: Node, path: Path) -> Node:
        """Packages whose contents have their bases merged in; anything else as it is."""
        if not isinstance(packages.value, dict):
            return packages
        found: dict[str, Node] = {}
        for label, package in packages.value.items():
            parts = package.value
            if isinstance(parts, dict):
                based = {key: self._based(part, path, label) if key in ("adds", "removes") else part for key, part in parts.items()}
                package = Node(based, package.mark)
            found[label] = package
        return Node(found, packages.mark)

    def _based(self, node: Node, path: Path, name: str) -> Node:
        if not isinstance(node.value, dict) or "base" not in node.value:
            return node
        own = Node({key: child for key, child in node.value.items() if key != "base"}, node.mark)
        named = node.value["base"]
        result: Node | None = None
        for item in named.value if isinstance(named.value, list) else [named]:
            base = self._base(item, path)
            if base is not None:
                result = base if result is None else merge(result, base, self._problems, name)
        return own if result is None else merge(result, own, self._problems, name)

    def _base(self, node: Node, path: Path) -> Node | None:
        found = self._named(node, path, "base")
        if found is None:
            return None
        if found not in self._bases:
            base = self._read(found, f"base/{found.name}")
            if base is not None and not isinstance(base.value, dict):
                self._problems.add(base.mark, "expected a map of facts")
                base = None
            self._bases[found] = base
        return self._bases[found]


def _convert(layers: _Layers, problems: Problems) -> Fleet | None:
    if not layers.hosts:
        problems.add(layers.mark, "a fleet needs at least one host")
    accounts = convert_struct(layers.accounts, AccountsFacts, problems, "accounts") if layers.accounts else AccountsFacts()
    packages = read_packages(layers.packages, problems, "packages")
    commands = read_commands(layers.commands, problems, "commands")
    hosts = [_host(name, node, problems, packages, commands) for name, node in layers.hosts.items()]
    if problems or accounts is None:
        return None
    title = str(layers.title.plain()) if layers.title else ""
    return Fleet(title=title, accounts=accounts, hosts=tuple(host for host in hosts if host is not None))


def _host(name: str, node: Node, problems: Problems, packages: dict[str, Package], commands: tuple[ProductCommand, ...]) -> LabHost | None:
    facts = convert_struct(node, HostFacts, problems, name)
    parts = node.value if isinstance(node.value, dict) else {}
    settings = read_registry(parts["registry"], problems, name) if "registry" in parts else ()
    own = read_packages(parts["packages"], problems, f"{name}.packages") if "packages" in parts else {}
    programs = read_commands(parts["commands"], problems, f"{name}.commands") if "commands" in parts else ()
    if facts is None:
        return None
    return LabHost(name=name, facts=facts, registry=settings, packages={**packages, **own}, commands=(*programs, *commands))


def read_packages(node: Node, problems: Problems, subject: str) -> dict[str, Package]:
    """The packages under `packages:`. Problems are noted with their places."""
    found: dict[str, Package] = {}
    for label, child in node.value.items() if isinstance(node.value, dict) else ():
        facts = convert_struct(child, PackageFacts, problems, f"{subject}.{label}")
        if facts is not None:
            adds, removes = (_settings(child.value.get(part), problems, f"{subject}.{label}.{part}") for part in ("adds", "removes"))
            found[label] = Package(facts=facts, adds=adds, removes=removes)
    return found


def read_commands(node: Node, problems: Problems, subject: str) -> tuple[ProductCommand, ...]:
    """The commands of all programs under `commands:`."""
    found: list[ProductCommand] = []
    for label, child in node.value.items() if isinstance(node.value, dict) else ():
        program = convert_struct(child, ProgramCommands, problems, f"{subject}.{label}")
        if program is None:
            continue
        for name, facts in program.commands.items():
            place = child.value["commands"].value[name]
            found.append(ProductCommand(path=program.path, facts=facts, registry=_settings(place, problems, f"{subject}.{label}.{name}")))
    return tuple(found)


def _settings(node: Node | None, problems: Problems, subject: str) -> tuple[Setting, ...]:
    """The typed `registry` of a part, where it has one."""
    registry = node.value.get("registry") if node is not None and isinstance(node.value, dict) else None
    return read_registry(registry, problems, subject) if registry is not None else ()


class _HostEntry(HostFacts, frozen=True, kw_only=True):
    """A host of a fleet file: facts of its own over those of its bases."""

    base: Name | tuple[Name, ...] | None = None


class _FleetFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fleet file of the auditor's lab."""

    title: Text = ""
    extends: Annotated[str, Meta(pattern=f"^{_ID.pattern}$")] | None = None
    accounts: AccountsFacts = AccountsFacts()
    packages: dict[Name, PackageFacts] = {}
    commands: dict[Name, ProgramCommands] = {}
    hosts: dict[Name, _HostEntry] = msgspec.field(default_factory=dict)
    patch: dict[Name, HostFacts] = msgspec.field(default_factory=dict)
    remove: tuple[Name, ...] = ()


def fleet_schema() -> dict[str, Any]:
    """The JSON Schema of a fleet file, for editors. Nothing is required in it, since bases and patches hold parts, and null removes."""
    schema = _with_nulls(msgspec.json.schema(_FleetFile))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _with_nulls(schema: Any) -> Any:
    """A schema in which nothing is required and every property, and every value of a map, may be null."""
    if isinstance(schema, list):
        return [_with_nulls(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _with_nulls(part) for key, part in schema.items() if key != "required"}
    if isinstance(result.get("properties"), dict):
        result["properties"] = {key: {"anyOf": [part, {"type": "null"}]} for key, part in result["properties"].items()}
    if isinstance(result.get("additionalProperties"), dict):
        result["additionalProperties"] = {"anyOf": [result["additionalProperties"], {"type": "null"}]}
    return result


def problem_of(name: str, error: ValueError) -> Problem:
    """A fact that only shows as wrong when the machine is built (an impossible date, two names that differ in case only)."""
    return Problem(file=name, message=str(error))
