"""Cmdlets that copy, map drives, open sessions, change folders or pass paths on, and what each means for the walk.

Facts are Microsoft's documentation of each cmdlet: positions of parameters, and which of them are switches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from auditor.analysis.copying.copytools import RawCopy, may_hold_executables
from auditor.analysis.copying.programs import change_folder
from auditor.analysis.copying.pscommands import Bound, Variant
from auditor.analysis.copying.psvalues import Alternatives, PsValue, of, unknown_value
from auditor.analysis.copying.unknowns import is_unknown, shown

if TYPE_CHECKING:
    from auditor.analysis.copying.psscript import PsReader

Cmdlet = Callable[["PsReader", Variant, "Alternatives | None"], Alternatives]
_COMMON = frozenset({"verbose", "debug", "force", "whatif", "confirm", "passthru", "recurse", "container", "usetransaction"})
_ALIASES: Mapping[str, str] = {
    "cp": "copy-item", "copy": "copy-item", "cpi": "copy-item", "mv": "move-item", "move": "move-item", "mi": "move-item",
    "gci": "get-childitem", "ls": "get-childitem", "dir": "get-childitem", "gi": "get-item", "%": "foreach-object",
    "foreach": "foreach-object", "?": "where-object", "where": "where-object", "iex": "invoke-expression", "icm": "invoke-command",
    "saps": "start-process", "start": "start-process", "sl": "set-location", "cd": "set-location", "chdir": "set-location",
    "pushd": "push-location", "popd": "pop-location", "ni": "new-item", "ndr": "new-psdrive", "mount": "new-psdrive", "gc": "get-content",
    "cat": "get-content", "type": "get-content", "echo": "write-output", "write": "write-output", "select": "select-object",
    "sort": "sort-object", "nsn": "new-pssession", "sajb": "start-job", "iwr": "invoke-webrequest", "rvpa": "resolve-path",
    "sv": "set-variable",     "set": "set-variable", "start-threadjob": "start-job",
}  # fmt: skip


def canonical(name: str) -> str:
    """The cmdlet's full lower-case name of a word."""
    lowered = shown(name).casefold().strip()
    lowered = lowered.rpartition("\\")[2] if lowered.startswith("microsoft.powershell") else lowered
    return _ALIASES.get(lowered, lowered)


def _texts(bound: Bound, *names: str) -> list[str]:
    for name in names:
        if name in bound.named:
            return list(bound.named[name].items)
    return []


def _first(bound: Bound, *names: str) -> str | None:
    texts = _texts(bound, *names)
    return texts[0] if texts else None


def _paths(bound: Bound, flowing: Alternatives | None) -> list[str]:
    """Paths by parameter, else what the pipeline brings."""
    paths = _texts(bound, "path", "literalpath", "pspath", "lp")
    return paths or [i for v in flowing or [] for i in v.items]


_COPY_ORDER = ("path", "destination", "literalpath", "filter", "include", "exclude", "tosession", "fromsession", "credential")


