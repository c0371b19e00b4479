"""Network copy tools: scp, pscp, sftp and psftp batches, WinSCP, rsync and its ports, ftp scripts, BITS, curl, wget, certutil, rclone.

Pure: words and script texts in, `RawCopy` out. Passwords and users never reach a result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from auditor.analysis.copying.commandline import split_arguments
from auditor.analysis.copying.copytools import RawCopy, may_hold_executables
from auditor.analysis.copying.unknowns import unknown

TextOf = Callable[[str], "str | None"]
_SCP_VALUES = frozenset({"-P", "-p", "-pw", "-pwfile", "-i", "-l", "-c", "-F", "-o", "-S", "-J", "-hostkey", "-sshlog", "-proxycmd"})
_RSYNC_VALUES = frozenset(
    {"-e", "--rsh", "--exclude", "--include", "--exclude-from", "--password-file", "--port", "--log-file", "--bwlimit"}
)
_LOCAL_FLAGS = frozenset(
    {"-p", "-q", "-r", "-v", "-C", "-B", "-batch", "-4", "-6", "-1", "-2", "-sftp", "-scp", "-agent", "-noagent", "-unsafe"}
)


def read_scp(words: Sequence[str], tool: str = "scp") -> list[RawCopy]:
    """`scp [options] source... destination`. OpenSSH's `-p` takes no value, PuTTY's `-P` does."""
    operands: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-") and len(word) > 1:
            skip = word in _SCP_VALUES and word not in _LOCAL_FLAGS
        else:
            operands.append(word)
    if len(operands) < 2:
        return []
    whole = any(w in ("-r", "-rp", "-pr") for w in words)
    return [
        RawCopy(
            tool=tool,
            source=source,
            destination=operands[-1],
            writes_executables=may_hold_executables([source.rpartition(":")[2] or "*"], folder=whole),
            remote_syntax=True,
        )
        for source in operands[:-1]
    ]


def read_rsync(words: Sequence[str]) -> list[RawCopy]:
    """`rsync [options] source... destination`; `--delete*` and `--remove-source-files` are destructive, `-n` only lists."""
    operands: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _RSYNC_VALUES
        else:
            operands.append(word)
    dry = any(w == "--dry-run" or re.fullmatch(r"-[A-Za-z]*n[A-Za-z]*", w) for w in words)
    if len(operands) < 2 or dry:
        return []
    destructive = any(w.startswith("--del") or w == "--remove-source-files" for w in words)
    whole = any(w in ("--recursive", "--archive") or re.fullmatch(r"-[A-Za-z]*[ar][A-Za-z]*", w) for w in words)
    return [
        RawCopy(
            tool="rsync",
            source=source,
            destination=operands[-1],
            destructive=destructive,
            writes_executables=may_hold_executables([source], folder=whole),
            remote_syntax=True,
        )
        for source in operands[:-1]
    ]


def read_rclone(words: Sequence[str]) -> list[RawCopy]:
    """`rclone copy|sync|move source destination`; a `name:` is a configured remote whose host the line does not say."""
    operands = [w for w in words if not w.startswith("-")]
    if len(operands) < 3 or operands[0] not in ("copy", "sync", "move", "copyto", "moveto"):
        return []
    ends = [_rclone_end(w) for w in operands[1:3]]
    return [
        RawCopy(
            tool="rclone",
            source=ends[0],
            destination=ends[1],
            destructive=operands[0] in ("sync", "move", "moveto"),
            writes_executables=True,
        )
    ]


def _rclone_end(word: str) -> str:
    match = re.match(r"([A-Za-z0-9_-]{2,60}):", word)
    return unknown(match.group(0)) + word[match.end() :] if match else word


def read_ftp(words: Sequence[str], text_of: TextOf, given: str | None = None) -> list[RawCopy]:
    """`ftp [-s:script] [host]`: the copies of its script (or of what is piped into it)."""
    script = next((w[3:] for w in words if w.casefold().startswith("-s:")), None)
    host = next((w for w in words if not w.startswith("-")), None)
    text = text_of(script) if script else given
    if text is None:
        if script is None:
            return []
        remote = f"ftp://{host}/" if host else unknown(f"host in {script}")
        return [RawCopy(tool="ftp", source=unknown(f"files in {script}"), destination=remote, writes_executables=None, remote_syntax=True)]
    return read_ftp_script(text, host)


def read_ftp_script(text: str, host: str | None = None) -> list[RawCopy]:
    """The transfers of an ftp script: open, lcd, cd, put, mput, get, mget, send, recv, append."""
    local_folder, remote_folder = "", ""
    copies: list[RawCopy] = []
    for raw in text.splitlines()[:5000]:
        words = split_arguments(raw.strip())
        if not words:
            continue
        verb, rest = words[0].casefold(), words[1:]
        if verb == "open" and rest:
            host = rest[0]
        elif verb == "lcd" and rest:
            local_folder = rest[0]
        elif verb == "cd" and rest:
            remote_folder = rest[0]
        elif verb in ("put", "send", "mput", "append", "get", "recv", "mget") and rest:
            copies.extend(_ftp_copies(verb, rest, host, (local_folder, remote_folder)))
        if len(copies) > 1000:
            break
    return copies


def _ftp_copies(verb: str, rest: Sequence[str], host: str | None, folders: tuple[str, str]) -> list[RawCopy]:
    names = list(rest) if verb.startswith("m") else [rest[0]]
    base = f"ftp://{host}" if host else unknown("ftp server")
    result = []
    for name in names:
        near = name if re.match(r"[A-Za-z]:|\\\\|/", name) or not folders[0] else folders[0].rstrip("\\/") + "\\" + name
        last = re.split(r"[\\/]", name)[-1]
        far = "/".join(p for p in (base, folders[1].strip("/"), last) if p)
        upload = verb in ("put", "send", "mput", "append")
        ends = (near, far) if upload else (far, near)
        result.append(
            RawCopy(tool="ftp", source=ends[0], destination=ends[1], writes_executables=may_hold_executables([name]), remote_syntax=True)
        )
    return result


def read_winscp(words: Sequence[str], text_of: TextOf) -> list[RawCopy]:
    """`winscp /script=file` or `/command "open ..." "put ..."`."""
    script = next((re.split("[=:]", w, maxsplit=1)[1] for w in words if re.match(r"[/-]script[=:]", w, re.IGNORECASE)), None)
    if script is not None:
        text = text_of(script)
        if text is None:
            return [
                RawCopy(tool="winscp", source=unknown(f"files in {script}"), destination=unknown(f"host in {script}"), remote_syntax=True)
            ]
        return read_winscp_script(text.splitlines())
    at = next((i for i, w in enumerate(words) if w.casefold() in ("/command", "-command")), None)
    return read_winscp_script(words[at + 1 :]) if at is not None else []


def read_winscp_script(lines: Sequence[str]) -> list[RawCopy]:
    """open, lcd, cd, put, get, synchronize of WinSCP."""
    session, near, far = unknown("WinSCP session"), "", ""
    copies: list[RawCopy] = []
    for raw in lines[:2000]:
        words = [w for w in split_arguments(raw.strip().strip('"')) if w]
        options = [w.casefold() for w in words if w.startswith("-")]
        operands = [w for w in words[1:] if not w.startswith("-")]
        verb = words[0].casefold() if words else ""
        if verb == "open" and operands:
            session = _session(operands[0])
        elif verb == "lcd" and operands:
            near = operands[0]
        elif verb == "cd" and operands:
            far = operands[0]
        elif verb in ("put", "get") and operands:
            copies.extend(_winscp_copy(verb, operands, session, (near, far), delete="-delete" in options))
        elif verb == "synchronize" and operands:
            copies.extend(_winscp_sync(operands, session, (near, far), delete="-delete" in options))
    return copies


def _session(address: str) -> str:
    """`scheme://user:secret@host` without user and secret; a stored session's name says no host."""
    match = re.match(r"([A-Za-z]{2,6})://(.*)", address)
    if match:
        return f"{match.group(1)}://{match.group(2).rpartition('@')[2].rstrip('/')}"
    bare = address.rpartition("@")[2]
    return f"sftp://{bare}" if "." in bare or "@" in address else unknown(f"WinSCP session {address}")


