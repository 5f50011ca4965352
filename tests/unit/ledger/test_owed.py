"""What the caller is owed a sentence about, where something stands in its place or was asked before."""

from __future__ import annotations

from dataclasses import replace

from agentd.ledger.book import Book, Telling, owed
from agentd.ledger.events import Begin, Clock, Played, Says, Words
from agentd.ledger.row import Fact, Kind, Row, Told, Traits, Verdict, Why
from agentd.ledger.rules import step
from agentd.messages import Mode, Owed

HOLD = Row("hold", "call", 0, "book", Kind.HELD, Traits(keep_on="yes", undo=True), fact=Fact.THERE, expires=2000.0)
BOOK = Book("call", (HOLD,), armed=frozenset({(Clock.EXPIRES, "hold"), (Clock.STALE, "hold")}))


def asked(book: Book, key: str, at: int) -> Book:
    """The question was put, and its values heard at sample `at`."""
    return step(step(book, Begin("hold", Mode.ASK, key))[0], Played("hold", key, at))[0]


def test_a_question_that_nobody_answered_is_owed_again_and_not_while_it_is_put() -> None:
    assert owed(BOOK) == (Owed("hold", Mode.ASK),)
    assert owed(step(BOOK, Begin("hold", Mode.ASK, "first"))[0]) == ()
    assert owed(asked(BOOK, "first", 100)) == (Owed("hold", Mode.ASK),)


def test_a_statement_that_was_told_is_not_owed_again() -> None:
    told = replace(BOOK, tellings=(Telling("hold", Mode.TELL, "first", 100),))
    assert owed(told) == ()


def test_a_yes_is_to_the_question_as_it_was_put_last() -> None:
    again = asked(asked(BOOK, "first", 100), "second", 900)
    assert step(again, Words(Says.ASSENT, 500))[0].rows[0].verdict is Verdict.OPEN
    assert step(again, Words(Says.ASSENT, 900))[0].rows[0].verdict is Verdict.KEEP


def test_what_is_kept_is_not_told_again_while_what_may_take_its_place_is_asked_about() -> None:
    kept = replace(HOLD, fact=Fact.CONFIRMED, verdict=Verdict.KEEP, why=Why.YES, told=Told.TELLING)
    new = replace(HOLD, id="new", seq=1, replaces="hold")
    assert owed(Book("call", (kept,))) == (Owed("hold", Mode.TELL),)
    assert owed(Book("call", (kept, new))) == (Owed("new", Mode.ASK),)
    dropped = replace(new, verdict=Verdict.DROP, why=Why.REFUSED_BY_CALLER, fact=Fact.ABSENT, aware=True)
    assert owed(Book("call", (kept, dropped))) == (Owed("hold", Mode.TELL),)
