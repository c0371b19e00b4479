"""The verbs below `auditor baseline`."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.history import known
from auditor.cli.say import Outputs, width
from auditor.model.baseline import Baseline
from auditor.model.change import Accepted
from auditor.model.errors import UsageError
from auditor.model.times import stamp


@verb(
    "learn",
    click.Argument(["group"]),
    flag("--share", type=click.IntRange(51, 100), default=100, help="Percent of the hosts that must agree."),
)
def learn(every: Everywhere, group: str, share: int) -> int:
    """Propose what hosts of GROUP should look like, from the last snapshots in the store.

    Read it, strike what is not meant, and keep it as baselines/GROUP.yml in a folder of your own that --matrix names.
    """
    from auditor.analysis.drift.learn import learn_baseline
    from auditor.report.json_ import json_text
    from auditor.store import default_path, open_store

    outputs = Outputs.plan(every, ("yaml", "json"), default="yaml")
    judged_by = known(every)
    with open_store(every.store or default_path(), write=False) as store:
        states = store.latest_states(1)
        members = [state for state in states if group in state.groups]
        if not members:
            groups = sorted({name for state in states for name in state.groups})
            raise UsageError(f"the store holds no host of the group {group!r}", next_step=f"Groups: {', '.join(groups) or 'none'}.")
        snapshots = [store.read_state(state) for state in members]
    found = learn_baseline(group, snapshots, judged_by.rules.between, at=_now(), share=share)
    if not found.sections:
        raise UsageError(f"the {len(members)} hosts of {group} have nothing in common", next_step="A lower --share asks for less.")
    outputs.emit({"yaml": lambda: baseline_yaml(found), "json": lambda: json_text(found)})
    outputs.say_files()
    return 0


def baseline_yaml(found: Baseline) -> str:
    """The baseline as a file that loads again; characters that command or hide on a terminal are written as escapes."""
    import msgspec
    import yaml

    from auditor.report.text import safe_text

    plain = msgspec.to_builtins(found)
    for section in plain["sections"].values():
        if not section["only_these"]:
            del section["only_these"]
    texts = {
        allow: str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=allow, width=140, default_flow_style=None))
        for allow in (True, False)
    }
    shown = texts[True]
    return shown if all(safe_text(line) == line for line in shown.splitlines()) else texts[False]


@verb(
    "accept",
    click.Argument(["host"]),
    flag("--run", metavar="RUN", help="Freeze what this run collected.  [default: the last snapshot]"),
    flag("--reason", default="", help="Why this is right; shown with every difference that it explains."),
    flag("--by", metavar="NAME", help="Who says so.  [default: the user who runs this]"),
    flag("--withdraw", is_flag=True, help="Take back what was frozen."),
)
def accept(every: Everywhere, host: str, run: str | None, reason: str, by: str | None, withdraw: bool) -> int:
    """Freeze the state of HOST: what it holds is expected from now on, and what leaves it is a difference."""
    from auditor.store import default_path, open_store

    outputs = Outputs.plan(every, ("table",))
    with open_store(every.store or default_path(), create=False) as store:
        if withdraw:
            if not store.withdraw(host):
                raise UsageError(f"nothing of {host!r} was accepted", next_step="`auditor baseline list` shows what is.")
            text = f"What was accepted of {host} is taken back\n"
        else:
            states = store.states(host)
            chosen = next((state for state in states if run in (None, state.run)), None)
            if chosen is None:
                what = "snapshot" if run is None else f"snapshot of the run {run}"
                raise UsageError(f"the store holds no {what} of {host!r}", next_step="`auditor history HOST` lists its snapshots.")
            entry = Accepted(host=host, collected_at=chosen.collected_at, at=_now(), by=by or _user(), reason=reason)
            store.accept(chosen, entry)
            text = f"The state of {host} of {chosen.collected_at} is accepted\n"
    outputs.emit({"table": lambda: text})
    return 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _now() -> str:
    return stamp(datetime.now(UTC))


@verb("list")
def list_(every: Everywhere) -> int:
    """List the baselines of roles, the frozen states of hosts, and what is expected."""
    from auditor.report.grid import grid
    from auditor.report.json_ import json_text
    from auditor.report.text import safe_text
    from auditor.store import default_path, open_store

    outputs = Outputs.plan(every, ("table", "json"))
    judged_by = known(every)
    accepted: dict[str, Accepted] = {}
    expected = judged_by.expected
    if every.store or default_path().is_file():
        with open_store(every.store or default_path(), write=False) as store:
            accepted, expected = store.accepted(), (*expected, *store.explanations())
    rows = [["role", role, _what(found), found.title] for role, found in sorted(judged_by.baselines.items())]
    rows += [["accepted state", host, f"of {entry.collected_at}", _why(entry.reason, entry.by)] for host, entry in accepted.items()]
    rows += [[entry.kind, entry.id, _when(entry.from_, entry.until), _why(entry.reason, entry.by)] for entry in expected]
    document = {"schema_version": 1, "roles": judged_by.baselines, "accepted": accepted, "expected": expected}
    cells = [[safe_text(cell) for cell in row] for row in rows]
    head = ("Kind", "Name", "What", "Why")
    outputs.emit({"table": lambda: grid(head, cells, width=width()) + "\n", "json": lambda: json_text(document)})
    outputs.say_files()
    return 0


def _what(found: Baseline) -> str:
    return f"{sum(len(section.records) for section in found.sections.values())} records in {len(found.sections)} sections"


def _when(start: str | None, end: str | None) -> str:
    return " ".join(part for part in (f"from {start}" if start else "", f"until {end}" if end else "") if part) or "always"


def _why(reason: str, by: str) -> str:
    return f"{reason} ({by})" if by and reason else reason or by
