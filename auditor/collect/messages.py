"""The five messages of one command in a shell, as pywinrm writes them: written by pywinrm once, then filled in for each host.

To write a message anew takes pywinrm longer than all else that is done with it. What changes from host to host are ids, input and
the time of an operation; what a host sent (ids) is escaped before it stands in a message again.
"""

from __future__ import annotations

import base64
import functools
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from winrm.protocol import Protocol

_SHELL, _COMMAND = "11111111-AAAA-4AAA-8AAA-111111111111", "22222222-BBBB-4BBB-8BBB-222222222222"
_MESSAGE = "33333333-cccc-4ccc-8ccc-333333333333"
_INPUT = b"the input of the command"
ENVELOPE_BYTES = 153_600


class _Written(Exception):
    """Carries the message that pywinrm would have sent."""


class _Writer(Protocol):
    """pywinrm's Protocol without a transport."""

    def __init__(self, operation_seconds: int) -> None:
        self.max_env_sz = ENVELOPE_BYTES
        self.locale = Protocol.DEFAULT_LOCALE
        self._seconds = operation_seconds

    @property
    def operation_timeout_sec(self) -> int:  # type: ignore[override]
        return self._seconds

    def build_wsman_header(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        return super().build_wsman_header(*arguments, **{**named, "message_id": _MESSAGE})

    def send_message(self, message: str) -> bytes:
        raise _Written(message)


@functools.lru_cache(maxsize=256)
def _template(name: str, operation_seconds: int, options: tuple[tuple[str, Any], ...]) -> str:
    """The message with placeholders for its ids and input."""
    writer = _Writer(operation_seconds)
    calls: Mapping[str, tuple[Callable[..., Any], *tuple[str | bytes, ...]]] = {
        "create": (writer.open_shell,),
        "command": (writer.run_command, _SHELL),
        "send": (writer.send_command_input, _SHELL, _COMMAND, _INPUT),
        "receive": (writer.get_command_output_raw, _SHELL, _COMMAND),
        "delete": (functools.partial(writer.close_shell, close_session=False), _SHELL),
    }
    call, *arguments = calls[name]
    try:
        call(*arguments, **dict(options))
    except _Written as written:
        return str(written.args[0])
    raise AssertionError("pywinrm did not send a message")


def message(
    name: str, operation_seconds: int, *, shell_id: str = "", command_id: str = "", given: bytes = b"", **options: Any
) -> tuple[str, str]:
    """A message (create, command, send, receive or delete) and its id. `options` are those of pywinrm's method."""
    text = _template(name, operation_seconds, tuple(sorted(options.items())))
    number = str(uuid.uuid4())
    text = text.replace(_MESSAGE, number, 1)
    if name == "send":
        # The input goes in last: nothing in it is taken for a place to fill.
        head, _, tail = text.partition(base64.b64encode(_INPUT).decode("ascii"))
        return _named(head, shell_id, command_id) + base64.b64encode(given).decode("ascii") + _named(tail, shell_id, command_id), number
    return _named(text, shell_id, command_id), number


def _named(text: str, shell: str, command: str) -> str:
    for place, value in ((_SHELL, shell), (_COMMAND, command)):
        if place in text:
            text = text.replace(place, escape(value, {'"': "&quot;"}))
    return text
