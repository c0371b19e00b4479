"""The credential canary: a credential is shown to one host first, and after two rejections to no other.

A typing error must not lock an account on five hundred hosts. What is held back is the moment at which the credential is shown, not
the connection: hosts that hang before it cost the others nothing. Once a host has accepted a credential it is no typing error, and
rejections of single hosts (another local password) hold nobody back.

A domain account is counted besides, whatever passwords the inventory gives it: three groups with three wrong ones lock it as surely.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from auditor.model.errors import CollectError

REJECTIONS = 2
PATIENCE_SECONDS = 3.0
"""A host that was shown the credential and says nothing for so long no longer holds back a second one."""
Outcome = Literal["accepted", "rejected", "unknown"]


class Turn:
    """One showing of a credential; `outcome` is set by whoever shows it."""

    def __init__(self) -> None:
        self.outcome: Outcome = "unknown"
        self.started = time.monotonic()


class _State:
    def __init__(self) -> None:
        self.proven = False
        self.rejected_by: list[str] = []
        self.turns: list[Turn] = []

    def end(self, turn: Turn, host: str) -> None:
        """Count what came of a turn."""
        self.turns.remove(turn)
        self.proven |= turn.outcome == "accepted"
        if turn.outcome == "rejected":
            self.rejected_by.append(host)


class CredentialCanary:
    """What is known of each credential and each domain account in one collection. Used by many threads."""

    def __init__(self) -> None:
        self._states: dict[int | str, _State] = {}
        self._changed = threading.Condition()

    def refusal(self, key: int, host: str, account: str | None = None) -> CollectError | None:
        """Why the credential is not to be shown to the host, if so. `account`: see `Credential.account`."""
        with self._changed:
            found = (self._refusal(state, host) for state in self._counted(key, account))
            return next((refusal for refusal in found if refusal), None)

    def _counted(self, key: int, account: str | None) -> list[_State]:
        """What is counted for one showing: its domain account where it has one, and its credential."""
        return [self._states.setdefault(name, _State()) for name in (account, key) if name is not None]

    @contextmanager
    def turn(self, key: int, host: str, slice_seconds: Callable[[], float], account: str | None = None) -> Iterator[Turn]:
        """Wait for the turn to show the credential. `slice_seconds` says how long to wait before looking again, and raises to give up.

        Raises CollectError (not_asked) where other hosts rejected it, or its account, meanwhile.
        """
        with self._changed:
            states = self._counted(key, account)
            while not all(self._may_go(state, host) for state in states):
                self._changed.wait(slice_seconds())
            turn = Turn()
            for state in states:
                state.turns.append(turn)
        try:
            yield turn
        finally:
            with self._changed:
                for state in states:
                    state.end(turn, host)
                self._changed.notify_all()

    def _may_go(self, state: _State, host: str) -> bool:
        if refusal := self._refusal(state, host):
            raise refusal
        if state.proven or not state.turns:
            return True
        waited = time.monotonic() - max(turn.started for turn in state.turns)
        return len(state.turns) + len(state.rejected_by) < REJECTIONS and waited > PATIENCE_SECONDS

    def _refusal(self, state: _State, host: str) -> CollectError | None:
        if state.proven or len(state.rejected_by) < REJECTIONS:
            return None
        hosts = ", ".join(state.rejected_by)
        return CollectError(
            host,
            f"credential rejected elsewhere ({hosts})",
            status="not_asked",
            next_step="correct user and password in the inventory, then run again; no further attempt was made with them",
        )
