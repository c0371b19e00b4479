"""A fleet that remedies change, without a network: what plays do is a function on values, what readers see is what the hosts are then."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from auditor.analysis.planning.facts import Ground, HostState, Made, Request
from auditor.analysis.planning.plan import make_plan
from auditor.matrix import load_matrix
from auditor.model.errors import AuditorError
from auditor.model.finding import Evidence, Finding, Report, Run, Subject, finding_id
from auditor.model.host import HostResult, NetworkRecord, Section, Sections, ServiceRecord, Snapshot, SystemRecord, Target
from auditor.model.places import shipped
from auditor.model.plan import Applicant, Plan, PlanEvidence, RemediationRecord, Wave
from auditor.model.remedy import Expected, HostReport, Remedy, Rollback, RunRequest, RunResult, Step, TaskEvent, Variable
from auditor.model.rule import Matrix, Rule
from auditor.model.selector import Condition
from auditor.model.version import parse_version
from auditor.playbooks import Foundation
from auditor.remediation.apply import apply_plan
from auditor.remediation.planfile import plan_text
from auditor.remediation.reading import Differences
from auditor.remediation.tools import Limits, Reading, Tools
from auditor.report.coverage import host_coverage
from auditor.store import Store

START = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)
RULE, REMEDY, SERVICE = "bad-mode", "set_mode", "Guard"
DIGEST_OF_PLAY = "p" * 64
GROUND = Foundation(playbook=DIGEST_OF_PLAY, ansible_core="2.19.0", collections={"ansible.windows": "3.0"}, minimum_powershell="5.1")


@functools.cache
def shipped_matrix() -> Matrix:
    """The shipped rules, for what drift needs to know."""
    return load_matrix([shipped("compat_matrix")])


def remedy_of(rollback: str = "automatic", **more: object) -> Remedy:
    """A remedy that sets a service's mode."""
    return Remedy(
        id=REMEDY,
        title="Set the mode",
        summary="Sets it.",
        operation="set",
        variables=(
            Variable(name="mode", meaning="what it is to be", required=True),
            Variable(name="key", meaning="opens it", type="secret"),
        ),
        steps=(Step(id="set-the-mode", title="Set the mode", changes="the mode", rollback=Rollback(kind="automatic")),),
        expected=(Expected(section="services", what="Guard has another start type"),),
        rollback=Rollback(kind=rollback, how="set it back"),  # type: ignore[arg-type]
        sources=("incident",),
        **more,  # type: ignore[arg-type]
    )


