"""What broke in other systems, each as a whole call here: the names are of the issues where it was reported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from agentd.errors import ToolError, ToolNotSent
from agentd.flow import State, When, compensable, read
from agentd.flow.context import Context
from agentd.flow.model import Flow
from agentd.ledger.storage.ledger import Ledger
from agentd.messages import Fire, Proposal, Segment, ThinkRequest, ToolDone, UseTool
from agentd.providers.base import Thought
from tests.calls.effects import World, call, rows, says
from tests.calls.harness import Scene, telephone_call
from tests.calls.script import Answer, Round, Script, tool


class Forgetful(Script):
    """Books again whatever is said, each time under a new id: what a model does whose results were lost."""

    def _round(self, request: ThinkRequest) -> Round:
        if request.why != "reply" or request.round or request.took:
            return Round("anything else?")
        return Round("let me see", (UseTool(f"use-{len(self.requests)}", "book", {"day": "tuesday"}),))


def outcomes(scene: Scene) -> dict[str, list[str]]:
    """The outcomes of each tool call, by its id."""
    found: dict[str, list[str]] = {}
    for done in scene.events(ToolDone):
        found.setdefault(done.outcome.proposal.id, []).append(done.outcome.status)
    return found


# ── LiveKit Agents ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
async def test_livekit_3702_a_result_that_comes_during_an_interruption_is_not_lost_and_nothing_is_booked_twice(
    autojump_clock: MockClock, ledger: Ledger, seconds: float
) -> None:
    world = World(seconds)
    async with call(world, ledger, Forgetful()) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("let")
        scene.phone.say("are you there")
        await scene.phone.hears("booked")
        await scene.phone.silence(1.0)
    assert world.log == [("book", "tuesday")]
    assert [(row.verdict, row.why) for row in await rows(ledger)] == [("keep", "told")]
    assert [len(told) for told in outcomes(scene).values()] == [1, 1]


@pytest.mark.parametrize("words", ["no don't", "actually forget it"])
async def test_livekit_5924_what_a_discarded_reply_did_is_rolled_back(
    autojump_clock: MockClock, ledger: Ledger, words: str
) -> None:
    world = World(0.1)
    script = Script({"book tuesday": (Round(proposals=tool("book", day="tuesday")), Round("hm", delay=3.0))})
    async with call(world, ledger, script) as scene:
        scene.phone.say("book tuesday")
        await scene.reaches("deliberating")
        await trio.sleep(1.0)
        assert world.net() == {"tuesday": 1}
        await says(scene, words)
    assert world.log == [("book", "tuesday"), ("undo", "tuesday")]


async def test_livekit_pr_6100_interrupting_replies_does_not_book_several_flights(
    autojump_clock: MockClock, ledger: Ledger
) -> None:
    world = World(0.3)
    async with call(world, ledger, Forgetful()) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("booked")
        scene.phone.say("how much is it")
        await scene.phone.hears("booked")
        await says(scene, "and how long")
        assert scene.phone.sentence().endswith("Shall I keep tuesday?")
        await says(scene, "yes please")
    assert world.log == [("book", "tuesday")]
    (row,) = await rows(ledger)
    assert (row.verdict, row.why, row.cuts) == ("keep", "yes", 2)


async def test_livekit_pr_2038_hello_book_me_at_six_while_it_runs_books_once(autojump_clock: MockClock, ledger: Ledger) -> None:
    world = World(4.0)
    async with call(world, ledger, Forgetful()) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("see")
        scene.phone.say("hello book tuesday")
        await scene.phone.hears("booked")
        await scene.phone.silence(1.0)
    assert world.log == [("book", "tuesday")]
    assert scene.phone.heard().count("booked") == 1


# ── Pipecat ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Deaf:
    """Proposes the end and a tool, and cannot be stopped once it has begun to think."""

    def __init__(self) -> None:
        self.thought = 0

    async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
        await say(Segment(request.reply, request.next_segment, "let me think about that for a while"))
        if request.text != "goodbye perhaps":
            return Thought()
        with trio.CancelScope(shield=True):
            await trio.sleep(2.0)
        self.thought += 1
        return Thought((Fire("wants_end"), UseTool("u", "book", {"day": "tuesday"})))


async def test_pipecat_4997_a_discarded_generation_neither_hangs_up_nor_runs_its_tools(
    autojump_clock: MockClock, ledger: Ledger
) -> None:
    world, thinker = World(), Deaf()
    async with call(world, ledger, thinker) as scene:  # type: ignore[arg-type]
        scene.phone.say("goodbye perhaps")
        await scene.phone.hears("think")
        await says(scene, "wait one more thing", 4.0)
        assert thinker.thought == 1
        assert scene.state() == "listening"
        assert scene.call.conductor.memory.flow.state == "open"
    assert world.log == []


async def test_pipecat_pr_5069_queued_calls_do_not_run_after_the_interruption_and_later_ones_do(
    autojump_clock: MockClock, ledger: Ledger
) -> None:
    world = World(0.5)
    days = ("monday", "tuesday", "wednesday")
    three = tuple(UseTool(day, "queue", {"day": day}) for day in days)
    rounds = {"all three": three, "friday": tool("queue", day="friday")}
    script = Script({words: (Round("one moment", uses), Round("there")) for words, uses in rounds.items()})
    async with telephone_call(queue(world), script, ledger=ledger) as scene:
        await scene.phone.quiet()
        scene.phone.say("all three")
        await scene.phone.hears("one")
        await says(scene, "no don't", 3.0)
        asked = world.log.copy()
        await says(scene, "friday", 2.0)
    assert ("queue", "wednesday") not in asked
    assert world.net() == {"friday": 1}
    assert all(len(told) == 1 for told in outcomes(scene).values())


def queue(world: World) -> Flow:
    """A flow whose tool's requests are sent one after the other."""

    @compensable(
        tell="You are queued for {day}.", identity=["day"], honours_key=True, tombstone=True, resource="desk", timeout=3
    )
    async def queue(context: Context, day: str) -> None:
        await world.ask("queue", context.effect, day)

    @queue.undo
    async def unqueue(context: Context, day: str) -> None:
        await world.ask("undo", context.effect, day)

    states = [State("open", say="hello", tools=[queue]), State("bye", final=True, say="bye")]
    return Flow("queue", states=states, transitions=[When("wants_end", "open", "bye", "goodbye")])


