"""A whole call in virtual time: real actors, real codec, real machine; a scripted caller at a memory socket."""

from __future__ import annotations

import array
import datetime as dt
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import trio

from agentd.actors.lines import Lines
from agentd.actors.memory import Memory
from agentd.actors.transport import MediaCounts, Sink, SocketClosed
from agentd.audio.recording import Unrecorded
from agentd.call import Call, Engines, Surroundings
from agentd.carriers.sautikit.media import SautikitMedia
from agentd.flow.hands import FlowHands
from agentd.flow.model import Flow
from agentd.ledger.book import Book
from agentd.ledger.hands import Hands
from agentd.ledger.row import Row
from agentd.ledger.storage.codec import CallFacts
from agentd.ledger.storage.ledger import Ledger
from agentd.messages import Logged, Said
from agentd.offload import Inline, Offload
from agentd.providers.base import Recognizer, Thinker, Voice, VoiceActivity
from agentd.turn.commands import Line
from agentd.turn.timing import Timing
from tests.fakes import speech

RATE = 8000
FRAME = 320
NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


async def until(holds: Callable[[], object], limit: float = 60.0, ticks: int = 1) -> None:
    """Wait until something holds: a test looks at a call from outside, every so many ticks, and is told of nothing."""
    with trio.fail_after(limit):
        while not holds():
            # On the switch's own ticks: each further instant costs virtual time a pass of the loop.
            await trio.sleep_until((int(trio.current_time() / 0.02 + 0.01) + ticks) * 0.02)


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

    def interrupted(self) -> bool:
        """Whether a suspected barge-in was confirmed."""
        return any(e.before == "yielding" and any(c.startswith("new epoch") for c in e.commands) for e in self.entries)


