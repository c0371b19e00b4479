"""`auditor doctor`: why a host can't be asked, or not for everything, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.inventory import inventory_flags
from auditor.cli.say import Outputs, width
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.doctor import Diagnosis, Setting
    from auditor.inventory import Inventory
    from auditor.model.host import HostResult, Target

PARALLEL = 8


@verb(
    "doctor",
    click.Argument(["hosts"], nargs=-1, metavar="[HOST...]"),
    flag("--host-deadline", type=click.FloatRange(1, 86_400), default=180.0, metavar="SECONDS", help="Time for one host's probe."),
    flag("--allow-unverified-tls", is_flag=True, help="Ask hosts whose certificate check the inventory switches off."),
    flag("--allow-credssp", is_flag=True, help="Hand the password to hosts for which the inventory names CredSSP."),
    flag("--use-proxy", is_flag=True, help="Use the environment's proxies; they are ignored otherwise."),
    *inventory_flags(),
)
def doctor(
    every: Everywhere,
    hosts: tuple[str, ...],
    host_deadline: float,
    allow_unverified_tls: bool,
    allow_credssp: bool,
    use_proxy: bool,
    trust_inventory: bool,
    vault_password_file: tuple[Path, ...],
) -> int:
    """Try the way to a host step by step: name, ports, TLS, logon, shell, PowerShell, WMI, and each section's right.

    Says which way works, which right or setting is missing, what is lost by it, and what to do. HOST is a name of the inventory; without
    one all its hosts are tried. Runs the probe, which only reads. Exits with 0 where everything can be seen, 3 where not.
    """
    from auditor.cli.interrupt import stopping
    from auditor.inventory import load_inventory
    from auditor.report.json_ import json_text

    outputs = Outputs.plan(every, ("table", "json"))
    if not every.inventory:
        raise UsageError("no inventory given", next_step="Name an Ansible inventory with -i.")
    found = load_inventory(every.inventory, limit=every.limit, trust=trust_inventory, vault_password_files=vault_password_file)
    _require(hosts, found)
    with stopping() as stop:
        setting = _setting(every, host_deadline, stop, unverified=allow_unverified_tls, credssp=allow_credssp, use_proxy=use_proxy)
        diagnoses = _examine(found, hosts, setting)
    outputs.emit(
        {
            "table": lambda: "\n".join(map(_text, diagnoses)),
            "json": lambda: json_text({"schema_version": 1, "hosts": diagnoses}),
        }
    )
    outputs.say_files()
    return 0 if all(diagnosis.complete for diagnosis in diagnoses) else 3


def _require(hosts: tuple[str, ...], found: Inventory) -> None:
    names = {target.name for target in found.targets}
    refused = {problem.subject: str(problem) for problem in found.refused}
    for host in hosts:
        if host in refused:
            raise UsageError(f"{host} can't be asked: {refused[host]}", next_step="Correct the inventory.")
        if host not in names:
            raise UsageError(f"the inventory has no host {host}", next_step="Look at it with `auditor inventory`.")
    if not names:
        raise UsageError("there is no target to try", next_step="Look at the inventory with `auditor inventory`.")


def _setting(every: Everywhere, deadline: float, stop: Any, *, unverified: bool, credssp: bool, use_proxy: bool) -> Setting:
    from auditor.audit import check, request_for, run_of
    from auditor.cli.matrix import load
    from auditor.collect.fleet import Limits
    from auditor.collect.policy import Allowed
    from auditor.collect.trial import PORTS
    from auditor.doctor import Setting

    matrix = load(every)

    def undecided(target: Target, result: HostResult) -> tuple[str, ...]:
        report = check([(target, result)], matrix, run_of("doctor", "", matrix))
        return tuple(sorted({finding.rule for finding in report.undetermined}))

    return Setting(
        request=request_for(matrix),
        undecided=undecided,
        limits=Limits(host_deadline_seconds=deadline),
        allowed=Allowed(unverified=unverified, credssp=credssp),
        now=lambda: datetime.now(UTC),
        stop=stop,
        ports=PORTS,
        use_proxy=use_proxy,
    )


def _examine(found: Inventory, hosts: tuple[str, ...], setting: Setting) -> list[Diagnosis]:
    """A few hosts at once; the credential canary is one for all."""
    from concurrent.futures import ThreadPoolExecutor

    from auditor.collect.canary import CredentialCanary
    from auditor.collect.kerberos import Tickets
    from auditor.collect.tls import TlsContexts
    from auditor.collect.transport import Ways
    from auditor.doctor import examine
    from auditor.inventory import resolve_credentials

    targets = [target for target in found.targets if not hosts or target.name in hosts]
    credentials = resolve_credentials(found, [target.name for target in targets])
    ways = Ways(TlsContexts(), CredentialCanary(), Tickets(), setting.use_proxy)
    with ThreadPoolExecutor(max_workers=PARALLEL, thread_name_prefix="doctor") as pool:
        return list(pool.map(lambda target: examine(target, credentials[target.name], ways, setting), targets))


def _text(diagnosis: Diagnosis) -> str:
    from auditor.report.grid import grid
    from auditor.report.text import safe_text

    way = {"powershell": "asked with PowerShell", "wmi": "asked over WMI only", "none": "can't be asked"}[diagnosis.way]
    lines = [f"{safe_text(diagnosis.host)}: {way}{'' if diagnosis.complete else ', not everything is seen'}", ""]
    marks = {"ok": "ok", "warning": "!", "problem": "FAILS", "skipped": "-"}
    rows = [[step.name, marks[step.state], _said(step.said, step.next_step)] for step in diagnosis.steps]
    lines.append(grid(("Step", "", "What came of it"), rows, width=width()))
    unseen = [section for section in diagnosis.sections if section.status != "ok"]
    if unseen:
        cells = [[s.name, s.status, safe_text(s.reason), _said(s.needs, s.next_step)] for s in unseen]
        lines += ["", grid(("Section", "Status", "Why", "Right that it needs"), cells, width=width())]
    if diagnosis.undecided:
        count = len(diagnosis.undecided)
        lines += ["", f"{count} rule{'s' if count > 1 else ''} can't be decided for this host by itself: {', '.join(diagnosis.undecided)}"]
    return "\n".join(lines) + "\n"


def _said(said: str, next_step: str) -> str:
    """What was said, and below it what to do; made safe to be shown."""
    from auditor.report.text import safe_text

    return "\n".join([safe_text(said), *([f"-> {safe_text(next_step)}"] if next_step else [])])
