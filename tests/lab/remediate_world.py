"""A lab, its store, a matrix of one own rule, and `auditor remediate` over both inventories, as a person would call it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from auditor.cli.asking import Asking
from auditor.cli.flags import Everywhere
from auditor.cli.program import run
from auditor.cli.watch_runner import Running, runner_of
from auditor.lab.serve import Lab, serve
from auditor.model.case import Case
from auditor.store import open_store

SAMPLES = Path(__file__).parents[1] / "samples" / "playbooks"
RULE = (SAMPLES.parent / "own-agent-starts.yml").read_text(encoding="utf-8")


class Said(NamedTuple):
    """What a call of the program came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


class World:
    """Calls the program on one lab."""

    def __init__(self, lab: Lab, folder: Path, playbooks: Path | None, matrix: Path | None) -> None:
        self.lab, self.folder = lab, folder
        self.plan_file = folder / "plan.yml"
        self._store = ["--store", str(folder / "s.db")]
        self._matrix = ["--matrix", str(matrix)] if matrix else []
        self._playbooks = ["--playbooks", str(playbooks)] if playbooks else []
        self._operator = ["--operator-inventory", str(lab.operator_inventory)]
        self._inventory = ["-i", str(lab.inventory)]
        collections = os.environ.get("AUDITOR_COLLECTIONS")
        self.collections = ["--collections", collections] if collections else []

    def call(self, *words: str) -> Said:
        """The program with these words."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(list(words))
        return Said(code, out.getvalue(), err.getvalue())

    def audit(self, *more: str) -> Said:
        """An audit of the lab."""
        return self.call("audit", *self._inventory, *self._store, *self._matrix, "--format", "json", *more)

    def plan(self, *words: str) -> Said:
        """A plan from the last report."""
        places = (*self._operator, *self._playbooks, *self.collections)
        return self.call(
            "remediate", "plan", *self._store, *self._matrix, *places, "--plan", str(self.plan_file), "--format", "json", *words
        )

    def check(self) -> Said:
        """The plan in check mode."""
        places = (*self._inventory, *self._operator, *self._playbooks, *self.collections)
        return self.call("remediate", "check", str(self.plan_file), *places, "--format", "json")

    def apply(self, digest: str, hosts: int, *words: str) -> Said:
        """The plan for real."""
        return self.call(*self._apply(digest, hosts), *words)

    def apply_command(self, digest: str, hosts: int) -> list[str]:
        """The same as a process of its own."""
        return [sys.executable, "-m", "auditor", *self._apply(digest, hosts)]

    def _apply(self, digest: str, hosts: int) -> tuple[str, ...]:
        places = (*self._inventory, *self._operator, *self._playbooks, *self.collections, *self._store, *self._matrix)
        asked = ("--digest", digest, "--yes", "--expect-hosts", str(hosts), "--format", "json")
        return ("remediate", "apply", str(self.plan_file), *places, *asked)

    @contextlib.contextmanager
    def runner(self, values: Path) -> Iterator[Callable[[Case], str]]:
        """What the watch runs contingencies with, as its options make it."""
        matrix = (Path(self._matrix[1]),) if self._matrix else ()
        store = self._store[1]
        every = Everywhere(inventory=(self.lab.inventory,), limit=None, store=store, matrix=matrix, format=None, output=(), verbose=0)
        collections = Path(self.collections[1]) if self.collections else None
        running = Running(
            run_contingencies=True,
            values=(values,),
            secrets=None,
            allow_restart=False,
            play_time=300.0,
            playbooks=Path(self._playbooks[1]) if self._playbooks else None,
            collections=collections,
            operator_inventory=(self.lab.operator_inventory,),
        )
        asking = Asking(
            lab=None,
            host_deadline=60.0,
            parallel=8,
            event_days=30,
            hash_drivers="none",
            fragmentation=False,
            allow_unverified_tls=False,
            allow_credssp=False,
            use_proxy=False,
            trust_inventory=False,
            vault_password_file=(),
        )
        found = runner_of(every, running, asking)
        assert found is not None
        with contextlib.redirect_stderr(io.StringIO()):
            yield found

    def digests(self, hosts: Sequence[str]) -> dict[str, str]:
        """Host -> digest of all that stays, by another audit."""
        assert self.audit().code in (0, 2, 3, 4)
        with open_store(self.folder / "s.db", write=False) as store:
            return {state.host: state.content for state in store.latest_states(1, list(hosts))}


@contextlib.contextmanager
def world(folder: Path, fleet: str, digest_of: Any, playbooks: Path | None = SAMPLES, rule: str | None = RULE) -> Iterator[World]:
    """A running lab with this fleet."""
    (folder / "fleet.yml").write_text(fleet, encoding="utf-8")
    matrix = None
    if rule is not None:
        matrix = folder / "own"
        (matrix / "rules" / "own").mkdir(parents=True)
        (matrix / "rules" / "own" / "own-agent-starts.yml").write_text(rule, encoding="utf-8")
    with serve(folder / "fleet.yml", folder / "state", probe_digest_of=digest_of) as lab:
        yield World(lab, folder, playbooks, matrix)