class Telephone:
    """The caller and the switch: 20 ms frames in, a prebuffer and a loudspeaker out.

    `jambonz`: the switch answers marks, clears on killAudio and sends keys. `echo`: it mixes what it plays into what the caller
    says. `stereo`: it sends both voices side by side, the caller left.
    """

    def __init__(
        self, socket: MemorySocket, prebuffer: float = 0.16, *, jambonz: bool = False, echo: bool = False, stereo: bool = False
    ) -> None:
        self.socket = socket
        self._prebuffer = int(prebuffer * RATE) * 2
        self._jambonz, self._echo, self._stereo = jambonz, echo, stereo
        self._voice = bytearray()
        self._buffer = bytearray()
        self._taken = 0
        self._marks: deque[tuple[int, str]] = deque()
        self._playing = False
        self.muted = False
        self.loudspeaker = bytearray()
        self.microphone = bytearray()
        self.wire = bytearray()
        self.texts: list[str] = []
        self.closed = trio.Event()
        self._heard: list[tuple[int, str]] = []
        self._scanned = 0

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
            if self.muted:
                continue
            try:
                self.socket.to_daemon.send_nowait(self._upstream(frame))
            except trio.WouldBlock:
                await self.socket.to_daemon.send(self._upstream(frame))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.closed.set()

    def _upstream(self, frame: bytes) -> bytes:
        played = bytes(self.loudspeaker[-FRAME:])
        if self._echo and not any(frame):
            return played
        if self._stereo:
            left, right = array.array("h", frame), array.array("h", played)
            both = array.array("h", bytes(2 * FRAME))
            both[::2], both[1::2] = left, right
            return both.tobytes()
        return frame

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
                self.wire += data
            else:
                self.texts.append(data)
                if self._jambonz:
                    self._obey(json.loads(data))

    def _obey(self, document: dict[str, Any]) -> None:
        match document:
            case {"type": "mark", "data": {"name": name}}:
                self._marks.append((self._taken + len(self._buffer), name))
            case {"type": "killAudio"}:
                self._taken += len(self._buffer)
                self._buffer.clear()
                self._playing = False
                for _, name in self._marks:
                    self._answer(name, "cleared")
                self._marks.clear()

    def _answer(self, name: str, event: str) -> None:
        self.tell({"type": "mark", "data": {"name": name, "event": event}})

    def tell(self, document: dict[str, Any]) -> None:
        """The switch sends a text."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            self.socket.to_daemon.send_nowait(json.dumps(document))

    def _play(self) -> None:
        if not self._playing and len(self._buffer) >= self._prebuffer:
            self._playing = True
        frame = bytes(self._buffer[:FRAME]) if self._playing else b""
        del self._buffer[: len(frame)]
        self._taken += len(frame)
        if len(frame) < FRAME:
            self._playing = False
        self.loudspeaker += frame + bytes(FRAME - len(frame))
        while self._marks and self._marks[0][0] <= self._taken:
            self._answer(self._marks.popleft()[1], "playout")

    # ── What a caller does ───────────────────────────────────────────────────────────────────────────────────────────

    def say(self, text: str) -> None:
        """Begin to speak; returns at once."""
        self._voice += speech.speak(text, RATE)

    def cough(self, seconds: float = 0.3) -> None:
        """Make a sound without words."""
        self._voice += speech.noise(seconds, RATE)

    def pause(self, seconds: float) -> None:
        """Be silent before what is said next."""
        self._voice += bytes(2 * int(seconds * RATE))

    def press(self, digit: str) -> None:
        """Press a key, as jambonz reports it."""
        self.tell({"event": "dtmf", "dtmf": digit, "duration": 1600})

    def ask_shutdown(self) -> None:
        """The switch asks for a graceful end."""
        self.socket.to_daemon.send_nowait(b"")

    async def said(self) -> None:
        """Wait until all that was begun is said."""
        await until(lambda: not self._voice)

    async def quiet(self, seconds: float = 0.5, limit: float = 60.0) -> None:
        """Wait until the agent has been silent for so long, after it spoke."""
        heard = len(self.spoken())
        await until(lambda: len(self.spoken()) != heard or self.closed.is_set(), limit)
        await self.silence(seconds)

    async def silence(self, seconds: float = 0.5) -> None:
        """Wait until the agent has been silent for so long."""
        silence = bytes(2 * int(seconds * RATE))
        await until(lambda: self.loudspeaker.endswith(silence) or self.closed.is_set(), ticks=3)

    async def hears(self, word: str, limit: float = 30.0) -> None:
        """Wait until the agent is heard to say a word that it has not been heard to say before."""

        def count() -> int:
            return sum(heard.rstrip("?.,") == word for heard in self.heard())

        before = count()
        await until(lambda: count() > before, limit)

    def spoken(self) -> list[tuple[int, str]]:
        """The words on the loudspeaker, each with its sample."""
        size = len(self.loudspeaker) // 2
        # A word's letters take less than 100 samples: what begins later may not be whole yet.
        found = [(self._scanned + at, word) for at, word in speech.words(bytes(self.loudspeaker[2 * self._scanned :]))]
        fresh = [item for item in found if not self._heard or item[0] > self._heard[-1][0]]
        self._heard += fresh
        self._scanned = max(0, size - 100)
        return self._heard

    def heard(self) -> list[str]:
        """The words on the loudspeaker."""
        return [word for _, word in self.spoken()]

    def sentence(self) -> str:
        """All that was on the loudspeaker."""
        return " ".join(self.heard())

    def hang_up(self) -> None:
        """End the call."""
        self.closed.set()
        self.socket.to_daemon.close()


class Paper:
    """A ledger's page that keeps nothing: for calls in which the record does not matter."""

    async def write(self, rows: Sequence[Row]) -> None:
        await trio.lowlevel.checkpoint()

    async def end(self) -> None:
        await trio.lowlevel.checkpoint()

    async def may_send(self, seconds: float) -> bool:
        await trio.lowlevel.checkpoint()
        return True


