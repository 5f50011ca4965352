"""The deadlines that the turn machine arms, on trio's clock."""

from __future__ import annotations

from collections.abc import Iterator

import trio

from agentd.messages import Timer, TimerFired


class Deadlines:
    """One call's deadlines, by name."""

    def __init__(self) -> None:
        self._at: dict[Timer, float] = {}

    @property
    def next_at(self) -> float:
        """When the next one passes."""
        return min(self._at.values(), default=float("inf"))

    def arm(self, name: Timer, seconds: float) -> None:
        """Set a deadline, in place of an earlier one of that name."""
        self._at[name] = trio.current_time() + seconds

    def disarm(self, name: Timer) -> None:
        """Forget a deadline."""
        self._at.pop(name, None)

    def passed(self) -> Iterator[TimerFired]:
        """Those that have passed, in their order; one that is disarmed because of an earlier one is not among them."""
        now = trio.current_time()
        for name, _ in sorted(self._at.items(), key=lambda item: item[1]):
            if self._at.get(name, float("inf")) <= now:
                del self._at[name]
                yield TimerFired(name, now)
