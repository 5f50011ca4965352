from __future__ import annotations

import socket
import threading
from math import inf

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from agentd.testing.pace import Pace


def paced(clock: MockClock) -> tuple[float, float]:
    return clock.rate, clock.autojump_threshold


REAL, VIRTUAL = (1.0, inf), (0.0, 0.0)


def test_time_is_real_while_a_thread_is_waited_for() -> None:
    clock, back = MockClock(autojump_threshold=0), threading.Event()

    async def main() -> None:
        pace = Pace(clock)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, back.wait)
            await wait_all_tasks_blocked()
            pace.keep()
            back.set()
            assert paced(clock) == REAL
        pace.keep()
        assert paced(clock) == VIRTUAL

    trio.run(main, clock=clock)


def test_time_is_real_while_a_socket_is_waited_for() -> None:
    clock = MockClock(autojump_threshold=0)

    async def main() -> None:
        pace = Pace(clock)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.lowlevel.wait_readable, ours)
                await wait_all_tasks_blocked()
                pace.keep()
                theirs.send(b"answer")
                assert paced(clock) == REAL
        pace.keep()
        assert paced(clock) == VIRTUAL

    trio.run(main, clock=clock)


def test_time_jumps_while_nothing_is_waited_for() -> None:
    clock = MockClock(autojump_threshold=0)

    async def main() -> None:
        pace = Pace(clock)
        for _ in range(3):
            await trio.sleep(3600)
            await wait_all_tasks_blocked()
            pace.keep()
            assert paced(clock) == VIRTUAL

    trio.run(main, clock=clock)