def _copy_item(reader: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    bound = variant.bound(_COPY_ORDER, _COMMON)
    if flowing is not None and "destination" not in bound.named and "path" in bound.named:
        # Paths come from the pipeline: the only word is the destination.
        bound.named["destination"] = bound.named.pop("path")
    move = canonical(variant.name) == "move-item"
    if "whatif" in bound.switches:
        return [PsValue()]
    sources, destination = _paths(bound, flowing), _first(bound, "destination") or "."
    sessions = [bound.named[n].session or (unknown_value(n).text if n in bound.named else None) if n in bound.named else None
                for n in ("fromsession", "tosession")]  # fmt: skip
    names = _texts(bound, "include") or _texts(bound, "filter")
    for source in sources[:256]:
        raw = RawCopy(
            tool="Move-Item" if move else "Copy-Item",
            source=source,
            destination=destination,
            destructive=move,
            writes_executables=may_hold_executables(names or [source], _texts(bound, "exclude"), folder="recurse" in bound.switches),
            source_host=sessions[0],
            destination_host=sessions[1],
        )
        reader.walker.copy(raw, reader.state, _line(variant))
    return [PsValue(tuple(sources[:256]), array=True)]


def _line(variant: Variant) -> str:
    return f"{variant.name} {' '.join(variant.words())}"


def _bits(reader: PsReader, variant: Variant, _: Alternatives | None) -> Alternatives:
    bound = variant.bound(
        ("source", "destination", "transfertype", "credential", "priority", "displayname", "description"),
        _COMMON | {"asynchronous", "dynamic"},
    )
    destinations = _texts(bound, "destination") or ["."]
    for number, source in enumerate(_texts(bound, "source")[:256]):
        raw = RawCopy(
            tool="Start-BitsTransfer",
            source=source,
            destination=destinations[min(number, len(destinations) - 1)],
            writes_executables=may_hold_executables([source]),
            remote_syntax=True,
        )
        reader.walker.copy(raw, reader.state, _line(variant))
    return [PsValue()]


def _web(reader: PsReader, variant: Variant, _: Alternatives | None) -> Alternatives:
    bound = variant.bound(
        ("uri", "outfile", "infile", "method", "headers", "credential"), _COMMON | {"usebasicparsing", "usedefaultcredentials"}
    )
    uri, out, given = _first(bound, "uri"), _first(bound, "outfile"), _first(bound, "infile")
    if uri and (out or given):
        ends = (uri, out) if out else (given or "", uri)
        raw = RawCopy(
            tool="Invoke-WebRequest",
            source=ends[0],
            destination=ends[1],
            writes_executables=may_hold_executables([uri]),
            remote_syntax=True,
        )
        reader.walker.copy(raw, reader.state, _line(variant))
    return [unknown_value("answer of a web request")]


def _drive(reader: PsReader, variant: Variant, _: Alternatives | None) -> Alternatives:
    """New-PSDrive and New-SmbMapping: a name for a path on the network."""
    bound = variant.bound(
        ("name", "psprovider", "root", "localpath", "remotepath", "credential", "description", "scope"), _COMMON | {"persist"}
    )
    name = (_first(bound, "localpath") or _first(bound, "name") or "").rstrip(":")
    root = _first(bound, "remotepath", "root")
    if root and re.fullmatch(r"[A-Za-z]", name):
        reader.state.drives[f"{name.casefold()}:"] = root
    elif root and re.fullmatch(r"\w{2,40}", name):
        reader.state.links[f"{name.casefold()}:"] = root
    return [PsValue()]


def _session(_: PsReader, variant: Variant, __: Alternatives | None) -> Alternatives:
    bound = variant.bound(
        ("computername", "credential", "name", "port", "configurationname", "authentication", "sessionoption"), _COMMON | {"usessl"}
    )
    hosts = _texts(bound, "computername", "cn")
    return [PsValue((h,), session=h) for h in hosts[:8]] or [PsValue(("session",), session=unknown_value("session").text)]


def _location(reader: PsReader, variant: Variant, _: Alternatives | None) -> Alternatives:
    name = canonical(variant.name)
    bound = variant.bound(("path", "literalpath"), _COMMON)
    words = [w for w in [_first(bound, "path", "literalpath")] if w]
    change_folder({"pop-location": "popd", "push-location": "pushd"}.get(name, "cd"), words, reader.state)
    return [PsValue()]


def _join_path(_: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    bound = variant.bound(("path", "childpath", "additionalchildpath"), _COMMON | {"resolve"})
    base = _first(bound, "path") or next((i for v in flowing or [] for i in v.items), "")
    child = _first(bound, "childpath") or ""
    return [of(base.rstrip("\\/") + "\\" + child.lstrip("\\/"))] if child else [of(base)]


def _split_path(_: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    bound = variant.bound(("path", "literalpath"), _COMMON | {"parent", "leaf", "qualifier", "noqualifier", "resolve", "isabsolute"})
    path = next(iter(_paths(bound, flowing)), "")
    if is_unknown(path):
        return [unknown_value(f"Split-Path {path}")]
    if "leaf" in bound.switches:
        return [of(path.rpartition("\\")[2])]
    return [of(path[:2] if "qualifier" in bound.switches else path.rpartition("\\")[0])]


def _items(_: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    """Get-ChildItem and Get-Item: the path, with the filter in the place of the names."""
    bound = variant.bound(
        ("path", "filter", "literalpath", "include", "exclude", "depth", "attributes"),
        _COMMON | {"file", "directory", "name", "hidden", "system"},
    )
    paths = _paths(bound, flowing) or ["."]
    listing = canonical(variant.name) == "get-childitem"
    names = _texts(bound, "filter") or _texts(bound, "include")
    found: list[str] = []
    for path in paths[:64]:
        if names:
            found.extend(re.sub(r"\\\*(?:\.\*)?$", "", path).rstrip("\\") + "\\" + n for n in names[:32])
        else:
            found.append(path if not listing or re.search(r"[*?]", path) else path.rstrip("\\") + "\\*")
    return [PsValue(tuple(found), array=True)]


def _same(_: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    """Commands that hand a path, or what comes down the pipeline, on."""
    if flowing is not None:
        return flowing
    bound = variant.bound(("path", "literalpath", "inputobject"), _COMMON)
    return [PsValue(tuple(_paths(bound, None)) or tuple(_texts(bound, "inputobject")))]


def _content(reader: PsReader, variant: Variant, _: Alternatives | None) -> Alternatives:
    bound = variant.bound(("path", "literalpath", "encoding", "totalcount", "tail", "readcount", "delimiter"), _COMMON | {"raw", "wait"})
    path = _first(bound, "path", "literalpath") or ""
    text = reader.walker.text_of(path, reader.state) if path else None
    if text is None:
        return [unknown_value(f"content of {path}"[:100])]
    return [PsValue(tuple(line.strip() for line in text.splitlines() if line.strip())[:256], array=True)]


def _for_each(reader: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    bound = variant.bound(("process", "begin", "end", "membername"), _COMMON | {"parallel", "asjob"})
    items = [of(i) for v in flowing or [] for i in v.items][:256] + [v for v in flowing or [] if v.table is not None]
    for block in bound.blocks:
        for item in items or [unknown_value("$_")]:
            reader.walker.spend(100)
            reader.script_block(*block, item=[item])
    return [unknown_value("output of a script block")] if bound.blocks else flowing or [PsValue()]


def _filter(reader: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    for _, _, block, _ in variant.arguments:
        if block is not None:
            reader.script_block(*block, item=flowing)
    return flowing or [PsValue()]


def _invoke_command(reader: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    """A script block on other hosts: its local paths lie there."""
    bound = variant.bound(
        ("scriptblock", "computername", "session", "argumentlist", "credential", "filepath", "throttlelimit"), _COMMON | {"asjob", "usessl"}
    )
    hosts: list[str | None] = list(_texts(bound, "computername", "cn"))
    if "session" in bound.named:
        hosts.append(bound.named["session"].session or unknown_value("session").text)
    arguments = list(bound.named["argumentlist"].items) if "argumentlist" in bound.named else []
    for block in bound.blocks:
        for host in (hosts or [None])[:64]:
            _block_on(reader, block, host, arguments)
    return flowing or [unknown_value("output of a script block")]


def _block_on(reader: PsReader, block: tuple[int, int], host: str | None, arguments: list[str]) -> None:
    from auditor.analysis.copying.pscommands import bind

    if not reader.walker.enter():
        return
    state, variables = reader.state, dict(reader.variables)
    if host is not None and host.casefold() not in ("localhost", ".", "127.0.0.1"):
        reader.state = state.copy()
        reader.state.remote_host, reader.state.cwd = host, None
    reader.variables["args"] = [PsValue(tuple(arguments), array=True)]
    parameters = reader.parameter_range(*block)
    if parameters[1]:
        bind(reader, parameters, [[of(a)] for a in arguments], known=True)
    reader.script_block(*block)
    reader.state, reader.variables = state, variables
    reader.walker.leave()


def _expression(reader: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    """Invoke-Expression: the text is read as a script of its own."""
    bound = variant.bound(("command",), _COMMON)
    texts = _texts(bound, "command") or [i for v in flowing or [] for i in v.items]
    for text in texts[:16]:
        if not is_unknown(text[:1]) and reader.walker.enter():
            reader.walker.interpreters["powershell"](reader.walker, text, reader.state)
            reader.walker.leave()
    return [unknown_value("output of Invoke-Expression")]


def _process(reader: PsReader, variant: Variant, _: Alternatives | None) -> Alternatives:
    """Start-Process and New-ScheduledTaskAction: a program with its arguments."""
    bound = variant.bound(
        (
            "filepath",
            "argumentlist",
            "workingdirectory",
            "credential",
            "verb",
            "windowstyle",
            "redirectstandardoutput",
            "execute",
            "argument",
        ),
        _COMMON | {"wait", "nonewwindow", "loaduserprofile"},
    )
    program = _first(bound, "filepath", "execute")
    words = _texts(bound, "argumentlist", "args", "argument")
    if program:
        quoted = f'"{program}"' if " " in program and not program.startswith('"') else program
        reader.walker.run_command(f"{quoted} {' '.join(words)}", reader.state, called=True)
    return [PsValue()]


def _new_item(reader: PsReader, variant: Variant, _: Alternatives | None) -> Alternatives:
    bound = variant.bound(("path", "itemtype", "name", "value", "target"), _COMMON)
    path, target = _first(bound, "path"), _first(bound, "target", "value")
    kind = (_first(bound, "itemtype", "type") or "").casefold()
    if path and target and kind in ("symboliclink", "junction"):
        reader.state.add_link(path, target)
    return [of(path)] if path else [PsValue()]


def _output(_: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    bound = variant.bound(("inputobject",), _COMMON)
    return [bound.named["inputobject"]] if "inputobject" in bound.named else flowing or [PsValue()]


def _set_variable(reader: PsReader, variant: Variant, _: Alternatives | None) -> Alternatives:
    bound = variant.bound(("name", "value", "scope", "option"), _COMMON)
    name = _first(bound, "name")
    if name and "value" in bound.named:
        reader.variables[name.casefold()] = [bound.named["value"]]
    return [PsValue()]


def _archive(reader: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    bound = variant.bound(("path", "destinationpath", "literalpath", "compressionlevel"), _COMMON | {"update"})
    destination = _first(bound, "destinationpath")
    expands = canonical(variant.name).startswith("expand")
    for source in _paths(bound, flowing)[:64] if destination else []:
        raw = RawCopy(tool=variant.name, source=source, destination=destination or ".", writes_executables=None if expands else False)
        reader.walker.copy(raw, reader.state, _line(variant))
    return [PsValue()]


def _host_name(reader: PsReader, _: Variant, __: Alternatives | None) -> Alternatives:
    return [of(v) for v in reader.state.env.get("computername", (unknown_value("%COMPUTERNAME%").text,))]


def _new_object(_: PsReader, variant: Variant, __: Alternatives | None) -> Alternatives:
    """Objects are told apart by their class only."""
    bound = variant.bound(("typename", "argumentlist", "comobject", "property"), _COMMON | {"strict"})
    return [of(f"object {_first(bound, 'typename', 'comobject') or ''}")]


def _nothing(_: PsReader, __: Variant, ___: Alternatives | None) -> Alternatives:
    return [PsValue()]


CMDLETS: Mapping[str, Cmdlet] = {
    **dict.fromkeys(("copy-item", "move-item"), _copy_item),
    **dict.fromkeys(("new-psdrive", "new-smbmapping"), _drive),
    **dict.fromkeys(("new-pssession", "new-cimsession"), _session),
    **dict.fromkeys(("set-location", "push-location", "pop-location"), _location),
    **dict.fromkeys(("get-childitem", "get-item"), _items),
    **dict.fromkeys(("resolve-path", "convert-path", "sort-object", "select-object", "tee-object", "get-unique", "out-string"), _same),
    **dict.fromkeys(("invoke-command", "start-job"), _invoke_command),
    **dict.fromkeys(("start-process", "new-scheduledtaskaction"), _process),
    **dict.fromkeys(("compress-archive", "expand-archive"), _archive),
    **dict.fromkeys(("invoke-webrequest", "invoke-restmethod"), _web),
    **dict.fromkeys(("write-host", "write-verbose", "write-warning", "write-error", "write-debug"), _nothing),
    **dict.fromkeys(("out-null", "test-path", "remove-item"), _nothing),
    "start-bitstransfer": _bits,
    "join-path": _join_path,
    "split-path": _split_path,
    "get-content": _content,
    "foreach-object": _for_each,
    "where-object": _filter,
    "invoke-expression": _expression,
    "new-item": _new_item,
    "write-output": _output,
    "set-variable": _set_variable,
    "hostname": _host_name,
    "new-object": _new_object,
}  # fmt: skip
