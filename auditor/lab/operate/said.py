"""What a program of a lab host said, and who runs it. Values only."""

from __future__ import annotations

import msgspec


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a command printed, and its exit code."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0

    def then(self, other: Said) -> Said:
        """Both one after the other, with the exit code of the second."""
        return Said(stdout=self.stdout + other.stdout, stderr=self.stderr + other.stderr, code=other.code)


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Who runs a command, where, and how deep inside others."""

    user: str
    depth: int = 0
    folder: str = ""
    """Current folder; empty is the account's profile."""
    errorlevel: int = 0

    def inside(self) -> Context:
        """The context of a program that this one starts."""
        return msgspec.structs.replace(self, depth=self.depth + 1)
