"""The driver: carries out the rules of one call, live and after a crash alike.

One task takes the events in their order; for each it asks the rules, writes the rows that changed, and only then acts: sends
requests, releases tellings, arms deadlines. Where the record cannot be written, the step has not happened: what is new is
refused, and what has to be known waits in its place until the record takes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from agentd.errors import Fenced, LedgerDown
from agentd.ledger.book import Book
from agentd.ledger.events import (
    Action,
    Answer,
    Answered,
    Arm,
    Ask,
    Begin,
    Clock,
    Disarm,
    Due,
    Event,
    NotSent,
    Proposed,
    Release,
    Send,
    TakenBack,
    Tell,
    Void,
)
from agentd.ledger.hands import Hands
from agentd.ledger.row import Row
from agentd.ledger.rules import recover, step
from agentd.messages import Reply

AGAIN_S: Final = (0.1, 0.2, 0.5, 1.0)
"""A record that takes no writes is tried again so soon; the last one for ever."""


class Record(Protocol):
    """Where rows are written down."""

    async def write(self, rows: Sequence[Row]) -> None:
        """Sync rows, all or none. Raises LedgerDown or Fenced. Cancelled: they may be on record or not."""

    async def end(self) -> None:
        """The call is over, and its rows know. Raises as `write`. Cancelled: it may be on record."""

    async def may_send(self, seconds: float) -> bool:
        """Whether the rows will still be ours when a request of so many seconds is over. Raises LedgerDown.

        Cancelled: nothing has changed.
        """


@dataclass(frozen=True, slots=True)
class Moved:
    """A step was written down: the book before and after it."""

    before: Book
    book: Book


@dataclass(frozen=True, slots=True)
class Down:
    """The record took no write, for `why`; the telling `key` must not be played."""

    why: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """All events up to this mark were taken: the caller's words for `reply`, or what came before them (None)."""

    reply: Reply | None


Report = Moved | Down | Reached | Tell | Release | Void
Start = Callable[..., None]


