"""The credential canary: a credential is shown to one host first, and after two rejections to no other.

A typing error must not lock an account on five hundred hosts. What is held back is the moment at which the credential is shown, not
the connection: hosts that hang before it cost the others nothing. Once a host has accepted a credential it is no typing error, and
rejections of single hosts (another local password) hold nobody back.
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


class CredentialCanary:
    """What is known of each credential in one collection. Used by many threads."""

    def __init__(self) -> None:
        self._states: dict[int, _State] = {}
        self._changed = threading.Condition()

    def refusal(self, key: int, host: str) -> CollectError | None:
        """Why the credential is not to be shown to the host, if so."""
        with self._changed:
            return self._refusal(self._states.setdefault(key, _State()), host)

    @contextmanager
    def turn(self, key: int, host: str, slice_seconds: Callable[[], float]) -> Iterator[Turn]:
        """Wait for the turn to show the credential. `slice_seconds` says how long to wait before looking again, and raises to give up.

        Raises CollectError (not_asked) where other hosts rejected it meanwhile.
        """
        with self._changed:
            state = self._states.setdefault(key, _State())
            while not self._may_go(state, host):
                self._changed.wait(slice_seconds())
            turn = Turn()
            state.turns.append(turn)
        try:
            yield turn
        finally:
            with self._changed:
                state.turns.remove(turn)
                state.proven |= turn.outcome == "accepted"
                if turn.outcome == "rejected":
                    state.rejected_by.append(host)
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
