"""Audits over time: when they are due, what of them is new, who is told, and whether a trouble comes back.

Owns no way to ask hosts and no rules: it calls `audit`, keeps what it remembers in the store, and hands notices to `notify`. Clock, sleep
and everything else that waits are passed in, so that years pass in a test within a second.
"""

from __future__ import annotations
