"""Opens what people hand over as a crash: plain files, xz, gzip and zip, each as a bounded stream or as bounded random access.

Decoded sizes are limited whatever a header claims; a compressed dump is decoded only as far as it is read, into a temporary file that has
no name. Decodes no dump and no text.
"""

from __future__ import annotations

import lzma
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, Protocol

import msgspec

from auditor.model.errors import DecodeError

_CHUNK = 1 << 16
_OUTPUT = 1 << 20
_IN_MEMORY = 1 << 24
_DICTIONARY_LIMIT = 1 << 28
"""Memory that an xz stream may ask for; `xz -9` needs a quarter of it."""
_DIRECTORY_LIMIT = 1 << 24
_END_OF_DIRECTORY = b"PK\x05\x06"


class CrashLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a file is read at most."""

    text_bytes: int = 256 * 1024 * 1024
    """Decoded bytes of one text."""
    dump_bytes: int = 4 * 1024 * 1024 * 1024
    """Decoded bytes of one compressed dump. Plain dumps have no limit: they are read in place."""
    members: int = 64
    """Files of one zip archive."""


class Source(Protocol):
    """Bytes from the start on, once."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end. Raises DecodeError where compressed data is damaged."""
        ...


class Unpacker(Protocol):
    """The part of Python's decompressors that is used."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Some more output."""
        ...


class _Gzip:
    """zlib's object with the interface of lzma's."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


class Unpacked:
    """A compressed stream as a Source; streams that follow each other are read on."""

    def __init__(self, file: BinaryIO, new: Callable[[], _Gzip | lzma.LZMADecompressor], kind: str) -> None:
        self._file = file
        self._new = new
        self._kind = kind
        self._unpacker = new()
        self._rest = b""
        self._ended = False
        self.decoded = 0

    def read(self, size: int) -> bytes:
        """At most `size` decoded bytes; empty at the end. Raises DecodeError where the data is damaged or cut short."""
        while not self._ended:
            if self._unpacker.eof:
                self._next_stream()
                continue
            data = b""
            if self._unpacker.needs_input:
                data = self._rest or self._file.read(_CHUNK)
                self._rest = b""
                if not data:
                    self._ended = True
                    raise DecodeError(f"the {self._kind} data is cut short after {self.decoded} decoded bytes")
            try:
                output = self._unpacker.decompress(data, min(size, _OUTPUT))
            except (zlib.error, lzma.LZMAError, EOFError) as error:
                self._ended = True
                raise DecodeError(f"the {self._kind} data is damaged after {self.decoded} decoded bytes: {error}") from error
            if output:
                self.decoded += len(output)
                return output
        return b""

    def _next_stream(self) -> None:
        rest = self._unpacker.unused_data or self._file.read(_CHUNK)
        rest = rest.lstrip(b"\0")
        self._ended = not rest
        if rest:
            self._rest, self._unpacker = rest, self._new()


class Chained:
    """Bytes that were read ahead, then the rest."""

    def __init__(self, head: bytes, rest: Source) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return part
        return self._rest.read(size)


class FileReader:
    """Random access to a plain file: seek and read, nothing kept."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on."""
        if offset < 0 or size <= 0 or offset >= 1 << 62:
            return b""
        self._file.seek(offset)
        return self._file.read(size)


class SpooledReader:
    """Random access to a Source: decoded as far as it is asked for, at most `limit` bytes, into a file without name."""

    def __init__(self, source: Source, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by close()
        self._have = 0
        self._ended = False
        self.problem = ""
        """Why there is less than there should be; empty where there is all."""

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on."""
        if offset < 0 or size <= 0 or offset >= 1 << 62:
            return b""
        self._decode_to(offset + size)
        if offset >= self._have:
            return b""
        self._spool.seek(offset)
        return self._spool.read(min(size, self._have - offset))

    def _decode_to(self, end: int) -> None:
        if self._ended or self._have >= end:
            return
        self._spool.seek(self._have)
        while not self._ended and self._have < end:
            try:
                data = self._source.read(_OUTPUT)
            except DecodeError as error:
                self.problem, self._ended = error.message, True
                return
            self._ended = not data
            if self._have + len(data) > self._limit:
                self.problem = f"more than {self._limit} bytes when decoded: the rest is not read"
                data, self._ended = data[: self._limit - self._have], True
            self._spool.write(data)
            self._have += len(data)

    def close(self) -> None:
        """Give the spool back."""
        self._spool.close()


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file. Raises OSError; a pipe, device or folder is one too."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError("not a regular file")
    return path.open("rb")


def unpack(file: BinaryIO, head: bytes) -> Unpacked | None:
    """The decoded stream of an xz or gzip file whose first bytes are `head`; None for another file."""
    if head.startswith(b"\xfd7zXZ\0"):
        return Unpacked(file, lambda: lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_DICTIONARY_LIMIT), "xz")
    if head.startswith(b"\x1f\x8b"):
        return Unpacked(file, _Gzip, "gzip")
    return None


def is_zip(head: bytes) -> bool:
    """Whether a file starts like a zip archive."""
    return head.startswith((b"PK\x03\x04", _END_OF_DIRECTORY))


class _Member:
    """A file of a zip archive as a Source."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(min(size, _OUTPUT))
        except (zipfile.BadZipFile, zlib.error, EOFError, lzma.LZMAError, OSError, ValueError, NotImplementedError) as error:
            raise DecodeError(f"the file in the archive is damaged: {error}") from error


def zip_members(file: BinaryIO, limits: CrashLimits) -> Iterator[tuple[str, Source | DecodeError]]:
    """The files of a zip archive as (name, stream), or (name, why it can't be read). Raises DecodeError for the archive as a whole."""
    _check_directory(file)
    try:
        archive = zipfile.ZipFile(file)
        infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeDecodeError, OverflowError) as error:
        raise DecodeError(f"the zip archive can't be read: {error}") from error
    for info in infos[: limits.members]:
        try:
            with archive.open(info) as member:
                yield info.filename, _Member(member)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, zlib.error, lzma.LZMAError) as error:
            yield info.filename, DecodeError(f"this file of the archive can't be read: {error}")
    if len(infos) > limits.members:
        raise DecodeError(f"the archive holds {len(infos)} files; {limits.members} of them were read")


def _check_directory(file: BinaryIO) -> None:
    """Refuse an archive whose directory is too large to be kept in memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 0x10016))
    tail = file.read(0x10016)
    place = tail.rfind(_END_OF_DIRECTORY)
    if place < 0 or place + 20 > len(tail):
        raise DecodeError("the zip archive is cut short: its directory is not there")
    if int.from_bytes(tail[place + 12 : place + 16], "little") > _DIRECTORY_LIMIT:
        raise DecodeError("the zip archive's directory is too large")
    file.seek(0)
