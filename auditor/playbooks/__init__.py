"""Runs playbooks through ansible-runner: which ones and on what they rest, a private stage, one bounded run with its events.

Owns everything that starts Ansible to change something. It decides neither what is run nor in which order (`remediation` does), keeps no
record, and reads no inventory: targets and credentials come resolved, and go to Ansible under the same connection policy as to the probe.
"""

from __future__ import annotations

from auditor.playbooks.collections import Collections, find_collections
from auditor.playbooks.digests import Foundation, foundation
from auditor.playbooks.run import Connection, run_playbook

__all__ = ["Collections", "Connection", "Foundation", "find_collections", "foundation", "run_playbook"]
