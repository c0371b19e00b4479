"""From the variables of one host to a target and its credential, or the reason why it can't be one. Pure.

The names are those of Ansible's own connection plugins (winrm, psrp), so that one inventory serves the auditor and the playbooks;
where several name one thing, the last in the plugin's list wins, as in Ansible. Policy is not decided here but on connecting,
except which of several mechanisms is taken: the first named that protects the credentials on the given scheme. No other is ever tried.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from auditor.model.credential import Credential
from auditor.model.errors import InventoryError
from auditor.model.host import Mechanism, Scheme, Target

_WINRM, _PSRP = "winrm", "psrp"
_ADDRESS = ("ansible_host", "ansible_winrm_host")
_PORT = ("ansible_port", "ansible_winrm_port")
_USER = ("ansible_user", "ansible_winrm_user")
_PASSWORD = ("ansible_password", "ansible_winrm_pass", "ansible_winrm_password")
_PSRP_NAMES = {
    "ansible_host": ("ansible_host", "ansible_psrp_host"),
    "ansible_port": ("ansible_port", "ansible_psrp_port"),
    "ansible_user": ("ansible_user", "ansible_psrp_user"),
    "ansible_password": ("ansible_password", "ansible_winrm_pass", "ansible_winrm_password"),
    "ansible_winrm_scheme": ("ansible_psrp_protocol",),
    "ansible_winrm_path": ("ansible_psrp_path",),
    "ansible_winrm_transport": ("ansible_psrp_auth",),
    "ansible_winrm_server_cert_validation": ("ansible_psrp_cert_validation",),
    "ansible_winrm_ca_trust_path": ("ansible_psrp_cert_trust_path", "ansible_psrp_ca_cert"),
    "ansible_winrm_message_encryption": ("ansible_psrp_message_encryption",),
    "ansible_winrm_kerberos_hostname_override": ("ansible_psrp_negotiate_hostname_override",),
    "ansible_winrm_cert_pem": ("ansible_psrp_certificate_pem",),
    "ansible_winrm_cert_key_pem": ("ansible_psrp_certificate_key_pem",),
}
"""What means the same in both plugins, under its winrm name."""
_PSRP_MEANINGLESS = re.compile(
    r"ansible_psrp_(connection_timeout|read_timeout|operation_timeout|reconnection_\w+|connection_backoff|max_envelope_size"
    r"|credssp_\w+|negotiate_delegate|negotiate_send_cbt|ignore_proxy)"
)
_MEANT = frozenset(
    {"ansible_connection", "auditor_way", "auditor_aliases", "ansible_winrm_scheme", "ansible_winrm_path", "ansible_winrm_transport",
     "ansible_winrm_server_cert_validation", "ansible_winrm_ca_trust_path", "ansible_winrm_message_encryption",
     "ansible_winrm_kerberos_hostname_override", "ansible_winrm_keytab", "ansible_winrm_cert_pem", "ansible_winrm_cert_key_pem",
     "ansible_winrm_proxy",
     *_ADDRESS, *_PORT, *_USER, *_PASSWORD}
)  # fmt: skip
_MECHANISMS: Mapping[str, Mechanism] = {
    "basic": "basic", "plaintext": "basic", "ntlm": "ntlm", "kerberos": "kerberos", "certificate": "certificate", "credssp": "credssp",
}  # fmt: skip
_HOST_NAME = re.compile(r"[^\W_](?:[\w.-]{0,252}[\w.])?")
_URL_PATH = re.compile(r"[A-Za-z0-9._~/-]{1,200}")


def is_connection_variable(name: str) -> bool:
    """Whether the variable has a meaning for connecting."""
    return name in _MEANT or name.startswith("ansible_psrp_")


def is_windows(values: Mapping[str, Any]) -> bool:
    """Whether the variables make the host a Windows target: its connection says so, or, where none is named, WinRM's variables or port."""
    connection = values.get("ansible_connection")
    if connection is not None:
        return str(connection).rpartition(".")[2] in (_WINRM, _PSRP)
    return any(name.startswith("ansible_winrm_") for name in values) or str(values.get("ansible_port")) in ("5985", "5986")


def read_target(name: str, values: Mapping[str, Any], groups: Sequence[str]) -> tuple[Target, Credential]:
    """The target and its credential. `values` are resolved. Raises InventoryError."""
    given = _as_winrm(values)
    port = _port(_last(given, _PORT))
    scheme = _scheme(given, port)
    user = _text(_last(given, _USER))
    certificate = _text(given.get("ansible_winrm_cert_pem"))
    target = Target(
        name=name,
        address=_address(_text(_last(given, _ADDRESS)) or name),
        port=port or (5986 if scheme == "https" else 5985),
        scheme=scheme,
        transport=_mechanism(given, scheme, user, certificate),
        user=user,
        groups=tuple(sorted(groups)),
        validate_certificate=_choice(given, "ansible_winrm_server_cert_validation", ("validate", "ignore")) == "validate",
        ca_file=_ca_file(given),
        path=_path(given),
        message_encryption=cast(
            "Literal['auto', 'always', 'never']", _choice(given, "ansible_winrm_message_encryption", ("auto", "always", "never"))
        ),
        kerberos_host=_text(given.get("ansible_winrm_kerberos_hostname_override")),
        aliases=_listed(given.get("auditor_aliases")),
        way=cast("Literal['auto', 'powershell', 'wmi']", _choice(given, "auditor_way", ("auto", "powershell", "wmi"))),
    )
    key = _text(given.get("ansible_winrm_cert_key_pem"))
    keytab = _text(given.get("ansible_winrm_keytab"))
    return target, Credential(user, _text(_last(given, _PASSWORD)), certificate=certificate, certificate_key=key, keytab=keytab)


