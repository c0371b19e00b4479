"""Rows that are sealed: small documents of which a flipped bit is found on reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from auditor.model.errors import StoreError
from auditor.store.blobs import seal

T = TypeVar("T")


def unsealed(place: Sequence[str], data: str, mark: str, of: type[T], what: str) -> T:
    """The document of a row whose seal is over its place and its data. `what` names it in errors. Raises StoreError."""
    if mark != seal((*place, data)):
        raise StoreError(f"the store is damaged: {what} has changed since it was written", next_step="Restore the store from a copy.")
    try:
        return msgspec.json.decode(data, type=of)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{what} has a shape that this version does not know: {error}") from error
