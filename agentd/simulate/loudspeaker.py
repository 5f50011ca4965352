"""What was said and heard on the caller's phone, tick by tick on one clock: every figure is taken from this."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from agentd.simulate.audio import AUDIBLE, TICKS, Samples, rms


@dataclass(frozen=True, slots=True)
class Recording:
    """A call at the caller's ear and mouth; all of one length, at `rate` Hz.

    `microphone`: what the switch sent, noise and all; `voice`: the caller's own part of it; `agent`: what the loudspeaker
    played, where it was played; `filled`: samples of each 20 ms that came from the daemon, so that less marks a hole.
    """

    rate: int
    microphone: Samples
    voice: Samples
    agent: Samples
    filled: npt.NDArray[np.int32]


@dataclass(slots=True)
class Loudspeaker:
    """The growing record, and what the caller's ear makes of it: is the agent speaking, and since when?"""

    rate: int
    _microphone: list[Samples] = field(default_factory=list)
    _voice: list[Samples] = field(default_factory=list)
    _agent: list[Samples] = field(default_factory=list)
    _filled: list[int] = field(default_factory=list)
    _audible: list[bool] = field(default_factory=list)
    _last_audible: int = -1

    @property
    def ticks(self) -> int:
        """20 ms ticks so far."""
        return len(self._filled)

    def add(self, microphone: Samples, voice: Samples, agent: Samples, filled: int) -> None:
        """Record one tick."""
        self._microphone.append(microphone)
        self._voice.append(voice)
        self._agent.append(agent)
        self._filled.append(filled)
        self._audible.append(filled > 0 and rms(agent) > AUDIBLE)
        if self._audible[-1]:
            self._last_audible = self.ticks - 1

    def first_audible(self, since: int) -> int | None:
        """The first tick from `since` on in which the agent was heard."""
        for tick in range(since, self.ticks):
            if self._audible[tick]:
                return tick
        return None

    def quiet(self) -> int:
        """Ticks since the agent was last heard."""
        return self.ticks - 1 - self._last_audible

    def recording(self) -> Recording:
        """The record so far."""

        def joined(parts: list[Samples]) -> Samples:
            return np.concatenate([np.zeros(0, dtype=np.int16), *parts])

        filled = np.array(self._filled, dtype=np.int32)
        return Recording(self.rate, joined(self._microphone), joined(self._voice), joined(self._agent), filled)


def ticks(seconds: float) -> int:
    """Seconds in ticks."""
    return round(seconds * TICKS)
