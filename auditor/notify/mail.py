"""A notice as a mail, sent by SMTP. A password goes over TLS only; certificates and names are always checked."""

from __future__ import annotations

import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from auditor.model.errors import NotifyError
from auditor.model.notice import Notice
from auditor.notify.settings import MailSettings
from auditor.report.notice import html, plain, subject

_PORTS = {"starttls": 587, "implicit": 465, "none": 25}


def mail_of(settings: MailSettings, notice: Notice, now: datetime) -> EmailMessage:
    """The mail: text, and the same as HTML. Its id is the notice's, so that a doubled one is seen as such."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.readers)
    mail["Subject"] = subject(notice)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{notice.id}@{settings.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auditor-Notice"] = notice.id
    mail.set_content(plain(notice), cte="base64")
    mail.add_alternative(html(notice), subtype="html", cte="base64")
    return mail


def send_mail(name: str, settings: MailSettings, password: str | None, notice: Notice, now: datetime) -> None:
    """Sends a notice to all readers. Raises NotifyError; a server's own words stay out of it."""
    mail = mail_of(settings, notice, now)
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        with _connection(settings, context) as server:
            if settings.tls == "starttls":
                server.starttls(context=context)
            if settings.user is not None and password is not None:
                server.login(settings.user, password)
            refused = server.send_message(mail)
    except smtplib.SMTPAuthenticationError as error:
        raise NotifyError(name, f"the mail server does not let this user in ({error.smtp_code})") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise NotifyError(name, f"the mail server takes no mail for {len(error.recipients)} reader(s)") from None
    except smtplib.SMTPNotSupportedError:
        raise NotifyError(name, "the mail server offers no TLS or no way to log on; nothing was sent") from None
    except smtplib.SMTPResponseException as error:
        raise NotifyError(name, f"the mail server refused with {error.smtp_code}") from None
    except ssl.SSLCertVerificationError as error:
        raise NotifyError(name, f"the mail server's certificate is not trusted: {error.verify_message}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotifyError(name, f"the mail server can't be reached: {getattr(error, 'strerror', None) or type(error).__name__}") from None
    if refused:
        raise NotifyError(name, f"the mail server took it for some readers, and not for {len(refused)}")


def _connection(settings: MailSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    port = settings.port or _PORTS[settings.tls]
    if settings.tls == "implicit":
        return smtplib.SMTP_SSL(settings.host, port, timeout=settings.timeout_seconds, context=context)
    return smtplib.SMTP(settings.host, port, timeout=settings.timeout_seconds)
