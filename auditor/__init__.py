"""Configuration-drift and compatibility auditor for Windows fleets. Holds the version and nothing else."""

__version__ = "0.1.0"
