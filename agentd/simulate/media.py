"""One media stream: the switch is the WebSocket's client, sends what the caller says and plays what the daemon sends.

As the real one (drachtio's audio fork on libwebsockets): the metadata first, then a binary frame each 20 ms, silence too;
what piles up behind a slow reader goes out as one frame, and beyond two seconds it is lost; no pings; Close 1000 at the end.
"""

from __future__ import annotations

import json
import ssl
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

import h11
import numpy as np
import trio
import trio_websocket
from wsproto.utilities import ProtocolError

from agentd.simulate.audio import TICKS, Resampler, Samples, clip
from agentd.simulate.documents import Stream
from agentd.simulate.errors import Broke
from agentd.simulate.line import Line
from agentd.simulate.playout import Playout, Tick

CONNECT_S = 10.0
"""libwebsockets' patience with connecting and upgrading."""

CLOSE_S = 1.0
"""Wait for the daemon's Close frame after ours."""

BUFFER_TICKS = 2 * TICKS
"""Audio that may wait for the socket: MOD_AUDIO_FORK_BUFFER_SECS, 2 s."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this switch is set up. `channels`: mono | stereo | mixed, or None: what the stream's track asks for."""

    dialect: str = "sautikit"
    subprotocol: str = "audio.drachtio.org"
    channels: str | None = None


@dataclass(slots=True)
class Traffic:
    """What went over the sockets of a call: (time, bytes) of each binary frame from the daemon, frames lost, complaints."""

    arrivals: list[tuple[float, int]] = field(default_factory=list)
    lost: int = 0
    broken: list[str] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)


