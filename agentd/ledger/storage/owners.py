"""How a process shows that it lives, so that others leave its calls alone, and how they find that it does not.

On SQLite by an OS file lock, held until the process is gone: free means dead, at once. On PostgreSQL by a session's advisory
lock, free within moments of the session's end, and by a lease on the database's clock, for a holder that stalls and keeps its
session. A server that was started anew has lost all locks: there a free lock counts only once its owner has renewed, and
every lease begins again.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, TextClause, exists, select, text
from sqlalchemy.exc import DBAPIError

from agentd.ledger.storage.engines import turn
from agentd.ledger.storage.tables import owners

SKEW_S: Final = 1.0
"""What two clocks may drift apart, and a request may linger on its way, while a lease runs."""


class Life(Protocol):
    """One process's hold on its owner's name."""

    def hold(self, owner: str) -> None:
        """Take the lock of that name, or keep it; whoever holds it is not taken for dead. Raises OSError or DBAPIError."""

    def fields(self, connection: Connection) -> dict[str, Any]:
        """The lease's columns for a new row of `owners`."""

    def renew(self, owner: str, fence: int) -> bool:
        """Renew the lease; False where the owner was taken for dead."""

    def outlasts(self, owner: str, fence: int, call: str, timeout: float) -> bool:
        """Whether nobody takes over `call` for another `timeout` seconds, however this process fares; extends the lease."""

    def dead(self, connection: Connection, owner: str) -> list[str]:
        """All owners but `owner` that are dead, as of the transaction of `connection`, until whose end they stay so."""

    def close(self, owner: str) -> None:
        """Let go of the lock. Raises OSError or LedgerDown."""


class Files:
    """Life beside a SQLite file: `<database>.owner-<owner>`, locked. A file that is gone is nobody's."""

    def __init__(self, engine: Engine, database: Path) -> None:
        self._engine, self._database = engine, database
        self._held: int | None = None

    def _path(self, owner: str) -> Path:
        return self._database.with_name(f"{self._database.name}.owner-{owner}")

    def hold(self, owner: str) -> None:
        """See Life."""
        if self._held is not None:
            os.close(self._held)
        self._held = os.open(self._path(owner), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def fields(self, connection: Connection) -> dict[str, Any]:
        """See Life."""
        return {}

    def renew(self, owner: str, fence: int) -> bool:
        """See Life. What has gathered in the write-ahead log is put in its place, so that no write has to wait for that."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
            return bool(connection.scalar(select(exists().where(owners.c.id == owner, owners.c.fence == fence))))

    def outlasts(self, owner: str, fence: int, call: str, timeout: float) -> bool:
        """See Life: nobody takes the lock from a process, stalled or not."""
        return True

    def dead(self, connection: Connection, owner: str) -> list[str]:
        """See Life. The transaction is the database's only one that writes: two never look at the same lock."""
        return [other for other in connection.scalars(select(owners.c.id).where(owners.c.id != owner)) if self._free(other)]

    def _free(self, owner: str) -> bool:
        path = self._path(owner)
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            return False
        finally:
            os.close(file)
        return True

    def close(self, owner: str) -> None:
        """See Life."""
        if self._held is not None:
            self._path(owner).unlink(missing_ok=True)
            os.close(self._held)
            self._held = None


_NOW: Final = "extract(epoch FROM clock_timestamp())::float8"

_FIELDS = text(f"SELECT {_NOW} AS renewed, {_NOW} + :lease AS lease_until")

_RENEW = text(
    f"UPDATE ledger_owners SET renewed = {_NOW}, lease_until = greatest(lease_until, {_NOW} + :lease)"
    " WHERE id = :owner AND fence = :fence"
)

_OUTLAST = text(
    f"{_RENEW.text} AND EXISTS (SELECT 1 FROM ledger_calls c WHERE c.id = :call AND c.owner = :owner AND c.fence = :fence)"
)

_OTHERS = text(
    f"SELECT id, greatest(lease_until, up + :lease) < {_NOW} AS late, renewed > up AS renewed FROM ledger_owners,"
    " (SELECT extract(epoch FROM pg_postmaster_start_time())::float8 AS up) AS server"
    " WHERE id <> :owner FOR UPDATE OF ledger_owners SKIP LOCKED"
)


class Sessions:
    """Life in a PostgreSQL database: a connection of its own, whose session holds the lock, and the lease."""

    def __init__(self, engine: Engine, lease_s: float) -> None:
        self._engine, self._lease = engine.execution_options(isolation_level="AUTOCOMMIT"), lease_s
        self._turn = Lock()
        self._session: Connection | None = None
        self._locked = False

    def hold(self, owner: str) -> None:
        """See Life."""
        self._ask(owner, text("SELECT 1"))

    def fields(self, connection: Connection) -> dict[str, Any]:
        """See Life."""
        return dict(connection.execute(_FIELDS, {"lease": self._lease}).mappings().one())

    def renew(self, owner: str, fence: int) -> bool:
        """See Life."""
        return self._ask(owner, _RENEW, fence=fence, lease=self._lease) == 1

    def outlasts(self, owner: str, fence: int, call: str, timeout: float) -> bool:
        """See Life."""
        return self._ask(owner, _OUTLAST, fence=fence, call=call, lease=max(self._lease, timeout + SKEW_S)) == 1

    def dead(self, connection: Connection, owner: str) -> list[str]:
        """See Life. The rows of the others stay locked, so that none of them renews meanwhile."""
        others = connection.execute(_OTHERS, {"owner": owner, "lease": self._lease}).all()
        return [other.id for other in others if other.late or (other.renewed and self._free(connection, other.id))]

    @staticmethod
    def _free(connection: Connection, owner: str) -> bool:
        return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _number(owner)}))

    def close(self, owner: str) -> None:
        """See Life."""
        with turn(self._turn):
            if self._session is not None:
                with suppress(DBAPIError):  # else the server lets go once it notices that the session has ended
                    self._session.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _number(owner)})
            self._drop()

    def _ask(self, owner: str, statement: TextClause, **values: Any) -> int:
        """Run a statement in the session; answers how many rows it met. A session that was lost is replaced, once."""
        with turn(self._turn):
            try:
                return self._ask_once(owner, statement, values)
            except DBAPIError:
                self._drop()
                return self._ask_once(owner, statement, values)

    def _ask_once(self, owner: str, statement: TextClause, values: dict[str, Any]) -> int:
        if self._session is None:
            self._session = self._engine.connect()
        if not self._locked:  # the server may still hold it for a session that we have lost: then it is ours later
            self._locked = bool(self._session.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _number(owner)}))
        return self._session.execute(statement, {"owner": owner} | values).rowcount

    def _drop(self) -> None:
        if self._session is not None:
            self._session.invalidate()
            self._session.close()
            self._session, self._locked = None, False


def _number(owner: str) -> int:
    """The owner's name as the number of an advisory lock."""
    return int.from_bytes(bytes.fromhex(owner), "big", signed=True)
