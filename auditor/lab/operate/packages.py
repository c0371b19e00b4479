"""Installing and removing the packages of a fleet file: what each adds and takes away, how it goes, with which exit code.

Exit codes are Windows Installer's: 0, 1603 failed, 1605 not installed, 1618 another installation runs, 1641 restarts, 3010 restart needed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from auditor.lab.agenda import Steps
from auditor.lab.assemble import add_states, put_drivers, put_programs, put_services
from auditor.lab.assemble_files import add_driver_files, add_file
from auditor.lab.facts_change import ActFacts, ContentsFacts, PackageFacts, PropertyFacts, RemovedFacts
from auditor.lab.fleet import Package
from auditor.lab.machine import SERVICES, Machine
from auditor.lab.operate import restart, services
from auditor.lab.operate.pending import COMPONENTS, add_pending
from auditor.lab.operate.writes import (
    clear_value,
    put_task,
    put_value,
    remove_file,
    remove_folder,
    remove_key,
    remove_task,
    set_defender,
    task_name,
)
from auditor.lab.paths import driver_path
from auditor.lab.registry import Setting, Value

DONE, FAILED, UNKNOWN_PRODUCT, BUSY, RESTARTS, NEEDS_RESTART = 0, 1603, 1605, 1618, 1641, 3010
NO_SOURCE, NO_PACKAGE = 1612, 1619
_RESTARTS_AFTER = 2.0
_UNINSTALL = [rf"HKLM\SOFTWARE\{view}Microsoft\Windows\CurrentVersion\Uninstall" for view in ("", "Wow6432Node\\")]


class Log:
    """What the installer writes down."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """One line."""
        self.lines.append(line)


def uninstall_key(machine: Machine, code: str) -> str | None:
    """The uninstall entry of a product code, in either view."""
    return next((rf"{parent}\{code}" for parent in _UNINSTALL if machine.registry.key(rf"{parent}\{code}") is not None), None)


def by_code(machine: Machine, code: str) -> str | None:
    """The label of the package with this product code; of several versions the one that the uninstall entry tells of."""
    labels = [label for label, package in machine.packages.items() if (package.facts.code or "").upper() == code.upper()]
    key = uninstall_key(machine, code)
    version = machine.registry.text(key, "DisplayVersion") if key else None
    for label in labels:
        entry = machine.packages[label].facts.adds.programs.get(code)
        if entry is not None and entry.version == version:
            return label
    return labels[0] if labels else None


def install(machine: Machine, label: str, properties: Mapping[str, str], log: Log) -> Steps[int]:
    """Installs a package; gives the exit code."""
    package = machine.packages[label]
    name = _title(package.facts, label)

    def do() -> int:
        for entry in package.facts.conflicts:
            if uninstall_key(machine, entry) is not None:
                log.add(f"Product: {name} -- another product ({entry}) must be removed first.")
                return FAILED
        for wanted, goes in package.facts.settings.items():
            if not _resolves(machine, properties, wanted, goes):
                log.add(f"Product: {name} -- Error 1720. The name {properties.get(wanted)!r} given as {wanted} could not be resolved.")
                return FAILED
        _add(machine, package, loaded=package.facts.install.code == DONE)
        for wanted, goes in package.facts.settings.items():
            if wanted in properties and all(properties.get(key) == text for key, text in goes.only_if.items()):
                put_value(machine, goes.key, Value(goes.value, "REG_SZ", properties[wanted]))
        return DONE

    return (yield from _act(machine, f"install {label}", package.facts.install, do, log, f"{name} -- Installation"))


def remove(machine: Machine, label: str, properties: Mapping[str, str], log: Log) -> Steps[int]:
    """Removes a package; gives the exit code."""
    package = machine.packages[label]
    name = _title(package.facts, label)

    def do() -> int:
        given = properties.get(package.facts.password_property, "")
        if package.facts.password is not None and given != package.facts.password:
            log.add(f"Product: {name} -- The uninstallation password is {'wrong' if given else 'missing'}.")
            return FAILED
        _take(machine, package)
        return DONE

    return (yield from _act(machine, f"remove {label}", package.facts.remove, do, log, f"{name} -- Removal"))


def _act(machine: Machine, key: str, how: ActFacts, do: Callable[[], int], log: Log, what: str) -> Steps[int]:
    if machine.installing:
        log.add("Another installation is already in progress.")
        return BUSY
    machine.installing = True
    machine.tries[key] = machine.tries.get(key, 0) + 1
    try:
        while how.hangs:
            yield 3600.0
        yield how.seconds / 2
        if how.cuts_network_seconds:
            restart.cut_network(machine, how.cuts_network_seconds)
        yield how.seconds / 2
        code = how.fail_code if machine.tries[key] <= how.fails_times else do()
    finally:
        machine.installing = False
    if code == DONE:
        code = how.code
    good = code in (DONE, NEEDS_RESTART, RESTARTS)
    log.add(f"Product: {what} {'completed successfully' if good else 'failed'}.")
    if code in (NEEDS_RESTART, RESTARTS):
        machine.registry.make(COMPONENTS) if not machine.legacy else _mark_pending(machine, key)
    return code


def _mark_pending(machine: Machine, key: str) -> None:
    """On old Windows the sign of a needed restart is a file that waits to be removed."""
    add_pending(machine, f"{machine.windows}\\Installer\\MSI{len(key):X}.tmp")


def restarts_now(machine: Machine, user: str) -> None:
    """The restart that an installer begins by itself."""
    restart.schedule(machine, _RESTARTS_AFTER, user)


def _title(facts: PackageFacts, label: str) -> str:
    return next((program.name for program in facts.adds.programs.values() if program.name), label)


def _resolves(machine: Machine, properties: Mapping[str, str], wanted: str, goes: PropertyFacts) -> bool:
    if not goes.resolvable or wanted not in properties or any(properties.get(key) != text for key, text in goes.only_if.items()):
        return True
    name = properties[wanted].upper()
    peer = machine.peers.get(name)
    return name in map(str.upper, goes.resolves) or (peer is not None and peer.reachable(machine.agenda.now))


def _add(machine: Machine, package: Package, *, loaded: bool) -> None:
    contents = package.facts.adds
    put_services(machine, contents.services)
    put_drivers(machine, contents.drivers)
    put_programs(machine, contents.programs)
    for setting in package.adds:
        machine.registry.make(setting.key)
        if setting.value is not None:
            put_value(machine, setting.key, _dialled(machine, setting.value))
    add_states(machine, contents.services, contents.drivers)
    if not loaded:
        for name in contents.drivers:
            if (machine.registry.number(rf"{SERVICES}\{name}", "Start") or 0) < services.STARTS["auto"]:
                machine.services[name.upper()].state = "stopped"
    add_driver_files(machine, contents.drivers)
    for path, facts in contents.files.items():
        add_file(machine, path, facts)
    for name, task in contents.tasks.items():
        put_task(machine, name, task)
    machine.shares.update(contents.shares)
    machine.features.update(contents.features)
    if contents.defender is not None:
        change_defender(machine, contents.defender)


def change_defender(machine: Machine, changes: Mapping[str, Any]) -> None:
    """Sets what Defender says, as a fleet file writes it. Raises Denied."""
    if machine.defender is not None:
        whole = msgspec.convert({**msgspec.structs.asdict(machine.defender), **changes}, type(machine.defender))
        set_defender(machine, **{name: getattr(whole, name) for name in changes})


def _dialled(machine: Machine, value: Value) -> Value:
    return Value(value.name, value.type, machine.dial.expand(value.data)) if isinstance(value.data, str) else value


def _take(machine: Machine, package: Package) -> None:
    removed: RemovedFacts = package.facts.removes
    for name in (*removed.services, *removed.drivers):
        if services.find(machine, name) is not None:
            services.remove(machine, name)
    for path in removed.at_restart:
        add_pending(machine, path)
    waits = {path.upper() for path in removed.at_restart}
    for path in _files(machine, removed):
        if path.upper() not in waits:
            remove_file(machine, path)
    for key in removed.keys:
        remove_key(machine, key)
    for setting in package.removes:
        _take_setting(machine, setting)
    for key in {setting.key for setting in package.removes}:
        _prune(machine, key)
    code = package.facts.code
    for entry in (*removed.programs, *([code] if code else [])):
        if (found := uninstall_key(machine, entry)) is not None:
            remove_key(machine, found)
    _take_rest(machine, removed)


def _take_rest(machine: Machine, removed: RemovedFacts) -> None:
    for folder in removed.folders:
        remove_folder(machine, folder)
    for name in removed.tasks:
        remove_task(machine, task_name(machine, name))
    for name in removed.shares:
        machine.shares = {share: facts for share, facts in machine.shares.items() if share.upper() != name.upper()}
    for name in removed.features:
        machine.features.pop(name, None)
    if removed.defender is not None:
        if removed.defender:
            change_defender(machine, removed.defender)
        else:
            machine.at_restart.append(functools.partial(setattr, machine, "defender", None))


def _files(machine: Machine, contents: ContentsFacts) -> list[str]:
    paths = [machine.dial.expand(path) for path in contents.files]
    for name, driver in contents.drivers.items():
        if not isinstance(driver.file, str):
            path = driver_path(name, machine.dial.expand(driver.image or ""), machine)
            paths += [path] if path else []
    return paths


def _take_setting(machine: Machine, setting: Setting) -> None:
    if setting.value is not None:
        clear_value(machine, setting.key, setting.value.name)


def _prune(machine: Machine, path: str) -> None:
    """Removes a key that holds nothing any more."""
    key = machine.registry.key(path)
    if key is not None and not key.values() and not key.subkeys():
        remove_key(machine, path)
