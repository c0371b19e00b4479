"""Why a host can't be asked, or not for everything: the way to it tried step by step, and what is lost by each thing that is wrong.

It tries what a collection does, in the same order and by the same code, and stops where going on would tell nothing. It stores nothing and
judges no rule.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from auditor.model.errors import CollectError
from auditor.model.host import HostResult, Scheme, Section, Target
from auditor.probes.decode import NOT_SHOWN
from auditor.probes.rights import RIGHTS
from auditor.probes.wmi.sheet import NO_CONTENTS

if TYPE_CHECKING:
    from auditor.collect.fleet import Limits
    from auditor.collect.policy import Allowed
    from auditor.collect.transport import Ways
    from auditor.collect.trial import Listener, WmiTrial
    from auditor.model.credential import Credential
    from auditor.probes.bundle import ProbeRequest

State = Literal["ok", "warning", "problem", "skipped"]
_CLOCK_SECONDS = 300
_WANTED = {"ntlm": ("Negotiate", "NTLM"), "kerberos": ("Negotiate", "Kerberos"), "basic": ("Basic",), "credssp": ("CredSSP",)}
"""Mechanism of the inventory to the headers with which a service offers it. Certificates are not offered, only demanded."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried."""

    name: str
    state: State
    said: str
    next_step: str = ""


class SectionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One section as the host's account sees it."""

    name: str
    status: str
    reason: str = ""
    needs: str = ""
    """The right that it needs, where it is not ok."""
    next_step: str = ""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What is the matter with one host."""

    host: str
    complete: bool
    """Whether everything can be seen."""
    way: str
    """Which way works: powershell, wmi, or none."""
    steps: tuple[Step, ...]
    sections: tuple[SectionSeen, ...] = ()
    undecided: tuple[str, ...] = ()
    """Ids of the rules that can't be decided for this host by itself."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What all hosts of one run of the doctor share."""

    request: ProbeRequest
    undecided: Callable[[Target, HostResult], tuple[str, ...]]
    """Ids of the rules that a host's answer, looked at by itself, leaves undecided."""
    limits: Limits
    allowed: Allowed
    now: Callable[[], datetime]
    stop: threading.Event
    ports: tuple[tuple[int, Scheme], ...]
    use_proxy: bool = False


def examine(target: Target, credential: Credential, ways: Ways, setting: Setting) -> Diagnosis:
    """The diagnosis of one host. Never raises for what the host does."""
    steps: list[Step] = []
    allowed = _allow(target, credential, setting, steps)
    if not (allowed and _reach(target, ways, setting, steps) and _enter(target, credential, ways, steps)):
        return Diagnosis(host=target.name, complete=False, way="none", steps=tuple(steps))
    wmi = _wmi_steps(target, credential, ways, setting, steps)
    result = _collect(target, credential, ways, setting, steps, wmi)
    return _diagnosis(target, result, setting, steps)


def _allow(target: Target, credential: Credential, setting: Setting, steps: list[Step]) -> bool:
    """Whether the policy lets the host be asked at all; said only where it does not."""
    from auditor.collect.policy import refusal

    refused = refusal(target, credential, setting.allowed)
    if refused is not None:
        steps.append(_failed("policy", refused))
    return refused is None


def _reach(target: Target, ways: Ways, setting: Setting, steps: list[Step]) -> bool:
    """Name, ports, Identify, TLS, mechanisms, clock; whether the inventory's port can be used."""
    from auditor.collect.trial import candidates, look, resolve

    addresses, unknown = resolve(target)
    if unknown:
        steps.append(Step(name="name", state="problem", said=unknown, next_step="correct ansible_host, or look at the name service"))
        return False
    steps.append(Step(name="name", state="ok", said=f"{target.address} is {', '.join(addresses)}"))
    found = [look(target, port, scheme, ways) for port, scheme in candidates(target, setting.ports)]
    steps += _port_steps(target, found[0], [listener for listener in found[1:] if not listener.reason])
    if steps[-1].state == "problem":
        return False
    offer = _offer_step(target, found[0])
    steps += [offer, *_clock_steps(target, found[0])]
    return offer.state != "problem"


