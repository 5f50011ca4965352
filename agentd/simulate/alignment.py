"""Was every sample played? Lays what the loudspeaker played beside the reference: the same speech, uninterrupted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agentd.simulate.audio import Samples, rms

WINDOW = 320
"""Samples by which a piece is found again: 40 ms at 8 kHz, longer than any pitch period."""

ALIKE = 0.9
"""Correlation that counts as found: the same audio, perhaps resampled."""

QUIET = 16
"""Samples up to this size are silence: nobody misses them, and nobody hears them twice."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Samples of the reference, silence apart, that were not played; samples played again; `pieces` that it came in."""

    missing: int
    repeated: int
    pieces: int


def missing_samples(reference: Samples, played: Samples) -> Alignment:
    """Follow `played` through `reference`, both at one rate; holes and silence between the pieces do not count."""
    reach = at = missing = repeated = pieces = 0
    while (at := _next_sound(played, at)) + WINDOW // 4 <= len(played):
        found = _find(reference, played[at : at + WINDOW], reach)
        if found is None:
            at += WINDOW // 4
            continue
        length = _alike(reference[found:], played[at:])
        length = int(np.flatnonzero(_loud(played[at : at + length]))[-1]) + 1 if length else 0
        missing += _sounding(reference[reach:found])
        repeated += max(0, min(reach, found + length) - found)
        reach = max(reach, found + length)
        at += max(length, 1)
        pieces += 1
    return Alignment(missing + _sounding(reference[reach:]), repeated, pieces)


def _next_sound(played: Samples, start: int) -> int:
    loud = np.flatnonzero(_loud(played[start:]))
    return start + int(loud[0]) if len(loud) else len(played)


def _sounding(samples: Samples) -> int:
    return int(np.count_nonzero(_loud(samples)))


def _loud(samples: Samples) -> npt.NDArray[np.bool_]:
    return np.abs(samples.astype(np.int32)) > QUIET


def _find(reference: Samples, piece: Samples, near: int) -> int | None:
    """Where in the reference the piece lies; of places that are equally alike, the one nearest to `near`."""
    if len(piece) > len(reference):
        return None
    values, wanted = reference.astype(np.float64), piece.astype(np.float64)
    energy = np.cumsum(np.concatenate(([0.0], values**2)))
    norm = np.sqrt(np.maximum(energy[len(wanted) :] - energy[: -len(wanted)], 1.0) * max(float(np.sum(wanted**2)), 1.0))
    score = _correlate(values, wanted) / norm
    if float(score.max()) < ALIKE:
        return None
    places = np.flatnonzero(score >= float(score.max()) - 0.001)
    return int(places[np.argmin(np.abs(places - near))])


def _correlate(values: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    size = 1 << (len(values) + len(wanted)).bit_length()
    product = np.fft.rfft(values, size) * np.conj(np.fft.rfft(wanted, size))
    return np.asarray(np.fft.irfft(product, size)[: len(values) - len(wanted) + 1])


def _alike(reference: Samples, played: Samples) -> int:
    """For how many samples the two run alike: up to where half of eight samples in a row differ."""
    length = min(len(reference), len(played))
    differs = np.abs(reference[:length].astype(np.int32) - played[:length]) > max(QUIET, 0.1 * rms(played[:WINDOW]))
    apart = np.flatnonzero(np.convolve(differs, np.ones(8), "valid") >= 4)
    if not len(apart):
        return length
    return int(apart[0] + np.argmax(differs[apart[0] :]))
