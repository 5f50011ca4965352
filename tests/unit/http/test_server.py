"""The door: HTTP and media on one port, bounded, each connection for itself."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked
from trio_websocket import ConnectionClosed

from agentd import limits
from agentd.http import server
from tests.unit.http.door import House, frame, handshake, open_house, read_all

# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_request_reaches_its_handler_and_the_answer_comes_back() -> None:
    async with open_house() as house:
        answer = await house.ask(
            b"POST /echo?a=%2F HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
        )
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\nabc")
        [request] = house.requests
        assert (request.method, request.path, request.query, request.peer) == ("POST", "/echo", "a=%2F", "127.0.0.1")
        assert (request.headers["x-a"], request.body) == ("1, 2", b"abc")


async def test_a_connection_is_kept_and_pipelined_requests_are_answered_in_order() -> None:
    async with open_house() as house:
        one = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n%d"
        answer = await house.ask(
            b"".join(one % i for i in range(5)) + b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )
        assert answer.count(b"HTTP/1.1 200") == 6
        assert [request.body for request in house.requests] == [b"%d" % i for i in range(5)]


async def test_head_is_answered_without_a_body() -> None:
    async with open_house() as house:
        answer = await house.ask(b"HEAD /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"content-length: 3\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")


async def test_a_chunked_body_is_read_and_100_continue_is_said() -> None:
    async with open_house() as house:
        stream = await house.connect()
        await stream.send_all(
            b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert b"100" in await stream.receive_some()
        await stream.send_all(b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        assert (await read_all(stream)).endswith(b"abc")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\n\r\n", 411),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (limits.BODY_BYTES + 1), 413),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + b"x" * 0x20000, 413),
        (b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 2 * limits.HEAD_BYTES, 431),
        (b"POST /signed HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n", 401),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
    ],
)
async def test_what_cannot_be_served_is_refused_with_its_status(data: bytes, status: int) -> None:
    async with open_house() as house:
        assert (await house.ask(data)).startswith(b"HTTP/1.1 %d " % status)
        assert house.requests == []
        assert await house.healthy()


async def test_a_refused_peer_that_is_still_sending_is_heard_out_for_a_moment() -> None:
    async with open_house() as house:
        stream = await house.connect()
        await stream.send_all(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n")
        await stream.send_all(bytes(3_000_000))  # closed with bytes unread, the connection would be reset under this
        assert (await read_all(stream)).startswith(b"HTTP/1.1 413 ")


async def test_a_refused_body_is_never_read() -> None:
    async with open_house() as house:
        stream = await house.connect()
        await stream.send_all(b"POST /signed HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n")
        assert b" 401 " in await read_all(stream)  # no byte of the body was sent, and none was waited for


async def test_a_handlers_bug_is_a_500_and_nobody_elses_matter(caplog: pytest.LogCaptureFixture) -> None:
    async with open_house() as house:
        with caplog.at_level(logging.CRITICAL, logger="agentd.http.server"):
            assert (await house.ask(b"GET /bug HTTP/1.1\r\nHost: h\r\n\r\n")).startswith(b"HTTP/1.1 500 ")
        assert await house.healthy()


class OneListener(trio.abc.Listener[trio.abc.HalfCloseableStream]):
    """Hands out one end of a pipe, so that a test can have virtual time without a kernel in it."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self._streams = [stream]

    async def accept(self) -> trio.abc.HalfCloseableStream:
        if not self._streams:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        return self._streams.pop()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def served(nursery: trio.Nursery, house: House) -> trio.abc.HalfCloseableStream:
    ours, theirs = memory_stream_pair()
    await nursery.start(house.door.serve, [OneListener(theirs)])
    return ours


