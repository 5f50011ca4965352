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
        self._abandoned: list[_Job] = []

    @property
    def lost(self) -> int:
        """Threads that were abandoned and have not come back."""
        self._abandoned = [job for job in self._abandoned if not job.done]
        return len(self._abandoned)

    async def __call__(self, fn: Callable[[], T], *, timeout: float, stage: str) -> T:
        """See Offload."""
        if self.lost >= limits.THREADS_ABANDONED:
            raise ProviderError(stage, f"{self.lost} threads hang in their engines; restart the daemon", retryable=False)
        job = _Job()

        def run() -> T:
            try:
                return fn()
            finally:
                job.done = True

        with trio.move_on_after(timeout):
            return await trio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=self._limiter)
        self._abandoned.append(job)
        raise EngineStalled(stage, f"no answer within {timeout:g} s")


class _Job:
    """Whether a thread's function has returned."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False


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
