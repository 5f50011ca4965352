"""One port: webhooks, health and metrics by HTTP, and media by WebSocket, told apart by the request's own head."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import trio
from trio_websocket import WebSocketConnection

from agentd import limits
from agentd.errors import InternalBug
from agentd.http.upgrade import check_handshake, wants_websocket, websocket
from agentd.http.wire import BadRequest, HttpConnection, Request, Response

log = logging.getLogger(__name__)

HANDSHAKES = 32
"""Media sockets whose handshake is under way: it takes a millisecond, so that more of them are an attack or a stuck loop."""

ClaimT = TypeVar("ClaimT")


@dataclass(frozen=True, slots=True)
class MediaAdmission(Generic[ClaimT]):
    """A media socket may come in: the subprotocol to answer, one of those offered, and what the socket stands for."""

    subprotocol: str
    claim: ClaimT


Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request."""

Refuse = Callable[[Request], Response | None]
"""Looks at a request's head, before a byte of its body is read: a refusal, or None to go on."""

AdmitMedia = Callable[[str, Mapping[str, str], Sequence[str]], MediaAdmission[ClaimT] | Response]
"""(path, headers, subprotocols offered) of a media socket, before it is accepted."""

Media = Callable[[ClaimT, WebSocketConnection], Awaitable[None]]
"""Owns an accepted media socket until it returns."""


class Door(Generic[ClaimT]):
    """The server. It bounds, reads and answers; what is asked for is its four callbacks' matter.

    What is admitted need not come to `media`: the peer may be gone before it has its answer.
    """

    def __init__(self, http: Handler, refuse: Refuse, admit_media: AdmitMedia[ClaimT], media: Media[ClaimT]) -> None:
        self._http, self._refuse, self._admit_media, self._media = http, refuse, admit_media, media
        self._accepting = trio.CancelScope()
        self._connections: set[HttpConnection] = set()
        self._opening: set[HttpConnection] = set()

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._connections)

    async def serve(
        self, listeners: list[trio.SocketListener], *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until `stop()` was called and the last connection is over. Starts with the listeners as its value.

        Cancelled: the listeners are closed and every connection is dropped.
        """
        async with trio.open_nursery() as connections:
            with self._accepting:
                await trio.serve_listeners(
                    self._connection, listeners, handler_nursery=connections, task_status=task_status
                )  # fmt: skip

    def stop(self) -> None:
        """Close the listeners and what is idle; requests and media that are under way go on to their end."""
        self._accepting.cancel()
        for connection in self._connections:
            connection.stop_waiting()

    async def _connection(self, stream: trio.SocketStream) -> None:
        """One connection, from accept to close. Cancelled: it is dropped."""
        connection = HttpConnection(stream)
        if len(self._connections) >= limits.CONNECTIONS:
            await trio.aclose_forcefully(stream)
            return
        self._connections.add(connection)
        try:
            await self._requests(connection)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            log.debug("%s went away", connection.peer)
        except Exception:
            # The one boundary: whatever a handler of ours did wrong ends this connection and no other.
            log.exception("a connection of %s failed", connection.peer)
            await connection.fail()
        finally:
            self._connections.discard(connection)
            await trio.aclose_forcefully(stream)

    async def _requests(self, connection: HttpConnection) -> None:
        """One request after the other. Cancelled: the connection is left as it is, to be closed."""
        patience = limits.HEAD_S
        try:
            while True:
                request = await connection.head(patience)
                if request is None:
                    return
                if wants_websocket(request):
                    await self._upgrade(connection, request)
                    return
                if refusal := self._refuse(request):
                    await connection.answer(refusal, close=True)
                    break
                response = await self._http(replace(request, body=await connection.body()))
                await connection.answer(response, close=self._accepting.cancel_called)
                if not connection.again():
                    break
                patience = limits.IDLE_S
        except BadRequest as error:
            await connection.answer(error.response(), close=True)
        await connection.linger()

    async def _upgrade(self, connection: HttpConnection, request: Request) -> None:
        """Admit and serve a media socket. Cancelled: the socket is dropped."""
        offered = check_handshake(request)
        if len(self._opening) >= HANDSHAKES:
            raise BadRequest(503, "too many handshakes at once")
        match self._admit_media(request.path, request.headers, offered):
            case Response() as refusal:
                await connection.answer(refusal, close=True)
                await connection.linger()
            case MediaAdmission(subprotocol, claim):
                if subprotocol not in offered:
                    raise InternalBug(f"the subprotocol {subprotocol!r} was not offered")
                self._opening.add(connection)
                try:
                    await connection.body()
                    async with websocket(connection.stream, request, connection.hand_over(), subprotocol) as socket:
                        self._opening.discard(connection)
                        if socket:
                            await self._media(claim, socket)
                finally:
                    self._opening.discard(connection)
