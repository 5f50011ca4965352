"""A call of five minutes at 20 ms frames: how long it takes in virtual time."""

from __future__ import annotations

import time

import pytest
import trio

from agentd.messages import UtteranceEnded
from tests.calls.harness import telephone_call
from tests.calls.script import LONELY, Script

LONG = "let me think about this for a while since there is so much that one could say about it and so little time"
LIMIT_S = 3.0
"""On a machine of its own; of two runs the better one counts, by processor time, since others may be at work beside it."""


async def talk(minutes: float) -> tuple[float, float, int]:
    """A call of so many minutes: the wall time and the processor time that it took, and how many turns it had."""
    script = Script({f"question number {n}": f"{LONG} {n}" for n in range(100)})
    async with telephone_call(LONELY, script) as scene:
        start, wall, processor = trio.current_time(), time.perf_counter(), time.process_time()
        await scene.phone.quiet()
        turns = 0
        while trio.current_time() - start < 60 * minutes:
            scene.phone.say(f"question number {turns}")
            await scene.phone.quiet()
            turns += 1
        took = time.perf_counter() - wall, time.process_time() - processor
    assert len(scene.events(UtteranceEnded)) == turns
    assert scene.untold() == []
    return *took, turns


@pytest.mark.slow
async def test_five_minutes_take_three_seconds(autojump_clock: object) -> None:
    runs = [await talk(5) for _ in range(2)]
    for wall, processor, turns in runs:
        print(f"five minutes, {turns} turns: {wall:.2f} s, {processor:.2f} s of the processor")
        assert turns >= 20
    assert min(processor for _, processor, _ in runs) <= LIMIT_S
