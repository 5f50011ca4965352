"""The caller's phone line: one 20 ms clock for its microphone and its loudspeaker, from answer to hang-up."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Protocol

import numpy as np
import trio

from agentd.simulate.audio import TICK_S, TICKS, Samples, clip
from agentd.simulate.loudspeaker import Loudspeaker
from agentd.simulate.playout import Tick


class Leg(Protocol):
    """A media stream that is on the line."""

    def exchange(self, microphone: Samples) -> Tick:
        """Give 20 ms of the caller, take 20 ms for the loudspeaker; never waits."""


class Line:
    """The line, at `rate` Hz, with `noise` looped under the caller's voice.

    `leg` is the stream that is on it, if one is; `show` is told, with the call's time in front, what happens.
    """

    def __init__(self, rate: int, noise: Samples | None, show: Callable[[str], None]) -> None:
        self.rate = rate
        self.loudspeaker = Loudspeaker(rate)
        self.leg: Leg | None = None
        self.answered = trio.Event()
        self.hung_up = trio.Event()
        self.lateness: list[float] = []
        self._noise = noise
        self._show = show
        self._speaking: Samples = np.zeros(0, dtype=np.int16)
        self._ticked = trio.Event()
        self._agent_audible = False

    async def run(self) -> None:
        """Tick until cancelled, which leaves the record whole. A late tick is caught up: the deadlines are absolute."""
        start = trio.current_time()
        for number in itertools.count(1):
            await trio.sleep_until(start + number * TICK_S)
            self.lateness.append(trio.current_time() - start - number * TICK_S)
            self._tick()

    async def tick(self) -> None:
        """Wait for the next tick. Cancelled: nothing is left behind."""
        await self._ticked.wait()

    async def pass_time(self, seconds: float) -> None:
        """Wait for so long on the line's clock, or until the caller hangs up. Cancelled: nothing is left behind."""
        for _ in range(round(seconds * TICKS)):
            if self.hung_up.is_set():
                return
            await self.tick()

    def attach(self, leg: Leg) -> None:
        """Put a stream on the line; the first one is what the caller takes for an answer."""
        self.leg = leg
        self.answered.set()

    async def speak(self, samples: Samples) -> tuple[int, int]:
        """Speak into the microphone; answers from which sample of the record to which. Cancelled: the rest is not said."""
        start = self.loudspeaker.ticks * (self.rate // TICKS)
        self._speaking = samples
        while len(self._speaking):
            await self.tick()
        return start, start + len(samples)

    def hang_up(self) -> None:
        """The caller puts the phone down; the switch does the rest."""
        self.log("caller hangs up")
        self.hung_up.set()

    def log(self, text: str) -> None:
        """Show `text` with the call's time in front."""
        self._show(f"{self.loudspeaker.ticks * TICK_S:7.2f}  {text}")

    def _tick(self) -> None:
        size = self.rate // TICKS
        voice = np.zeros(size, dtype=np.int16)
        said, self._speaking = self._speaking[:size], self._speaking[size:]
        voice[: len(said)] = said
        microphone = self._with_noise(voice)
        heard = self.leg.exchange(microphone) if self.leg else Tick(np.zeros(size, dtype=np.int16), 0)
        self.loudspeaker.add(microphone, voice, heard.samples, heard.filled)
        self._log_agent()
        self._ticked.set()
        self._ticked = trio.Event()

    def _with_noise(self, voice: Samples) -> Samples:
        if self._noise is None:
            return voice
        at = self.loudspeaker.ticks * len(voice)
        noise = self._noise.take(range(at, at + len(voice)), mode="wrap")
        return clip(voice.astype(np.float64) + noise)

    def _log_agent(self) -> None:
        quiet = self.loudspeaker.quiet() if self._agent_audible else 0
        if self._agent_audible and quiet >= TICKS // 2:
            self._agent_audible = False
            self.log(f"agent is quiet (since {quiet * TICK_S:.2f} s)")
        elif not self._agent_audible and self.loudspeaker.first_audible(self.loudspeaker.ticks - 1) is not None:
            self._agent_audible = True
            self.log("agent speaks")
