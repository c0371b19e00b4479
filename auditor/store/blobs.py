"""Values as stored bytes and back: canonical JSON, compressed, named by its digest. Pure; a changed byte is an error, never a value."""

from __future__ import annotations

import functools
import hashlib
import zlib
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from auditor.model.errors import StoreError

CODEC = "zlib"
_LONGEST_KNOWN = 65_536
"""Bytes of values that are remembered: 32 MB at most, and mostly far less."""
LIMIT_BYTES = 512 * 1024 * 1024
"""No blob is ever larger; a damaged size is refused before anything is allocated."""

T = TypeVar("T")


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """Stored bytes: the digest is of the decoded bytes, `size` counts them."""

    digest: str
    codec: str
    size: int
    data: bytes


def pack(value: object) -> Blob:
    """A value as a blob; equal values give equal bytes and so one blob."""
    raw = msgspec.json.encode(value, order="deterministic")
    return _known(raw) if len(raw) <= _LONGEST_KNOWN else _packed(raw)


def _packed(raw: bytes) -> Blob:
    return Blob(digest=hashlib.sha256(raw).hexdigest(), codec=CODEC, size=len(raw), data=zlib.compress(raw, 6))


_known = functools.lru_cache(maxsize=512)(_packed)
"""Sections that are the same on many hosts (roles, updates, programs) are compressed once."""


def unpack(blob: Blob, kind: type[T]) -> T:
    """The value in a blob. Raises StoreError where a byte has changed or the value has another shape."""
    raw = _decompress(blob)
    if hashlib.sha256(raw).hexdigest() != blob.digest:
        raise StoreError(f"stored bytes are damaged: their digest is not {blob.digest[:12]}…")
    return decoded(raw, kind)


def decoded(raw: bytes, kind: type[T]) -> T:
    """The value of stored JSON. Raises StoreError where it has another shape."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"stored bytes have a shape that this version does not know: {error}") from error


def _decompress(blob: Blob) -> bytes:
    if blob.codec != CODEC or not 0 <= blob.size <= LIMIT_BYTES:
        raise StoreError("stored bytes are damaged: codec or size is impossible")
    reader = zlib.decompressobj()
    try:
        raw = reader.decompress(blob.data, blob.size + 1)
    except zlib.error as error:
        raise StoreError(f"stored bytes are damaged: {error}") from error
    if len(raw) != blob.size or not reader.eof:
        raise StoreError("stored bytes are damaged: the size does not hold")
    return raw


def seal(values: Iterable[object]) -> str:
    """A digest over the values of a row, in order: 16 hex digits, against damage and not against forgers."""
    return hashlib.sha256(msgspec.json.encode(list(values))).hexdigest()[:16]
