"""A WebSocket as the transport wants it: whole messages, and one error with a reason when it is gone."""

from __future__ import annotations

from typing import Final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from agentd import limits
from agentd.actors.transport import SocketClosed


class Socket:
    """Meets the transport's MediaSocket."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes:
        """The next message; raises SocketClosed. Cancelled: no message was taken."""
        try:
            message: str | bytes = await self._socket.get_message()
        except ConnectionClosed as closed:
            raise SocketClosed(_reason(closed)) from None
        return message

    async def send(self, data: str | bytes) -> None:
        """Send one message; raises SocketClosed. Cancelled: the socket may hold half a frame and must be closed."""
        try:
            await self._socket.send_message(data)
        except ConnectionClosed as closed:
            raise SocketClosed(_reason(closed)) from None

    async def ping(self) -> None:
        """Send a ping and wait for its pong; raises SocketClosed. Cancelled: as `send`."""
        try:
            await self._socket.ping()
        except ConnectionClosed as closed:
            raise SocketClosed(_reason(closed)) from None

    async def close(self, code: int) -> None:
        """Close, waiting for the peer a little. Cancelled: the socket is dropped with its connection."""
        with trio.move_on_after(limits.CLOSE_S):
            await self._socket.aclose(code)


_REASONS: Final = {
    1000: "hangup",
    1001: "hangup",
    1002: "protocol_error",
    1007: "protocol_error",
    1009: "oversize",
}
"""Close codes of RFC 6455 → MediaStopped's reasons. The peer's own, or ours where what it sent could not be taken."""


def _reason(closed: ConnectionClosed) -> str:
    """Why the socket is gone; lost where nobody said."""
    return "lost" if closed.reason is None else _REASONS.get(closed.reason.code, "lost")
