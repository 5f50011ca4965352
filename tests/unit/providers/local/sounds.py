"""Audio for the engines' tests: recorded speech, and noises that are none."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

SPEECH = Path(__file__).parent / "speech"
RATE = 16000


def phrases(kind: str) -> list[tuple[str, str]]:
    """(stem, words) of the recordings of `kind`: in or out of the tests' grammar."""
    lines = (line.split(maxsplit=2) for line in (SPEECH / "phrases.txt").read_text().splitlines())
    return [(stem, words) for stem, _, words in lines if stem.startswith(kind)]


def speech(stem: str, rate: int = RATE) -> bytes:
    """A recording between short silences, as a listener would hand it over."""
    with wave.open(str(SPEECH / f"{stem}.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    samples = np.concatenate([np.zeros(RATE // 5, "<i2"), samples, np.zeros(RATE * 3 // 10, "<i2")])
    if rate == RATE // 2:  # a crude half-band is enough: speech has little at 4 kHz
        samples = ((samples[0 : len(samples) // 2 * 2 : 2].astype("i4") + samples[1::2]) // 2).astype("<i2")
    return samples.tobytes()


def frames(pcm: bytes, rate: int = RATE) -> list[bytes]:
    """Whole frames of 20 ms."""
    size = rate // 50 * 2
    return [pcm[start : start + size] for start in range(0, len(pcm) - size + 1, size)]


def _pcm(samples: np.ndarray) -> bytes:
    return (samples.clip(-1, 1) * 32767).astype("<i2").tobytes()


def cough(milliseconds: int, seed: int, rate: int = RATE) -> bytes:
    """A burst of noise between 300 Hz and 4 kHz, loudest at its start, with the line's noise around it."""
    noise = np.random.default_rng(seed)
    count = rate * milliseconds // 1000
    spectrum = np.fft.rfft(noise.standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / rate)
    shaped = np.fft.irfft(spectrum * ((hertz > 300) & (hertz < 4000)) * (np.maximum(hertz, 50) / 500) ** -0.5, count)
    seconds = np.arange(count) / rate
    burst = shaped * np.minimum(1, seconds / 0.008) * np.exp(-seconds * 2500 / milliseconds)
    line = noise.standard_normal(count + rate) * 0.0006
    line[rate // 2 : rate // 2 + count] += 0.1 * burst / np.sqrt(np.mean(burst**2))
    return _pcm(line)


def keys(seed: int) -> bytes:
    """Three seconds of typing."""
    noise = np.random.default_rng(seed)
    line = noise.standard_normal(3 * RATE) * 0.0006
    at = 1000
    while at < len(line) - 400:
        count = int(noise.integers(160, 360))
        line[at : at + count] += noise.standard_normal(count) * np.exp(-np.arange(count) / 60) * 0.25
        at += int(RATE * noise.uniform(0.08, 0.2))
    return _pcm(line)


def white(decibels: float, seed: int) -> bytes:
    """Three seconds of white noise."""
    return _pcm(np.random.default_rng(seed).standard_normal(3 * RATE) * 10 ** (decibels / 20))
