"""Sealed bodies as WinRM wants them over http (MS-WSMV 2.2.9.1): MIME around what the security context wrapped."""

from __future__ import annotations

import re
import struct
from typing import Protocol

_MARK = b"--Encrypted Boundary"
_OCTETS = b"Content-Type: application/octet-stream\r\n"
_LENGTH = re.compile(rb"OriginalContent: *type=application/soap\+xml; *charset=UTF-8; *Length=(\d{1,10})", re.IGNORECASE)
_LARGEST_HEADER = 256


class _Wrapped(Protocol):
    @property
    def header(self) -> bytes: ...
    @property
    def data(self) -> bytes: ...
    @property
    def padding_length(self) -> int: ...


class SecurityContext(Protocol):
    """What sealing needs of a security context of pyspnego."""

    def wrap_winrm(self, data: bytes, /) -> _Wrapped:
        """Encrypt and sign."""

    def unwrap_winrm(self, header: bytes, data: bytes, /) -> bytes:
        """Check and decrypt."""


class SealError(ValueError):
    """A reply that is not sealed, or whose seal does not hold."""


class Seal:
    """Seals and opens messages of one logged-on connection."""

    def __init__(self, context: SecurityContext, protocol: str = "application/HTTP-SPNEGO-session-encrypted") -> None:
        self._context = context
        self._protocol = protocol

    @property
    def content_type(self) -> str:
        """Of sealed bodies."""
        return f'multipart/encrypted;protocol="{self._protocol}";boundary="Encrypted Boundary"'

    def close(self, message: bytes) -> bytes:
        """The sealed body for a message."""
        wrapped = self._context.wrap_winrm(message)
        length = len(message) + wrapped.padding_length
        return b"".join([
            _MARK, b"\r\n\tContent-Type: ", self._protocol.encode(), b"\r\n",
            b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=", str(length).encode(), b"\r\n",
            _MARK, b"\r\n\t", _OCTETS, struct.pack("<I", len(wrapped.header)), wrapped.header, wrapped.data, _MARK, b"--\r\n",
        ])  # fmt: skip

    def open(self, content_type: str, body: bytes) -> bytes:
        """The message in a sealed body. Raises SealError."""
        if not content_type.lower().startswith("multipart/encrypted") or self._protocol.lower() not in content_type.lower():
            raise SealError("not sealed")
        start, end = body.find(_OCTETS, 0, 2048), body.rfind(_MARK + b"--")
        length = _LENGTH.search(body, 0, max(start, 0))
        payload = body[start + len(_OCTETS) : end]
        if start < 0 or end < start or length is None or len(payload) < 4:
            raise SealError("sealed in an unknown way")
        header = int(struct.unpack("<I", payload[:4])[0])
        if not 0 < header <= min(_LARGEST_HEADER, len(payload) - 4):
            raise SealError("sealed in an unknown way")
        try:
            message = self._context.unwrap_winrm(payload[4 : 4 + header], payload[4 + header :])
        except Exception as error:
            raise SealError("the seal does not hold") from error
        if len(message) != int(length.group(1)):
            raise SealError("the seal does not hold")
        return message
