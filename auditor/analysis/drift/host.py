"""One host against all its baselines at once. Pure: everything that was stored is handed in.

Order of the work: compare with each baseline, find out since when, judge, mark what concerns security products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from auditor.analysis.drift.against_role import against_role
from auditor.analysis.drift.classify import Judge, delta_of
from auditor.analysis.drift.compare import Comparison, Delta, Side, Unseen, compare_section, compare_snapshots, side_of
from auditor.analysis.drift.items import PRODUCTS
from auditor.analysis.drift.normalise import Normaliser
from auditor.analysis.drift.peers import Outlier, Peers
from auditor.analysis.drift.since import Moment, Since, since_when
from auditor.model.baseline import Baseline
from auditor.model.change import Accepted, BaselineKind, Concern, Difference, Explanation, HostDrift, NotCompared
from auditor.model.host import SECTION_NAMES, Sections, Snapshot
from auditor.model.signature import Signature

Past = Callable[[str], Iterable[Moment]]
"""A section's past, newest first, the compared snapshot included."""
ALL = "*"


class Rules:
    """What all hosts are compared by, made ready once: for a host and its past, and for hosts and each other."""

    def __init__(self, own: Normaliser, between: Normaliser, signatures: Sequence[Signature]) -> None:
        self.own = own
        self.between = between
        names = [name for signature in signatures for name in (*signature.services, *signature.drivers)]
        self._protected = frozenset(name.casefold().removesuffix(".sys") for name in names)

    def concern(self, section: str, key: str, field: str) -> Concern:
        """Whether a difference concerns a security product's own state."""
        plan = self.own.plan(section)
        if ALL in plan.protection or (field and field in plan.protection):
            return "protection"
        protected = (
            section in ("services", "drivers", "filters") and key.partition(" ")[0].casefold().removesuffix(".sys") in self._protected
        )
        return "protection" if protected else ""


class Found(NamedTuple):
    """An outlier, and among whom."""

    among: str
    concern: Concern
    outlier: Outlier


