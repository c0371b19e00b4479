"""schtasks.exe of a lab host, with 2003's syntax and the later one: create, run, query, change, delete, end. A task that runs, really runs.

Times on the command line are taken and kept; nothing starts by itself because its hour comes: the lab's hosts run tasks only when told.
"""

from __future__ import annotations

import re

import msgspec

from auditor.lab.agenda import Process, Steps
from auditor.lab.facts_activity import TaskFacts, TriggerFacts
from auditor.lab.jobfile import COLUMNS, csv_text, schtasks_lines
from auditor.lab.machine import Machine
from auditor.lab.operate.cmd_shell import Call, CmdShell, Table
from auditor.lab.operate.places import SYSTEM
from auditor.lab.operate.said import Context, Said
from auditor.lab.operate.words import said
from auditor.lab.operate.writes import Denied, put_task, remove_task, task_name
from auditor.lab.taskxml import change_xml, task_xml
from auditor.model.times import stamp

_VERBS = ("/create", "/run", "/query", "/change", "/delete", "/end")
_WITH_VALUE = (
    "/s", "/u", "/p", "/ru", "/rp", "/sc", "/mo", "/d", "/m", "/i", "/tn", "/tr", "/st", "/et", "/du", "/sd", "/ed", "/ri", "/rl", "/fo",
)  # fmt: skip
_KINDS = {
    "once": "once", "daily": "daily", "weekly": "weekly", "monthly": "monthly", "onstart": "boot", "onlogon": "logon", "onidle": "idle",
    "minute": "daily", "hourly": "daily",
}  # fmt: skip
_DAYS = {"mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday"}
_LATER_CHANGES = ("/enable", "/disable", "/st", "/sd", "/ri")
"""What Server 2003's `/change` does not know yet."""
_NO_PASSWORD = ("S-1-5-18", "S-1-5-19", "S-1-5-20")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def _schtasks(call: Call) -> Steps[Said]:
    yield 0.0
    machine = call.machine
    verb = call.words[0].lower() if call.words else "/query"
    if verb not in _VERBS:
        return said(machine, "task_syntax", code=1, what=f"'{verb}' is not known.", verb="/?")
    given = _options(call.words[1:])
    if given is None or "/s" in given:
        return said(machine, "task_syntax", code=1, what="An option is not known or lacks its value.", verb=verb.upper())
    acts = {"/create": _create, "/run": _run, "/query": _query, "/change": _change, "/delete": _delete, "/end": _end}
    try:
        return acts[verb](call, given)
    except Denied:
        return said(machine, "task_denied", code=1)
    except ValueError as error:
        return said(machine, "task_syntax", code=1, what=str(error), verb=verb.upper())


