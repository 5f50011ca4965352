"""The transport: owns the media socket. Caller audio in, agent audio out on the playout clock, marks, clear and keys.

One task reads, one writes, one takes orders, one takes audio from the speaker; only the writer touches the socket's sending
side, so that nothing that is cancelled can leave half a frame behind. A write that takes longer than `limits.WRITE_DEADLINE_S`
ends the socket, and with it the call.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from agentd import limits
from agentd.actors.kit import Mailbox, run_all
from agentd.audio.playout import CHUNK_S, Out, Playout
from agentd.audio.ring import Ring
from agentd.carriers.media import (
    CallerAudio,
    GracefulEnd,
    Key,
    LayoutKnown,
    MarkSeen,
    MediaCodec,
    MediaEvent,
    Metadata,
    Unknown,
)
from agentd.errors import PeerError
from agentd.messages import (
    Audio,
    CloseMedia,
    Frame,
    Hold,
    KeyPressed,
    MediaStalled,
    MediaStarted,
    MediaStopped,
    NewEpoch,
    Record,
    Release,
    ReplyEnd,
    Resume,
    ShutdownAsked,
)

ENOUGH_S: Final = 2 * CHUNK_S
"""With so much still to be sent the writer needs no waking for more."""

log = logging.getLogger(__name__)

Order = Hold | Resume | Release | NewEpoch | CloseMedia | Record


class SocketClosed(Exception):
    """The media socket is gone. `reason` as in MediaStopped."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MediaSocket(Protocol):
    """A WebSocket, message by message."""

    async def receive(self) -> str | bytes:
        """The next message; raises SocketClosed. Cancelled: no message was taken."""

    async def send(self, data: str | bytes) -> None:
        """Send one message; raises SocketClosed. Cancelled: the socket must be closed, it may hold half a frame."""

    async def ping(self) -> None:
        """Send a ping; raises SocketClosed. Cancelled: as `send`."""

    async def close(self, code: int) -> None:
        """Close, waiting for the peer a little. Cancelled: the socket is closed hard."""


class Sink(Protocol):
    """Where the call's audio is written down; a recording, or nothing."""

    def caller(self, pos: int, pcm: bytes) -> None:
        """Caller audio from sample `pos` on."""

    def agent(self, pos: int, pcm: bytes) -> None:
        """Agent audio, where it is played."""

    def cut_agent(self, pos: int) -> None:
        """Nothing of the agent's audio from `pos` on is played."""

    def resume(self) -> None:
        """Write from here on, where writing waited for the caller's consent."""


@dataclass(slots=True)
class MediaCounts:
    """What the media path counts, for metrics; `late` is called with the lateness of each sending in seconds."""

    late: Callable[[float], None]
    frames_in: int = 0
    frames_out: int = 0
    unknown: int = 0


