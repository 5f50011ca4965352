"""Caller audio between transport and listener: a ring that drops the oldest, each frame with its sample position."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from agentd import limits
from agentd.messages import Frame

WAKE_S: Final = 0.06
"""While the line is silent the listener is woken for three frames at a time: a third of the wake-ups, and no decision later,
since an onset takes longer to count."""


class Ring:
    """The last `limits.CALLER_RING_S` seconds of the caller, and which of it was not taken yet.

    One writer, one reader, both on one loop. `wake` is called when there is enough audio, and not again before it is taken:
    any, where the reader is `eager`, else `WAKE_S` of it.
    """

    def __init__(self, rate: int, wake: Callable[[], None]) -> None:
        self._capacity = int(rate * limits.CALLER_RING_S)
        self._frames: deque[Frame] = deque()
        self._samples = 0
        self._taken = 0
        self._pushed = 0
        self._enough = int(rate * WAKE_S)
        self._waiting = False
        self._wake = wake
        self.eager = False
        self.dropped = 0
        """Frames that fell out before they were taken: the listener was too slow."""

    def push(self, frame: Frame) -> None:
        """Add the newest frame; the oldest falls out when the ring is full."""
        self._frames.append(frame)
        self._samples += len(frame.pcm) // 2
        self._pushed = frame.pos + len(frame.pcm) // 2
        while self._samples > self._capacity:
            oldest = self._frames.popleft()
            self._samples -= len(oldest.pcm) // 2
            if oldest.pos >= self._taken:
                self.dropped += 1
        if not self._waiting and (self.eager or self._pushed - self._taken >= self._enough):
            self._waiting = True
            self._wake()

    def take(self) -> list[Frame]:
        """The frames that were not taken yet, oldest first."""
        self._waiting = False
        fresh = []
        for frame in reversed(self._frames):
            if frame.pos < self._taken:
                break
            fresh.append(frame)
        fresh.reverse()
        if fresh:
            self._taken = fresh[-1].pos + len(fresh[-1].pcm) // 2
        return fresh

    def since(self, pos: int) -> list[Frame]:
        """What is still held of the audio from sample `pos` on and was already taken, oldest first."""
        return [frame for frame in self._frames if pos < frame.pos + len(frame.pcm) // 2 and frame.pos < self._taken]
