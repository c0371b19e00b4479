"""Scheduled tasks of all Windows generations: how they are asked for, and pure readers of every format they come in."""
