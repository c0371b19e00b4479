"""`auditor remediate`: findings -> plan -> check -> apply -> record."""

from __future__ import annotations

from auditor.cli.flags import everywhere_options
from auditor.cli.program import LazyGroup

_APPLY = "auditor.cli.remediate_apply"
_HISTORY = "auditor.cli.remediate_history"

remediate = LazyGroup(
    "remediate",
    verbs={
        "plan": ("auditor.cli.remediate_plan", "Make a plan from findings of the last report; asks and changes no host."),
        "check": (_APPLY, "Run a plan in Ansible's check mode: what would change; changes nothing."),
        "apply": (_APPLY, "Apply an approved plan in waves, read the hosts again, take back what failed."),
        "history": (_HISTORY, "List what was applied, when, by whom, and what came of it."),
        "show": (_HISTORY, "Show all that is known of one application."),
    },
    params=everywhere_options(plain=True),
    help="Plan, check and apply remedies; see what was done.",
    context_settings={"max_content_width": 120},
)