def _winscp_copy(verb: str, operands: Sequence[str], session: str, folders: tuple[str, str], *, delete: bool) -> list[RawCopy]:
    name = operands[0]
    target = operands[1] if len(operands) > 1 else ""
    if verb == "put":
        ends = (_below(folders[0], name, "\\"), session + "/" + _below(folders[1], target, "/").lstrip("/"))
    else:
        ends = (session + "/" + _below(folders[1], name, "/").lstrip("/"), _below(folders[0], target, "\\") or ".")
    writes = may_hold_executables([name])
    return [RawCopy(tool="winscp", source=ends[0], destination=ends[1], destructive=delete, writes_executables=writes, remote_syntax=True)]


def _winscp_sync(operands: Sequence[str], session: str, folders: tuple[str, str], *, delete: bool) -> list[RawCopy]:
    near = operands[1] if len(operands) > 1 else folders[0] or "."
    far = session + "/" + (operands[2] if len(operands) > 2 else folders[1]).lstrip("/")
    ends = (far, near) if operands[0].casefold() == "local" else (near, far)
    return [RawCopy(tool="winscp", source=ends[0], destination=ends[1], destructive=delete, writes_executables=True, remote_syntax=True)]


def _below(folder: str, name: str, separator: str) -> str:
    if not folder or re.match(r"[A-Za-z]:|\\\\|/", name):
        return name
    return folder.rstrip("\\/") + separator + name


