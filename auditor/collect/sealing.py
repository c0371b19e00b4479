"""Sealed bodies as WinRM wants them over http (MS-WSMV 2.2.9.1): MIME around what the security context wrapped."""

from __future__ import annotations

import re
import struct
from typing import Protocol

_MARK = b"--Encrypted Boundary"
_OCTETS = b"Content-Type: application/octet-stream\r\n"
_LENGTH = re.compile(rb"OriginalContent: *type=application/soap\+xml; *charset=UTF-8; *Length=(\d{1,10})", re.IGNORECASE)
_LARGEST_HEADER = 256
_CREDSSP_PIECE = 16_384
"""CredSSP seals in TLS records."""
_WHOLE = 1 << 31


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
        self._piece = _CREDSSP_PIECE if "CredSSP" in protocol else _WHOLE

    def close(self, message: bytes) -> tuple[str, bytes]:
        """Content type and sealed body for a message."""
        pieces = [message[start : start + self._piece] for start in range(0, len(message), self._piece)] or [b""]
        kind = "multipart/encrypted" if len(pieces) == 1 else "multipart/x-multi-encrypted"
        body = b"".join([*(self._close(piece) for piece in pieces), _MARK, b"--\r\n"])
        return f'{kind};protocol="{self._protocol}";boundary="Encrypted Boundary"', body

    def open(self, content_type: str, body: bytes) -> bytes:
        """The message in a sealed body. Raises SealError."""
        given = content_type.lower()
        if not given.startswith(("multipart/encrypted", "multipart/x-multi-encrypted")) or self._protocol.lower() not in given:
            raise SealError("not sealed")
        before, *parts = body.split(_MARK)
        if before.strip() or len(parts) < 3 or len(parts) % 2 == 0 or not parts[-1].startswith(b"--"):
            raise SealError("sealed in an unknown way")
        return b"".join(self._open(parts[n], parts[n + 1]) for n in range(0, len(parts) - 1, 2))

    def _close(self, piece: bytes) -> bytes:
        wrapped = self._context.wrap_winrm(piece)
        length = str(len(piece) + wrapped.padding_length).encode()
        return b"".join([
            _MARK, b"\r\n\tContent-Type: ", self._protocol.encode(),
            b"\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=", length, b"\r\n",
            _MARK, b"\r\n\t", _OCTETS, struct.pack("<I", len(wrapped.header)), wrapped.header, wrapped.data,
        ])  # fmt: skip

    def _open(self, head: bytes, part: bytes) -> bytes:
        length = _LENGTH.search(head)
        _, octets, payload = part.partition(_OCTETS)
        header = int.from_bytes(payload[:4], "little")
        if length is None or not octets or not 0 < header <= min(_LARGEST_HEADER, len(payload) - 4):
            raise SealError("sealed in an unknown way")
        try:
            message = self._context.unwrap_winrm(payload[4 : 4 + header], payload[4 + header :])
        except Exception as error:
            raise SealError("the seal does not hold") from error
        if len(message) != int(length.group(1)):
            raise SealError("the seal does not hold")
        return message
