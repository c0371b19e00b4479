"""`auditor baseline`: what hosts should look like, proposed from a group, frozen from a host, and listed."""

from __future__ import annotations

from auditor.cli.flags import everywhere_options
from auditor.cli.program import LazyGroup

_HERE = "auditor.cli.baseline_verbs"

baseline = LazyGroup(
    "baseline",
    verbs={
        "learn": (_HERE, "Propose a baseline from the hosts of a group."),
        "accept": (_HERE, "Freeze the state of a host as what it should look like."),
        "list": (_HERE, "List the baselines of roles and the frozen states."),
    },
    params=everywhere_options(plain=True),
    help="Propose, freeze and list what hosts should look like.",
    context_settings={"max_content_width": 120},
)