@pytest.mark.parametrize("issue", [5779, 4165, 3661, 3548])
async def test_pipecat_no_tool_call_stays_in_progress_after_an_interruption(
    autojump_clock: MockClock, ledger: Ledger, issue: int
) -> None:
    """Interrupted before, while and after it runs, and one that never answers: each call has its one outcome."""
    seconds, wait = {5779: (3.0, 0.5), 4165: (0.5, 0.5), 3661: (1000.0, 1.0), 3548: (12.0, 5.0)}[issue]
    world, script = World(seconds), Forgetful()
    async with call(world, ledger, script) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("let")
        await trio.sleep(wait)
        for _ in range(4):
            await says(scene, "are you there", 4.0)
        told = outcomes(scene)
        assert len(told) == 5
        assert [len(each) for each in told.values()] == [1] * 5
        assert script.requests[-1].effects[0].state == ("kept" if seconds < 10 else "unknown")
    assert set(world.net().values()) <= {1}


async def test_pipecat_flows_234_a_barge_in_in_a_transition_leaves_the_flow_able_to_go_on(
    autojump_clock: MockClock, ledger: Ledger
) -> None:
    world = World(0.3)

    def answer(request: ThinkRequest) -> Round:
        if request.flow.state == "booked":
            return Round("do you come by car")
        return Round("", tool("book", day="tuesday")) if not request.effects and not request.round else Round("well then")

    answers: dict[str, Answer] = dict.fromkeys(("book tuesday", "how much is it", "and now"), answer)
    async with telephone_call(two_steps(world), Script(answers), ledger=ledger) as scene:
        await scene.phone.quiet()
        scene.phone.say("book tuesday")
        await scene.phone.hears("booked")
        await says(scene, "how much is it")  # the telling that brings about the transition is cut, and told again
        assert scene.call.conductor.memory.flow.state == "booked"
        scene.phone.say("and now")
        await scene.phone.hears("do")
        await says(scene, "wait please")  # and so is what the new state says
        assert scene.state() == "listening"
        assert scene.call.conductor.memory.flow.state == "booked"
    assert world.log == [("book", "tuesday")]


