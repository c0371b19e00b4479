"""The incident's last two steps over real WinRM, by an injected clock: observe; if it comes back, offer to switch the protection off.

Server B is given a client in place of its server, as in the article. In one world the crash comes back, in the other it stays away.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.lab.serve import serve
from auditor.model.change import Explanation
from auditor.model.places import shipped
from auditor.notify import deliver, load_channels
from auditor.store import open_store
from auditor.watch.asking import AuditPlan, audit_fleet
from auditor.watch.changes import stored_changes
from auditor.watch.clockwork import Clocks, Due, watch_over
from auditor.watch.journal import Journal
from auditor.watch.round import Round, Watch, run_round
from auditor.watch.schedule import Schedule
from tests.edges.mail_server import WebServer, serving

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.lab, pytest.mark.slow]
START = datetime.now(UTC).replace(hour=1, minute=30, second=0, microsecond=0) - timedelta(days=12)
"""The morning after the crash, so long ago that all of what follows lies before now."""
RULE = "symantec-server-updates-older-server-beside-rapdrv"
PLAYBOOK = "blackice-application-protection-off"
DUMP = "C:\\WINDOWS\\Minidump\\Mini{{-1d|%m%d%y}}-01.dmp"

TWO_SERVERS = """\
title: the two servers of the incident
extends: incident
remove: [dc-1, print-1, file-1, web-1, sql-1, de-1, quiet-19, quiet-22]
"""
REMEDIED = """\
title: server B has a client in place of its server
extends: two-servers
remove: [srv-b]
hosts:
  srv-b:
    base: [windows-2003, symantec-client, symantec-9]
    groups: [file_servers]
    zone: {name: China Standard Time, bias: -480}
    network: {computer_name: SRVB, domain: corp.example, optional_names: [BACKUP], adapters: {LAN: {addresses: [192.168.10.12]}}}
    registry:
      HKLM\\SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion: {Parent: SRVA}
    programs:
      client: {name: Symantec AntiVirus, version: 9.0.3.1000, publisher: Symantec Corporation}
"""
QUIET = """\
title: some days later; nothing has happened but updates
extends: remedied
patch:
  srv-a:
    system: {{boot: {boot}}}
    files: {{'{dump}': null}}
    events:
      boot-9: {{time: {boot}}}
      boot-5: {{time: {boot}}}
      unexpected-shutdown: {{time: {boot}, strings: ["19:03:12", "x", "", "", "", ""]}}
      save-dump: {{time: {boot}, strings: ["0x0000008e (0xc0000005, 0xf535e785, 0xf4c0bb54, 0x00000000)", "C:\\\\x.dmp"]}}
      system-error: {{time: {boot}}}
      sav-before: {{log: Application, source: Symantec AntiVirus, id: 7, time: -90m, strings: [New virus definition file loaded.]}}
    drivers:
      AcmeNic:
        image: 'system32\\drivers\\acmenic.sys'
        start: demand
        file: {{version: {{file: 1.0.0.0, company: Acme}}, linked: 0x42435e60}}