@dataclass
class Scene:
    """A call under test."""

    phone: Telephone
    log: EventLog
    call: Call
    socket: MemorySocket
    outcome: str = ""
    handed_over: list[tuple[Memory, str]] = field(default_factory=list)
    adopted: list[Book] = field(default_factory=list)
    over: trio.Event = field(default_factory=trio.Event)

    def conversation(self) -> list[tuple[str, str]]:
        """What was said and heard, without the tools' outcomes."""
        return [(line.who, line.text) for line in self.call.conductor.memory.conversation if line.who != "tool"]

    def agent(self) -> list[str]:
        """The words that the caller is believed to have heard."""
        return [word for who, text in self.conversation() if who == "agent" for word in text.split()]

    def caller(self) -> list[str]:
        """The caller's lines."""
        return [text for who, text in self.conversation() if who == "caller"]

    def state(self) -> str:
        """Where the machine stands."""
        return self.log.entries[-1].state if self.log.entries else "connecting"

    def events(self, kind: type) -> list[Any]:
        """All events of one kind."""
        return [entry.event for entry in self.log.entries if isinstance(entry.event, kind)]

    async def reaches(self, state: str, limit: float = 60.0) -> None:
        """Wait until the machine is in a state."""
        await until(lambda: self.state() == state, limit)

    def unplayed(self) -> list[str]:
        """Words of the conversation that were not on the loudspeaker in their place: always none."""
        played = iter(self.phone.heard())
        return [word for word in self.agent() if not any(word == other for other in played)]

    def untold(self) -> list[str]:
        """Words on the loudspeaker that the conversation lacks."""
        told, missing = deque(self.agent()), []
        for word in self.phone.heard():
            if told and told[0] == word:
                told.popleft()
            else:
                missing.append(word)
        return missing


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
    track: str = "inbound_track",
    echo: bool = False,
    stereo: bool = False,
    offload: Offload | None = None,
    ledger: Ledger | None = None,
    name: str = "call-1",
    hands: Callable[[Flow, CallFacts], Hands] | None = None,
    sink: Sink | None = None,
    limit: float = 600.0,
    alone: bool = True,
) -> AsyncIterator[Scene]:
    """Place a call and answer it; the body is the caller. The call is over when the body is, hung up if need be.

    Two laws are checked of every call: the conversation holds nothing that was not on the loudspeaker, and the call leaves no
    task behind, which can only be seen where it is `alone`. `name` is its id in the ledger.
    """
    socket, log = MemorySocket(), EventLog()
    phone = Telephone(socket, jambonz=dialect == "jambonz", echo=echo, stereo=stereo)
    codec = SautikitMedia(RATE, dialect, track)
    canned = {Line.APOLOGY: speech.speak(flow.apology, RATE)}
    scene: Scene

    def hand_over(memory: Memory, why: str) -> None:
        assert socket.code is None, "the next step must be stored before the socket closes"
        scene.handed_over.append((memory, why))

    def chain(given: Any, default: Any) -> Any:
        given = default if given is None else given
        return given if isinstance(given, tuple) else (given,)

    engines = Engines(
        chain(recognizer, speech.ReadingRecognizer()), chain(thinker, None), chain(voice, speech.WritingVoice()), vad
    )
    counts = MediaCounts(late=lambda _: None)
    facts, began = CallFacts(name, flow.name, "+15550123", "+15550100", NOON.timestamp()), trio.current_time()

    def wall() -> dt.datetime:
        return NOON + dt.timedelta(seconds=trio.current_time() - began)

    offload = offload or Inline()
    own = FlowHands(flow, offload, wall, call_from=facts.caller, call_to=facts.called)
    page = Paper() if ledger is None else ledger.page(facts)
    adopted: list[Book] = []
    around = Surroundings(
        facts,
        page,
        hands(flow, facts) if hands else own,
        adopted.append,
        "token",
        log,
        sink or Unrecorded(),
        counts,
        offload,
        hand_over,
        lambda: None,
        wall,
    )
    tasks = trio.lowlevel.current_statistics().tasks_living
    call = Call(flow, Lines(flow, canned), engines, socket, codec, around, timing or Timing())
    scene = Scene(phone, log, call, socket, adopted=adopted)
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
    assert scene.unplayed() == []
    assert socket.code is not None
    assert not alone or trio.lowlevel.current_statistics().tasks_living == tasks
