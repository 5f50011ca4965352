"""A call's ledger in a few words: what happens is told in the order of the call, and read off its rows.

Whatever is told, the laws of `ledger_laws` hold.
"""

from __future__ import annotations

from typing import Any

from agentd.ledger.book import Book, owed
from agentd.ledger.events import (
    Action,
    Answer,
    Answered,
    Arm,
    Ask,
    Begin,
    Clock,
    Cut,
    Done,
    Due,
    Event,
    Played,
    Proposed,
    Release,
    Says,
    Send,
    Suspected,
    Tell,
    Words,
)
from agentd.ledger.row import Kind, Row, Traits
from agentd.ledger.rules import recover, step
from agentd.messages import Mode
from tests.laws import ledger_laws as laws

COMPENSABLE, HELD, DEFERRED, PIVOT = Kind.COMPENSABLE, Kind.HELD, Kind.DEFERRED, Kind.PIVOT


def effect(name: str, kind: Kind, tool: str = "", **more: Any) -> Proposed:
    """A tool call; its tool and its identity are its name where nothing else is said."""
    of_row = {key: more.pop(key) for key in ("needs", "replaces", "args", "identity") if key in more}
    traits = Traits(**{"undo": kind in {COMPENSABLE, HELD}, **more})
    return Proposed(name, f"use of {name}", tool or name, kind, traits, **{"identity": name, **of_row})


class Call:
    """One call. Each method says what happens, and the samples of the caller's audio count up as it does."""

    def __init__(self, *effects: Proposed) -> None:
        self.book = Book("call")
        self.actions: list[Action] = []
        self.pos = 0
        self.keys = 0
        for each in effects:
            self.take(each)

    def take(self, *events: Event) -> Call:
        for event in events:
            self.pos += 1
            before = self.book
            self.book, actions = step(before, event)
            laws.check_book(self.book)
            laws.check_step(before, event, self.book, actions)
            self.actions.extend(actions)
        return self

    # ── The world ────────────────────────────────────────────────────────────────────────────────────────────────────

    def answered(self, row: str, ask: Ask, answer: Answer | None = None) -> Call:
        """The world answers; "done", where nothing else is said, and a hold then lasts a minute."""
        held = ask is Ask.DO and self[row].kind is HELD
        return self.take(Answered(row, ask, answer or (Done("{}", 60.0, 1060.0) if held else Done("{}"))))

    def done(self, *rows: str) -> Call:
        """What is under way for these rows, or for all, is done, and what follows from it too."""
        while going := [row for row in self.book.rows if row.in_flight and not row.stuck and (row.id in rows or not rows)]:
            row = going[0]
            acts = Ask.DO if row.before else Ask.ACT
            self.answered(row.id, {"confirming": Ask.CONFIRM, "undoing": Ask.UNDO}.get(row.fact, acts))
        return self

    def due(self, clock: Clock, row: str = "") -> Call:
        """A deadline passes, if it is armed."""
        assert (clock, row) in self.book.armed, f"{clock} of {row} is not armed: {sorted(self.book.armed)}"
        return self.take(Due(clock, row))

    def dies(self) -> Call:
        """The owner dies, and another takes over."""
        self.book, actions = recover(Book("call", self.book.rows), 1000.0)
        laws.check_book(self.book)
        self.actions.extend(actions)
        return self

    # ── The caller ───────────────────────────────────────────────────────────────────────────────────────────────────

    def begins(self, row: str, mode: Mode | None = None) -> str:
        """The telling that is owed begins, or that of another mode; answers its key."""
        self.keys += 1
        self.take(Begin(row, mode or dict(self.owed)[row], f"k{self.keys}"))
        return f"k{self.keys}"

    def tells(self, row: str, mode: Mode | None = None) -> Call:
        """What is owed about the row is told, or asked, to its telling point."""
        key = self.begins(row, mode)
        return self.take(Played(row, key, self.pos))

    def cut(self, row: str) -> Call:
        """What is owed about the row begins, and is cut."""
        return self.take(Cut(row, self.begins(row)))

    def kept(self, row: str) -> Call:
        """The row is told, and nobody objects."""
        return self.tells(row).due(Clock.GUARD, row)

    def says(self, says: Says, onset: int | None = None) -> Call:
        """The caller speaks from now, or from another sample on, and ends in words."""
        began = self.pos if onset is None else onset
        return self.take(Suspected(), Words(says, began))

    # ── What is so ───────────────────────────────────────────────────────────────────────────────────────────────────

    def __getitem__(self, name: str) -> Row:
        row = self.book.row(name)
        assert row is not None, f"there is no {name}"
        return row

    def has(self, name: str) -> bool:
        return self.book.row(name) is not None

    @property
    def owed(self) -> list[tuple[str, Mode]]:
        return [(due.effect, due.mode) for due in owed(self.book)]

    def sent(self, row: str) -> list[Ask]:
        """The requests that left for a row so far."""
        return [action.ask for action in self.actions if isinstance(action, Send) and action.row == row]

    def outcomes(self, row: str) -> list[str]:
        """The outcomes of the tool call that opened a row."""
        return [action.status for action in self.actions if isinstance(action, Tell) and action.use == f"use of {row}"]

    @property
    def released(self) -> list[str]:
        return [action.key for action in self.actions if isinstance(action, Release)]

    def times(self, clock: Clock) -> list[float]:
        """For how long a deadline of that name was armed each time, in seconds."""
        return [action.seconds for action in self.actions if isinstance(action, Arm) and action.clock is clock]

    def armed(self, row: str) -> set[Clock]:
        return {clock for clock, name in self.book.armed if name == row}

    def facts(self, *rows: str) -> list[str]:
        return [self[row].fact.value for row in rows]

    def verdicts(self, *rows: str) -> list[str]:
        return [self[row].verdict.value for row in rows]
