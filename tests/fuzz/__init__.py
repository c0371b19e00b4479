"""Mutation fuzzing of the readers of strangers' files: `python -m tests.fuzz --seconds 600`; a short run is part of the tests."""
