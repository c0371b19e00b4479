"""Delivers notices: to a webhook, by mail, to a service that apprise knows. All of their I/O lives here; what is told is decided elsewhere.

Addresses, tokens and passwords come from a settings file, from files that it names, or from the environment. They appear in no log, no
error and no notice: errors of libraries, which quote addresses, are told in own words.
"""

from __future__ import annotations

from auditor.notify.delivery import deliver
from auditor.notify.settings import Channel, load_channels

__all__ = ["Channel", "deliver", "load_channels"]
