"""The private folder of one run: the play's files as they were checked, the inventory with its secrets, the two collections.

Rules of this file:
1. All variables of a host are one mapping with Ansible's `!unsafe` tag: whatever a host said of itself stays a text and never a template.
   The tag does not stand at each text, for Ansible reads a text that it stands at anew, as if it were not quoted: `off` would be false, a
   password `0123` a number.
2. The inventory is made here from resolved targets; nothing of the user's inventory, its plugins or its templates reaches the run.
3. Files are 0600 in a 0700 folder, in memory where the system allows, and go when the run ends.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from auditor.model.credential import Credential
from auditor.model.errors import PlaybookError
from auditor.model.host import Target
from auditor.model.remedy import HostRun, RunRequest
from auditor.playbooks.collections import NEEDED, Collections

MOST_VALUE_BYTES = 1024 * 1024
"""Of all values of one host."""
DEEPEST = 8
_SAFE_NAME = re.compile(r"[^\W_][\w.-]{0,252}")
_VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,80}")


class Connection(NamedTuple):
    """How a host is reached, and with what."""

    target: Target
    credential: Credential


class _Unsafe(dict[str, Any]):
    """Variables whose texts, however deep, Ansible must neither template nor take for anything else."""

    __slots__ = ()


def lay_out(
    place: Path,
    request: RunRequest,
    connections: Mapping[str, Connection],
    files: Mapping[str, bytes],
    collections: Collections | None,
) -> None:
    """Write everything that the run needs below `place`. Raises PlaybookError for a value that can't be passed on."""
    for name in ("project", "inventory", "env"):
        (place / name).mkdir(mode=0o700)
    for name, data in files.items():
        target = place / "project" / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(target, data)
    _write(place / "inventory" / "hosts.yml", inventory_text(request, connections).encode("utf-8"))
    parent = place / "collections" / "ansible_collections"
    for name in NEEDED if collections else ():
        link = parent / Path(*name.split("."))
        link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        link.symlink_to(collections.folder(name)) if collections else None


def inventory_text(request: RunRequest, connections: Mapping[str, Connection]) -> str:
    """The run's inventory as YAML: connection variables and values of each host, all of them `!unsafe`. Holds secrets."""
    import yaml

    names = [run.host for run in request.hosts]
    hosts = {run.host: _variables(run, request, connections, names) for run in request.hosts}
    return str(yaml.dump({"all": {"hosts": hosts}}, Dumper=_dumper(), allow_unicode=True, sort_keys=False, width=10_000))


def _variables(run: HostRun, request: RunRequest, connections: Mapping[str, Connection], names: Iterable[str]) -> dict[str, Any]:
    if not _SAFE_NAME.fullmatch(run.host):
        raise PlaybookError(f"{run.host!r} can't be the name of a host in a run of Ansible", next_step="rename it in the inventory")
    connection = connections.get(run.host)
    if connection is None and run.way != "person":
        raise PlaybookError(f"{run.host}: the inventory gives no way to reach it", next_step="check the inventory for this run")
    values = {**run.values, **run.secrets}
    for name in values:
        if not _VARIABLE.fullmatch(name) or name.startswith(("ansible_", "auditor_", "remedy_")):
            raise PlaybookError(f"{run.host}: {name!r} can't be the name of a value")
    own = {
        "auditor_targets": list(names),
        "remedy_way": run.way,
        "remedy_phase": request.phase,
        "remedy_restart_allowed": run.restart_allowed,
        "remedy_before": run.before,
        **values,
    }
    plain = _plain(own, run.host, 0)
    if _size(plain) > MOST_VALUE_BYTES:
        raise PlaybookError(f"{run.host}: its values are larger than {MOST_VALUE_BYTES} bytes")
    reached = connection_variables(connection) if connection else {"ansible_connection": "local"}
    return _Unsafe({**_plain(reached, run.host, 0), **plain})


def connection_variables(connection: Connection) -> dict[str, Any]:
    """Ansible's variables for a target under the auditor's connection policy: sealed over http, verified over https, no fall-back."""
    target, credential = connection
    found: dict[str, Any] = {
        "ansible_connection": "winrm",
        "ansible_shell_type": "powershell",
        "ansible_host": target.address,
        "ansible_port": target.port,
        "ansible_user": credential.user or target.user,
        "ansible_password": credential.reveal(),
        "ansible_winrm_scheme": target.scheme,
        "ansible_winrm_path": f"/{target.path.lstrip('/')}",
        "ansible_winrm_transport": target.transport,
        "ansible_winrm_message_encryption": "always" if target.scheme == "http" else target.message_encryption,
        "ansible_winrm_server_cert_validation": "validate" if target.validate_certificate else "ignore",
        "ansible_winrm_ca_trust_path": target.ca_file,
        "ansible_winrm_kerberos_hostname_override": target.kerberos_host,
        "ansible_winrm_cert_pem": credential.certificate,
        "ansible_winrm_cert_key_pem": credential.certificate_key,
    }
    if target.transport == "kerberos" and credential.reveal() is None:
        found["ansible_winrm_kinit_mode"] = "manual"
    return {name: value for name, value in found.items() if value is not None}


def _plain(value: Any, host: str, depth: int) -> Any:
    """The value, copied; only plain data goes through."""
    if depth > DEEPEST:
        raise PlaybookError(f"{host}: a value is nested deeper than {DEEPEST}")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _printable(value, host)
    if isinstance(value, Mapping):
        return {_key(key, host): _plain(item, host, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, host, depth + 1) for item in value]
    raise PlaybookError(f"{host}: a value is no plain data: {type(value).__name__}")


def _key(key: object, host: str) -> str:
    if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,120}", key):
        raise PlaybookError(f"{host}: a key inside a value is no plain word")
    return key


def _printable(text: str, host: str) -> str:
    if "\0" in text or any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise PlaybookError(f"{host}: a value holds characters that can't be passed on")
    return text


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8"))
    if isinstance(value, dict):
        return sum(_size(key) + _size(item) for key, item in value.items())
    return sum(map(_size, value)) if isinstance(value, list) else 8


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes unsafe variables with Ansible's tag, every text in quotes, and no aliases."""

        def ignore_aliases(self, _data: object) -> bool:
            return True

    Dumper.add_representer(_Unsafe, lambda dumper, value: dumper.represent_mapping("!unsafe", value))
    Dumper.add_representer(str, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"'))
    return Dumper


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
