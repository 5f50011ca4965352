"""Figures from audio alone: gaps, barge-ins, holes and jitter. Pure functions.

Voice is found by energy in blocks of 5 ms, against the signal's own noise floor; so an edge is known to 5 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agentd.simulate.audio import AUDIBLE, Samples, read_wav
from agentd.simulate.errors import SimulationError

BLOCK_S = 0.005
"""Resolution of voice detection."""

ABOVE_FLOOR = 4.0
"""Speech is this much above the noise floor (12 dB)."""

SPEECH_PAUSE_S = 0.3
"""Quiet shorter than this, within one's speech, is a pause and not its end…"""

DRY_S = 0.1
"""…unless the playout was dry for so long: then the agent had stopped sending."""

SPECK_S = 0.001
"""A mark in the stream takes the place of one sample: nobody hears that."""

HOLE_S = 0.4
"""A playout that is dry for longer has ended, and what follows is another speech."""

EDGE_S = 0.04
"""Audio beside a dry stretch that decides whether speech was cut by it."""

Region = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Turn:
    """The caller stopped at sample `end`, the agent answered from sample `start` on: `gap` seconds."""

    end: int
    start: int
    gap: float


@dataclass(frozen=True, slots=True)
class Interruption:
    """The caller made a sound over the agent's speech, its first voice at `seconds` of the record.

    `silence`: seconds from there to the agent's last sample before it paused or ended, None where it was not speaking.
    `resumed`: seconds of quiet until its next sample, None where there was none.
    """

    kind: str
    seconds: float
    silence: float | None
    resumed: float | None


def voiced(samples: Samples, rate: int) -> list[Region]:
    """Where there is voice: (first sample, one past the last), in order. A single 5 ms block is a click and no voice."""
    size = int(BLOCK_S * rate)
    blocks = samples[: len(samples) // size * size].reshape(-1, size).astype(np.float64)
    levels = np.sqrt(np.mean(blocks**2, axis=1))
    if not len(levels):
        return []
    loud = levels > max(AUDIBLE, ABOVE_FLOOR * float(np.percentile(levels, 10)))
    return [(start * size, end * size) for start, end in _runs(loud) if end - start > 1]


def speeches(agent: Samples, filled: npt.NDArray[np.int32], rate: int) -> list[Region]:
    """The agent's voice without its pauses; `filled` samples of each 20 ms had come from the daemon."""
    size = len(agent) // max(1, len(filled))
    dry = [(start * size, end * size) for start, end in _runs(filled == 0) if (end - start) * size >= DRY_S * rate]
    whole: list[Region] = []
    for start, end in voiced(agent, rate):
        last = whole[-1][1] if whole else None
        if last is None or start - last >= SPEECH_PAUSE_S * rate or any(last - size < at < start for at, _ in dry):
            whole.append((start, end))
        else:
            whole[-1] = (whole[-1][0], end)
    return whole


def turns(caller: Samples, agent: Samples, rate: int) -> list[Turn]:
    """Each time the agent began to speak after the caller had been the last to: from the caller's last voiced sample.

    An agent that begins while the caller speaks has not answered and is left out.
    """
    said = voiced(caller, rate)
    found: list[Turn] = []
    agent_end = 0
    for start, end in voiced(agent, rate):
        before = [region for region in said if region[0] <= start]
        if before and agent_end < before[-1][1] <= start:
            found.append(Turn(before[-1][1], start, (start - before[-1][1]) / rate))
        agent_end = end
    return found


def interruption(kind: str, sound: Region, caller: Sequence[Region], speech: Sequence[Region], rate: int) -> Interruption:
    """What became of the agent's `speech` under the caller's `sound`; `caller` is where the caller has voice."""
    onset = next((start for start, _ in caller if sound[0] <= start < sound[1]), sound[0])
    stop = next((end for start, end in speech if start <= onset < end), None)
    if stop is None:
        return Interruption(kind, onset / rate, None, None)
    again = next((start for start, _ in speech if start > stop), None)
    return Interruption(kind, onset / rate, (stop - onset) / rate, None if again is None else (again - stop) / rate)


def holes(agent: Samples, filled: npt.NDArray[np.int32], caller: Sequence[Region], rate: int) -> list[Region]:
    """Where the playout ran dry in the middle of speech: `filled` samples of each 20 ms had come from the daemon.

    Speech that stops while the caller speaks, or up to 0.5 s later, was interrupted and leaves no hole.
    """
    size = len(agent) // max(1, len(filled))
    edge, patience = int(EDGE_S * rate), rate // 2
    found: list[Region] = []
    for first, past in _runs(filled < size):
        start, end = first * size + int(filled[first]), past * size
        if start == 0 or past == len(filled) or end - start >= HOLE_S * rate:
            continue
        heard = agent[max(0, start - edge) : start].astype(np.float64)
        cut = len(heard) > 0 and float(np.sqrt(np.mean(heard**2))) > AUDIBLE
        interrupted = any(begun <= start < stopped + patience for begun, stopped in caller)
        if cut and not interrupted and end - start > SPECK_S * rate:
            found.append((start, end))
    return found


def jitter(arrivals: Sequence[float]) -> list[float]:
    """Seconds between frames that arrived within one speech; `arrivals` are times in order."""
    gaps = np.diff(np.asarray(arrivals, dtype=np.float64))
    return [float(gap) for gap in gaps if gap < HOLE_S]


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The value below which `percent` of the values lie; None of none."""
    return float(np.percentile(np.asarray(values), percent)) if len(values) else None


def measure_recording(path: Path) -> list[Turn]:
    """The turns of a stereo recording, caller left and agent right, from the file alone. Raises SimulationError."""
    samples, rate = read_wav(path)
    if samples.shape[1] != 2:
        raise SimulationError(f"{path}: {samples.shape[1]} channel(s); a call's recording has two, the caller left")
    return turns(samples[:, 0], samples[:, 1], rate)


def _runs(flags: npt.NDArray[np.bool_]) -> list[Region]:
    """Where the flags are true: (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
