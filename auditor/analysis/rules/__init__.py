"""Rules decided on a fleet: which can concern a host, on which pairs, and the life of their findings."""
