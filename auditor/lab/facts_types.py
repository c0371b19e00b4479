"""Types that all facts of a fleet file are made from: bounded texts and numbers, and the notation of times."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(max_length=32_768)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
LongText = Annotated[str, Meta(max_length=1_048_576)]
_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
Time = Annotated[
    str,
    Meta(
        pattern=rf"^(-\d{{1,5}}[dhms]|-\d{{1,5}}d {_CLOCK}|{_DAY}([ T]{_CLOCK}Z?)?)$",
        description="a time such as -1d 19:03, -90m, 2005-11-08 19:03 or 2005-11-08T11:03:00Z",
    ),
]
Hex = Annotated[str, Meta(pattern="^[0-9a-fA-F ]*$", max_length=4096, description="hex digits")]
Dword = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
Bytes = Annotated[int, Meta(ge=0, le=1 << 50)]


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all facts: unknown names are errors."""
