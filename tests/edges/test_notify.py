"""Notices on their way, over real connections: what arrives, what is refused, and that secrets and hosts' tricks show up nowhere."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.lab.tls import Authority, server_context
from auditor.model.errors import InputFileError, NotifyError
from auditor.model.notice import Notice, NoticeItem
from auditor.notify import Channel, deliver, load_channels
from tests.edges.mail_server import MailServer, WebServer, serving, silent_port

NOW = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)
EVIL = "SRVA\r\nBcc: all@corp.example\x1b]8;;http://evil.example\x07\u202e<script>alert(1)</script> @channel"
NOTICE = Notice(
    id="20261126T010000Z-1",
    at="2026-11-26T01:00:00Z",
    name="plant",
    run="20261126T010000Z",
    items=(
        NoticeItem(kind="fixed", title="An old one", severity="low", hosts=("SRVB",), ref="0123456789abcdef", rule="a-rule"),
        NoticeItem(kind="new", title="A driver is upgraded", severity="high", hosts=(EVIL,), ref="f" * 16, rule="b-rule", text=(EVIL,)),
    ),
)
CANARIES = ("t0ken-in-the-path", "B34rer-Secret", "Hm4c-Secret", "M4il-Secret")


class Ground:
    """Certificates, and channels from settings as a user writes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        now = datetime.now(UTC)
        self.authority, self.other = Authority(now), Authority(now, "Nobody trusts this one")
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self.authority.pem)

    def context(self, kind: str = "good") -> ssl.SSLContext:
        """A server's certificate, good or not."""
        names = ["elsewhere.example"] if kind == "wrong_name" else ["127.0.0.1", "localhost"]
        issuer = self.other if kind == "other_ca" else self.authority
        return server_context(issuer.issue(names, expired=kind == "expired"), self.folder)

    def channel(self, text: str, environment: dict[str, str] | None = None) -> Channel:
        """The one channel of a settings file."""
        file = self.folder / "notify.toml"
        file.write_text(text)
        (channel,) = load_channels(file, environment or {})
        return channel

    def webhook(self, url: str, more: str = "") -> Channel:
        """A webhook whose secrets come in three ways."""
        (self.folder / "token").write_text("B34rer-Secret\n")
        text = '[[webhook]]\nurl_env = "HOOK"\nsecret = "Hm4c-Secret"\ntoken_file = "token"\ntimeout_seconds = 2\n'
        return self.channel(f'{text}ca_file = "{self.ca_file}"\n{more}', {"HOOK": url})

    def mail(self, port: int, more: str = "", *, login: bool = True, to: str = "ops@corp.example") -> Channel:
        """A mail channel."""
        text = f'[[mail]]\nhost = "localhost"\nport = {port}\nca_file = "{self.ca_file}"\n'
        text += f'from = "auditor@corp.example"\nto = ["{to}"]\n'
        text += 'user = "auditor"\npassword_env = "MAIL_PASSWORD"\n' if login else ""
        return self.channel(text + "timeout_seconds = 2\n" + more, {"MAIL_PASSWORD": "M4il-Secret"})


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("notify"))