class Media:
    """A stream that the document asked for, on `line`."""

    def __init__(self, verb: Stream, line: Line, settings: Settings, traffic: Traffic) -> None:
        self._verb = verb
        self._line = line
        self._settings = settings
        self._traffic = traffic
        self._layout = settings.channels or ("mono" if verb.track == "inbound_track" else "mixed")
        self._playout = Playout(verb.rate, line.rate)
        self._resample = Resampler(line.rate, verb.rate)
        self._outbox, self._to_send = trio.open_memory_channel[bytes | str](BUFFER_TICKS)

    def exchange(self, microphone: Samples) -> Tick:
        """See Leg."""
        tick = self._playout.tick()
        for name, event in tick.marks:
            self._send(json.dumps({"type": "mark", "data": {"name": name, "event": event}}))
        self._send(self._encode(microphone, tick.samples))
        return tick

    def press(self, digit: str) -> None:
        """Tell the daemon of a key; `duration` counts samples at 8 kHz."""
        self._send(json.dumps({"event": "dtmf", "dtmf": digit, "duration": 1600}))

    async def run(self) -> str:
        """Stream until the socket closes, and say how it did; raises Broke. Cancelled: the socket is dropped."""
        url = urllib.parse.urlsplit(self._verb.url)
        stream = await _open(url)
        ended: str | Broke
        try:
            async with stream, trio.open_nursery() as nursery:
                try:
                    socket = await self._upgrade(url, stream, nursery)
                    nursery.start_soon(self._write, socket)
                    nursery.start_soon(self._close_on_hang_up, socket)
                    ended = await self._talk(socket)
                except Broke as broke:
                    ended = broke
                nursery.cancel_scope.cancel()
        except* trio_websocket.ConnectionRejected as group:
            ended = Broke(f"the media socket was refused with {_first(group).status_code}")
        except* (h11.ProtocolError, ProtocolError) as group:  # trio-websocket's reader stumbled over what it was sent
            ended = Broke(f"the media socket {url.netloc} does not speak WebSocket: {_first(group)}")
        if isinstance(ended, Broke):
            raise ended
        return ended

    async def _upgrade(
        self,
        url: urllib.parse.SplitResult,
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream],
        nursery: trio.Nursery,
    ) -> trio_websocket.WebSocketConnection:
        """Make a WebSocket of the connection; raises Broke. Cancelled: the connection is its caller's to close."""
        offered = self._settings.subprotocol
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        try:
            with trio.fail_after(CONNECT_S):
                socket = await trio_websocket.wrap_client_stream(
                    nursery, stream, url.hostname or "", path, subprotocols=[offered], message_queue_size=BUFFER_TICKS
                )
        except trio.TooSlowError:
            raise Broke(f"the media socket {url.netloc} was not upgraded within {CONNECT_S:g} s") from None
        except (trio_websocket.HandshakeError, trio_websocket.ConnectionClosed) as error:
            raise Broke(f"the media socket {url.netloc} was not upgraded: {error or type(error).__name__}") from error
        if socket.subprotocol != offered:
            raise Broke(f"the media socket did not echo the subprotocol {offered!r}: a switch drops it")
        return socket

    async def _write(self, socket: trio_websocket.WebSocketConnection) -> None:
        """Send the metadata and then the outbox. Cancelled: half a frame may be on the wire, so the socket is dropped too."""
        try:
            if self._verb.metadata:
                await socket.send_message(self._verb.metadata)
            async for item in self._to_send:
                for message in self._gathered(item):
                    await socket.send_message(message)
        except trio_websocket.ConnectionClosed:
            pass

    def _gathered(self, item: bytes | str) -> list[bytes | str]:
        """The outbox's messages so far, neighbouring audio as one frame."""
        messages = [item]
        while True:
            try:
                item = self._to_send.receive_nowait()
            except trio.WouldBlock:
                return messages
            last = messages[-1]
            if isinstance(last, bytes) and isinstance(item, bytes):
                messages[-1] = last + item
            else:
                messages.append(item)

    async def _close_on_hang_up(self, socket: trio_websocket.WebSocketConnection) -> None:
        await self._line.hung_up.wait()
        self._line.leg = None
        await _close(socket)

    async def _talk(self, socket: trio_websocket.WebSocketConnection) -> str:
        """Put the stream on the line while the socket stands. Cancelled: it is off the line."""
        self._line.log(f"stream opened ({self._verb.rate} Hz, {self._layout})")
        self._line.attach(self)
        try:
            return await self._read(socket)
        finally:
            self._line.leg = None

    async def _read(self, socket: trio_websocket.WebSocketConnection) -> str:
        try:
            while True:
                message = await socket.get_message()
                if isinstance(message, bytes):
                    self._traffic.arrivals.append((trio.current_time(), len(message)))
                    self._playout.feed(message)
                elif self._obey(message) == "disconnect":
                    await _close(socket)
                    return "the daemon said disconnect"
        except trio_websocket.ConnectionClosed as closed:
            return self._closed(closed.reason)

    def _closed(self, reason: trio_websocket.CloseReason | None) -> str:
        if self._line.hung_up.is_set():
            return "the caller hung up"
        code, why = (1006, None) if reason is None else (reason.code, reason.reason)
        if code != 1000:
            self._traffic.broken.append(f"the daemon closed the media socket with {code}" + (f" ({why})" if why else ""))
        return f"the daemon closed the stream ({code})"

    def _obey(self, text: str) -> str:
        """Do what a text frame says; answers its type. What this dialect does not know is counted and ignored."""
        try:
            message: Any = json.loads(text)
        except ValueError:
            message = None
        kind = message.get("type") if isinstance(message, dict) else None
        if not isinstance(kind, str):
            self._traffic.broken.append(f"the daemon sent a text frame that is no message: {text[:60]!r}")
            return ""
        data = message.get("data")
        match self._settings.dialect, kind:
            case _, "disconnect":
                pass
            case "jambonz", "killAudio":
                self._playout.clear()
            case "jambonz", "mark" if isinstance(data, dict) and isinstance(data.get("name"), str):
                self._playout.mark(data["name"])
            case "jambonz", "clearMarks":
                self._playout.forget_marks()
            case _:
                self._traffic.ignored[kind] = self._traffic.ignored.get(kind, 0) + 1
        return kind

    def _encode(self, microphone: Samples, played: Samples) -> bytes:
        match self._layout:
            case "stereo":
                frame: Samples = np.column_stack((microphone, played))
            case "mixed":
                frame = clip(microphone.astype(np.float64) + played)
            case _:
                frame = microphone
        return self._resample(frame).astype("<i2").tobytes()

    def _send(self, item: bytes | str) -> None:
        try:
            if item:
                self._outbox.send_nowait(item)
        except trio.WouldBlock:
            self._traffic.lost += 1


def _first(group: BaseExceptionGroup[Any]) -> Any:
    """The first error within nested groups."""
    error: Any = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _open(url: urllib.parse.SplitResult) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    """Connect to the URL's host; raises Broke. Cancelled: nothing is left open."""
    try:
        secure = url.scheme == "wss"
        port = url.port or (443 if secure else 80)
        with trio.fail_after(CONNECT_S):
            stream = await trio.open_tcp_stream(url.hostname or "", port)
    except trio.TooSlowError:
        raise Broke(f"the media socket {url.netloc} did not open within {CONNECT_S:g} s") from None
    except (OSError, ValueError) as error:
        raise Broke(f"the media socket {url.netloc} cannot be opened: {error}") from error
    if secure:
        return trio.SSLStream(stream, ssl.create_default_context(), server_hostname=url.hostname)
    return stream


async def _close(socket: trio_websocket.WebSocketConnection) -> None:
    """Say Close 1000 and wait a little for the answer. Cancelled: the socket is dropped."""
    with trio.move_on_after(CLOSE_S):
        await socket.aclose(1000)
