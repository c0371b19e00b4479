"""Ways in which a lab host misbehaves: the words for them, and the bytes they send. Pure: no sockets, no clock."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

Action = Literal["Identify", "Create", "Command", "Send", "Receive", "Signal", "Delete", "Enumerate", "Pull", "Invoke", "Get"]

Fault = Literal[
    # the network
    "refuse_connection",  # nothing listens on the port
    "reset",  # the connection is reset as soon as a request arrives
    "hang_accept",  # connected, then nothing, not even TLS
    "hang_tls",  # https: the client's hello is read and never answered
    # HTTP
    "hang_headers",  # half of the answer's headers, then nothing
    "hang_body",  # headers, then nothing
    "dribble",  # a byte of the body every 100 ms
    "endless_headers",  # header lines without end
    "endless_body",  # a chunked body without end
    "gzip_bomb",  # a small body whose Content-Encoding makes it 256 MiB
    "redirect",  # 302 to `redirect_to`
    "http_error",  # 503 with an HTML page
    # authentication
    "refuse_logon",  # 401 to every account, after the usual handshake
    "unsealed_reply",  # a good answer, sent in the clear inside an encrypted session
    "tampered_reply",  # a sealed answer with a bit turned
    # SOAP
    "garbage",  # 200 and no XML
    "wrong_xml",  # 200 and XML that is no envelope
    "empty_body",  # 200 and nothing
    "half_answer",  # the connection is closed in the middle of the answer's body
    "entity_bomb",  # nested XML entities
    "wrong_charset",  # Latin-1 bytes in an answer that says UTF-8
    # the shell
    "create_fault",  # Create answers an internal error
    "access_denied",  # the action answers access denied
    "quota_fault",  # Create answers that the user has too many shells
    "delete_fault",  # Delete answers an internal error and the shell stays
    "hang_command",  # Receive answers operation time-outs for ever
    "cut_output",  # the command ends well after `after_bytes` of its output
    "endless_output",  # Receive brings output for ever
    "answer_bomb",  # the command prints a block of the probe's wire format that decodes to 256 MiB
    "bad_base64",  # streams hold no base64
]

Place = Action | Literal["any"]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
Certificate = Literal["good", "other_ca", "expired", "wrong_name"]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a host behaves beyond its facts: `behaviour:` of a fleet file."""

    fault: Fault | None = None
    """What it does wrong; None for a well-behaved host."""
    at: Place | None = None
    """The action at which it does so; `any` is every request, before authentication; None is the usual place of that fault."""
    latency_ms: Milliseconds = 0
    """Delay before each HTTP response."""
    run_ms: Milliseconds = 0
    """How long every command runs at least: its output is held back so long."""
    certificate: Certificate = "good"
    """What is wrong with an https host's certificate."""
    redirect_to: Annotated[str, msgspec.Meta(pattern=r"^[!-~]*$", max_length=500)] = ""
    """For `redirect`: a URL, or the name of another host of the fleet."""
    after_bytes: Annotated[int, msgspec.Meta(ge=0)] = 1000
    """For `cut_output`: bytes of output before the end."""

    @property
    def place(self) -> Place | None:
        """Where the fault shows itself; None where there is none."""
        return self.at or (_PLACES.get(self.fault, "any") if self.fault else None)


_PLACES: dict[str, Place] = {
    **dict.fromkeys(("gzip_bomb", "unsealed_reply", "tampered_reply", "garbage", "wrong_xml", "empty_body", "half_answer"), "Receive"),
    **dict.fromkeys(("entity_bomb", "wrong_charset", "bad_base64"), "Receive"),
    **dict.fromkeys(("create_fault", "quota_fault", "access_denied"), "Create"),
    "delete_fault": "Delete",
}
BOMB_BYTES = 256 * 1024 * 1024
_ZEROS = 1024 * 1024
_BOMB_CRC = 0x2A0E7DBB
_STREAM_TEXT = re.compile(rb"(<rsp:Stream [^>]*>)[A-Za-z0-9+/=]+(?=</rsp:Stream>)")


def spoil(envelope: bytes, fault: Fault | None) -> bytes:
    """An answer's envelope as a host with this fault writes it; unchanged for faults that lie elsewhere."""
    if fault == "garbage":
        return bytes(range(256)) * 16
    if fault == "wrong_xml":
        return b'<?xml version="1.0" encoding="utf-8"?><menu><item price="3">soup</item></menu>'
    if fault == "empty_body":
        return b""
    if fault == "entity_bomb":
        return _entity_bomb()
    if fault == "wrong_charset":
        return envelope.replace(b"<s:Body>", b"<s:Body><p:Note>gr\xfc\xdfe</p:Note>", 1)
    if fault == "bad_base64":
        return _STREAM_TEXT.sub(rb"\1*not base64*", envelope)
    return envelope


def _entity_bomb() -> bytes:
    """Ten levels of tenfold entities: 3 GB once expanded."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "ha">{levels}]><a>&e9;</a>'.encode()


def gzip_bomb() -> Iterator[bytes]:
    """A good gzip stream of BOMB_BYTES zero bytes, in pieces. The same flushed block over and over: cheap to make, about 1:1000."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    yield b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    block = packer.compress(bytes(_ZEROS)) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(BOMB_BYTES // _ZEROS):
        yield block
    yield packer.flush() + struct.pack("<II", _BOMB_CRC, BOMB_BYTES)


def answer_bomb() -> bytes:
    """Standard output in the probe's wire format whose only block decodes to BOMB_BYTES."""
    text = base64.b64encode(b"".join(gzip_bomb())).decode("ascii")
    lines = [text[i : i + 4000] for i in range(0, len(text), 4000)]
    head = f"#AUD1 BLOCK programs {BOMB_BYTES} sha256:{'0' * 64} 1.000"
    return "\r\n".join([head, *lines, "#AUD1 STOP programs", "#AUD1 END 1", ""]).encode("ascii")
