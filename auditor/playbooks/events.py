"""From ansible-runner's events to task events and the play's own report: bounded, without secrets, nothing believed but its shape. Pure.

A result is text of the host. Known secrets and the shapes of others are taken out of it before it is kept or shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from auditor.model.remedy import HostReport, TaskEvent, TaskStatus, step_id
from auditor.probes.redact import redact

MOST_EVENTS = 20_000
LONGEST = 4_000
"""Characters of a message or of a difference that are kept."""
MOST_BEFORE_BYTES = 256 * 1024
REPORT_TASK = "Report | Tell what was done"
HIDDEN = "(hidden)"
_STATUSES: Mapping[str, TaskStatus] = {
    "runner_on_ok": "ok", "runner_on_failed": "failed", "runner_on_skipped": "skipped", "runner_on_unreachable": "unreachable",
}  # fmt: skip
_SAID = ("msg", "stderr", "stdout", "reason", "module_stderr")


class Hidden:
    """The secrets of a run, to be taken out of every text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({text for text in secrets if len(text) > 3}, key=len, reverse=True)

    def clean(self, text: str, limit: int = LONGEST) -> str:
        """The text without secrets, its end kept where it is too long: errors stand at the end."""
        text = storable(text)
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = redact(text[-4 * limit :])
        return text if len(text) <= limit else f"… {text[-limit:]}"


def storable(text: str) -> str:
    """The text without lone surrogates, which Ansible makes of bytes that are no UTF-8 and which no store takes."""
    return text.encode("utf-8", "backslashreplace").decode()


def task_event(event: Mapping[str, Any], number: int, hidden: Hidden) -> TaskEvent | None:
    """The event as a task's end on a host; None for every other kind of event."""
    status = _STATUSES.get(str(event.get("event")))
    data = event.get("event_data")
    if status is None or not isinstance(data, Mapping):
        return None
    result = data.get("res")
    result = result if isinstance(result, Mapping) else {}
    if status == "ok" and result.get("changed") is True:
        status = "changed"
    if status == "failed" and data.get("ignore_errors") is True:
        status = "ignored"
    task = storable(str(data.get("task", ""))[:300])
    title, bar, _ = task.partition(" | ")
    return TaskEvent(
        number=number,
        host=storable(str(data.get("host", ""))[:300]),
        task=task,
        step=step_id(title) if bar else None,
        status=status,
        message="" if status == "skipped" else hidden.clean(_message(result)),
        difference=hidden.clean(_difference(result.get("diff"))),
        time=_time(event),
    )


def _time(event: Mapping[str, Any]) -> str:
    return str(event.get("created", ""))[:19].replace(" ", "T") + "Z"


def _message(result: Mapping[str, Any]) -> str:
    texts = [str(result[name]).strip() for name in _SAID if isinstance(result.get(name), str | int | list)]
    if isinstance(result.get("rc"), int) and result["rc"] != 0:
        texts.append(f"exit code {result['rc']}")
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _difference(diff: object) -> str:
    pieces = diff if isinstance(diff, list) else [diff]
    lines: list[str] = []
    for piece in pieces:
        if not isinstance(piece, Mapping):
            continue
        if isinstance(piece.get("prepared"), str):
            lines.append(piece["prepared"].strip())
            continue
        lines += _sides(piece)
    return "\n".join(lines)


def _sides(piece: Mapping[str, Any]) -> list[str]:
    before, after = piece.get("before"), piece.get("after")
    if before == after or (before in (None, "") and after in (None, "")):
        return []
    return [*(f"- {line}" for line in _lines(before)), *(f"+ {line}" for line in _lines(after))]


def _lines(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{key}: {item}" for key, item in value.items()]
    return str(value).strip().splitlines() if value not in (None, "") else []


def host_report(event: Mapping[str, Any], hidden: Hidden) -> tuple[str, HostReport] | None:
    """What the play told of a host at its end, where this event is that; a report of another shape counts as none."""
    data = event.get("event_data")
    if event.get("event") != "runner_on_ok" or not isinstance(data, Mapping) or data.get("task") != REPORT_TASK:
        return None
    result = data.get("res")
    told = result.get("remedy_report") if isinstance(result, Mapping) else None
    try:
        if len(msgspec.json.encode(told)) > MOST_BEFORE_BYTES:
            return None
        report = msgspec.convert(told, HostReport, strict=False)
    except (msgspec.ValidationError, TypeError, ValueError):
        return None
    notes = tuple(hidden.clean(note) for note in report.notes[:50])
    return str(data.get("host", "")), msgspec.structs.replace(report, notes=notes)
