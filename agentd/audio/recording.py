"""A call's recording: the caller left, the agent right where it was played, both on the caller's clock."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agentd import limits
from agentd.audio.wav import WavWriter, interleave

WINDOW_S: Final = 2.0
"""Audio kept in memory behind the newest: a cut reaches so far back, and a carrier holds well under a second."""

BATCH_S: Final = 0.5
"""Audio written at once: few writes, each some 30 kB and well under 0.3 ms."""

LONGEST_S: Final = limits.CALL_S + 60.0
"""No recording is longer: the longest call and its farewell. A position beyond it is a bug, not an hour of silence."""


class Recording:
    """One call's stereo WAV file, streamed to disk with bounded memory.

    Positions are samples of the caller's clock. What no one placed is silence; what is placed twice is the later one; what
    comes WINDOW_S late is dropped. A disk error ends the recording and not the call: it is kept in `failed`.
    """

    def __init__(self, path: Path, rate: int, *, start_paused: bool = False) -> None:
        self.failed: str | None = None
        self._paused = start_paused
        self._caller, self._agent = bytearray(), bytearray()
        self._base = 0
        self._window, self._batch, self._longest = (int(s * rate) for s in (WINDOW_S, BATCH_S, LONGEST_S))
        self._file: WavWriter | None = None
        try:
            self._file = WavWriter(path, rate, channels=2)
        except OSError as error:
            self._fail(error)

    def caller(self, pos: int, pcm: bytes) -> None:
        """Place caller audio (s16le mono) that begins at `pos`."""
        self._place(self._caller, pos, pcm)

    def agent(self, pos: int, pcm: bytes) -> None:
        """Place agent audio (s16le mono) where it is played, a little ahead of the caller's audio perhaps."""
        self._place(self._agent, pos, pcm)

    def cut_agent(self, pos: int) -> None:
        """Take out the agent's audio at and after `pos`: it was cleared, nobody heard it."""
        del self._agent[max(0, 2 * (pos - self._base)) :]

    def pause(self) -> None:
        """Record silence from here on."""
        self._paused = True

    def resume(self) -> None:
        """Record again from here on; what was said in between stays silent."""
        self._paused = False

    def close(self) -> None:
        """Write what is left, agent audio that was not cut included, and close the file. A second time does nothing."""
        self._write_until(self._base + max(len(self._caller), len(self._agent)) // 2)
        file, self._file = self._file, None
        if file:
            try:
                file.close()
            except OSError as error:
                self._fail(error)

    def _place(self, track: bytearray, pos: int, pcm: bytes) -> None:
        if self._file is None:
            return
        if len(pcm) > 2 * self._batch:
            for start in range(0, len(pcm), 2 * self._batch):
                self._place(track, pos + start // 2, pcm[start : start + 2 * self._batch])
            return
        final = pos + len(pcm) // 2 - self._window
        if final - self._base >= self._batch:
            self._write_until(final)
            if self.failed:
                return
        if self._paused:
            pcm = bytes(len(pcm))
        offset, have = 2 * (pos - self._base), len(track)
        if offset < 0:
            pcm, offset = pcm[-offset:], 0
        if offset > have:
            track.extend(bytes(offset - have))
        track[offset : offset + len(pcm)] = pcm

    def _write_until(self, end: int) -> None:
        if end > self._longest:
            self._fail(f"longer than {LONGEST_S:g} s")
        while self._file and self._base < end:
            size = 2 * min(self._batch, end - self._base)
            pcm = interleave([bytes(track[:size]).ljust(size, b"\0") for track in (self._caller, self._agent)])
            for track in (self._caller, self._agent):
                del track[:size]
            self._base += size // 2
            try:
                self._file.write(pcm)
            except OSError as error:
                self._fail(error)

    def _fail(self, why: OSError | str) -> None:
        self.failed = self.failed or (why if isinstance(why, str) else why.strerror or str(why))
        self._caller.clear()
        self._agent.clear()
        file, self._file = self._file, None
        if file:
            try:
                file.close()
            except OSError:
                return  # the first error is the one that is told


class Unrecorded:
    """What a call that is not recorded writes to."""

    failed: str | None = None

    def caller(self, pos: int, pcm: bytes) -> None:
        """Nothing is kept."""

    def agent(self, pos: int, pcm: bytes) -> None:
        """Nothing is kept."""

    def cut_agent(self, pos: int) -> None:
        """Nothing was kept."""

    def resume(self) -> None:
        """There is nothing to go on with."""

    def close(self) -> None:
        """There is nothing to close."""
