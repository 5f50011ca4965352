"""What a call in memory stands on: the daemon's own call, on a line, with ears, a voice and a ledger that need nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import trio

from agentd.actors.kit import open_jobs
from agentd.actors.lines import Lines
from agentd.actors.memory import Memory
from agentd.actors.ports import Log
from agentd.actors.transport import MediaCounts
from agentd.audio.recording import Unrecorded
from agentd.call import Call, Engines, Surroundings
from agentd.carriers.sautikit.media import SautikitMedia
from agentd.flow.hands import FlowHands
from agentd.flow.model import Flow
from agentd.janitor import Janitor
from agentd.ledger.book import Book
from agentd.ledger.events import Answer, Ask, Done
from agentd.ledger.hands import Hands
from agentd.ledger.row import Kind, Row
from agentd.ledger.storage.codec import CallFacts
from agentd.ledger.storage.ledger import Ledger
from agentd.ledger.storage.store import Store
from agentd.offload import Inline
from agentd.providers.rules.thinker import RulesThinker
from agentd.testing.phone import RATE, Phone
from agentd.testing.speech import Detector, Reader, Writer
from agentd.turn.timing import Timing

CALLER: Final = "+12125550123"
CALLED: Final = "+12125550100"

SETTLE_S: Final = 60.0
"""When a call is over its effects are settled, or wait for somebody, within a minute."""

ERASE_DAYS: Final = 1.0
"""The ledger is thrown away before."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of an effect, and its answer. That of a notice asks no tool: it is what the caller would be sent."""

    row: Row
    ask: Ask
    answer: Answer


class Rig:
    """One call on `phone`, its caller's. `log` and `asked` hear of all that happens, `tick` is called every 20 ms.

    `began` is the time of day at which it begins; from there on it goes with trio's clock.
    """

    def __init__(
        self,
        flow: Flow,
        store: Store,
        began: datetime,
        log: Log,
        asked: Callable[[Asked], None],
        tick: Callable[[], None],
    ) -> None:
        self.flow, self._store, self._began, self._start = flow, store, began, trio.current_time()
        self.voice, self.phone = Writer(), Phone(tick)
        self.transferred = ""
        """Where the call was handed over to: the flow's name for it."""
        self._facts = CallFacts("call", flow.name, CALLER, CALLED, began.timestamp())
        self._ledger, self._left = Ledger(store, Inline()), list[Book]()
        tools = FlowHands(flow, Inline(), self.wall, call_from=CALLER, call_to=CALLED)
        self.hands = _Hands(tools, asked)
        around = Surroundings(
            self._facts, self._ledger.page(self._facts), self.hands, self._left.append, "", log, Unrecorded(),
            MediaCounts(lambda late: None), Inline(), self._hand_over, lambda: None, self.wall,
        )  # fmt: skip
        engines = Engines((Reader(),), (RulesThinker(flow),), (self.voice,), lambda rate: Detector())
        codec = SautikitMedia(RATE, "jambonz", channels="mono")
        self.call = Call(flow, Lines(flow, {}), engines, self.phone, codec, around, Timing())

    def _hand_over(self, memory: Memory, why: str) -> None:
        self.transferred = self.flow.state(memory.flow).transfer

    def wall(self) -> datetime:
        """The time of day."""
        return self._began + timedelta(seconds=trio.current_time() - self._start)

    def rows(self) -> tuple[Row, ...]:
        """The call's rows, as they are on record."""
        case = self._store.of_call(self._facts.id)
        return case.rows if case else ()

    async def settle(self) -> None:
        """What the call could not settle is the janitor's, as in the daemon. Cancelled: it is not settled."""
        if self._left:
            moved = trio.Event()
            janitor = Janitor(
                self._ledger, lambda facts: self.hands, lambda call: False, self.wall, lambda census: None,
                lambda changes: moved.set(), ERASE_DAYS,
            )  # fmt: skip
            janitor.adopt(self._facts, self._left.pop())
            async with open_jobs() as jobs:
                jobs.start(janitor.run)
                with trio.move_on_after(SETTLE_S):
                    while not all(row.settled or row.stuck for row in self.rows()):
                        await moved.wait()
                        moved = trio.Event()


class _Hands:
    """Hands whose requests can be seen, and counted while they are under way."""

    def __init__(self, tools: Hands, asked: Callable[[Asked], None]) -> None:
        self._tools, self._asked = tools, asked
        self.busy = 0

    async def send(self, row: Row, ask: Ask) -> Answer:
        """See Hands. Cancelled: whether the request was carried out is not known."""
        self.busy += 1
        try:
            answer = Done() if row.kind is Kind.NOTICE else await self._tools.send(row, ask)
        finally:
            self.busy -= 1
        self._asked(Asked(row, ask, answer))
        return answer
