"""The other end of a call's media socket, in memory: a switch that acknowledges and clears, a loudspeaker, and a caller."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import trio

from agentd import limits
from agentd.actors.transport import SocketClosed
from agentd.testing import speech

RATE: Final = 8000
FRAME: Final = 2 * int(RATE * limits.FRAME_S)
"""Bytes of a frame."""

PREBUFFER: Final = 4 * FRAME
"""Bytes that the switch gathers before it plays, at the start and whenever it has run dry: four frames, as drachtio's."""


class Phone:
    """A `MediaSocket` that speaks jambonz' dialect, and who holds the receiver. `tick` is called after each frame."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._up, self._frames = trio.open_memory_channel[str | bytes](limits.MEDIA_QUEUE)
        self._gone = trio.Event()
        self._voice = bytearray()
        self._buffer = bytearray()
        self._loudspeaker = bytearray()
        self._taken = 0
        self._playing = False
        self._marks: deque[tuple[int, str]] = deque()
        self._heard: list[tuple[int, str]] = []
        self._read = 0

    # ── The socket, as the call has it ───────────────────────────────────────────────────────────────────────────────

    async def receive(self) -> str | bytes:
        """See MediaSocket. Cancelled: no message was taken."""
        try:
            return await self._frames.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise SocketClosed("hangup") from None

    async def send(self, data: str | bytes) -> None:
        """See MediaSocket. Cancelled: nothing was sent."""
        await trio.lowlevel.checkpoint()
        if self._gone.is_set():
            raise SocketClosed("hangup")
        if isinstance(data, bytes):
            self._buffer += data
        else:
            self._obey(json.loads(data))

    async def ping(self) -> None:
        """See MediaSocket. Cancelled: nothing is left behind."""
        await trio.lowlevel.checkpoint()

    async def close(self, code: int) -> None:
        """See MediaSocket. Cancelled: it is closed."""
        self.hang_up()
        await trio.lowlevel.checkpoint()

    # ── The switch ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """A frame each way every 20 ms, until the line is gone. Cancelled: it is."""
        start, ticks = trio.current_time(), 0
        while not self._gone.is_set():
            await trio.sleep_until(start + ticks * limits.FRAME_S)
            ticks += 1
            self._play()
            frame = bytes(self._voice[:FRAME]).ljust(FRAME, b"\0")
            del self._voice[:FRAME]
            with suppress(trio.ClosedResourceError):  # hung up meanwhile
                await self._up.send(frame)
            self._tick()

    def _play(self) -> None:
        self._playing = self._playing or len(self._buffer) >= PREBUFFER
        frame = bytes(self._buffer[:FRAME]) if self._playing else b""
        del self._buffer[: len(frame)]
        self._taken += len(frame)
        self._playing = len(frame) == FRAME
        self._loudspeaker += frame.ljust(FRAME, b"\0")
        while self._marks and self._marks[0][0] <= self._taken:
            self._answer("playout")

    def _obey(self, document: dict[str, Any]) -> None:
        match document:
            case {"type": "mark", "data": {"name": name}}:
                self._marks.append((self._taken + len(self._buffer), name))
            case {"type": "killAudio"}:
                self._taken += len(self._buffer)
                self._buffer.clear()
                while self._marks:
                    self._answer("cleared")

    def _answer(self, event: str) -> None:
        _, name = self._marks.popleft()
        with suppress(trio.WouldBlock):  # a call that takes no messages loses its marks, as on any line
            self._up.send_nowait(json.dumps({"type": "mark", "data": {"name": name, "event": event}}))

    # ── The caller ───────────────────────────────────────────────────────────────────────────────────────────────────

    def say(self, text: str) -> None:
        """Begin to speak."""
        self._voice += speech.speak(text, RATE)

    @property
    def speaks(self) -> bool:
        """Whether the caller has not said everything yet."""
        return bool(self._voice)

    def hang_up(self) -> None:
        """End the call."""
        self._gone.set()
        self._up.close()

    def heard(self) -> list[str]:
        """The words that came from the loudspeaker, each of them whole."""
        fresh = speech.words(bytes(self._loudspeaker[2 * self._read :]))
        known = self._heard[-1][0] if self._heard else -1
        self._heard += [(self._read + at, word) for at, word in fresh if self._read + at > known]
        # The letters of a word that begins later may not be all there yet.
        self._read = max(self._read, len(self._loudspeaker) // 2 - speech.LONGEST - 3)
        return [word for at, word in self._heard if self._is_whole(at, word)]

    def _is_whole(self, at: int, word: str) -> bool:
        last = 2 * (at + speech.size(word, RATE) - 1)
        return any(self._loudspeaker[last : last + 2])
