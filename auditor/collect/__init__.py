"""Collection: targets and credentials in, a result for every target out. Asks hosts over WinRM, stores nothing, judges nothing.

Nothing heavy is imported here; `auditor.collect.fleet` holds `collect_fleet` and `Limits`.
"""
