"""Blocking work, off the loop: threads in the daemon, inline with a virtual delay in clocked tests.

Work under 0.3 ms is not offloaded at all: a thread hop costs 60 µs and wakes two schedulers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

from agentd import limits
from agentd.errors import EngineStalled, ProviderError

T = TypeVar("T")


class Offload(Protocol):
    """Runs blocking functions."""

    async def __call__(self, fn: Callable[[], T], *, timeout: float, stage: str) -> T:
        """Run `fn()` and return what it returns; errors pass through.

        Raises EngineStalled (with `stage`) where it takes longer than `timeout` seconds. Cancelled or stalled: `fn` runs on
        by itself, its result is dropped, and whatever it used must not be used again.
        """


class Threads:
    """Worker threads. A stalled one is abandoned, and `limits.THREADS_ABANDONED` may hang at the same time."""

    def __init__(self, threads: int = 40) -> None:
        # An abandoned thread keeps its token until it comes back: the spare ones replace it.
        self._limiter = trio.CapacityLimiter(threads + limits.THREADS_ABANDONED)
        self._left: list[_Job] = []

    @property
    def lost(self) -> int:
        """Threads that were left behind, should be back by now, and are not."""
        self._left = [job for job in self._left if job.running]
        now = trio.current_time()
        return sum(now >= job.due for job in self._left)

    async def __call__(self, fn: Callable[[], T], *, timeout: float, stage: str) -> T:
        """See Offload."""
        if self.lost >= limits.THREADS_ABANDONED:
            raise ProviderError(stage, f"{self.lost} threads hang in their engines; restart the daemon", retryable=False)
        job = _Job(trio.current_time() + timeout)

        def run() -> T:
            job.running = True
            try:
                return fn()
            finally:
                job.running = False

        try:
            with trio.move_on_at(job.due):
                return await trio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=self._limiter)
        finally:
            if job.running:
                self._left.append(job)
        raise EngineStalled(stage, f"no answer within {timeout:g} s")


class _Job:
    """A function in a thread: whether it runs there, and when it should have returned, on trio's clock."""

    __slots__ = ("due", "running")

    def __init__(self, due: float) -> None:
        self.due, self.running = due, False


class Inline:
    """Runs the function on the loop and then sleeps `delay` seconds of the (virtual) clock: for clocked tests."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay

    async def __call__(self, fn: Callable[[], T], *, timeout: float, stage: str) -> T:
        """See Offload."""
        result = fn()
        with trio.move_on_after(timeout) as scope:
            await trio.sleep(self.delay)
        if scope.cancelled_caught:
            raise EngineStalled(stage, f"no answer within {timeout:g} s")
        return result
