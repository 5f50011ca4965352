"""A small daemon for the simulated switch to talk to: documents by HTTP, an agent's side of the media socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import h11
import numpy as np
import trio
import trio_websocket

Socket = trio_websocket.WebSocketConnection
Agent = Callable[["Socket"], Awaitable[None]]

STREAM = (
    '<Response><Stream url="{ws}/media/tok?x=1" track="inbound_track" outputSamplingRate="8000" openMetadata="tok"/>'
    "{then}</Response>"
)
HANGUP = "<Response><Hangup/></Response>"


def stream(then: str = '<Redirect method="POST">/sautikit/voice</Redirect>', **changes: str) -> str:
    document = STREAM.replace("{then}", then)
    for name, value in changes.items():
        before, _, rest = document.partition(f'{name}="')
        document = f'{before}{name}="{value}"{rest.partition(chr(34))[2]}'
    return document


@dataclass
class Daemon:
    """Answers each webhook with the next document; runs `agent` on each media socket."""

    documents: list[str]
    agent: Agent
    status: int = 200
    content_type: bytes = b"application/xml"
    subprotocol: str | None = "audio.drachtio.org"
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    offered: list[tuple[str, ...]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""

    async def run(self, task_status: trio.TaskStatus[Daemon]) -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            self.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
            server = await nursery.start(trio_websocket.serve_websocket, self._media, "127.0.0.1", 0, None)
            self._ws = f"ws://127.0.0.1:{server.port}"
            nursery.start_soon(trio.serve_listeners, self._answer, [listener])
            task_status.started(self)

    async def _answer(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        head: h11.Request | None = None
        body = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                break
        assert head is not None
        self.asked.append(({name.decode(): value.decode() for name, value in head.headers}, body))
        text = self.documents.pop(0) if self.documents else HANGUP
        text = text.replace("{ws}", self._ws)
        fields = [("Content-Type", self.content_type), ("Content-Length", str(len(text.encode()))), ("Connection", "close")]
        answer = h11.Response(status_code=self.status, headers=fields, reason=b"")
        for part in (answer, h11.Data(data=text.encode()), h11.EndOfMessage()):
            await stream.send_all(connection.send(part) or b"")
        await stream.aclose()

    async def _media(self, request: trio_websocket.WebSocketRequest) -> None:
        self.offered.append(tuple(request.proposed_subprotocols))
        self.paths.append(request.path)
        socket = await request.accept(subprotocol=self.subprotocol)
        try:
            await self.agent(socket)
            await socket.aclose(1000)
        except trio_websocket.ConnectionClosed:
            pass


def tone(seconds: float, rate: int = 8000, hertz: float = 440, level: float = 8000) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def chirp(seconds: float, rate: int = 8000) -> np.ndarray:
    """A sound that is nowhere like itself."""
    time = np.arange(int(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * (200 + 700 * time / seconds) * time)).astype(np.int16)


async def speak(socket: Socket, samples: np.ndarray, rate: int = 8000, pad: float = 0.2) -> None:
    """Send samples as the daemon would: paced, 20 ms a frame, 160 ms ahead, the tail padded."""
    samples = np.concatenate([samples, np.zeros(int(pad * rate), dtype=np.int16)])
    size, start = rate // 50, trio.current_time()
    for number in range(len(samples) // size):
        await trio.sleep_until(start + max(0, number - 8) * 0.02)
        await socket.send_message(samples[number * size : (number + 1) * size].tobytes())


class Ear:
    """What the daemon hears: texts, and caller audio joined, read by a task of its own."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.texts: list[str] = []
        self.frames: list[bytes] = []
        self.at: list[float] = []
        self.closed: int | None = None

    async def run(self) -> None:
        try:
            while True:
                message = await self.socket.get_message()
                if isinstance(message, str):
                    self.texts.append(message)
                else:
                    self.frames.append(message)
                    self.at.append(trio.current_time())
        except trio_websocket.ConnectionClosed as closed:
            self.closed = closed.reason.code if closed.reason else None

    @property
    def samples(self) -> np.ndarray:
        return np.frombuffer(b"".join(self.frames), dtype="<i2")

    async def until_voice_begins(self) -> None:
        while not np.abs(self.samples.astype(np.int32)).max(initial=0) > 500:
            await trio.sleep(0.02)

    async def until_voice_ends(self, quiet: float = 0.4) -> None:
        """Until the caller has spoken, and then been quiet."""
        seen, last = 0, None
        while last is None or trio.current_time() - last < quiet:
            await trio.sleep(0.02)
            for frame in self.frames[seen:]:
                if np.abs(np.frombuffer(frame, dtype="<i2").astype(np.int32)).max(initial=0) > 500:
                    last = trio.current_time()
            seen = len(self.frames)
