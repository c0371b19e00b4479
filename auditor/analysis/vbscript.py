"""stub"""

from __future__ import annotations

from auditor.analysis.shellstate import State
from auditor.analysis.walker import Walker


def run_vbscript(walker: Walker, text: str, state: State) -> None:
    """Reads nothing yet."""
