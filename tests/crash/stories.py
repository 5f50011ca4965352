"""Calls worth killing: each a script of the agent's part and what the caller does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agentd.flow import State, When, compensable, deferred, held, pivot
from agentd.flow.context import Context
from agentd.flow.model import Flow
from agentd.messages import TakeBack, ThinkRequest, UseTool
from tests.calls.harness import Scene
from tests.calls.script import Round, Script, tool
from tests.crash.world import World


def flow(world: World) -> Flow:
    """One tool of each class; a deposit and a text need the booking that is held."""

    @compensable(tell="You are booked on {day}.", identity=["day"], honours_key=True, tombstone=True)
    def book(context: Context, day: str) -> None:
        world.ask("do", context.effect, day)

    @book.undo
    def unbook(context: Context, day: str) -> None:
        world.ask("undo", context.effect, day)

    @held(ask="Shall I hold {day}?", tell="I have {day} for you.", identity=["day"], ttl=300, honours_key=True, tombstone=True)
    def reserve(context: Context, day: str) -> None:
        world.ask("do", context.effect, day)

    @reserve.confirm
    def confirm(context: Context, day: str) -> None:
        world.ask("confirm", context.effect, day)

    @reserve.cancel
    def cancel(context: Context, day: str) -> None:
        world.ask("cancel", context.effect, day)

    @reserve.undo
    def undo(context: Context, day: str) -> None:
        world.ask("undo", context.effect, day)

    @deferred(tell="I will text you about {day}.", identity=["day"], needs=[reserve], honours_key=True)
    def text(context: Context, day: str) -> None:
        world.ask("do", context.effect, day)

    @pivot(ask="Shall I charge {sum}?", tell="I have charged {sum}.", identity=["sum"], needs=[reserve], honours_key=True)
    def charge(context: Context, sum: str) -> None:
        world.ask("do", context.effect, sum)

    return Flow(
        "crash",
        states=[State("open", say="hello", tools=[book, reserve, text, charge]), State("bye", final=True, say="goodbye")],
        transitions=[When("wants_end", "open", "bye", "goodbye")],
    )


@dataclass(frozen=True)
class Story:
    """A call: how the agent answers, and what the caller does after the greeting."""

    name: str
    script: Callable[[], Script]
    acts: Callable[[Scene], Awaitable[None]]


def _replaced(request: ThinkRequest) -> Round:
    return Round(proposals=(UseTool("w", "book", {"day": "wednesday"}, replaces=request.effects[-1].id),))


def _undone(request: ThinkRequest) -> Round:
    return Round(proposals=(TakeBack("t", request.effects[0].id),))


def script() -> Script:
    """The agent's part in every story."""
    return Script(
        {
            "book tuesday": (Round(proposals=tool("book", day="tuesday")), Round("what else?")),
            "actually wednesday": (_replaced, Round("there")),  # type: ignore[dict-item]
            "hold tuesday": (Round(proposals=tool("reserve", day="tuesday")), Round("")),
            "yes": "what else?",
            "text me": (Round(proposals=tool("text", day="tuesday")), Round("what else?")),
            "pay": (Round(proposals=tool("charge", sum="twenty")), Round("")),
            "give it back": (_undone, Round("fine")),  # type: ignore[dict-item]
        }
    )


async def told(scene: Scene) -> None:
    scene.phone.say("book tuesday")
    await scene.phone.quiet(1.0)


async def retracted(scene: Scene) -> None:
    scene.phone.say("book tuesday")
    await scene.phone.hears("booked")
    scene.phone.say("no don't book it")
    await scene.phone.said()
    await scene.phone.quiet(1.0)


async def revised(scene: Scene) -> None:
    scene.phone.say("book tuesday")
    await scene.phone.hears("booked")
    scene.phone.say("actually wednesday")
    await scene.phone.said()
    await scene.phone.quiet(1.0)


async def hung_up(scene: Scene) -> None:
    scene.phone.say("book tuesday")
    await scene.phone.hears("booked")
    scene.phone.hang_up()


async def held_and_paid(scene: Scene) -> None:
    scene.phone.say("hold tuesday")
    await scene.phone.quiet()
    scene.phone.say("yes")
    await scene.phone.quiet()
    scene.phone.say("text me")
    await scene.phone.quiet()
    scene.phone.say("pay")
    await scene.phone.quiet()
    scene.phone.say("yes")
    await scene.phone.quiet()


async def taken_back(scene: Scene) -> None:
    scene.phone.say("hold tuesday")
    await scene.phone.quiet()
    scene.phone.say("yes")
    await scene.phone.quiet(1.0)
    scene.phone.say("give it back")
    await scene.phone.quiet(1.0)


STORIES = tuple(Story(acts.__name__, script, acts) for acts in (told, retracted, revised, hung_up, held_and_paid, taken_back))
