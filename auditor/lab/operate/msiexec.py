"""Windows Installer's command line on a lab host: options, properties, log file, restarts. What is installed is `packages`'.

Source: Microsoft's documentation of msiexec's command-line options and of error codes for Windows Installer.
"""

from __future__ import annotations

import re

import msgspec

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate import packages
from auditor.lab.operate.packages import Log
from auditor.lab.operate.places import absolute, file_at, package_at, there
from auditor.lab.operate.said import Context
from auditor.lab.operate.writes import Denied, put_file

BAD_LINE = 1639
_CODE = re.compile(r"\{[0-9A-Fa-f-]{36}\}")
_PROPERTY = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)=(.*)", re.DOTALL)
_INSTALL, _REMOVE = ("/i", "/package"), ("/x", "/uninstall")


class Order(msgspec.Struct, kw_only=True):
    """What a command line asks for."""

    verb: str = ""
    what: str = ""
    quiet: bool = False
    log: str = ""
    restart: str = ""
    properties: dict[str, str] = {}

    @property
    def may_restart(self) -> bool:
        """Whether it may restart the host."""
        suppressed = self.properties.get("REBOOT", "").lower()[:1] in ("r", "s")
        return not suppressed and self.restart not in ("/norestart", "/promptrestart")


def read_order(words: list[str]) -> Order | None:
    """The order of a command line; None where msiexec does not take it."""
    order, rest = Order(), [word.strip() for word in words if word.strip()]
    while rest:
        word = rest.pop(0)
        flag = ("/" + word[1:]).lower() if word[:1] in "-/" else ""
        if flag in (*_INSTALL, *_REMOVE) or (flag[:2] in ("/i", "/x") and flag[2:3] in ("{", '"')):
            order.verb = "remove" if flag.startswith(("/x", "/uninstall")) else "install"
            what = word[2:] if flag[2:3] in ("{", '"') else rest.pop(0) if rest else ""
            order.what = what
        elif flag.startswith("/l") and rest:
            order.log = rest.pop(0)
        elif flag.startswith("/q") or flag in ("/passive", "/quiet"):
            order.quiet = True
        elif flag in ("/norestart", "/promptrestart", "/forcerestart"):
            order.restart = flag
        elif match := _PROPERTY.fullmatch(word):
            order.properties[match.group(1).upper()] = match.group(2)
        else:
            return None
    if order.properties.pop("REMOVE", "").upper() == "ALL":
        order.verb = "remove"
    return order if order.verb and order.what else None


def run_order(machine: Machine, order: Order | None, context: Context) -> Steps[int]:
    """Carries an order out; gives the exit code. One that is not quiet waits for a window that nobody sees."""
    if order is None:
        return BAD_LINE
    log = Log()
    log.add(f"=== Verbose logging started. {order.verb} {order.what} ===")
    while not order.quiet:
        yield 3600.0
    code = yield from _carry_out(machine, order, log, context)
    forced = order.restart == "/forcerestart" and code in (packages.DONE, packages.NEEDS_RESTART)
    if code in (packages.NEEDS_RESTART, packages.RESTARTS):
        code = packages.RESTARTS if order.may_restart else packages.NEEDS_RESTART
    if forced:
        code = packages.RESTARTS
    log.add(f"MainEngineThread is returning {code}")
    write_log(machine, order.log, log, context)
    if code == packages.RESTARTS:
        packages.restarts_now(machine, context.user)
    return code


def _carry_out(machine: Machine, order: Order, log: Log, context: Context) -> Steps[int]:
    if _CODE.fullmatch(order.what):
        key, label = packages.uninstall_key(machine, order.what), packages.by_code(machine, order.what)
        if key is None:
            log.add("This action is only valid for products that are currently installed.")
            return packages.UNKNOWN_PRODUCT
        if label is None:
            log.add(f"The fleet file has no package for {order.what}: the lab does not know what it would take away.")
            return packages.NO_SOURCE
        if order.verb == "install":
            return packages.DONE
        return (yield from packages.remove(machine, label, order.properties, log))
    path = absolute(machine, order.what, context)
    label = package_at(machine, path) if path else None
    if path is None or label is None:
        known = path is not None and there(machine, path)
        reason = "it is no package that the fleet file knows" if known else "it is not there"
        log.add(f"This installation package could not be opened: {reason}.")
        return packages.NO_PACKAGE
    if order.verb == "remove":
        code = machine.packages[label].facts.code
        if code is None or packages.uninstall_key(machine, code) is None:
            return packages.UNKNOWN_PRODUCT
        return (yield from packages.remove(machine, label, order.properties, log))
    return (yield from packages.install(machine, label, order.properties, log))


def write_log(machine: Machine, path: str, log: Log, context: Context) -> None:
    """The log file, in UTF-16 as Windows Installer writes it; where it can't be written there is none."""
    full = absolute(machine, path, context) if path else None
    if full is None or full.startswith("\\\\") or not there(machine, full.rpartition("\\")[0]):
        return
    old = file_at(machine, full)
    text = "\r\n".join([*log.lines, ""])
    try:
        put_file(machine, full, (old.data() if old else b"\xff\xfe") + text.encode("utf-16-le"))
    except Denied:
        return
