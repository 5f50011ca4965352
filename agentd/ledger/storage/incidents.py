"""What operators see of the ledger and ask of it: incidents (a call with all its rows), a row's history, reveals, orders.

Operators' commands run in processes of their own, which own nothing: what shall be done to a row is left as an order, and the
process that owns the row's call carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select, true, update

from agentd.ledger.row import Kind, Verdict
from agentd.ledger.storage.codec import Case
from agentd.ledger.storage.store import Store
from agentd.ledger.storage.tables import calls, changes, orders, reveals, rows


class Which(StrEnum):
    """Of which incidents at least one row is so."""

    ALL = "all"
    UNSETTLED = "unsettled"
    OPEN = "open"
    STUCK = "stuck"
    OWED = "owed"
    """A notice that has not reached anybody yet."""


_UNSETTLED: Final = rows.c.settled.is_(None)
_WHICH: Final[Mapping[Which, ColumnElement[bool]]] = {
    Which.UNSETTLED: _UNSETTLED,
    Which.OPEN: _UNSETTLED & (rows.c.verdict == Verdict.OPEN.value),
    Which.STUCK: _UNSETTLED & rows.c.stuck,
    Which.OWED: _UNSETTLED & (rows.c.kind == Kind.NOTICE.value),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A row as one write left it, at epoch second `at`."""

    at: float
    fact: str
    verdict: str
    told: str
    stuck: bool
    why: str


class Verb(StrEnum):
    """What an operator may order."""

    RETRY = "retry"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Order:
    """What `who` ordered to be done to a row, and why; `has` is the fact that they observed (for resolve)."""

    row: str
    verb: Verb
    who: str
    why: str = ""
    has: bool = False
    number: int = 0
    at: float = 0.0
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Census:
    """How many rows are open, unsettled, stuck, and notices owed; and for how many seconds the oldest one of the latter two."""

    open: int
    unsettled: int
    stuck: int
    stuck_s: float
    owed: int
    owed_s: float


def find(store: Store, which: Which = Which.UNSETTLED, *, limit: int = 100) -> list[Case]:
    """Incidents, the newest call first; arguments, results and numbers read `vault.HIDDEN`. Raises LedgerDown, as all here."""
    some = true() if which is Which.ALL else calls.c.id.in_(select(rows.c.call).where(_WHICH[which]))
    return store.cases(some, revealed=False, limit=limit)


def of(store: Store, name: str) -> Case | None:
    """The incident with the row or the call of that id, hidden as in `find`; None where there is none."""
    here = (calls.c.id == name) | calls.c.id.in_(select(rows.c.call).where(rows.c.id == name))
    return next(iter(store.cases(here, revealed=False)), None)


def history(store: Store, row: str) -> list[Change]:
    """All that was written of a row, the oldest first; a write that changed nothing of it is left out."""
    with store.reading() as connection:
        found = connection.execute(select(changes).where(changes.c.row == row).order_by(changes.c.n)).all()
    every = (Change(one.at, one.fact, one.verdict, one.told, one.stuck, one.why) for one in found)
    return [next(same) for _, same in groupby(every, lambda change: replace(change, at=0.0))]


def reveal(store: Store, name: str, who: str) -> Case | None:
    """As `of`, with arguments, results and numbers; that `who` saw them is on record first, for each row."""
    hidden = of(store, name)
    if hidden is None:
        return None
    with store.writing() as connection:
        seen = [{"row": row.id, "who": who, "at": store.clock()} for row in hidden.rows]
        connection.execute(reveals.insert().inline(), seen)
    return store.of_call(hidden.call.id)


def order(store: Store, what: Order) -> None:
    """Leave an order for the owner of the row's call; `number`, `at` and `outcome` are not read."""
    with store.writing() as connection:
        values = {"row": what.row, "verb": what.verb.value, "has": what.has, "who": what.who, "why": what.why}
        connection.execute(orders.insert().inline().values(**values, at=store.clock(), outcome=""))


def due(store: Store) -> list[Order]:
    """The orders that this process has to carry out, the oldest first."""
    mine = (calls.c.owner == store.owner) & (calls.c.fence == store.fence)
    chosen = select(orders).join(rows, rows.c.id == orders.c.row).join(calls, calls.c.id == rows.c.call)
    return _orders(store, chosen.where(mine, orders.c.done.is_(None)))


def of_operators(store: Store, row: str) -> list[Order]:
    """All orders that were given for a row, the oldest first; the outcome is "" until one was carried out."""
    return _orders(store, select(orders).where(orders.c.row == row))


def _orders(store: Store, chosen: Select[Any]) -> list[Order]:
    with store.reading() as connection:
        found = connection.execute(chosen.order_by(orders.c.n)).all()
    return [Order(one.row, Verb(one.verb), one.who, one.why, one.has, one.n, one.at, one.outcome) for one in found]


def carried_out(store: Store, number: int, outcome: str) -> None:
    """The order was carried out, or refused, with this outcome in words."""
    with store.writing() as connection:
        connection.execute(update(orders).where(orders.c.n == number).values(done=store.clock(), outcome=outcome))


def census(store: Store) -> Census:
    """Counts for the metrics."""
    now = store.clock()
    with store.reading() as connection:
        found = connection.execute(
            select(rows.c.verdict, rows.c.stuck, rows.c.kind, func.count().label("n"), func.min(rows.c.moved).label("since"))
            .where(_UNSETTLED)
            .group_by(rows.c.verdict, rows.c.stuck, rows.c.kind)
        ).all()
    stuck = [one for one in found if one.stuck]
    owed = [one for one in found if one.kind == Kind.NOTICE]
    return Census(
        open=sum(one.n for one in found if one.verdict == Verdict.OPEN),
        unsettled=sum(one.n for one in found),
        stuck=sum(one.n for one in stuck),
        stuck_s=max((now - one.since for one in stuck), default=0.0),
        owed=sum(one.n for one in owed),
        owed_s=max((now - one.since for one in owed), default=0.0),
    )
