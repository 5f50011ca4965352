"""The book: the rows of one call and what is on its way to its caller, as one value; and what can be read from it."""

from __future__ import annotations

from dataclasses import dataclass

from agentd.ledger.events import Clock
from agentd.ledger.row import SPOKEN, Fact, Kind, Row, Told
from agentd.messages import Mode, Owed, RowChanged

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
        waited_for = (row for row in self.rows if row.kind in SPOKEN and row.kind is not Kind.DEFERRED and not row.stuck)
        return any(row.kept and row.in_flight and row.tries <= 1 for row in waited_for)

    @property
    def settled(self) -> bool:
        """Whether every row is settled, or waits for a human."""
        return all(row.settled or blocked(self, row) for row in self.rows)


def unresolved(book: Book, old: Row) -> Row | None:
    """The open row that revises `old` and has not been got yet; until it is, `old` is neither kept nor told again."""
    return next((row for row in book.rows if row.replaces == old.id and row.open and row.fact is not Fact.THERE), None)


def lineage(book: Book, name: str) -> tuple[Row, ...]:
    """The row of that name with all that it revises and all that revise it, in their order."""
    first = book.row(name)
    while first and (older := book.row(first.replaces)):
        first = older
    names = {first.id} if first else set()
    for row in book.rows:
        if row.replaces in names:
            names.add(row.id)
    return tuple(row for row in book.rows if row.id in names)


def standing(book: Book, name: str) -> Row | None:
    """Of the rows that revised one another, the one that a further revision takes the place of: the latest that was got, or
    else the first, since those behind it are only under way."""
    alive = [row for row in lineage(book, name) if not (row.dropped or row.failed or row.taken_back)]
    got = [row for row in alive if row.kept or row.fact is Fact.THERE]
    return got[-1] if got else next(iter(alive), None)


def revised(book: Book, row: Row) -> Row | None:
    """The row whose place `row` may take: what was revised before leads to what took its place."""
    old = standing(book, row.replaces)
    if old is None or old.tool != row.tool or old.stuck or undoing(book, old) or protector(book, old):
        return None
    return old if old.open or old.traits.undo else None


def same_act(book: Book, row: Row) -> list[Row]:
    """The earlier rows that are the same act, by the declared identity."""
    same = (row.tool, row.identity, row.kind)
    return [other for other in book.rows if other.seq < row.seq and (other.tool, other.identity, other.kind) == same]


def latest(book: Book, tool: str) -> Row | None:
    """The effect of that tool that another one may need."""
    found = (row for row in reversed(book.rows) if row.tool == tool and row.kind in SPOKEN - {Kind.TAKE_BACK})
    return next((row for row in found if not (row.dropped or row.stuck or row.fact is Fact.ABSENT or undoing(book, row))), None)


def may_act(book: Book, row: Row) -> bool:
    """Whether all is gone that stands in the way of a row that acts at once: the risk, the old one, the same act's undoing."""
    if row.risky and not row.risked:
        return False
    old = book.row(row.replaces)
    if old and row.traits.old_first and not (old.taken_back or (old.settled and not old.done)):
        return False
    going = (other for other in same_act(book, row) if other.dropped or undoing(book, other))
    return all(other.taken_back or (other.dropped and other.settled) for other in going)


def protector(book: Book, row: Row) -> Row | None:
    """The pivot that was said yes to and not answered yet, and that takes `row` with it."""
    pivots = (other for other in book.rows if other.kind is Kind.PIVOT and row.id in other.needs)
    return next((pivot for pivot in pivots if pivot.kept and not pivot.settled), None)


def undoing(book: Book, row: Row) -> bool:
    """Whether a kept row was taken back, or is about to be."""
    others = (other for other in book.rows if other.kind is Kind.TAKE_BACK and other.of == row.id)
    return row.taken_back or any(not other.failed for other in others)


def holds(book: Book, row: Row) -> bool:
    """Whether a row is kept and nothing speaks against it: neither a refusal nor a taking back."""
    return row.kept and not row.failed and not undoing(book, row)


