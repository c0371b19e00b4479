"""What programs do that copy, map drives, or run other commands: `net use`, `start`, `cmd /c`, `psexec`, `schtasks`, robocopy and its kin.

Takes expanded words and tells the walker. The languages themselves are elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence

from auditor.analysis.copying import transfer
from auditor.analysis.copying.commandline import head_and_rest, program_name, split_arguments
from auditor.analysis.copying.copytools import READERS, RawCopy
from auditor.analysis.copying.robocopy import read_robocopy
from auditor.analysis.copying.shellstate import State, join_path
from auditor.analysis.copying.unknowns import is_unknown, shown, unknown
from auditor.analysis.copying.walker import Walker

_SWITCHES_OF_START = re.compile(
    r"/(?:min|max|wait|w|b|i|separate|shared|low|normal|high|realtime|abovenormal|belownormal|affinity\s+\S+|node\s+\S+|d\s*(?:\"[^\"]*\"|\S+))(?=\s|$)",
    re.IGNORECASE,
)

_SCRIPT = re.compile(r"\.(?:bat|cmd|vbs|vbe|js|wsf|ps1)\"?$", re.IGNORECASE)
"""A script may be named as a program is: `copy.cmd` is not `copy`."""


def run_program(walker: Walker, head: str, rest: str, state: State) -> bool:
    """Do what a program does. False where its name says nothing here: it may be a script."""
    name = program_name(shown(head))
    if _SCRIPT.search(shown(head)):
        return False
    if re.fullmatch(r"[a-z]:", name) and not rest:
        change_folder("cd", [head], state)
        return True
    if name.startswith("robocopy"):
        _copies(walker, read_robocopy(split_arguments(rest), lambda job: _job_text(walker, job, state)), state, f"{head} {rest}")
        return True
    if name in READERS:
        _copies(walker, READERS[name](split_arguments(rest)), state, f"{head} {rest}")
        return True
    handler = _PROGRAMS.get(name)
    if handler is None:
        return False
    handler(walker, name, rest, state)
    return True


def _copies(walker: Walker, copies: Sequence[RawCopy], state: State, text: str) -> None:
    for raw in copies:
        walker.copy(raw, state, text)


def _job_text(walker: Walker, job: str, state: State) -> str | None:
    text = walker.text_of(job, state)
    return text if text is not None else walker.text_of(job + ".rcj", state)


def change_folder(name: str, words: list[str], state: State) -> None:
    """`cd`, `pushd`, `popd` and a drive's letter alone."""
    if name == "popd":
        state.cwd = state.stack[-1] if state.stack else None
        state.stack = state.stack[:-1]
        return
    operands = [w for w in words if w.casefold() != "/d"]
    if name == "pushd":
        state.stack = [*state.stack[-50:], state.cwd]
    if operands:
        target = state.absolute(operands[0])
        relative = not re.match(r"[A-Za-z]:|\\\\", target) and not is_unknown(target[:1])
        state.cwd = join_path(state.cwd, target) if relative and state.cwd else target


def _folder(_: Walker, name: str, rest: str, state: State) -> None:
    change_folder({"chdir": "cd"}.get(name, name), split_arguments(rest), state)


def _cmd(walker: Walker, _: str, rest: str, state: State) -> None:
    match = re.search(r"(?:^|\s|/\w(?::\w+)?)/[ckr]\s*(.*)", " " + rest, re.IGNORECASE | re.DOTALL)
    if match:
        before = state.delayed
        state.delayed = before or bool(re.search(r"/v(?::on)?(?=[\s/])", " " + rest[: max(0, match.start(1) - 1)] + " ", re.IGNORECASE))
        walker.run_line(_outer_quotes_off(match.group(1)), state)
        state.delayed = before