def _options(given: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    rest = list(given)
    while rest:
        flag = rest.pop(0).lower()
        if flag in _WITH_VALUE:
            if not rest:
                return None
            found[flag] = rest.pop(0)
        elif flag in ("/f", "/v", "/nh", "/k", "/np", "/z", "/it", "/enable", "/disable", "/xml"):
            found[flag] = ""
        else:
            return None
    return found


def _known(machine: Machine, given: dict[str, str]) -> TaskFacts | None:
    return machine.tasks.get(task_name(machine, given.get("/tn", "")))


def _missing(machine: Machine, given: dict[str, str]) -> Said:
    return said(machine, "task_missing", code=1, name=given.get("/tn", ""))


def _create(call: Call, given: dict[str, str]) -> Said:
    machine = call.machine
    needed = [flag for flag in ("/tn", "/tr", "/sc") if flag not in given]
    if needed:
        raise ValueError(f"{needed[0]} is missing.")
    if given["/sc"].lower() == "once" and "/st" not in given:
        raise ValueError("/st is missing.")
    if _known(machine, given) is not None and "/f" not in given:
        return said(machine, "task_there", code=1, name=given["/tn"])
    put_task(machine, given["/tn"], _task(machine, given, TaskFacts(author=call.context.user)))
    return said(machine, "task_created", error=False, name=given["/tn"])


def _task(machine: Machine, given: dict[str, str], task: TaskFacts) -> TaskFacts:
    changes: dict[str, object] = {}
    if "/tr" in given:
        command, arguments = split_run(given["/tr"])
        changes |= {"command": command, "arguments": arguments}
    if "/ru" in given:
        changes["user"] = "S-1-5-18" if given["/ru"].upper() in ("SYSTEM", "", SYSTEM) else given["/ru"]
    if given.get("/rl", "").upper() == "HIGHEST":
        changes["highest"] = True
    if "/sc" in given or "/st" in given or "/sd" in given:
        changes["triggers"] = (_trigger(machine, given, task.triggers[0] if task.triggers else TriggerFacts(kind="once")),)
    return msgspec.structs.replace(task, **changes)


def split_run(line: str) -> tuple[str, str]:
    """Program and arguments of a task's `/tr`."""
    line = line.strip()
    match = re.match(r'"([^"]+)"\s*(.*)$', line, re.DOTALL) or re.match(r"(\S+?\.(?:exe|cmd|bat|com|vbs))\s+(.*)$", line, re.I | re.DOTALL)
    match = match or re.match(r"(\S+)\s*(.*)$", line, re.DOTALL)
    return (match.group(1), match.group(2)) if match else (line, "")


def _trigger(machine: Machine, given: dict[str, str], old: TriggerFacts) -> TriggerFacts:
    word = given.get("/sc", "").lower()
    if word and word not in _KINDS:
        raise ValueError(f"/sc {word} is not known.")
    local = machine.dial.zone.to_local(machine.agenda.now)
    before = machine.dial.zone.to_local(machine.dial.moment(old.start))
    clock = _clock(given["/st"]) if "/st" in given else (before.hour, before.minute, before.second)
    day = local if word else before
    start = f"{day:%Y-%m-%d} {clock[0]:02}:{clock[1]:02}:{clock[2]:02}"
    changes: dict[str, object] = {"start": start}
    if word:
        many = int(given["/mo"]) if given.get("/mo", "").isdigit() else 1
        changes |= {"kind": _KINDS[word], "interval": many if word in ("daily", "weekly") else 1, "days": (), "days_of_month": ()}
        changes["every_minutes"] = many * {"minute": 1, "hourly": 60}.get(word, 0)
    if "/d" in given:
        days = [part.strip().lower() for part in given["/d"].split(",")]
        changes["days"] = tuple(_DAYS[day] for day in days if day in _DAYS)
        changes["days_of_month"] = tuple(int(day) for day in days if day.isdigit())
    return msgspec.structs.replace(old, **changes)


def _clock(text: str) -> tuple[int, int, int]:
    """Hours, minutes, seconds. Raises ValueError."""
    at = _TIME.fullmatch(text)
    clock = (int(at.group(1)), int(at.group(2)), int(at.group(3) or 0)) if at else (24, 0, 0)
    if clock[0] > 23 or clock[1] > 59 or clock[2] > 59:
        raise ValueError("/st is no time.")
    return clock


def _run(call: Call, given: dict[str, str]) -> Said:
    machine = call.machine
    task = _known(machine, given)
    if task is None:
        return _missing(machine, given)
    start_task(machine, given["/tn"], call.shell.table)
    return said(machine, "task_ran", error=False, name=given["/tn"])


def start_task(machine: Machine, name: str, table: Table) -> Process | None:
    """Runs a task now, as a process of its own that outlives whoever started it."""
    key = task_name(machine, name)
    task = machine.tasks[key]
    if task.command is None or task.state == "Running":
        return None
    user = SYSTEM if task.user == "S-1-5-18" else task.user
    context = Context(user=user, folder=task.directory or f"{machine.windows}\\system32")
    line = f'"{task.command}" {task.arguments}'.strip()
    _note(machine, key, state="Running", last_run=stamp(machine.agenda.now))

    def ended(process: Process) -> None:
        code = process.result.code if isinstance(process.result, Said) else 1
        _note(machine, key, state="Ready", last_result=code - (1 << 32) if code >= 1 << 31 else code)

    name_of = task.command.rpartition("\\")[2].lower()
    image = "cmd.exe" if name_of.endswith((".cmd", ".bat")) else name_of
    return machine.agenda.run(image, user, CmdShell(machine, context, table).run(line), ended)


def _note(machine: Machine, key: str, **changes: object) -> None:
    """State and last run of a task: these are no change of the task itself, and its file stays."""
    if key in machine.tasks:
        machine.tasks[key] = msgspec.structs.replace(machine.tasks[key], **changes)


def _query(call: Call, given: dict[str, str]) -> Said:
    machine = call.machine
    tasks = dict(machine.tasks)
    if machine.legacy and "/tn" in given:  # 2003's query knows no name: it lists all
        return said(machine, "task_syntax", code=1, what="Invalid argument/option - '/tn'.", verb="/QUERY")
    if "/tn" in given:
        key = task_name(machine, given["/tn"])
        if key not in tasks:
            return _missing(machine, given)
        tasks = {key: tasks[key]}
    if "/xml" in given:
        return _as_xml(machine, tasks)
    if not tasks:
        return said(machine, "tasks_none", error=False)
    rows = schtasks_lines(machine.facts.network.computer_name, tasks, machine.dial)
    columns = list(range(len(COLUMNS))) if "/v" in given else [1, 2, 3]
    chosen = [[row[at] for at in columns] for row in rows]
    head = [COLUMNS[at] for at in columns]
    form = given.get("/fo", "table").lower()
    if form == "csv":
        return Said(stdout=csv_text([*([] if "/nh" in given else [head]), *chosen]))
    if form == "list":
        width = max(len(name) for name in head) + 1
        blocks = ["".join(f"{name + ':':<{width + 1}}{text}\r\n" for name, text in zip(head, row, strict=True)) for row in chosen]
        return Said(stdout="\r\n" + "\r\n".join(blocks))
    lines = [f"{row[0]:<36} {row[1]:<24} {row[2]:<15}" for row in chosen]
    shown = [] if "/nh" in given else [f"{'TaskName':<36} {'Next Run Time':<24} {'Status':<15}", f"{'=' * 36} {'=' * 24} {'=' * 15}"]
    return Said(stdout="\r\n".join(["", *shown, *lines, ""]))


def _as_xml(machine: Machine, tasks: dict[str, TaskFacts]) -> Said:
    if machine.legacy:
        raise ValueError("Invalid argument/option - '/xml'.")
    texts = [task_xml(path, task, machine.dial) for path, task in tasks.items()]
    return Said(stdout="".join(f"{text}\r\n\r\n" for text in texts))


def _change(call: Call, given: dict[str, str]) -> Said:
    machine = call.machine
    later = next((flag for flag in _LATER_CHANGES if flag in given), None)
    if machine.legacy and later is not None:
        raise ValueError(f"Invalid argument/option - '{later}'.")
    task = _known(machine, given)
    if task is None:
        return _missing(machine, given)
    if "/st" in given and len(task.triggers) > 1:
        return Said(stderr="ERROR: The lab does not move a task with several triggers.\r\n", code=1)
    if {"/st", "/sd", "/ri", "/tr"} & given.keys() and "/rp" not in given and task.user not in _NO_PASSWORD and not machine.legacy:
        return Said(
            stdout=f"Please enter the run as password for {task.user}: \r\n",
            stderr="ERROR: The password of the account is not known.\r\n",
            code=1,
        )
    put_task(machine, given["/tn"], _changed(machine, given, task))
    return said(machine, "task_changed", error=False, name=given["/tn"])


def _changed(machine: Machine, given: dict[str, str], task: TaskFacts) -> TaskFacts:
    enabled = "/enable" in given if {"/enable", "/disable"} & given.keys() else None
    if task.xml is not None:
        at = _clock(given["/st"]) if "/st" in given else None
        text = change_xml(machine.dial.expand(task.xml), enabled=enabled, at=at)
        return msgspec.structs.replace(task, xml=text)
    changed = _task(machine, given, task)
    if enabled is None:
        return changed
    return msgspec.structs.replace(changed, enabled=enabled, state="Ready" if enabled else "Disabled")


def _delete(call: Call, given: dict[str, str]) -> Said:
    machine = call.machine
    if _known(machine, given) is None:
        return _missing(machine, given)
    if "/f" not in given:
        return Said(stdout=f'WARNING: Are you sure you want to remove the task "{given["/tn"]}" (Y/N )? ', code=1)
    remove_task(machine, given["/tn"])
    return said(machine, "task_deleted", error=False, name=given["/tn"])


def _end(call: Call, given: dict[str, str]) -> Said:
    machine = call.machine
    task = _known(machine, given)
    if task is None:
        return _missing(machine, given)
    image = (task.command or "").rpartition("\\")[2].lower()
    for process in list(machine.agenda.processes.values()):
        if process.name in (image, "cmd.exe" if image.endswith((".cmd", ".bat")) else image):
            machine.agenda.end(process)
    _note(machine, task_name(machine, given["/tn"]), state="Ready")
    return Said(stdout=f'SUCCESS: The scheduled task "{given["/tn"]}" has been terminated successfully.\r\n')


COMMANDS: Table = {"schtasks": _schtasks}
