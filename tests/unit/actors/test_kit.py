from __future__ import annotations

import pytest
import trio

from agentd import limits
from agentd.actors.kit import Mailbox, open_jobs, run_all


class Box:
    """A mailbox that counts how often it was found full."""

    def __init__(self, size: int = limits.MAILBOX) -> None:
        self.full = 0
        self.mailbox: Mailbox[int] = Mailbox(self._count, size)

    def _count(self) -> None:
        self.full += 1


async def test_messages_are_received_in_the_order_in_which_they_were_sent() -> None:
    box = Box().mailbox
    for number in range(100):
        box.send_nowait(number)
    assert [await box.receive() for _ in range(100)] == list(range(100))


async def test_messages_of_both_ways_of_sending_keep_one_order() -> None:
    box = Box().mailbox
    await box.send(1)
    box.send_nowait(2)
    await box.send(3)
    assert [await box.receive() for _ in range(3)] == [1, 2, 3]


async def test_send_nowait_to_a_full_mailbox_drops_the_message_and_tells() -> None:
    box = Box(size=2)
    for number in range(5):
        box.mailbox.send_nowait(number)
    assert box.full == 3
    assert len(box.mailbox) == 2
    assert [await box.mailbox.receive(), await box.mailbox.receive()] == [0, 1]


async def test_send_waits_for_room(autojump_clock: object) -> None:
    box = Box(size=1)
    await box.mailbox.send(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.mailbox.send, 2)
        await trio.sleep(1)
        assert len(box.mailbox) == 1
        assert await box.mailbox.receive() == 1
    assert await box.mailbox.receive() == 2
    assert box.full == 0


async def test_a_send_that_is_cancelled_delivers_nothing(autojump_clock: object) -> None:
    box = Box(size=1).mailbox
    await box.send(1)
    with trio.move_on_after(1):
        await box.send(2)
    assert await box.receive() == 1
    assert box.receive_nowait() is None


async def test_a_receive_that_is_cancelled_takes_nothing(autojump_clock: object) -> None:
    box = Box().mailbox
    with trio.move_on_after(1):
        await box.receive()
    box.send_nowait(1)
    assert await box.receive() == 1


async def test_receive_nowait_on_an_empty_mailbox_gives_none() -> None:
    assert Box().mailbox.receive_nowait() is None


async def test_drain_forgets_all_that_waits_and_makes_room() -> None:
    box = Box(size=3)
    for number in range(3):
        box.mailbox.send_nowait(number)
    box.mailbox.drain()
    assert len(box.mailbox) == 0
    box.mailbox.send_nowait(7)
    assert await box.mailbox.receive() == 7
    assert box.full == 0


async def test_jobs_run_side_by_side(autojump_clock: object) -> None:
    async with open_jobs() as jobs:
        jobs.start(trio.sleep, 5)
        jobs.start(trio.sleep, 3)
        await trio.sleep(4)
        assert jobs.busy == 1
        await trio.sleep(2)
        assert jobs.busy == 0
    assert trio.current_time() == 6


async def test_a_job_that_is_dropped_is_cancelled_and_the_actor_lives_on(autojump_clock: object) -> None:
    done: list[str] = []

    async def work(name: str) -> None:
        await trio.sleep(2)
        done.append(name)

    async with open_jobs() as jobs:
        jobs.start(work, "old")
        await trio.sleep(1)
        jobs.drop()
        assert jobs.busy == 0
        jobs.start(work, "new")
        await trio.sleep(3)
    assert done == ["new"]


async def test_a_job_that_was_dropped_does_not_take_a_later_one_with_it(autojump_clock: object) -> None:
    done: list[str] = []

    async def slow_to_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    async def work() -> None:
        await trio.sleep(2)
        done.append("new")

    async with open_jobs() as jobs:
        jobs.start(slow_to_end)
        await trio.sleep(1)
        jobs.drop()
        jobs.start(work)
        await trio.sleep(0.5)
        assert jobs.busy == 1
        await trio.sleep(3)
    assert done == ["new"]


async def test_what_a_job_raises_ends_the_actor(autojump_clock: object) -> None:
    async def fail() -> None:
        raise ValueError

    with pytest.RaisesGroup(ValueError):
        async with open_jobs() as jobs:
            jobs.start(fail)
            await trio.sleep_forever()


async def test_leaving_the_place_of_the_jobs_cancels_them(autojump_clock: object) -> None:
    async with open_jobs() as jobs:
        jobs.start(trio.sleep_forever)
        await trio.sleep(1)
    assert trio.current_time() == 1


async def test_the_end_of_one_task_stops_the_others(autojump_clock: object) -> None:
    ended: list[str] = []

    async def short() -> None:
        await trio.sleep(1)

    async def long() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("long")

    await run_all(short, long)
    assert ended == ["long"]
    assert trio.current_time() == 1
