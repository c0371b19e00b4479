"""The lab's WS-Management server: many simulated hosts, each on its own loopback port, in one event loop.

The interface of this file, for whoever gives the hosts their answers:
    shells: Mapping[str, HostShell]          host name -> what it answers (see `process`)
    server = LabServer(endpoints, shells, state)    state: a folder of the lab's own (pathlib.Path); gets ca.pem and private files
    server.start()                           returns when every host listens; raises LabError
    server.port("srva")   server.url("srva") -> "http://127.0.0.1:40123/wsman"   server.ca_file -> Path
    server.open_shells("srva") -> tuple of shell ids      server.counts("srva") -> {"Create": 1, "Receive": 3, ...}
    server.stop()                            closes everything; also a context manager
"""

from __future__ import annotations

from auditor.lab.endpoint import Account, HostEndpoint
from auditor.lab.misbehave import Behaviour
from auditor.lab.process import BufferedProcess, HostShell, Output, Refusal, ShellProcess, WmiHost

__all__ = [
    "Account",
    "Behaviour",
    "BufferedProcess",
    "HostEndpoint",
    "HostShell",
    "Output",
    "Refusal",
    "ShellProcess",
    "WmiHost",
]