def needed(book: Book, row: Row) -> list[Row]:
    """The causes of a row: what it needs, or what it takes back."""
    names = (*row.needs, row.of) if row.kind is Kind.TAKE_BACK else row.needs
    return [need for name in names if (need := book.row(name))]


def ready(book: Book, row: Row) -> bool:
    """Whether a row that acts on keep has its causes: a pivot prepared, all others done; a notice, that its row is settled; a
    webhook, that all effects are."""
    needs = needed(book, row)
    match row.kind:
        case Kind.NOTICE:
            about = book.row(row.of)
            return about is None or about.settled or blocked(book, about)
        case Kind.WEBHOOK:
            return all(other.settled or blocked(book, other) for other in book.rows if other.kind in SPOKEN)
        case Kind.TAKE_BACK:
            return all(need.done for need in needs)
        case Kind.PIVOT:
            there = {Fact.THERE, Fact.CONFIRMED}
            return all(need.fact in there and not need.dropped and not undoing(book, need) for need in needs)
        case _:
            return all(need.done and not undoing(book, need) for need in needs)


def lost(book: Book, row: Row) -> bool:
    """Whether a cause of the row is gone for good."""
    return any(need.dropped or need.fact is Fact.ABSENT or need.taken_back for need in needed(book, row))


def blocked(book: Book, row: Row) -> bool:
    """Whether nothing but a human moves the row any more: it is stuck, or what it waits for is."""
    pivot = protector(book, row) if row.open else None
    return row.stuck or _waits(book, row) or bool(pivot and _waits(book, pivot))


def _waits(book: Book, row: Row) -> bool:
    if not row.kept or row.fact is not Fact.UNSENT:
        return False
    backs = [other for other in book.rows if other.kind is Kind.TAKE_BACK and other.of in row.needs]
    return any(cause.stuck or _waits(book, cause) for cause in (*needed(book, row), *backs))


def changes(before: Book, book: Book) -> tuple[RowChanged, ...]:
    """What a step did to the rows."""
    known = {row.id: row for row in before.rows}
    return tuple(_change(known.get(row.id), row) for row in book.rows if known.get(row.id) != row)


def _change(old: Row | None, row: Row) -> RowChanged:
    final = row.done and not (old and old.done)
    columns = (row.fact.value, row.verdict.value, row.told.value, row.stuck, row.why)
    return RowChanged(row.id, row.tool, row.kind.value, *columns, final=final)


def owed(book: Book) -> tuple[Owed, ...]:
    """The sentences that the caller is owed and that are not on their way, in the order of the rows.

    A question that was put and not answered is put again, where we speak before the caller does: a yes to "are you still
    there?" must not be one to it.
    """
    if book.over:
        return ()
    begun = {telling.row for telling in book.tellings if telling.played is None or telling.mode not in QUESTIONS}
    found = ((row, _owed(book, row)) for row in book.rows if row.kind in SPOKEN and not row.stuck and row.id not in begun)
    return tuple(Owed(row.id, mode) for row, mode in found if mode)


def _owed(book: Book, row: Row) -> Mode | None:
    if undoing(book, row) or any(other.replaces == row.id and other.open for other in book.rows):
        return None
    if row.open:
        return Mode.RISK if row.risky and not row.risked else _owed_open(book, row)
    if row.done:
        return Mode.TELL if row.told is not Told.TOLD else None
    return Mode.UNTELL if row.settled and misled(row) else None


def misled(row: Row) -> bool:
    """Whether the caller may believe what is not so."""
    return not row.aware and (row.failed or (row.dropped and row.told is not Told.NO))


def _owed_open(book: Book, row: Row) -> Mode | None:
    ready_to_tell = row.fact is Fact.THERE if row.before else ready(book, row) or row.kind is Kind.DEFERRED
    if not ready_to_tell or row.stale or protector(book, row):
        return None
    if row.kind is Kind.PIVOT and any(need.stale or unresolved(book, need) for need in needed(book, row)):
        return None
    if row.kind is Kind.PIVOT or row.traits.keep_on == "yes":
        return Mode.ASK
    return Mode.CHECK if row.cuts >= CUTS else Mode.TELL


CUTS = 2
"""After so many cut tellings we ask whether to keep it, instead of telling it again."""
