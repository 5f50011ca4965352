"""Everything the machine can do within some steps of an ordinary call, with honest actors and nothing left to chance.

Breadth first over the world of `world.py`, timeless: any armed deadline may pass at any moment, in any order. States are the
same when they differ only in names, numbers and times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from agentd.errors import InternalBug
from agentd.messages import (
    ActorDown,
    Draining,
    KeyPressed,
    MediaStalled,
    MediaStarted,
    MediaStopped,
    Reply,
    ShutdownAsked,
    Timer,
)
from agentd.turn.commands import Then
from agentd.turn.machine import TABLE, trigger
from agentd.turn.timing import Timing
from agentd.turn.value import State
from tests.laws.test_totality import fired
from tests.laws.world import Transport, World

Move = Callable[[World], object]

SHORT = Timing(prompts=1, misheard=1, fillers=1, retries=1, stale=1, false_starts=1)
"""The laws with the smallest counts: what holds for one prompt holds for two, and there is less to walk."""

TURN_FIELDS = (
    "state", "why", "reopened", "utterance", "heard", "back", "complete", "tools", "then", "helper", "final", "leaving", "said",
    "outcome", "prompts", "misheard", "stale", "fillers", "retries", "false_starts", "armed",
)  # fmt: skip


def key(world: World) -> tuple[Any, ...]:
    """What tells two worlds apart."""
    turn, transport = world.turn, world.transport

    def age(reply: Reply | None) -> int:
        return 0 if reply is None else 1 if reply == turn.reply else 2

    waiting = tuple((type(event).__name__, age(getattr(event, "reply", None))) for event in world.mailbox)
    answering = turn.asked is not None and turn.onset >= turn.asked
    return (
        *(getattr(turn, name) for name in TURN_FIELDS),
        bool(turn.keys),
        bool(turn.parts),
        (turn.asked is not None, answering),
        *(age(reply) for reply in (transport.reply, world.thinking, world.tools)),
        transport.segments[transport.passed :],
        *(getattr(transport, name) for name in Transport.__slots__ if name not in {"epoch", "reply", "segments", "passed"}),
        waiting,
        world.utterance is not None,
        world.long,
        min(world.round, 2),
        world.frozen,
        world.handed_over,
        min(world.restarts, 1),
        bool(world.owed),
    )


def moves(world: World) -> Iterator[tuple[str, Move]]:
    """What may happen next. The transport's reports wait in the mailbox; all else may overtake them."""
    if world.turn.state is State.CONNECTING:
        yield "the media starts", lambda w: w.take(MediaStarted(0.0, 8000, 1))
    else:
        yield from caller(world)
        yield from agent(world)
    yield from trouble(world)
    for name in sorted(world.deadlines):
        yield f"{name} passes", lambda w, name=name: w.fire(Timer(name))  # type: ignore[misc]
    if world.mailbox:
        yield f"{trigger(world.mailbox[0])} arrives", World.deliver


def caller(world: World) -> Iterator[tuple[str, Move]]:
    if world.utterance is None:
        yield "onset", lambda w: w.take(w.speak())
    else:
        for text in ("no wait", "uh-huh"):
            yield f"partial {text}", lambda w, text=text: w.take(w.partial(text, sure=True))  # type: ignore[misc]
        for text, voiced in (("next tuesday", 0.8), ("yes", 0.3), ("", 0.2), ("", 0.8)):
            end = f"end of {text or voiced}"
            yield end, lambda w, text=text, voiced=voiced: w.take(w.end(text, voiced=voiced))  # type: ignore[misc]
        if not world.long:
            yield "long speech", lambda w: w.take(w.long_speech())
    if not world.turn.keys:
        yield "key 1", lambda w: w.take(KeyPressed(0.0, "1"))
    yield "key #", lambda w: w.take(KeyPressed(0.0, "#"))


def round_over(
    *, more: bool = False, tools: int = 0, then: Then = Then.LISTEN, helper: bool = True, progress: bool = True
) -> Move:
    return lambda w: w.take(w.thought(more=more, tools=tools, then=then, helper=helper, progress=progress))


def agent(world: World) -> Iterator[tuple[str, Move]]:
    if world.thinking is not None:
        if world.transport.passed == len(world.transport.segments):
            yield "says", lambda w: w.think("plain")
            yield "asks", lambda w: w.think("question")
        yield "thought listen", round_over(helper=False)
        yield "thought in vain", round_over(progress=False)
        yield "thought close", round_over(then=Then.CLOSE)
        yield "thought transfer", round_over(then=Then.TRANSFER)
        if world.round < 1:
            yield "thought 0 tools", round_over(more=True)
            yield "thought 1 tools", round_over(more=True, tools=1)
        yield "thinking fails", lambda w: w.take(w.fail())
    if world.tools is not None:
        yield "tools done", lambda w: w.take(w.finish_tools())
    if not world.mailbox:
        yield "plays on", World.play


