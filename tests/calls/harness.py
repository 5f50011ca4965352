"""A whole call in virtual time: real actors, real codec, real machine; a scripted caller at a memory socket."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from agentd.actors.lines import Lines
from agentd.actors.memory import Memory
from agentd.actors.transport import MediaCounts, SocketClosed
from agentd.audio.recording import Unrecorded
from agentd.call import Call, Engines, Surroundings
from agentd.carriers.sautikit.media import SautikitMedia
from agentd.flow.model import Flow
from agentd.messages import Logged, Said
from agentd.offload import Inline
from agentd.providers.base import Recognizer, Thinker, Voice, VoiceActivity
from agentd.turn.commands import Line
from agentd.turn.timing import Timing
from tests.fakes import speech

RATE = 8000
FRAME = 320
NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


class MemorySocket:
    """A WebSocket's two ends in memory; the caller's end is `to_daemon` and `from_daemon`."""

    def __init__(self) -> None:
        self.to_daemon, self._in = trio.open_memory_channel[str | bytes](64)
        self._out, self.from_daemon = trio.open_memory_channel[str | bytes](1024)
        self.code: int | None = None

    async def receive(self) -> str | bytes:
        try:
            return await self._in.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise SocketClosed("hangup") from None

    async def send(self, data: str | bytes) -> None:
        try:
            await self._out.send(data)
        except trio.BrokenResourceError:
            raise SocketClosed("hangup") from None

    async def ping(self) -> None:
        await trio.lowlevel.checkpoint()

    async def close(self, code: int) -> None:
        if self.code is None:
            self.code = code
        self._in.close()
        self._out.close()
        await trio.lowlevel.checkpoint()


@dataclass
class EventLog:
    """What the conductor wrote."""

    entries: list[Logged] = field(default_factory=list)

    def write(self, entry: Logged) -> None:
        self.entries.append(entry)

    def lines(self) -> list[Said]:
        return [line for entry in self.entries for line in entry.lines]

    def states(self) -> list[str]:
        states: list[str] = []
        for entry in self.entries:
            if not states or states[-1] != entry.state:
                states.append(entry.state)
        return states

    def commands(self) -> list[str]:
        return [command for entry in self.entries for command in entry.commands]


class Telephone:
    """The caller and the switch: 20 ms frames in, a prebuffer and a loudspeaker out."""

    def __init__(self, socket: MemorySocket, prebuffer: float = 0.16) -> None:
        self.socket = socket
        self._prebuffer = int(prebuffer * RATE) * 2
        self._voice = bytearray()
        self._buffer = bytearray()
        self._playing = False
        self.loudspeaker = bytearray()
        self.microphone = bytearray()
        self.texts: list[str] = []
        self.closed = trio.Event()

    async def run(self) -> None:
        """One tick every 20 ms: a frame of the caller out, a frame of the agent to the loudspeaker."""
        start, tick = trio.current_time(), 0
        while not self.closed.is_set():
            await trio.sleep_until(start + tick * 0.02)
            tick += 1
            self._receive()
            self._play()
            frame = bytes(self._voice[:FRAME])
            del self._voice[:FRAME]
            frame += bytes(FRAME - len(frame))
            self.microphone += frame
            try:
                await self.socket.to_daemon.send(frame)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.closed.set()

    def _receive(self) -> None:
        while True:
            try:
                data = self.socket.from_daemon.receive_nowait()
            except trio.WouldBlock:
                return
            except (trio.EndOfChannel, trio.ClosedResourceError):
                self.closed.set()
                return
            if isinstance(data, bytes):
                self._buffer += data
            else:
                self.texts.append(data)

    def _play(self) -> None:
        if not self._playing and len(self._buffer) >= self._prebuffer:
            self._playing = True
        frame = bytes(self._buffer[:FRAME]) if self._playing else b""
        del self._buffer[: len(frame)]
        if len(frame) < FRAME:
            self._playing = False
        self.loudspeaker += frame + bytes(FRAME - len(frame))

    # ── What a caller does ───────────────────────────────────────────────────────────────────────────────────────────

    def say(self, text: str) -> None:
        """Begin to speak; returns at once."""
        self._voice += speech.speak(text, RATE)

    def cough(self, seconds: float = 0.3) -> None:
        self._voice += speech.noise(seconds, RATE)

    async def said(self) -> None:
        """Wait until all that was begun is said."""
        while self._voice:
            await trio.sleep(0.02)

    async def quiet(self, seconds: float = 0.5, limit: float = 60.0) -> None:
        """Wait until the agent has been silent for so long, after it spoke."""
        heard = len(self.heard())
        with trio.fail_after(limit):
            while len(self.heard()) == heard and not self.closed.is_set():
                await trio.sleep(0.02)
            size = int(seconds * RATE) * 2
            while any(self.loudspeaker[-size:]) and not self.closed.is_set():
                await trio.sleep(0.02)

    async def hears(self, word: str, limit: float = 30.0) -> None:
        """Wait until the agent is heard to say a word that it has not been heard to say before."""
        before = self.heard().count(word)
        with trio.fail_after(limit):
            while self.heard().count(word) == before:
                await trio.sleep(0.02)

    def heard(self) -> list[str]:
        return [word for _, word in speech.words(bytes(self.loudspeaker))]

    def sentence(self) -> str:
        return " ".join(self.heard())

    def hang_up(self) -> None:
        self.closed.set()
        self.socket.to_daemon.close()


@dataclass
class Scene:
    """A call under test."""

    phone: Telephone
    log: EventLog
    call: Call
    socket: MemorySocket
    outcome: str = ""
    handed_over: list[tuple[Memory, str]] = field(default_factory=list)
    over: trio.Event = field(default_factory=trio.Event)

    def conversation(self) -> list[tuple[str, str]]:
        return [(line.who, line.text) for line in self.call.conductor.memory.conversation if line.who != "tool"]


@asynccontextmanager
async def telephone_call(
    flow: Flow,
    thinker: Thinker | tuple[Thinker, ...],
    *,
    recognizer: Recognizer | tuple[Recognizer, ...] | None = None,
    voice: Voice | tuple[Voice, ...] | None = None,
    vad: Callable[[int], VoiceActivity] = lambda rate: speech.LoudnessVad(),
    timing: Timing | None = None,
    dialect: Any = "sautikit",
    limit: float = 600.0,
    after: Callable[[Scene], Awaitable[None]] | None = None,
) -> AsyncIterator[Scene]:
    """Place a call and answer it; the body is the caller. The call is over when the body is, hung up if need be."""
    socket, log = MemorySocket(), EventLog()
    phone = Telephone(socket)
    codec = SautikitMedia(RATE, dialect)
    canned = {Line.APOLOGY: speech.speak(flow.apology, RATE)}
    scene: Scene

    def hand_over(memory: Memory, why: str) -> None:
        scene.handed_over.append((memory, why))

    def chain(given: Any, default: Any) -> Any:
        given = default if given is None else given
        return given if isinstance(given, tuple) else (given,)

    engines = Engines(
        chain(recognizer, speech.ReadingRecognizer()), chain(thinker, None), chain(voice, speech.WritingVoice()), vad
    )
    counts = MediaCounts(late=lambda _: None)
    around = Surroundings("+15550123", "token", log, Unrecorded(), counts, Inline(), hand_over, lambda: NOON)
    call = Call(flow, Lines(flow, canned), engines, socket, codec, around, timing or Timing())
    scene = Scene(phone, log, call, socket)
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            scene.outcome = await call.run()
            scene.over.set()

        nursery.start_soon(answer)
        nursery.start_soon(phone.run)
        with trio.fail_after(limit):
            yield scene
            if not scene.over.is_set():
                phone.hang_up()
            await scene.over.wait()
        phone.closed.set()
        if after is not None:
            await after(scene)
