"""The booking office over real sockets, in a test's own process or in one of its own: `python -m tests.fakes.booking`.

Beside the office's own paths: GET /_/world and /_/asked, POST /_/faults (a list, appended), POST /_/manners (fields of
`BookingWorld`). A process of its own prints its URL in one line once it listens.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h11
import httpx
import trio

from tests.fakes.booking_world import BookingWorld, Fault

MANNERS = ("honours_keys", "stores_refusals", "tombstones", "ttl")
ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def served(world: BookingWorld) -> AsyncIterator[str]:
    """Serve a world on loopback for the length of the block; gives its URL."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(serve, world, 0)
        yield _url(listeners)
        nursery.cancel_scope.cancel()


async def serve(
    world: BookingWorld, port: int, *, task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until cancelled. What arrived is carried out whether its sender waits or not."""

    async def one(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, h11.RemoteProtocolError):  # its sender went away
            await _serve_one(world, stream)

    await trio.serve_tcp(one, port, host="127.0.0.1", task_status=task_status)


def _url(listeners: list[trio.SocketListener]) -> str:
    return "http://{}:{}".format(*listeners[0].socket.getsockname()[:2])


async def _serve_one(world: BookingWorld, stream: trio.SocketStream) -> None:
    """One request on one connection."""
    connection = h11.Connection(h11.SERVER)
    head, body = None, b""
    while True:
        event = connection.next_event()
        match event:
            case h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            case h11.Request():
                head = event
            case h11.Data():
                body += bytes(event.data)
            case h11.EndOfMessage():
                break
            case _:
                return
    assert head is not None
    method, path = head.method.decode(), head.target.decode()
    headers = {bytes(name).decode(): bytes(value).decode() for name, value in head.headers}
    given = json.loads(body) if body else None
    if path.startswith("/_/"):
        await _answer(stream, connection, 200, _administer(world, path, given))
        return
    fault = world.fault(method, path)
    await trio.sleep(fault.before)
    status, told = fault.status, None
    if fault.carry_out:
        status, told = world.arrive(method, path, headers.get("idempotency-key", ""), given, headers)
    await trio.sleep(fault.after)
    match fault.answer:
        case "never":
            await trio.sleep_forever()
        case "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await trio.aclose_forcefully(stream)
        case "status":
            await _answer(stream, connection, fault.status, None)
        case _:
            await _answer(stream, connection, status, told, twice=fault.answer == "twice")


def _administer(world: BookingWorld, path: str, given: Any) -> Any:
    match path:
        case "/_/faults":
            world.faults += [Fault(**fault) for fault in given]
        case "/_/manners":
            for name, value in given.items():
                assert name in MANNERS
                setattr(world, name, value)
        case "/_/asked":
            return [asdict(asked) for asked in world.asked]
    return world.world()


async def _answer(
    stream: trio.SocketStream, connection: h11.Connection, status: int, told: Any, *, twice: bool = False
) -> None:
    body = b"" if told is None else json.dumps(told).encode()
    headers = [("Content-Length", str(len(body))), ("Connection", "close"), ("Content-Type", "application/json")]
    written = connection.send(h11.Response(status_code=status, headers=headers if status != 204 else headers[1:2])) or b""
    written += connection.send(h11.Data(body)) or b"" if body else b""
    written += connection.send(h11.EndOfMessage()) or b""
    await stream.send_all(written * (2 if twice else 1))
    await stream.aclose()


# ── As a process of its own ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Remote:
    """An office in another process, as a test talks to it; blocking."""

    url: str

    def world(self) -> dict[str, dict[str, Any]]:
        """See BookingWorld.world."""
        return dict(httpx.get(f"{self.url}/_/world").json())

    def asked(self) -> list[dict[str, Any]]:
        """The requests that arrived."""
        return list(httpx.get(f"{self.url}/_/asked").json())

    def fault(self, *faults: Fault) -> None:
        """Let the next requests go wrong."""
        httpx.post(f"{self.url}/_/faults", json=[asdict(fault) for fault in faults]).raise_for_status()

    def manners(self, **manners: Any) -> None:
        """Change what the office honours."""
        httpx.post(f"{self.url}/_/manners", json=manners).raise_for_status()


@contextmanager
def process(*options: str) -> Iterator[Remote]:
    """An office in a process of its own, for the length of the block."""
    command = [sys.executable, "-m", "tests.fakes.booking", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield Remote(running.stdout.readline().strip())
        finally:
            running.kill()


async def _main(world: BookingWorld, port: int) -> None:
    async with trio.open_nursery() as nursery:
        print(_url(await nursery.start(serve, world, port)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ttl", type=float, default=300.0)
    parser.add_argument("--no-keys", action="store_true", help="carry a repeated key out again")
    parser.add_argument("--no-tombstones", action="store_true", help="carry out what comes after its own undo")
    given = parser.parse_args()
    office = BookingWorld(time.time, not given.no_keys, not given.no_keys, not given.no_tombstones, given.ttl)
    trio.run(_main, office, given.port)
