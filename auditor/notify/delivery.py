"""One notice to one channel. Says in own words what went wrong; what libraries say, and what they log, may hold addresses and tokens."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import ssl
from collections.abc import Iterator
from datetime import datetime

import msgspec

from auditor.model.errors import NotifyError
from auditor.model.notice import Notice, for_reader
from auditor.notify.mail import send_mail
from auditor.notify.settings import Channel, MailSettings, WebhookSettings
from auditor.report.notice import plain, subject
from auditor.report.text import clip

CHAT_LIMIT = 3_500
"""Characters; chat services refuse or cut longer messages."""
_TALKATIVE = ("urllib3", "requests", "apprise")


def deliver(channel: Channel, notice: Notice, now: datetime) -> bool:
    """Delivers what of a notice the channel's reader wants; False where that is nothing. Raises NotifyError."""
    wanted = for_reader(notice, channel.settings.only, channel.settings.least)
    if wanted is None:
        return False
    with _silence():
        if isinstance(channel.settings, MailSettings):
            send_mail(channel.name, channel.settings, channel.secret("password"), wanted, now)
        elif isinstance(channel.settings, WebhookSettings):
            _post(channel, channel.settings, wanted)
        else:
            _apprise(channel, wanted)
    return True


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Libraries log addresses, and a webhook's address is a secret."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)


def chat_text(notice: Notice) -> str:
    """The notice for a chat service: nothing in it mentions anyone or becomes a link."""
    text = clip(f"{subject(notice)}\n\n{plain(notice)}", CHAT_LIMIT)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b").replace("://", ":\u200b//")


def _post(channel: Channel, settings: WebhookSettings, notice: Notice) -> None:
    import urllib3

    chat = settings.form == "chat"
    body = msgspec.json.encode({"text": chat_text(notice)} if chat else {"subject": subject(notice), **msgspec.to_builtins(notice)})
    headers = {"Content-Type": "application/json", "User-Agent": "fleet-auditor", "X-Auditor-Notice": notice.id}
    if token := channel.secret("token"):
        headers["Authorization"] = f"Bearer {token}"
    if secret := channel.secret("secret"):
        headers["X-Auditor-Signature"] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    limit = urllib3.Timeout(connect=settings.timeout_seconds, read=settings.timeout_seconds)
    with urllib3.PoolManager(ssl_context=_context(channel.name, settings.ca_file), timeout=limit, retries=False) as pool:
        try:
            url = channel.secret("url") or ""
            answer = pool.request("POST", url, body=body, headers=headers, redirect=False, preload_content=False)
            status = answer.status
            answer.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise NotifyError(channel.name, _words(error)) from None
    if not 200 <= status < 300:
        moved = ", which is a redirect and is not followed" if 300 <= status < 400 else ""
        raise NotifyError(channel.name, f"it answered with HTTP {status}{moved}")


def _context(name: str, ca_file: str | None) -> ssl.SSLContext:
    """Certificates and names are always checked."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise NotifyError(name, f"the file of authorities {ca_file} can't be used: {error.strerror or 'it is none'}") from error


def _words(error: BaseException) -> str:
    """What went wrong, without the address that the library's own words hold."""
    chain: list[BaseException] = [error]
    while (following := chain[-1].__cause__ or chain[-1].__context__ or getattr(chain[-1], "reason", None)) is not None:
        if not isinstance(following, BaseException) or following in chain:
            break
        chain.append(following)
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "TLS could not be set up"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused"
        if isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__:
            return "it did not answer in time"
        if "NameResolution" in type(cause).__name__ or type(cause).__name__ == "gaierror":
            return "its name is not known"
    return f"the connection failed ({type(error).__name__})"


def _apprise(channel: Channel, notice: Notice) -> None:
    try:
        import apprise
    except ModuleNotFoundError as error:
        step = "Install the extra for it: pip install 'fleet-auditor[notify]'."
        raise NotifyError(channel.name, "apprise is not installed", next_step=step) from error
    service = apprise.Apprise()
    try:
        for number, url in enumerate((channel.secret("urls") or "").split(), 1):
            if not service.add(url):
                raise NotifyError(channel.name, f"address {number} is none that apprise knows")
        done = service.notify(title=subject(notice), body=plain(notice), body_format=apprise.NotifyFormat.TEXT)
    except NotifyError:
        raise
    except Exception as error:  # noqa: BLE001 - a hundred services raise what they like, and quote their addresses
        raise NotifyError(channel.name, f"the service failed ({type(error).__name__})") from None
    if not done:
        raise NotifyError(channel.name, "the service did not take it")
