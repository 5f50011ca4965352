"""What a line carries besides words: white noise, babble, music and coughs, the same every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agentd.simulate.audio import Samples, clip, read_mono

LOOP_S = 10
"""Noise repeats after this long; no ear and no detector notices."""

BABBLERS = 6
"""Voices of a babble: fewer are words, more are white noise."""

Floats = npt.NDArray[np.float64]


def background(kind: str, db: float, rate: int, speech: float, utterances: list[Path], file: Path | None = None) -> Samples:
    """Ten seconds of noise whose level lies `db` below `speech` (both root mean square), at `rate`, to be looped.

    `kind`: white | babble (of `utterances`) | music | file (`file`, as long as it is).
    """
    match kind:
        case "white":
            sound = np.random.default_rng(1).standard_normal(LOOP_S * rate)
        case "babble":
            sound = _babble(rate, utterances)
        case "music":
            sound = _music(rate)
        case _:
            assert file is not None
            sound = read_mono(file, rate).astype(np.float64)
    level = float(np.sqrt(np.mean(sound**2))) if len(sound) else 0.0
    return clip(sound * (speech / 10 ** (db / 20) / level)) if level else np.zeros(LOOP_S * rate, dtype=np.int16)


def _babble(rate: int, utterances: list[Path]) -> Floats:
    random = np.random.default_rng(2)
    sound = np.zeros(LOOP_S * rate)
    files = sorted(utterances)
    for _ in range(BABBLERS):
        voice: list[Samples] = []
        while sum(map(len, voice)) < len(sound):
            voice.append(read_mono(files[int(random.integers(len(files)))], rate))
            voice.append(np.zeros(int(random.uniform(0.05, 0.3) * rate), dtype=np.int16))
        sound += np.concatenate(voice)[: len(sound)]
    return sound


def _music(rate: int) -> Floats:
    """Four chords, each struck every half second."""
    beat = rate // 2
    time = np.arange(beat) / rate
    chords = [(262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294)]
    struck = [
        np.exp(-3 * time)
        * np.sum([np.sin(2 * np.pi * note * part * time) / part for note in chord for part in (1, 2, 3)], axis=0)
        for chord in chords
    ]
    return np.tile(np.concatenate([part for chord in struck for part in (chord, chord)]), -(-LOOP_S // 4))[: LOOP_S * rate]


def cough(rate: int = 16000) -> Samples:
    """Two coughs: each a burst of breath through an open mouth, a rush of air, and a short voiced end."""
    random = np.random.default_rng(3)
    gap = np.zeros(int(0.12 * rate))
    sound = np.concatenate([_one_cough(random, 0.34, rate), gap, 0.7 * _one_cough(random, 0.28, rate)])
    return clip(sound * (9000 / np.max(np.abs(sound))))


def _one_cough(random: np.random.Generator, seconds: float, rate: int) -> Floats:
    time = np.arange(int(seconds * rate)) / rate
    breath = _mouth(random.standard_normal(len(time)), rate)
    burst = np.exp(-time / 0.03) * np.minimum(1, time / 0.004)
    rush = 0.35 * np.exp(-time / 0.12) * np.minimum(1, time / 0.03)
    pitch = 190 - 80 * time / seconds
    pulses = (np.diff(np.floor(np.cumsum(pitch) / rate), prepend=0.0) > 0) * 30.0
    groan = np.exp(-(((time - 0.55 * seconds) / (0.25 * seconds)) ** 2))
    fade = np.minimum(1, (time[-1] - time) / 0.02)
    return np.asarray((breath * (burst + rush) + _mouth(pulses, rate) * groan) * fade)


def _mouth(sound: npt.NDArray[Any], rate: int) -> Floats:
    """Resonances of an open mouth, as a cough shapes its breath: broad, at 0.5, 1.4 and 2.6 kHz."""
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / rate)
    gain = np.zeros(len(hertz))
    for centre, width in ((500, 250), (1400, 500), (2600, 900)):
        gain += np.exp(-(((hertz - centre) / width) ** 2))
    return np.asarray(np.fft.irfft(spectrum * gain, len(sound)))
