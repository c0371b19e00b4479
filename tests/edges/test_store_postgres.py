"""The store in PostgreSQL: how it is reached and refused, who waits for whom, and what is left when the server is stopped at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.model.errors import StoreError
from auditor.store import open_store
from auditor.store.holding import hold
from tests.edges.postgres import Place, Server, private_server
from tests.edges.store_samples import AT, fill, result_of, saving, snapshot_of, target_of


@pytest.fixture
def url(server: Server) -> str:
    """An empty database."""
    return server.url(server.database())


def _refused(where: str, words: str, *, write: bool = True) -> str:
    with pytest.raises(StoreError, match=words) as caught, open_store(where, write=write):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_the_address_leads_to_the_same_driver(url: str, scheme: str) -> None:
    with open_store(url.replace("postgresql", scheme, 1)) as store:
        fill(store, "SRVA")
    with open_store(url, write=False) as store:
        assert [s.target.name for s in store.latest_results()] == ["SRVA"]


def test_what_can_not_be_reached_says_why_and_shows_no_password(server: Server, url: str) -> None:
    name = url.rpartition("/")[2]
    _refused(f"postgresql://auditor:{server.password}@127.0.0.1:9/{name}", "can't be reached")
    _refused(server.url("nosuch"), "is not there")
    said = _refused(server.url(name, password="Wr0ng-Secret"), "does not let this user in")
    assert "Wr0ng-Secret" not in said
    said = _refused(f"postgresql://auditor@127.0.0.1:{server.port}/{name}?password=Wr0ng-Secret", "does not let this user in")
    assert "Wr0ng-Secret" not in said


@pytest.mark.parametrize("where", ["mysql://u:geheim@h/x", "sqlite:///store.db", "postgresql://u:geheim@h:port/x", "://"])
def test_another_kind_of_database_is_refused(where: str) -> None:
    assert "geheim" not in _refused(where, "database")


def test_a_database_without_a_store_is_not_made_one_for_reading(url: str) -> None:
    _refused(url, "no store", write=False)
    with pytest.raises(StoreError, match="no store"), open_store(url, create=False):
        pass


def test_a_user_without_rights_is_told_so(server: Server, url: str) -> None:
    name = url.rpartition("/")[2]
    server.execute(f"CREATE ROLE reader_{name} LOGIN PASSWORD 'x1'")
    mine = server.url(name, user=f"reader_{name}", password="x1")
    _refused(mine, "does not let this user write")
    with open_store(url) as store:
        fill(store, "SRVA")
    server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{name}", name)
    with open_store(mine, write=False) as store:
        assert store.read_snapshot("SRVA") == snapshot_of("SRVA")


def test_a_database_that_can_not_hold_every_text_is_refused(server: Server) -> None:
    _refused(server.url(server.database("LATIN1")), "encoding")


def test_a_writer_that_does_not_let_go_is_told_of(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.store.opening.BUSY_MILLISECONDS", 300)
    with open_store(url) as first, open_store(url) as second:
        run = first.begin_run("audit", AT, "0.1.0")
        with first._transaction(), pytest.raises(StoreError, match="does not let go"):
            second.begin_run("audit", AT, "0.1.0")
        second.save_result(run, target_of("SRVA"), result_of("SRVA"))


def test_many_stores_are_made_and_written_at_once(url: str) -> None:
    """Tables, runs of one second and the contents that all hosts share, from eight connections."""
    failed: list[BaseException] = []
    runs: list[str] = []

    def work(number: int) -> None:
        try:
            with open_store(url) as store:
                run = store.begin_run("audit", AT, "0.1.0")
                runs.append(run)
                for host in range(5):
                    name = f"H{number}-{host}"
                    store.save_result(run, target_of(name), result_of(name, snapshot_of(name)))
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(set(runs)) == 8
    with open_store(url, write=False) as store:
        assert len(store.latest_results()) == 40


def test_a_reader_sees_one_state(url: str) -> None:
    """What is saved while a reader is at it comes after."""
    with open_store(url) as writer, open_store(url, write=False) as reader:
        run = fill(writer, "SRVA")
        with reader._transaction() as connection:
            before = connection.exec_driver_sql("SELECT count(*) FROM result").scalar_one()
            writer.save_result(run, target_of("SRVB"), result_of("SRVB"))
            assert connection.exec_driver_sql("SELECT count(*) FROM result").scalar_one() == before
        assert len(reader.latest_results()) == 2


def test_commits_are_written_through_whatever_the_servers_setting(server: Server, url: str) -> None:
    server.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off")
    with open_store(url) as store, store._transaction() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


def test_a_piece_of_work_is_held_by_one_at_a_time(place: Place) -> None:
    with open_store(place.where):
        pass
    with hold(place.where, "watch"):
        with pytest.raises(StoreError, match="another process"), hold(place.where, "watch"):
            pass
        with hold(place.where, "something-else"):
            pass
    with hold(place.where, "watch"):
        pass


def _stop_after(child: subprocess.Popen[str], count: int, server: Server, how: str) -> int:
    """Stops the server when so many hosts are saved; the number of the last host that was told as saved."""
    assert child.stdout is not None
    last = -1
    for line in child.stdout:
        last = int(line)
        if last == count:
            server.stop(how)
    return last


@pytest.mark.parametrize("how", ["immediate", "fast"])
def test_a_server_that_is_stopped_loses_no_finished_host(how: str) -> None:
    with private_server() as own:
        url = own.url(own.database())
        with saving(url) as child:
            last = _stop_after(child, 12, own, how)
            assert child.stderr is not None
            said = child.stderr.read()
        assert child.returncode != 0
        assert "StoreError" in said.splitlines()[-1]
        assert own.password not in said
        own.start()
        with open_store(url) as store:
            saved = {s.target.name: s.result for s in store.latest_results()}
            assert {f"H{i}" for i in range(last + 1)} <= set(saved)
            assert all(result.snapshot == snapshot_of(name) for name, result in saved.items())
            assert [r.state for r in store.runs()] == ["running"]
            fill(store, "LATER")


@contextlib.contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", folder], check=False).returncode:
        pytest.skip("a small disk can't be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_of_the_server_is_a_clear_error(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    with _small_disk(server.folder / "small", 4) as disk:
        server.own(disk)
        name = server.database()
        server.execute(f"CREATE TABLESPACE small_{name} LOCATION '{disk}'")
        server.execute(f"ALTER DATABASE {name} SET default_tablespace = small_{name}")
        url = server.url(name)
        with open_store(url) as store:
            run = fill(store, "SRVA")
            with pytest.raises(StoreError, match="disk is full"):
                for number in range(2000):
                    host = f"H{number}"
                    store.save_result(run, target_of(host), result_of(host, snapshot_of(host, version=os.urandom(9000).hex())))
        with open_store(url, write=False) as store:
            assert store.read_snapshot("SRVA") == snapshot_of("SRVA")
        server.execute(f"DROP DATABASE {name}")
        server.execute(f"DROP TABLESPACE small_{name}")
