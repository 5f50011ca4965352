"""The store: rows of calls in SQLite or PostgreSQL, each write one transaction, on the disk when it returns.

A process owns calls, and a call its rows: every write locks the call and compares its owner and fence with the process's, so
that one which was taken for dead writes nothing. A verdict is guarded in the upsert itself. All is blocking: `ledger.Ledger`
carries it off the loop.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, case, delete, exists, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from agentd.errors import Fenced, InternalBug, LedgerDown, OperatorError
from agentd.ledger.row import Row, Verdict
from agentd.ledger.storage import tables
from agentd.ledger.storage.codec import CallFacts, Case, call_facts, call_record, row_of, row_record
from agentd.ledger.storage.engines import engine_for, file_of, place, turn
from agentd.ledger.storage.owners import Files, Life, Sessions
from agentd.ledger.storage.tables import calls, changes, owners, rows
from agentd.ledger.storage.vault import Vault

log = logging.getLogger(__name__)

BATCH: Final = 500
"""Rows or calls handled in one statement where there may be many: nobody waits long for the lock in between."""

_INSERT: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_CALL: Final = ("id", "owner", "fence", "flow", "started", "key", "sealed")
_HISTORY: Final = ("fact", "verdict", "told", "stuck", "why")

# Built once: what every write runs.
_OWNER: Final = select(calls.c.owner, calls.c.fence).where(calls.c.id == bindparam("of")).with_for_update()
_LIVES: Final = exists().where(owners.c.id == bindparam("owner"), owners.c.fence == bindparam("fence"))
_BEGIN: Final = calls.insert().from_select(
    _CALL, select(*(bindparam(name, type_=calls.c[name].type) for name in _CALL)).where(_LIVES)
)
_REMEMBER: Final = changes.insert().inline()
_END: Final = update(calls).where(calls.c.id == bindparam("of")).values(ended=func.coalesce(calls.c.ended, bindparam("now")))


def never() -> bool:
    """A write that nobody gives up."""
    return False


def open_store(url: str, vault: Vault, *, lease_s: float = 5.0, clock: Callable[[], float] = time.time) -> Store:
    """Open the ledger at `sqlite:///path` or `postgresql://…`, making it where there is none, and an older one new.

    `lease_s` counts on PostgreSQL only; `clock` gives epoch seconds. Raises OperatorError where it cannot be opened: it is no
    ledger, a newer one, out of reach, or sealed with a key that the vault does not have.
    """
    engine = engine_for(url)
    file = file_of(url)
    life: Life = Sessions(engine, lease_s) if file is None else Files(engine, file)
    store = Store(engine, life, vault, clock)
    try:
        with store.writing() as connection:
            tables.prepare(connection, place(url))
            _know_the_keys(connection, vault)
    except LedgerDown as error:
        store.close()
        raise OperatorError(
            f"the ledger cannot be opened ({error})", where=place(url), mend="mend or move what is there, or change ledger.url."
        ) from None
    except OperatorError:
        store.close()
        raise
    return store


def _know_the_keys(connection: Connection, vault: Vault) -> None:
    of_rows, of_calls = (select(one.c.key).where(one.c.sealed.is_not(None)) for one in (rows, calls))
    if not set(connection.scalars(of_rows.union(of_calls))) <= vault.names:
        raise OperatorError(
            "the ledger holds what was sealed with a key that is not given",
            where="ledger.key",
            mend="put back the key that was used before; behind the new one and a comma, if there is a new one.",
        )


class Store:
    """One process's hold on the ledger; made by `open_store`. It becomes an owner with its first row or takeover.

    Every method may raise LedgerDown: nothing was written (or, where the connection broke at the commit, it is not known:
    the same write may be made again), and it may work later. Threads may share it.
    """

    def __init__(self, engine: Engine, life: Life, vault: Vault, clock: Callable[[], float]) -> None:
        self.vault, self.clock = vault, clock
        self.owner, self.fence = secrets.token_hex(8), 0
        self._engine, self._life = engine, life
        self._writer: Connection | None = None
        self._writes, self._reads = Lock(), Lock()
        self._put = _upsert(_INSERT[engine.dialect.name])

    def close(self) -> None:
        """Let go of everything. What is unsettled is free for others at once."""
        self._life.close(self.owner)
        with turn(self._writes):
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._engine.dispose()

    # ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(
        self,
        call: CallFacts,
        changed: Sequence[Row],
        *,
        ended: bool = False,
        fence: int | None = None,
        given_up: Callable[[], bool] = never,
    ) -> int:
        """Write rows of one call, all or none, synced; `ended`: the call is over. A call is on file with its first row.

        `fence` is what the writer's last write answered, None at its first. Raises Fenced where the call was taken over since,
        InternalBug for a second verdict; nothing is written then. A write that is `given_up` before its commit is not made.
        """
        now = self.clock()
        records = [row_record(row, self.vault, now) for row in changed]
        with self.writing(given_up) as connection:
            if not self._owned(connection, call.id, fence):
                if not records:
                    return self.fence
                self._begin(connection, call)
            if records:
                self._write_rows(connection, records, now)
            if ended:
                connection.execute(_END, {"of": call.id, "now": now})
        return self.fence

    def _owned(self, connection: Connection, call: str, fence: int | None) -> bool:
        """Whether the call is on file: then it is ours, and locked. Raises Fenced."""
        found = connection.execute(_OWNER, {"of": call}).one_or_none()
        if found is not None and tuple(found) != (self.owner, fence or self.fence):
            raise Fenced(f"call {call} is another owner's by now")
        return found is not None

    def _begin(self, connection: Connection, call: CallFacts) -> None:
        """Open the call, as an owner that lives."""
        values = call_record(call, self.vault)
        while not connection.execute(_BEGIN, values | {"owner": self.owner, "fence": self.fence}).rowcount:
            self._be_an_owner(connection)

    def _write_rows(self, connection: Connection, records: Sequence[dict[str, Any]], now: float) -> None:
        if connection.execute(self._put, records).rowcount != len(records):
            raise InternalBug(f"a second verdict for one of {', '.join(record['id'] for record in records)}")
        history = [{"row": record["id"], "at": now} | {name: record[name] for name in _HISTORY} for record in records]
        connection.execute(_REMEMBER, history)

    @contextmanager
    def writing(self, given_up: Callable[[], bool] = never) -> Iterator[Connection]:
        """A transaction that may write, the only one of this process; it is synced at the end. Raises LedgerDown."""
        with turn(self._writes), _translated():
            if given_up():
                raise LedgerDown("it waited too long for its turn")
            self._writer = self._writer or self._engine.connect().execution_options(writing=True, preserve_rowcount=True)
            with self._writer.begin(), _fresh_after_errors(self._writer):
                yield self._writer
                if given_up():
                    raise LedgerDown("it took too long")

    # ── Owning ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _be_an_owner(self, connection: Connection) -> bool:
        """Join, for the first time or where it was taken for dead; False where nothing was to do.

        The fence rises: calls that were had under an earlier one are lost to whoever takes them.
        """
        if connection.scalar(select(_LIVES), {"owner": self.owner, "fence": self.fence}):
            return False
        self._life.hold(self.owner)
        self.fence += 1
        connection.execute(delete(owners).where(owners.c.id == self.owner))
        who = {"host": socket.gethostname(), "pid": os.getpid(), "started": self.clock()}
        lease = self._life.fields(connection)
        connection.execute(owners.insert().values(id=self.owner, fence=self.fence, **who, **lease))
        return True

    def renew(self) -> bool:
        """Say that this process lives; several times in each lease. False: it was taken for dead, and has joined anew.

        Then the calls that it had are others', and each write of them raises Fenced.
        """
        if self.fence == 0:
            return True
        with _translated():
            if self._life.renew(self.owner, self.fence):
                return True
        with self.writing() as connection:
            return not self._be_an_owner(connection)

    def may_send(self, call: str, timeout: float, fence: int) -> bool:
        """Whether a request of `call` that takes up to `timeout` seconds may leave now: nobody takes the call over before.

        `fence` is what the last write of the call answered.
        """
        with _translated():
            return self._life.outlasts(self.owner, fence, call, timeout)

    def take_over(self) -> list[Case]:
        """Claim what dead owners left: calls that have not ended, or with rows that are not settled. Answers them, claimed."""
        with self.writing() as connection:
            self._be_an_owner(connection)
            dead = self._life.dead(connection, self.owner)
            for batch in _batches(dead):
                connection.execute(delete(owners).where(owners.c.id.in_(batch)))
            free = ~exists().where(owners.c.id == calls.c.owner, owners.c.fence == calls.c.fence)
            unclaimed = select(calls.c.id).where(_due(), free).with_for_update(skip_locked=True)
            mine = update(calls).values(owner=self.owner, fence=self.fence).returning(calls.c.id)
            taken = list(connection.scalars(mine.where(calls.c.id.in_(unclaimed))))
        return [case for batch in _batches(taken) for case in self.cases(calls.c.id.in_(batch))]

    # ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def of_call(self, call: str) -> Case | None:
        """A call and its rows, whoever owns it; None where it has none."""
        return next(iter(self.cases(calls.c.id == call)), None)

    def unsettled(self) -> list[Case]:
        """The calls of this process that have not ended, live ones among them, or with rows that are not settled."""
        return self.cases((calls.c.owner == self.owner) & (calls.c.fence == self.fence) & _due())

    def cases(self, condition: ColumnElement[bool], *, revealed: bool = True, limit: int | None = None) -> list[Case]:
        """The calls that meet a condition on `tables.calls`, the newest first (ids sort by start), each with all its rows.

        Where they are not revealed, arguments, results and numbers read `vault.HIDDEN`. A call that cannot be opened, since
        its key is gone or it was tampered with, is left out and logged.
        """
        chosen = select(calls).where(condition).order_by(calls.c.id.desc()).limit(limit)
        with self.reading() as connection:
            found = connection.execute(chosen).mappings().all()
            records: dict[str, list[Any]] = {record["id"]: [] for record in found}
            for batch in _batches(list(records)):
                for record in connection.execute(select(rows).where(rows.c.call.in_(batch)).order_by(rows.c.seq)).mappings():
                    records[record["call"]].append(record)
        opened = (self._case(call, records[call["id"]], revealed=revealed) for call in found)
        return [case for case in opened if case is not None]

    def _case(self, call: Any, records: Iterable[Any], *, revealed: bool) -> Case | None:
        try:
            facts = call_facts(call, self.vault if revealed else None)
            return Case(facts, tuple(row_of(record, self.vault, revealed=revealed) for record in records))
        except OperatorError as error:
            log.warning("call %s in the ledger cannot be read, and nobody settles it: %s", call["id"], error)
            return None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, one at a time too. Raises LedgerDown."""
        with turn(self._reads), _translated(), self._engine.begin() as connection, _fresh_after_errors(connection):
            yield connection

    # ── Erasing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def erase(self, days: float) -> int:
        """Erase what calls were asked and by whom, `days` after all their rows settled; digests stay. Answers how many rows."""
        erased = 0
        while batch := self._erase_some(self.clock() - days * 86400.0):
            erased += batch
        return erased

    def _erase_some(self, before: float) -> int:
        other = rows.alias()
        young = exists().where(other.c.call == rows.c.call, other.c.settled.is_(None) | (other.c.settled >= before))
        old = select(rows.c.id, rows.c.call).where(rows.c.settled < before, rows.c.sealed.is_not(None), ~young).limit(BATCH)
        with self.writing() as connection:
            found = connection.execute(old).all()
            ids, of = [one.id for one in found], {one.call for one in found}
            connection.execute(update(rows).where(rows.c.id.in_(ids)).values(sealed=None, error=None))
            kept = exists().where(rows.c.call == calls.c.id, rows.c.sealed.is_not(None))
            connection.execute(update(calls).where(calls.c.id.in_(of), calls.c.ended.is_not(None), ~kept).values(sealed=None))
        return len(found)