class Driver:
    """One call's ledger. `report` is told what happened; `start(work, *args)` starts a piece of work beside it.

    `ahead`: the book may be ahead of the record, so that all of it is to be written.
    """

    def __init__(
        self,
        book: Book,
        record: Record,
        hands: Hands,
        start: Start,
        report: Callable[[Report], Awaitable[None]],
        *,
        ahead: bool = False,
    ) -> None:
        self.book = book
        self._recorded = {} if ahead else {row.id: row for row in book.rows}
        self._record, self._hands, self._start, self._report = record, hands, start, report
        self._inbox: deque[Event | Reached] = deque()
        self._backlog: deque[Event] = deque()
        self._finishing = False
        self._failures = 0
        self._again_at = float("inf")
        self._wake = trio.Event()
        self._deadlines: dict[tuple[Clock, str], float] = {}
        self._resources: dict[str, trio.Lock] = {}
        self._requests: list[str] = []
        self.fenced = False
        """The rows belong to another process now: nothing is done any more."""

    def post(self, event: Event | Reached) -> None:
        """Take an event, or a mark to be reported once all before it were taken; never waits."""
        self._inbox.append(event)
        self._wake.set()

    async def recover(self, now: float) -> None:
        """Take over what a dead owner left. Cancelled: nothing is settled beyond what is on record."""
        while not self.fenced:
            if await self._advance(*recover(self.book, now)):
                return
            await trio.sleep(self._pause())

    @property
    def to_come(self) -> Book:
        """The book as it will be once the record takes what waits for it. What is to be sent then was not sent."""
        book = self.book
        for event in self._backlog:
            book, _ = step(book, event)
        return book

    def finish(self) -> None:
        """Let `run` return once nothing is left but what waits for humans."""
        self._finishing = True
        self._wake.set()

    async def run(self) -> None:
        """Drive until cancelled, or finished.

        Cancelled: a step in the making may be on record or not, and none of its actions is done; requests that are under way
        belong to the pieces of work that were started.
        """
        while True:
            await self._take_all()
            if self._finishing and (self.fenced or (self.book.settled and not self._backlog)):
                return
            self._wake = trio.Event()
            if not self._inbox:
                with trio.move_on_at(min((self._again_at, *self._deadlines.values()))):
                    await self._wake.wait()

    async def _take_all(self) -> None:
        """Everything that has happened or is due. Cancelled: as `run`."""
        now = trio.current_time()
        if now >= self._again_at:
            await self._catch_up()
        for (clock, row), at in sorted(self._deadlines.items(), key=lambda item: item[1]):
            if at <= now:
                del self._deadlines[clock, row]
                self._inbox.append(Due(clock, row))
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, Reached):
                await self._report(item)
            elif self.fenced or self._backlog or not await self._advance(*step(self.book, item)):
                await self._put_off(item)

    async def _catch_up(self) -> None:
        """Try the record again, with what waited for it, in its order. Cancelled: as `run`."""
        self._again_at = float("inf")
        while (self._backlog or self._failures) and not self.fenced:
            if not await self._advance(*(step(self.book, self._backlog[0]) if self._backlog else (self.book, ()))):
                self._again_at = trio.current_time() + self._pause()
                return
            if self._backlog:
                self._backlog.popleft()

    async def _put_off(self, event: Event) -> None:
        """The record took no write. What is new is refused; what must be known waits. Cancelled: as `run`."""
        match event:
            case Proposed(use=use) | TakenBack(use=use):
                await self._report(Tell(use, "", "refused", "nothing can be put on record now, so nothing is done"))
            case Begin(key=key):
                await self._report(Down("the telling cannot be put on record", key))
            case _ if not self.fenced:
                self._backlog.append(event)
        if not self.fenced:
            self._again_at = min(self._again_at, trio.current_time() + self._pause())

    def _pause(self) -> float:
        return AGAIN_S[min(self._failures, len(AGAIN_S)) - 1]

    async def _advance(self, book: Book, actions: tuple[Action, ...]) -> bool:
        """Write what changed, then act. False: it could not be written, and nothing has happened. Cancelled: as `run`."""
        failed = self._failures > 0
        changed = tuple(row for row in book.rows if self._recorded.get(row.id) != row)
        if failed and not changed:
            changed = book.rows[-1:]  # whether the record takes writes again is known by one
        if changed:
            try:
                await self._record.write(changed)
            except (LedgerDown, Fenced) as error:
                self.fenced = isinstance(error, Fenced)
                self._failures += 1
                await self._report(Down(str(error)))
                return False
        self._recorded |= {row.id: row for row in changed}
        before, self.book, self._failures = self.book, book, 0
        if changed or failed or before.tellings != book.tellings:
            await self._report(Moved(before, book))
        for action in actions:
            await self._act(action)
        return True

    async def _act(self, action: Action) -> None:
        """Cancelled: as `run`."""
        match action:
            case Send(row, ask):
                self._start(self._request, row, ask)
            case Arm(clock, row, seconds):
                self._deadlines[clock, row] = trio.current_time() + seconds
            case Disarm(clock, row):
                self._deadlines.pop((clock, row), None)
            case _:
                await self._report(action)

    @property
    def waits_for(self) -> float:
        """The longest timeout of the requests that are under way, in seconds; 0 where there is none."""
        return max((row.traits.timeout for row in self.book.rows if row.id in self._requests), default=0.0)

    async def _request(self, name: str, ask: Ask) -> None:
        """One request, and its answer as an event. Cancelled: no answer, so that its outcome is not known."""
        row = self.book.row(name)
        if row is None or self.fenced:
            return
        self._requests.append(name)
        try:
            self.post(Answered(name, ask, await self._ask(row, ask)))
        finally:
            self._requests.remove(name)

    async def _ask(self, row: Row, ask: Ask) -> Answer:
        """One at a time on a resource. Cancelled: as `_request`."""
        if not row.resource:
            return await self._sent(row, ask)
        lock = self._resources.setdefault(row.resource, trio.Lock())
        with trio.move_on_after(row.traits.timeout) as patience:
            await lock.acquire()
        if patience.cancelled_caught:
            return NotSent("busy")
        try:
            return await self._sent(row, ask)
        finally:
            lock.release()

    async def _sent(self, row: Row, ask: Ask) -> Answer:
        """Cancelled: as `_request`."""
        try:
            ours = await self._record.may_send(row.traits.timeout)
        except LedgerDown as down:
            return NotSent(str(down))
        now = self.book.row(row.id)
        if ask is Ask.DO and now is not None and now.dropped and now.sends == 1:
            return NotSent("it was let go while it waited")
        return await self._hands.send(row, ask) if ours else NotSent("this process may be about to lose its rows")
