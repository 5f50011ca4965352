"""The invariants of the ledger, each in terms of what is so in the world and not of how the rules came to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentd.ledger.book import Book, blocked, lineage, needed, protector, unresolved
from agentd.ledger.events import Action, Ask, Clock, Due, Ended, Event, Rejected, Send, Words
from agentd.ledger.row import SPOKEN, Fact, Kind, Row, Told, Why
from agentd.messages import Mode

if TYPE_CHECKING:
    from tests.laws.ledger_world import World


# ── One book ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_book(book: Book) -> None:
    """What holds of a book by itself."""
    names = [row.id for row in book.rows]
    assert len(names) == len(set(names)), "each row has a name of its own"
    about = sorted(row.of for row in book.rows if row.kind is Kind.NOTICE)
    assert about == sorted(row.id for row in book.rows if row.noticed), "a notice is owed once, and then it is there"
    for row in book.rows:
        _check_row(book, row)
    for clock, name in book.armed:
        assert _matters(book, clock, name), f"{clock} of {name} is armed, and can change nothing any more"


def _matters(book: Book, clock: Clock, name: str) -> bool:
    """Whether a deadline may still change something."""
    row = book.row(name)
    if clock is Clock.FREEZE or row is None:
        return book.frozen
    match clock:
        case Clock.RETRY:
            return row.in_flight and not row.stuck
        case Clock.EXPIRES:
            return row.kind is Kind.HELD and row.fact in {Fact.THERE, Fact.CONFIRMING, Fact.UNDOING}
        case Clock.GUARD:
            return row.open and not book.frozen
        case _:
            return row.open


def _check_row(book: Book, row: Row) -> None:
    if row.kept and row.kind in SPOKEN:
        assert row.why in {Why.TOLD, Why.YES, Why.ASSENT, Why.PIVOT, Why.DOUBT}
        assert row.told is Told.TOLD or row.why not in {Why.TOLD, Why.ASSENT}, f"{row.id} is kept, and was not told"
        assert row.noticed or row.why != Why.DOUBT, f"{row.id} was kept in doubt without a notice"
    waits = row.open or (row.kind is Kind.TAKE_BACK and not row.settled)
    assert not row.use or (waits and not row.stuck), f"{row.id} is decided, and its tool call has no outcome"
    if row.open:
        pivot = protector(book, row)
        out = bool(pivot) or row.stuck or (not book.over and (Clock.OPEN, row.id) in book.armed)
        assert out, f"{row.id} is open, and nothing will give it a verdict"
    old = book.row(row.replaces)
    assert not (row.refreshed and old and old.refreshed), f"{row.id} is prepared a third time"
    if row.kind is Kind.PIVOT and row.stuck:
        for need in needed(book, row):
            assert need.stuck or not need.open, f"{need.id} waits for a pivot that is stuck, and is not stuck with it"
    if book.over and row.kind in SPOKEN and not row.open:
        untold = row.kept and row.told is not Told.TOLD and not row.aware
        undone = any(other.kind is Kind.TAKE_BACK and other.of == row.id and not other.failed for other in book.rows)
        assert not untold or undone or row.noticed, f"{row.id} is kept, the caller does not know, and no notice is owed"


# ── One step ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_step(before: Book, event: Event, after: Book, actions: tuple[Action, ...]) -> None:
    """What holds between a book and the next one."""
    for old in before.rows:
        row = after.row(old.id)
        assert row is not None, "what is on record stays there"
        assert old.open or (row.verdict, row.why) == (old.verdict, old.why), f"{row.id} has a second verdict"
        assert (row.tool, row.kind, row.args, row.of) == (old.tool, old.kind, old.args, old.of)
        if old.open and not row.open:
            _check_verdict(before, event, after, row)
    for action in actions:
        if isinstance(action, Send):
            row = after.row(action.row)
            assert row is not None
            _check_send(before, after, row, action.ask)


def _check_verdict(before: Book, event: Event, after: Book, row: Row) -> None:
    """A verdict was given."""
    pivot = protector(before, row)
    if pivot:
        now = after.row(pivot.id)
        assert now is not None
        assert now.settled, f"{row.id} has a verdict while its pivot {pivot.id} has no answer"
    if row.kept:
        assert row.why == Why.PIVOT or not protector(after, row), f"{row.id} is kept before its pivot has an answer"
        assert not unresolved(after, row), f"{row.id} is kept, and so may be what would take its place"
    decides = isinstance(event, Words | Rejected | Ended) or event == Due(Clock.FREEZE)
    if before.frozen and row.kept and not decides:
        assert row.why == Why.PIVOT, f"{row.id} was kept while the caller was speaking"


def _check_send(before: Book, after: Book, row: Row, ask: Ask) -> None:
    """What leaves is on record, and follows the verdict."""
    assert row.in_flight, f"{ask} of {row.id} leaves before it is on record"
    assert not row.stuck, f"{ask} of {row.id} leaves, and it is stuck"
    match ask:
        case Ask.DO:
            old = before.row(row.id)
            again = old is not None and old.fact is Fact.SENT
            assert row.before, f"{row.id} acts before it is kept"
            assert row.open or again, f"{row.id} is done after its verdict"
        case Ask.ACT:
            assert row.kept, f"{row.id} acts, and is not kept"
            for need in needed(after, row) if row.sends == 1 else ():
                if row.kind is Kind.PIVOT:
                    assert need.fact in {Fact.THERE, Fact.CONFIRMED}, f"{row.id} leaves without {need.id}"
                    assert not need.dropped, f"{row.id} leaves without {need.id}"
                else:
                    assert need.done, f"{row.id} leaves before {need.id} is settled"
        case Ask.CONFIRM:
            assert row.kept, f"{row.id} is confirmed, and not kept"
        case Ask.UNDO:
            assert row.dropped, f"{row.id} is undone, and not dropped"


# ── The world ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_verdicts(before: World, event: Event, after: World) -> None:
    """No verdict is kept but by what the caller really heard and said; an objection that began in time stands."""
    for old in before.book.rows:
        row = after.book.row(old.id)
        assert row is not None
        if not old.open or not row.kept:
            continue
        told = {name for name, mode, _ in before.sounded if mode == Mode.TELL}
        in_time = {(name, mode) for name, mode, at in before.sounded if at == 1}
        match row.why:
            case Why.TOLD:
                assert row.id in told, f"{row.id} is kept as told, and its telling point was not played"
            case Why.ASSENT:
                assert (row.id, Mode.TELL) in in_time, f"{row.id} is kept by an assent to something else"
            case Why.YES:
                asked = {(row.id, Mode.ASK), (row.id, Mode.CHECK)}
                assert asked & in_time, f"{row.id} is kept by a yes to something else"
    if isinstance(event, Words) and event.says == "retract":
        for name in before.objects:
            row = after.book.row(name)
            assert row is None or not (row.kept and row.why == Why.TOLD), f"{name} was kept over an objection"


def check_world(world: World) -> None:
    """What holds at every moment between what the ledger says and what is so."""
    book = world.book
    backs = {row.of for row in book.rows if row.kind is Kind.TAKE_BACK and row.fact is not Fact.UNSENT}
    for name, thing in world.remote:
        assert thing.net in {0, 1}, f"{name} was done {thing.net} times"
    for row in book.rows:
        if row.kind is Kind.TAKE_BACK:
            continue
        thing = world.thing(row.id)
        if row.fact is Fact.ABSENT and not row.stuck:
            assert thing.net == 0, f"the ledger says that {row.id} is absent, and the world has it"
        if row.taken_back:
            assert thing.net == 0, f"{row.id} was taken back, and the world has it"
        elif row.done and row.id not in backs:
            assert thing.net == 1, f"the ledger says that {row.id} is done, and the world does not have it"
            assert thing.confirmed or row.kind is not Kind.HELD, f"{row.id} is held, and not confirmed"
        if row.in_flight and not row.stuck:
            assert _moves(world, row), f"{row.id} is under way, and nobody waits for it"
    if book.over:
        for row in book.rows:
            assert row.settled or _moving(world, row) or blocked(book, row), f"{row.id} has no next try"
        if book.settled and not world.flight:
            _check_beliefs(world)


def _moves(world: World, row: Row) -> bool:
    """Whether something is on its way for the row."""
    waits = {(Clock.RETRY, row.id), (Clock.EXPIRES, row.id)} & world.book.armed
    return bool(waits) or any(name == row.id for name, _ in world.flight)


def _moving(world: World, row: Row) -> bool:
    """Whether the row, or what it waits for, goes on by itself."""
    if row.in_flight and not row.stuck:
        return True
    pivot = protector(world.book, row)
    about = world.book.row(row.of) if row.of else None
    backs = [other for other in world.book.rows if other.kind is Kind.TAKE_BACK and other.of in row.needs]
    causes = [*needed(world.book, row), *backs, *([pivot] if pivot and row.open else []), *([about] if about else [])]
    return row.fact is not Fact.ABSENT and any(not cause.settled and _moving(world, cause) for cause in causes)


def _check_beliefs(world: World) -> None:
    """At rest: what the caller believes is so, or the caller was told otherwise, or a notice is owed, or a human is called."""
    for name in world.believes:
        row = world.book.row(name)
        assert row is not None
        revised = row.why in {Why.REVISED, Why.KEPT_OTHER} and any(
            _squared(world, other) or other.why in {Why.RETRACTED, Why.REFUSED_BY_CALLER}
            for other in lineage(world.book, name)
            if other.id != name
        )
        assert _squared(world, row) or revised, f"the caller believes in {name}, and it is not so"


def _squared(world: World, row: Row) -> bool:
    """Whether the caller's belief in the row is so, or is put right."""
    put_right = row.noticed or row.stuck or row.id in world.corrected or blocked(world.book, row)
    return row.done or row.taken_back or put_right
