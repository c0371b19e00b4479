"""Started as a program: `launch.py OUTPUT PROGRAM ...` bounds itself and becomes PROGRAM, a Python script of this environment.

What it sees to holds for all that PROGRAM starts:
1. It is killed when the process that started it ends, also where that was killed: no further task begins with nobody to write it down.
2. A process can't take more memory than `MEMORY_BYTES`: a host's answer that has no end fails its task, not the machine.
3. What it prints goes to the file OUTPUT, not to ansible-runner, which would look into it for events: hosts' texts are in it as they came.
4. pywinrm takes an answer in the clear inside a sealed session, and follows redirects. Here both end the connection, as in the audit.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import runpy
import signal
import sys
from typing import Any

MEMORY_BYTES = 2 * 1024**3
FILE_BYTES = 256 * 1024**2
_SET_PARENT_DEATH_SIGNAL = 1


def main(output: str, command: list[str]) -> None:
    """Become `command`."""
    _bound(resource.RLIMIT_AS, MEMORY_BYTES)
    _bound(resource.RLIMIT_FSIZE, FILE_BYTES)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    # Standard input stays with ansible-runner: it takes a closed one for the end.
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    _keep_sessions_strict()
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")


def _bound(kind: int, wanted: int) -> None:
    _, most = resource.getrlimit(kind)
    wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (wanted, wanted))


def _keep_sessions_strict() -> None:
    import requests
    from winrm.encryption import Encryption
    from winrm.exceptions import WinRMError

    opened = Encryption.parse_encrypted_response

    def only_sealed(self: Any, response: Any) -> Any:
        """The answer's text; one in the clear is taken for an error without text, or ends the connection."""
        if f'protocol="{self.protocol_string.decode()}"' in response.headers.get("Content-Type", ""):
            return opened(self, response)
        if response.status_code >= requests.codes.bad_request:
            return b""
        raise WinRMError("an answer inside the sealed session was not sealed")

    setattr(Encryption, "parse_encrypted_response", only_sealed)  # noqa: B010 - no type fits
    # Looked at by requests after each answer: None is no redirect, and the answer itself is then no WinRM.
    setattr(requests.sessions.SessionRedirectMixin, "get_redirect_target", lambda _self, _answer: None)  # noqa: B010 - no type fits


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
