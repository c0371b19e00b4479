"""Tests of the edges: files, databases, the real PowerShell engine."""
