from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest
import trio

from agentd import limits
from agentd.messages import ActorDown, ActorRestarted
from agentd.supervision import ChildSpec, Restart, Supervisor

Run = Callable[[int], Awaitable[None]]


class World:
    """What happened, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.reports: list[ActorRestarted | ActorDown] = []

    async def report(self, event: ActorRestarted | ActorDown) -> None:
        self.reports.append(event)

    def lasting(self, name: str, cleanup: float = 0.0) -> Run:
        """A child that lives until it is stopped."""

        async def run(provider: int) -> None:
            self.told.append(f"{name} starts")
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(cleanup)
                self.told.append(f"{name} ends")

        return run

    def failing(self, name: str, after: float = 0.0, *, lives: int = 10**9) -> Run:
        """A child that fails after so many seconds, in its first lives."""

        async def run(provider: int) -> None:
            self.told.append(f"{name} {provider}")
            await trio.sleep(after)
            if sum(line.startswith(f"{name} ") for line in self.told) <= lives:
                raise ValueError("broken")
            await trio.sleep_forever()

        return run

    def supervisor(self, *specs: ChildSpec) -> Supervisor:
        return Supervisor(specs, self.report)


async def ends(seconds: float) -> None:
    await trio.sleep(seconds)


def call(seconds: float) -> ChildSpec:
    """The significant child that carries the call so long."""
    return ChildSpec("call", lambda provider: ends(seconds), Restart.SIGNIFICANT)


async def test_children_start_from_left_to_right_and_stop_from_right_to_left(autojump_clock: object) -> None:
    world = World()
    names = ["a", "b", "c"]
    specs = [ChildSpec(name, world.lasting(name, cleanup=0.5), Restart.RESTARTED) for name in names]
    await world.supervisor(*specs, call(1)).run()
    assert sorted(world.told[:3]) == ["a starts", "b starts", "c starts"]
    assert world.told[3:] == ["c ends", "b ends", "a ends"]
    assert trio.current_time() == pytest.approx(2.5)


async def test_a_significant_childs_end_ends_all(autojump_clock: object) -> None:
    world = World()
    await world.supervisor(call(3), ChildSpec("a", world.lasting("a"), Restart.RESTARTED)).run()
    assert world.told == ["a starts", "a ends"]
    assert world.reports == []


async def test_a_significant_childs_failure_surfaces_when_all_have_ended(autojump_clock: object) -> None:
    world = World()
    broken = ChildSpec("broken", world.failing("broken", 1), Restart.SIGNIFICANT)
    with pytest.raises(ValueError, match="broken"):
        await world.supervisor(ChildSpec("a", world.lasting("a", cleanup=1), Restart.RESTARTED), broken).run()
    assert world.told[-1] == "a ends"


async def test_a_child_that_fails_is_restarted_and_the_call_is_told(autojump_clock: object) -> None:
    world = World()
    await world.supervisor(ChildSpec("a", world.failing("a", 1, lives=2), Restart.RESTARTED), call(10)).run()
    assert world.told == ["a 0", "a 0", "a 0"]
    assert world.reports == [
        ActorRestarted("a", "ValueError: broken", 0, 1.0),
        ActorRestarted("a", "ValueError: broken", 0, 2.0),
    ]


async def test_a_child_that_just_ends_is_restarted_too(autojump_clock: object) -> None:
    world = World()
    await world.supervisor(ChildSpec("a", lambda provider: ends(4), Restart.RESTARTED), call(6)).run()
    assert [event.why for event in world.reports] == ["it ended"]


async def test_more_failures_than_the_intensity_take_the_next_provider(autojump_clock: object) -> None:
    world = World()
    await world.supervisor(ChildSpec("a", world.failing("a", 1, lives=4), Restart.RESTARTED, providers=2), call(20)).run()
    assert world.told == ["a 0"] * (limits.RESTARTS + 1) + ["a 1"]


async def test_failures_far_apart_never_exhaust_a_provider(autojump_clock: object) -> None:
    world = World()
    apart = limits.RESTART_WINDOW_S / limits.RESTARTS + 1
    await world.supervisor(ChildSpec("a", world.failing("a", apart), Restart.RESTARTED), call(300)).run()
    assert len(world.reports) > 20
    assert all(isinstance(event, ActorRestarted) for event in world.reports)


async def test_a_chain_that_is_exhausted_stays_down_and_the_others_live_on(autojump_clock: object) -> None:
    world = World()
    spec = ChildSpec("a", world.failing("a", 0.1), Restart.RESTARTED, providers=2)
    await world.supervisor(spec, ChildSpec("b", world.lasting("b"), Restart.RESTARTED), call(60)).run()
    assert isinstance(world.reports[-1], ActorDown)
    assert [isinstance(event, ActorDown) for event in world.reports].count(True) == 1
    assert trio.current_time() == pytest.approx(60)
    assert "b starts" in world.told


async def test_a_new_provider_begins_with_a_clean_record(autojump_clock: object) -> None:
    world = World()
    await world.supervisor(ChildSpec("a", world.failing("a", 0.1), Restart.RESTARTED, providers=2), call(60)).run()
    # The failure that brought the second provider counts as its first.
    assert world.told.count("a 1") == limits.RESTARTS


async def test_a_child_that_is_kicked_is_restarted_for_that_reason(autojump_clock: object) -> None:
    world = World()
    supervisor = world.supervisor(ChildSpec("a", world.lasting("a"), Restart.RESTARTED), call(5))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        supervisor.kick("a", "its mailbox is full")
        supervisor.kick("a", "its mailbox is full")
    assert world.told == ["a starts", "a ends", "a starts", "a ends"]
    assert world.reports == [ActorRestarted("a", "its mailbox is full", 0, 1.0)]


async def test_a_significant_child_that_is_kicked_ends_the_call(autojump_clock: object) -> None:
    world = World()
    supervisor = world.supervisor(ChildSpec("a", world.lasting("a"), Restart.SIGNIFICANT))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        supervisor.kick("a", "its mailbox is full")
    assert world.told == ["a starts", "a ends"]


async def test_a_child_that_outlives_its_shutdown_time_is_named_and_does_not_hold_the_others_up(
    autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    specs = (
        ChildSpec("a", world.lasting("a"), Restart.RESTARTED),
        ChildSpec("slow", world.lasting("slow", cleanup=30), Restart.RESTARTED, shutdown=2),
    )
    with caplog.at_level(logging.ERROR):
        await world.supervisor(*specs, call(1)).run()
    assert world.told[-2:] == ["a ends", "slow ends"]
    assert "actor slow did not end within 2 s" in caplog.text


async def test_a_supervisor_that_is_cancelled_stops_its_children_in_order(autojump_clock: object) -> None:
    world = World()
    specs = [ChildSpec(name, world.lasting(name, cleanup=0.5), Restart.RESTARTED) for name in "abc"]
    with trio.move_on_after(1) as scope:
        await world.supervisor(*specs).run()
    assert scope.cancelled_caught
    assert world.told[3:] == ["c ends", "b ends", "a ends"]
