"""A book in the making: what every rule does to it, in small steps, and the actions so far."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agentd.errors import InternalBug
from agentd.ledger.book import Book, Telling
from agentd.ledger.events import Action, Arm, Clock, Disarm, Tell
from agentd.ledger.row import Row


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

    def telling(self, key: str) -> Telling | None:
        """The telling of that segment."""
        return next((telling for telling in self.book.tellings if telling.key == key), None)

    def being_told(self, row: Row) -> bool:
        """Whether a telling of the row is on its way, or waits for the caller's answer."""
        return any(telling.row == row.id for telling in self.book.tellings)

    def tell(self, use: str, row: str, status: str, why: str) -> None:
        """Answer a tool call."""
        self.actions.append(Tell(use, row, status, why))

    def outcome(self, name: str, status: str, why: str) -> None:
        """Answer the tool call that opened a row, if it still waits: each gets exactly one outcome."""
        row = self.get(name)
        if row.use:
            self.put(row, use="")
            self.tell(row.use, row.id, status, why)

    def fail_use(self, row: Row) -> None:
        """The tool call's outcome, where its row was let go."""
        self.outcome(row.id, "refused", f"it was let go: {row.why}")

    def arm(self, clock: Clock, name: str, seconds: float) -> None:
        """Set a deadline of a row, or of the call ("")."""
        self.set(armed=self.book.armed | {(clock, name)})
        self.actions.append(Arm(clock, name, seconds))

    def disarm(self, clock: Clock, name: str) -> None:
        """Forget a deadline."""
        if (clock, name) in self.book.armed:
            self.set(armed=self.book.armed - {(clock, name)})
            self.actions.append(Disarm(clock, name))

    def forget_clocks(self, row: Row) -> None:
        """A verdict was given: what waited for it need not any more."""
        for clock in (Clock.GUARD, Clock.OPEN, Clock.STALE):
            self.disarm(clock, row.id)
