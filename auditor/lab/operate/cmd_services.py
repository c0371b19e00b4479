"""sc.exe and net start|stop of a lab host, with Windows' own output and exit codes."""

from __future__ import annotations

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate import services
from auditor.lab.operate.cmd_shell import Call
from auditor.lab.operate.said import Said
from auditor.lab.operate.services import Entry, ServiceError
from auditor.lab.operate.words import not_recognized, said, words
from auditor.lab.registry import Value

_STATES = {
    "stopped": (1, "STOPPED"), "start_pending": (2, "START_PENDING"), "stop_pending": (3, "STOP_PENDING"), "running": (4, "RUNNING"),
    "continue_pending": (5, "CONTINUE_PENDING"), "pause_pending": (6, "PAUSE_PENDING"), "paused": (7, "PAUSED"),
}  # fmt: skip
_TYPES = {1: "KERNEL_DRIVER", 2: "FILE_SYSTEM_DRIVER", 0x10: "WIN32_OWN_PROCESS", 0x20: "WIN32_SHARE_PROCESS"}
_STARTS = {0: "BOOT_START", 1: "SYSTEM_START", 2: "AUTO_START", 3: "DEMAND_START", 4: "DISABLED"}
_ERRORS = {0: "IGNORE", 1: "NORMAL", 2: "SEVERE", 3: "CRITICAL"}
_WORDS = {"boot": 0, "system": 1, "auto": 2, "demand": 3, "disabled": 4, "delayed-auto": 2}
_CALLS = {"query": "EnumQueryServicesStatus:OpenService", "start": "StartService", "stop": "ControlService"}
_BAD_LINE = 1639


def sc(call: Call) -> Steps[Said]:
    """sc query|queryex|qc|config|start|stop|failure|delete NAME ..."""
    yield 0.0
    machine, given = call.machine, call.words
    verb = given[0].lower() if given else ""
    name = given[1] if len(given) > 1 else ""
    acts = {"qc": _qc, "start": _start, "stop": _stop, "config": _config, "failure": _failure, "delete": _delete}
    if verb in ("query", "queryex") and not name:
        return Said(stdout="".join(_printed(entry) for entry in services.entries(machine) if entry.running and not entry.driver))
    if verb in ("query", "queryex") and len(given) == 2:
        entry = services.find(machine, name)
        return _failed(machine, _CALLS["query"], services.UNKNOWN) if entry is None else Said(stdout=_printed(entry))
    if verb not in acts or not name:
        return not_recognized(machine, f"sc {' '.join(given[:1])}")
    try:
        return acts[verb](machine, name, given[2:])
    except ServiceError as error:
        calling = "OpenService" if error.code in (services.UNKNOWN, services.ACCESS_DENIED) else _CALLS.get(verb, verb)
        return _failed(machine, calling, error.code)


def _failed(machine: Machine, calling: str, code: int) -> Said:
    try:
        reason = words(machine, f"sc_{code}")
    except KeyError:
        reason = f"Error {code}"
    return Said(stdout=f"[SC] {calling} FAILED {code}:\r\n\r\n{reason}\r\n\r\n", code=code)


def _printed(entry: Entry) -> str:
    state, word = _STATES.get(entry.state.state, (0, "UNKNOWN"))
    can = "STOPPABLE, NOT_PAUSABLE" if entry.running and entry.state.stoppable else "NOT_STOPPABLE, NOT_PAUSABLE"
    lines = [
        "", f"SERVICE_NAME: {entry.state.name} ", f"        TYPE               : {entry.kind:x}  {_TYPES.get(entry.kind & 0xFF, '')} ",
        f"        STATE              : {state}  {word} ", f"                                ({can}, IGNORES_SHUTDOWN)",
        "        WIN32_EXIT_CODE    : 0  (0x0)", "        SERVICE_EXIT_CODE  : 0  (0x0)", "        CHECKPOINT         : 0x0",
        "        WAIT_HINT          : 0x0", "",
    ]  # fmt: skip
    return "\r\n".join(lines)


def _qc(machine: Machine, name: str, rest: list[str]) -> Said:  # noqa: ARG001
    entry = services.need(machine, name)
    depends = entry.depends or [""]
    lines = [
        f"[SC] {'GetServiceConfig' if machine.legacy else 'QueryServiceConfig'} SUCCESS", "", f"SERVICE_NAME: {entry.name}",
        f"        TYPE               : {entry.kind:x}  {_TYPES.get(entry.kind & 0xFF, '')} ",
        f"        START_TYPE         : {entry.start}   {_STARTS.get(entry.start, '')}",
        f"        ERROR_CONTROL      : {entry.number('ErrorControl', 1)}   {_ERRORS.get(entry.number('ErrorControl', 1), '')} ",
        f"        BINARY_PATH_NAME   : {entry.text('ImagePath') or ''}  ",
        f"        LOAD_ORDER_GROUP   : {entry.text('Group') or ''}  ", f"        TAG                : {entry.number('Tag', 0)}  ",
        f"        DISPLAY_NAME       : {entry.display}  ", f"        DEPENDENCIES       : {depends[0]}  ",
        *(f"                           : {other}  " for other in depends[1:]),
        f"        SERVICE_START_NAME : {entry.text('ObjectName') or ''}  ", "",
    ]  # fmt: skip
    return Said(stdout="\r\n".join(lines))


