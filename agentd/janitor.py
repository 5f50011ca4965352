"""The janitor: settles what calls leave behind, and what dead processes left, with the same driver that live calls have.

It says that this process lives, looks for calls whose owner does not, takes what a call that is over could not settle in its
time, carries out operators' orders, and erases what has been kept long enough.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

import trio

from agentd.actors.kit import Jobs, open_jobs
from agentd.errors import Fenced, InternalBug, LedgerDown
from agentd.ledger import driver
from agentd.ledger.book import Book, changes
from agentd.ledger.driver import Driver
from agentd.ledger.events import Resolved, Retried
from agentd.ledger.hands import Hands
from agentd.ledger.storage.codec import CallFacts, Case
from agentd.ledger.storage.incidents import Census, Order, Verb
from agentd.ledger.storage.ledger import Ledger
from agentd.messages import RowChanged

log = logging.getLogger(__name__)

RENEW_S: Final = 1.0
"""How often this process says that it lives: several times in the shortest lease."""

LOOK_S: Final = 1.0
"""How often dead owners and orders are looked for."""

QUIET_S: Final = 0.05
"""How often a daemon that goes looks whether all is settled."""

ERASE_S: Final = 3600.0
"""How often old arguments are erased; their age is counted in days."""


def waits(case: Case) -> bool:
    """Whether all that is left of a call waits for humans."""
    return Book(case.call.id, case.rows, over=True).settled


class Janitor:
    """One process's janitor. `hands` makes those of a call that is over, `is_live` tells whether a call still is one of ours.

    `count` is told how the ledger stands, `moved` which rows changed.
    """

    def __init__(
        self,
        ledger: Ledger,
        hands: Callable[[CallFacts], Hands],
        is_live: Callable[[str], bool],
        wall: Callable[[], datetime],
        count: Callable[[Census], None],
        moved: Callable[[tuple[RowChanged, ...]], None],
        erase_days: float,
    ) -> None:
        self._ledger, self._hands, self._is_live, self._wall = ledger, hands, is_live, wall
        self._count, self._moved, self._erase_days = count, moved, erase_days
        self._drivers: dict[str, Driver] = {}
        self._broken: set[str] = set()
        """Calls that only a human can settle, since a law of ours broke in them."""
        self._adopted: list[tuple[CallFacts, Book]] = []
        self._wake = trio.Event()

    def adopt(self, facts: CallFacts, book: Book) -> None:
        """Take the book of a call that is over and is not settled; it may be ahead of the record. Never waits."""
        self._adopted.append((facts, book))
        self._wake.set()

    async def quiet(self) -> None:
        """Wait until nothing is under way. Cancelled: nothing has changed."""
        while self._drivers or self._adopted:  # noqa: ASYNC110 — it ends by many hands
            await trio.sleep(QUIET_S)

    async def run(self) -> None:
        """Settle until cancelled. Cancelled: what is under way is unknown, and is taken up again by whoever comes next."""
        async with open_jobs() as jobs:
            jobs.start(self._renew)
            jobs.start(self._erase)
            while True:
                try:
                    await self._look(jobs)
                except LedgerDown as down:
                    log.warning("the ledger cannot be read: %s", down)
                self._wake = trio.Event()
                if not self._adopted:
                    with trio.move_on_after(LOOK_S):
                        await self._wake.wait()

    async def _look(self, jobs: Jobs) -> None:
        """Find what needs settling, and begin. Cancelled: what was claimed is found again by `unsettled`."""
        while self._adopted:
            facts, book = self._adopted.pop()
            self._begin(jobs, Case(facts, book.rows), ahead=True)
        await self._ledger.take_over()
        found = await self._ledger.unsettled()
        adopted = {facts.id for facts, _ in self._adopted}
        cases = [case for case in found if case.call.id not in adopted and not self._is_live(case.call.id)]
        for case in cases:
            in_hand = case.call.id in self._drivers or case.call.id in self._broken
            if not in_hand and not (case.call.ended and waits(case)):
                await self._take_up(jobs, case)
        live = {row.id for case in found if self._is_live(case.call.id) for row in case.rows}
        for order in await self._ledger.orders():
            if order.row not in live:
                await self._obey(order, cases, jobs)
        self._count(await self._ledger.census())

    async def _obey(self, order: Order, cases: Collection[Case], jobs: Jobs) -> None:
        """Carry out an operator's order, once its call is over. Cancelled: it may be carried out again."""
        case = next((case for case in cases if any(row.id == order.row for row in case.rows)), None)
        at = None if case is None else self._drivers.get(case.call.id) or await self._take_up(jobs, case)
        if at is None:
            outcome = "there is nothing to do: it is settled"
        else:
            at.post(Retried(order.row) if order.verb is Verb.RETRY else Resolved(order.row, order.has, order.why))
            outcome = "taken up"
        await self._ledger.carried_out(order.number, outcome)

    # ── One call ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _take_up(self, jobs: Jobs, case: Case) -> Driver | None:
        """Begin with a case as it stands now: its call may have ended while it was read, and moved on. Cancelled: as `run`."""
        now = await self._ledger.of_call(case.call.id)
        return None if now is None else self._begin(jobs, now)

    def _begin(self, jobs: Jobs, case: Case, *, ahead: bool = False) -> Driver:
        book = Book(case.call.id, case.rows, over=True)
        at = Driver(book, self._ledger.page(case.call), self._hands(case.call), jobs.start, self._hear, ahead=ahead)
        self._drivers[case.call.id] = at
        jobs.start(self._settle, case.call, at)
        return at

    async def _settle(self, facts: CallFacts, at: Driver) -> None:
        """Drive a call's rows until nothing is left but what waits for humans. Cancelled: as `run`."""
        try:
            await at.recover(self._wall().timestamp())
            at.finish()
            await at.run()
            del self._drivers[facts.id]  # from here on an order finds another driver
            for row in at.book.rows:
                if row.stuck:
                    log.error("call %s: nobody knows what became of %s: agentd effects show %s", facts.id, row.tool, row.id)
            if not at.fenced:
                await self._ledger.page(facts).end()
        except (LedgerDown, Fenced) as error:
            log.warning("call %s is settled later, or by another process: %s", facts.id, error)
        except InternalBug:
            log.exception("call %s cannot be settled", facts.id)  # the others can
            self._broken.add(facts.id)
        finally:
            if self._drivers.get(facts.id) is at:
                del self._drivers[facts.id]

    async def _hear(self, report: driver.Report) -> None:
        """Cancelled: nothing is left behind."""
        if isinstance(report, driver.Moved):
            self._moved(changes(report.before, report.book))

    # ── Housekeeping ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _renew(self) -> None:
        """Cancelled: this process will be taken for dead when its lease ends."""
        while True:
            try:
                if not await self._ledger.renew():
                    log.warning("this process was taken for dead: its calls' effects are another one's now")
            except LedgerDown as down:
                log.warning("the ledger does not know that this process lives: %s", down)
            await trio.sleep(RENEW_S)

    async def _erase(self) -> None:
        """Cancelled: the rest is erased the next time."""
        while True:
            try:
                await self._ledger.erase(self._erase_days)
            except LedgerDown as down:
                log.warning("old arguments are kept longer than they should: %s", down)
            await trio.sleep(ERASE_S)