class Before(NamedTuple):
    """One section as it was when it was last seen."""

    at: str
    side: Side


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one host is held against; what is left out is not looked at."""

    now: Snapshot
    groups: tuple[str, ...] = ()
    previous: str | None = None
    """When the snapshot before was collected."""
    before: Mapping[str, Before] = {}
    """Each section as it was when it was last seen before; usually all from one snapshot."""
    roles: tuple[Baseline, ...] = ()
    accepted: Accepted | None = None
    accepted_state: Snapshot | None = None
    peers: Mapping[str, Peers] = {}
    """By group, with all its hosts counted: what is usual there."""
    outliers: Sequence[Found] = ()
    """What was found about this host among others."""
    explanations: tuple[Explanation, ...] = ()
    notes: tuple[str, ...] = ()


def host_drift(question: Asked, rules: Rules, past: Past) -> HostDrift:
    """All differences of one host, classed, and what could not be compared."""
    draft = _Draft(question, rules)
    draft.look()
    dated = _dated(draft.found, rules, past)
    judge = draft.judge()
    return HostDrift(
        host=question.now.host,
        groups=question.groups,
        at=question.now.collected_at,
        previous=question.previous,
        differences=tuple(judge.judge(difference) for difference in dated),
        not_compared=tuple(dict.fromkeys(draft.unseen)),
        notes=question.notes,
    )


class _Draft:
    """Differences of one host while they are gathered."""

    def __init__(self, question: Asked, rules: Rules) -> None:
        self._question, self._rules = question, rules
        self.found: list[Difference] = []
        self.unseen: list[NotCompared] = []

    def look(self) -> None:
        """Holds the host against each baseline."""
        asked = self._question
        for name in SECTION_NAMES if asked.before else ():
            before = asked.before.get(name)
            if before is not None and self._rules.own.compared(name):
                found = compare_section(name, before.side, side_of(asked.now, name), self._rules.own)
                self._take("previous", before.at, found)
        for role in asked.roles:
            self._take("role", role.role, against_role(role, asked.now, self._rules.between))
        if asked.accepted is not None and asked.accepted_state is not None:
            found = compare_snapshots(asked.accepted_state, asked.now, self._rules.own)
            self._take("accepted", asked.accepted.collected_at, found)
        for among, concern, outlier in asked.outliers:
            self._outlier(among, concern, outlier)

    def _take(self, baseline: BaselineKind, against: str, found: Comparison) -> None:
        self.found += [self._difference(baseline, against, delta) for delta in found.deltas]
        self.unseen += [self._not_compared(baseline, unseen) for unseen in found.unseen]

    def _outlier(self, against: str, concern: Concern, outlier: Outlier) -> None:
        difference = self._difference("peers", against, outlier.delta, concern)
        self.found.append(msgspec.structs.replace(difference, agree=outlier.agree, of=outlier.of))

    def _difference(self, baseline: BaselineKind, against: str, delta: Delta, concern: Concern = "") -> Difference:
        return Difference(
            host=self._question.now.host,
            section=delta.section,
            key=delta.key,
            field=delta.field,
            kind=delta.kind,
            before=delta.before,
            after=delta.after,
            baseline=baseline,
            against=against,
            concern=concern or self._rules.concern(delta.section, delta.key, delta.field),
        )

    def _not_compared(self, baseline: BaselineKind, unseen: Unseen) -> NotCompared:
        host = self._question.now.host
        return NotCompared(host=host, section=unseen.section, key=unseen.key, field=unseen.field, baseline=baseline, reason=unseen.reason)

    def judge(self) -> Judge:
        """What this host's differences are judged by."""
        asked = self._question
        return Judge(
            host=asked.now.host,
            groups=asked.groups,
            now=asked.now.collected_at,
            explanations=asked.explanations,
            accepted=asked.accepted,
            is_accepted=self._is_accepted(),
            leads_back=self._leads_back(),
        )

    def _is_accepted(self) -> Callable[[Delta], bool]:
        """A difference's new value is the frozen state's where the host does not differ from that state there."""
        asked = self._question
        if asked.accepted_state is None:
            return lambda _: False
        differing = {(d.section, d.key.casefold(), d.field) for d in self.found if d.baseline == "accepted"}
        unseen = {(u.section, u.key.casefold(), u.field) for u in self.unseen if u.baseline == "accepted"}
        blind = {u.section for u in self.unseen if u.baseline == "accepted" and not u.key} | {PRODUCTS}

        def accepted(delta: Delta) -> bool:
            places = {(delta.section, delta.key.casefold(), field) for field in ("", delta.field)}
            return delta.section not in blind and not places & (differing | unseen)

        return accepted

    def _leads_back(self) -> Callable[[Delta], str]:
        """Whether a change since the previous snapshot ended a difference from the role, or led to what most peers have."""
        asked = self._question
        if not asked.before:
            return lambda _: ""
        earlier = _earlier(asked)
        before = {role.role: _places(against_role(role, earlier, self._rules.between)) for role in asked.roles}
        now = {role.role: _places(against_role(role, asked.now, self._rules.between)) for role in asked.roles}

        def back(delta: Delta) -> str:
            place = (delta.section, delta.key.casefold(), delta.field)
            for role in before:
                if place in before[role] and place not in now[role]:
                    return f"as the role {role} should be"
            for group, peers in asked.peers.items():
                known, usual = peers.usual(delta.section, delta.key, delta.field)
                if known and usual == (delta.after if delta.field else delta.kind == "added"):
                    return f"as most of {group} are"
            return ""

        return back


def _earlier(asked: Asked) -> Snapshot:
    """The host as it was when each section was last seen before."""
    sections = {name: before.side.section for name, before in asked.before.items()}
    return msgspec.structs.replace(asked.now, sections=Sections(**sections))


def _places(found: Comparison) -> set[tuple[str, str, str]]:
    return {(delta.section, delta.key.casefold(), delta.field) for delta in found.deltas}


def _dated(found: Sequence[Difference], rules: Rules, past: Past) -> list[Difference]:
    """The differences with since when they are so, the past of each section read once for each way of looking at it."""
    times: dict[int, Since] = {}
    for between in (False, True):
        sections: dict[str, list[int]] = {}
        for number, difference in enumerate(found):
            if (difference.baseline in ("role", "peers")) is between:
                sections.setdefault(difference.section, []).append(number)
        for section, numbers in sections.items():
            wanted = [delta_of(found[number]) for number in numbers]
            told = since_when(section, wanted, past(section), rules.between if between else rules.own)
            times |= dict(zip(numbers, told, strict=True))
    replace = msgspec.structs.replace
    return [replace(d, since=times[n].since, not_before=times[n].not_before) for n, d in enumerate(found)]
