"""Incidents as calls leave them: the real rules, written to a store event by event."""

from __future__ import annotations

from agentd.ledger.book import Book
from agentd.ledger.events import Answered, Ask, Begin, Clock, Done, Due, Ended, Event, Played, Proposed, Says, Unknown, Words
from agentd.ledger.row import Kind, Traits
from agentd.ledger.rules import TRIES, step
from agentd.ledger.storage.codec import CallFacts
from agentd.messages import Mode
from tests.unit.ledger.keeping import Place

NOON = 1_795_176_000.0
"""2026-11-20 12:00:00 UTC."""

BOOKING, DEPOSIT, TEXT = (
    "5f0c9d27b4a84e1f9c3d6a7b80e1f2a4",
    "9f86d081884c7d659a2feaa0c55ad015",
    "3c59dc048e8850243be8079a5c74d079",
)
CALL, OTHER_CALL = "20261120-120000-123-7f3a9c01", "20261120-115200-456-0b1c2d3e"


class Story:
    """One call's ledger; `happens` takes events at a time, in seconds since the call's start."""

    def __init__(self, place: Place, call: str = CALL, start: float = NOON) -> None:
        self._place, self._start = place, start
        place.now = start
        self.store = place.open()
        self.facts = CallFacts(call, "receptionist", "+15550142", "+15550100", start)
        self.book = Book(call)

    def happens(self, at: float, *events: Event) -> Story:
        self._place.now = self._start + at
        for event in events:
            before, (self.book, _) = self.book, step(self.book, event)
            known = {row.id: row for row in before.rows}
            changed = [row for row in self.book.rows if known.get(row.id) != row]
            self.store.write(self.facts, changed, ended=isinstance(event, Ended))
        return self


def proposed(name: str, tool: str, kind: Kind, traits: Traits, *needs: str, args: str = "{}", replaces: str = "") -> Proposed:
    return Proposed(name, f"use-{name[:4]}", tool, kind, traits, args, f"[{args}]", "", needs, replaces, NOON)


HOLD = Traits(keep_on="yes", honours_key=True, tombstone=True, undo=True)
AT_MOST_ONCE = Traits(keep_on="yes")
OUTBOX = Traits(honours_key=True)


def a_deposit_that_nobody_knows_of(place: Place) -> Story:
    """The caller held a time and said yes to a deposit; the payment gave no answer, and cannot be asked. The caller was sent
    word that somebody will look."""
    held = proposed(BOOKING, "book", Kind.HELD, HOLD, args='{"when": "2026-11-24T10:00", "name": "Jane Doe"}')
    pay = proposed(DEPOSIT, "deposit", Kind.PIVOT, AT_MOST_ONCE, "book", args='{"amount": 20}')
    story = (
        Story(place).happens(41.2, held).happens(41.6, Answered(BOOKING, Ask.DO, Done("{}", lasts=600.0, expires=NOON + 641)))
    )
    story.happens(44.0, pay).happens(44.1, Begin(DEPOSIT, Mode.ASK, "3.0.0")).happens(48.9, Played(DEPOSIT, "3.0.0", 391_200))
    story.happens(50.3, Words(Says.ASSENT, 396_000)).happens(60.3, Answered(DEPOSIT, Ask.ACT, Unknown("no answer within 10 s")))
    return story.happens(95.0, Ended()).happens(95.4, Answered(f"{DEPOSIT}.notice", Ask.ACT, Done()))


def a_booking_that_could_not_be_undone(place: Place) -> Story:
    """The caller took a booking back, and the remote answers its undo no more."""
    book = proposed(BOOKING, "book", Kind.COMPENSABLE, Traits(honours_key=True, undo=True), args='{"name": "Jane Doe"}')
    story = Story(place, OTHER_CALL, NOON - 480).happens(20.0, book).happens(20.4, Answered(BOOKING, Ask.DO, Done("{}")))
    story.happens(20.5, Begin(BOOKING, Mode.TELL, "2.0.0")).happens(21.8, Words(Says.RETRACT, 170_000))
    for number in range(TRIES):
        story.happens(23.0 + 30 * number, Answered(BOOKING, Ask.UNDO, Unknown("503")), Due(Clock.RETRY, BOOKING))
    return story.happens(220.0, Ended())


def a_text_that_nobody_takes(place: Place) -> Story:
    """The caller heard that a text will come, and the gateway never answered."""
    text = proposed(TEXT, "text_me", Kind.DEFERRED, OUTBOX, args='{"to": "+15550142"}')
    story = (
        Story(place)
        .happens(30.0, text)
        .happens(30.1, Begin(TEXT, Mode.TELL, "2.0.0"))
        .happens(31.5, Played(TEXT, "2.0.0", 252_000))
    )
    story.happens(31.9, Due(Clock.GUARD, TEXT))
    for number in range(TRIES):
        story.happens(32.0 + 30 * number, Answered(TEXT, Ask.ACT, Unknown("no answer")), Due(Clock.RETRY, TEXT))
    return story.happens(250.0, Ended())