def _outer_quotes_off(line: str) -> str:
    """`cmd /c "..."`: the first and the last quote go unless they just hold one program's path."""
    text = line.strip()
    if text.startswith('"') and text.endswith('"') and len(text) > 1 and (text.count('"') > 2 or " " in text):
        inner = text[1:-1]
        return inner if text.count('"') > 2 or not re.search(r"\.(?:exe|bat|cmd)$", inner, re.IGNORECASE) else text
    if text.startswith('""') and text.count('"') > 2:
        return text[1 : text.rfind('"')] + text[text.rfind('"') + 1 :]
    return text


def _start(walker: Walker, _: str, rest: str, state: State) -> None:
    text = rest.strip()
    title = re.match(r'"[^"]*"\s*', text)
    if title and text[title.end() :].strip():
        text = text[title.end() :]
    while match := _SWITCHES_OF_START.match(text):
        text = text[match.end() :].lstrip()
        title = re.match(r'"[^"]*"\s+(?=\S)', text)
        text = text[title.end() :] if title and not re.search(r'\.(?:exe|bat|cmd|com)"', title.group(0), re.IGNORECASE) else text
    if text:
        walker.run_command(text, state, called=True)


def _inner_after_options(walker: Walker, _: str, rest: str, state: State) -> None:
    """Programs that run the rest of their line: `runas /user:x "command"`, `conhost program`."""
    inner = rest
    while option := re.match(r"\s*[/-]\S+\s*", inner):
        inner = inner[option.end() :]
    quoted = re.fullmatch(r'"([^"]+)"\s*', inner)
    walker.run_line(quoted.group(1) if quoted else inner, state)


_PSEXEC_VALUES = ("-u", "-p", "-n", "-w", "-r", "-a", "-i")


def _psexec(walker: Walker, _: str, rest: str, state: State) -> None:
    """`psexec \\\\host[,host] [options] command`: the command's local paths lie on the named hosts; `-c` copies the program there."""
    match = re.match(r"\s*(?:\\\\|(?=@))(\S+)\s+(.*)", rest, re.DOTALL)
    hosts, text = (match.group(1).split(","), match.group(2)) if match else ([], rest)
    copies = False
    while option := re.match(r"([/-]\w+)\s+", text):
        copies = copies or option.group(1).casefold() in ("-c", "-f", "-v")
        text = text[option.end() :]
        if option.group(1).casefold() in _PSEXEC_VALUES and (value := re.match(r'"[^"]*"\s+|[^\s-]\S*\s+', text)):
            text = text[value.end() :] if option.group(1).casefold() != "-i" or value.group(0).strip().isdigit() else text
    for host in hosts[:64]:
        if copies:
            program = head_and_rest(text)[0]
            walker.copy(RawCopy(tool="psexec", source=program, destination=f"\\\\{host}\\ADMIN$", writes_executables=True), state, rest)
        walker.run_line(text, _there(state, unknown(host) if host.startswith("@") else host))
    if not hosts:
        walker.run_line(text, state)


def _winrs(walker: Walker, _: str, rest: str, state: State) -> None:
    """`winrs -r:host [options] command`: the command runs on the host."""
    host, text = None, rest.strip()
    while option := re.match(r"[-/](\w+)(?::(\"[^\"]*\"|\S+))?\s*", text):
        if option.group(1).casefold() in ("r", "remote") and option.group(2):
            host = re.sub(r"^https?://|:\d+$", "", option.group(2).strip('"'), flags=re.IGNORECASE)
        text = text[option.end() :]
    walker.run_line(_outer_quotes_off(text), _there(state, host))


def _wmic(walker: Walker, _: str, rest: str, state: State) -> None:
    command = re.search(r"process\s+call\s+create\s+[\"']+(.+?)[\"']+\s*$", rest, re.IGNORECASE)
    node = re.search(r"/node:\s*[\"']?([^\s\"']+)", rest, re.IGNORECASE)
    if command:
        walker.run_line(command.group(1), _there(state, node.group(1) if node else None))


