"""The compatibility matrix as files: strict loading with places, the cases beside rules and signatures, and the published schemas.

Reads YAML, changes nothing. A matrix with errors is never half loaded: all problems come at once, in one MatrixError.
"""

from __future__ import annotations

from auditor.matrix.cases import CaseResult, run_cases
from auditor.matrix.load import load_matrix
from auditor.matrix.remedies import load_remedies
from auditor.matrix.requests import requested_event_sources, requested_keys, requested_logs

__all__ = ["CaseResult", "load_matrix", "load_remedies", "requested_event_sources", "requested_keys", "requested_logs", "run_cases"]
