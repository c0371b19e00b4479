"""The settings file of notifications (TOML) -> channels with their secrets at hand. Reads that file, the files it names, the environment.

A secret `x` is given as `x`, as `x_env` (name of a variable) or as `x_file` (first line of a file; `$CREDENTIALS_DIRECTORY/` at its start
is systemd's folder of credentials). All problems of the file come at once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from auditor.model.errors import InputFileError, Problem
from auditor.model.grade import Severity
from auditor.model.notice import ItemKind

LARGEST_BYTES = 262_144
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SECRETS = {"webhook": ("url", "secret", "token"), "mail": ("password",), "apprise": ("urls",)}


class Secret:
    """A text that is shown nowhere."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text; called only where it is handed to whoever needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"


class _Common(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every channel has."""

    name: str = ""
    """How it is called in logs; its kind and number unless given."""
    only: tuple[ItemKind, ...] = ()
    """Kinds of items that it is told; all unless some are named."""
    least: Severity = "informational"
    """Findings from this severity on."""
    timeout_seconds: float = 15.0


class WebhookSettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A POST of JSON."""

    form: Literal["document", "chat"] = "document"
    """The notice as a document, or `{"text": ...}` as chat services take it."""
    ca_file: str | None = None
    """Authorities to trust; those of the system unless given."""
    allow_plain: bool = False
    """Whether http is taken for another machine than this."""


class MailSettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"sender": "from", "readers": "to"}):
    """A mail by SMTP."""

    host: str
    port: int | None = None
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    user: str | None = None
    sender: str
    readers: tuple[str, ...]
    ca_file: str | None = None


class AppriseSettings(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Services of apprise, an address a line."""


Settings = WebhookSettings | MailSettings | AppriseSettings
_KINDS: dict[str, type[Settings]] = {"webhook": WebhookSettings, "mail": MailSettings, "apprise": AppriseSettings}


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """Where notices go."""

    name: str
    settings: Settings
    secrets: dict[str, Secret]

    def secret(self, name: str) -> str | None:
        """A secret in the clear, or None where it is not set."""
        found = self.secrets.get(name)
        return found.reveal() if found else None


def load_channels(file: Path, environment: Mapping[str, str]) -> tuple[Channel, ...]:
    """The channels of a settings file. Raises InputFileError with all problems."""
    tables = _read(file)
    problems: list[Problem] = []
    channels: list[Channel] = []
    for kind, entries in tables.items():
        if kind not in _KINDS or not isinstance(entries, list):
            problems.append(Problem(file=str(file), subject=kind, message=f"expected tables such as [[webhook]], of {', '.join(_KINDS)}"))
            continue
        for number, entry in enumerate(entries, 1):
            place = f"{kind} {number}"
            try:
                channels.append(_channel(kind, f"{kind}-{number}", entry, file, environment))
            except (msgspec.ValidationError, ValueError) as error:
                problems.append(Problem(file=str(file), subject=place, message=str(error)))
    names = [channel.name for channel in channels]
    problems += [
        Problem(file=str(file), subject=n, message="two channels have this name") for n in sorted(set(names)) if names.count(n) > 1
    ]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise InputFileError(f"the notification settings {file} have {count}", tuple(problems), next_step="See docs/watch.md.")
    return tuple(channels)


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST_BYTES + 1)
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise InputFileError(f"the notification settings {file} can't be read: {error.strerror}", (), usage=not file.exists()) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # the library's words may quote a line, and a line may hold a secret
        place = re.search(r"line (\d+), column (\d+)", str(error))
        line, column = (int(place.group(1)), int(place.group(2))) if place else (0, 0)
        problem = Problem(file=str(file), line=line, column=column, message="this is no TOML")
        raise InputFileError(f"the notification settings {file} are no TOML file", (problem,)) from None


def _channel(kind: str, default: str, entry: Any, file: Path, environment: Mapping[str, str]) -> Channel:
    if not isinstance(entry, dict):
        raise ValueError("expected a table")  # noqa: TRY004 - a problem of the file
    rest = dict(entry)
    secrets = {name: secret for name in _SECRETS[kind] if (secret := _secret(rest, name, file, environment)) is not None}
    settings = msgspec.convert(rest, type=_KINDS[kind])
    _require(settings, secrets)
    return Channel(name=settings.name or default, settings=settings, secrets=secrets)


def _secret(entry: dict[str, Any], name: str, file: Path, environment: Mapping[str, str]) -> Secret | None:
    given = {form: entry.pop(form) for form in (name, f"{name}_env", f"{name}_file") if form in entry}
    if not given:
        return None
    if len(given) > 1:
        raise ValueError(f"give one of {', '.join(given)}")
    form, value = next(iter(given.items()))
    values = value if isinstance(value, list) and form == name else [value]
    if not all(isinstance(item, str) and item for item in values):
        raise ValueError(f"{form}: expected a text")
    if form.endswith("_env"):
        if value not in environment:
            raise ValueError(f"{form}: the environment has no {value}")
        return Secret(environment[value])
    return Secret("\n".join(values)) if form == name else Secret(_of_file(value, name, file, environment))


def _of_file(value: str, name: str, file: Path, environment: Mapping[str, str]) -> str:
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    path = file.parent / value.replace("$CREDENTIALS_DIRECTORY", folder, 1)
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_file: {path} can't be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    if not text:
        raise ValueError(f"{name}_file: {path} is empty")
    return text if name == "urls" else text.splitlines()[0]


def _require(settings: Settings, secrets: Mapping[str, Secret]) -> None:
    if not 0 < settings.timeout_seconds <= 300:
        raise ValueError("timeout_seconds: expected more than 0 and at most 300")
    if isinstance(settings, WebhookSettings):
        _require_address(settings, secrets.get("url"))
    elif isinstance(settings, MailSettings):
        if settings.tls == "none" and "password" in secrets:
            raise ValueError("a password goes over TLS only: set tls to starttls or implicit")
        if ("password" in secrets) != (settings.user is not None):
            raise ValueError("user and password belong together")
        for address in (settings.sender, *settings.readers):
            if not re.fullmatch(r"[^\s@<>,;:\"\\]+@[^\s@<>,;:\"\\]+", address):
                raise ValueError(f"{address!r} is no mail address")
        if not settings.readers:
            raise ValueError("`to` names nobody")
    elif "urls" not in secrets:
        raise ValueError("urls, urls_env or urls_file is missing")


def _require_address(settings: WebhookSettings, url: Secret | None) -> None:
    if url is None:
        raise ValueError("url, url_env or url_file is missing")
    try:
        parts = urlsplit(url.reveal())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("url: this is no address") from None
    if parts.scheme not in ("https", "http") or not host or re.search(r"[\s\x00-\x1f\x7f]", url.reveal()):
        raise ValueError("url: expected https://...")
    if parts.scheme == "http" and host not in _LOOPBACK and not settings.allow_plain:
        raise ValueError("url: http shows everything to everyone on the way; use https, or set allow_plain")
