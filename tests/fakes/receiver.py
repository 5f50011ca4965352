"""Whoever receives what leaves after a call, on a real socket: records what is posted, honours keys, and misbehaves in turn."""

from __future__ import annotations

import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import h11
import trio


@dataclass(frozen=True)
class Posted:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]

    @property
    def told(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """`manners` are used up one a request, and then it takes everything: a status that it answers; "late": it takes it and
    never answers; "reset": it takes it and drops the connection; "endless": it takes it and never stops answering.

    `taken` holds what each key brought, once.
    """

    manners: deque[int | str] = field(default_factory=deque)
    posted: list[Posted] = field(default_factory=list)
    taken: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    async def answer(self, stream: trio.SocketStream, posted: Posted) -> None:
        """Take one request, in its manner."""
        self.posted.append(posted)
        manner = self.manners.popleft() if self.manners else 200
        if not isinstance(manner, int) or 200 <= manner < 300:
            self.taken.setdefault(posted.key, posted.told)
        match manner:
            case "late":
                await trio.sleep_forever()
            case "reset":
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                await trio.aclose_forcefully(stream)
            case "endless":
                await stream.send_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                while True:
                    await stream.send_all(bytes(65536))
            case status:
                await stream.send_all(
                    f"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nLocation: {self.url}/elsewhere\r\n\r\n".encode()
                )


@asynccontextmanager
async def receiving(*manners: int | str) -> AsyncIterator[Receiver]:
    """A receiver on loopback, for the length of the block."""
    receiver = Receiver(deque(manners))

    async def one(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            if posted := await _read(stream):
                await receiver.answer(stream, posted)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, one, 0, host="127.0.0.1"))
        receiver.url = "http://{}:{}".format(*listeners[0].socket.getsockname()[:2])
        yield receiver
        nursery.cancel_scope.cancel()


async def _read(stream: trio.SocketStream) -> Posted | None:
    connection = h11.Connection(h11.SERVER)
    head, body = None, b""
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            case h11.Request() as request:
                head = request
            case h11.Data() as data:
                body += bytes(data.data)
            case h11.EndOfMessage():
                break
            case _:
                return None
    assert head is not None
    headers = {bytes(name).decode(): bytes(value).decode() for name, value in head.headers}
    return Posted(f"{head.method.decode()} {head.target.decode()}", headers, body)
