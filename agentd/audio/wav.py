"""WAV files of 16-bit PCM: written as a stream, playable at any moment, and read back whole."""

from __future__ import annotations

import os
import struct
import wave
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEADER_EVERY_S: Final = 2.0
"""The header tells the length that the file had so long ago at most: what a crash may cost a player that believes it."""

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class WavWriter:
    """Writes s16le PCM to `path`, which only its owner may read. Raises OSError, and may be closed after one."""

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self._rate, self._width = rate, 2 * channels
        self._written = 0
        self._told = 0
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = open(descriptor, "wb", buffering=0)  # noqa: SIM115 — close() closes it
        try:
            self._append(self._header())
        except OSError:
            self._file.close()
            raise
        self._written = 0

    def write(self, pcm: bytes) -> None:
        """Append interleaved samples; every HEADER_EVERY_S of audio the header is brought up to date."""
        self._append(pcm)
        if self._written - self._told >= HEADER_EVERY_S * self._rate * self._width:
            self._tell()

    def close(self) -> None:
        """Bring the header up to date and close the file; a second time does nothing."""
        if self._file.closed:
            return
        try:
            self._tell()
        finally:
            self._file.close()

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            count = self._file.write(rest)
            self._written += count
            rest = rest[count:]

    def _tell(self) -> None:
        # In place: it needs no space, so that it succeeds on a full disk too.
        os.pwrite(self._file.fileno(), self._header(), 0)
        self._told = self._written

    def _header(self) -> bytes:
        size = self._written - self._written % self._width
        channels, second = self._width // 2, self._rate * self._width
        return _HEADER.pack(
            b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, channels, self._rate, second, self._width, 16, b"data", size
        )


@dataclass(frozen=True, slots=True)
class Wav:
    """A whole file: `channels` holds each channel's s16le mono samples."""

    rate: int
    channels: tuple[bytes, ...]


def read_wav(path: Path) -> Wav:
    """Read a WAV file of 16-bit PCM; raises wave.Error, EOFError or OSError where it is none."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise wave.Error(f"{path}: samples of {8 * file.getsampwidth()} bits, 16 are wanted")
        samples = array("h", file.readframes(file.getnframes()))
        count = file.getnchannels()
        return Wav(file.getframerate(), tuple(samples[channel::count].tobytes() for channel in range(count)))


def interleave(channels: Sequence[bytes]) -> bytes:
    """Weave mono tracks of equal length, s16le, into one."""
    woven = array("h", bytes(sum(map(len, channels))))
    for index, track in enumerate(channels):
        woven[index :: len(channels)] = array("h", track)
    return woven.tobytes()
