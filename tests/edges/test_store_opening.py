"""Opening a store: what is no store, may not be read or written, or is of another version, says so in one line."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from auditor.model.errors import StoreError
from auditor.store import open_store
from auditor.store.wording import shown_place

AT = "2026-11-26T01:00:00Z"


def _change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)


def test_reading_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store"), open_store(tmp_path / "none.db", write=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is no database, only a text that is long enough to be looked at" * 20)
    for write in (True, False):
        with pytest.raises(StoreError, match="no database"), open_store(path, write=write):
            pass


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    _change(path, "CREATE TABLE other (x)")
    with pytest.raises(StoreError, match="no store"), open_store(path, write=False):
        pass


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path):
        pass
    _change(path, "UPDATE auditor_schema SET version = 99")
    for write in (True, False):
        with pytest.raises(StoreError, match="newer"), open_store(path, write=write):
            pass


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="can't be made"), open_store(tmp_path / "file" / "store.db"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into read-only files")
def test_a_read_only_file_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path):
        pass
    path.chmod(0o400)
    with pytest.raises(StoreError, match="read-only"), open_store(path):
        pass


def test_a_store_opened_for_reading_refuses_to_write(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path):
        pass
    with open_store(path, write=False) as store, pytest.raises(StoreError, match="read-only"):
        store.begin_run("audit", AT, "0.1.0")


def test_a_password_in_a_database_url_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught, open_store("postgresql+psycopg://audit:geheim@127.0.0.1:1/store"):
        pass
    assert "geheim" not in str(caught.value)


def test_the_password_of_a_url_is_left_out_where_a_store_is_named() -> None:
    assert (
        shown_place("postgresql+psycopg://audit:ge:h/eim@db.example:5432/store") == "postgresql+psycopg://audit:***@db.example:5432/store"
    )
    assert shown_place("/var/lib/a@b:c/store.db") == "/var/lib/a@b:c/store.db"