def trouble(world: World) -> Iterator[tuple[str, Move]]:
    if not world.restarts:
        for actor in ("listener", "thinker", "speaker"):
            yield f"{actor} restarts", lambda w, actor=actor: w.take(w.restart(actor))  # type: ignore[misc]
    yield "drain", lambda w: w.take(Draining(0.0))
    yield "listener down", lambda w: w.take(ActorDown("listener", "it broke", 0.0))
    yield "speaker down", lambda w: w.take(ActorDown("speaker", "it broke", 0.0))
    yield "media stops", lambda w: w.take(MediaStopped(0.0, "hangup"))
    yield "media stalls", lambda w: w.take(MediaStalled(0.0, 10.0))
    yield "shutdown", lambda w: w.take(ShutdownAsked(0.0))


ORDINARY = """
the media starts, says, thought listen,
plays on, playback_began arrives, plays on, audible arrives, plays on, reply_heard arrives,
onset, end of next tuesday, thought 1 tools, filler passes, plays on, playback_began arrives, plays on, ran_dry arrives,
tools done, asks, plays on, playback_began arrives, plays on, audible arrives, plays on, asked arrives,
thought listen, plays on, reply_heard arrives,
silence passes, says, thought listen,
plays on, playback_began arrives, plays on, audible arrives, plays on, reply_heard arrives,
silence passes, plays on, playback_began arrives, plays on, audible arrives, plays on, reply_heard arrives, farewell passes
"""
"""A call through every state: greeting, a question, a tool with its filler, a question back, silence, a prompt, the goodbye."""


def ordinary() -> list[tuple[World, str]]:
    """The worlds along it; what is explored leaves from each of them."""
    worlds = [(World.begin(SHORT), "begin")]
    for number, wanted in enumerate(ORDINARY.replace("\n", " ").strip().split(", ")):
        world = worlds[-1][0].copy()
        dict(moves(world))[wanted](world)
        worlds.append((world, f"step {number}: {wanted}"))
    return worlds


def explore(depth: int) -> tuple[int, int, set[tuple[Any, State]]]:
    """Worlds visited within `depth` steps of the ordinary call, steps taken, and the rows that were."""
    border = [(world, (name,)) for world, name in ordinary()]
    seen = {key(world) for world, _ in border}
    steps, rows = 0, set[tuple[Any, State]]()
    for _ in range(depth):
        following: list[tuple[World, tuple[str, ...]]] = []
        for world, path in border:
            for name, move in moves(world):
                after = watch(replace(world.copy(), pos=world.pos + 1), rows)
                try:
                    move(after)
                except (AssertionError, InternalBug, KeyError) as error:
                    raise AssertionError(f"{' → '.join((*path, name))}: {error!r}") from error
                steps += 1
                mark = key(after)
                if mark not in seen:
                    seen.add(mark)
                    if not after.finished:
                        following.append((after, (*path, name)))
        border = following
    return len(seen), steps, rows


class Watched(World):
    """A world that notes which rows of the table are taken."""

    __slots__ = ("rows",)

    def take(self, event: Any) -> Any:
        ignored = getattr(event, "reply", self.turn.reply) != self.turn.reply
        if not ignored and not self.finished and any(r.on == trigger(event) and self.turn.state in r.at for r in TABLE):
            self.rows.add((fired(self.turn, event), self.turn.state))
        return World.take(self, event)


def test_nothing_within_reach_of_an_ordinary_call_breaks_a_law() -> None:
    visited, steps, rows = explore(2)
    print(f"{visited} states, {steps} steps, {len(rows)} rows × states")
    assert {state for _, state in rows} == set(State) - {State.ENDED}


@pytest.mark.slow
def test_nothing_within_far_reach_of_an_ordinary_call_breaks_a_law() -> None:
    visited, steps, rows = explore(4)
    print(f"{visited} states, {steps} steps, {len(rows)} rows × states")
    assert visited > 10_000


def watch(world: World, rows: set[tuple[Any, State]]) -> World:
    watched = Watched(**{name: getattr(world, name) for name in World.__slots__})
    watched.rows = rows
    return watched
