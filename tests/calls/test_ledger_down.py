"""A ledger that takes no writes for a while: the call goes on, nothing is done that is not on record, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from trio.testing import MockClock

from agentd.actors.kit import open_jobs
from agentd.errors import ProviderError
from agentd.flow.hands import FlowHands
from agentd.janitor import Janitor
from agentd.ledger.row import Row, Verdict
from agentd.ledger.storage.codec import CallFacts
from agentd.ledger.storage.ledger import Ledger
from agentd.messages import ThinkRequest, ToolDone
from agentd.offload import Inline
from tests.calls.effects import World, call, flow, open_ledger, rows, says
from tests.calls.harness import NOON
from tests.calls.script import Round, Script, tool

T = TypeVar("T")


class Disk:
    """Where the ledger's blocking work runs, or does not."""

    def __init__(self) -> None:
        self.full = False
        self._inline = Inline()

    async def __call__(self, fn: Callable[[], T], *, timeout: float, stage: str) -> T:
        await trio.lowlevel.checkpoint()
        if self.full:
            raise ProviderError(stage, "disk full", retryable=True)
        return await self._inline(fn, timeout=timeout, stage=stage)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def ledger(tmp_path: Path, disk: Disk) -> Iterator[Ledger]:
    with open_ledger(tmp_path, disk) as ledger:
        yield ledger


def sorry(request: ThinkRequest) -> Round:
    """Says what became of the tool."""
    return Round("I am sorry not now" if request.outcomes[0].status == "refused" else "anything else")


def book(day: str) -> tuple[Round, ...]:
    return (Round(proposals=tool("book", day=day)), sorry)  # type: ignore[return-value]


def doubt(request: ThinkRequest) -> Round:
    """Says how the one effect stands."""
    return Round(" ".join(effect.state for effect in request.effects))


SCRIPT = {"book monday": book("monday"), "book tuesday": book("tuesday"), "and now": doubt}


async def test_a_tool_that_cannot_be_put_on_record_is_not_run_and_the_call_goes_on(
    autojump_clock: MockClock, ledger: Ledger, disk: Disk
) -> None:
    world = World(0.2)
    async with call(world, ledger, Script(SCRIPT)) as scene:
        await says(scene, "book monday")
        disk.full = True
        await says(scene, "book tuesday")
        assert scene.phone.sentence().endswith("I am sorry not now")
        assert [done.outcome.status for done in scene.events(ToolDone)] == ["done", "refused"]
        await says(scene, "and now")
        assert scene.phone.sentence().endswith("kept")  # what is settled is known all the same
        disk.full = False
        await says(scene, "book tuesday")
        assert scene.phone.sentence().endswith("You are booked on tuesday. anything else")
    assert world.log == [("book", "monday"), ("book", "tuesday")]
    assert [(row.verdict, row.why) for row in await rows(ledger)] == [("keep", "told")] * 2


async def test_a_telling_that_cannot_be_put_on_record_is_not_played_and_is_told_when_it_can(
    autojump_clock: MockClock, ledger: Ledger, disk: Disk
) -> None:
    world = World(0.2)

    def broken(request: ThinkRequest) -> Round:
        disk.full = True
        return Round("anything else")

    answers = {"book monday": (Round(proposals=tool("book", day="monday")), broken), "and now": doubt}
    async with call(world, ledger, Script(answers)) as scene:  # type: ignore[arg-type]
        scene.phone.say("book monday")
        await scene.phone.said()
        await trio.sleep(2.0)
        assert "booked" not in scene.phone.heard()
        await says(scene, "and now", 0.5)
        assert scene.phone.sentence().endswith("unknown")
        disk.full = False
        await trio.sleep(1.5)
        await says(scene, "and now")
        assert "You are booked on monday." in scene.phone.sentence()
    assert world.log == [("book", "monday")]
    assert [(row.verdict, row.why) for row in await rows(ledger)] == [("keep", "told")]


@pytest.mark.parametrize(("words", "why", "net"), [("no don't", "retracted", {}), ("perfect thanks", "assent", {"monday": 1})])
async def test_words_that_cannot_be_put_on_record_decide_when_they_can(
    autojump_clock: MockClock, ledger: Ledger, disk: Disk, words: str, why: str, net: dict[str, int]
) -> None:
    world = World(0.2)
    async with call(world, ledger, Script(SCRIPT)) as scene:
        scene.phone.say("book monday")
        await scene.phone.hears("monday")
        await trio.sleep(0.5)  # the word is over, and its guard is not
        scene.phone.say(words)
        disk.full = True
        await scene.phone.said()
        await trio.sleep(3.0)
        assert world.log == [("book", "monday")]
        disk.full = False
        await trio.sleep(2.0)
        assert world.net() == net
    assert world.net() == net
    assert [(row.why, row.stuck) for row in await rows(ledger)] == [(why, False)]


async def test_an_answer_of_the_world_that_cannot_be_put_on_record_is_not_lost(
    autojump_clock: MockClock, ledger: Ledger, disk: Disk
) -> None:
    world = World(0.5)
    async with call(world, ledger, Script({**SCRIPT, "go on": "as you like"})) as scene:
        scene.phone.say("book monday")
        await scene.phone.said()
        await scene.reaches("waiting")
        disk.full = True
        await trio.sleep(3.0)
        disk.full = False
        await scene.phone.hears("booked")
        await scene.phone.silence(1.0)
    assert world.log == [("book", "monday")]
    assert [(row.verdict, row.why) for row in await rows(ledger)] == [("keep", "told")]


async def test_what_a_call_could_not_put_on_record_before_its_end_is_not_lost(
    autojump_clock: MockClock, ledger: Ledger, disk: Disk
) -> None:
    world = World(0.2)
    async with call(world, ledger, Script(SCRIPT)) as scene:
        scene.phone.say("book monday")
        await scene.phone.hears("monday")
        scene.phone.say("no don't")
        disk.full = True
        await scene.phone.said()
        await trio.sleep(2.0)
        scene.phone.hang_up()
    assert [row.verdict for row in await left(ledger, disk)] == [Verdict.OPEN]
    async with open_jobs() as jobs:
        hands = FlowHands(flow(world), Inline(), lambda: NOON)
        janitor = Janitor(ledger, lambda _: hands, lambda _: False, lambda: NOON, lambda _: None, lambda _: None, 30.0)
        janitor.adopt(CallFacts("call-1", "effects", "", "", NOON.timestamp()), scene.adopted.pop())
        jobs.start(janitor.run)
        await trio.sleep(5.0)
    (row,) = await rows(ledger)
    assert (row.verdict, row.why, row.settled) == (Verdict.DROP, "retracted", True)
    assert world.net() == {}


async def left(ledger: Ledger, disk: Disk) -> list[Row]:
    """What is on record, now that the disk works again."""
    disk.full = False
    return await rows(ledger)
