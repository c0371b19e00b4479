"""A fleet of the lab made for the collector's tests: small hosts, each with one way to misbehave, in one run."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from auditor.collect.fleet import Limits, collect_fleet
from auditor.inventory import Inventory, load_inventory
from auditor.lab.serve import Lab, serve
from auditor.model.credential import Credential
from auditor.model.host import HostResult, Target
from auditor.probes.bundle import ProbeRequest, build_bundle, bundle_digest

REQUEST = ProbeRequest(sections=("system", "network", "services", "programs", "shares"))


class Running(NamedTuple):
    """A lab with the inventory that it wrote."""

    lab: Lab
    inventory: Inventory

    def target(self, name: str) -> Target:
        """One target."""
        return next(t for t in self.inventory.targets if t.name == name)

    def collect(self, *names: str, seconds: float = 5.0, request: ProbeRequest = REQUEST, **options: Any) -> dict[str, HostResult]:
        """Results of the hosts named, of all where none is named."""
        targets = options.pop("targets", None) or [t for t in self.inventory.targets if not names or t.name in names]
        credentials: Mapping[str, Credential] = options.pop("credentials", self.inventory.credentials)
        limits = options.pop("limits", Limits(host_deadline_seconds=seconds, answer_bytes=2 * 1024 * 1024))
        return {r.host: r for r in collect_fleet(targets, credentials, request, limits=limits, **options)}

    def violations(self) -> str:
        """What the auditor's account did besides the probe."""
        return self.lab.violations.read_text(encoding="utf-8")

    def open_shells(self) -> dict[str, tuple[str, ...]]:
        """Shells that are still open, by host."""
        found = {t.name: self.lab.server.open_shells(t.name) for t in self.inventory.targets}
        return {name: shells for name, shells in found.items() if shells}


def facts(base: str = "windows-2003", **more: Any) -> dict[str, Any]:
    """A host's facts; `behaviour` as keyword arguments' dictionary."""
    return {"base": base, "network": {"computer_name": "LABHOST"}, **more}


@contextlib.contextmanager
def running(hosts: Mapping[str, Mapping[str, Any]]) -> Iterator[Running]:
    """A lab with these hosts, which takes the auditor's own bundle only."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fleet.yml"
        file.write_text(yaml.safe_dump({"title": "collector tests", "hosts": {n: dict(h) for n, h in hosts.items()}}), encoding="utf-8")
        with serve(file, Path(folder) / "state", probe_digest_of=_digest) as lab:
            yield Running(lab, load_inventory([lab.inventory]))


def _digest(sections: tuple[str, ...]) -> str:
    return bundle_digest(build_bundle(ProbeRequest(sections=sections)))


def stop_after(seconds: float) -> threading.Event:
    """An event that is set after a while, as by Ctrl-C."""
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    return stop
