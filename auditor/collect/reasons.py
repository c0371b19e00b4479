"""Whatever went wrong with a host, as a reason that a person can act on. Pure: errors in, CollectError out, no stack trace."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

from winrm.exceptions import WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError

from auditor.collect.budget import SUSPICIOUS
from auditor.collect.logon import printable
from auditor.model.errors import CollectError
from auditor.model.host import Target

Words = tuple[str, str, str]
"""Status, reason, next step."""
_CERTIFICATE: dict[int, tuple[str, str]] = {
    9: ("is not valid yet", "compare the clocks"),
    10: ("has expired", "renew it on the host"),
    18: ("is signed by itself and not trusted", "give it to ansible_winrm_ca_trust_path, or have it signed by an authority you trust"),
    19: ("comes from an authority that is not trusted", "name that authority in ansible_winrm_ca_trust_path"),
    20: ("comes from an authority that is not trusted", "name that authority in ansible_winrm_ca_trust_path"),
    21: ("comes from an authority that is not trusted", "name that authority in ansible_winrm_ca_trust_path"),
    62: ("is for another name", "use the name in the certificate as ansible_host"),
    64: ("is for another address", "use a name in the certificate as ansible_host"),
}
"""X509_V_ERR numbers of OpenSSL."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
_OLD_TLS = (
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "NO_PROTOCOLS_AVAILABLE",
    "DH_KEY_TOO_SMALL",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
)
_FAULTS: dict[int, Words] = {
    0x00000005: ("denied", "lets the account log on but denies it WinRM", "make it a member of Remote Management Users or Administrators"),
    0x80070005: ("denied", "lets the account log on but denies it WinRM", "make it a member of Remote Management Users or Administrators"),
    0x80338104: ("denied", "lets the account log on but denies it WinRM", "make it a member of Remote Management Users or Administrators"),
    0x803381A5: ("failed", "has too many shells of this account (quota)", "close them on the host, or raise MaxShellsPerUser"),
    0x803381A6: ("failed", "has a quota that is used up", "close shells on the host, or raise WinRM's quotas"),
    0x8033805B: ("failed", "closed the shell before the answer was whole", "look for a quota (memory, time) of WinRM on the host"),
    0x000003E3: ("failed", "ended the command before the answer was whole", "look for a quota (memory, time) of WinRM on the host"),
    0x80338029: ("timed_out", "did not finish in the time of one operation", "look at the host's load"),
    0x80070002: ("unsupported", "has no powershell.exe", "the WMI way needs no PowerShell"),
    0x80338000: ("unsupported", "has a WinRM service without a command shell (1.x)", "the WMI way needs no shell"),
}
"""WSManFault codes: Windows errors and those of winerror's WinRM range, as recorded from hosts."""


def reason_for(error: BaseException, target: Target, step: str) -> CollectError:
    """The reason for an error that came up during `step`."""
    if isinstance(error, CollectError):
        return error
    status, reason, next_step = _words(error, target, step)
    return CollectError(target.name, reason, status=status, next_step=next_step)


def _words(error: BaseException, target: Target, step: str) -> Words:
    if isinstance(error, WSManFaultError | WinRMTransportError | WinRMOperationTimeoutError):
        return _fault_words(error, step)
    if isinstance(error, ssl.SSLError):
        return _tls_words(error, target)
    if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
        return _http_words(error, target, step)
    if isinstance(error, OSError):
        return _network_words(error, target, step)
    return "failed", f"the host's answer makes no sense while {step}", SUSPICIOUS


def _fault_words(error: Exception, step: str) -> Words:
    if isinstance(error, WinRMOperationTimeoutError):
        return "timed_out", f"the host did not finish in the time of one operation while {step}", "look at the host's load"
    if isinstance(error, WSManFaultError):
        codes = [code for code in (error.wmierror_code, error.wsman_fault_code) if code is not None]
        for code in codes:
            if words := _FAULTS.get(code & 0xFFFFFFFF):
                return words[0], f"the host {words[1]}", words[2]
        number = f" 0x{codes[0] & 0xFFFFFFFF:08X}" if codes else ""
        text = printable(error.reason or "")
        return "failed", f"the host answers with the fault{number} while {step}: {text}", "look up the code in WinRM's documentation"
    return "failed", f"the host answers with an error and no SOAP while {step}", SUSPICIOUS


def _tls_words(error: ssl.SSLError, target: Target) -> Words:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason, step = _CERTIFICATE.get(error.verify_code, (f"is not accepted: {printable(error.verify_message)}", "look at it"))
        return "failed", f"the host's certificate {reason} (asked for {target.address})", step
    word = error.reason or type(error).__name__
    if word in _NO_TLS:
        return "failed", f"no TLS at port {target.port}", "set ansible_winrm_scheme to http (with ntlm), or correct the port"
    if word in _OLD_TLS:
        return (
            "failed",
            "the host speaks only TLS versions or ciphers that are no longer safe",
            "use ntlm over http, or enable TLS 1.2 on it",
        )
    return "failed", f"TLS can't be set up ({word})", "look at the host's HTTPS listener and its certificate"


def _http_words(error: http.client.HTTPException, target: Target, step: str) -> Words:
    if isinstance(error, http.client.IncompleteRead):
        return (
            "failed",
            f"half an answer: the host closed the connection in the middle of it while {step}",
            "look whether it restarts or runs short",
        )
    if isinstance(error, http.client.BadStatusLine) and str(error.args[0])[:12].lstrip("'").startswith(("\x15\x03", "\\x15\\x03")):
        return "failed", f"port {target.port} speaks TLS", "set ansible_winrm_scheme to https"
    return "failed", f"what answers at port {target.port} is no HTTP", "look at what listens there: is it WinRM?"


def _network_words(error: OSError, target: Target, step: str) -> Words:
    if isinstance(error, socket.gaierror):
        return "failed", f"the name {target.address} can't be resolved", "correct ansible_host, or look at the name service"
    if isinstance(error, ConnectionRefusedError):
        return (
            "failed",
            f"nothing listens at {target.address} port {target.port}",
            "enable WinRM there (winrm quickconfig), or correct the port",
        )
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL):
        return "failed", f"there is no way to {target.address} in the network", "look at routes, and whether the host is up"
    if isinstance(error, ConnectionError):
        return "failed", f"the host closed the connection while {step}", "look whether it restarts, and at what lies between"
    return "failed", f"the network failed while {step}: {printable(error.strerror or type(error).__name__)}", "look at host and network"
