"""What is derived from snapshots, kept so that a fleet needs not be read again."""