def two_steps(world: World) -> Flow:
    """A flow that goes on once a booking is kept."""

    @compensable(tell="You are booked on {day}.", identity=["day"], honours_key=True, tombstone=True, then="done")
    async def book(context: Context, day: str) -> None:
        await world.ask("book", context.effect, day)

    @book.undo
    async def unbook(context: Context, day: str) -> None:
        await world.ask("undo", context.effect, day)

    states = [
        State("open", say="hello", tools=[book]),
        State("booked", say="do you come by car"),
        State("bye", final=True, say="bye"),
    ]
    transitions = [When("done", "open", "booked"), When("wants_end", "*", "bye", "goodbye")]
    return Flow("steps", states=states, transitions=transitions)


# ── Others ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_vortex_pr_224_a_lookup_goes_on_through_an_interruption_and_serves_the_next_reply(
    autojump_clock: MockClock,
) -> None:
    """There a cancelled lookup came back as "not found", and a real patient was told that she was unknown."""
    began = 0

    @read(timeout=8.0)
    async def find_patient(who: str) -> str:
        """Find a patient."""
        nonlocal began
        began += 1
        await trio.sleep(1.0)
        return f"{who} of main street"

    states = [State("open", say="hello", tools=[find_patient]), State("bye", final=True, say="bye")]
    flow = Flow("patients", states=states, transitions=[When("wants_end", "open", "bye", "goodbye")])
    script = Script({"i am mary": (Round("let me look", tool("find_patient", who="mary")), Round("found you"))})
    async with telephone_call(flow, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("i am mary")
        await scene.phone.hears("let")
        await says(scene, "are you there")
    (served,) = [request for request in script.requests if request.text == "are you there"]
    assert [(outcome.status, outcome.result) for outcome in served.outcomes] == [("done", "mary of main street")]
    assert began == 1


async def test_bolna_1038_a_hang_up_that_was_interrupted_is_not_in_the_history(
    autojump_clock: MockClock, ledger: Ledger
) -> None:
    script = Script({"that was all": (Round(proposals=(Fire("wants_end"),)), Round("it was a pleasure goodbye then"))})
    async with call(World(), ledger, script) as scene:
        scene.phone.say("that was all")
        await scene.phone.hears("was")
        await says(scene, "wait one question")
        assert scene.phone.sentence().endswith("you said wait one question")
    history = [(line.who, line.text, line.cut) for line in script.requests[-1].conversation]
    assert history[-3:] == [
        ("caller", "that was all", False),
        ("agent", "it was", True),
        ("caller", "wait one question", False),
    ]


class Shaky(World):
    """Each kind of request fails the first times, as it is told."""

    def __init__(self, **failures: list[Exception]) -> None:
        super().__init__(0.2)
        self.failures = failures
        self.keys: list[tuple[str, str]] = []

    async def ask(self, what: str, key: str, value: str = "") -> None:
        self.keys.append((what, key))
        if self.failures.get(what):
            self.log.append((what, "fails"))
            raise self.failures[what].pop(0)
        await super().ask(what, key, value)


BOOK: dict[str, Answer] = {"book tuesday": (Round(proposals=tool("book", day="tuesday")), Round("anything else?"))}


async def test_langchain4j_an_undo_that_is_tried_again_compensates_once(autojump_clock: MockClock, ledger: Ledger) -> None:
    world = Shaky(undo=[ToolError("no answer"), ConnectionResetError()])
    async with call(world, ledger, Script(BOOK)) as scene:
        scene.phone.say("book tuesday")
        await scene.phone.hears("You")
        await says(scene, "no don't", 5.0)
        await says(scene, "no don't")  # once more, and there is nothing left to undo
    assert world.log == [("book", "tuesday"), ("undo", "fails"), ("undo", "fails"), ("undo", "tuesday")]
    assert len({key for what, key in world.keys if what == "undo"}) == 1
    (row,) = await rows(ledger)
    assert (row.fact, row.verdict, row.stuck) == ("absent", "drop", False)


async def test_langchain4j_a_recoverable_error_rolls_nothing_back(autojump_clock: MockClock, ledger: Ledger) -> None:
    world = Shaky(book=[ConnectionResetError()], text=[ToolNotSent("no connection")])
    both: tuple[Proposal, ...] = (*tool("book", day="tuesday"), *tool("text", day="tuesday"))
    script = Script({"book and text": (Round(proposals=both), Round("anything else?"))})
    async with call(world, ledger, script) as scene:
        scene.phone.say("book and text")
        await scene.phone.quiet(1.5)
    assert world.log == [("book", "fails"), ("book", "tuesday"), ("text", "fails"), ("text", "tuesday")]
    assert [(row.verdict, row.why) for row in await rows(ledger)] == [("keep", "told")] * 2
