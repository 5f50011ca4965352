"""The janitor takes up what calls leave, as it stands, and each call once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from agentd.janitor import Janitor
from agentd.ledger.book import Book
from agentd.ledger.codec import CallFacts, Case
from agentd.ledger.events import Answer, Ask, Done
from agentd.ledger.ledger import Ledger
from agentd.ledger.row import Fact, Kind, Row, Told, Traits, Verdict
from agentd.ledger.store import Store, open_store
from agentd.ledger.vault import open_vault
from agentd.offload import Inline

FACTS = CallFacts("c1", "desk")
SENT = Row(
    "r1", "c1", 0, "send_text", Kind.DEFERRED, Traits(honours_key=True), fact=Fact.SENT, verdict=Verdict.KEEP, told=Told.TOLD,
    why="told", sends=1, tries=1,
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'ledger.sqlite'}", open_vault("", tmp_path / "ledger.sqlite"))
    yield store
    store.close()


class Hands:
    """Do everything at once; `sent` is what they were asked."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, row: Row, ask: Ask) -> Answer:
        await trio.lowlevel.checkpoint()
        self.sent.append(row.id)
        return Done()


class Moving(Ledger):
    """While it is read, the one live call ends: it is settled in time, or adopted by the janitor."""

    def __init__(self, store: Store, *, adopted: bool) -> None:
        super().__init__(store, Inline())
        self.page_of_call = self.page(FACTS)
        self.live, self.adopted = True, adopted
        self.janitor: Janitor

    async def unsettled(self) -> list[Case]:
        found = await super().unsettled()
        if self.live and self.adopted:
            self.janitor.adopt(FACTS, Book("c1", (SENT,)))
        elif self.live:
            await self.page_of_call.write([replace(SENT, fact=Fact.THERE)])
            await self.page_of_call.end()
        self.live = False
        return found


@pytest.mark.parametrize(("adopted", "sent"), [(False, []), (True, ["r1"])])
async def test_a_call_that_ends_while_the_ledger_is_read_is_taken_up_as_it_stands_then_and_once(
    store: Store, autojump_clock: trio.testing.MockClock, adopted: bool, sent: list[str]
) -> None:
    ledger, hands = Moving(store, adopted=adopted), Hands()
    await ledger.page_of_call.write([SENT])
    ledger.janitor = Janitor(
        ledger, lambda _: hands, lambda _: ledger.live, lambda: datetime.now(UTC), lambda _: None, lambda _: None, 30.0
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ledger.janitor.run)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert hands.sent == sent
    case = await ledger.of_call("c1")
    assert case is not None
    assert case.rows[0].done
