"""A book in the making: what every rule does to it, in small steps, and the actions so far."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from agentd.errors import InternalBug
from agentd.ledger.book import Book, Telling
from agentd.ledger.events import Action, Arm, Ask, Clock, Disarm, Send, Tell
from agentd.ledger.row import Fact, Kind, Row, Told, Traits, Verdict, Why
from agentd.messages import Status

ARROWS: Final = {Ask.DO: Fact.SENT, Ask.ACT: Fact.SENT, Ask.CONFIRM: Fact.CONFIRMING, Ask.UNDO: Fact.UNDOING}
"""What a row is while a request is under way."""

NOTICE: Final = Traits(honours_key=True)
"""Notices leave by our own outbox, to receivers that drop a key that they have seen."""


class Draft:
    """The working copy on which the rules stand."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.actions: list[Action] = []

    def set(self, **changes: Any) -> None:
        """Change the book."""
        self.book = replace(self.book, **changes)

    def get(self, name: str) -> Row:
        """A row as it is now."""
        row = self.book.row(name)
        if row is None:
            raise InternalBug(f"there is no row {name}")
        return row

    def put(self, row: Row, **changes: Any) -> Row:
        """Change a row, as it is now; answers what it is from then on."""
        changed = replace(self.get(row.id), **changes)
        self.set(rows=tuple(changed if other.id == row.id else other for other in self.book.rows))
        return changed

    # ── Rows that are born ───────────────────────────────────────────────────────────────────────────────────────────

    def add(self, row: Row) -> None:
        """Open a row, behind all others."""
        self.set(rows=(*self.book.rows, replace(row, call=self.book.call, seq=len(self.book.rows))))
        if row.open:
            self.arm(Clock.OPEN, row.id, row.traits.open_for)

    def add_take_back(self, name: str, row: Row, use: str, at: float) -> None:
        """12: a row of its own; the caller's own request is its bound yes."""
        born = Row(name, "", 0, row.tool, Kind.TAKE_BACK, row.traits, row.args, resource=row.resource, of=row.id, use=use)
        self.add(replace(born, verdict=Verdict.KEEP, why=Why.YES, result=row.result, opened=at))

    def add_fresh(self, row: Row) -> None:
        """6: the same hold once more, which takes the place of a stale one."""
        unsent = replace(row, fact=Fact.UNSENT, told=Told.NO, stale=False, sends=0, tries=0, result="", expires=0.0, use="")
        self.add(replace(unsent, id=f"{row.id}.r", replaces=row.id, refreshed=True))

    def add_notice(self, row: Row) -> None:
        """16: the one notice that the caller is owed about a row."""
        born = Row(f"{row.id}.notice", "", 0, row.tool, Kind.NOTICE, NOTICE, of=row.id, opened=row.opened)
        self.add(replace(born, verdict=Verdict.KEEP, why=Why.BORN))

    # ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, row: Row, ask: Ask) -> None:
        """The arrow is on record before the request leaves."""
        again = row.fact is ARROWS[ask]
        self.put(row, fact=ARROWS[ask], sends=(row.sends if again else 0) + 1, tries=(row.tries if again else 0) + 1)
        self.actions.append(Send(row.id, ask))

    # ── Tellings, outcomes, deadlines ────────────────────────────────────────────────────────────────────────────────

    def telling(self, key: str) -> Telling | None:
        """The telling of that segment."""
        return next((telling for telling in self.book.tellings if telling.key == key), None)

    def being_told(self, row: Row) -> bool:
        """Whether a telling of the row, or of what needs it, is on its way or waits for the caller's answer."""
        return any(telling.row == row.id or row.id in self.get(telling.row).needs for telling in self.book.tellings)

    def tell(self, use: str, row: str, status: Status, why: str) -> None:
        """Answer a tool call."""
        self.actions.append(Tell(use, row, status, why))

    def outcome(self, name: str, status: Status, why: str) -> None:
        """Answer the tool call that opened a row, if it still waits: each gets exactly one outcome."""
        row = self.get(name)
        if row.use:
            self.put(row, use="")
            self.tell(row.use, row.id, status, why)

    def arm(self, clock: Clock, name: str, seconds: float) -> None:
        """Set a deadline of a row, or of the call ("")."""
        self.set(armed=self.book.armed | {(clock, name)})
        self.actions.append(Arm(clock, name, seconds))

    def disarm(self, clock: Clock, name: str) -> None:
        """Forget a deadline."""
        if (clock, name) in self.book.armed:
            self.set(armed=self.book.armed - {(clock, name)})
            self.actions.append(Disarm(clock, name))

    def forget_told(self, row: Row) -> None:
        """What was played of a row's tellings waits for no answer any more."""
        self.set(tellings=tuple(t for t in self.book.tellings if t.row != row.id or t.played is None))

    def forget_verdict_clocks(self, row: Row) -> None:
        """A verdict was given: what waited for it need not any more."""
        for clock in (Clock.GUARD, Clock.OPEN, Clock.STALE):
            self.disarm(clock, row.id)

    def forget_clocks(self, row: Row) -> None:
        """The world has settled it."""
        for clock in (Clock.RETRY, Clock.EXPIRES):
            self.disarm(clock, row.id)