class Transport:
    """One call's media.

    `audio` is the speaker's channel, `report` the conductor's mailbox; `metadata` is what the carrier's first text must be, if
    it sends one: what our own document put there.
    """

    def __init__(
        self,
        socket: MediaSocket,
        codec: MediaCodec,
        ring: Ring,
        orders: Mailbox[Order],
        audio: trio.MemoryReceiveChannel[Audio | ReplyEnd],
        report: Mailbox[object],
        sink: Sink,
        counts: MediaCounts,
        metadata: str,
    ) -> None:
        self._socket, self._codec, self._ring, self._metadata = socket, codec, ring, metadata
        self._orders, self._audio, self._report, self._sink, self.counts = orders, audio, report, sink, counts
        can = codec.capabilities
        self._clears = can.clear
        self._playout = Playout(codec.rate, prebuffer=can.prebuffer, clears=can.clear, acks=can.acks)
        self._wake = trio.Event()
        self._room = trio.Event()
        self._untold: deque[object] = deque()
        self._telling = trio.Lock()
        self._urgent: list[str | bytes] = []
        self._pos = 0
        self._pos_at = 0.0
        self._came_at = 0.0
        self._started = False
        self._closing: int | None = None

    @property
    def holes(self) -> int:
        """Times that the agent's audio ran dry in the middle of a sentence."""
        return self._playout.holes

    async def run(self, provider: int) -> None:
        """Carry the call's media until the socket is gone. Cancelled: the socket is closed."""
        reason = "lost"
        try:
            await run_all(self._read, self._watch, self._write, self._obey, self._take_audio, self._ping)
        except* SocketClosed as gone:
            reason = _reason(gone)
        except* PeerError as error:
            reason = await self._refuse(error)
        finally:
            with trio.move_on_after(limits.CLOSE_S, shield=True):
                await self._socket.close(1000 if self._closing is None else self._closing)
        with trio.move_on_after(limits.CLOSE_S + limits.OBJECTION_S):
            now = trio.current_time()
            # What the conductor would ask for next, told at once: nobody takes orders any more.
            await self._tell(self._playout.abandon(self._playout.epoch + 1, now, self._pos))
            await self._report.send(MediaStopped(trio.current_time(), "closed_by_us" if self._closing == 1000 else reason))
            # The conductor ends the call; ending it here first would cut its record short.
            await trio.sleep_forever()

    async def _refuse(self, group: BaseExceptionGroup[PeerError]) -> str:
        error = group.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        self._closing = error.close_code
        return error.outcome

    # ── In ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _read(self) -> None:
        """Cancelled: nothing is lost but what the socket still holds."""
        while True:
            data = await self._socket.receive()
            self._came_at = now = trio.current_time()
            for event in self._codec.receive(data, now):
                await self._take(event, now)

    async def _watch(self) -> None:
        """Tell of a stall; a task of its own, so that a frame sets no deadline. Cancelled: nothing is left behind."""
        self._came_at = trio.current_time()
        while True:
            await trio.sleep_until(self._came_at + limits.MEDIA_STALL_S)
            now = trio.current_time()
            if now - self._came_at >= limits.MEDIA_STALL_S:
                self._came_at = now
                await self._report.send(MediaStalled(now, limits.MEDIA_STALL_S))

    async def _take(self, event: MediaEvent, now: float) -> None:
        match event:
            case CallerAudio(pcm):
                self.counts.frames_in += 1
                frame = Frame(self._pos, now, pcm)
                self._pos += len(pcm) // 2
                self._pos_at = now
                self._sink.caller(frame.pos, pcm)
                self._ring.push(frame)
            case LayoutKnown(channels, mixed, advice):
                if advice:
                    log.warning("the carrier's stream: %s", advice)
                await self._report.send(MediaStarted(now, self._codec.rate, channels, mixed, advice))
            case MarkSeen(name, cleared):
                self._playout.acknowledge(name, cleared=cleared)
                self._rouse()
            case Key(digit):
                await self._report.send(KeyPressed(now, digit))
            case GracefulEnd():
                await self._report.send(ShutdownAsked(now))
            case Metadata(text):
                if text != self._metadata:
                    raise PeerError("its metadata is not what our document said", close_code=1008, outcome="foreign_metadata")
            case Unknown():
                self.counts.unknown += 1

    def _position(self, at: float) -> int:
        """The caller's sample position at a time of the clock."""
        return max(0, self._pos + int((at - self._pos_at) * self._codec.rate))

    # ── Out ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _take_audio(self) -> None:
        """Bounded: what is made ahead of its playing waits in the speaker's channel. Cancelled: what was taken is kept."""
        while True:
            while self._playout.ahead > limits.AGENT_AUDIO_S:
                self._room = trio.Event()
                await self._room.wait()
            try:
                item = await self._audio.receive()
            except trio.EndOfChannel:
                await trio.sleep_forever()
            if isinstance(item, Audio):
                self._playout.add(item, trio.current_time())
                held = self._playout.ahead - len(item.pcm) / (2 * self._codec.rate)
                if held > ENOUGH_S and not item.last:
                    continue  # the writer has its time set for what it holds, and will see this then
            else:
                self._playout.end(item)
            self._rouse()

    def _rouse(self) -> None:
        self._wake.set()

    async def _write(self) -> None:
        """The only task that sends. Cancelled or late: the socket must not be used any more."""
        while True:
            self._wake = trio.Event()
            now = trio.current_time()
            if self._closing is not None:
                raise SocketClosed("closed_by_us")
            for data in self._urgent:
                await self._send(data)
            self._urgent.clear()
            if outs := self._playout.send(now):
                self.counts.late(self._playout.late)
            for out in outs:
                await self._play(out)
            if reports := self._playout.poll(now, self._pos):
                await self._tell(reports)
            self._room.set()
            wake_at = self._playout.wake_at(now)
            with trio.move_on_at(float("inf") if wake_at is None else wake_at):
                await self._wake.wait()

    async def _play(self, out: Out) -> None:
        if out.mark:
            if (mark := self._codec.mark(out.mark)) is not None:
                await self._send(mark)
            return
        await self._send(self._codec.audio(out.pcm))
        self.counts.frames_out += 1
        self._sink.agent(self._position(out.play_at), out.pcm)

    async def _send(self, data: str | bytes) -> None:
        with trio.move_on_after(limits.WRITE_DEADLINE_S) as scope:
            await self._socket.send(data)
        if scope.cancelled_caught:
            raise SocketClosed("lost")

    async def _ping(self) -> None:
        """Cancelled: a ping may be half sent; the socket is closed with us."""
        while True:
            await trio.sleep(limits.PING_S)
            with trio.move_on_after(limits.WRITE_DEADLINE_S) as scope:
                await self._socket.ping()
            if scope.cancelled_caught:
                raise SocketClosed("lost")

    # ── Orders ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _obey(self) -> None:
        """Cancelled: an order that was taken is carried out."""
        while True:
            order = await self._orders.receive()
            now = trio.current_time()
            match order:
                case Hold(reply):
                    self._silence(now)
                    await self._tell(self._playout.hold(reply, now, self._pos))
                case Resume(reply):
                    self._playout.resume(reply)
                case Release(key, skip):
                    self._playout.skip(key) if skip else self._playout.release(key, now)
                case NewEpoch(epoch):
                    self._silence(now)
                    await self._tell(self._playout.abandon(epoch, now, self._pos))
                case CloseMedia(code):
                    self._closing = code
                case Record():
                    self._sink.resume()
            self._rouse()

    async def _tell(self, reports: Iterable[object]) -> None:
        """Report in the order in which it became true, whoever of us found out. Cancelled: the rest is told with the next."""
        self._untold.extend(reports)
        async with self._telling:
            while self._untold:
                await self._report.send(self._untold[0])
                self._untold.popleft()

    def _silence(self, now: float) -> None:
        """Tell the carrier to drop what it holds; where it is trusted to, that audio is absent from the record too."""
        if self._playout.playing and (clear := self._codec.clear()) is not None:
            self._urgent.append(clear)
            if self._clears:
                self._sink.cut_agent(self._position(now))


def _reason(group: BaseExceptionGroup[SocketClosed]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.reason if isinstance(error, SocketClosed) else "lost"
