"""What playbooks declare of themselves: `<id>.remedy.yml` beside `<id>.yml`, strictly read, all problems at once. Runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from auditor.matrix.convert import convert
from auditor.matrix.strict_yaml import Keys, read_yaml
from auditor.model.errors import MatrixError, Problem
from auditor.model.places import shipped
from auditor.model.remedy import Remedy, step_id

DECLARATION = ".remedy.yml"
_VARIABLE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_STEP = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_RESERVED = re.compile(r"ansible_.*|auditor_.*|remedy_.*|hostvars|groups|vars|inventory_.*|play_.*|omit|environment|playbook_dir|role_.*")


def load_remedies(folder: Path | None = None) -> dict[str, Remedy]:
    """The declarations in a folder of playbooks, by default the shipped one, by id. Raises MatrixError with every problem."""
    place = folder or shipped("playbooks")
    problems: list[Problem] = []
    found: dict[str, Remedy] = {}
    for path in sorted(place.glob(f"*{DECLARATION}")) if place.is_dir() else []:
        document, faults = read_yaml(path)
        problems += faults
        if document is None:
            continue
        remedy, faults = convert(document, document.value, Remedy, (), path.name.removesuffix(DECLARATION))
        problems += faults
        if remedy is not None:
            problems += [document.problem(keys, remedy.id, message) for keys, message in _faults(remedy, path)]
            found[remedy.id] = remedy
    if problems:
        raise MatrixError(f"the declarations of playbooks have {len(problems)} problems", tuple(problems))
    return found


def _faults(remedy: Remedy, path: Path) -> Iterator[tuple[Keys, str]]:
    stem = path.name.removesuffix(DECLARATION)
    if remedy.id != stem:
        yield ("id",), f"the id is {remedy.id!r}, the file says {stem!r}"
    if not path.with_name(f"{stem}.yml").is_file():
        yield (), f"there is no play {stem}.yml beside it"
    if not remedy.ways:
        yield ("ways",), "no way is named: one or more of modules, raw, person"
    yield from _variable_faults(remedy)
    yield from _step_faults(remedy)


def _variable_faults(remedy: Remedy) -> Iterator[tuple[Keys, str]]:
    names: set[str] = set()
    for number, variable in enumerate(remedy.variables):
        place: Keys = ("variables", number)
        if not _VARIABLE.fullmatch(variable.name) or _RESERVED.fullmatch(variable.name):
            yield (
                (*place, "name"),
                f"{variable.name!r} can't be a variable: lower-case words joined by _, none of Ansible's or the auditor's own",
            )
        if variable.name in names:
            yield (*place, "name"), f"{variable.name!r} is declared twice"
        names.add(variable.name)
        if variable.default is not None and (variable.type == "secret" or not variable.confirmed):
            yield (*place, "default"), "a secret, or a value that no source confirms, has no default"


def _step_faults(remedy: Remedy) -> Iterator[tuple[Keys, str]]:
    seen: set[str] = set()
    for number, step in enumerate(remedy.steps):
        place: Keys = ("steps", number)
        if not _STEP.fullmatch(step.id) or step.id != step_id(step.title):
            yield (*place, "id"), f"the id of {step.title!r} is {step_id(step.title)!r}"
        if step.id in seen:
            yield (*place, "id"), f"{step.id!r} is declared twice"
        seen.add(step.id)
        if bool(step.changes) != (step.rollback is not None):
            yield (*place, "rollback"), "a step that changes something says how it is taken back, and only such a step"
        if "person" in {*step.ways.values()} and not step.by_hand:
            yield (*place, "by_hand"), "a step that is left to a person says what the person does"
