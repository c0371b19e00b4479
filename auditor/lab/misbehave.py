"""Ways in which a lab host misbehaves: the words for them, and the bytes they send. Pure: no sockets, no clock."""

from __future__ import annotations

from typing import Literal

import msgspec

Action = Literal["Identify", "Create", "Command", "Send", "Receive", "Signal", "Delete", "Enumerate", "Pull", "Invoke", "Get"]

Fault = Literal[
    # the network
    "refuse_connection",  # nothing listens on the port
    "reset",  # the connection is reset as soon as a request arrives
    "hang_accept",  # connected, then nothing, not even TLS
    "hang_tls",  # https: the client's hello is read and never answered
    # HTTP
    "hang_headers",  # half of the answer's headers, then nothing
    "hang_body",  # headers, then nothing
    "dribble",  # a byte of the body every 100 ms
    "endless_headers",  # header lines without end
    "endless_body",  # a chunked body without end
    "gzip_bomb",  # a small body whose Content-Encoding makes it 256 MiB
    "redirect",  # 302 to `redirect_to`
    "http_error",  # 503 with an HTML page
    # authentication
    "refuse_logon",  # 401 to every account
    "unsealed_reply",  # a good answer, sent in the clear inside an encrypted session
    "tampered_reply",  # a sealed answer with a bit turned
    # SOAP
    "garbage",  # 200 and no XML
    "wrong_xml",  # 200 and XML that is no envelope
    "empty_body",  # 200 and nothing
    "half_answer",  # the connection is closed in the middle of the answer's body
    "entity_bomb",  # nested XML entities
    "wrong_charset",  # Latin-1 bytes in an answer that says UTF-8
    # the shell
    "create_fault",  # Create answers an internal error
    "access_denied",  # the action answers access denied
    "quota_fault",  # Create answers that the user has too many shells
    "delete_fault",  # Delete answers an internal error and the shell stays
    "hang_command",  # Receive answers operation time-outs for ever
    "cut_output",  # the command ends well after `after_bytes` of its output
    "endless_output",  # Receive brings output for ever
    "answer_bomb",  # the command prints a block of the probe's wire format that decodes to 256 MiB
    "bad_base64",  # streams hold no base64
]

Certificate = Literal["good", "other_ca", "expired", "wrong_name"]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a host behaves beyond its facts: `behaviour:` of a fleet file."""

    fault: Fault | None = None
    """What it does wrong; None for a well-behaved host."""
    at: Action | Literal["any"] | None = None
    """The action at which it does so; `any` is every request, before authentication; None is the usual place of that fault."""
    latency_ms: int = 0
    """Delay before each HTTP response."""
    run_ms: int = 0
    """How long every command runs at least: its output is held back so long."""
    certificate: Certificate = "good"
    """What is wrong with an https host's certificate."""
    redirect_to: str = ""
    """For `redirect`: a URL, or the name of another host of the fleet."""
    after_bytes: int = 1000
    """For `cut_output`: bytes of output before the end."""
