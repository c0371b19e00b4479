"""The wire format between the probe script and the auditor: how parameters go in and how answers come out. Pure.

Rules of this file:
1. Everything on the wire is ASCII. An answer is a sequence of lines: one `HELLO`, one block a section, one `END`.
       #AUD1 HELLO <base64 of a JSON object>
       #AUD1 BLOCK <section> <decoded length> <sha256|sha1>:<hex digest of the decoded bytes> <seconds>
       <base64 of gzip of a JSON object, in lines of at most 4,000 characters>
       #AUD1 STOP <section>
       #AUD1 END <number of blocks>
   `#AUD1 REFUSED <language mode>` alone says that the host runs no full language.
2. A block is trusted only when its length and digest hold. What comes before or between (profiles, warnings) is counted, not read.
3. Nothing here trusts a size that a host states: decompression stops at the limit whatever the header says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from typing import Any

import msgspec

from auditor.model.errors import DecodeError
from auditor.model.host import Gap, LogCoverage, Status
from auditor.probes.row import row_of

MARK = "#AUD1"
DEFAULT_LIMIT_BYTES = 32 * 1024 * 1024
_LINE = 4000
_BLOCK = re.compile(r"#AUD1 BLOCK ([a-z]{1,20}) (\d{1,10}) (sha256|sha1):([0-9a-f]{40,64}) (\d{1,6}(?:\.\d{1,6})?)")
_PARAMETERS = re.compile(r"^\$AuditParameters = '([A-Za-z0-9+/=]*)'\r?$", re.MULTILINE)

POWERSHELL = "%SystemRoot%\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"
"""Where every version of Windows PowerShell lies, 1.0 to 5.1. WinRM's own shell is never the 32-bit one, so nothing redirects it."""
BOOTSTRAP = (
    "if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {"
    " '#AUD1 REFUSED ' + $ExecutionContext.SessionState.LanguageMode; exit 0 }\n"
    "$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue'\n"
    "$text = @($input) -join ''\n"
    "if (-not $text) { $text = [Console]::In.ReadToEnd() }\n"
    "$bytes = New-Object IO.MemoryStream (,[Convert]::FromBase64String($text))\n"
    "$plain = New-Object IO.Compression.GZipStream ($bytes, [IO.Compression.CompressionMode]::Decompress)\n"
    "$reader = New-Object IO.StreamReader ($plain, [Text.Encoding]::UTF8)\n"
    "& ([ScriptBlock]::Create($reader.ReadToEnd()))\n"
)
"""The fixed command. powershell.exe feeds redirected input to `$input`; hosts of the engine that don't leave it on Console.In."""


def encoded_command() -> str:
    """The bootstrap as `-EncodedCommand` takes it: base64 of UTF-16LE."""
    return base64.b64encode(BOOTSTRAP.encode("utf-16-le")).decode("ascii")


def command_line() -> str:
    """The whole command line, always the same, well below the 8,191 characters of cmd.exe.

    The program is named by its place: cmd.exe would look for a bare name in the current folder and in all of PATH first, where others
    than administrators may be able to write.
    """
    return f"{POWERSHELL} -NoLogo -NoProfile -NonInteractive -EncodedCommand {encoded_command()}"


def pack_script(script: str) -> bytes:
    """A script as the bootstrap reads it from standard input: base64 of gzip, one line, ASCII. The same script gives the same bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return base64.b64encode(packer.compress(script.encode("utf-8")) + packer.flush())


def unpack_script(data: bytes, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> str:
    """The script in what was sent to standard input. Raises DecodeError."""
    return _gunzip(_base64(data, "standard input"), limit_bytes, "standard input").decode("utf-8")


def parameter_line(parameters: dict[str, Any]) -> str:
    """The first line of a bundle: parameters as data (base64 of `name<TAB>item<TAB>item...` lines, each item percent-free base64)."""
    lines = []
    for name, value in parameters.items():
        items = value if isinstance(value, list | tuple) else [value]
        lines.append("\t".join([name, *(base64.b64encode(str(item).encode("utf-8")).decode("ascii") for item in items)]))
    return f"$AuditParameters = '{base64.b64encode(chr(10).join(lines).encode('ascii')).decode('ascii')}'\n"


def read_parameters(script: str) -> dict[str, list[str]]:
    """The parameters in a bundle, each a list of texts. Raises DecodeError where there is no parameter line."""
    match = _PARAMETERS.search(script)
    if not match:
        raise DecodeError("no $AuditParameters line: this is not the auditor's bundle")
    result: dict[str, list[str]] = {}
    for line in base64.b64decode(match.group(1)).decode("ascii").splitlines():
        name, *items = line.split("\t")
        result[name] = [base64.b64decode(item).decode("utf-8") for item in items]
    return result


class SectionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a host said of one section: rows as in `model.host`, not yet checked."""

    status: Status = "ok"
    reason: str = ""
    rows: list[dict[str, Any]] = []
    gaps: list[Gap] = []
    coverage: list[LogCoverage] = []
    """For sections read from event logs."""
    seconds: float = 0.0


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """What the probe says of itself and of the account before anything else."""

    powershell: str
    """Version of the engine."""
    elevated: bool | None = None
    """Whether the token is in the Administrators group and elevated."""
    utc_time: str | None = None
    account: str | None = None
    bits: int | None = None
    """Bits of the process, 32 or 64."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A probe's whole answer as far as it arrived."""

    hello: Hello | None = None
    refused: str | None = None
    """Language mode, where the host runs no full language."""
    sections: dict[str, SectionAnswer] = {}
    broken: dict[str, str] = {}
    """Section name to what is wrong with its block."""
    complete: bool = False
    """Whether the END line was seen and its count holds."""
    foreign_lines: int = 0
    """Lines that are not ours."""


