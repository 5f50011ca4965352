"""The tables, the same in SQLite and PostgreSQL, and how an older ledger becomes a newer one.

A call's rows belong to its owner: `owner` and `fence` stand once, on the call, and every write of its rows asks for them. What
SQL looks at has a column; the rest of a row is JSON in `more`, so that a new field of it needs no migration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    inspect,
    select,
    text,
)

from agentd.errors import OperatorError

metadata = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")

schema = Table("ledger_schema", metadata, Column("version", Integer, nullable=False))

owners = Table(
    "ledger_owners",
    metadata,
    Column("id", Text, primary_key=True),
    Column("fence", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Float, nullable=False),
    Column("renewed", Float),  # this and the lease: on the database's clock; none in SQLite
    Column("lease_until", Float),
)

calls = Table(
    "ledger_calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("flow", Text, nullable=False),
    Column("started", Float, nullable=False),
    Column("ended", Float),
    Column("key", Text, nullable=False),
    Column("sealed", Text),  # the numbers; none once erased
)

rows = Table(
    "ledger_rows",
    metadata,
    Column("id", Text, primary_key=True),
    Column("call", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("tool", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("fact", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("told", Text, nullable=False),
    Column("stuck", Boolean, nullable=False),
    Column("why", Text, nullable=False),
    Column("opened", Float, nullable=False),
    Column("moved", Float, nullable=False),  # when it was last written
    Column("settled", Float),  # since when
    Column("more", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("sealed", Text),  # what it was asked and what came of it; none once erased
    Column("error", Text),  # sealed too, apart, since operators see it
)

changes = Table(
    "ledger_changes",
    metadata,
    Column("n", _Number, primary_key=True),
    Column("row", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("fact", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("told", Text, nullable=False),
    Column("stuck", Boolean, nullable=False),
    Column("why", Text, nullable=False),
)

orders = Table(
    "ledger_orders",
    metadata,
    Column("n", _Number, primary_key=True),
    Column("row", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("has", Boolean, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("done", Float),
    Column("outcome", Text, nullable=False),
)

reveals = Table(
    "ledger_reveals",
    metadata,
    Column("n", _Number, primary_key=True),
    Column("row", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Float, nullable=False),
)


def _index(name: str, *columns: Column[Any], only: ColumnElement[bool] | None = None) -> None:
    Index(name, *columns, sqlite_where=only, postgresql_where=only)


_index("ledger_rows_of_call", rows.c.call)
_index("ledger_rows_unsettled", rows.c.call, only=rows.c.settled.is_(None))
_index("ledger_rows_sealed", rows.c.settled, rows.c.key, only=rows.c.sealed.is_not(None))
_index("ledger_calls_live", calls.c.owner, only=calls.c.ended.is_(None))
_index("ledger_changes_of_row", changes.c.row)
_index("ledger_orders_due", orders.c.row, only=orders.c.done.is_(None))

# ── Versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

Migration = Callable[[Connection], None]

MIGRATIONS: Final[Sequence[Migration]] = ()
"""Step n makes a ledger of version n + 1 into one of version n + 2; the version is theirs and one."""


def prepare(connection: Connection, where: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Make the tables where there are none, and bring an older ledger up to date, within the transaction of `connection`.

    Raises OperatorError where the ledger is newer than this program.
    """
    ours = len(migrations) + 1
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7021180941)"))  # two that start at once do it in turn
    if not inspect(connection).has_table(schema.name):
        metadata.create_all(connection)
        connection.execute(schema.insert().values(version=ours))
        return
    version = connection.scalar(select(schema.c.version))
    if version is None or version > ours:
        raise OperatorError(
            f"the ledger has version {version}, and this agentd knows none above {ours}",
            where=where,
            mend="run the agentd that wrote it, or a newer one, or give another ledger.url.",
        )
    for migrate in migrations[version - 1 :]:
        migrate(connection)
    if version < ours:
        connection.execute(schema.update().values(version=ours))