def _start(machine: Machine, name: str, rest: list[str]) -> Said:  # noqa: ARG001
    services.start(machine, name)
    return Said(stdout=_printed(services.need(machine, name)))


def _stop(machine: Machine, name: str, rest: list[str]) -> Said:  # noqa: ARG001
    services.stop(machine, name)
    return Said(stdout=_printed(services.need(machine, name)))


def _config(machine: Machine, name: str, rest: list[str]) -> Said:
    """`start= disabled`: the value is the next word; without the blank sc.exe of every Windows refuses the line."""
    values: list[Value] = []
    pairs = list(rest)
    while pairs:
        option = pairs.pop(0).lower()
        if not option.endswith("=") or not pairs:
            return _usage()
        text = pairs.pop(0)
        made = _setting(option, text)
        if made is None:
            return _usage()
        values += made
    services.configure(machine, name, *values)
    return Said(stdout="[SC] ChangeServiceConfig SUCCESS\r\n")


def _usage() -> Said:
    text = "DESCRIPTION:\r\n        Modifies a service entry in the registry and Service Database.\r\nUSAGE:\r\n"
    return Said(stdout=f"{text}        sc <server> config [service name] <option1> <option2>...\r\n", code=_BAD_LINE)


def _setting(option: str, text: str) -> list[Value] | None:
    if option == "start=":
        number = _WORDS.get(text.lower())
        delayed = Value("DelayedAutostart", "REG_DWORD", int(text.lower() == "delayed-auto"))
        return None if number is None else [Value("Start", "REG_DWORD", number), *([delayed] if number == _WORDS["auto"] else [])]
    if option == "depend=":
        names = tuple(name for name in text.split("/") if name)
        return [Value("DependOnService", "REG_MULTI_SZ", names)]
    texts = {"displayname=": "DisplayName", "obj=": "ObjectName", "group=": "Group"}
    if option in texts:
        return [Value(texts[option], "REG_SZ", text)]
    if option == "password=":
        return []
    return [Value("ImagePath", "REG_EXPAND_SZ", text)] if option == "binpath=" else None


def _failure(machine: Machine, name: str, rest: list[str]) -> Said:
    """Only what it is called with is kept, as one value: the lab reads no FailureActions."""
    services.need(machine, name)
    if not rest or not all(word.endswith("=") for word in rest[::2]) or len(rest) % 2:
        return _usage()
    services.configure(machine, name, Value("FailureActions", "REG_BINARY", "/".join(rest).encode("utf-16-le")))
    return Said(stdout="[SC] ChangeServiceConfig2 SUCCESS\r\n")


def _delete(machine: Machine, name: str, rest: list[str]) -> Said:  # noqa: ARG001
    services.remove(machine, name)
    return Said(stdout="[SC] DeleteService SUCCESS\r\n")


def net_service(call: Call) -> Said:
    """net start|stop [NAME] [/y]."""
    machine, verb = call.machine, call.words[0].lower()
    given = [word for word in call.words[1:] if not word.startswith("/")]
    if not given:
        names = [f"   {entry.display}" for entry in services.entries(machine) if entry.running and not entry.driver]
        head = "These Windows services are started:"
        return Said(stdout="\r\n".join([head, "", *sorted(names, key=str.lower), "", words(machine, "net_done"), "", ""]))
    entry = services.find_shown(machine, " ".join(given))
    if entry is None:
        return _net_error(machine, 2185, "")
    return (_net_start if verb == "start" else _net_stop)(call, entry)


def _net_start(call: Call, entry: Entry) -> Said:
    machine, name = call.machine, entry.display
    try:
        services.start(machine, entry.name)
    except ServiceError as error:
        if error.code == services.ALREADY_RUNS:
            return _net_error(machine, 2182, name)
        if error.code == services.ACCESS_DENIED:
            return said(machine, "net_5", code=2)
        if error.code in (services.DISABLED, services.DEPENDENCY_FAILED):
            text = f"System error {error.code} has occurred.\r\n\r\n{words(machine, f'sc_{error.code}')}\r\n\r\n"
            return Said(stderr=text, code=2)
        return _net_error(machine, 3523, name)
    texts = [words(machine, "net_starting", name=name), words(machine, "net_started", name=name), "", ""]
    return Said(stdout="\r\n".join(texts))


def _net_stop(call: Call, entry: Entry) -> Said:
    machine, name = call.machine, entry.display
    forced = any(word.lower() in ("/y", "/yes") for word in call.words)
    try:
        services.stop(machine, entry.name, with_dependents=forced)
    except ServiceError as error:
        if error.code == services.NOT_STARTED:
            return _net_error(machine, 3521, name)
        if error.code == services.ACCESS_DENIED:
            return said(machine, "net_5", code=2)
        if error.code == services.DEPENDENTS_RUN:
            running = [f"\r\n   {below.display}" for below in services.dependents(machine, entry.name) if below.running]
            question = "\r\n\r\nDo you want to continue this operation? (Y/N) [N]: "
            return Said(stdout=words(machine, "net_dependents", name=name) + "".join(running) + question, code=2)
        return _net_error(machine, 3527, name)
    texts = [words(machine, "net_stopping", name=name), words(machine, "net_stopped", name=name), "", ""]
    return Said(stdout="\r\n".join(texts))


def _net_error(machine: Machine, code: int, name: str) -> Said:
    lines = [words(machine, f"net_{code}", name=name), "", words(machine, "net_more", code=code), "", ""]
    return Said(stderr="\r\n".join(lines), code=2)