def pack_hello(hello: Hello) -> str:
    """The HELLO line."""
    return f"{MARK} HELLO {base64.b64encode(msgspec.json.encode(hello)).decode('ascii')}\r\n"


def pack_section(name: str, answer: SectionAnswer) -> str:
    """One block, as the probe writes it."""
    raw = msgspec.json.encode(answer)
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    text = base64.b64encode(packer.compress(raw) + packer.flush()).decode("ascii")
    head = f"{MARK} BLOCK {name} {len(raw)} sha256:{hashlib.sha256(raw).hexdigest()} {answer.seconds:.3f}"
    lines = [text[i : i + _LINE] for i in range(0, len(text), _LINE)]
    return "\r\n".join([head, *lines, f"{MARK} STOP {name}", ""])


def pack_end(blocks: int) -> str:
    """The END line."""
    return f"{MARK} END {blocks}\r\n"


def read_answer(data: bytes, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> Answer:
    """The answer in what a host printed, however much of it arrived. Never raises for what a host sent; the limit is on decoded bytes."""
    lines = iter(data.decode("latin-1").split("\n"))
    hello: Hello | None = None
    refused: str | None = None
    sections: dict[str, SectionAnswer] = {}
    broken: dict[str, str] = {}
    complete, foreign, left = False, 0, limit_bytes
    for raw in lines:
        line = raw.rstrip("\r")
        if match := _BLOCK.fullmatch(line):
            name = match.group(1)
            try:
                decoded = _read_block(lines, match, left)
                left -= len(decoded)
                sections[name] = _section_answer(decoded, float(match.group(5)))
            except (DecodeError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                broken[name] = str(error) or type(error).__name__
        elif line.startswith(f"{MARK} HELLO "):
            hello = _read_hello(line)
        elif line.startswith(f"{MARK} REFUSED "):
            refused = line.split(" ", 2)[2][:40]
        elif line.startswith(f"{MARK} END "):
            complete = line.split(" ", 2)[2].strip() == str(len(sections) + len(broken))
        elif line.strip():
            foreign += 1
    return Answer(hello=hello, refused=refused, sections=sections, broken=broken, complete=complete, foreign_lines=foreign)


class _Sent(msgspec.Struct, frozen=True):
    """A `SectionAnswer` whose rows were not read yet."""

    status: Status = "ok"
    reason: str = ""
    rows: list[msgspec.Raw] = []
    gaps: list[Gap] = []
    coverage: list[LogCoverage] = []


def _section_answer(decoded: bytes, seconds: float) -> SectionAnswer:
    """Rows are read one by one, so that those that other hosts sent too need not be read again."""
    sent = msgspec.json.decode(decoded, type=_Sent)
    return SectionAnswer(
        status=sent.status,
        reason=sent.reason,
        rows=[row_of(bytes(raw)) for raw in sent.rows],
        gaps=sent.gaps,
        coverage=sent.coverage,
        seconds=seconds,
    )


def _read_hello(line: str) -> Hello | None:
    try:
        return msgspec.json.decode(_base64(line.split(" ", 2)[2].encode("latin-1"), "HELLO"), type=Hello)
    except (DecodeError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _read_block(lines: Any, match: re.Match[str], limit_bytes: int) -> bytes:
    name, length, algorithm, digest = match.group(1), int(match.group(2)), match.group(3), match.group(4)
    parts: list[str] = []
    for raw in lines:
        line = raw.strip()
        if line == f"{MARK} STOP {name}":
            break
        parts.append(line)
    else:
        raise DecodeError(f"the block ends before its STOP line: half an answer ({sum(map(len, parts))} characters arrived)", place=name)
    decoded = _gunzip(_base64("".join(parts).encode("latin-1"), name), limit_bytes, name)
    if len(decoded) != length:
        raise DecodeError(f"the block says {length} bytes and holds {len(decoded)}", place=name)
    if hashlib.new(algorithm, decoded, usedforsecurity=False).hexdigest() != digest:
        raise DecodeError("the block's digest does not hold: it was changed on its way", place=name)
    return decoded


def _base64(data: bytes, place: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"not base64: {error}", place=place) from error


def _gunzip(data: bytes, limit_bytes: int, place: str) -> bytes:
    unpacker = zlib.decompressobj(31)
    try:
        decoded = unpacker.decompress(data, max(limit_bytes, 0) + 1)
    except zlib.error as error:
        raise DecodeError(f"not gzip: {error}", place=place) from error
    if len(decoded) > limit_bytes:
        raise DecodeError(f"decodes to more than the {limit_bytes} bytes that are left of this host's limit", place=place)
    if not unpacker.eof:
        raise DecodeError("the compressed data is cut short", place=place)
    return decoded