def _port_steps(target: Target, own: Listener, others: Sequence[Listener]) -> list[Step]:
    """TCP, TLS and Identify at the inventory's port, up to what fails; where else WinRM answers is said with the last."""
    also = ", ".join(f"{listener.scheme} {listener.port} (stack {listener.stack})" for listener in others)
    elsewhere = f"; WinRM answers at {also}" if also else ""
    step = f"set ansible_port: {others[0].port} and ansible_winrm_scheme: {others[0].scheme}" if others else own.next_step
    wrong = Step(name="port", state="problem", said=f"port {own.port}: {own.reason}{elsewhere}", next_step=step)
    if not own.open:
        return [wrong]
    steps = [Step(name="port", state="ok", said=f"TCP port {own.port} is open")]
    if target.scheme == "https" and not own.secured:
        return [*steps, msgspec.structs.replace(wrong, name="tls")]
    if target.scheme == "https":
        how = "the certificate is good" if target.validate_certificate else "the certificate is not checked, as the inventory says"
        steps.append(Step(name="tls", state="ok" if target.validate_certificate else "warning", said=f"TLS stands; {how}"))
    if own.reason:
        return [*steps, msgspec.structs.replace(wrong, name="identify")]
    said = f"{own.vendor or 'no vendor named'}, WinRM stack {own.stack or 'not named'}"
    return [*steps, Step(name="identify", state="ok", said=f"{said}; also: {also}" if also else said)]


def _offer_step(target: Target, own: Listener) -> Step:
    offered = ", ".join(own.offers) or "nothing"
    wanted = _WANTED.get(target.transport)
    if wanted is None or set(wanted) & set(own.offers):
        return Step(name="mechanisms", state="ok", said=f"offered: {offered}; the inventory says {target.transport}")
    step = "allow it in WinRM's service settings (winrm get winrm/config/service/auth), or set ansible_winrm_transport to what is offered"
    return Step(name="mechanisms", state="problem", said=f"the inventory says {target.transport}; offered: {offered}", next_step=step)


def _clock_steps(target: Target, own: Listener) -> list[Step]:
    if own.skew_seconds is None:
        return []
    if abs(own.skew_seconds) <= _CLOCK_SECONDS:
        return [Step(name="clock", state="ok", said=f"within {max(1, math.ceil(abs(own.skew_seconds)))} s of this machine's")]
    state: State = "problem" if target.transport == "kerberos" else "warning"
    said = f"the host's clock is off by {own.skew_seconds:+.0f} s against this machine"
    return [Step(name="clock", state=state, said=said, next_step="set the clocks by one source; Kerberos allows five minutes")]


def _enter(target: Target, credential: Credential, ways: Ways, steps: list[Step]) -> bool:
    """Whether the account gets in."""
    from auditor.collect.trial import try_logon

    wrong = try_logon(target, credential, ways)
    if wrong is not None:
        steps.append(_failed("logon", wrong))
        return False
    steps.append(
        Step(name="logon", state="ok", said=f"{target.user or 'the account'} is let in by {target.transport} over {target.scheme}")
    )
    return True


def _failed(name: str, error: CollectError, state: State = "problem") -> Step:
    return Step(name=name, state=state, said=error.message, next_step=error.next_step)


def _wmi_steps(target: Target, credential: Credential, ways: Ways, setting: Setting, steps: list[Step]) -> WmiTrial:
    """What WMI over WS-Management allows: the second way, so that its lack is a warning only."""
    from auditor.collect.trial import try_wmi

    trial = try_wmi(target, credential, ways, setting.request, setting.now)
    for name, wrong, good in (
        ("wmi queries", trial.queries, "root/cimv2 may be asked"),
        ("wmi registry", trial.registry, f"StdRegProv in {trial.registry_namespace} may be asked"),
    ):
        state: State = "warning" if wrong else "ok"
        steps.append(Step(name=name, state=state, said=wrong or good, next_step=trial.next_step if wrong else ""))
    return trial


def _collect(target: Target, credential: Credential, ways: Ways, setting: Setting, steps: list[Step], wmi: WmiTrial) -> HostResult | None:
    """What the account sees, by the first way that works."""
    from auditor.collect.trial import try_shell

    wrong = try_shell(target, credential, ways) if target.way != "wmi" else None
    if target.way == "wmi":
        steps.append(Step(name="shell", state="skipped", said="the inventory asks for the WMI way (auditor_way: wmi)"))
    else:
        steps.append(_failed("shell", wrong) if wrong else Step(name="shell", state="ok", said="a shell may be opened"))
    if wrong is None and target.way != "wmi":
        result = _ask(msgspec.structs.replace(target, way="powershell"), credential, setting)
        steps.append(_powershell_step(result))
        if steps[-1].state != "problem":
            return result
    if target.way == "powershell" or wmi.queries:
        return None
    return _ask(msgspec.structs.replace(target, way="wmi"), credential, setting)


