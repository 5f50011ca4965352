"""The switch's playout of what the daemon sends: sans-IO, as drachtio's audio fork does it on a phone leg.

Theory of operation. Every binary chunk goes through a *prebuffer*: what it has gathered moves to the *playout buffer* only
when it has reached a threshold (320·k·4 samples of the stream, k being stream rate over leg rate and at least 1: 160 ms
at 8 kHz, 80 ms of 16 kHz on a 16 kHz leg), which drops to half after the first time. So a tail shorter than the threshold
waits there until more comes, and also survives a clear, which empties the playout buffer alone. Each tick takes 20 ms
from the playout buffer; both buffers grow without bound.

A *mark* waits in the inventory until the next chunk, in front of which it travels in-band as the sample -1; while marks are
under way, audio samples of that value are taken for one. When the playout runs dry, the inventory fires one mark a tick.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from agentd.simulate.audio import TICKS, Resampler, Samples

MAX_MARKS = 30
"""Marks outstanding; more are ignored."""

MARK = -1


@dataclass(frozen=True, slots=True)
class Tick:
    """20 ms for the loudspeaker, of which the first `filled` samples came from the daemon, and the marks that it answers."""

    samples: Samples
    filled: int
    marks: tuple[tuple[str, str], ...] = ()


class Playout:
    """One stream's playout: `rate` is the stream's, `leg_rate` the phone's, in Hz."""

    def __init__(self, rate: int, leg_rate: int) -> None:
        self._size = leg_rate // TICKS
        self._threshold = 320 * max(1, rate // leg_rate) * 4
        self._later_threshold = self._threshold // 2
        self._resample = Resampler(rate, leg_rate)
        self._whole = 2 * max(1, rate // leg_rate)
        self._odd = b""
        self._gathered = bytearray()
        self._ready = bytearray()
        self._clearing = False
        self._inventory: deque[str] = deque()
        self._under_way: deque[str] = deque()
        self._cleared = 0

    def feed(self, data: bytes) -> None:
        """Take a binary chunk; an odd byte is set aside until the next."""
        data = self._odd + data
        whole = len(data) & ~1
        data, self._odd = data[:whole], data[whole:]
        if not data:
            return
        self._gathered += np.full(len(self._inventory), MARK, dtype=np.int16).tobytes()
        self._under_way += self._inventory
        self._inventory.clear()
        self._gathered += data
        if len(self._gathered) // 2 < self._threshold:
            return
        self._threshold = self._later_threshold
        ready = bytes(self._gathered[: len(self._gathered) // self._whole * self._whole])
        del self._gathered[: len(ready)]
        self._ready += self._resample(np.frombuffer(ready, dtype="<i2")).astype("<i2").tobytes()

    def mark(self, name: str) -> None:
        """Ask to be told when what was fed so far is played."""
        if len(self._inventory) + len(self._under_way) < MAX_MARKS:
            self._inventory.append(name)

    def clear(self) -> None:
        """Drop what waits to be played, at the next tick."""
        self._clearing = True

    def forget_marks(self) -> None:
        """Drop all marks without a word."""
        self._cleared += len(self._under_way)
        self._under_way.clear()
        self._inventory.clear()

    def tick(self) -> Tick:
        """The next 20 ms."""
        if self._clearing:
            return self._clear_now()
        raw = np.frombuffer(bytes(self._ready[: 2 * self._size]), dtype="<i2")
        del self._ready[: 2 * len(raw)]
        marks: tuple[tuple[str, str], ...] = ()
        if self._under_way or self._cleared:
            raw, marks = self._take_marks(raw)
        elif not len(raw) and self._inventory:
            marks = ((self._inventory.popleft(), "playout"),)
        samples = np.zeros(self._size, dtype=np.int16)
        samples[: len(raw)] = raw
        return Tick(samples, len(raw), marks)

    def _clear_now(self) -> Tick:
        self._clearing = False
        self._ready.clear()
        marks = tuple((name, "cleared") for name in (*self._under_way, *self._inventory))
        self._cleared += len(self._under_way)
        self._under_way.clear()
        self._inventory.clear()
        return Tick(np.zeros(self._size, dtype=np.int16), 0, marks)

    def _take_marks(self, raw: Samples) -> tuple[Samples, tuple[tuple[str, str], ...]]:
        """Take every -1 for a mark, as the switch does; those that were cleared pass in silence."""
        fired: list[tuple[str, str]] = []
        found = raw == MARK
        for _ in range(int(np.count_nonzero(found))):
            if self._cleared:
                self._cleared -= 1
            elif self._under_way:
                fired.append((self._under_way.popleft(), "playout"))
        return raw[~found], tuple(fired)
