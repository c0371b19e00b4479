"""Values that only Ansible can tell (templates, inline vault): one small playbook over a world of just the variables they read.

The world is written from raw values that were looked at (`templates.forbidden`), so nothing reaches Ansible unchecked: no vars
plugin, no second reading of the sources. Answers leave through one file in the private place, which is removed at once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from auditor.inventory.listing import Listing
from auditor.inventory.program import run_program
from auditor.inventory.templates import forbidden, is_vaulted, words_of
from auditor.model.errors import InventoryError

_REASONS_ASKED = 20
"""Values that fail are asked for their reason one by one, which is slow: so many at most."""
_UNDEFINED = re.compile(r"'([^'\n]{1,80})' is undefined")
_UNKNOWN = "Ansible can't resolve its template"
_WANTED = "auditor_wanted_"
_SINGLE_GROUP = "auditor_single"
_TOGETHER = (
    "{% set rows = [] %}{% for host, name in auditor_items %}"
    "{% set _ = rows.append([hostvars[host]['" + _WANTED + "' ~ name] | default(auditor_missing)]) %}"
    "{% endfor %}{{ rows | to_json }}"
)
_COLLECTED = (
    "{% set rows = {} %}{% for host in auditor_hosts %}"
    "{% set _ = rows.update({host: (hostvars[host].auditor_answers | default({})).results | default([])}) %}"
    "{% endfor %}{{ rows | to_json }}"
)


class Wanted(NamedTuple):
    """One value to resolve: a host and the name of its variable."""

    host: str
    name: str


class Resolved(msgspec.Struct, frozen=True):
    """What Ansible made of the values wanted, and why some could not be told."""

    values: dict[Wanted, Any]
    failures: dict[Wanted, str]


class Resolver:
    """Asks Ansible for values of one listing, from inside one private place."""

    def __init__(self, world: Listing, place: Path, vault: Sequence[str], *, trust: bool) -> None:
        self._world = world
        self._place = place
        self._vault = vault
        self._trust = trust

    def resolve(self, wanted: Sequence[Wanted]) -> Resolved:
        """The values, with a reason for each that can't be told. Raises InventoryError where Ansible does not run at all."""
        if not wanted:
            return Resolved({}, {})
        alone = [w for w in wanted if "hostvars" in reach(self._world.variables[w.host], {w.name})]
        together = [w for w in wanted if w not in set(alone)]
        values = self._together(together) if together else {}
        missing = [w for w in together if w not in values]
        singly = alone + missing[:_REASONS_ASKED]
        answers = self._singly(singly) if singly else {}
        values |= {w: answer[0] for w, answer in answers.items() if not isinstance(answer, str)}
        failures = {w: answer for w, answer in answers.items() if isinstance(answer, str)}
        return Resolved(values, {w: failures.get(w, _UNKNOWN) for w in wanted if w not in values})

    def _together(self, wanted: Sequence[Wanted]) -> dict[Wanted, Any]:
        """All values through one template; those that fail are left out."""
        missing = {"auditor_gone": True}
        self._write_world(wanted, ())
        play = _play("localhost", [_answer_task(_TOGETHER)], {"auditor_items": [list(w) for w in wanted], "auditor_missing": missing})
        rows = self._run([play])
        if not isinstance(rows, list) or len(rows) != len(wanted):
            return {}
        return {w: row[0] for w, row in zip(wanted, rows, strict=True) if row[0] != missing}

    def _singly(self, wanted: Sequence[Wanted]) -> dict[Wanted, tuple[Any] | str]:
        """Each value in a play of its own host: slower, but it sees other hosts' variables and says what is wrong."""
        hosts = list(dict.fromkeys(w.host for w in wanted))
        names = {host: [w.name for w in wanted if w.host == host] for host in hosts}
        self._write_world(wanted, hosts)
        task = {
            "name": "resolve",
            "ansible.builtin.set_fact": {"auditor_value": "{{ lookup('ansible.builtin.vars', '" + _WANTED + "' ~ item) }}"},
            "loop": "{{ auditor_names[inventory_hostname] }}",
            "register": "auditor_answers",
            "ignore_errors": True,
            "no_log": True,
        }
        each = _play(_SINGLE_GROUP, [task], {"auditor_names": names})
        rows = self._run([each, _play("localhost", [_answer_task(_COLLECTED)], {"auditor_hosts": hosts})])
        if not isinstance(rows, dict):
            raise InventoryError(
                "Ansible gave no answer about the inventory's templates", next_step="check the installation of ansible-core"
            )
        return {Wanted(host, a["item"]): _single(a) for host, results in rows.items() for a in results if "item" in a}

    def _run(self, plays: list[dict[str, Any]]) -> Any:
        answer, playbook = self._place / "answer.json", self._place / "resolve.yml"
        for play in plays:
            play["vars"]["auditor_answer"] = str(answer)
        playbook.write_bytes(msgspec.json.encode(plays))
        run_program("ansible-playbook", ["-i", str(self._place / "world.yml"), *self._vault, str(playbook)], self._place, trust=self._trust)
        try:
            return msgspec.json.decode(answer.read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        finally:
            answer.unlink(missing_ok=True)

    def _write_world(self, wanted: Sequence[Wanted], singles: Sequence[str]) -> None:
        """A YAML inventory of the same hosts and groups with just the variables that the wanted values can reach."""
        import yaml

        kept = self._reachable(wanted)
        aliases: dict[str, dict[str, str]] = {}
        for host, name in wanted:
            aliases.setdefault(host, {})[name] = _WANTED + name
        hosts: dict[str, dict[str, Any]] = {}
        for host, values in self._world.variables.items():
            names = dict.fromkeys(name for name in values if name in kept)
            chosen = {name: values[name] for name in names} | {alias: values[name] for name, alias in aliases.get(host, {}).items()}
            hosts[host] = {name: _tagged(value) for name, value in chosen.items() if self._may_be_read(value)} | self._world.places
        groups = {n: {"hosts": dict.fromkeys(members)} for n, members in self._world.groups.items() if n not in ("all", "ungrouped")}
        groups[_SINGLE_GROUP] = {"hosts": dict.fromkeys(singles)}
        text = yaml.dump({"all": {"hosts": hosts, "children": groups}}, Dumper=_dumper(), allow_unicode=True, sort_keys=False)
        (self._place / "world.yml").write_text(text, encoding="utf-8")

    def _may_be_read(self, value: object) -> bool:
        return self._trust or forbidden(value) is None

    def _reachable(self, wanted: Sequence[Wanted]) -> set[str]:
        kept: set[str] = set()
        for host, name in wanted:
            values = self._world.variables[host]
            kept |= reach(values, set(words_of(values.get(name))))
        while "hostvars" in kept:
            more = {word for values in self._world.variables.values() for word in reach(values, kept)}
            if more == kept:
                break
            kept = more
        return kept


def reach(values: Mapping[str, Any], names: set[str]) -> set[str]:
    """The names, every word in their templates, in the templates of those, and so on."""
    seen: set[str] = set()
    todo = set(names)
    while todo:
        name = todo.pop()
        seen.add(name)
        if name in values:
            todo |= words_of(values[name]) - seen
    return seen


def _single(answer: Mapping[str, Any]) -> tuple[Any] | str:
    if not answer.get("failed"):
        return (answer.get("ansible_facts", {}).get("auditor_value"),)
    message = str(answer.get("msg", ""))
    if match := _UNDEFINED.search(message):
        return f"{match.group(1)!r} is undefined"
    if "vault" in message.lower() or "decrypt" in message.lower():
        return "encrypted with Ansible Vault, and no vault password given opens it (--vault-password-file)"
    return "the file that its lookup reads can't be read" if "lookup" in message and "file" in message else _UNKNOWN


def _play(hosts: str, tasks: list[dict[str, Any]], variables: dict[str, Any]) -> dict[str, Any]:
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return {"hosts": hosts, "gather_facts": False, "vars": variables | local, "tasks": tasks}


def _answer_task(template: str) -> dict[str, Any]:
    return {"name": "answer", "ansible.builtin.copy": {"content": template, "dest": "{{ auditor_answer }}", "mode": "0600"}, "no_log": True}


class _Tagged:
    """A text with one of Ansible's YAML tags."""

    __slots__ = ("tag", "text")

    def __init__(self, tag: str, text: str) -> None:
        self.tag = tag
        self.text = text


def _tagged(value: object) -> object:
    if isinstance(value, dict) and is_vaulted(value):
        return _Tagged("!vault", value["__ansible_vault"])
    if isinstance(value, dict) and "__ansible_unsafe" in value:
        return _Tagged("!unsafe", value["__ansible_unsafe"])
    if isinstance(value, dict):
        return {key: _tagged(item) for key, item in value.items()}
    return [_tagged(item) for item in value] if isinstance(value, list) else value


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes Ansible's two tags, and no aliases."""

        def ignore_aliases(self, _data: object) -> bool:
            return True

    Dumper.add_representer(_Tagged, lambda dumper, value: dumper.represent_scalar(value.tag, value.text, style='"'))
    return Dumper
