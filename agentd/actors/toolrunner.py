"""The tool runner: carries out what the flow's tools are asked to do, and the ledger's rules for those that change the world.

A tool that only reads goes on through a barge-in, and its outcome serves the next reply. An effect is a row of the call's
book: what the conductor tells of the caller and the playback becomes the ledger's events, in that order, and what the rules
decide goes back as messages once it is on record. When the call ends, or this actor dies, what is open is settled as far as
there is time, and the rest is left to the janitor.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import trio

from agentd import limits
from agentd.actors.kit import Mailbox, open_jobs
from agentd.errors import EngineStalled, Fenced, ToolError
from agentd.errors import LedgerDown as LedgerError
from agentd.flow.effects import EffectTool
from agentd.flow.model import Flow
from agentd.flow.refusal import Refused
from agentd.flow.telling import label
from agentd.ledger import driver, events
from agentd.ledger.book import QUESTIONS, Book, changes, owed
from agentd.ledger.driver import Driver, Record
from agentd.ledger.hands import Hands
from agentd.ledger.lines import effects
from agentd.ledger.row import Why
from agentd.ledger.speech.words import says
from agentd.ledger.storage.codec import CallFacts
from agentd.messages import (
    LedgerDown,
    LedgerMoved,
    Outcome,
    Release,
    Reply,
    Rule,
    Ruled,
    RunTool,
    Status,
    TakeBack,
    TellingRefused,
    ToolDone,
    UseTool,
)
from agentd.offload import Offload

MOST: Final = 8
"""Tools of one call at the same time: a model that asks for more is confused."""

PATIENCE: Final = 1.5
"""Times a tool's own timeout: so long a tool call waits for its row's outcome, before it is told that it still runs."""

RunnerMessage = RunTool | Rule | events.Event


class ToolRunner:
    """One call's hands. `facts` are what the carrier says of the call; `adopt` takes the book when the call is over.

    `record` is where the ledger writes, `hands` how its requests reach the world, `wall` the time of day.
    """

    def __init__(
        self,
        mailbox: Mailbox[RunnerMessage],
        report: Mailbox[object],
        flow: Flow,
        offload: Offload,
        facts: CallFacts,
        record: Record,
        hands: Hands,
        wall: Callable[[], datetime],
        guard: float,
        adopt: Callable[[Book], None],
    ) -> None:
        self._mailbox, self._report, self._flow, self._offload = mailbox, report, flow, offload
        self._facts, self._record, self._hands, self._wall, self._adopt = facts, record, hands, wall, adopt
        self.book = Book(facts.id, guard=guard)
        self._orders: dict[str, tuple[RunTool, float]] = {}
        self._uses = 0
        self._took = ""
        self._over, self._driven, self._left = trio.Event(), trio.Event(), trio.Event()

    async def run(self, provider: int) -> None:
        """Run tools until cancelled. Cancelled: what is open is settled or left to the janitor; a tool that reads and runs in
        a thread runs to its end there, and its result is dropped.
        """
        async with open_jobs() as life:
            life.start(self._work)
            try:
                await trio.sleep_forever()
            finally:
                self._over.set()
                with trio.CancelScope(shield=True):
                    await self._left.wait()

    async def _work(self) -> None:
        """Shielded: it ends when told, within `limits.SETTLE_S`, or when the requests under way have their answers.

        Cancelled: as `run`.
        """
        try:
            with trio.CancelScope(shield=True):
                async with open_jobs() as self._jobs:
                    self._driver = Driver(self.book, self._record, self._hands, self._jobs.start, self._heard_of)
                    self._jobs.start(self._drive)
                    self._jobs.start(self._serve)
                    await self._over.wait()
                    await self._leave()
        finally:
            self.book = self._driver.book
            if not (self.book.settled or self._driver.fenced):
                self._adopt(self._driver.to_come)
            self._left.set()

    async def _drive(self) -> None:
        """Cancelled: as Driver.run."""
        await self._driver.run()
        self._driven.set()

    async def _serve(self) -> None:
        """Cancelled: an order that was taken may be carried out or not."""
        while not self._over.is_set():
            await self._obey(await self._mailbox.receive())

    async def _leave(self) -> None:
        """Tell the rules all that is known, and that the call is over. Cancelled: the rest is the janitor's."""
        while (message := self._mailbox.receive_nowait()) is not None:
            if not isinstance(message, RunTool):
                await self._obey(message)
        self._report = Mailbox(lambda: None)  # nobody reads any more what is reported
        self._driver.post(events.Ended())
        self._driver.finish()
        with trio.move_on_after(limits.SETTLE_S):
            await self._driven.wait()
        if not self._driven.is_set():
            with trio.move_on_after(self._driver.waits_for):  # a request that is cut leaves its outcome unknown
                await self._driven.wait()
        if self._driven.is_set() and self._driver.book.rows and not self._driver.fenced:
            with suppress(LedgerError, Fenced):  # then the janitor finds it, and ends it
                await self._record.end()

    # ── Orders ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _obey(self, message: RunnerMessage) -> None:
        """Cancelled: an order that was taken is carried out, or never answered."""
        match message:
            case RunTool():
                await self._start(message)
            case Rule(reply, text, onset):
                asked = any(t.played is not None and t.mode in QUESTIONS for t in self._driver.book.tellings)
                self._driver.post(driver.Reached(None))
                self._driver.post(events.Words(says(text, asked=asked), onset))
                self._driver.post(driver.Reached(reply))
            case event:
                self._driver.post(event)

    async def _start(self, order: RunTool) -> None:
        """Cancelled: as `_obey`."""
        if len(self._orders) >= MOST:
            now = trio.current_time()
            await self._report.send(ToolDone(order.reply, Outcome(order.proposal, "refused", why="too many at once"), now, now))
            return
        self._uses += 1
        use = str(self._uses)  # models give one id twice, or none
        self._orders[use] = order, trio.current_time()
        if isinstance(order.proposal, TakeBack):
            self._jobs.start(self._lose_patience, use, limits.TOOL_S * PATIENCE)
            self._driver.post(events.TakenBack(_new_id(), use, order.proposal.effect, self._epoch()))
            return
        try:
            tool, args = self._flow.check_tool(order.flow, order.proposal.tool, order.proposal.args)
        except Refused as refusal:
            await self._settle(use, "refused", why=str(refusal))
            return
        if not isinstance(tool, EffectTool):
            self._jobs.start(self._read, use, order)
            return
        self._jobs.start(self._lose_patience, use, tool.timeout * PATIENCE)
        self._driver.post(
            events.Proposed(
                _new_id(), use, tool.name, tool.kind, tool.traits, tool.dump(args), tool.identity_of(args),
                tool.resource_of(args), tool.needs, order.proposal.replaces, self._epoch(),
            )
        )  # fmt: skip

    def _epoch(self) -> float:
        return self._wall().timestamp()

    async def _lose_patience(self, use: str, seconds: float) -> None:
        """A tool call waits for its row, and not for ever. Cancelled: it waits on."""
        await trio.sleep(seconds)
        await self._settle(use, "timeout", why="still running: do not repeat it")

    async def _settle(self, use: str, status: Status, result: Any = None, why: str = "") -> None:
        """The one outcome of a tool call. Cancelled: it is not told."""
        order, began = self._orders.pop(use, (None, 0.0))
        if order is not None:
            outcome = Outcome(order.proposal, status, result, why)
            await self._report.send(ToolDone(order.reply, outcome, began, trio.current_time()))

    # ── What the ledger did ──────────────────────────────────────────────────────────────────────────────────────────

    async def _heard_of(self, report: driver.Report) -> None:
        """Pass it on to the conductor. Cancelled: it is not told."""
        now = trio.current_time()
        match report:
            case driver.Moved(before, book):
                self._took = _took(before, book) or self._took
                await self._report.send(self._moved(before, book, now))
            case driver.Reached(None):
                self._took = ""
            case driver.Reached(Reply() as reply):
                await self._report.send(Ruled(reply, self._took, now))
            case driver.Down(why, key):
                await self._report.send(TellingRefused(key, why, now) if key else LedgerDown(why, now))
            case events.Tell(use, row, status, why):
                found = self._driver.book.row(row)
                await self._settle(use, status, found.result if found else None, why)
            case events.Release(_, key):
                await self._report.send(Release(key))
            case events.Void(_, key):
                await self._report.send(TellingRefused(key, "it is not so any more", now))

    def _moved(self, before: Book, book: Book, now: float) -> LedgerMoved:
        local = self._flow.local(self._wall().isoformat())
        return LedgerMoved(
            now,
            changes(before, book),
            effects(book, lambda row: label(self._flow, row, local)),
            owed(book),
            book.busy,
            book.live,
        )

    # ── Tools that read ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _read(self, use: str, order: RunTool) -> None:
        """One tool and its one outcome. Cancelled: none is reported."""
        result, status, why = await self._attempt(order)
        await self._settle(use, status, result, why)

    async def _attempt(self, order: RunTool) -> tuple[Any, Status, str]:
        use = order.proposal
        assert isinstance(use, UseTool)
        try:
            tool, checked = self._flow.check_tool(order.flow, use.tool, use.args)
            now, facts = self._flow.local(order.wall), self._facts
            context = self._flow.context(order.flow, now, facts.caller, facts.called, facts.id)
            if tool.blocking:
                # The thread is left alone a little later than the tool's own time, so that the time is told from a stall.
                return (
                    await self._offload(lambda: tool.call(context, checked), timeout=tool.timeout, stage=tool.name),
                    "done",
                    "",
                )
            with trio.fail_after(tool.timeout):
                pending: Awaitable[Any] = tool.call(context, checked)
                return await pending, "done", ""
        except Refused as refusal:
            return None, "refused", str(refusal)
        except (trio.TooSlowError, EngineStalled):
            return None, "timeout", f"{use.tool} gave no answer in time"
        except Exception as error:  # the tool boundary: an author's bug is an outcome, not the end of a call
            return None, "failed", f"{type(error).__name__}: {error}" if not isinstance(error, ToolError) else str(error)


def _new_id() -> str:
    """A row's id, which the remote gets as its key: nobody can guess it."""
    return secrets.token_hex(16)


TAKEN: Final = {
    Why.YES: "assent",
    Why.ASSENT: "assent",
    Why.RETRACTED: "retract",
    Why.REFUSED_BY_CALLER: "no",
}
"""What the caller's words were taken for, by the verdict that they gave."""


def _took(before: Book, book: Book) -> str:
    """What the caller's words did, if a verdict or an agreement to a risk came of them."""
    for row in book.rows:
        old = before.row(row.id)
        if old is not None and old.open and not row.open and row.why in TAKEN:
            return TAKEN[Why(row.why)]
        if old is not None and row.risked and not old.risked:
            return "assent"
    return ""
