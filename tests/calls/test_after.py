"""What leaves after a call, on the real ledger: told once to who takes it, in its order, and never silently dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from agentd.janitor import Janitor
from agentd.ledger.book import Book
from agentd.ledger.events import Answer, Ask, Done, No, NotSent, Unknown
from agentd.ledger.row import Fact, Kind, Row, Told, Traits, Verdict
from agentd.ledger.storage import incidents
from agentd.ledger.storage.codec import CallFacts
from agentd.ledger.storage.incidents import Order, Verb, Which
from agentd.ledger.storage.ledger import Ledger
from agentd.ledger.storage.store import Store, open_store
from agentd.ledger.storage.vault import open_vault
from agentd.offload import Inline
from agentd.outbox import Outbox, webhook
from agentd.settings import load
from tests.fakes.receiver import receiving
from tests.unit.handoff.desk import FLOW, KEPT, row

FACTS = CallFacts("20261120-120000-000-7f3a9c01", "desk", "+15550123", "+15550100")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

TOLD = row("r1", kind=Kind.COMPENSABLE, fact=Fact.THERE, told=Told.TELLING, traits=Traits(undo=True, honours_key=True))
"""Its telling had begun when the line went: doubt, which is kept, and of which the caller is owed a notice."""

TO_SEND = row("r1", **{**KEPT, "fact": Fact.UNSENT}, kind=Kind.DEFERRED, traits=Traits(honours_key=True))
"""Kept when the call was over, and not sent yet."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'ledger.sqlite'}", open_vault("", tmp_path / "ledger.sqlite"))
    yield store
    store.close()


@dataclass
class Tools:
    """Hands of tools that take `seconds`, and give the same answer to everything."""

    seconds: float = 0.0
    answer: Answer = field(default_factory=Done)

    async def send(self, row: Row, ask: Ask) -> Answer:
        await trio.sleep(self.seconds)
        return self.answer


@dataclass
class Office:
    """A process that settles what calls left: janitor, ledger and outbox."""

    janitor: Janitor
    ledger: Ledger

    def leave(self, *rows: Row) -> None:
        """A call is over, with these rows."""
        own = tuple(replace(one, call=FACTS.id, seq=seq) for seq, one in enumerate(rows))
        self.janitor.adopt(FACTS, Book(FACTS.id, own))

    async def row(self, name: str) -> Row | None:
        case = await self.ledger.of_call(FACTS.id)
        return next((one for one in case.rows if one.id == name), None) if case else None

    async def settles(self, name: str, look: float = 0.01) -> Row:
        """Wait until a row is settled or stuck, looking every so many seconds."""
        with trio.fail_after(12_000 * look):
            while not ((found := await self.row(name)) and (found.settled or found.stuck)):
                await trio.sleep(look)
        return found