@pytest.mark.parametrize(
    ("data", "after", "status"),
    [
        (b"", limits.HEAD_S, None),
        (b"G", limits.HEAD_S, 408),
        (b"GET /healthz HTTP/1.1\r\nHost:", limits.HEAD_S, 408),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", limits.HEAD_S, 408),
    ],
)
async def test_a_slow_request_is_given_up(data: bytes, after: float, status: int | None, autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        stream = await served(nursery, House())
        began = trio.current_time()
        if data:
            await stream.send_all(data)
        answer = bytearray()
        while part := await stream.receive_some():
            answer += part
        assert trio.current_time() - began == pytest.approx(after, abs=limits.CLOSE_S + 0.01)
        assert bytes(answer).startswith(b"HTTP/1.1 %d " % status if status else b"")
        assert bool(answer) == bool(status)
        nursery.cancel_scope.cancel()


async def test_dribbled_bytes_do_not_buy_time(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        stream = await served(nursery, House())

        async def dribble() -> None:
            for byte in b"GET /healthz HTTP/1.1\r\nHost: " + b"h" * 100:
                await stream.send_all(bytes([byte]))
                await trio.sleep(1.0)

        nursery.start_soon(dribble)
        began = trio.current_time()
        assert b" 408 " in await stream.receive_some()
        assert trio.current_time() - began == pytest.approx(limits.HEAD_S)
        nursery.cancel_scope.cancel()


async def test_an_idle_connection_is_closed_after_its_time(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        stream = await served(nursery, House())
        await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b" 200 " in await stream.receive_some()
        began = trio.current_time()
        assert await stream.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(limits.IDLE_S)
        nursery.cancel_scope.cancel()


async def test_a_peer_that_takes_no_bytes_is_dropped(autojump_clock: MockClock) -> None:
    house = House()
    ours, theirs = lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        await nursery.start(house.door.serve, [OneListener(theirs)])
        await ours.send_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        await trio.sleep(limits.WRITE_DEADLINE_S - 0.1)
        assert house.door.connections == 1
        await trio.sleep(0.2)
        assert house.door.connections == 0
        nursery.cancel_scope.cancel()


async def test_more_connections_than_there_may_be_are_closed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS", 2)
    async with open_house() as house:
        held = [await house.connect() for _ in range(2)]
        for stream in held:
            await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b" 200 " in await stream.receive_some()
        with trio.fail_after(2):
            assert await read_all(await house.connect()) == b""
        await held[0].aclose()
        await wait_all_tasks_blocked(0.01)
        assert await house.healthy()


# ── Media ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("subprotocol", ["audio.drachtio.org", "audio.jambonz.org"])
async def test_an_admitted_socket_gets_its_handler_and_its_own_subprotocol(subprotocol: str) -> None:
    async with open_house() as house:
        async with house.websocket("/media/good-1?x=y", subprotocol) as socket:
            assert socket.subprotocol == subprotocol
            for message in (b"\x01\x02" * 160, "text", b"", b"x" * 100_000):
                await socket.send_message(message)
                assert await socket.get_message() == message
            await socket.send_message("bye")
            with pytest.raises(ConnectionClosed) as caught:
                await socket.get_message()
            assert caught.value.reason is not None
            assert caught.value.reason.code == 1000
        assert house.claims == ["good-1"]
        [(path, _, offered)] = house.asked
        assert (path, offered) == ("/media/good-1", (subprotocol,))


async def test_a_subprotocol_that_was_not_offered_is_never_answered(caplog: pytest.LogCaptureFixture) -> None:
    async with open_house() as house:
        with caplog.at_level(logging.CRITICAL, logger="agentd.http.server"):
            assert (await house.ask(handshake("/media/good-foreign"))).startswith(b"HTTP/1.1 500 ")
        assert house.claims == []


async def test_what_is_not_admitted_gets_the_refusal_and_no_handler() -> None:
    async with open_house() as house:
        assert (await house.ask(handshake("/media/bad"))).startswith(b"HTTP/1.1 403 ")
        assert house.claims == []


@pytest.mark.parametrize(
    "data",
    [
        handshake(subprotocol=""),
        handshake(subprotocol=" , "),
        handshake().replace(b"13", b"12"),
        handshake().replace(b"==", b"="),
        handshake().replace(b"Connection: Upgrade", b"Connection: close"),
        handshake().replace(b"GET", b"PUT").replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"),
        handshake(extra="Content-Length: 5\r\n") + b"hello",
    ],
)
async def test_a_garbled_handshake_is_refused_before_anybody_is_asked(data: bytes) -> None:
    async with open_house() as house:
        assert (await house.ask(data))[9:12] in (b"400", b"405")
        assert house.asked == []


async def test_frames_in_the_same_packet_as_the_handshake_are_not_lost() -> None:
    async with open_house() as house:
        stream = await house.connect()
        await stream.send_all(handshake() + frame(b"token", 1) + frame(b"ab"))
        data = b""
        while not data.endswith(b"\x82\x02ab"):
            data += await stream.receive_some()
        assert data.startswith(b"HTTP/1.1 101 ")
        assert house.messages == ["token", b"ab"]


async def test_a_socket_may_be_opened_on_a_kept_connection_and_with_a_host_that_is_none() -> None:
    async with open_house() as house:
        stream = await house.connect()
        await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b" 200 " in await stream.receive_some()
        await stream.send_all(handshake().replace(b"Host: h", b"Host: ..\xff..xn--\xfe") + frame(b"ab"))
        data = b""
        while not data.endswith(b"\x82\x02ab"):
            data += await stream.receive_some()
        assert b" 101 " in data


async def test_no_extension_is_ever_agreed_to() -> None:
    async with open_house() as house:
        stream = await house.connect()
        await stream.send_all(handshake(extra="Sec-WebSocket-Extensions: permessage-deflate\r\n"))
        answer = await stream.receive_some()
        assert b" 101 " in answer
        assert b"xtensions" not in answer


async def test_a_message_beyond_the_limit_closes_with_1009() -> None:
    async with (
        open_house() as house,
        house.websocket("/media/good") as socket,
    ):
        await socket.send_message(bytes(limits.MAX_MEDIA_MESSAGE + 1))
        with pytest.raises(ConnectionClosed) as caught:
            await socket.get_message()
        assert caught.value.reason is not None
        assert caught.value.reason.code == 1009
        assert house.messages == []


async def test_a_ping_behind_our_close_cancels_nobody() -> None:
    async with open_house() as house:
        stream = await house.connect()
        await stream.send_all(handshake("/media/good-close"))
        data = b""
        while not data.endswith(b"\x88\x02\x03\xe9"):
            data += await stream.receive_some()
        await stream.send_all(frame(b"are you there?", 9))
        await stream.send_all(frame(b"\x03\xe9", 8))
        assert await read_all(stream) == b""
        await wait_all_tasks_blocked(0.02)
        assert house.ended == ["good-close"]


async def test_a_ping_behind_a_message_beyond_the_limit_cancels_nobody() -> None:
    async with open_house() as house:
        stream = await house.connect()
        size = limits.MAX_MEDIA_MESSAGE + 1
        await stream.send_all(handshake("/media/good-fat"))
        assert b" 101 " in await stream.receive_some()
        await stream.send_all(b"\x82\xff" + size.to_bytes(8) + bytes(4 + size) + frame(b"are you there?", 9))
        assert b"\x03\xf1" in await stream.receive_some()  # 1009
        await read_all(stream)
        await wait_all_tasks_blocked(0.02)
        assert house.ended == ["good-fat"]


async def test_a_calls_bug_ends_that_call_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with open_house() as house:
        async with house.websocket("/media/good-1") as other:
            with caplog.at_level(logging.CRITICAL, logger="agentd.http.server"):
                answer = await house.ask(handshake("/media/good-bug"))
            assert answer.count(b"HTTP/1.1") == 1  # no 500 in the middle of frames
            await other.send_message(b"ab")
            assert await other.get_message() == b"ab"
        assert await house.healthy()


async def test_more_handshakes_than_there_may_be_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HANDSHAKES", 0)
    async with open_house() as house:
        assert (await house.ask(handshake())).startswith(b"HTTP/1.1 503 ")
        assert house.asked == []


async def test_stopping_closes_the_listener_and_the_idle_and_keeps_the_call() -> None:
    house = House()
    async with trio.open_nursery() as nursery:
        done = trio.Event()

        async def serve(task_status: trio.TaskStatus[list[trio.SocketListener]]) -> None:
            await house.door.serve(await trio.open_tcp_listeners(0, host="127.0.0.1"), task_status=task_status)
            done.set()

        [listener] = await nursery.start(serve)
        house.port = listener.socket.getsockname()[1]
        idle = await house.connect()
        await idle.send_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        await idle.receive_some()
        async with house.websocket("/media/good") as socket:
            house.door.stop()
            with trio.fail_after(2):
                assert await read_all(idle) == b""
            with pytest.raises(OSError, match="connect"):
                await house.connect()
            await socket.send_message(b"ab")
            assert await socket.get_message() == b"ab"
            assert not done.is_set()
        await house.hang_up()
        with trio.fail_after(2):
            await done.wait()
    assert house.door.connections == 0
