"""Rules and the matrix. The conditions are in `selector`, the signatures of products in `signature`; ten minutes to learn, no code.

`applies_to` false: not applicable. `when` true: violated, false: satisfied. What lacks evidence is undetermined, with what is missing.
"""

from __future__ import annotations

import msgspec

from auditor.model.grade import CONFIDENCES, SEVERITIES, Confidence, Severity
from auditor.model.remedy import RemedyFor
from auditor.model.selector import Condition
from auditor.model.signature import Signature
from auditor.model.support import SupportFile
from auditor.model.table import Table

__all__ = ["CONFIDENCES", "SEVERITIES", "Condition", "Confidence", "Matrix", "Rule", "Severity", "Signature"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which things break."""

    id: str
    """Kebab-case, equal to the file's stem, kept for ever."""
    title: str
    severity: Severity
    confidence: Confidence
    roles: tuple[str, ...] = ("host",)
    """One or two names for the hosts that the rule speaks of. Two roles must be tied by an edge."""
    symmetric: bool = False
    """The two roles are alike: each pair of hosts is looked at once."""
    applies_to: Condition | None = None
    """False: not applicable."""
    when: Condition
    """True: violated."""
    subject: str
    """One sentence about the bound hosts; `{role}` is replaced by the host's name."""
    subject_keys: tuple[str, ...] = ()
    """What besides the hosts makes findings of this rule distinct: literal words, for example a driver's name."""
    mechanism: str
    effect: str
    resolution: str
    remedy: str | None = None
    """Playbook id, or null."""
    remedy_for: RemedyFor | None = None
    """Which host the playbook changes, and what the finding tells it; needed where the rule has two roles."""
    references: tuple[str, ...]
    """http(s) addresses of the sources, or `incident` for the founding case."""


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """Rules and signatures as loaded from one or more folders."""

    rules: tuple[Rule, ...]
    signatures: tuple[Signature, ...]
    tables: dict[str, frozenset[str]] = {}
    """Tables of drivers by id: sets of lower-case keys such as SHA-256 hashes."""
    lists: dict[str, Table] = {}
    """All data tables by id, with where they come from."""
    supports: tuple[SupportFile, ...] = ()
    """What is supported where and beside what, by product."""
    digest: str
    """SHA-256 over all files, so that a report says which knowledge it rests on."""