@asynccontextmanager
async def office(store: Store, url: str, tools: Tools | None = None) -> AsyncIterator[Office]:
    ledger, began = Ledger(store, Inline()), trio.current_time()

    def wall() -> datetime:
        return NOON + timedelta(seconds=trio.current_time() - began)

    given = {"after.call_url": url, "after.notice_url": url, "after.secret": "s"}
    outbox = Outbox(load(None, {}, given).after, ledger.of_call, wall)
    hands = outbox.hands(FACTS, FLOW, tools or Tools())
    janitor = Janitor(ledger, lambda _: hands, lambda _: False, wall, lambda _: None, lambda _: None, 30.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(janitor.run)
        yield Office(janitor, ledger)
        nursery.cancel_scope.cancel()


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an hour passes: the janitor need not look every second of it."""
    monkeypatch.setattr("agentd.janitor.LOOK_S", 20.0)
    monkeypatch.setattr("agentd.janitor.RENEW_S", 20.0)


def call_is_over() -> Row:
    return webhook(FACTS.id, {"id": FACTS.id, "outcome": "hangup"}, 0, NOON.timestamp())


class Post:
    """Stands where the outbox posts, in virtual time; `answers` are used up one a posting, and then it takes everything."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> None:
        self.posted: list[tuple[float, str, bytes]] = []
        self._answers = list(answers)

        async def post(outbox: Outbox, url: str, key: str, body: bytes) -> Answer:
            await trio.lowlevel.checkpoint()
            self.posted.append((trio.current_time(), key, body))
            return self._answers.pop(0) if self._answers else Done()

        monkeypatch.setattr(Outbox, "_post", post)

    def told(self) -> list[Any]:
        return [(at, key) for at, key, _ in self.posted]


# ── Over real sockets ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("manner", [500, "reset"])
async def test_a_notice_whose_fate_is_not_known_is_posted_again_under_its_key_and_taken_once(
    store: Store, manner: int | str
) -> None:
    async with receiving(manner) as receiver, office(store, receiver.url) as at:
        at.leave(TOLD)
        assert (await at.settles("r1.notice")).fact is Fact.THERE
        first, again = receiver.posted
    assert (first.key, first.body) == (again.key, again.body)
    assert [told["text"] for told in receiver.taken.values()] == ["You are booked for Tuesday the 24th."]


async def test_a_call_and_the_notice_of_its_effect_leave_under_keys_of_their_own(store: Store) -> None:
    async with receiving() as receiver, office(store, receiver.url) as at:
        at.leave(TOLD, call_is_over())
        await at.settles("r1.notice")
        await at.settles(f"{FACTS.id}.webhook")
    assert {key: told["type"] for key, told in receiver.taken.items()} == {"r1.notice": "notice", f"{FACTS.id}.webhook": "call"}
    (effect,) = receiver.taken[f"{FACTS.id}.webhook"]["call"]["effects"]
    assert (effect["fate"], effect["cause"], effect["notice"]) == ("done", "doubt", True)


# ── In virtual time ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_notice_that_nobody_takes_stays_owed_until_an_operator_has_it_sent(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    patient(monkeypatch)
    async with office(store, "") as at:
        at.leave(TOLD)
        stuck = await at.settles("r1.notice", look=5.0)
        assert (stuck.stuck, stuck.fact) == (True, Fact.SENT)
        assert "after.notice_url" in stuck.error
        assert (await at.settles("r1")).done
    (owed,) = incidents.find(store, Which.OWED)
    assert owed.call.id == FACTS.id
    post = Post(monkeypatch)
    async with office(store, "https://desk.example") as at:
        incidents.order(store, Order("r1.notice", Verb.RETRY, "jo"))
        with trio.fail_after(60):
            while not post.posted:
                await trio.sleep(0.1)
        assert (await at.settles("r1.notice")).fact is Fact.THERE
    assert incidents.find(store, Which.OWED) == []


async def test_what_is_not_taken_is_posted_again_later_each_time_and_then_waits_for_a_human(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    patient(monkeypatch)
    post = Post(monkeypatch, *[Unknown("it answered 503")] * 100)
    async with office(store, "https://desk.example") as at:
        at.leave(call_is_over())
        assert (await at.settles(f"{FACTS.id}.webhook", look=5.0)).stuck
        await trio.sleep(90)
    times = [at for at, _ in post.told()]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) > 3
    assert pauses[1:] == sorted(pauses[1:])
    assert len({body for _, _, body in post.posted}) == 1


async def test_a_refusal_for_good_is_final_and_owes_nothing_more(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    post = Post(monkeypatch, No("it answered 422"))
    async with office(store, "https://desk.example") as at:
        at.leave(TOLD)
        refused = await at.settles("r1.notice")
        await trio.sleep(90)
    assert (refused.failed, refused.error) == (True, "it answered 422")
    assert [key for _, key in post.told()] == ["r1.notice"]


async def test_a_call_is_told_of_once_its_effects_are_settled(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    post = Post(monkeypatch)
    async with office(store, "https://desk.example", Tools(5.0)) as at:
        at.leave(TO_SEND, call_is_over())
        await at.settles(f"{FACTS.id}.webhook")
    ((when, _, body),) = post.posted
    assert when >= 5.0
    assert b'"fate": "done"' in body
    assert b'"settled": true' in body


async def test_a_call_is_told_of_though_an_effect_of_it_is_stuck(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    post = Post(monkeypatch)
    async with office(store, "https://desk.example", Tools(answer=NotSent("nobody is there"))) as at:
        at.leave(TO_SEND, call_is_over())
        await at.settles(f"{FACTS.id}.webhook")
        assert (await at.settles("r1")).stuck
    bodies = [body for _, key, body in post.posted if key.endswith(".webhook")]
    assert len(bodies) == 1
    assert b'"fate": "not_known"' in bodies[0]
    assert b'"settled": false' in bodies[0]


async def test_a_process_that_takes_over_posts_what_its_dead_owner_left_under_the_same_key(
    store: Store, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    post = Post(monkeypatch)
    await Ledger(store, Inline()).page(FACTS).write([replace(call_is_over(), fact=Fact.SENT, sends=1, tries=1)])
    async with office(store, "https://desk.example") as at:
        assert (await at.settles(f"{FACTS.id}.webhook")).fact is Fact.THERE
    assert [key for _, key in post.told()] == [f"{FACTS.id}.webhook"]
    assert (await at.row(f"{FACTS.id}.webhook")).verdict is Verdict.KEEP  # type: ignore[union-attr]
