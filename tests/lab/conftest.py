"""The incident's lab, running for the whole session: what its auditor account tried besides the probe fails the tests at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import yaml

from auditor.lab.serve import Lab, serve
from auditor.probes.bundle import ProbeRequest, build_bundle, bundle_digest


def own_digest(sections: Sequence[str]) -> str:
    """Digest of the auditor's own bundle for these sections."""
    return bundle_digest(build_bundle(ProbeRequest(sections=tuple(sections))))


@pytest.fixture(scope="session")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The shipped incident fleet. Its auditor account may run the probe and nothing else, in all tests together."""
    with serve("incident", tmp_path_factory.mktemp("incident"), probe_digest_of=own_digest) as lab:
        yield lab
    assert lab.violations.read_text() == "", "the auditor's account asked for something that is not the probe"


@pytest.fixture(scope="session")
def incident_login(incident: Lab) -> tuple[str, str]:
    """User and password of the auditor's account, as the lab's inventory states them."""
    variables = yaml.safe_load(incident.inventory.read_text())["all"]["children"]["windows"]["vars"]
    return variables["ansible_user"], variables["ansible_password"]