class World:
    """Hosts with a mode each; `bad` is what the rule finds. Plays put the mode to what they are told, unless they are made to fail."""

    def __init__(self, store: Store, *hosts: str) -> None:
        self.store = store
        self.modes = dict.fromkeys(hosts, "bad")
        self.time = START
        self.away: set[str] = set()
        self.worse: set[str] = set()
        """Hosts that get a new finding once they are changed."""
        self.unknown: set[str] = set()
        """Hosts of which the rule can't be decided."""
        self.plays: dict[str, HostReport | str] = {}
        """Host -> what its play tells instead of doing it, or why it fails."""
        self.ignores: set[str] = set()
        """Hosts on which the play says that it is done, and nothing changes."""
        self.restarts: set[str] = set()
        self.refuses: set[str] = set()
        """Hosts that let the operator's account not in."""
        self.requests: list[RunRequest] = []
        self.readings: list[list[str]] = []
        self.asked: list[int] = []
        self.told: list[str] = []
        self.answer: Callable[[Wave], bool] = lambda wave: True
        self.on_run: Callable[[RunRequest], None] = lambda request: None
        self.ground = GROUND
        self.matrix_digest = "m"
        self.unreadable: AuditorError | None = None
        self.by = Applicant(who="op@console")
        self.has_ended: Callable[[RemediationRecord], bool] = lambda record: False

    def now(self) -> datetime:
        """A second passes with every look."""
        self.time += timedelta(seconds=1)
        return self.time

    def read(self, hosts: Sequence[str]) -> Reading:
        """An audit of these hosts; the fleet is judged."""
        self.readings.append(list(hosts))
        if self.unreadable is not None:
            raise self.unreadable
        at = stamp(self.now())
        run = self.store.begin_run("audit", at, "0.1.0")
        for host in hosts:
            self.store.save_result(run, target_of(host), self._result(host, at))
        report = self._report(run, at)
        self.store.finish_run(run, report, rules=[RULE, "new-trouble"])
        states = {state.host: state for state in self.store.states_of_runs([run])}
        return Reading(run=run, report=report, digests={host: state.content for host, state in states.items()})

    def _result(self, host: str, at: str) -> HostResult:
        if host in self.away:
            return HostResult(host=host, status="timed_out", reason="no answer")
        sections = Sections(
            system=Section(status="ok", records=(SystemRecord(version="10.0.17763", build=17763, powershell_version="5.1"),)),
            network=Section(status="ok", records=(NetworkRecord(computer_name=host.upper()),)),
            services=Section(
                status="ok",
                records=(ServiceRecord(name=SERVICE, display_name=self.modes[host], image_path=f"C:\\guard\\{self.modes[host]}.exe"),),
            ),
        )
        snapshot = Snapshot(host=host, collected_at=at, collector="auditor 0.1.0", transport="powershell over http/ntlm", sections=sections)
        return HostResult(host=host, status="ok", snapshot=snapshot)

    def _report(self, run: str, at: str) -> Report:
        results = [stored.result for stored in self.store.latest_results()]
        rows = [(r.host, r.snapshot.sections.services.records[0].display_name) for r in results if r.snapshot is not None]
        bad = [finding_of(host) for host, mode in rows if mode == "bad" and host not in self.unknown]
        new = [finding_of(host, "new-trouble") for host, mode in rows if host in self.worse and mode != "bad"]
        unknown = tuple(r.host for r in results if r.snapshot is None or r.host in self.unknown)
        return Report(
            run=Run(id=run, started_at=at, auditor="0.1.0", matrix_digest=self.matrix_digest, rules=2),
            coverage=tuple(map(host_coverage, results)),
            findings=(*bad, *new),
            undetermined=tuple(
                msgspec.structs.replace(finding_of(host), verdict="undetermined", missing=(f"{host}: services: no",)) for host in unknown
            ),
        )

    def run(self, request: RunRequest, on_event: Callable[[TaskEvent], None]) -> RunResult:
        """What ansible-runner would do: three tasks a host, then its report."""
        self.requests.append(request)
        self.on_run(request)
        reports: dict[str, HostReport] = {}
        failed: dict[str, str] = {}
        number = 0
        for one in request.hosts:
            if one.host in self.refuses:
                number += 1
                failed[one.host] = "no logon"
                on_event(event_of(number, one.host, "Look", "unreachable"))
                continue
            for title in ("Look", "Set the mode", "Report"):
                number += 1
                told = self.plays.get(one.host) if request.phase == "run" and title == "Set the mode" else None
                if title == "Set the mode" and told is None and not request.check and one.host not in self.ignores:
                    before = self.modes[one.host]
                    self.modes[one.host] = str(one.before["mode"] if request.phase == "rollback" else one.values["mode"])
                    reports[one.host] = self._done(one.host, before)
                elif title == "Set the mode" and told is None:
                    reports[one.host] = HostReport(
                        outcome="would_change" if request.check else "done", before={"mode": self.modes[one.host]}
                    )
                elif isinstance(told, HostReport):
                    reports[one.host] = told
                elif isinstance(told, str):
                    failed[one.host] = told
                status = "failed" if isinstance(told, str) else "changed" if title == "Set the mode" else "ok"
                on_event(event_of(number, one.host, title, status))
                if isinstance(told, str):
                    break
        return RunResult(status="failed" if failed else "successful", reports=reports, failed=failed)

    def _done(self, host: str, before: str) -> HostReport:
        return HostReport(outcome="done", restart_needed=host in self.restarts, before={"mode": before})

    def ask(self, wave: Wave) -> bool:
        """The person."""
        self.asked.append(wave.number)
        return self.answer(wave)

    @property
    def tools(self) -> Tools:
        """Everything that remediation is handed."""
        return Tools(
            store=self.store,
            read=self.read,
            run=self.run,
            now=self.now,
            ask=self.ask,
            tell=self.told.append,
            changed_since=lambda host, digest: Differences(self.store, [shipped("compat_matrix")], shipped_matrix())(host, digest),
            grounds=lambda remedy: self.ground,
            ended=lambda record: self.has_ended(record),
            by=self.by,
        )

    def plan(self, *hosts: str, remedy: Remedy | None = None, mode: str = "good", **made: Any) -> Plan:
        """A plan over these hosts (all of them) from a fresh reading."""
        reading = self.read(list(self.modes))
        return plan_of(reading, self.store, hosts or tuple(self.modes), remedy or remedy_of(), mode, **made)

    def apply(self, plan: Plan, limits: Limits | None = None, *, resume: bool = False) -> RemediationRecord:
        """The plan applied."""
        return apply_plan(plan, digest_of_plan(plan), self.tools, limits or Limits(lease_seconds=40), resume=resume)


