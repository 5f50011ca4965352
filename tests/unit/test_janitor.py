"""The janitor takes up what calls leave, as it stands, and each call once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from agentd.errors import LedgerDown
from agentd.janitor import Janitor
from agentd.ledger.book import Book
from agentd.ledger.events import Answer, Ask, Done
from agentd.ledger.hands import Hands
from agentd.ledger.row import Fact, Kind, Row, Told, Traits, Verdict
from agentd.ledger.storage import incidents
from agentd.ledger.storage.codec import CallFacts, Case
from agentd.ledger.storage.incidents import Order, Verb
from agentd.ledger.storage.ledger import Ledger
from agentd.ledger.storage.store import Store, open_store
from agentd.ledger.storage.vault import open_vault
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


@dataclass
class Busy:
    """Hands that do everything, each in `delay` seconds; `sent` is what they were asked."""

    delay: float = 0.0
    sent: list[str] = field(default_factory=list)

    async def send(self, row: Row, ask: Ask) -> Answer:
        self.sent.append(row.id)
        await trio.sleep(self.delay)
        return Done()


def janitor(ledger: Ledger, hands: Callable[[CallFacts], Hands], is_live: Callable[[str], bool] = lambda _: False) -> Janitor:
    return Janitor(ledger, hands, is_live, lambda: datetime.now(UTC), lambda _: None, lambda _: None, 30.0)


async def work(janitor: Janitor, seconds: float) -> None:
    with trio.move_on_after(seconds):
        await janitor.run()


async def row_of(ledger: Ledger, call: str) -> Row:
    case = await ledger.of_call(call)
    assert case is not None
    return case.rows[0]


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
    ledger, hands = Moving(store, adopted=adopted), Busy()
    await ledger.page_of_call.write([SENT])
    ledger.janitor = janitor(ledger, lambda _: hands, lambda _: ledger.live)
    await work(ledger.janitor, 5.0)
    assert hands.sent == sent
    assert (await row_of(ledger, "c1")).done


async def test_a_lease_that_cannot_be_asked_about_puts_a_request_off_and_ends_nothing(
    store: Store, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, hands, asked, lease = Ledger(store, Inline()), Busy(), list[str](), store.may_send

    def may_send(call: str, seconds: float, fence: int) -> bool:
        asked.append(call)
        if len(asked) == 1:
            raise LedgerDown("the server has closed the connection")
        return lease(call, seconds, fence)

    monkeypatch.setattr(store, "may_send", may_send)
    await ledger.page(FACTS).write([SENT])
    await work(janitor(ledger, lambda _: hands), 60.0)
    assert hands.sent == ["r1"]
    assert (await row_of(ledger, "c1")).done


async def test_a_call_that_breaks_a_law_is_left_to_humans_and_the_others_are_settled(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    ledger, begun = Ledger(store, Inline()), list[str]()

    def hands(facts: CallFacts) -> Hands:
        begun.append(facts.id)
        return Busy()

    await ledger.page(FACTS).write([replace(SENT, verdict=Verdict.DROP)])
    at = janitor(ledger, hands)
    at.adopt(FACTS, Book("c1", (SENT,)))  # its verdict is not the one on record
    await work(at, 20.0)
    await ledger.page(replace(FACTS, id="c2")).write([replace(SENT, id="r2", call="c2")])
    await work(at, 20.0)
    assert begun == ["c1", "c2"]
    assert (await row_of(ledger, "c2")).done


async def test_what_waits_for_a_stuck_row_is_left_alone(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    hold = Row(
        "h", "c1", 0, "book", Kind.HELD, Traits("yes"), fact=Fact.CONFIRMING, verdict=Verdict.KEEP, told=Told.TOLD, why="yes",
        stuck=True, sends=1, tries=1,
    )  # fmt: skip
    text = replace(SENT, id="t", seq=1, needs=("h",), fact=Fact.UNSENT, sends=0, tries=0)
    ledger, begun = Ledger(store, Inline()), list[str]()

    def hands(facts: CallFacts) -> Hands:
        begun.append(facts.id)
        return Busy()

    await ledger.page(FACTS).write([hold, text])
    await ledger.page(FACTS).end()
    await work(janitor(ledger, hands), 20.0)
    assert begun == []


async def test_an_order_for_a_live_call_waits_for_its_end(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    ledger, hands, live = Ledger(store, Inline()), Busy(), {"c1"}
    page = ledger.page(FACTS)
    await page.write([replace(SENT, stuck=True)])
    incidents.order(store, Order("r1", Verb.RETRY, "Ann", "the remote is up again"))
    at = janitor(ledger, lambda _: hands, lambda call: call in live)
    await work(at, 5.0)
    assert [order.outcome for order in incidents.of_operators(store, "r1")] == [""]
    assert hands.sent == []
    await page.end()
    live.clear()
    await work(at, 30.0)
    assert [order.outcome for order in incidents.of_operators(store, "r1")] == ["taken up"]
    assert hands.sent == ["r1"]
    assert (await row_of(ledger, "c1")).done


async def test_who_waits_for_quiet_waits_for_the_answers_that_are_under_way(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    ledger = Ledger(store, Inline())
    at = janitor(ledger, lambda _: Busy(1.0))
    at.adopt(FACTS, Book("c1", (SENT,)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.run)
        await at.quiet()
        nursery.cancel_scope.cancel()
    assert (await row_of(ledger, "c1")).done