def _upsert(insert: Any) -> Any:
    """Write a row whether it is there or not; one whose verdict is another one already is not touched, and not counted."""
    new = insert(rows)
    changing = ("fact", "told", "verdict", "stuck", "why", "moved", "more", "key", "sealed", "error")
    since = case((new.excluded.settled.is_(None), None), else_=func.coalesce(rows.c.settled, new.excluded.settled))
    return new.on_conflict_do_update(
        index_elements=[rows.c.id],
        set_={name: new.excluded[name] for name in changing} | {"settled": since},
        where=(rows.c.call == new.excluded.call) & rows.c.verdict.in_((literal(Verdict.OPEN.value), new.excluded.verdict)),
    )


def _due() -> ColumnElement[bool]:
    unsettled = select(rows.c.call).where(rows.c.settled.is_(None))
    return calls.c.ended.is_(None) | calls.c.id.in_(unsettled)


def _batches(items: Sequence[str]) -> Iterator[Sequence[str]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


@contextmanager
def _translated() -> Iterator[None]:
    """The databases' errors are ours from here on; their texts name neither statements nor values."""
    try:
        yield
    except DBAPIError as error:
        raise LedgerDown(str(error.orig).partition("\n")[0]) from error
    except (PoolTimeout, OSError, sqlite3.Error) as error:
        raise LedgerDown(str(error)) from error


@contextmanager
def _fresh_after_errors(connection: Connection) -> Iterator[None]:
    """A connection that saw an error is thrown away: what a full disk or a lost server leaves of it is not known."""
    try:
        yield
    except DBAPIError:
        connection.invalidate()
        raise
