"""`auditor store`: what is stored, as a file and back, and what is kept for how long."""

from __future__ import annotations

from auditor.cli.flags import everywhere_options
from auditor.cli.program import LazyGroup

_HERE = "auditor.cli.store_verbs"

store = LazyGroup(
    "store",
    verbs={
        "export": (_HERE, "Write the store into one file, with --redact without names."),
        "restore": (_HERE, "Take an exported file into a store."),
        "prune": (_HERE, "Delete old snapshots, reports and what nothing refers to."),
    },
    params=everywhere_options(plain=True),
    help="Export, restore and prune what is stored.",
    context_settings={"max_content_width": 120},
)
