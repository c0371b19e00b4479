"""The store: snapshots, results and reports of all runs in one database. All of its I/O lives here; it interprets nothing.

SQLite in one file by default, another database by its URL. Open it with `open_store`; `default_path` says where it lies unless told.
"""

from __future__ import annotations

from auditor.store.opening import default_path, open_store
from auditor.store.past import StoredState
from auditor.store.shapes import StoredHost, StoredRun
from auditor.store.store import Store

__all__ = ["Store", "StoredHost", "StoredRun", "StoredState", "default_path", "open_store"]
