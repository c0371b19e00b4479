"""Programs of a lab host's Windows for the host as a whole: shutdown, tasklist, ping, net, hostname, whoami, find, msiexec."""

from __future__ import annotations

import re
from collections.abc import Iterable

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate import restart
from auditor.lab.operate.cmd_files import split_flags
from auditor.lab.operate.cmd_services import net_service, sc
from auditor.lab.operate.cmd_shell import Call, Table
from auditor.lab.operate.msiexec import read_order, run_order
from auditor.lab.operate.places import absolute, file_at, share_of
from auditor.lab.operate.said import Said
from auditor.lab.operate.words import not_recognized, said, words
from auditor.lab.texts import decode_text

_DEFAULT_DELAY = 30.0


def _hostname(call: Call) -> Steps[Said]:
    yield 0.0
    network = call.machine.facts.network
    return Said(stdout=f"{network.host_name or network.computer_name.lower()}\r\n")


def _whoami(call: Call) -> Steps[Said]:
    yield 0.0
    user = call.context.user
    user = user if "\\" in user else f"{call.machine.facts.network.computer_name}\\{user}"
    return Said(stdout=f"{user.lower()}\r\n")


def _shutdown(call: Call) -> Steps[Said]:
    yield 0.0
    machine = call.machine
    given = [f"/{word[1:]}".lower() if word[:1] in "/-" else word for word in call.words]
    if "/a" in given:
        return Said() if restart.abort(machine) else said(machine, "shutdown_1116", code=1116)
    if "/r" not in given:
        asked = next((word for word in given if word in ("/s", "/l", "/h", "/p")), "without /r")
        return Said(stderr=f"the lab's hosts restart only: shutdown {asked} is not carried out\r\n", code=87)
    at = given.index("/t") + 1 if "/t" in given else 0
    seconds = float(given[at]) if 0 < at < len(given) and given[at].isdigit() else _DEFAULT_DELAY
    if not restart.schedule(machine, seconds, call.context.user):
        return said(machine, "shutdown_1190", code=1190)
    return Said()


def _tasklist(call: Call) -> Steps[Said]:
    yield 0.0
    machine = call.machine
    rows = [("System Idle Process", 0, "Services", 0), ("System", 4, "Services", 0)]
    rows += [(f"{name.lower()}.exe", number, "Services", 0) for name, number in machine.process_ids().items()]
    rows += [(process.name, process.number, "Services", 0) for process in machine.agenda.processes.values()]
    wanted = [call.words[at + 1] for at, word in enumerate(call.words[:-1]) if word.lower() == "/fi"]
    for condition in wanted:
        match = re.fullmatch(r"(?i)imagename eq (\S.*)", condition)
        if match is None:
            return Said(stderr=f"the lab's tasklist knows the filter IMAGENAME eq only, not {condition}\r\n", code=1)
        pattern = re.escape(match.group(1).lower()).replace(r"\*", ".*")
        rows = [row for row in rows if re.fullmatch(pattern, row[0].lower())]
    if not rows:
        return said(machine, "no_tasks", error=False)
    if "/nh" in [word.lower() for word in call.words]:
        head = ""
    else:
        head = "\r\nImage Name                     PID Session Name        Session#    Mem Usage\r\n"
        head += "========================= ======== ================ =========== ============\r\n"
    return Said(
        stdout=head
        + "".join(f"{name[:25]:<25} {number:>8} {session:<16} {at:>11} {'4,096 K':>12}\r\n" for name, number, session, at in rows)
    )


def _taskkill(call: Call) -> Steps[Said]:
    yield 0.0
    machine, given = call.machine, call.words
    killed = 0
    for at, word in enumerate(given[:-1]):
        for process in list(machine.agenda.processes.values()):
            by_name = word.lower() == "/im" and process.name.lower() == given[at + 1].lower()
            by_number = word.lower() == "/pid" and str(process.number) == given[at + 1]
            if by_name or by_number:
                machine.agenda.end(process)
                machine.installing = machine.installing and process.name != "msiexec.exe"
                killed += 1
    if not killed:
        return Said(stderr=f'ERROR: The process "{given[-1] if given else ""}" not found.\r\n', code=128)
    return Said(stdout=f"SUCCESS: {killed} process(es) terminated.\r\n")


def _ping(call: Call) -> Steps[Said]:
    """Waits a second between echoes, as scripts use it to wait."""
    machine = call.machine
    names, counts = (
        [],
        [int(after) for word, after in zip(call.words, call.words[1:], strict=False) if word.lower() == "-n" and after.isdigit()],
    )
    skip = False
    for word in call.words:
        if skip or word[:1] in "-/":
            skip = not skip and word.lower() in ("-n", "-w", "-l")
            continue
        names.append(word)
    count, name = (counts or [4])[0], names[0] if names else ""
    local = name.lower() in ("127.0.0.1", "localhost", "::1", machine.facts.network.computer_name.lower())
    peer = machine.peers.get(name.upper())
    if not local and peer is None:
        return said(machine, "ping_unknown", error=False, code=1, name=name)
    yield float(max(count - 1, 0))
    alive = local or (peer is not None and peer.reachable(machine.agenda.now))
    line = f"Reply from {name}: bytes=32 time<1ms TTL=128\r\n" if alive else "Request timed out.\r\n"
    return Said(stdout=f"\r\nPinging {name} with 32 bytes of data:\r\n\r\n" + line * count, code=0 if alive else 1)


