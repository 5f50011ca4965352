"""Samples: 16-bit mono in numpy arrays, on a grid of 20 ms ticks; WAV files in and out, and rates made equal."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import soxr

from agentd.simulate.errors import SimulationError

Samples: TypeAlias = npt.NDArray[np.int16]

TICKS = 50
"""Ticks a second: a switch reads and writes audio every 20 ms (RFC 3551's default packet time)."""
TICK_S = 1 / TICKS

AUDIBLE = 65.0
"""Root mean square above which a block of audio is heard: -54 dBFS, above dither and line noise, below any speech."""


def rms(samples: Samples) -> float:
    """Root mean square of the samples; 0.0 of none."""
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) if len(samples) else 0.0


def active_rms(samples: Samples, rate: int) -> float:
    """The level of the speech in `samples`, its pauses left out: blocks within 20 dB of the loudest."""
    block = rate // TICKS
    levels = np.array([rms(samples[at : at + block]) for at in range(0, len(samples), block)])
    loud = levels[levels > levels.max(initial=0.0) / 10]
    return float(np.sqrt(np.mean(loud**2))) if len(loud) else 0.0


def clip(values: npt.NDArray[np.float64]) -> Samples:
    """Round to 16 bits; what is too loud is cut, as a switch does it."""
    return np.clip(np.rint(values), -32768, 32767).astype(np.int16)


def resample(samples: Samples, rate: int, to: int) -> Samples:
    """The same sound at another rate, in Hz."""
    return samples if rate == to else np.asarray(soxr.resample(samples, rate, to), dtype=np.int16)


class Resampler:
    """A running sound from `rate` to `to` Hz, of which one is twice the other (or the same), column by column.

    Every chunk comes back at once, as from a switch's own resampler: a windowed sinc that delays by 2 ms of 16 kHz.
    """

    _TAPS = np.kaiser(63, 8.0) * np.sinc((np.arange(63) - 31) / 2) / 2

    def __init__(self, rate: int, to: int) -> None:
        if not (rate == to or rate == 2 * to or to == 2 * rate):
            raise SimulationError(f"{rate} Hz cannot be made {to} Hz: a switch's rates are 8000 and 16000")
        self._up, self._down = to > rate, to < rate
        self._past: npt.NDArray[np.float64] | None = None

    def __call__(self, chunk: Samples) -> Samples:
        """The next chunk: one dimension, or one column a channel. Halving a rate takes an even number of samples."""
        if not self._up and not self._down:
            return chunk
        sound = chunk.astype(np.float64).reshape(len(chunk), -1)
        if self._up:
            sound = np.repeat(sound, 2, axis=0)
            sound[1::2] = 0.0
            sound *= 2
        past = np.zeros((len(self._TAPS) - 1, sound.shape[1])) if self._past is None else self._past
        sound = np.concatenate((past, sound))
        self._past = sound[len(sound) - len(past) :]
        smooth = np.column_stack([np.convolve(column, self._TAPS, "valid") for column in sound.T])
        return clip(smooth[:: 2 if self._down else 1]).reshape((-1, *chunk.shape[1:]))


def read_wav(path: Path) -> tuple[npt.NDArray[np.int16], int]:
    """A WAV file's samples, one column a channel, and its rate. Raises SimulationError where it is not 16-bit PCM."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2:
                raise SimulationError(f"{path}: {8 * file.getsampwidth()}-bit samples; write it as 16-bit PCM")
            data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            return data.reshape(-1, file.getnchannels()).astype(np.int16), file.getframerate()
    except (OSError, EOFError, wave.Error) as error:
        raise SimulationError(f"{path}: not a WAV file that can be read ({error})") from error


def read_mono(path: Path, to: int) -> Samples:
    """A WAV file's first channel at rate `to`."""
    samples, rate = read_wav(path)
    return resample(np.ascontiguousarray(samples[:, 0]), rate, to)


def write_wav(path: Path, rate: int, *channels: Samples) -> None:
    """Write the channels, all of one length, side by side."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.column_stack(channels).astype("<i2").tobytes())
