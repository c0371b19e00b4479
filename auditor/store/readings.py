"""What moves by itself in a snapshot, as bytes that hold little more than what has changed since the host's snapshot before. Pure.

The earlier bytes serve the compressor as a dictionary. A digest stands before the compressed bytes: what can't be restored, or comes out
otherwise, is an error, never other readings. After so many snapshots one stands alone again, so that reading stays quick and a damaged
byte does not reach far; hosts do so on different days, so that no day is much dearer than another.
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from collections.abc import Sequence

import msgspec

from auditor.model.errors import StoreError
from auditor.store.blobs import LIMIT_BYTES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SHORTEST_CHAIN = 24
LONGEST_CHAIN = 120
CHECK_BYTES = 8
LEVEL = 9
_WORTH = 2
"""What rests on another snapshot has to be so many times smaller than what stands alone."""


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """Readings as stored."""

    base: int | None
    """Number of the snapshot whose readings they rest on; None where they stand alone."""
    size: int
    """Bytes when restored."""
    data: bytes


class Prior(msgspec.Struct, frozen=True, kw_only=True):
    """The host's snapshot before."""

    number: int
    raw: bytes
    depth: int
    """How many others its readings rest on."""


def pack_readings(raw: bytes, host: str, prior: Prior | None) -> Packed:
    """Bytes to be stored for a host's readings, resting on those before where that is worth it."""
    check = hashlib.sha256(raw).digest()[:CHECK_BYTES]
    alone = check + _compress(raw, b"")
    if prior is not None and prior.depth < _chain_limit(host):
        delta = check + _compress(raw, prior.raw)
        if len(delta) * _WORTH < len(alone):
            return Packed(base=prior.number, size=len(raw), data=delta)
    return Packed(base=None, size=len(raw), data=alone)


def unpack_readings(chain: Sequence[Packed]) -> bytes:
    """The last of a chain that begins with one that stands alone. Raises StoreError where a byte has changed."""
    if not chain or chain[0].base is not None:
        raise StoreError("stored readings are damaged: what they rest on is lost")
    raw = b""
    for packed in chain:
        raw = _restore(packed, raw)
    if hashlib.sha256(raw).digest()[:CHECK_BYTES] != chain[-1].data[:CHECK_BYTES]:
        raise StoreError("stored readings are damaged: their digest is another")
    return raw


def _chain_limit(host: str) -> int:
    """Differs from host to host, over the whole range."""
    return SHORTEST_CHAIN + zlib.crc32(host.encode("utf-8", "replace")) % (LONGEST_CHAIN - SHORTEST_CHAIN)


def _compress(raw: bytes, prior: bytes) -> bytes:
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: LEVEL,
        zstd.CompressionParameter.content_size_flag: 0,
        zstd.CompressionParameter.dict_id_flag: 0,
    }
    compressor = zstd.ZstdCompressor(options=options, zstd_dict=_prefix(prior))
    return compressor.compress(raw, mode=zstd.ZstdCompressor.FLUSH_FRAME)


def _restore(packed: Packed, prior: bytes) -> bytes:
    if not 0 <= packed.size <= LIMIT_BYTES:
        raise StoreError("stored readings are damaged: their size is impossible")
    decompressor = zstd.ZstdDecompressor(zstd_dict=_prefix(prior))
    try:
        raw = decompressor.decompress(packed.data[CHECK_BYTES:], packed.size + 1)
    except (zstd.ZstdError, EOFError) as error:
        raise StoreError(f"stored readings are damaged: {error}") from error
    if len(raw) != packed.size or not decompressor.eof:
        raise StoreError("stored readings are damaged: their size does not hold")
    return raw


def _prefix(prior: bytes) -> zstd.ZstdDict | tuple[zstd.ZstdDict, int] | None:
    """Earlier bytes as a dictionary; the library wants eight bytes at least."""
    return zstd.ZstdDict(prior, is_raw=True).as_prefix if len(prior) >= 8 else None
