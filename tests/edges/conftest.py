"""Fixtures that several tests of the edges share."""

from __future__ import annotations

from tests.edges.postgres import place, server

__all__ = ["place", "server"]