def _net(_: Walker, __: str, rest: str, state: State) -> None:
    """`net use X: \\\\host\\share ...` maps a drive, `/delete` takes it away."""
    words = split_arguments(rest)
    if not words or words[0].casefold() != "use":
        return
    drive = next((w for w in words[1:] if re.fullmatch(r"[A-Za-z]:", w)), None)
    path = next((_as_share(w) for w in words[1:] if w.startswith(("\\\\", "http://", "https://"))), None)
    removes = any(w.casefold() in ("/delete", "/d", "/del") for w in words)
    if drive and removes:
        state.drives.pop(drive.casefold(), None)
    elif drive and path:
        state.drives[drive.casefold()] = path
    elif drive and any(is_unknown(w) for w in words[2:3]):
        state.drives[drive.casefold()] = words[2]


def _as_share(text: str) -> str:
    """A WebDAV address in the form of a share: `https://host/path` is `\\\\host\\path`."""
    scheme, found, rest = text.partition("://")
    host, _, path = rest.partition("/")
    return f"\\\\{host.rpartition('@')[2].partition(':')[0]}\\{path.replace('/', chr(92))}" if found and scheme.startswith("http") else text


def _subst(_: Walker, __: str, rest: str, state: State) -> None:
    words = split_arguments(rest)
    if len(words) > 1 and re.fullmatch(r"[A-Za-z]:", words[0]):
        if words[1].casefold() == "/d":
            state.drives.pop(words[0].casefold(), None)
        else:
            state.drives[words[0].casefold()] = words[1]


def _mklink(_: Walker, __: str, rest: str, state: State) -> None:
    """`mklink /d link target`, `junction link target`, `linkd link target`."""
    operands = [w for w in split_arguments(rest) if not re.fullmatch(r"[/-]\w+", w)]
    if len(operands) == 2:
        state.add_link(operands[0], operands[1])


def _powershell(walker: Walker, _: str, rest: str, state: State) -> None:
    """`powershell [-options] -File script args | -Command text | -EncodedCommand base64 | text`."""
    text = rest.strip()
    while option := re.match(r"[-/](\w+)(?:\s+|$)", text):
        name = option.group(1).casefold()
        text = text[option.end() :]
        if "encodedcommand".startswith(name) or name == "ec":
            text = _decoded(text)
            break
        if name == "c" or (len(name) > 2 and "command".startswith(name)):
            break
        if name == "f" or (len(name) > 1 and "file".startswith(name)):
            head, arguments = head_and_rest(text)
            walker.run_script(head, arguments, state)
            return
        if _takes_value(name):
            text = re.sub(r'^(?:"[^"]*"|\S+)\s*', "", text)
    script = re.fullmatch(r'[&.\s]*["\']?([^"\'|;]+?\.ps1)["\']?((?:\s.*)?)', _unquoted(text), re.IGNORECASE | re.DOTALL)
    if script and walker.run_script(script.group(1).strip(), script.group(2), state):
        return
    walker.interpreters["powershell"](walker, _unquoted(text), state)


def _takes_value(name: str) -> bool:
    long_names = (
        "executionpolicy",
        "windowstyle",
        "inputformat",
        "outputformat",
        "psconsolefile",
        "version",
        "configurationname",
        "custompipename",
    )
    return (
        name in ("ep", "ex", "wd", "workingdirectory")
        or (len(name) > 1 and any(n.startswith(name) for n in long_names))
        or name in ("w", "v")
    )


def _unquoted(text: str) -> str:
    """`-Command "..."`: the quotes of the shell around the text, and its escaped quotes inside."""
    body = text.strip()
    if len(body) > 1 and body[0] == body[-1] == '"' and body.count('"') - body.count('\\"') - body.count('""') * 2 <= 2:
        body = body[1:-1]
    return body.replace('\\"', '"')


