"""A plan applied: refused where anything speaks against it, wave by wave, held where one fails, judged by reading again.

A plan is applied once. What an application began, no later one does again: it goes on with hosts that were not begun, and only if it is
told to (`resume`). What was begun and is not cured needs a new plan, which rests on what the hosts are like now.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from auditor.analysis.planning.verdicts import present, verdicts
from auditor.model.errors import AuditorError, RemediationError
from auditor.model.plan import FindingVerdict, Plan, RemediationRecord, Wave, WaveItem
from auditor.remediation.lookup import all_items, findings_of, host_of, hosts_to_read, key
from auditor.remediation.outcome import failures
from auditor.remediation.permit import refuse_outside, refuse_unready
from auditor.remediation.record import Journal, new_record, settle
from auditor.remediation.tools import Limits, Reading, Tools
from auditor.remediation.wave import judged, run_wave


def apply_plan(plan: Plan, digest: str, tools: Tools, limits: Limits, *, resume: bool = False) -> RemediationRecord:
    """Apply a plan whose digest was checked. Raises RemediationError where it is refused before anything is written down; else a record."""
    known = settle(tools.store, tools.now(), tools.ended)
    earlier = [record for record in known if record.plan_digest == digest and record.waves]
    _refuse_repeated(earlier, resume=resume)
    refuse_unready(plan, tools, limits)
    begun = {item for record in earlier for wave in record.waves for item in wave.items}
    record = new_record(plan, digest, tools.by, tools.now(), earlier[-1].id if earlier else None)
    hosts = list(dict.fromkeys(item.host for item in all_items(plan)))
    journal = Journal(tools.store, record, hosts, tools.now, limits.lease_seconds)
    journal.begin([one for one in known if one.state == "interrupted"])
    with journal:
        for note in journal.record.notes:
            tools.tell(note)
        _Application(plan, journal, tools, limits, begun).go()
    return journal.record


def _refuse_repeated(earlier: Sequence[RemediationRecord], *, resume: bool) -> None:
    if not earlier:
        return
    last = earlier[-1]
    if last.state == "finished":
        raise RemediationError(f"this plan was applied to its end on {last.started_at} ({last.id})", next_step="make a new plan")
    if last.state == "running":
        raise RemediationError(f"this plan is being applied by {last.by.who} since {last.started_at} ({last.id})")
    if not resume:
        raise RemediationError(
            f"this plan was begun on {last.started_at} ({last.id}) and is {last.state}: {last.reason}",
            next_step=f"look at it with `auditor remediate show {last.id}`; then make a new plan from what the hosts are like now, "
            "or go on with hosts that were not begun by --resume",
        )


class _Application:
    """One application on its way."""

    def __init__(self, plan: Plan, journal: Journal, tools: Tools, limits: Limits, begun: Collection[WaveItem]) -> None:
        self.plan, self.journal, self.tools, self.limits = plan, journal, tools, limits
        self.begun = begun
        self.failed: dict[str, str] = {}
        self.gone: list[FindingVerdict] = []

    def go(self) -> None:
        """From the first reading to the last. What can't be read or run any more holds it."""
        self.tools.tell("reading the hosts of the plan")
        first: Reading | None = None
        try:
            first = self.tools.read(hosts_to_read(self.plan, all_items(self.plan)))
            self._waves(first)
        except AuditorError as error:
            self.journal.check()
            state = "held" if self.journal.record.waves else "refused"
            told = self._verdicts(first, None) if first is not None else ()
            self.journal.end(state=state, reason=error.message, verdicts=told)

    def _waves(self, first: Reading) -> None:
        if reason := self._changed(all_items(self.plan), first):
            self.journal.end(state="refused", reason=reason, verdicts=self._verdicts(first, None))
            return
        held, last, before = "", None, first
        for wave in self.plan.waves:
            items = [item for item in wave.items if item not in self.begun]
            if not items:
                continue
            if last is not None:
                before = self.tools.read(hosts_to_read(self.plan, items))
                held = self._changed(items, before)
            held = held or self._not_let(wave)
            if held:
                break
            needed = [item for item in items if self._needed(item, before)]
            if needed:
                done, last = run_wave(self.journal, self.plan, wave.number, needed, before, self.tools, self.limits)
                self.failed |= failures(self.plan, done)
            if len(self.failed) > self.limits.max_failures or (needed and last is None):
                held = _failed_words(self.failed) or "the hosts could not be read again"
                break
            if self.failed and not any(done.reports for done in self.journal.record.waves):
                held = f"no play got to its end so far: {_failed_words(self.failed)}"
                break
        self._end(held, first, last)

    def _changed(self, items: Sequence[WaveItem], now: Reading) -> str:
        """Why the hosts are not as they were planned; empty where they are."""
        if now.report.run.matrix_digest != self.plan.matrix_digest:
            return "the rules are not those that the plan was made with: make the plan again"
        for item in items:
            if item in self.begun:
                continue
            planned = host_of(self.plan, item)
            if item.host not in now.digests:
                return f"{item.host} could not be read again"
            same = now.digests[item.host] == planned.evidence.digest
            if differences := () if same else self.tools.changed_since(item.host, planned.evidence.digest):
                return f"{item.host} has changed since the plan was made: {'; '.join(differences[:5])}"
            if unknown := [f for f in planned.findings if any(found.id == f for found in now.report.undetermined)]:
                return f"{item.host}: whether finding {unknown[0]} is still there can't be told now"
        return ""

    def _not_let(self, wave: Wave) -> str:
        try:
            refuse_outside(self.plan, self.tools.now())
        except RemediationError as error:
            return error.message
        return "" if self.tools.ask(wave) else f"wave {wave.number} was not let begin"

    def _needed(self, item: WaveItem, before: Reading) -> bool:
        """Whether any finding asks for it still, or a person ordered it."""
        findings = host_of(self.plan, item).findings
        if not findings or any(present(finding, before.report) for finding in findings):
            return True
        self.tools.tell(f"{item.host}: its findings are gone already; {item.remedy} is not run")
        self.gone += [FindingVerdict(finding=f, verdict="fixed", reason="it was gone before anything was done") for f in findings]
        return False

    def _end(self, held: str, first: Reading, last: Reading | None) -> None:
        """Judged once more over all hosts where several waves were run: a later one may have spoilt an earlier one's cure."""
        waves = self.journal.record.waves
        if len(waves) > 1 and not held:
            self.tools.tell("reading all hosts of the plan again")
            last = self.tools.read(hosts_to_read(self.plan, all_items(self.plan)))
        by_hand = [f"{item.host}: {text}" for wave in waves for item in wave.items for text in _hand_words(wave.rolled_back.get(key(item)))]
        self.journal.end(
            state="held" if held else "finished",
            reason=held,
            verdicts=self._verdicts(first, None if held else last),
            by_hand=(*self.journal.record.by_hand, *by_hand),
        )

    def _verdicts(self, first: Reading, last: Reading | None) -> tuple[FindingVerdict, ...]:
        """One for each finding and order of the plan: by the last reading where there is one of all, else by the wave's own."""
        found = {verdict.finding: verdict for verdict in self.gone}
        for wave in self.journal.record.waves:
            told = judged(self.plan, wave, first, last) if last is not None else wave.verdicts
            found |= {verdict.finding: verdict for verdict in told}
        earlier = [item for item in all_items(self.plan) if item in self.begun]
        for verdict in verdicts(findings_of(self.plan, earlier), first.report, first.report, first.digests):
            found.setdefault(verdict.finding, verdict)
        before = f"begun by {self.journal.record.continues}, and it has no finding to read again"
        for item in earlier:
            if not host_of(self.plan, item).findings:
                found.setdefault(key(item), FindingVerdict(finding=key(item), verdict="not_checked", reason=before))
        wanted = [finding.id for finding in self.plan.findings]
        wanted += [key(item) for item in all_items(self.plan) if not host_of(self.plan, item).findings]
        return tuple(found.get(one) or FindingVerdict(finding=one, verdict="not_checked", reason="nothing was begun") for one in wanted)


def _failed_words(failed: dict[str, str]) -> str:
    return "; ".join(f"{item.partition(' ')[2]}: {why}" for item, why in list(failed.items())[:5])


def _hand_words(told: str | None) -> list[str]:
    """What a rollback leaves to a person."""
    return [told] if told and not told.startswith(("taken back", "nothing was changed")) else []
