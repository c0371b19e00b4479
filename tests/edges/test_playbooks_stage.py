"""The inventory of a run as Ansible itself reads it: every text stays the text it was, and none is a template."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from auditor.model.remedy import HostRun, RunRequest
from auditor.playbooks.stage import inventory_text

ODD = [
    "off",
    "yes",
    "0123",
    "1.10",
    "1e3",
    "~",
    "null",
    "",
    "2026-11-26",
    "0x10",
    "12:30:45",
    "!unsafe x",
    "{{ lookup('pipe', 'id') }}",
    "a\nb ",
    "- x",
    "ключ",
]


def _texts(value: Any) -> Any:
    """Ansible's listing without its marks of unsafe texts; a text without the mark would be a template."""
    if isinstance(value, dict):
        return value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else {name: _texts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    assert not isinstance(value, str), f"{value!r} is not marked as unsafe"
    return value


def test_every_text_is_read_as_that_text(tmp_path: Path) -> None:
    values: dict[str, object] = {f"value_{number}": text for number, text in enumerate(ODD)}
    values |= {"several": list(ODD), "whole": 7, "truth": True}
    runs = tuple(HostRun(host=name, way="person", values=values, before={"start": "0", "list": list(ODD)}) for name in ("off", "srv-b"))
    place = tmp_path / "hosts.yml"
    place.write_text(inventory_text(RunRequest(remedy="set_service", hosts=runs), {}), encoding="utf-8")
    command = [sys.executable, "-m", "ansible.cli.inventory", "-i", str(place), "--list"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)["_meta"]["hostvars"]
    assert set(listed) == {"off", "srv-b"}
    for host in listed.values():
        told = _texts(host)
        assert {name: told[name] for name in values} == values
        assert told["auditor_targets"] == ["off", "srv-b"]
        assert told["remedy_before"] == {"start": "0", "list": ODD}
