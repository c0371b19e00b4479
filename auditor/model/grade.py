"""How bad and how sure: the words that rules, signatures, evidence and findings are graded with."""

from __future__ import annotations

from typing import Literal

Severity = Literal["informational", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("informational", "low", "medium", "high", "critical")
"""In rising order."""

Confidence = Literal["confirmed", "probable", "suspected"]
"""Confirmed: vendor or primary text says so. Probable: a secondary report. Suspected: inference, a single report, general knowledge."""
CONFIDENCES: tuple[Confidence, ...] = ("suspected", "probable", "confirmed")
"""In rising order."""
