"""The load generator's end of a call: webhook and WebSocket on blocking and non-blocking sockets, as cheap as Python can.

Frames are built beforehand: masked as a client's must be (with a mask of zeros), 20 ms each.
"""

from __future__ import annotations

import http.client
import re
import secrets
import socket
import struct
import time
from array import array
from html import unescape
from typing import Final
from urllib.parse import urlencode, urlsplit

from agentd.simulate.signing import HEADER, sign

PATIENCE_S: Final = 20.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes) -> bytes:
    """A client's WebSocket frame."""
    size = len(payload)
    head = struct.pack("!BB", 0x80 | opcode, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    return head + b"\0\0\0\0" + payload


def silence(rate: int) -> bytes:
    """A frame of it."""
    return frame(BINARY, bytes(2 * (rate // 50)))


def speech(rate: int, word: int, frames: int) -> list[bytes]:
    """What the stub engines take for `stub.WORDS[word]`, so many frames long."""
    half = rate // 400
    wave = array("h", [6000 if (at // half) % 2 else -6000 for at in range(rate // 50)])
    wave[1] = word
    return [frame(BINARY, wave.tobytes())] * frames


class Refused(Exception):
    """The daemon did not take the call, or not its socket; the text says with what."""


def ask(url: str, secret: str, call_id: str) -> str:
    """Post the voice webhook and return its document. Raises Refused."""
    body = urlencode({"CallId": call_id, "From": "+15550123", "To": "+15550100", "CallStatus": "ringing",
                      "Direction": "inbound", "N": secrets.token_hex(4)}).encode()  # fmt: skip
    headers = {"Content-Type": "application/x-www-form-urlencoded", HEADER: sign(secret, body, int(time.time()))}
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
    try:
        connection.request("POST", "/sautikit/voice", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise Refused(f"the webhook was answered with {answer.status}")
    return text


def stream_of(document: str) -> tuple[str, str]:
    """(URL, metadata) of the document's stream. Raises Refused where it has none."""
    found = re.search(r'url="([^"]+)".*?openMetadata="([^"]*)"', document)
    if found is None:
        raise Refused(f"no stream: {document[-120:]}")
    return unescape(found[1]), unescape(found[2])


def open_socket(url: str) -> socket.socket:
    """Connect and upgrade. Raises Refused."""
    parts = urlsplit(url)
    stream = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=PATIENCE_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.sendall(
        f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Sec-WebSocket-Protocol: audio.drachtio.org\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        data = stream.recv(1)
        if not data:
            break
        head += data
    if b" 101 " not in head.split(b"\r\n")[0]:
        stream.close()
        raise Refused(head.split(b"\r\n")[0].decode(errors="replace"))
    stream.setblocking(False)
    return stream


class Inbox:
    """A server's frames out of a stream of bytes."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """(opcode, payload) of every frame that is whole."""
        held, frames, at = self._data, [], 0
        held += data
        while len(held) - at >= 2:
            size, start = held[at + 1] & 0x7F, at + 2
            if size == 126:
                if len(held) - at < 4:
                    break
                size, start = held[at + 2] << 8 | held[at + 3], at + 4
            if len(held) < start + size:
                break
            frames.append((held[at] & 0x0F, bytes(held[start : start + size])))
            at = start + size
        del held[:at]
        return frames
