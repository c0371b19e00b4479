"""What the runner's launcher makes of the program that it becomes: pywinrm in it takes nothing in the clear and follows no redirect."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from auditor.playbooks import launch

ANSWERS = """
import sys
import requests
from winrm.encryption import Encryption
from winrm.exceptions import WinRMError

opened = Encryption(None, "ntlm")
answer = requests.Response()
answer._content = b"<in the clear/>"
answer.headers["Content-Type"] = "application/soap+xml"
for answer.status_code in (200, 500):
    try:
        print(answer.status_code, opened.parse_encrypted_response(answer))
    except WinRMError as error:
        print(answer.status_code, error)
"""
REDIRECT = """
import sys
import requests
print(requests.get(sys.argv[1]).status_code)
"""


class Elsewhere(BaseHTTPRequestHandler):
    """Sends every caller to another place."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def redirecting() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def launched(tmp_path: Path, program: str, *arguments: str) -> str:
    """What the program prints that the launcher becomes."""
    script, output = tmp_path / "program.py", tmp_path / "output"
    script.write_text(program, encoding="utf-8")
    subprocess.run([sys.executable, "-P", launch.__file__, str(output), str(script), *arguments], check=True, timeout=60)
    return output.read_text(encoding="utf-8")


def test_an_answer_in_the_clear_ends_the_connection_and_gives_no_text(tmp_path: Path) -> None:
    assert launched(tmp_path, ANSWERS).splitlines() == ["200 an answer inside the sealed session was not sealed", "500 b''"]


def test_a_redirect_is_not_followed(tmp_path: Path, redirecting: HTTPServer) -> None:
    place = f"http://127.0.0.1:{redirecting.server_address[1]}/wsman"
    assert launched(tmp_path, REDIRECT, place).split() == ["302"]
    assert redirecting.asked == ["/wsman"]  # type: ignore[attr-defined]
