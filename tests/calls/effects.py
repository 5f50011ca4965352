"""A flow with a tool of each class, the world that they change, and a ledger, for scripted calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio

from agentd.flow import State, When, compensable, deferred, held, pivot
from agentd.flow.context import Context
from agentd.flow.model import Flow
from agentd.ledger.row import Row
from agentd.ledger.storage.ledger import Ledger
from agentd.ledger.storage.store import open_store
from agentd.ledger.storage.vault import open_vault
from agentd.offload import Inline, Offload
from tests.calls.harness import Scene, telephone_call
from tests.calls.script import Script


@dataclass
class World:
    """What the tools have done, by key; `delay` before each answer, in seconds. `log` is what was asked, in order.

    `there` are the values that it holds, `promised` the keys of those that are held and were not confirmed.
    """

    delay: float = 0.0
    there: dict[str, str] = field(default_factory=dict)
    promised: set[str] = field(default_factory=set)
    tombs: set[str] = field(default_factory=set)
    log: list[tuple[str, str]] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)

    async def ask(self, what: str, key: str, value: str = "") -> None:
        """Carry out one request. Cancelled: it was carried out or not, as the wire would have it."""
        self.log.append((what, value))
        if (error := self.fails.get(what)) is not None:
            raise error
        await trio.sleep(self.delay)
        if what in {"undo", "cancel"}:
            self.there.pop(key, None)
            self.tombs.add(key)
        elif what == "confirm":
            self.promised.discard(key)
        elif key not in self.tombs:
            self.there[key] = value
            if what == "prepare":
                self.promised.add(key)

    def net(self) -> Counter[str]:
        """What the world holds."""
        return Counter(self.there.values())


def flow(world: World) -> Flow:
    """The flow; its tools change `world`."""

    @compensable(tell="You are booked on {day}.", identity=["day"], honours_key=True, tombstone=True)
    async def book(context: Context, day: str) -> None:
        await world.ask("book", context.effect, day)

    @book.undo
    async def unbook(context: Context, day: str) -> None:
        await world.ask("undo", context.effect, day)

    @held(ask="Shall I hold {day} for you?", tell="I have reserved {day}.", identity=["day"], ttl=300, honours_key=True,
          tombstone=True)  # fmt: skip
    async def reserve(context: Context, day: str) -> None:
        await world.ask("prepare", context.effect, day)

    @reserve.confirm
    async def confirm(context: Context, day: str) -> None:
        await world.ask("confirm", context.effect, day)

    @reserve.cancel
    async def cancel(context: Context, day: str) -> None:
        await world.ask("cancel", context.effect, day)

    @held(keep_on="told", tell="I put {day} aside.", identity=["day"], ttl=300, honours_key=True, tombstone=True)
    async def put_aside(context: Context, day: str) -> None:
        await world.ask("prepare", context.effect, day)

    @put_aside.confirm
    async def confirm_aside(context: Context, day: str) -> None:
        await world.ask("confirm", context.effect, day)

    @put_aside.cancel
    async def cancel_aside(context: Context, day: str) -> None:
        await world.ask("cancel", context.effect, day)

    @put_aside.undo
    async def undo_aside(context: Context, day: str) -> None:
        await world.ask("undo", context.effect, day)

    @deferred(tell="I will text you about {day}.", identity=["day"], honours_key=True)
    async def text(context: Context, day: str) -> None:
        await world.ask("text", context.effect, day)

    @pivot(
        ask="Shall I charge {amount} dollars?", tell="I have charged {amount} dollars.", identity=["amount"], honours_key=True
    )
    async def charge(context: Context, amount: int) -> None:
        await world.ask("charge", context.effect, str(amount))

    return Flow(
        "effects",
        states=[
            State("open", say="hello", tools=[book, reserve, put_aside, text, charge]),
            State("other", say="elsewhere now"),
            State("bye", final=True, say="goodbye then"),
        ],
        transitions=[When("wants_other", "open", "other", "leave"), When("wants_end", "*", "bye", "goodbye")],
        goodbye="thanks for calling goodbye",
        apology="I am sorry something broke",
    )


@contextmanager
def open_ledger(directory: Path, offload: Offload | None = None) -> Iterator[Ledger]:
    """A ledger on SQLite, in a directory of its own; its work runs inline, if nowhere else."""
    file = directory / "ledger.sqlite"
    store = open_store(f"sqlite:///{file}", open_vault("", file))
    yield Ledger(store, offload or Inline())
    store.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A test's own ledger."""
    with open_ledger(tmp_path) as ledger:
        yield ledger


@asynccontextmanager
async def call(world: World, ledger: Ledger, script: Script, **how: Any) -> AsyncIterator[Scene]:
    """A call of the flow above that was greeted; `how` as in `telephone_call`."""
    async with telephone_call(flow(world), script, ledger=ledger, **how) as scene:
        await scene.phone.quiet()
        yield scene


async def rows(ledger: Ledger) -> list[Row]:
    """The call's rows as they are on record."""
    case = await ledger.of_call("call-1")
    return list(case.rows) if case else []


async def says(scene: Scene, words: str, quiet: float = 1.0) -> None:
    """The caller speaks, and hears the answer until the agent is quiet for so many seconds."""
    scene.phone.say(words)
    await scene.phone.said()
    await scene.phone.quiet(quiet)
