"""The lab's answers beside those of real Windows hosts: recorded requests are sent again, and the answers compared in shape."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests
import yaml

from auditor.lab import wsman
from auditor.lab.process import Refusal
from tests.lab.server_fixtures import AUDITOR, host, running

SHARED = Path(os.environ.get("AUDITOR_SHARED", Path(__file__).parents[2].parent / "shared")) / "real" / "winrm"
RECORDED = sorted(SHARED.glob("pypsrp/test_winrs_*.yml"))
pytestmark = [
    pytest.mark.lab,
    pytest.mark.shared,
    pytest.mark.skipif(not RECORDED, reason="the recorded exchanges are not beside the checkout (AUDITOR_SHARED)"),
]
ACTION = f"{{{wsman.SOAP}}}Header/{{{wsman.ADDRESSING}}}Action"
SLOW = {"test_winrs_operation_timeout"}
"""Waits for the time-out that it recorded."""


def _exchanges(file: Path) -> Iterator[tuple[str, str]]:
    for message in yaml.safe_load(file.read_text(encoding="utf-8"))["messages"]:
        if isinstance(message.get("response"), str):
            yield message["request"], message["response"]


def _shape(element: ET.Element) -> Any:
    """Names and attributes below an element; what a command wrote, and marks that only some Windows versions put in, left out."""
    children = [_shape(child) for child in element if not child.tag.endswith(("}ActivityId", "}Stream", "}ExitCode"))]
    return element.tag, sorted(element.attrib), children


def _ids(text: str) -> dict[str, str]:
    shell = re.search(r'Name="ShellId">([^<]+)<', text)
    command = re.search(r"CommandId>([^<]+)<", text)
    return {name: found.group(1) for name, found in (("shell", shell), ("command", command)) if found}


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_every_recorded_request_is_read(file: Path) -> None:
    """Those that real hosts refused as badly formed are refused with the same code."""
    for request, response in _exchanges(file):
        try:
            wsman.read_request(request.encode())
        except Refusal as refusal:
            assert f'Code="{refusal.code}"' in response


@pytest.mark.parametrize("file", [f for f in RECORDED if f.stem not in SLOW], ids=lambda file: file.stem)
def test_answers_have_the_shape_of_recorded_ones(file: Path, tmp_path: Path) -> None:
    with running(tmp_path, host(scheme="https", os_version="10.0.17763")) as server, requests.Session() as session:
        session.trust_env, session.verify = False, str(server.ca_file)
        session.auth = (AUDITOR.user, AUDITOR.password)
        renamed: dict[str, str] = {}
        for request, response in _exchanges(file):
            text = request
            for theirs, ours in renamed.items():
                text = text.replace(theirs, ours)
            answer = session.post(server.url("srva"), data=text.encode(), timeout=10)
            renamed |= {theirs: _ids(answer.text).get(kind, theirs) for kind, theirs in _ids(response).items()}
            mine, real = ET.fromstring(answer.content), ET.fromstring(response.encode())
            assert mine.findtext(ACTION) == real.findtext(ACTION), answer.text
            assert _codes(answer.text) == _codes(response)
            if "ProviderFault" not in response and "ReceiveResponse" not in response:
                assert _shape(mine) == _shape(real)


def _codes(text: str) -> list[str]:
    return re.findall(r'WSManFault [^>]*Code="(\d+)"', text)[:1]