def _decoded(text: str) -> str:
    word = text.split(None, 1)[0].strip('"') if text.strip() else ""
    try:
        return base64.b64decode(word, validate=True).decode("utf-16-le", errors="replace")
    except (binascii.Error, ValueError):
        return ""


def _script_host(walker: Walker, _: str, rest: str, state: State) -> None:
    """`cscript [//options] script arguments`."""
    text = rest.strip()
    while match := re.match(r"//?\w+(?::\S*)?\s+", text):
        text = text[match.end() :]
    head, arguments = head_and_rest(text)
    if head:
        walker.run_script(head, arguments, state)


def _forfiles(walker: Walker, _: str, rest: str, state: State) -> None:
    """`forfiles /p folder /m mask /c "cmd /c copy @path target"`: the variables stand for the mask in the folder."""
    words = split_arguments(rest)
    lowered = [w.casefold() for w in words]
    folder = next((words[i + 1] for i, w in enumerate(lowered[:-1]) if w == "/p"), state.cwd or ".")
    mask = next((words[i + 1] for i, w in enumerate(lowered[:-1]) if w == "/m"), "*")
    command = re.search(r'/c\s+"((?:[^"\\]|\\.|"")*)"', rest, re.IGNORECASE)
    if command is None:
        return
    path = folder.rstrip("\\") + "\\" + mask
    stem, dot, ending = mask.rpartition(".")
    values = {"@path": path, "@relpath": mask, "@file": mask, "@fname": stem if dot else mask, "@ext": ending if dot else "*"}
    inner = command.group(1).replace('\\"', '"')
    for name in sorted(values, key=len, reverse=True):
        inner = re.sub(re.escape(name) + r"\b", lambda _, v=values[name]: v, inner, flags=re.IGNORECASE)
    there = state.copy()
    there.cwd = folder
    walker.run_line(inner, there)


def _schtasks(walker: Walker, _: str, rest: str, state: State) -> None:
    """`schtasks /create [/s host] ... /tr "command"`: the command that the new task will run, on the host it is made on."""
    command = re.search(r'/tr\s+("(?:\\"|[^"])*"|\S+)', rest, re.IGNORECASE)
    if command and re.search(r"/(?:create|change)\b", rest, re.IGNORECASE):
        host = re.search(r'/s\s+"?([^\s"/]+)', rest, re.IGNORECASE)
        walker.run_line(command.group(1).strip('"').replace('\\"', '"'), _there(state, host.group(1) if host else None))


def _at(walker: Walker, _: str, rest: str, state: State) -> None:
    """`at [\\\\host] hh:mm [/every:days] command`."""
    match = re.match(r"(?:\\\\(\S+)\s+)?\d{1,2}:\d{2}\w*\s+(?:/\S+\s+)*(.+)", rest.strip())
    if match:
        walker.run_line(match.group(2), _there(state, match.group(1)))


def _there(state: State, host: str | None) -> State:
    """A state on another host, whose local paths are that host's; the same one where no host is named."""
    if host is None:
        return state
    there = state.copy()
    there.remote_host, there.cwd = host, None
    return there


def _sql(walker: Walker, _: str, rest: str, state: State) -> None:
    read_sql(walker, rest, state)


def read_sql(walker: Walker, text: str, state: State) -> None:
    """`BACKUP DATABASE x TO DISK = '...'` and `xp_cmdshell '...'` in a Transact-SQL text."""
    for match in re.finditer(
        r"backup\s+(?:database|log)\s+\[?([^\s\]]{1,128})\]?\s+to\s+disk\s*=\s*N?'([^']{1,500})'", text[:65536], re.IGNORECASE
    ):
        raw = RawCopy(tool="backup database", source=f"database:{match.group(1)}", destination=match.group(2), writes_executables=False)
        walker.copy(raw, state, match.group(0))
    for match in re.finditer(r"xp_cmdshell\s+N?'((?:[^']|''){1,4000})'", text[:65536], re.IGNORECASE):
        walker.run_line(match.group(1).replace("''", "'"), state)


