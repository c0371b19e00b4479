"""Whether trouble comes back after a remedy, and how much of the past a host's log shows."""
