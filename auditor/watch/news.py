"""What of a round is new: findings by their lives before and after, hosts by whether they were seen. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from auditor.model.change import FindingLife
from auditor.model.finding import Finding, Report
from auditor.model.notice import ItemKind, NoticeItem
from auditor.watch.memory import WatchState

_THERE = ("open", "back")


def finding_news(state: WatchState, lives: Mapping[str, FindingLife], report: Report) -> tuple[list[NoticeItem], WatchState]:
    """Findings that are new, back, or fixed since they were told last, by this run or by others meanwhile. And the state with them.

    What was told and is still there, what is waived, what could not be checked: nothing.
    """
    findings = {finding.id: finding for finding in report.findings}
    told = dict(state.told)
    items: list[NoticeItem] = []
    for name, life in lives.items():
        kind = _change(told.get(name), life)
        if kind is not None:
            items.append(_item(kind, life, findings.get(name)))
        if life.state in _THERE:
            told[name] = life.times_back
        elif life.state != "unchecked":
            told.pop(name, None)
    return items, msgspec.structs.replace(state, told=told)


def _change(told: int | None, life: FindingLife) -> ItemKind | None:
    """`told` is how often it had come back when it was told last; None where it was not told, or told as fixed."""
    if life.state == "fixed":
        return "fixed" if told is not None else None
    if life.state not in _THERE:
        return None
    if told is None:
        return "back" if life.times_back else "new"
    return "back" if life.times_back > told else None


def _item(kind: ItemKind, life: FindingLife, finding: Finding | None) -> NoticeItem:
    text: list[str] = []
    next_step = ""
    if finding is not None and kind != "fixed":
        text = [line for line in (finding.summary, finding.effect, finding.resolution) if line]
        next_step = f"auditor explain {life.id}"
    if kind == "back":
        text.insert(0, f"It was fixed {life.fixed_at}, and is there for the {_ordinal(life.times_back + 1)} time since {life.first_seen}.")
    if kind == "fixed":
        text = [f"It was there from {life.first_seen} to {life.last_seen}."]
    return NoticeItem(
        kind=kind,
        title=life.title,
        severity=life.severity,
        hosts=life.hosts,
        ref=life.id,
        rule=life.rule,
        text=tuple(text),
        next_step=next_step,
    )


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def host_news(state: WatchState, report: Report) -> tuple[list[NoticeItem], WatchState]:
    """Hosts that were seen before and now are not, and those that are again; each told once. And the state with it."""
    reasons = {host.host: host.reason or host.status.replace("_", " ") for host in report.coverage if host.status not in ("ok", "partial")}
    seen = {host.host for host in report.coverage if host.status in ("ok", "partial")}
    lost = {host: reason for host, reason in reasons.items() if host in state.seen and host not in state.unseen}
    found = tuple(host for host in state.unseen if host in seen)
    items = [NoticeItem(kind="unseen", title=f"{host} can't be seen", hosts=(host,), text=(reason,)) for host, reason in lost.items()]
    items += [NoticeItem(kind="seen_again", title=f"{host} is seen again", hosts=(host,)) for host in found]
    unseen = {host: reason for host, reason in (state.unseen | lost).items() if host not in seen}
    return items, msgspec.structs.replace(state, unseen=unseen, seen=tuple(sorted(seen | set(unseen))))