def _as_winrm(values: Mapping[str, Any]) -> dict[str, Any]:
    """The variables under the names of the winrm plugin. Raises InventoryError where psrp means something that WinRM's shell can't do."""
    if values.get("ansible_winrm_proxy") is not None:
        raise InventoryError("ansible_winrm_proxy: a proxy of its own for one host is not supported")
    if str(values.get("ansible_connection", "")).rpartition(".")[2] != _PSRP:
        return dict(values)
    result = {name: value for name, value in values.items() if not name.startswith(("ansible_psrp_", "ansible_winrm_", "ansible_"))}
    for name, sources in _PSRP_NAMES.items():
        if (value := _last(values, sources)) is not None:
            result[name] = value
    known = {source for sources in _PSRP_NAMES.values() for source in sources}
    for name, value in values.items():
        if name.startswith("ansible_psrp_") and name not in known and not _PSRP_MEANINGLESS.fullmatch(name):
            _refuse_unlike(name, value)
    if result.setdefault("ansible_winrm_transport", values.get("ansible_winrm_transport") or "negotiate") == "negotiate":
        raise InventoryError("ansible_psrp_auth: negotiate changes mechanisms by itself; name ntlm, kerberos, basic or certificate")
    return result


def _refuse_unlike(name: str, value: object) -> None:
    usual = {"ansible_psrp_configuration_name": ("microsoft.powershell",), "ansible_psrp_negotiate_service": ("wsman", "http")}
    if str(value).casefold() not in usual.get(name, ()):
        raise InventoryError(f"{name} has no meaning over WinRM's shell, which the auditor uses")


def _last(values: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((values[name] for name in reversed(names) if values.get(name) is not None), None)


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _listed(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else str(value).split(",") if value is not None else []
    return tuple(str(item).strip() for item in items if str(item).strip())


def _choice(values: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """The value, the first choice where there is none."""
    value = str(values.get(name) or choices[0]).casefold()
    if value not in choices:
        raise InventoryError(f"{name}: expected one of {', '.join(choices)}")
    return value


def _port(value: Any) -> int | None:
    text = str(value).strip() if value is not None and not isinstance(value, bool) else ""
    if value is None or text == "":
        return None
    if not re.fullmatch(r"\d{1,5}", text) or not 1 <= int(text) <= 65535:
        raise InventoryError("ansible_port: expected a number from 1 to 65535")
    return int(text)


def _scheme(values: Mapping[str, Any], port: int | None) -> Scheme:
    default: Scheme = "http" if port == 5985 else "https"
    return cast(
        "Scheme",
        _choice({"ansible_winrm_scheme": values.get("ansible_winrm_scheme") or default}, "ansible_winrm_scheme", ("https", "http")),
    )


def _address(text: str) -> str:
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(inner))
    except ValueError:
        if not _HOST_NAME.fullmatch(text):
            raise InventoryError("ansible_host: neither a host name nor an address") from None
        return text


def _path(values: Mapping[str, Any]) -> str:
    path = str(values.get("ansible_winrm_path") or "wsman").lstrip("/")
    if not _URL_PATH.fullmatch(path):
        raise InventoryError("ansible_winrm_path: expected a URL path such as /wsman")
    return path


def _ca_file(values: Mapping[str, Any]) -> str | None:
    text = _text(values.get("ansible_winrm_ca_trust_path"))
    return None if text == "legacy_requests" else text


def _mechanism(values: Mapping[str, Any], scheme: Scheme, user: str | None, certificate: str | None) -> Mechanism:
    """Ansible's rule where none is named: Kerberos for user@DOMAIN, else Basic, which the policy then refuses over http."""
    named = _listed(values.get("ansible_winrm_transport"))
    if not named:
        return "kerberos" if user and "@" in user else "basic"
    meant: list[Mechanism] = []
    for word in named:
        mechanism: Mechanism | None = (
            ("certificate" if certificate else "basic") if word.casefold() == "ssl" else _MECHANISMS.get(word.casefold())
        )
        if mechanism is None:
            raise InventoryError(f"ansible_winrm_transport: expected {', '.join([*_MECHANISMS, 'ssl'])}")
        meant.append(mechanism)
    safe = [m for m in meant if m not in ("basic", "certificate") or scheme == "https"]
    return next((m for m in safe if m != "credssp"), meant[0])
