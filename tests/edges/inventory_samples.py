"""What the tests of the inventory share: where samples lie, and a way to write one."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "samples" / "inventory"
VAULT_PASSWORD = SAMPLES / "vault-password"
WINDOWS = "  vars: {ansible_connection: winrm, ansible_user: u, ansible_password: p, ansible_winrm_transport: ntlm}\n"


def write(folder: Path, text: str, name: str = "hosts.yml") -> Path:
    """A file of the test's own."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def windows_host(folder: Path, **variables: str) -> Path:
    """A YAML inventory with one Windows host, `h1`, and variables as YAML text."""
    lines = "".join(f"      {name}: {value}\n" for name, value in variables.items())
    return write(folder, f"all:\n{WINDOWS}  hosts:\n    h1:\n{lines or '      {}'}\n")
