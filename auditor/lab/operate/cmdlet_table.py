"""The table of all cmdlets that a lab host's PowerShell has."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.lab.operate import cmdlets, cmdlets_defender
from auditor.lab.operate.cmdlets import Cmdlet

CMDLETS: Mapping[str, Cmdlet] = {**cmdlets.CMDLETS, **cmdlets_defender.CMDLETS}