@pytest.fixture(autouse=True)
def no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Everything is logged, as with -vvv; no canary is in it."""
    caplog.set_level(logging.DEBUG)
    yield
    assert not [word for word in CANARIES if word in caplog.text]


def _fails(channel: Channel, words: str) -> str:
    with pytest.raises(NotifyError, match=words) as caught:
        deliver(channel, NOTICE, NOW)
    said = f"{caught.value!r} {caught.value.next_step} {caught.value.__cause__!r} {channel!r}"
    assert not [word for word in CANARIES if word in said]
    return said


def test_a_webhook_gets_the_notice_signed(ground: Ground) -> None:
    with serving(WebServer(ground.context())) as server:
        assert deliver(ground.webhook(server.url), NOTICE, NOW)
    (posted,) = server.posted
    document = json.loads(posted.body)
    assert (document["id"], document["run"], [item["kind"] for item in document["items"]]) == (NOTICE.id, NOTICE.run, ["fixed", "new"])
    assert document["subject"].startswith("[plant] 1 new, 1 fixed: A driver is upgraded")
    assert posted.headers["X-Auditor-Signature"] == "sha256=" + hmac.new(b"Hm4c-Secret", posted.body, hashlib.sha256).hexdigest()
    assert posted.headers["Authorization"] == "Bearer B34rer-Secret"
    assert posted.path == "/hook/t0ken-in-the-path"


def test_a_chat_gets_text_that_mentions_nobody(ground: Ground) -> None:
    with serving(WebServer(ground.context())) as server:
        deliver(ground.webhook(server.url, 'form = "chat"'), NOTICE, NOW)
    text = json.loads(server.posted[0].body)["text"]
    assert "A driver is upgraded" in text
    assert not [bad for bad in ("<", ">", "@channel", "\x1b", "\u202e", "\r", "://") if bad in text]


@pytest.mark.parametrize("kind", ["other_ca", "wrong_name", "expired"])
def test_a_certificate_that_is_not_good_gets_nothing(ground: Ground, kind: str) -> None:
    with serving(WebServer(ground.context(kind))) as server:
        _fails(ground.webhook(server.url), "certificate is not trusted")
    assert server.posted == []


def test_a_redirect_is_not_followed(ground: Ground) -> None:
    with serving(WebServer()) as other, serving(WebServer(ground.context(), status=307, location=other.url)) as server:
        _fails(ground.webhook(server.url), "redirect")
    assert other.posted == []


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_webhook_that_refuses_is_told_by_its_number(ground: Ground, status: int) -> None:
    with serving(WebServer(ground.context(), status=status)) as server:
        _fails(ground.webhook(server.url), f"HTTP {status}")


def test_a_webhook_that_is_not_there_or_says_nothing(ground: Ground) -> None:
    _fails(ground.webhook("https://127.0.0.1:9/hook/t0ken-in-the-path"), "refused")
    _fails(ground.webhook("https://no-such-host.invalid/hook/t0ken-in-the-path"), "name is not known|failed")
    with silent_port() as bound:
        _fails(ground.webhook(f"http://127.0.0.1:{bound.getsockname()[1]}/t0ken-in-the-path"), "in time")


def test_proxies_and_netrc_of_the_environment_are_left_alone(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving(WebServer(ground.context())) as server:
        assert deliver(ground.webhook(server.url), NOTICE, NOW)


def test_a_reader_is_told_what_it_wants_only(ground: Ground) -> None:
    with serving(WebServer(ground.context())) as server:
        assert deliver(ground.webhook(server.url, 'only = ["new", "back"]\nleast = "medium"'), NOTICE, NOW)
        assert not deliver(ground.webhook(server.url, 'least = "critical"'), NOTICE, NOW)
    assert [item["title"] for item in json.loads(server.posted[0].body)["items"]] == ["A driver is upgraded"]


@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_a_mail_arrives_over_tls_only(ground: Ground, way: str) -> None:
    with serving(MailServer(ground.context(), implicit=way == "implicit")) as server:
        assert deliver(ground.mail(server.port, f'tls = "{way}"'), NOTICE, NOW)
    (mail,) = server.mails
    assert (mail["From"], mail["To"], mail["Auto-Submitted"]) == ("auditor@corp.example", "ops@corp.example", "auto-generated")
    assert mail["Message-ID"] == f"<{NOTICE.id}@corp.example>"
    assert mail["Date"] == "Thu, 26 Nov 2026 01:00:00 +0000"
    assert all(line.startswith("tls ") for line in server.lines if " ehlo" not in line and "STARTTLS" not in line)


def _body(mail: Any, kind: str) -> str:
    return str(mail.get_body((kind,)).get_content())


def test_what_a_host_says_is_escaped_in_every_part_of_a_mail(ground: Ground) -> None:
    evil = NoticeItem(kind="new", title=EVIL, severity="critical", hosts=(EVIL,), text=(EVIL * 60,))
    with serving(MailServer(ground.context())) as server:
        deliver(ground.mail(server.port), Notice(id="n", at=EVIL, name=EVIL, run=EVIL, items=(evil,)), NOW)
    (mail,) = server.mails
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    text, page = _body(mail, "plain"), _body(mail, "html")
    for part in (mail["Subject"], text, page):
        assert not [bad for bad in ("\x1b", "\x07", "\u202e", "\r\nBcc") if bad in part]
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "href" not in page
    assert "characters)" in text, "what is too long is cut, and says so"


def test_a_server_without_tls_gets_no_password_and_no_mail(ground: Ground) -> None:
    with serving(MailServer(None, offer=("AUTH PLAIN",))) as server:
        _fails(ground.mail(server.port), "no TLS")
    assert server.mails == []
    assert not [line for line in server.lines if "AUTH" in line]


def test_a_server_without_tls_is_used_where_that_is_said_and_no_password_is_needed(ground: Ground) -> None:
    with serving(MailServer(None, offer=())) as server:
        assert deliver(ground.mail(server.port, 'tls = "none"', login=False), NOTICE, NOW)
    assert len(server.mails) == 1


def test_a_mail_server_that_refuses_is_told_without_its_words(ground: Ground) -> None:
    with serving(MailServer(ground.context())) as server:
        server.password = "another"
        assert "wrong" not in _fails(ground.mail(server.port), "does not let this user in")
    with serving(MailServer(ground.context("other_ca"))) as server:
        _fails(ground.mail(server.port), "not trusted")
    with serving(MailServer(ground.context())) as server:
        _fails(ground.mail(server.port, to="no-one@corp.example"), "takes no mail for 1")
    _fails(ground.mail(9), "can't be reached")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_apprise_knows_the_rest(ground: Ground) -> None:
    pytest.importorskip("apprise", reason="the extra is not installed: pip install 'fleet-auditor[notify]'")
    with serving(WebServer()) as server:
        address = server.url.replace("http://", "json://")
        assert deliver(ground.channel('[[apprise]]\nurls_env = "SERVICES"', {"SERVICES": f"{address}\n{address}"}), NOTICE, NOW)
        assert len(server.posted) == 2
        document = json.loads(server.posted[0].body)
        assert document["title"].startswith("[plant] 1 new")
        assert "\x1b" not in document["message"]
        server.status = 500
        _fails(ground.channel('[[apprise]]\nurls_env = "SERVICES"', {"SERVICES": address}), "did not take it")
    _fails(ground.channel('[[apprise]]\nurls = ["nosuch://t0ken-in-the-path"]'), "address 1 is none")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[webhook]]\nurl = "http://hooks.example/t0ken-in-the-path"', "http shows everything"),
        ('[[webhook]]\nurl = "ftp://x/t0ken-in-the-path"', "expected https"),
        ('[[webhook]]\nurl = "https://[t0ken-in-the-path"', "no address"),
        ('[[webhook]]\nurl = "https://x/t0ken-in-the-path\\r\\nX: y"', "expected https"),
        ("[[webhook]]\n", "url_file is missing"),
        ('[[webhook]]\nurl = "https://x/t0ken-in-the-path"\nurl_env = "A"', "give one of"),
        ('[[webhook]]\nurl_env = "NOT_SET"', "environment has no NOT_SET"),
        ('[[webhook]]\nurl_file = "nosuch"', "can't be read"),
        ('[[webhook]]\nurl = "https://x/"\nlevel = "high"', "unknown field `level`"),
        ('[[webhook]]\nurl = "https://x/"\nonly = ["newest"]', "newest"),
        ('[[webhook]]\nurl = "https://x/"\ntimeout_seconds = 0', "timeout_seconds"),
        ('[[mail]]\nhost = "m"\nfrom = "a@b"\nto = ["c@d"]\ntls = "none"\nuser = "u"\npassword = "M4il-Secret"', "over TLS only"),
        ('[[mail]]\nhost = "m"\nfrom = "a@b"\nto = ["c@d"]\nuser = "u"', "belong together"),
        ('[[mail]]\nhost = "m"\nfrom = "a@b"\nto = ["c@d\\nBcc: e@f"]', "no mail address"),
        ('[[mail]]\nhost = "m"\nfrom = "a@b"\nto = []', "names nobody"),
        ("[[apprise]]\n", "urls"),
        ('[[pager]]\nurl = "x"', "webhook, mail, apprise"),
        ('[webhook]\nurl = "x"', "webhook, mail, apprise"),
        ('[[webhook]]\nname = "a"\nurl = "https://x/"\n[[webhook]]\nname = "a"\nurl = "https://y/"', "have this name"),
        ("[[webhook]]\nurl = t0ken-in-the-path", "no TOML"),
    ],
)
def test_settings_that_are_wrong_say_where_and_show_no_secret(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "notify.toml"
    file.write_text(text)
    with pytest.raises(InputFileError) as caught:
        load_channels(file, {})
    said = " ".join([str(caught.value), *map(str, caught.value.problems)])
    assert words in said
    assert not [word for word in CANARIES if word in f"{said} {caught.value.__cause__!r}"]


def test_credentials_of_systemd_are_found(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("https://hooks.example/t0ken-in-the-path\n")
    file = tmp_path / "notify.toml"
    file.write_text('[[webhook]]\nurl_file = "$CREDENTIALS_DIRECTORY/hook"\n')
    (channel,) = load_channels(file, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert channel.secret("url") == "https://hooks.example/t0ken-in-the-path"
    assert channel.name == "webhook-1"