def _timeout(call: Call) -> Steps[Said]:
    seconds = next((float(word) for word in call.words if word.isdigit()), 0.0)
    yield seconds
    return Said()


def _find(call: Call) -> Steps[Said]:
    yield 0.0
    names, flags = split_flags(call)
    if not names:
        return Said(stderr="FIND: Parameter format not correct\r\n", code=2)
    fold = "/i" in flags
    wanted = names[0].lower() if fold else names[0]
    text = _input(call, names[1:])
    lines = [line for line in text.splitlines() if (wanted in (line.lower() if fold else line)) != ("/v" in flags)]
    if "/c" in flags:
        return Said(stdout=f"{len(lines)}\r\n", code=0 if lines else 1)
    return Said(stdout="".join(f"{line}\r\n" for line in lines), code=0 if lines else 1)


def _findstr(call: Call) -> Steps[Said]:
    yield 0.0
    flags = {word.lower() for word in call.words if word[:1] == "/" and not word.lower().startswith("/c:")}
    whole = [word[3:] for word in call.words if word.lower().startswith("/c:")]
    names = [word for word in call.words if word[:1] != "/"]
    if not whole:
        whole, names = (names[0].split() if names else []), names[1:]
    literal = "/l" in flags or (any(word.lower().startswith("/c:") for word in call.words) and "/r" not in flags)
    fold = re.IGNORECASE if "/i" in flags else 0
    patterns = [re.compile(re.escape(text) if literal else _basic(text), fold) for text in whole]
    lines = [line for line in _input(call, names).splitlines() if any(p.search(line) for p in patterns) != ("/v" in flags)]
    return Said(stdout="".join(f"{line}\r\n" for line in lines), code=0 if lines else 1)


def _basic(text: str) -> str:
    """findstr's small expressions: . * [class] ^ $ and escapes; everything else is itself."""
    kept = re.sub(r"[+?(){}|]", lambda match: "\\" + match.group(0), text)
    return kept.replace("\\<", r"\b").replace("\\>", r"\b")


def _input(call: Call, names: Iterable[str]) -> str:
    texts = []
    for written in names:
        file = file_at(call.machine, absolute(call.machine, written, call.context) or "")
        texts.append(decode_text(file.data(), file.path, call.machine) if file else "")
    return "\n".join(texts) if texts else call.stdin


def _net(call: Call) -> Steps[Said]:
    yield 0.0
    machine, given = call.machine, call.words
    verb = given[0].lower() if given else ""
    if verb in ("start", "stop"):
        return net_service(call)
    if verb == "use":
        return _net_use(machine, [word for word in given[1:] if not word.startswith("/")], given)
    if verb == "view" and len(given) == 2:
        return _net_view(machine, given[1])
    return not_recognized(machine, f"net {verb}")


def _net_use(machine: Machine, names: list[str], given: list[str]) -> Said:
    """Whether a share can be reached; connections are not kept, and whoever asks may read every share."""
    if any(word.lower() in ("/delete", "/d") for word in given):
        return Said(stdout=f"{names[0] if names else ''} was deleted successfully.\r\n")
    target = next((name for name in names if name.startswith("\\\\")), None)
    if target is None:
        return Said(stdout="New connections will be remembered.\r\n\r\nThere are no entries in the list.\r\n\r\n")
    host = target.strip("\\").split("\\")[0].upper()
    owner = machine.peers.get(host)
    if owner is None or not owner.reachable(machine.agenda.now):
        return said(machine, "net_53", code=2)
    return said(machine, "net_done", error=False) if share_of(machine, target)[0] is not None else said(machine, "net_67", code=2)


def _net_view(machine: Machine, name: str) -> Said:
    owner = machine.peers.get(name.strip("\\").upper())
    if owner is None or not owner.reachable(machine.agenda.now):
        return said(machine, "net_53", code=2)
    shares = [f"{share:<12} Disk" for share in sorted(owner.shares) if not share.endswith("$")]
    head = [words(machine, "net_view_head", name=name), "", "Share name   Type  Used as  Comment", "", "-" * 79]
    return Said(stdout="\r\n".join([*head, *shares, words(machine, "net_done"), "", ""]))


def _msiexec(call: Call) -> Steps[Said]:
    code = yield from run_order(call.machine, read_order(call.words), call.context)
    return Said(code=code)


COMMANDS: Table = {
    "hostname": _hostname, "whoami": _whoami, "shutdown": _shutdown, "tasklist": _tasklist, "taskkill": _taskkill, "ping": _ping,
    "timeout": _timeout, "find": _find, "findstr": _findstr, "net": _net, "net1": _net, "sc": sc, "msiexec": _msiexec,
}  # fmt: skip
