"""The least of a switch: asks the webhook and opens the stream, and does whatever else a test wants, right or wrong."""

from __future__ import annotations

import hashlib
import hmac
import time
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from agentd import settings
from agentd.daemon import Daemon
from tests.fakes import engines, speech

SECRET = "a secret of the tests"
RATE = 8000


@asynccontextmanager
async def daemon(out: Path, ends: list[bool] | None = None, **overrides: Any) -> AsyncIterator[tuple[str, Daemon]]:
    """A daemon on loopback with the stub engines; it ends with the block. `ends` gets what it answers where it ends before."""
    given = {
        "server.port": 0,
        "server.drain_s": 1.0,
        "calls.out": out,
        "sautikit.secret": SECRET,
        "sautikit.rate": RATE,
        "numbers": {"*": "tests.fakes.flow"},
        **engines.NAMES,
    }
    running = Daemon(settings.load(None, {}, given | {key.replace("__", "."): value for key, value in overrides.items()}))
    urls: list[str] = []
    ready = trio.Event()

    def tell(url: str) -> None:
        urls.append(url)
        ready.set()

    async def run() -> None:
        (ends if ends is not None else []).append(await running.run(tell))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        with trio.fail_after(10):
            await ready.wait()
        yield urls[0], running
        nursery.cancel_scope.cancel()


async def ask(
    url: str, call_id: str, status: str = "ringing", to: str = "+15550100", dial: str = ""
) -> tuple[int, list[ET.Element]]:
    """Post the voice webhook, or, with what became of a `dial`, the one behind it; the answer's status, and its verbs."""
    fields = {"CallId": call_id, "From": "+15550123", "To": to, "Direction": "inbound", "CallStatus": status}
    fields |= {"DialCallStatus": dial} if dial else {}
    body = urllib.parse.urlencode(fields).encode()
    now = int(time.time())
    signature = hmac.new(SECRET.encode(), body + b"." + str(now).encode(), hashlib.sha256).hexdigest()
    headers = {"content-type": "application/x-www-form-urlencoded", "x-sautikit-signature": f"t={now},v1={signature}"}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{url}/sautikit/{'dialled' if dial else 'voice'}", content=body, headers=headers)
    return answer.status_code, list(ET.fromstring(answer.text)) if answer.text.startswith("<") else []


async def stream_url(url: str, call_id: str, status: str = "ringing") -> str:
    """The media URL that a call is given."""
    code, verbs = await ask(url, call_id, status)
    assert (code, [verb.tag for verb in verbs]) == (200, ["Stream", "Redirect"])
    return verbs[0].attrib["url"]


@asynccontextmanager
async def socket(media_url: str) -> AsyncIterator[WebSocketConnection]:
    """Open a stream's socket; its connection is closed with the block: trio-websocket leaves that undone when refused."""
    at = urllib.parse.urlsplit(media_url)
    assert at.hostname is not None
    assert at.port is not None
    async with await trio.open_tcp_stream(at.hostname, at.port) as stream, trio.open_nursery() as nursery:
        yield await wrap_client_stream(nursery, stream, at.netloc, at.path, subprotocols=["audio.drachtio.org"])
        nursery.cancel_scope.cancel()


class Line:
    """A caller on an open stream: 20 ms frames in real time, and what the agent was heard to say."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self._voice = bytearray()
        self.heard = bytearray()
        self.closed = trio.Event()
        self.code: int | None = None

    async def talk(self) -> None:
        start, tick = trio.current_time(), 0
        try:
            while True:
                frame = bytes(self._voice[:320])
                del self._voice[:320]
                await self.socket.send_message(frame + bytes(320 - len(frame)))
                tick += 1
                await trio.sleep_until(start + 0.02 * tick)
        except ConnectionClosed:
            pass

    async def listen(self) -> None:
        try:
            while True:
                data = await self.socket.get_message()
                if isinstance(data, bytes):
                    self.heard += data
        except ConnectionClosed as closed:
            self.code = None if closed.reason is None else closed.reason.code
            self.closed.set()

    def say(self, text: str) -> None:
        self._voice += speech.speak(text, RATE)

    def words(self) -> list[str]:
        return [word for _, word in speech.words(bytes(self.heard))]

    async def hears(self, word: str) -> None:
        with trio.fail_after(10):
            while word not in self.words():
                await trio.sleep(0.02)


@asynccontextmanager
async def line(media_url: str) -> AsyncIterator[Line]:
    """Open the stream as a switch does and keep talking on it; hung up with the block."""
    async with socket(media_url) as opened, trio.open_nursery() as nursery:
        caller = Line(opened)
        nursery.start_soon(caller.talk)
        nursery.start_soon(caller.listen)
        yield caller
        with trio.move_on_after(1):
            await opened.aclose()
        nursery.cancel_scope.cancel()
