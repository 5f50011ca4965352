"""How fast virtual time goes: at once from one thing to the next, but as it really does while the world is asked."""

from __future__ import annotations

from math import inf
from typing import Final

import trio
from trio.testing import MockClock

IDLE: Final = 1
"""Sockets that are waited for when nothing is asked: trio's own, by which threads wake it."""


class Pace:
    """Keeps a clock's pace; `keep` is to be called again and again, every frame say."""

    def __init__(self, clock: MockClock) -> None:
        self._clock, self._real = clock, False

    def keep(self) -> None:
        """Look whether a socket or a thread is waited for, and go at its pace until it is not: no timeout may jump over it."""
        if self._real != (real := _waits()):
            self._real = real
            self._clock.rate, self._clock.autojump_threshold = (1.0, inf) if real else (0.0, 0.0)


def _waits() -> bool:
    sockets = trio.lowlevel.current_statistics().io_statistics
    waiting = sum(getattr(sockets, name) for name in dir(sockets) if name.startswith("tasks_waiting"))
    return waiting > IDLE or trio.to_thread.current_default_thread_limiter().borrowed_tokens > 0
