"""Threads that stall are left behind and counted, and those that only end late are not."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio

from agentd import limits
from agentd.errors import EngineStalled, ProviderError
from agentd.offload import Inline, Threads


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What stalled functions wait for; it comes when the test is over."""
    event = threading.Event()
    yield event
    event.set()


async def until_none_is_lost(threads: Threads) -> None:
    with trio.fail_after(5):
        while threads.lost:
            await trio.sleep(0.01)


async def test_a_result_and_an_error_come_through() -> None:
    threads = Threads()
    assert await threads(lambda: threading.current_thread() is not threading.main_thread(), timeout=5, stage="voice")
    with pytest.raises(ZeroDivisionError):
        await threads(lambda: 1 / 0, timeout=5, stage="voice")
    assert threads.lost == 0


async def test_a_stalled_function_is_left_behind_until_it_comes_back(never: threading.Event) -> None:
    threads = Threads()
    with pytest.raises(EngineStalled, match=r"voice: no answer within 0.02 s"):
        await threads(never.wait, timeout=0.02, stage="voice")
    assert threads.lost == 1
    never.set()
    await until_none_is_lost(threads)


async def test_so_many_threads_may_hang_and_no_more(never: threading.Event) -> None:
    threads = Threads()
    for _ in range(limits.THREADS_ABANDONED):
        with pytest.raises(EngineStalled):
            await threads(never.wait, timeout=0.01, stage="voice")
    with pytest.raises(ProviderError, match="restart the daemon") as caught:
        await threads(lambda: 1, timeout=5, stage="voice")
    assert not caught.value.retryable
    never.set()
    await until_none_is_lost(threads)
    assert await threads(lambda: 1, timeout=5, stage="voice") == 1


async def test_a_cancelled_function_is_lost_only_when_its_time_is_over(never: threading.Event) -> None:
    threads = Threads()
    with trio.move_on_after(0.02):
        await threads(never.wait, timeout=0.2, stage="voice")
    assert threads.lost == 0
    with trio.fail_after(5):
        while threads.lost != 1:
            await trio.sleep(0.01)


async def test_a_function_that_never_had_a_thread_is_not_lost(never: threading.Event) -> None:
    threads = Threads(threads=1 - limits.THREADS_ABANDONED)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: threads(never.wait, timeout=5, stage="tool"))
        await trio.sleep(0.02)
        with pytest.raises(EngineStalled):
            await threads(lambda: 1, timeout=0.02, stage="voice")
        assert threads.lost == 0
        never.set()


async def test_inline_stalls_on_the_virtual_clock(autojump_clock: trio.testing.MockClock) -> None:
    began = trio.current_time()
    assert await Inline(0.5)(lambda: 1, timeout=1, stage="voice") == 1
    with pytest.raises(EngineStalled):
        await Inline(2.0)(lambda: 1, timeout=1, stage="voice")
    assert trio.current_time() - began == pytest.approx(1.5)