def _ask(target: Target, credential: Credential, setting: Setting) -> HostResult:
    from auditor.collect.fleet import collect_fleet

    return collect_fleet(
        [target],
        {target.name: credential},
        setting.request,
        limits=setting.limits,
        now=setting.now,
        allow_unverified=setting.allowed.unverified,
        allow_credssp=setting.allowed.credssp,
        use_proxy=setting.use_proxy,
        stop=setting.stop,
    )[0]


def _powershell_step(result: HostResult) -> Step:
    """What became of the probe: its engine, or why it did not run."""
    seen = result.snapshot is not None and any(getattr(result.snapshot.sections, name).usable for name in RIGHTS)
    if result.snapshot is None or not seen:
        return Step(name="powershell", state="problem", said=result.reason, next_step=result.next_step)
    engine = result.snapshot.transport.partition(" over ")[0]
    return Step(name="powershell", state="ok", said=f"{engine} in full language runs the probe in {result.seconds:.1f} s")


def _diagnosis(target: Target, result: HostResult | None, setting: Setting, steps: list[Step]) -> Diagnosis:
    if result is None or result.snapshot is None:
        if result is not None:
            steps.append(Step(name="wmi", state="problem", said=result.reason, next_step=result.next_step))
        return Diagnosis(host=target.name, complete=False, way="none", steps=tuple(steps))
    sections = _sections(result, setting.request)
    steps += [_elevation_step(sections), _rights_step(sections)]
    complete = all(section.status == "ok" for section in sections) and not any(step.state == "problem" for step in steps)
    way = "wmi" if result.snapshot.transport.startswith("wmi") else "powershell"
    undecided = setting.undecided(target, result)
    return Diagnosis(host=target.name, complete=complete, way=way, steps=tuple(steps), sections=sections, undecided=undecided)


def _sections(result: HostResult, request: ProbeRequest) -> tuple[SectionSeen, ...]:
    snapshot = result.snapshot
    seen = [(name, getattr(snapshot.sections, name)) for name in request.sections] if snapshot else []
    return tuple(_seen(name, section) for name, section in seen)


def _seen(name: str, section: Section[Any, Any]) -> SectionSeen:
    """One section. The right is named where the lack of one can be why: not where only contents of files or older records are missing."""
    reasons = list(dict.fromkeys(gap.reason for gap in section.gaps))
    other = [reason for reason in reasons if reason != NO_CONTENTS and not reason.endswith(("were kept", "not taken", "not read"))]
    right = RIGHTS.get(name) if section.status == "denied" or (section.status == "partial" and (other or not reasons)) else None
    shown = "; ".join(reasons[:2]) if section.reason.endswith("see gaps") and reasons else section.reason
    return SectionSeen(
        name=name,
        status=section.status,
        reason=shown,
        needs=right.needs if right else "",
        next_step=right.give if right else "",
    )


def _elevation_step(sections: Sequence[SectionSeen]) -> Step:
    """Whether the account was shown to be an administrator, without which Windows shortens listings in silence."""
    if any(NOT_SHOWN in section.reason for section in sections):
        said = "the account was not shown to be an administrator of the host: Windows shortens listings for it without an error"
        step = "make it a member of Administrators there; in a workgroup set LocalAccountTokenFilterPolicy to 1 too"
        return Step(name="elevation", state="warning", said=said, next_step=step)
    return Step(name="elevation", state="ok", said="the account is an administrator of the host")


def _rights_step(sections: Sequence[SectionSeen]) -> Step:
    unseen = [section.name for section in sections if section.status != "ok"]
    if not unseen:
        return Step(name="rights", state="ok", said=f"all {len(sections)} sections are seen in full")
    said = f"{len(sections) - len(unseen)} of {len(sections)} sections are seen in full; not: {', '.join(unseen)}"
    return Step(name="rights", state="warning", said=said, next_step="see the sections below, and docs/rights.md")
