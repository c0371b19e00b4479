"""What ansible-core sends to a Windows host's standard input: the bootstrap's part, the manifest of its exec wrapper, further input.

Understands the shape of ansible-core 2.19 and later (`executor/powershell/bootstrap_wrapper.ps1`, `module_manifest.py`): two JSON documents
parted by a line of four NUL characters, then, where the action takes input, a second such line and the input. Up to 2.18 the shape was
another one (a script, then a payload with `module_entry`): that one is named and refused.
"""

from __future__ import annotations

from typing import Any

import msgspec

from auditor.model.errors import AuditorError

_PART = "\0\0\0\0"
MODULE_WRAPPER = "module_wrapper.ps1"
LOWEST = (5, 1)
"""PowerShell that the wrapper asks for."""
TOO_OLD = '{"failed":true,"msg":"Ansible requires PowerShell v5.1"}\r\n'


class WrapperError(AuditorError):
    """Standard input is not what this lab understands of Ansible's wrapper."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What one wrapper call asks for."""

    actions: tuple[str, ...]
    """Scripts of the chain, for example become_wrapper.ps1, module_wrapper.ps1."""
    parameters: dict[str, Any]
    """Of the last action."""
    lowest_powershell: str | None = None
    lowest_windows: str | None = None
    rest: str = ""
    """Further input, for the action."""

    @property
    def action(self) -> str:
        """The last action."""
        return self.actions[-1]

    @property
    def script(self) -> str:
        """The module's or script's name with its ending: ansible.windows.win_ping.ps1."""
        return str(self.parameters.get("Script", ""))

    @property
    def arguments(self) -> dict[str, Any] | None:
        """The module's arguments with Ansible's own; None for a script, which has none."""
        for variable in self.parameters.get("Variables") or ():
            if variable.get("Name") == "complex_args":
                return dict(variable.get("Value") or {})
        return None


def is_bootstrap(script: str) -> bool:
    """Whether a script is the wrapper's bootstrap, which reads standard input."""
    return "$codeJson" in script and "ConvertFrom-Json" in script


def is_older_bootstrap(script: str) -> bool:
    """Whether it is the bootstrap of ansible-core up to 2.18."""
    return "$exec_wrapper_str" in script


def read_sent(data: bytes) -> Sent:
    """What standard input asks for. Raises WrapperError."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrapperError(f"standard input is no UTF-8: {error.reason}") from error
    parts = [part.strip("\r\n") for part in text.split(_PART)]
    if len(parts) < 2:
        raise WrapperError("standard input has no separator of four NUL characters: not the wrapper of ansible-core 2.19 or later")
    try:
        bootstrap, manifest = (msgspec.json.decode(part) for part in parts[:2])
        actions = manifest["actions"]
        return Sent(
            actions=tuple(str(action["name"]) for action in actions),
            parameters=dict(actions[-1]["params"]),
            lowest_powershell=bootstrap["params"].get("MinPSVersion"),
            lowest_windows=bootstrap["params"].get("MinOSVersion"),
            rest=parts[2] if len(parts) > 2 else "",
        )
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise WrapperError(f"the exec wrapper's manifest can't be read: {error!r}") from error
