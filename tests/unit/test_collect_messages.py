"""The messages of a command are what pywinrm writes, filled in; rows that several hosts sent are read once, with the same result."""

from __future__ import annotations

import base64
import re
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from winrm.protocol import Protocol

from auditor.collect.messages import message
from auditor.probes.row import LONGEST_KNOWN, Row, row_of
from auditor.probes.rows import read_rows

_ID = re.compile(r"uuid:[0-9a-f-]{36}")


class Sent(Exception):
    """Carries a message of pywinrm's."""


class Plain(Protocol):
    """pywinrm's own way to write."""

    operation_timeout_sec = 20

    def __init__(self) -> None:
        self.max_env_sz, self.locale = 153_600, Protocol.DEFAULT_LOCALE

    def send_message(self, message: str) -> bytes:
        raise Sent(message)


SHELL, COMMAND = 'a&b"<c>', "d"


@pytest.mark.parametrize(
    ("name", "method", "arguments", "options"),
    [
        ("create", "open_shell", (), {"noprofile": True, "codepage": 437, "idle_timeout": "PT180S"}),
        ("command", "run_command", (SHELL,), {"command": "x & y", "console_mode_stdin": False, "skip_cmd_shell": False}),
        ("send", "send_command_input", (SHELL, COMMAND, b"\x00in\xff"), {"end": True}),
        ("receive", "get_command_output_raw", (SHELL, COMMAND), {}),
        ("delete", "close_shell", (SHELL,), {"close_session": False}),
    ],
)
def test_a_message_is_what_pywinrm_writes(name: str, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    with pytest.raises(Sent) as caught:
        getattr(Plain(), method)(*arguments, **options)
    given = {"given": arguments[2]} if len(arguments) > 2 else {}
    named = {k: v for k, v in options.items() if k != "close_session"}
    text, number = message(name, 20, shell_id=SHELL, command_id=COMMAND, **given, **named)
    assert f"uuid:{number}" in text
    ours, theirs = (ElementTree.canonicalize(_ID.sub("uuid:", t)) for t in (text, str(caught.value.args[0])))
    assert ours == theirs


def test_every_message_has_an_id_of_its_own_and_input_is_never_a_place_to_fill() -> None:
    assert len({message("receive", 20, shell_id="a", command_id="b")[1] for _ in range(10)}) == 10
    shell = re.search(r"[0-9A-F]{8}-AAAA-[0-9A-F-]+", message("receive", 20, shell_id="11111111-AAAA-4AAA-8AAA-111111111111")[0])
    assert shell
    given = shell.group(0).encode()
    assert base64.b64encode(given).decode() in message("send", 20, shell_id="x", command_id="y", given=given, end=True)[0]


def test_rows_of_the_same_bytes_are_read_once_and_stated_anew_on_each_host() -> None:
    raw = msgspec.json.encode({"name": "acme", "start": "auto", "odd": 1, "pid": 7})
    first, second = (read_rows("services", [row_of(raw)], [], None) for _ in range(2))
    plain = read_rows("services", [dict(row_of(raw))], [], None)
    assert first == second == plain
    assert [gap.field for gap in first.gaps] == ["odd"]
    assert first.records[0] is second.records[0]
    twice = read_rows("services", [row_of(raw), row_of(raw)], [], None)
    assert [gap.reason[:12] for gap in twice.gaps] == ["a field that", "stated twice"]
    assert read_rows("services", [row_of(raw.replace(b"auto", b"demand"))], [], None).records[0].start == "demand"


def test_rows_that_are_no_objects_raise_and_long_ones_are_not_remembered() -> None:
    with pytest.raises(msgspec.ValidationError):
        row_of(b"1")
    assert Row(msgspec.json.encode({"name": "x" * LONGEST_KNOWN})).raw == b""
    assert read_rows("services", [row_of(msgspec.json.encode({"name": "x" * LONGEST_KNOWN}))], [], None).records