"""


class Story:
    """Days that pass: a lab that is exchanged for another, a watch with a clock of its own, a reader on a webhook."""

    def __init__(self, folder: Path, server: WebServer) -> None:
        self.folder = folder
        self.store = folder / "store.db"
        self.server = server
        self.moment = START
        self.stop = threading.Event()
        for name, text in {"two-servers": TWO_SERVERS, "remedied": REMEDIED, "quiet": self._quiet()}.items():
            (folder / f"{name}.yml").write_text(text, encoding="utf-8")
        (folder / "notify.toml").write_text('[[webhook]]\nurl_env = "HOOK"\n')
        self.channels = load_channels(folder / "notify.toml", {"HOOK": server.url})

    @staticmethod
    def _quiet() -> str:
        boot = (START - timedelta(days=1)).strftime("%Y-%m-%d 19:06:31")
        return QUIET.format(boot=boot, dump=DUMP)

    def now(self) -> datetime:
        """The clock of the watch and of the hosts."""
        return self.moment

    def nap(self, seconds: float) -> bool:
        """Time passes at once."""
        self.moment += timedelta(seconds=seconds)
        return self.stop.is_set() or self.moment >= self.end

    @contextlib.contextmanager
    def _watch(self, inventory: Path) -> Iterator[Watch]:
        matrix = (shipped("compat_matrix"),)
        plan = AuditPlan(inventory=(inventory,), matrix=matrix, host_deadline_seconds=60)
        yield Watch(
            where=self.store,
            name="incident",
            audit=functools.partial(audit_fleet, plan=plan, now=self.now, tell=lambda result: None),
            now=self.now,
            journal=Journal(self.now, file=self.folder / "journal"),
            channels=self.channels,
            deliver=deliver,
            changes=lambda store: functools.partial(stored_changes, store, matrix),
        )

    def watch(self, fleet: str, days: float) -> None:
        """Watches a fleet for so many days, two rounds a day."""
        self.end = self.moment + timedelta(days=days)
        state = self.folder / f"{fleet}-{self.moment:%d%H}"
        with serve(self.folder / f"{fleet}.yml", state, clock=self.now) as lab, self._watch(lab.inventory) as watch:

            def turn(due: Due, next_due: datetime) -> Round:
                return run_round(watch, self.stop, due=due.at, missed=due.missed, next_due=next_due)

            clocks = Clocks(self.now, lambda: self.moment.timestamp(), self.nap)
            done = watch_over(Schedule("0 2,14 * * *", UTC), clocks, self.store, turn, self.stop, watch.journal)
            assert done is None or done.error is None, done
            assert lab.violations.read_text() == ""

    def told(self) -> list[tuple[str, str]]:
        """Kind and rule or case of all items that reached the reader, of interest here."""
        items = [item for posted in self.server.posted for item in json.loads(posted.body)["items"]]
        return [(item["kind"], item["rule"] or item["ref"]) for item in items if item["rule"] in ("", RULE)]

    def last(self) -> dict[str, Any]:
        """The last item that reached the reader."""
        item: dict[str, Any] = json.loads(self.server.posted[-1].body)["items"][-1]
        return item

    def auditor(self, *arguments: str) -> dict[str, Any]:
        """The command line, as JSON."""
        command = [sys.executable, "-m", "auditor", *arguments, "--store", str(self.store), "--format", "json"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AUDITOR_")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=clean, timeout=100)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def remedy(self) -> None:
        """B gets its client; the case is opened by the command line, as of now."""
        self.moment += timedelta(hours=2)
        at = self.moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        with open_store(self.store) as store:
            until = (self.moment + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
            reason = "a client in place of the server"
            store.explain(Explanation(id="plan-1", kind="remediation", reason=reason, hosts=("srv-b",), from_=at, until=until))
        words = ["--title", "Server A restarts", "--host", "srv-a", "--bugcheck", "0x8E", "--days", "3", "--since", at]
        words += ["--trigger", "Application/Symantec AntiVirus/7/virus definition", "--times", "2", "--remedy", "client on server B"]
        opened = self.auditor("watch", "cases", "open", *words, "--contingency", PLAYBOOK)
        assert opened["case"]["id"] == "server-a-restarts"


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with serving(WebServer()) as server:
        yield Story(tmp_path, server)


def _before_and_remedy(story: Story) -> None:
    story.watch("two-servers", 0.1)
    assert story.told() == [("new", RULE)]
    story.remedy()
    story.watch("remedied", 1)
    assert story.told() == [("new", RULE), ("fixed", RULE)]


def test_the_crash_stays_away_and_the_case_closes_itself(story: Story) -> None:
    _before_and_remedy(story)
    story.watch("quiet", 2.5)
    assert story.told()[2:] == [("case_clean", "server-a-restarts")], story.last()
    case = story.auditor("watch", "cases", "show", "server-a-restarts")["case"]
    assert (case["state"], case["outcome"]) == ("closed", "clean")
    assert case["watched"][0]["seconds"] >= 3 * 86_400
    changes = [change["what"] for change in case["changes"]]
    assert any(what.startswith("drivers AcmeNic was added") for what in changes)
    text = " ".join(story.last()["text"])
    assert "none of them alone is taken for the reason" in text
    assert story.auditor("watch", "cases", "list")["cases"][0]["id"] == "server-a-restarts"


def test_the_crash_comes_back_and_the_playbook_is_offered(story: Story) -> None:
    """The same fleet, started anew days later: its crash was yesterday again."""
    _before_and_remedy(story)
    story.watch("remedied", 1.1)
    assert story.told()[2:] == [("case_recurred", "server-a-restarts")]
    item = story.last()
    assert item["text"][0].startswith("stop code 0x8e on srv-a at ")
    assert item["next_step"].startswith(f"Offered: the contingency playbook {PLAYBOOK} for srv-a.")
    case = story.auditor("watch", "cases", "show", "server-a-restarts")["case"]
    assert (case["state"], case["contingency_outcome"]) == ("escalated", "offered")
    ended = story.auditor("watch", "cases", "close", "server-a-restarts", "--reason", "the protection was switched off")["case"]
    assert (ended["state"], ended["outcome"]) == ("closed", "recurred")


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_watch_once_by_the_command_line(story: Story, tmp_path: Path) -> None:
    """As a timer runs it: new once, then silence; the journal and the figures beside."""
    settings, metrics, journal = tmp_path / "n.toml", tmp_path / "auditor.prom", tmp_path / "journal.jsonl"
    settings.write_text(f'[[webhook]]\nurl = "{story.server.url}"\n')
    words = [
        "--notify",
        str(settings),
        "--metrics",
        str(metrics),
        "--journal",
        str(journal),
        "--host-deadline",
        "60",
        "--fail-on",
        "critical",
    ]
    command = [sys.executable, "-m", "auditor", "watch", "--once", "--store", str(story.store), "--format", "json", *words]
    with serve(story.folder / "remedied.yml", tmp_path / "state") as lab:
        run: Callable[[], subprocess.CompletedProcess[str]] = functools.partial(
            subprocess.run, [*command, "-i", str(lab.inventory)], capture_output=True, text=True, check=False, cwd=ROOT, timeout=100
        )
        first, second = run(), run()
    assert first.returncode in (2, 3, 4), first.stderr
    assert {item["kind"] for item in json.loads(first.stdout)["items"]} == {"new"}
    assert json.loads(second.stdout)["items"] == []
    assert len(story.server.posted) == 1
    events = [line["event"] for line in _lines(journal)]
    assert events.count("round_finished") == 2
    assert events.count("host_done") == 4
    assert "auditor_watch_rounds_total 2" in metrics.read_text()
    assert story.server.url not in first.stderr + journal.read_text()
