"""What the ledger does where its disk, its file or its server fails: it says so, loses nothing, and works again afterwards."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from agentd.errors import LedgerDown, OperatorError
from agentd.ledger.storage import tables
from agentd.ledger.storage.engines import engine_for
from tests.unit.ledger.keeping import Place, call, dropped, kept, row, rows_of
from tests.unit.ledger.test_owners import Other

# ── While it runs ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_locked_file_is_down_for_writes_alone_and_works_once_it_is_free(file: Place) -> None:
    store = file.open()
    store.write(call(), [row()])
    other = sqlite3.connect(file.file, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerDown, match="locked"):
            store.write(call(), [kept(row())])
        assert rows_of(store.of_call("c1")) == (row(),)
    finally:
        other.close()
    store.write(call(), [kept(row())])
    assert rows_of(store.of_call("c1")) == (kept(row()),)


def test_a_disk_that_takes_no_more_is_down_and_works_once_it_does(file: Place) -> None:
    full = Other(file.url, "full")
    try:
        full.ask("limit")
        assert full.ask("settle") == "LedgerDown"
        assert full.ask("settle") == "LedgerDown"
        reader = file.open()
        assert [one.settled for one in rows_of(reader.of_call("full"))] == [False]
        full.ask("unlimit")
        assert full.ask("settle") == "1"
        assert [one.settled for one in rows_of(reader.of_call("full"))] == [True]
    finally:
        full.kill()


def test_one_request_that_hangs_hangs_no_other(file: Place) -> None:
    store = file.open()
    hung, over = threading.Event(), threading.Event()

    def hang() -> None:
        with store.writing():
            hung.set()
            over.wait(30)

    thread = threading.Thread(target=hang)
    thread.start()
    try:
        assert hung.wait(5)
        with pytest.raises(LedgerDown, match="hangs"):
            store.write(call(), [row()])
        assert store.of_call("c1") is None
    finally:
        over.set()
        thread.join()
    store.write(call(), [row()])


def test_what_is_said_of_an_error_names_no_value(file: Place) -> None:
    store = file.open()
    store.write(call(), [row()])
    file.ask("DROP TABLE ledger_rows")
    with pytest.raises(LedgerDown) as caught:
        store.write(call(), [row()])
    assert str(caught.value) == "no such table: ledger_rows"


# ── When it is opened ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_torn_end_of_the_log_loses_the_torn_write_and_no_other(file: Place, tmp_path: Path) -> None:
    store = file.open()
    store.write(call(), [row()])
    log = file.file.with_name("ledger.sqlite-wal")
    whole = log.stat().st_size
    store.write(call(), [kept(row())])
    copy = tmp_path / "after-the-crash"
    copy.mkdir()
    torn = copy / "ledger.sqlite"
    torn.write_bytes(file.file.read_bytes())
    end = log.read_bytes()
    (copy / "ledger.sqlite-wal").write_bytes(end[:whole] + end[whole : whole + 5000])
    after = Place(f"sqlite:///{torn}")
    assert rows_of(after.open().of_call("c1")) == (row(),)
    after.open().take_over()
    after.stores[-1].write(call(), [dropped(row())])
    after.close()


def test_what_is_no_database_is_refused_with_its_place(file: Place) -> None:
    file.file.write_bytes(b"Dear diary, today " * 1000)
    with pytest.raises(OperatorError, match=r"ledger\.sqlite: the ledger cannot be opened \(file is not a database\).*Mend:"):
        file.open()


def test_a_broken_database_is_refused(file: Place) -> None:
    file.open().close()
    whole = file.file.read_bytes()
    file.file.write_bytes(whole[:100] + b"\xff" * 4000 + whole[4100:])
    with pytest.raises(OperatorError, match="malformed"):
        file.open()


@pytest.mark.parametrize(
    "url", ["", "sqlite://", "sqlite:///:memory:", "mysql://h/x", "postgresql+asyncpg://h/x", "nothing", "http://[x"]
)
def test_an_address_of_no_ledger_is_refused(url: str) -> None:
    with pytest.raises(OperatorError, match=r"sqlite:///path.*postgresql://"):
        Place(url).open()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match=r"file/ledger\.sqlite: the ledger cannot be opened"):
        Place(f"sqlite:///{tmp_path}/file/ledger.sqlite").open()


def test_a_server_out_of_reach_is_named_without_its_password() -> None:
    with pytest.raises(OperatorError, match=r"postgresql://me:\*\*\*@127\.0\.0\.1:1/x: the ledger cannot be opened") as caught:
        Place("postgresql://me:hunter2@127.0.0.1:1/x").open()
    assert "hunter2" not in f"{caught.value!r} {caught.value}"


def test_the_file_is_its_owners_alone(file: Place) -> None:
    store = file.open()
    store.write(call(), [row()])
    assert {path.stat().st_mode & 0o077 for path in file.file.parent.iterdir()} == {0}


def test_many_may_open_a_new_ledger_at_once(place: Place) -> None:
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(lambda _: place.open(), range(8)))
    stores[0].write(call(), [row()])
    assert rows_of(stores[1].of_call("c1")) == (row(),)
    assert place.ask("SELECT version FROM ledger_schema") == [1]


# ── Versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_newer_ledger_is_refused_and_left_alone(place: Place) -> None:
    place.open().write(call(), [row()])
    place.ask("UPDATE ledger_schema SET version = 99")
    with pytest.raises(OperatorError, match=r"ledger.*version 99.*none above 1.*Mend: run the agentd that wrote it"):
        place.open()
    assert place.ask("SELECT version FROM ledger_schema") == [99]


def test_an_older_ledger_takes_the_steps_that_it_lacks_each_once(place: Place) -> None:
    steps: list[str] = []

    def step(name: str) -> tables.Migration:
        def make(connection: Connection) -> None:
            steps.append(name)
            connection.exec_driver_sql(f"CREATE TABLE {name} (x int)")

        return make

    place.open()
    assert migrate(place, [step("one")]) == 2
    assert migrate(place, [step("one"), step("two"), step("three")]) == 4
    assert migrate(place, [step("one"), step("two"), step("three")]) == 4
    assert steps == ["one", "two", "three"]


def test_a_step_that_fails_leaves_the_older_ledger_as_it_was(place: Place) -> None:
    def half(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (x int)")
        raise RuntimeError

    place.open().write(call(), [row()])
    with pytest.raises(RuntimeError):
        migrate(place, [half])
    assert place.ask("SELECT version FROM ledger_schema") == [1]
    with pytest.raises(DBAPIError, match="half"):
        place.ask("SELECT * FROM half")


def migrate(place: Place, steps: list[tables.Migration]) -> int:
    """Open it as a program with these steps would; answers the version that it has then."""
    engine = engine_for(place.url).execution_options(writing=True)
    try:
        with engine.begin() as connection:
            tables.prepare(connection, place.url, steps)
        (version,) = place.ask("SELECT version FROM ledger_schema")
        return int(version)
    finally:
        engine.dispose()
