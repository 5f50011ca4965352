"""From HTTP to WebSocket on the same connection.

trio-websocket wants to read the handshake itself, and we have read it already. It is given a plain one instead, with what
matters and nothing else: whatever else the peer wrote there (a Host that is none, extensions) cannot do harm.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.events import Event, Pong
from wsproto.utilities import LocalProtocolError

from agentd import limits
from agentd.http.wire import BadRequest, Request

_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")


def wants_websocket(request: Request) -> bool:
    """Whether the request asks to become a WebSocket."""
    return request.headers.get("upgrade", "").lower() == "websocket"


def check_handshake(request: Request) -> tuple[str, ...]:
    """The subprotocols offered, at least one. Raises BadRequest where the handshake is not that of RFC 6455."""
    headers = request.headers
    if request.method != "GET":
        raise BadRequest(405, "a WebSocket is opened by GET")
    if "upgrade" not in [token.strip().lower() for token in headers.get("connection", "").split(",")]:
        raise BadRequest(400, "Connection: Upgrade is missing")
    if headers.get("sec-websocket-version") != "13":
        raise BadRequest(400, "Sec-WebSocket-Version: 13 is missing")
    if not _KEY.fullmatch(headers.get("sec-websocket-key", "")):
        raise BadRequest(400, "Sec-WebSocket-Key is missing or garbled")
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        raise BadRequest(400, "a handshake has no body")
    offered = tuple(name for part in headers.get("sec-websocket-protocol", "").split(",") if (name := part.strip()))
    if not offered:
        raise BadRequest(400, "no Sec-WebSocket-Protocol is offered")
    return offered


@asynccontextmanager
async def websocket(
    stream: trio.abc.Stream, request: Request, rest: bytes, subprotocol: str
) -> AsyncGenerator[WebSocketConnection | None, None]:
    """Accept the checked handshake, answering `subprotocol`; None where the peer is gone before it has the answer.

    `rest` is what was read behind the handshake. On the way out the socket is closed with 1000 unless it is closed already.
    Cancelled: it is dropped as it is; the caller closes `stream` in any case.
    """
    head = (
        f"GET / HTTP/1.1\r\nHost: agentd\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {request.headers['sec-websocket-key']}\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    )
    handed_over = PutBack(stream, head.encode(), rest)
    async with trio.open_nursery() as nursery:
        try:
            with trio.fail_after(limits.WRITE_DEADLINE_S):
                proposal = await wrap_server_stream(
                    nursery,
                    handed_over,
                    message_queue_size=limits.MEDIA_QUEUE,
                    max_message_size=limits.MAX_MEDIA_MESSAGE,
                )
                socket = await proposal.accept(subprotocol=subprotocol)
        except (ConnectionClosed, trio.TooSlowError):
            yield None
        else:
            _say_no_pong_when_closing(socket)
            handed_over.accepted()
            yield socket
            with trio.move_on_after(limits.CLOSE_S):
                await socket.aclose()
        nursery.cancel_scope.cancel()


def _say_no_pong_when_closing(socket: WebSocketConnection) -> None:
    """A ping that arrives behind our own Close cannot be answered; trio-websocket's reader tries, and dies of it.

    It would take the nursery with it, and so cancel whoever owns the socket: a call in the middle of its settling.
    """
    send = socket._send

    async def send_if_it_can_be(event: Event) -> None:
        try:
            await send(event)
        except LocalProtocolError:
            if not isinstance(event, Pong):
                raise

    socket._send = send_if_it_can_be  # type: ignore[method-assign]


class PutBack(trio.abc.Stream):
    """A stream that gives `head` first and, once accepted, `rest` and then what `inner` receives.

    The reader must not get a byte of `rest` before the handshake is answered: it would throw it away.
    """

    def __init__(self, inner: trio.abc.Stream, head: bytes, rest: bytes) -> None:
        self._inner = inner
        self._head, self._rest = head, rest
        self._accepted = trio.Event()
        # Bound once, so that a frame costs nothing more than on the inner stream.
        self.send_all = inner.send_all  # type: ignore[method-assign]

    def accepted(self) -> None:
        """The handshake is answered: let frames through."""
        self._accepted.set()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """See trio.abc.ReceiveStream. Cancelled: nothing is lost."""
        if self._head:
            head, self._head = self._head, b""
            return head
        await self._accepted.wait()
        self.receive_some = self._inner.receive_some  # type: ignore[method-assign]  # as send_all
        if self._rest:
            return self._rest
        return await self._inner.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """See trio.abc.SendStream."""
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """See trio.abc.SendStream."""
        await self._inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """See trio.abc.AsyncResource. Cancelled: the inner stream is closed all the same."""
        await self._inner.aclose()
