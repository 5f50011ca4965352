"""What the turn machine and the ledger's rules can do together, as far as some steps reach: two effects, three tellings.

Breadth first and timeless, as in `test_reach` and `test_ledger_reach`, from the moment at which the caller has asked for
something. Any armed deadline of either may pass at any moment, in any order that its meaning allows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from agentd.errors import InternalBug
from agentd.ledger.book import Telling
from agentd.ledger.events import Clock, Done, No, Proposed
from agentd.ledger.row import Kind
from agentd.messages import MediaStarted, Reply, Timer
from agentd.turn.value import State
from tests.laws.joint_world import Gate, Joint, Report
from tests.laws.ledger_world import effect
from tests.laws.test_reach import SHORT, TURN_FIELDS

Move = Callable[[Joint], object]

ASSENT, RETRACT, QUESTION = "perfect thanks", "no forget it", "how much is it"
MARKS = 3

CALLS: dict[str, tuple[Proposed, ...]] = {
    "a booking": (effect("a", Kind.COMPENSABLE),),
    "a hold that asks": (effect("a", Kind.HELD, keep_on="yes"),),
    "a booking and its text": (effect("a", Kind.COMPENSABLE), effect("b", Kind.DEFERRED, needs=("a",))),
    "a booking and its deposit": (effect("a", Kind.COMPENSABLE), effect("b", Kind.PIVOT, needs=("a",))),
    "a booking and another in its place": (
        effect("a", Kind.COMPENSABLE, tool="book"),
        effect("b", Kind.COMPENSABLE, tool="book", replaces="a"),
    ),
}


def asked(offers: tuple[Proposed, ...]) -> Joint:
    """The caller has heard the greeting and has asked for something."""
    world = Joint.begin(SHORT)
    world.transport = Gate()
    world.offers = {offer.id: offer for offer in offers}
    world.take(MediaStarted(0.0, 8000, 1))
    world.speaks()
    while world.turn.state is not State.LISTENING:
        world.pos += 1
        _ = world.deliver() if world.mailbox else world.play()
    world.begin_to_speak()
    world.is_noticed()
    world.says("book it please now")
    while world.mailbox:
        world.deliver()
    assert world.turn.state is State.DELIBERATING
    assert world.thinking is not None
    return world


def moves(world: Joint) -> Iterator[tuple[str, Move]]:
    """What may happen next. While words wait for the transport to say that it has stopped, nothing slower does."""
    if not world.unruled:
        yield from caller(world)
        yield from deadlines(world)
    yield from agent(world)
    if world.mailbox:
        yield f"{type(world.mailbox[0]).__name__} arrives", Joint.deliver
    for last in (ASSENT, RETRACT, None) if world.utterance is not None and not world.wordless else (None,):
        yield f"the caller goes, saying {last}", lambda w, last=last: w.hangs_up(last)  # type: ignore[misc]


def caller(world: Joint) -> Iterator[tuple[str, Move]]:
    if world.utterance is None:
        yield ("begins to speak", Joint.begin_to_speak) if world.began is None else ("is noticed", Joint.is_noticed)
        return
    if not world.wordless:
        yield "partial", lambda w: w.take(w.partial("no wait", sure=True))
        for text in (ASSENT, RETRACT, QUESTION):
            yield f"says {text}", lambda w, text=text: w.says(text)  # type: ignore[misc]
    for voiced in (0.2, 0.8):
        yield f"says nothing for {voiced}", lambda w, voiced=voiced: w.says("", voiced)  # type: ignore[misc]
    if not world.long:
        yield "long speech", lambda w: w.take(w.long_speech())


def agent(world: Joint) -> Iterator[tuple[str, Move]]:
    if world.thinking is not None and not world.book.busy and world.transport.passed == len(world.transport.segments):
        yield "speaks", Joint.speaks
        for name in world.offers if world.round < 2 else ():
            yield f"proposes {name}", lambda w, name=name: w.proposes(name)  # type: ignore[misc]
            break
    if world.tools is not None and world.outcome:
        yield "tools done", lambda w: w.take(w.finish_tools())
    for row, ask in sorted(set(world.flight)):
        yield f"{ask} of {row} done", lambda w, row=row, ask=ask: w.answer(row, ask, Done("{}", 60.0, 1.0))  # type: ignore[misc]
        if ask in {"do", "act"}:
            yield f"{ask} of {row} refused", lambda w, row=row, ask=ask: w.answer(row, ask, No("no"))  # type: ignore[misc]
    if not world.mailbox:
        yield "plays on", Joint.play_on


def deadlines(world: Joint) -> Iterator[tuple[str, Move]]:
    for name in sorted({Timer.RESUME, Timer.SILENCE} & set(world.deadlines)):
        yield f"{name} passes", lambda w, name=name: w.fire(name)  # type: ignore[misc]
    for clock, row in sorted(world.book.armed):
        if clock is Clock.GUARD and world.began is not None and world.utterance is None:
            played = max((t.played or 0 for t in world.book.tellings if t.row == row), default=0)
            if played > world.began:
                continue  # speech that began before the telling point is noticed within the guard
        if clock in {Clock.GUARD, Clock.FREEZE}:
            yield f"{clock} of {row} passes", lambda w, clock=clock, row=row: w.due(clock, row)  # type: ignore[misc]


def key(world: Joint) -> tuple[Any, ...]:
    """What tells two worlds apart: names of replies and samples only by their order."""
    turn, transport = world.turn, world.transport

    def age(reply: Reply | None) -> int:
        return 0 if reply is None else 1 if reply == turn.reply else 2

    def behind(pos: int | None) -> bool | None:
        return None if pos is None else world.began is not None and pos > world.began

    def waiting(event: Any) -> tuple[Any, ...]:
        if isinstance(event, Report):
            return event.what, event.row, behind(event.pos), event.key == transport.key
        return type(event).__name__, age(getattr(event, "reply", None))

    def telling(t: Telling) -> tuple[Any, ...]:
        return t.row, t.mode, behind(t.played), t.key == transport.key

    book = world.book
    return (
        *(getattr(turn, name) for name in TURN_FIELDS),
        bool(turn.keys),
        bool(turn.parts),
        turn.frozen,
        (turn.asked is not None, turn.asked is not None and turn.onset >= turn.asked),
        *(age(reply) for reply in (transport.reply, world.thinking, world.tools)),
        transport.segments[transport.passed :],
        *(getattr(transport, name) for name in ("ended", "began", "audible", "asked", "dry", "done", "held", "closing")),
        (bool(transport.key), transport.released, transport.told),
        tuple(waiting(event) for event in world.mailbox),
        (world.utterance is not None, world.began is not None, world.wordless, world.long, min(world.round, 2)),
        (book.rows, book.frozen, book.over, book.armed, tuple(map(telling, book.tellings))),
        (world.flight, tuple(world.offers), world.waits, world.outcome, world.live, world.frozen_rows),
        (world.sounded, world.objects, world.objected, world.stops, len(world.unruled), type(world.deferred)),
        bool(world.finished),
    )


def told(world: Joint) -> int:
    """How many tellings there were."""
    return sum(row.cuts + row.checks + (row.told != "no") for row in world.book.rows)


def explore(call: str, depth: int, most: int = sys.maxsize) -> tuple[int, int, int]:
    """Worlds visited, steps taken and the depth that was wholly seen. Raises AssertionError with the story of what broke."""
    border: list[tuple[Joint, tuple[str, ...]]] = [(asked(CALLS[call]), ())]
    seen = {key(border[0][0])}
    steps = deep = 0
    while border and deep < depth:
        following: list[tuple[Joint, tuple[str, ...]]] = []
        for world, path in border:
            for name, move in moves(world):
                after = replace(world.copy(), pos=world.pos + 1)
                try:
                    move(after)
                except (AssertionError, InternalBug, LookupError) as error:
                    raise AssertionError(f"{call}: {' → '.join((*path, name))}: {error!r}") from error
                steps += 1
                mark = key(after)
                if mark not in seen and told(after) <= MARKS:
                    seen.add(mark)
                    if not after.finished:
                        following.append((after, (*path, name)))
            if len(seen) > most:
                return len(seen), steps, deep
        border, deep = following, deep + 1
    return len(seen), steps, deep


@pytest.mark.parametrize("call", CALLS)
def test_nothing_within_reach_breaks_a_law(call: str) -> None:
    states, steps, depth = explore(call, 14)
    print(f"{call}: {states} states, {steps} steps, all within {depth}")


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_nothing_within_far_reach_breaks_a_law(call: str) -> None:
    states, steps, depth = explore(call, 30, 30_000)
    print(f"{call}: {states} states, {steps} steps, all within {depth}")


def test_without_the_freeze_an_objection_comes_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Joint, "_freeze", lambda self: None)
    with pytest.raises(AssertionError, match="over an objection") as broken:
        explore("a booking", 20)
    print(broken.value)
