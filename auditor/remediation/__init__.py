"""Remediation: a plan applied in waves, checked before, verified after, rolled back where that is declared, and recorded throughout.

Owns the order of things. What asks hosts, runs playbooks, tells the time and asks a person is handed in (`Tools`); nothing here prints.
"""
