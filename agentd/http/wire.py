"""HTTP/1.1 on one connection, by h11: one request in, one answer out, everything bounded in bytes and in time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import h11
import trio

from agentd import limits
from agentd.errors import PeerError

RECEIVE_BYTES = 4096
"""One read. Small, so that a head is known to be too long soon after it is."""

TEXT = "text/plain; charset=utf-8"

_NEEDS_LENGTH = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` is as it was sent, nothing decoded; header names are lower-case, repeated ones joined by commas.

    `peer` is the address of the other end of the socket, which may be a load balancer; empty where the socket has none.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    body: bytes = b""
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


class BadRequest(PeerError):
    """The request cannot be read or is too much; answered with `status`, and the connection is closed."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status

    def response(self) -> Response:
        """What the peer is told."""
        return Response(self.status, f"{self}\n".encode())


class HttpConnection:
    """The server's side of one connection.

    Its methods raise BadRequest for what the peer did wrong, and trio's BrokenResourceError where it is gone or takes no
    bytes. Cancelled, any of them leaves the connection fit only to be closed.
    """

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.stream = stream
        self.peer = _peer(stream)
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.HEAD_BYTES)
        self._waiting = trio.CancelScope()
        self._heard = False
        self._due = 0.0
        self._method = ""
        self._handed_over = False

    async def head(self, patience: float) -> Request | None:
        """The next request, its body still unread; None where the peer closes, or says nothing for `patience` seconds.

        From its first byte on, a request (with its body) has `limits.HEAD_S`.
        """
        self._heard, self._method = False, ""
        with trio.move_on_after(patience) as self._waiting:
            if self._h11.trailing_data[0]:
                self._hear()
            event = await self._event()
            return self._request(event) if isinstance(event, h11.Request) else None
        if self._heard:
            raise BadRequest(408, "the request did not arrive in time")
        return None

    def stop_waiting(self) -> None:
        """Give up waiting for another request, where none has begun."""
        if not self._heard:
            self._waiting.cancel()

    async def body(self) -> bytes:
        """The body of the request whose head was read."""
        body = bytearray()
        with trio.CancelScope(deadline=self._due):
            while len(body) <= limits.BODY_BYTES:
                event = await self._event()
                if not isinstance(event, h11.Data):
                    return bytes(body)
                body += event.data
            raise BadRequest(413, f"the body has more than {limits.BODY_BYTES} bytes")
        raise BadRequest(408, "the request's body did not arrive in time")

    async def answer(self, response: Response, *, close: bool = False) -> None:
        """Send the answer; the peer has `limits.WRITE_DEADLINE_S` to take it."""
        headers = {
            "content-type": response.content_type,
            "content-length": str(len(response.body)),
            **response.headers,
            **({"connection": "close"} if close else {}),
        }
        data = self._send(h11.Response(status_code=response.status, headers=list(headers.items())))
        if self._method != "HEAD":
            data += self._send(h11.Data(data=response.body))
        await self._write(data + self._send(h11.EndOfMessage()))

    async def fail(self) -> None:
        """Answer 500 where it can still be: something of ours broke, and the peer may be gone, too."""
        if not self._handed_over and self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self.answer(Response(500, b"internal error\n"), close=True)

    def again(self) -> bool:
        """Whether another request may come on this connection."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True

    async def linger(self) -> None:
        """Read on for a moment where something was left unread: closing at once would reset the answer away."""
        if self._h11.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED):
            return
        with trio.move_on_after(limits.CLOSE_S), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.stream.send_eof()
            while await self.stream.receive_some(RECEIVE_BYTES):
                pass

    def hand_over(self) -> bytes:
        """Give the stream to another protocol, with what was read behind the request: HTTP is not spoken on it any more."""
        self._handed_over = True
        return self._h11.trailing_data[0]

    def _hear(self) -> None:
        self._heard = True
        self._due = self._waiting.deadline = trio.current_time() + limits.HEAD_S

    async def _event(self) -> object:
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise BadRequest(error.error_status_hint, str(error)) from error
            if event is not h11.NEED_DATA:
                return event
            if self._h11.they_are_waiting_for_100_continue:
                await self._write(self._send(h11.InformationalResponse(status_code=100, headers=[])))
            data = await self.stream.receive_some(RECEIVE_BYTES)
            if data and not self._heard:
                self._hear()
            self._h11.receive_data(bytes(data))

    def _request(self, event: h11.Request) -> Request:
        self._method = event.method.decode("ascii")
        headers: dict[str, str] = {}
        for raw_name, raw_value in event.headers:
            name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        if int(headers.get("content-length", "0")) > limits.BODY_BYTES:
            raise BadRequest(413, f"the body has more than {limits.BODY_BYTES} bytes")
        if self._method in _NEEDS_LENGTH and not headers.keys() & {"content-length", "transfer-encoding"}:
            raise BadRequest(411, "the body's length is missing")
        path, _, query = event.target.decode("ascii").partition("?")
        return Request(self._method, path, query, headers, b"", self.peer)

    def _send(self, event: h11.Event) -> bytes:
        return self._h11.send(event) or b""

    async def _write(self, data: bytes) -> None:
        with trio.move_on_after(limits.WRITE_DEADLINE_S) as scope:
            await self.stream.send_all(data)
        if scope.cancelled_caught:
            raise trio.BrokenResourceError("the peer takes no bytes")


def _peer(stream: trio.abc.Stream) -> str:
    if not isinstance(stream, trio.SocketStream):
        return ""
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:  # it was reset while it waited to be accepted
        return ""
