"""A door on loopback for tests, with a voice route that echoes and a media handler that echoes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import trio
from trio.testing import wait_all_tasks_blocked
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from agentd.http.routes import Router
from agentd.http.server import Door, MediaAdmission
from agentd.http.wire import Request, Response


@dataclass
class House:
    """What is behind the door, and what came in."""

    requests: list[Request] = field(default_factory=list)
    asked: list[tuple[str, Mapping[str, str], tuple[str, ...]]] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    messages: list[str | bytes] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    port: int = 0
    streams: list[trio.SocketStream] = field(default_factory=list)
    door: Door[str] = field(init=False)

    def __post_init__(self) -> None:
        router = Router(lambda: "", lambda: "")
        router.add("POST", "/echo", self.echo)
        router.add("POST", "/signed", self.echo, needs="x-signature")
        router.add("GET", "/bug", self.bug)
        self.door = Door(router.answer, router.refuse, self.admit, self.media)

    async def echo(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(200, request.body, headers={"x-query": request.query})

    async def bug(self, request: Request) -> Response:
        raise RuntimeError("a handler's bug")

    def admit(self, path: str, headers: Mapping[str, str], offered: Sequence[str]) -> MediaAdmission[str] | Response:
        self.asked.append((path, headers, tuple(offered)))
        token = path.removeprefix("/media/")
        chosen = "audio.other.org" if token == "good-foreign" else offered[0]
        return MediaAdmission(chosen, token) if token.startswith("good") else Response(403, b"no\n")

    async def media(self, claim: str, socket: WebSocketConnection) -> None:
        self.claims.append(claim)
        if claim == "good-bug":
            raise RuntimeError("a call's bug")
        if claim == "good-close":
            await socket.aclose(1001)
            self.ended.append(claim)
            return
        try:
            while True:
                message = await socket.get_message()
                self.messages.append(message)
                if message == "bye":
                    return
                await socket.send_message(message)
        except ConnectionClosed:
            await wait_all_tasks_blocked(0.01)  # a reader that died would cancel us here
            self.ended.append(claim)

    async def connect(self) -> trio.SocketStream:
        self.streams.append(await trio.open_tcp_stream("127.0.0.1", self.port))
        return self.streams[-1]

    @asynccontextmanager
    async def websocket(self, path: str, subprotocol: str = "audio.drachtio.org") -> AsyncIterator[WebSocketConnection]:
        """A client's socket. The library itself would leak the stream where the server closes first."""
        async with trio.open_nursery() as nursery:
            socket = await wrap_client_stream(nursery, await self.connect(), "h", path, subprotocols=[subprotocol])
            yield socket
            with trio.move_on_after(1):
                await socket.aclose()
            nursery.cancel_scope.cancel()

    async def hang_up(self) -> None:
        """Close all that `connect` opened."""
        for stream in self.streams:
            await stream.aclose()

    async def ask(self, data: bytes) -> bytes:
        """Send `data` as it is and read until the server closes."""
        stream = await self.connect()
        with suppress(trio.BrokenResourceError):
            await stream.send_all(data)
        return await read_all(stream)

    async def healthy(self) -> bool:
        return b" 200 " in await self.ask(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    data = bytearray()
    try:
        while part := await stream.receive_some(65536):
            data += part
    except trio.BrokenResourceError:
        pass
    return bytes(data)


@asynccontextmanager
async def open_house() -> AsyncIterator[House]:
    house = House()
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(house.door.serve, await trio.open_tcp_listeners(0, host="127.0.0.1"))
        house.port = listener.socket.getsockname()[1]
        try:
            yield house
        finally:
            with trio.CancelScope(shield=True):
                await house.hang_up()
        nursery.cancel_scope.cancel()


def handshake(path: str = "/media/good", subprotocol: str = "audio.drachtio.org", extra: str = "") -> bytes:
    protocol = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}{extra}\r\n"
    ).encode()


def frame(payload: bytes, opcode: int = 2) -> bytes:
    """A client's frame, masked with zeros."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE]) + len(payload).to_bytes(2)
    return bytes([0x80 | opcode]) + size + bytes(4) + payload