def read_bitsadmin(words: Sequence[str]) -> list[RawCopy]:
    """`bitsadmin /transfer name [/download|/upload] [/priority p] remote local ...`."""
    lowered = [w.casefold() for w in words]
    if "/transfer" not in lowered:
        return []
    operands: list[str] = []
    rest = list(words[lowered.index("/transfer") + 1 :])
    while rest:
        word = rest.pop(0)
        if word.casefold() in ("/priority", "/aclflags", "/dynamic") and rest:
            rest.pop(0)
        elif not word.startswith("/"):
            operands.append(word)
    pairs = operands[1:] if len(operands) % 2 else operands
    upload = "/upload" in lowered
    return [
        RawCopy(
            tool="bitsadmin",
            source=pairs[i + 1] if upload else pairs[i],
            destination=pairs[i] if upload else pairs[i + 1],
            writes_executables=may_hold_executables([pairs[i]]),
            remote_syntax=True,
        )
        for i in range(0, len(pairs) - 1, 2)
    ]


def read_certutil(words: Sequence[str]) -> list[RawCopy]:
    """`certutil -urlcache -f URL file`."""
    if not any(w.casefold().lstrip("-/") in ("urlcache", "verifyctl") for w in words):
        return []
    operands = [w for w in words if not w.startswith(("-", "/"))]
    return [_download("certutil", operands[0], operands[1])] if len(operands) > 1 else []


def read_curl(words: Sequence[str]) -> list[RawCopy]:
    """`curl -o file URL`, `curl -O URL`, `curl -T file URL`; wget alike."""
    upload = _value_of(words, ("-T", "--upload-file"))
    output = _value_of(words, ("-o", "--output", "--output-document"))
    url = next((w for w in words if re.match(r"(?:https?|ftps?|sftp|scp|file)://", w, re.IGNORECASE)), None)
    if url is None:
        return []
    if upload is not None:
        return [RawCopy(tool="curl", source=upload, destination=url, writes_executables=may_hold_executables([upload]), remote_syntax=True)]
    keeps = any(w in ("-O", "--remote-name") or re.fullmatch(r"-[a-zA-Z]*O", w) for w in words)
    return [_download("curl", url, output or ".")] if output or keeps else []


def read_wget(words: Sequence[str]) -> list[RawCopy]:
    """`wget [-O file] URL`."""
    url = next((w for w in words if re.match(r"(?:https?|ftps?)://", w, re.IGNORECASE)), None)
    return [_download("wget", url, _value_of(words, ("-O", "--output-document", "-P")) or ".")] if url else []


def _download(tool: str, url: str, target: str) -> RawCopy:
    return RawCopy(tool=tool, source=url, destination=target, writes_executables=may_hold_executables([url]), remote_syntax=True)


def _value_of(words: Sequence[str], names: tuple[str, ...]) -> str | None:
    for at, word in enumerate(words):
        if word in names and at + 1 < len(words):
            return words[at + 1]
        if "=" in word and word.partition("=")[0] in names:
            return word.partition("=")[2]
    return None
