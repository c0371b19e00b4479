"""A plan as a file: YAML that people read, bound by the SHA-256 of its bytes. One changed byte is another plan."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from auditor.model.errors import RemediationError
from auditor.model.plan import PLAN_SCHEMA_VERSION, Plan

LIMIT_BYTES = 16 * 1024 * 1024
_HEAD = """\
# A plan of the auditor. Approve it by its digest: the SHA-256 of this file. A changed byte makes it another plan.
#   auditor remediate check {name}
#   auditor remediate apply {name} --digest DIGEST
"""


def plan_text(plan: Plan, name: str) -> str:
    """The plan as YAML. Every value stands as data: what looks like a template or a tag stays a text."""
    import yaml

    body = yaml.safe_dump(msgspec.to_builtins(plan), allow_unicode=False, sort_keys=False, width=120, default_flow_style=False)
    return _HEAD.format(name=name) + body


def digest_of(data: bytes) -> str:
    """Lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def write_plan(path: Path, plan: Plan) -> str:
    """Write the plan, readable by its owner only, over what is there; its digest. Raises RemediationError."""
    data = plan_text(plan, path.name).encode("ascii")
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        partial.replace(path)
    except OSError as error:
        raise RemediationError(
            f"{path} can't be written: {error.strerror or error}", next_step="choose another file with --plan"
        ) from error
    return digest_of(data)


def read_plan(path: Path, digest: str | None = None) -> tuple[Plan, str]:
    """The plan and its digest. Raises RemediationError where it is no plan, or another one than `digest` says."""
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise RemediationError(f"{path} is larger than {LIMIT_BYTES} bytes: that is no plan")
        data = path.read_bytes()
    except OSError as error:
        raise RemediationError(f"{path} can't be read: {error.strerror or error}", usage=True) from error
    found = digest_of(data)
    if digest is not None and digest.strip().lower() != found:
        raise RemediationError(
            f"{path} is not the plan with the digest {digest}: its own is {found}",
            next_step="somebody changed it after it was approved, or the digest is that of another plan: look at it again",
        )
    return _decode(data, path), found


def _decode(data: bytes, path: Path) -> Plan:
    import yaml

    try:
        value = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
        plan = msgspec.convert(value, Plan)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeError, RecursionError) as error:
        raise RemediationError(f"{path} is no plan: {error}", next_step="make one with `auditor remediate plan`") from error
    if plan.schema_version != PLAN_SCHEMA_VERSION:
        raise RemediationError(f"{path} has the schema version {plan.schema_version}, this auditor knows {PLAN_SCHEMA_VERSION}")
    if reason := _contradiction(plan):
        raise RemediationError(f"{path} contradicts itself: {reason}", next_step="make the plan again")
    return plan


def _contradiction(plan: Plan) -> str:
    """Why the plan's parts do not fit together; empty where they do. A person may have edited it before it was approved."""
    acted = [(action.remedy, host.host) for action in plan.actions for host in action.hosts]
    waved = [(item.remedy, item.host) for wave in plan.waves for item in wave.items]
    if sorted(acted) != sorted(waved) or len(set(waved)) != len(waved):
        return "its waves and its actions name other hosts"
    if len({action.remedy for action in plan.actions}) != len(plan.actions):
        return "two actions are of one remedy"
    homes = [{item.host for item in wave.items} for wave in plan.waves]
    if sum(map(len, homes)) != len({host for _, host in waved}) or not all(homes):
        return "a host is in two waves, or a wave is empty"
    if plan.hosts != len({host for _, host in waved}):
        return f"it says that {plan.hosts} hosts are changed, and names {len({host for _, host in waved})}"
    known = {finding.id for finding in plan.findings}
    unknown = {finding for action in plan.actions for host in action.hosts for finding in host.findings} - known
    return f"it names a finding {min(unknown)} that it does not describe" if unknown else ""