def plan_of(
    reading: Reading, store: Store, hosts: Sequence[str], remedy: Remedy, mode: str, ordered: tuple[str, ...] = (), **made: Any
) -> Plan:
    """The plan that sets the mode of hosts."""
    states = {state.host: state for state in store.latest_states(1)}
    needed = parse_version("5.1")
    assert needed is not None
    request = Request(
        findings=tuple(f for f in reading.report.findings if f.rule == RULE and f.subjects[0].host in hosts),
        rules={RULE: rule_of()},
        remedies={REMEDY: remedy},
        grounds={REMEDY: Ground(playbook=DIGEST_OF_PLAY, ansible_core="2.19.0", collections=GROUND.collections, minimum_powershell=needed)},
        hosts={
            host: HostState(evidence=PlanEvidence(collected_at=states[host].collected_at, digest=states[host].content), powershell=needed)
            for host in states
        },
        edges=(),
        values={("*", "mode"): mode},
        remedy=REMEDY if ordered else None,
        ordered=ordered,
    )
    return make_plan(request, Made(at=stamp(START), by="op@console", auditor="0.1.0", matrix_digest="m", run=reading.run, **made))


def rule_of() -> Rule:
    """The rule whose remedy it is."""
    texts = dict.fromkeys(("title", "subject", "mechanism", "effect", "resolution"), "text")
    return Rule(id=RULE, severity="high", confidence="confirmed", when=Condition(), remedy=REMEDY, references=("incident",), **texts)  # type: ignore[arg-type]


def finding_of(host: str, rule: str = RULE) -> Finding:
    """A violation on one host."""
    subjects = (Subject(role="host", host=host),)
    return Finding(
        id=finding_id(rule, subjects, ()),
        rule=rule,
        title=f"{rule} on {host}",
        verdict="violated",
        severity="high",
        confidence="confirmed",
        subjects=subjects,
        remedy=REMEDY,
        evidence=(Evidence(host=host, section="services", record=SERVICE),),
    )


def event_of(number: int, host: str, title: str, status: str) -> TaskEvent:
    """A task's end."""
    return TaskEvent(
        number=number,
        host=host,
        task=f"{title} | do it",
        step="set-the-mode" if title == "Set the mode" else None,
        status=status,  # type: ignore[arg-type]
        message="boom" if status == "failed" else "",
        time=stamp(START),
    )


def target_of(host: str) -> Target:
    """A target."""
    return Target(name=host, address="127.0.0.1", port=5985, scheme="http", transport="ntlm", groups=("servers",))


def digest_of_plan(plan: Plan) -> str:
    """As the plan's file would have it."""
    from auditor.remediation.planfile import digest_of

    return digest_of(plan_text(plan, "plan.yml").encode())


def stamp(moment: datetime) -> str:
    """As hosts and runs write times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def written(folder: Path, plan: Plan) -> Path:
    """The plan as a file."""
    from auditor.remediation.planfile import write_plan

    write_plan(folder / "plan.yml", plan)
    return folder / "plan.yml"