_OF_UNIX = ("scp", "rsync", "cwrsync", "sftp", "curl", "wget")
"""Programs whose lines people quote as a shell of Unix takes it."""


def _transfer(walker: Walker, name: str, rest: str, state: State) -> None:
    words = split_arguments(re.sub(r"(?<=[\s=])'([^'\"]*)'(?=\s|$)", r'"\1"', f" {rest}") if name in _OF_UNIX else rest)

    def text_of(path: str) -> str | None:
        return walker.text_of(path, state)

    given = state.files.pop("<stdin>", None)
    readers: Mapping[str, Callable[[], list[RawCopy]]] = {
        "scp": lambda: transfer.read_scp(words),
        "pscp": lambda: transfer.read_scp(words, "pscp"),
        **dict.fromkeys(("rsync", "cwrsync"), lambda: transfer.read_rsync(words)),
        "ftp": lambda: transfer.read_ftp(words, text_of, given),
        "winscp": lambda: transfer.read_winscp(words, text_of),
        "bitsadmin": lambda: transfer.read_bitsadmin(words),
        "certutil": lambda: transfer.read_certutil(words),
        "curl": lambda: transfer.read_curl(words),
        "wget": lambda: transfer.read_wget(words),
        "rclone": lambda: transfer.read_rclone(words),
        "sftp": lambda: _sftp(words, text_of),
        "psftp": lambda: _sftp(words, text_of),
    }
    _copies(walker, readers[name](), state, f"{name} {rest}")


def _sftp(words: list[str], text_of: Callable[[str], str | None]) -> list[RawCopy]:
    """`sftp -b batch user@host`, `psftp host -b batch`."""
    batch = next((words[i + 1] for i, w in enumerate(words[:-1]) if w == "-b"), None)
    host = next((w.rpartition("@")[2].partition(":")[0] for w in words if not w.startswith("-") and w != batch), None)
    text = text_of(batch) if batch else None
    if text is None:
        return []
    return [_as_sftp(raw) for raw in transfer.read_ftp_script(text, host)]


def _as_sftp(raw: RawCopy) -> RawCopy:
    import msgspec

    return msgspec.structs.replace(raw, tool="sftp")


def _nothing(_: Walker, __: str, ___: str, ____: State) -> None:
    """Programs that neither copy nor run anything."""


Handler = Callable[[Walker, str, str, State], None]
_PROGRAMS: Mapping[str, Handler] = {
    **dict.fromkeys(("cd", "chdir", "pushd", "popd"), _folder),
    **dict.fromkeys(("cmd", "%comspec%", "command"), _cmd),
    **dict.fromkeys(("net", "net1"), _net),
    **dict.fromkeys(("psexec", "psexec64", "paexec"), _psexec),
    **dict.fromkeys(("powershell", "pwsh"), _powershell),
    **dict.fromkeys(("cscript", "wscript"), _script_host),
    **dict.fromkeys(("mklink", "junction", "linkd"), _mklink),
    **dict.fromkeys(("runas", "conhost", "nice", "lsrunas", "sudo"), _inner_after_options),
    **dict.fromkeys(("sqlcmd", "osql", "isql"), _sql),
    **dict.fromkeys(
        ("scp", "pscp", "rsync", "cwrsync", "ftp", "winscp", "bitsadmin", "certutil", "curl", "wget", "rclone", "sftp", "psftp"), _transfer
    ),
    **dict.fromkeys(("echo", "rem", "title", "color", "cls", "pause", "ping", "timeout", "sleep"), _nothing),
    **dict.fromkeys(("del", "erase", "md", "mkdir", "exit"), _nothing),
    "start": _start,
    "wmic": _wmic,
    "winrs": _winrs,
    "subst": _subst,
    "forfiles": _forfiles,
    "schtasks": _schtasks,
    "at": _at,
}  # fmt: skip
