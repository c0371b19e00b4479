"""The vocabulary of the auditor. Imports nothing of ours, holds no logic that asks, stores or prints.

Target: an inventory entry we may talk to. Host: the machine. Probe: one read-only question. Record: one typed row of
an answer. Section: all records of one kind. Snapshot: all sections of one host at one time. Product: a recognised
component with version, edition, role and evidence. Matrix: rules, signatures and baselines as loaded.
Unknown is not absent: in a record `None` means "not known", an empty sequence means "looked and found none".
"""
