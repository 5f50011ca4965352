"""A call that is killed at its k-th step, and those who come after it: processes by fork, time by the virtual clock.

A *step* is the moment before or after a write of the ledger, a request to the world, or a word of the playback about a telling.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio
from trio.testing import MockClock

from agentd.flow.hands import FlowHands
from agentd.flow.model import Flow
from agentd.janitor import Janitor
from agentd.ledger.events import Answer, Ask, Done
from agentd.ledger.hands import Hands
from agentd.ledger.row import Fact, Kind, Row, Told, Why
from agentd.ledger.storage.codec import CallFacts
from agentd.ledger.storage.ledger import Ledger, Page
from agentd.ledger.storage.store import Store, open_store
from agentd.ledger.storage.vault import Vault
from agentd.messages import Logged, Release, TellingCut, TellingPlayed
from agentd.offload import Inline
from tests.calls import harness
from tests.crash.world import World

KILLED = 9
KEY = "dGhlIGtleSBvZiB0aGVzZSB0ZXN0cywgMzIgYnl0ZXM="
SETTLED_S = 20.0
"""Virtual seconds within which a janitor has settled all that it can."""


class Fuse:
    """Kills the process at its `at`-th step; 0 never does."""

    def __init__(self, at: int) -> None:
        self._at, self._steps = at, 0

    def step(self) -> None:
        self._steps += 1
        if self._steps == self._at:
            os._exit(KILLED)


class FusedPage:
    """A ledger's page with steps before and after each write."""

    def __init__(self, page: Page, fuse: Fuse) -> None:
        self._page, self._fuse = page, fuse

    async def write(self, rows: Sequence[Row]) -> None:
        self._fuse.step()
        await self._page.write(rows)
        self._fuse.step()

    async def end(self) -> None:
        self._fuse.step()
        await self._page.end()

    async def may_send(self, seconds: float) -> bool:
        return await self._page.may_send(seconds)


class FusedLedger(Ledger):
    """A ledger whose pages are fused."""

    def __init__(self, store: Store, fuse: Fuse) -> None:
        super().__init__(store, Inline())
        self._fuse = fuse

    def page(self, call: CallFacts) -> Any:
        return FusedPage(super().page(call), self._fuse)


class WorldHands:
    """A flow's hands with steps around each request; notices go to the world as they are."""

    def __init__(self, hands: FlowHands, world: World, fuse: Fuse) -> None:
        self._hands, self._world, self._fuse = hands, world, fuse

    async def send(self, row: Row, ask: Ask) -> Answer:
        self._fuse.step()
        if row.kind is Kind.NOTICE:
            self._world.ask("notice", row.id, row.tool)
            answer: Answer = Done()
        else:
            answer = await self._hands.send(row, ask)
        self._fuse.step()
        return answer


@dataclass(frozen=True)
class Site:
    """Where a story happens: the ledger's file and the world's. `make` gives the flow whose tools change the world."""

    folder: Path
    make: Callable[[World], Flow]

    @property
    def world(self) -> World:
        return World(self.folder / "world.jsonl")

    def store(self) -> Store:
        return open_store(f"sqlite:///{self.folder / 'ledger.sqlite'}", Vault((KEY,)))

    def rows(self) -> tuple[Row, ...]:
        store = self.store()
        try:
            case = store.of_call("call-1")
            return case.rows if case else ()
        finally:
            store.close()

    # ── Processes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def call(self, story: Callable[[harness.Scene], Awaitable[None]], thinker: Any, fuse_at: int) -> bool:
        """Run a call in a process of its own; whether it came to its end."""
        return _forked(lambda: trio.run(self._call, story, thinker, Fuse(fuse_at), clock=MockClock(autojump_threshold=0)))

    def recover(self, fuse_at: int) -> bool:
        """Run a janitor in a process of its own; whether it came to its end."""
        return _forked(lambda: trio.run(self._recover, Fuse(fuse_at), clock=MockClock(autojump_threshold=0)))

    async def _call(self, story: Callable[[harness.Scene], Awaitable[None]], thinker: Any, fuse: Fuse) -> None:
        write = harness.EventLog.write

        def watched(log: harness.EventLog, entry: Logged) -> None:
            write(log, entry)
            if isinstance(entry.event, Release | TellingPlayed | TellingCut):
                fuse.step()

        harness.EventLog.write = watched  # type: ignore[method-assign]  # this process has no other use
        world = self.world

        def hands(flow: Flow, facts: CallFacts) -> Hands:
            return WorldHands(FlowHands(flow, Inline(), _now, call_from=facts.caller), world, fuse)

        ledger = FusedLedger(self.store(), fuse)
        async with harness.telephone_call(self.make(world), thinker, ledger=ledger, hands=hands) as scene:
            await scene.phone.quiet()
            await story(scene)

    async def _recover(self, fuse: Fuse) -> None:
        world, flow = self.world, self.make(self.world)

        def hands(facts: CallFacts) -> Hands:
            return WorldHands(FlowHands(flow, Inline(), _now, call_from=facts.caller), world, fuse)

        ledger = FusedLedger(self.store(), fuse)
        janitor = Janitor(ledger, hands, lambda call: False, _now, lambda census: None, lambda changes: None, 30.0)
        with trio.move_on_after(SETTLED_S):
            await janitor.run()


def _now() -> datetime:
    return datetime.now(UTC)


def _forked(work: Callable[[], None]) -> bool:
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, KILLED}, f"the process broke ({status}): see what it printed"
    return status == 0


# ── What must hold, whenever it was killed ───────────────────────────────────────────────────────────────────────────


def check(rows: Sequence[Row], world: World) -> None:
    """The invariants of the specification's §9, of a call whose rows are settled."""
    net, notices = world.net(), {row.of for row in rows if row.kind is Kind.NOTICE}
    undone = {row.of for row in rows if row.kind is Kind.TAKE_BACK and row.fact is Fact.THERE}
    for row in rows:
        assert row.settled or row.stuck, f"{row.id} is not settled: {row}"
        assert not row.stuck, f"nobody had to look, since keys are honoured: {row}"
        if row.kind in {Kind.NOTICE, Kind.TAKE_BACK}:
            continue
        has = sum(count for (key, _), count in net.items() if key == row.id)
        wants = int(row.kept and row.fact is not Fact.ABSENT and row.id not in undone)
        assert has == wants, f"the world has {has}, the ledger wants {wants}: {row}"
        if wants and row.kind is Kind.HELD:
            assert world.confirmed(row.id)
        if row.kept:
            agreed = row.told is Told.TOLD or row.why in {Why.YES, Why.ASSENT, Why.PIVOT}
            assert agreed or (row.why == Why.DOUBT and row.id in notices), f"kept without a reason: {row}"
            assert row.told is Told.TOLD or row.id in notices or row.id in undone, f"done, and nobody told: {row}"
        elif row.told is not Told.NO and not row.aware:
            assert row.id in notices, f"told, not so, and nobody said so: {row}"
        assert row.kind is not Kind.PIVOT or not wants or row.why == Why.YES, "a payment needs a yes"
    known = {row.id for row in rows}
    assert all(key in known for key, _ in net), "the world has nothing that the ledger does not know"
