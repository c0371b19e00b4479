"""`auditor probe`: the script that a host would run, for review before it is let near one."""

from __future__ import annotations

import click
import msgspec

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.say import Outputs


@verb(
    "probe",
    flag("--section", multiple=True, metavar="NAME", help="Only this section; may be repeated.  [default: all]"),
    flag("--command-line", is_flag=True, help="Print the fixed command line that reads the script, instead of the script."),
    click.Option(["--digest"], is_flag=True, help="Print the SHA-256 of the script without its parameters, instead of the script."),
)
def probe(every: Everywhere, section: tuple[str, ...], command_line: bool, digest: bool) -> int:
    """Print the probe's script as it is sent to a host, for review or for running by hand. It only reads.

    The first line holds the parameters as data; what follows is the same for every host. To run it by hand on a host that WinRM can't
    reach, store it there as probe.ps1, run as an administrator

    powershell -NoProfile -ExecutionPolicy Bypass -File probe.ps1 > answer.txt

    and hand answer.txt to `auditor import`.
    """
    from auditor.audit import request_for
    from auditor.cli.matrix import load
    from auditor.probes.bundle import build_bundle, bundle_digest
    from auditor.probes.framing import command_line as fixed_command_line

    outputs = Outputs.plan(every, ("text",), default="text")
    if command_line:
        text = fixed_command_line() + "\n"
    else:
        request = msgspec.structs.replace(request_for(load(every), sections=section), echo_parameters=True)
        script = build_bundle(request)
        text = bundle_digest(script) + "\n" if digest else script
    outputs.emit({"text": lambda: text})
    outputs.say_files()
    return 0
