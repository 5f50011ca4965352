"""When the caller begins and ends: a pure function of samples, voice activity, words and the state's settings.

All times are media time: they are counted in samples, never read from a clock. The end is counted from the last *voiced*
sample. Detectors hang over by 70 to 160 ms, so a frame that is called voice only moves that sample where the signal itself
stands out from the noise around the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agentd.messages import Frame, Listen
from agentd.turn import words

GAP_S: Final = 0.1
"""A voice may pause so long inside its onset: the stop of a consonant."""

BLOCK_S: Final = 0.005
"""The grain at which the last voiced sample is known."""

PREROLL_S: Final = 0.3
"""Audio before the onset that belongs to the utterance: a soft first consonant, and the detector's own delay."""


@dataclass(frozen=True, slots=True)
class Onset:
    """An utterance began; its first voiced sample."""

    pos: int


@dataclass(frozen=True, slots=True)
class Long:
    """There was a voice for `Listen.long_speech`."""


@dataclass(frozen=True, slots=True)
class End:
    """The utterance is over; times in seconds of media."""

    start: int
    end: int
    end_at: float
    delay: float
    why: str
    voiced: float


Decision = Onset | Long | End


class Endpointer:
    """Takes frames in order and tells what they decide."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._block = int(rate * BLOCK_S)
        self._noise = 60.0
        self._peak = 0.0
        self.listen = Listen()
        self._words = ""
        self._forget()

    def _forget(self) -> None:
        self.open = False
        """An utterance is going on."""
        self._first: int | None = None
        self._last = 0
        self._last_at = 0.0
        self._voiced = 0.0
        self._long = False
        self._words = ""
        self._peak = 0.0

    @property
    def voiced(self) -> bool:
        """There is a voice, if only the beginning of one: a decision may fall with the next frame."""
        return self._first is not None

    def hear(self, text: str) -> None:
        """The utterance's words so far."""
        self._words = text

    def feed(self, frame: Frame, *, voice: bool) -> list[Decision]:
        """Take the next frame; `voice` is what the detector says of it."""
        self._measure(frame, voice=voice)
        end = frame.pos + len(frame.pcm) // 2
        if self._first is None:
            return []
        silence = (end - self._last) / self._rate
        decisions: list[Decision] = []
        if not self.open:
            onset = self.listen.onset_speaking if self.listen.speaking else self.listen.onset
            if (self._last - self._first) / self._rate >= onset - 1e-9:
                self.open = True
                decisions.append(Onset(self._first))
            elif silence > GAP_S:
                self._forget()
                return []
        if self.open:
            if not self._long and self._voiced >= self.listen.long_speech:
                self._long = True
                decisions.append(Long())
            delay, why = self.delay()
            if silence >= delay - 1e-9:
                decisions.append(End(self._first, self._last, self._last_at, delay, why, self._voiced))
                self._forget()
        return decisions

    def delay(self) -> tuple[float, str]:
        """The endpointing delay that the words so far ask for, in seconds, and its name."""
        listen, text = self.listen, words.normalise(self._words)
        if listen.closed and words.is_short_answer(text):
            return listen.endpoint_closed, "closed"
        if listen.dictation:
            return listen.endpoint_dictation, "dictation"
        if text in listen.complete:
            return listen.endpoint_complete, "complete"
        return listen.endpoint_unsure, "unsure"

    def _measure(self, frame: Frame, *, voice: bool) -> None:
        """Follow the noise, and the first and last voiced sample."""
        samples = memoryview(frame.pcm).cast("h")
        if not voice:
            loudest = _loudest(samples[::4])
            # Up slowly, down at once: speech that the detector missed must not pass for noise.
            self._noise = min(self._noise * 1.02 + 0.1, max(loudest, 1.0))
            return
        step = self._block
        for offset in range(0, len(samples), step):
            block = samples[offset : offset + step]
            loudest = _loudest(block)
            self._peak = max(self._peak * 0.999, loudest)
            if loudest > max(1.6 * self._noise, 0.04 * self._peak):
                if self._first is None:
                    self._first = frame.pos + offset
                self._last = frame.pos + offset + len(block)
                self._last_at = frame.at + (offset + len(block) - len(samples)) / self._rate
                self._voiced += len(block) / self._rate


def _loudest(samples: memoryview) -> float:
    """The largest amplitude."""
    high, low = max(samples), min(samples)
    return float(high if high > -low else -low)
