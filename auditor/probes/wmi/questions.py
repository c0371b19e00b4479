"""Questions that a host's WMI is asked, and the types of the answers. Pure; knows no XML and no connection.

Rules of this file:
1. Only reading: queries, and the methods of StdRegProv that read (`Registry.method`). There is no type for anything else.
2. A question that the host refuses comes back as CollectError raised at the `yield`; its `status` is denied, unsupported, timed_out
   or failed.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Literal, TypeVar

import msgspec

Value = str | None | list[str]
"""A property: a text, null, or an array of texts. The types of the schema are not on the wire."""
Instance = dict[str, Value]
"""One instance by property name; names as the schema writes them."""

CIMV2 = "root/cimv2"
DEFAULT = "root/default"
HKLM = 0x80000002
MOST_INSTANCES = 20_000

Method = Literal[
    "EnumKey", "EnumValues", "GetStringValue", "GetExpandedStringValue", "GetMultiStringValue", "GetDWORDValue", "GetQWORDValue",
    "GetBinaryValue", "CheckAccess",
]  # fmt: skip


class Query(msgspec.Struct, frozen=True):
    """A WQL query. The answer is `Found`."""

    wql: str
    namespace: str = CIMV2
    limit: int = MOST_INSTANCES
    """Instances wanted; the host is told to stop after them."""


class Found(msgspec.Struct, frozen=True):
    """Instances of a query."""

    instances: list[Instance]
    whole: bool = True
    """False where there were more than the limit."""


class RegistryCall(msgspec.Struct, frozen=True):
    """A reading method of StdRegProv below HKEY_LOCAL_MACHINE. The answer is `Output`. Its namespace depends on the Windows version."""

    method: Method
    key: str
    value: str | None = None
    required: int = 0
    """CheckAccess: the rights asked about."""


class Output(msgspec.Struct, frozen=True):
    """What a method gave back."""

    code: int
    """ReturnValue: 0, a Windows error, or a WMI error."""
    values: Instance = {}


Question = Query | RegistryCall
T = TypeVar("T")
Steps = Generator[Question, Any, T]
"""A piece of work that asks: yields questions, is sent Found or Output, returns a T."""


def ask(wql: str, *, namespace: str = CIMV2, limit: int = MOST_INSTANCES) -> Steps[list[Instance]]:
    """The instances of a query, without saying whether these were all."""
    found: Found = yield Query(wql, namespace, limit)
    return found.instances


def quoted(text: str) -> str:
    """A text as a WQL literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    return f"'{escaped}'"
