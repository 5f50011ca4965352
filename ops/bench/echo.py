"""The yardstick: a bare trio-websocket server that sends every message back as it came."""

from __future__ import annotations

import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket


async def _echo(request: WebSocketRequest) -> None:
    socket = await request.accept(subprotocol=request.proposed_subprotocols[0])
    try:
        while True:
            await socket.send_message(await socket.get_message())
    except ConnectionClosed:
        pass


async def _serve() -> None:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, _echo, "127.0.0.1", 0, None)
        print(f"http://127.0.0.1:{server.port}", flush=True)


if __name__ == "__main__":
    trio.run(_serve)
