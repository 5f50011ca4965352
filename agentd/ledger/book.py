"""The book: the rows of one call and what is on its way to its caller, as one value; and what can be read from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentd.ledger.events import Clock
from agentd.ledger.row import SPOKEN, Fact, Kind, Row, Told
from agentd.messages import Mode, Owed

QUESTIONS = frozenset({Mode.ASK, Mode.CHECK, Mode.RISK})


@dataclass(frozen=True, slots=True)
class Telling:
    """A sentence about a row that was released; `played` is the caller's sample at which its telling point was played."""

    row: str
    mode: Mode
    key: str
    played: int | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """All that the rules know of a call. Rows are on record; the rest dies with the call's owner.

    `guard` is the time after the telling point in which an objection still freezes, in seconds.
    """

    call: str
    rows: tuple[Row, ...] = ()
    guard: float = 0.4
    frozen: bool = False
    over: bool = False
    tellings: tuple[Telling, ...] = ()
    armed: frozenset[tuple[Clock, str]] = frozenset()

    def row(self, name: str) -> Row | None:
        """The row of that id."""
        return next((row for row in self.rows if row.id == name), None)

    @property
    def live(self) -> bool:
        """Whether anything the caller says may still matter to a row."""
        rows = (row for row in self.rows if row.kind in SPOKEN and not row.stuck)
        return any(row.open or not row.settled for row in rows) or bool(owed(self))

    @property
    def busy(self) -> bool:
        """Whether a kept effect is on its way to be done."""
        return any(row.kind in SPOKEN and row.kept and row.in_flight and not row.stuck for row in self.rows)

    @property
    def settled(self) -> bool:
        """Whether every row is settled, or waits for a human."""
        return all(row.settled or row.stuck for row in self.rows)


def unresolved(book: Book, old: Row) -> Row | None:
    """The open row that revises `old` and has not been got yet; until it is, `old` is neither kept nor told again."""
    return next((row for row in book.rows if row.replaces == old.id and row.open and row.fact is not Fact.THERE), None)


def protector(book: Book, row: Row) -> Row | None:
    """The pivot that was said yes to and not answered yet, and that takes `row` with it."""
    pivots = (other for other in book.rows if other.kind is Kind.PIVOT and row.id in other.needs)
    return next((pivot for pivot in pivots if pivot.kept and not pivot.settled), None)


def undoing(book: Book, row: Row) -> bool:
    """Whether a kept row was taken back, or is about to be."""
    others = (other for other in book.rows if other.kind is Kind.TAKE_BACK and other.of == row.id)
    return row.taken_back or any(not other.failed for other in others)


def ready(book: Book, row: Row) -> bool:
    """Whether a row that acts on keep has its causes: a deferred one all of them settled, a pivot prepared."""
    needs = [need for name in row.needs if (need := book.row(name))]
    if row.kind is Kind.PIVOT:
        return all(need.fact in {Fact.THERE, Fact.CONFIRMED} and not need.dropped for need in needs)
    if row.kind is Kind.NOTICE:
        about = book.row(row.of)
        return about is None or about.settled or about.stuck
    return all(need.done for need in needs)


def lost(book: Book, row: Row) -> bool:
    """Whether a cause of the row is gone for good."""
    needs = [need for name in row.needs if (need := book.row(name))]
    return any(need.dropped or need.fact is Fact.ABSENT or need.taken_back for need in needs)


def owed(book: Book) -> tuple[Owed, ...]:
    """The sentences that the caller is owed and that are not on their way, in the order of the rows."""
    if book.over:
        return ()
    begun = {telling.row for telling in book.tellings}
    found = ((row, _owed(book, row)) for row in book.rows if row.kind in SPOKEN and not row.stuck and row.id not in begun)
    return tuple(Owed(row.id, mode) for row, mode in found if mode)


def _owed(book: Book, row: Row) -> Mode | None:
    if row.open:
        if unresolved(book, row):
            return None
        if row.risky and not row.risked:
            return Mode.RISK
        return _owed_open(book, row)
    if undoing(book, row):
        return None
    if row.done:
        return Mode.TELL if row.told is not Told.TOLD else None
    if row.settled and row.told is not Told.NO and not row.aware:
        return Mode.UNTELL
    return None


def _owed_open(book: Book, row: Row) -> Mode | None:
    ready_to_tell = row.fact is Fact.THERE if row.before else ready(book, row) or row.kind is Kind.DEFERRED
    if not ready_to_tell or row.stale:
        return None
    if row.kind is Kind.PIVOT or row.traits.keep_on == "yes":
        return Mode.ASK
    return Mode.CHECK if row.cuts >= CUTS else Mode.TELL


CUTS = 2
"""After so many cut tellings we ask whether to keep it, instead of telling it again."""


def dependents(book: Book, row: Row) -> Iterator[Row]:
    """The open rows that need `row`."""
    return (other for other in book.rows if row.id in other.needs and other.open)
