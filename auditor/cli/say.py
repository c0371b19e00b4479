"""What is printed and what is written: one format on standard output, any number of files. Files are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from auditor.cli.flags import Everywhere
from auditor.model.errors import ReportError, UsageError

Renderings = Mapping[str, Callable[[], str]]
FALLBACK_WIDTH = 120


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """Which formats go where. Planned before any work is done, so that a misspelt format costs no audit."""

    printed: str
    files: tuple[tuple[str, Path], ...]

    @classmethod
    def plan(cls, every: Everywhere, formats: Sequence[str], default: str = "table") -> Outputs:
        """From `--format` and `--output`. Raises UsageError for a format that this verb does not have."""
        files = tuple(_parse(text, formats) for text in every.output)
        return cls(printed=_known(every.format or default, formats), files=files)

    def emit(self, renderings: Renderings) -> None:
        """Prints and writes. Raises ReportError where a file can't be written; what is printed comes first."""
        sys.stdout.write(renderings[self.printed]())
        sys.stdout.flush()
        for name, file in self.files:
            write_whole(file, renderings[name]())

    def say(self, line: str) -> None:
        """A line for people: on standard output, or on standard error where that holds a document for programs."""
        print(line, file=sys.stdout if self.printed == "table" else sys.stderr)

    def say_files(self) -> None:
        """Where the files are."""
        for name, file in self.files:
            self.say(f"{name} report: {file}")


def _parse(text: str, formats: Sequence[str]) -> tuple[str, Path]:
    name, colon, file = text.partition(":")
    if not colon or not file:
        raise UsageError(f"--output takes FORMAT:FILE, got {text!r}", next_step="For example --output html:report.html.")
    return _known(name, formats), Path(file)


def _known(name: str, formats: Sequence[str]) -> str:
    if name not in formats:
        raise UsageError(f"there is no format {name!r} here", next_step=f"Formats: {', '.join(formats)}.")
    return name


def write_whole(file: Path, text: str) -> None:
    """Writes a file beside its name, then puts it in place, so that no reader sees half of it. Raises ReportError."""
    step = "The report is in the store: `auditor report --output FORMAT:FILE` writes it again."
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(file)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ReportError(f"{file} can't be written: {error.strerror or error}", next_step=step) from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def width() -> int:
    """Columns of the terminal; a fixed number elsewhere, so that logs and tests are the same everywhere."""
    return max(80, min(shutil.get_terminal_size((FALLBACK_WIDTH, 24)).columns, 200)) if sys.stdout.isatty() else FALLBACK_WIDTH
