"""The two databases, each set up so that a commit is on the disk and nothing waits for ever."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from agentd.errors import LedgerDown, OperatorError

WAIT_S: Final = 0.8
"""Patience with a lock that another thread or process has: it is held for milliseconds, or for good."""

_PRAGMAS: Final = ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "wal_autocheckpoint = 8000")

_MS: Final = int(1000 * WAIT_S)

_POSTGRES: Final = {
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
    "keepalives_idle": 5,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    # The last one: a process that is stopped in the middle of a transaction keeps no locks from those who take over.
    "options": f"-c synchronous_commit=on -c lock_timeout={_MS} -c statement_timeout={2 * _MS}"
    f" -c idle_in_transaction_session_timeout={2 * _MS}",
}


@contextmanager
def turn(lock: Lock) -> Iterator[None]:
    """Hold a lock, so that a database which hangs hangs one thread, and not all. Raises LedgerDown."""
    if not lock.acquire(timeout=WAIT_S):
        raise LedgerDown("an earlier request hangs")
    try:
        yield
    finally:
        lock.release()


def file_of(url: str) -> Path | None:
    """The file of a SQLite ledger, None where it is PostgreSQL's. Raises OperatorError where the address is neither."""
    parts = _parts(url)
    return Path(parts.database or "") if parts.drivername == "sqlite" else None


def place(url: str) -> str:
    """Where the ledger is, for people: without the password."""
    return _parts(url).render_as_string(hide_password=True)


def _parts(url: str) -> URL:
    try:
        parts = make_url(url)
        sound = parts.drivername == "postgresql" or (
            parts.drivername == "sqlite" and parts.database not in {None, "", ":memory:"}
        )
    except (ArgumentError, ValueError):
        sound = False
    if not sound:
        raise OperatorError(
            "the ledger's address is none",
            where="ledger.url",
            mend="write sqlite:///path/to/ledger.sqlite or postgresql://user:password@host/database.",
        )
    return parts


def engine_for(url: str) -> Engine:
    """Connections to the ledger: those made with `execution_options(writing=True)` take SQLite's write lock as they begin.

    Raises OperatorError where the address is wrong or its driver is not installed.
    """
    file = file_of(url)
    if file is None:
        try:
            return create_engine(_parts(url).set(drivername="postgresql+psycopg"), connect_args=_POSTGRES, pool_timeout=WAIT_S)
        except ModuleNotFoundError:
            raise OperatorError(
                "PostgreSQL's driver is not installed", where="ledger.url", mend="pip install 'agentd[postgres]'."
            ) from None
    _make_private(file)
    engine = create_engine(URL.create("sqlite", database=str(file)), connect_args={"timeout": WAIT_S}, pool_timeout=WAIT_S)
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return engine


def _make_private(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise OperatorError(
            f"the ledger cannot be opened ({error.strerror})", where=str(file), mend="check the folder and its rights."
        ) from None


def _connected(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # sqlite3's own ideas of when to begin are not ours
    patience = time.monotonic() + WAIT_S
    while not _set_up(connection):
        if time.monotonic() > patience:
            raise sqlite3.OperationalError("database is locked")
        time.sleep(0.005)


def _set_up(connection: sqlite3.Connection) -> bool:
    """False while another process makes, opens or closes the file: for that alone SQLite does not wait by itself."""
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _begun(connection: Connection) -> None:
    begin = "BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN"
    connection.connection.cursor().execute(begin)
