"""Whatever is thrown at the port, the server stands, nothing gets in, and the next honest request is answered."""

from __future__ import annotations

import random
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from agentd import limits
from tests.unit.http.door import House, frame, handshake, open_house, read_all

HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"


async def reset(stream: trio.SocketStream) -> None:
    """Close with RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


async def thrown(house: House, data: bytes) -> None:
    """Send, say no more, and see what comes: an error or nothing, never a 2xx."""
    stream = await house.connect()
    try:
        await stream.send_all(data)
        await stream.send_eof()
    except trio.BrokenResourceError:
        return
    answer = await read_all(stream)
    assert not answer.startswith(b"HTTP/1.1 2"), answer[:100]


def raw(data: bytes) -> Callable[[House], Awaitable[None]]:
    async def abuse(house: House) -> None:
        await thrown(house, data)

    return abuse


async def random_bytes(house: House) -> None:
    rng = random.Random(1)
    for _ in range(50):
        await thrown(house, rng.randbytes(rng.randint(1, 400)))


async def mutated_requests(house: House) -> None:
    rng = random.Random(2)
    for _ in range(100):
        data = bytearray(
            rng.choice((HEALTHZ, handshake("/media/bad"), b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"))
        )
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        stream = await house.connect()
        await stream.send_all(bytes(data))
        await stream.send_eof()
        await read_all(stream)


async def resets(house: House) -> None:
    half_a_body = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"
    for data in (b"", b"GET", HEALTHZ, handshake(), handshake() + frame(b"ab")[:3], half_a_body):
        stream = await house.connect()
        if data:
            await stream.send_all(data)
        await reset(stream)


async def resets_after_the_answer(house: House) -> None:
    for data in (b"", frame(b"ab"), b"\xff" * 50, frame(bytes(2), 8) + b"\xff", frame(b"x" * 200, 9)):
        stream = await house.connect()
        await stream.send_all(handshake("/media/good-reset"))
        assert b" 101 " in await stream.receive_some()
        if data:
            await stream.send_all(data)
        await reset(stream)


async def half_open(house: House) -> None:
    for data in (b"", b"GET /healthz HTTP/1.1\r\nHo", handshake()[:-2], handshake("/media/good-half")):
        stream = await house.connect()
        if data:
            await stream.send_all(data)
    await wait_all_tasks_blocked(0.01)


async def pipelined_garbage(house: House) -> None:
    answer = await house.ask(HEALTHZ * 3 + b"\x00\x01garbage\r\n\r\n" + HEALTHZ)
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.count(b"HTTP/1.1 400") == 1


async def frames_behind_a_refused_handshake(house: House) -> None:
    await thrown(house, handshake("/media/bad") + frame(b"ab") * 20 + HEALTHZ)


async def a_declared_gigabyte(house: House) -> None:
    stream = await house.connect()
    await stream.send_all(handshake("/media/good-giga") + b"\x82\xff" + (2**30).to_bytes(8) + bytes(4) + bytes(4000))
    assert b" 101 " in await stream.receive_some()
    await wait_all_tasks_blocked(0.01)
    assert not any(claim == "good-giga" for claim in house.ended)


async def bad_frames(house: House) -> None:
    for bad in (b"\xff\xff\xff", b"\x82\x02ab", frame(b"\xff\xfe", 1), frame(b"", 3), frame(b"\x03", 8), frame(b"x" * 200, 9)):
        answer = await house.ask(handshake("/media/good-bad") + bad)
        assert b" 101 " in answer
    with trio.fail_after(5):
        while house.ended.count("good-bad") < 6:
            await wait_all_tasks_blocked(0.01)


async def smuggled(house: House) -> None:
    for head in (
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length : 5\r\n",
        b" Content-Length: 5\r\n",
    ):
        await thrown(house, b"POST /echo HTTP/1.1\r\nHost: h\r\n" + head + b"\r\nhello")


async def traversal(house: House) -> None:
    dots = ["..", "%2e%2e", "%2E.", ".%2e", "..%00", "%252e%252e", "..;", "%c0%ae%c0%ae", "\\.."]
    slashes = ["/", "%2f", "%2F", "%5c", "\\", "%252f"]
    paths = [
        f"/{room}{slash.join([dot] * 4)}{slash}etc{slash}passwd"
        for dot in dots
        for slash in slashes
        for room in ("", "metrics/")
    ]
    assert len(paths) >= 80
    for path in paths:
        answer = await house.ask(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))
        assert b"root:" not in answer


ABUSES: dict[str, Callable[[House], Awaitable[None]]] = {
    "garbage": raw(b"\x00\xff" * 500),
    "random bytes": random_bytes,
    "mutated requests": mutated_requests,
    "a TLS hello": raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2),
    "an HTTP/2 preface": raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(40)),
    "a SIP request": raw(b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n\r\n"),
    "a huge head": raw(b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 200_000),
    "a huge header": raw(b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 1_000_000),
    "a huge path": raw(b"GET /" + b"x" * 1_000_000),
    "a huge body": raw(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n" + bytes(500_000)),
    "an endless chunked body": raw(
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000
    ),
    "a wrong method": raw(b"DELETE /healthz HTTP/1.1\r\nHost: h\r\n\r\n"),
    "an unknown method": raw(b"BREW /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
    "CONNECT": raw(b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: h\r\n\r\n"),
    "a foreign target": raw(b"GET http://169.254.169.254/healthz HTTP/1.1\r\nHost: h\r\n\r\n"),
    "an upgrade by POST": raw(handshake().replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")),
    "an upgrade to h2c": raw(b"GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
    "no subprotocol": raw(handshake(subprotocol="")),
    "resets": resets,
    "resets after the answer": resets_after_the_answer,
    "half open": half_open,
    "pipelined garbage": pipelined_garbage,
    "frames behind a refused handshake": frames_behind_a_refused_handshake,
    "a declared gigabyte": a_declared_gigabyte,
    "bad frames": bad_frames,
    "smuggled lengths": smuggled,
    "traversal": traversal,
}


@pytest.mark.parametrize("name", ABUSES)
async def test_the_server_survives(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with trio.fail_after(20):
        async with open_house() as house, house.websocket("/media/good-call") as call:
            await ABUSES[name](house)
            assert await house.healthy()
            await call.send_message(b"still here")
            assert await call.get_message() == b"still here"
            assert house.claims[0] == "good-call"
            assert all(claim.startswith("good") for claim in house.claims)
            await house.hang_up()
    assert [record for record in caplog.records if record.name.startswith("agentd")] == [], "abuse is no bug of ours"


async def test_a_handshake_and_a_frame_in_one_packet_is_fine() -> None:
    async with open_house() as house:
        stream = await house.connect()
        await stream.send_all(handshake() + frame(b"ab"))
        data = b""
        while not data.endswith(b"ab"):
            data += await stream.receive_some()
        assert house.messages == [b"ab"]


async def test_five_hundred_slow_clients_do_not_keep_a_call_out() -> None:
    async with open_house() as house:
        for _ in range(500):
            await (await house.connect()).send_all(b"GET /media/good HTTP/1.1\r\nHo")
        await wait_all_tasks_blocked(0.01)
        assert house.door.connections >= 500
        with trio.fail_after(2):  # 0.2 s on a machine that does nothing else
            async with house.websocket("/media/good-call") as call:
                await call.send_message(b"ab")
                assert await call.get_message() == b"ab"


OPENED: list[str] = []


def _watch(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and WATCHING:
        OPENED.append(str(args[0]))


WATCHING: list[bool] = []


async def test_no_request_opens_a_file() -> None:
    sys.addaudithook(_watch)
    async with open_house() as house:
        await house.healthy()
        WATCHING.append(True)
        try:
            await traversal(house)
        finally:
            WATCHING.clear()
    assert [name for name in OPENED if Path(name).suffix not in (".py", ".pyc")] == []


async def test_the_connections_are_all_given_back() -> None:
    async with open_house() as house:
        for _ in range(20):
            await house.healthy()
            await resets(house)
        with trio.fail_after(limits.CLOSE_S + 2):
            while house.door.connections:
                await wait_all_tasks_blocked(0.01)
