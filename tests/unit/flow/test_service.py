"""Tools as HTTP endpoints, against a real server: what is sent, and what each way of answering, or not, comes to."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import trio
from pydantic import BaseModel

from agentd import limits
from agentd.errors import FlowError, ToolError, ToolGone, ToolNotSent, ToolRefused
from agentd.flow import Context, EffectTool, Flow, Hold, Service, Slots, SpokenTime, State, When, held, load, read, slot
from agentd.flow.checks import problems
from agentd.flow.hands import FlowHands
from agentd.flow.service import Endpoint
from agentd.ledger.events import Ask, Done, Found, No, NotSent, Unknown
from agentd.ledger.row import Row
from agentd.offload import Threads
from tests.fakes import booking
from tests.fakes.booking_world import BookingWorld, Fault

NOW = datetime(2026, 11, 20, 17, tzinfo=UTC)
CONTEXT = Context(NOW, call_from="+15550123", call_to="+15550100", call="c1", key="k1", effect="e1")


class Booking(BaseModel):
    when: SpokenTime
    name: str = ""


BOOKING = Booking.model_validate({"when": "2026-11-24T10:00", "name": "Ann"})


@asynccontextmanager
async def answering(
    answer: bytes | Callable[[trio.SocketStream], Awaitable[None]],
) -> AsyncIterator[tuple[Service, list[bytes]]]:
    """A server on loopback that reads one request and answers with these bytes, or as the function does."""
    heard: list[bytes] = []

    async def one(stream: trio.SocketStream) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await stream.receive_some()
        if length := re.search(rb"(?i)content-length: (\d+)", request):
            while len(request.partition(b"\r\n\r\n")[2]) < int(length[1]):
                request += await stream.receive_some()
        heard.append(request)
        if isinstance(answer, bytes):
            await stream.send_all(answer)
            await stream.send_eof()
        else:
            await answer(stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, one, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        yield Service(f"http://127.0.0.1:{port}", allow_private=True), heard
        nursery.cancel_scope.cancel()


def response(status: str = "200 OK", body: bytes = b'{"id": 7}', headers: str = "Content-Type: application/json\r\n") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def ask(service: Service, request: str = "POST /holds", result: Any = None, **more: Any) -> Any:
    return await service.endpoint(request, name="book", args=Booking, **more).call(CONTEXT, BOOKING, result)


# ── What is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_request_carries_its_arguments_its_key_whom_it_is_for_and_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_TOKEN", "Bearer s3cret")
    async with answering(response()) as (service, heard):
        port = service.remote.port
        desk = Service(f"http://127.0.0.1:{port}/v1/", secrets={"Authorization": "DESK_TOKEN"}, allow_private=True)
        assert await ask(desk) == {"id": 7}
    head, _, body = heard[0].partition(b"\r\n\r\n")
    line, *headers = head.decode().lower().split("\r\n")
    assert line == "post /v1/holds http/1.1"
    assert {
        f"host: 127.0.0.1:{port}", "idempotency-key: k1", "authorization: bearer s3cret", "agentd-call: c1",
        "agentd-from: +15550123", "agentd-to: +15550100", "content-type: application/json", "accept-encoding: identity",
    } <= set(headers)  # fmt: skip
    assert json.loads(body) == {"when": "2026-11-24T10:00", "name": "Ann"}


async def test_a_get_carries_neither_key_nor_body_and_its_query_only_what_is_named() -> None:
    async with answering(response()) as (service, heard):
        await ask(service, "GET /free", query=("when",))
    line, _, rest = heard[0].decode().partition("\r\n")
    assert line == "GET /free?when=2026-11-24T10%3A00 HTTP/1.1"
    assert "idempotency-key" not in rest.lower()
    assert rest.endswith("\r\n\r\n")


async def test_a_path_names_the_effect_arguments_and_what_the_first_request_gave() -> None:
    async with answering(response()) as (service, heard):
        await ask(service, "DELETE /a/{effect}/{name}/{result.id}", result={"id": 7})
        await ask(service, "DELETE /a/{result}", result="x y")
    assert [request.split(b" ", 2)[1] for request in heard] == [b"/a/e1/Ann/7", b"/a/x%20y"]


@pytest.mark.parametrize("name", ["../../admin", "a/b", "x?y=1", "x#y", "@evil.example", "//evil.example", "\r\nHost: e", "é"])
async def test_a_value_cannot_leave_its_place_in_the_path(name: str) -> None:
    async with answering(response()) as (service, heard):
        booking_ = BOOKING.model_copy(update={"name": name})
        await service.endpoint("DELETE /a/{name}/b", name="book", args=Booking).call(CONTEXT, booking_)
    target = heard[0].split(b" ", 2)[1]
    assert target.startswith(b"/a/")
    assert target.endswith(b"/b")
    assert target.count(b"/") == 3
    assert not set(b"?#@\r\n") & set(target)


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_a_value_that_would_change_the_path_is_not_sent(name: str) -> None:
    async with answering(response()) as (service, heard):
        booking_ = BOOKING.model_copy(update={"name": name})
        with pytest.raises(ToolNotSent, match=r"nothing to put for \{name\}"):
            await service.endpoint("DELETE /a/{name}/b", name="book", args=Booking).call(CONTEXT, booking_)
    assert heard == []


async def test_a_callers_number_cannot_write_headers() -> None:
    async with answering(response()) as (service, heard):
        context = Context(NOW, call_from='"x"\r\nAdmin: yes', key="k1")
        await service.endpoint("POST /holds", name="book", args=Booking).call(context, BOOKING)
    assert b"\r\nadmin:" not in heard[0].lower()


async def test_without_its_secret_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESK_TOKEN", raising=False)
    desk = Service("http://127.0.0.1:9", secrets={"Authorization": "DESK_TOKEN"}, allow_private=True)
    with pytest.raises(ToolNotSent, match="the environment has no DESK_TOKEN"):
        await ask(desk)


async def test_a_secret_that_is_no_header_is_not_sent_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_TOKEN", "Bearer s3\ncret")
    async with answering(response()) as (service, heard):
        desk = Service(f"http://127.0.0.1:{service.remote.port}", secrets={"Authorization": "DESK_TOKEN"}, allow_private=True)
        with pytest.raises(ToolNotSent) as caught:
            await ask(desk)
    assert "s3" not in str(caught.value)
    assert heard == []


async def test_an_environments_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with answering(response()) as (service, heard):
        await ask(service)
    assert len(heard) == 1


# ── What comes back ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("400 Bad", ToolRefused), ("401 Who", ToolRefused), ("403 No", ToolRefused), ("422 No", ToolRefused),
        ("404 Not Found", ToolGone), ("410 Gone", ToolGone), ("429 Slow down", ToolNotSent),
        ("408 Late", ToolError), ("409 Conflict", ToolError), ("425 Early", ToolError),
        ("500 Oops", ToolError), ("502 Bad", ToolError), ("503 Later", ToolError), ("504 Late", ToolError),
        ("301 There", ToolError), ("303 See", ToolError), ("307 There", ToolError),
    ],
)  # fmt: skip
async def test_each_status_is_a_refusal_or_was_not_looked_at_or_is_unknown(status: str, error: type[ToolError]) -> None:
    async with answering(response(status, headers="Content-Type: application/json\r\nLocation: http://127.0.0.1:9/\r\n")) as (
        service,
        heard,
    ):
        with pytest.raises(ToolError) as caught:
            await ask(service)
    assert type(caught.value) is error
    assert len(heard) == 1


async def test_a_success_without_a_body_is_done() -> None:
    async with answering(b"HTTP/1.1 204 No Content\r\n\r\n") as (service, _):
        assert await ask(service) is None


@pytest.mark.parametrize(
    "answer",
    [
        response(body=b"<html>", headers="Content-Type: text/html\r\n"),
        response(body=b'{"id": 7}', headers=""),
        response(body=b'{"id": '),
        response(body=b'{"id": NaN}'),
        response(body=b"\xff\xfe"),
        response(body=b"[" * 100_000),
        response(headers="Content-Type: application/json\r\nContent-Encoding: gzip\r\n"),
        response(body=b'"' + b"x" * limits.TOOL_ANSWER_BYTES + b'"'),
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"nonsense\r\n\r\n",
        b"",
    ],
    ids=lambda answer: repr(answer[:70]),
)
async def test_an_answer_that_cannot_be_read_leaves_the_outcome_unknown(answer: bytes) -> None:
    async with answering(answer) as (service, heard):
        with pytest.raises(ToolError) as caught:
            await ask(service)
    assert type(caught.value) is ToolError
    assert len(heard) == 1


async def test_an_endless_answer_is_cut_off_at_its_limit() -> None:
    async def pour(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        with suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(b"x" * 65536)

    async with answering(pour) as (service, _):
        with pytest.raises(ToolError, match="more than 1048576 bytes"):
            await ask(service)


async def test_a_connection_that_is_reset_after_the_request_leaves_the_outcome_unknown() -> None:
    async def reset(stream: trio.SocketStream) -> None:
        await trio.aclose_forcefully(stream)

    async with answering(reset) as (service, _):
        with pytest.raises(ToolError) as caught:
            await ask(service)
    assert type(caught.value) is ToolError


async def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(ToolNotSent, match="found nobody at"):
            await ask(Service(f"http://127.0.0.1:{port}", allow_private=True))


async def test_a_server_that_does_not_prove_its_name_gets_nothing() -> None:
    heard: list[bytes] = []

    async def listen(stream: trio.SocketStream) -> None:
        heard.append(await stream.receive_some())
        await stream.send_all(b"\x15\x03\x03\x00\x02\x02\x28")  # a TLS alert: no handshake

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, listen, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(ToolNotSent):
            await ask(Service(f"https://127.0.0.1:{port}", allow_private=True))
        nursery.cancel_scope.cancel()
    assert all(b"holds" not in said for said in heard)
    assert heard


async def test_a_refusal_tells_its_reason_and_never_what_we_sent() -> None:
    async with answering(response("422 No", b'{"error": "it\\nis taken"}')) as (service, _):
        with pytest.raises(ToolRefused, match=r"^POST /holds answered 422: it is taken$"):
            await ask(service)
    async with answering(response("422 No", b'{"error": "no key k1 here"}')) as (service, _):
        with pytest.raises(ToolRefused, match=r"^POST /holds answered 422$"):
            await ask(service)


@pytest.mark.parametrize("until", ['"2026-11-20T18:00:00+00:00"', "1795197600"])
async def test_a_hold_is_told_until_when_it_is_promised(until: str) -> None:
    async with answering(response(body=f'{{"id": 7, "until": {until}}}'.encode())) as (service, _):
        hold = await ask(service, expires="until")
    assert isinstance(hold, Hold)
    assert hold.expires == datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert hold.result["id"] == 7


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"until": "soon"}', b'{"until": 1e300}'])
async def test_a_promise_without_a_time_is_none(body: bytes) -> None:
    async with answering(response(body=body)) as (service, _):
        with pytest.raises(ToolError, match="names no time"):
            await ask(service, expires="until")


# ── Declared as a tool ───────────────────────────────────────────────────────────────────────────────────────────────


class Visit(Slots):
    when: SpokenTime | None = slot(ask="When?")


def desk_flow(url: str) -> Flow:
    desk = Service(url, allow_private=True)
    begin = desk.endpoint("POST /holds", name="book", about="Book an appointment.", args=Booking, expires="expires_at")
    book = held(tell="Booked {when}.", ask="Book {when}?", identity=["when"], ttl=300, timeout=2.0)(begin)
    book.confirm(desk.endpoint("POST /holds/{effect}/confirm"))
    book.cancel(desk.endpoint("DELETE /holds/{effect}"))
    book.undo(desk.endpoint("DELETE /appointments/{effect}"))
    book.status(desk.endpoint("GET /effects/{effect}"))
    return Flow(
        "test",
        states=[State("start", fills=Visit, tools=[book]), State("end", final=True)],
        transitions=[When("is_done", "start", "end", "bye")],
        help="x",
    )


async def test_an_endpoint_is_declared_like_a_function_and_carried_out_by_the_same_hands() -> None:
    world = BookingWorld(time.time)
    async with booking.served(world) as url:
        flow = desk_flow(url)
        assert list(problems(flow)) == []
        hands = FlowHands(flow, Threads(), lambda: datetime.now(UTC), call_from="+15550123")
        tool = flow.tools["book"]
        assert isinstance(tool, EffectTool)
        assert tool.summary == "Book an appointment."

        def row(name: str) -> Row:
            return Row(name, "c1", 0, "book", tool.kind, tool.traits, '{"when": "2026-11-24T10:00"}')

        held_ = await hands.send(row("r1"), Ask.DO)
        assert isinstance(held_, Done)
        assert held_.lasts == pytest.approx(300, abs=1)
        assert await hands.send(row("r2"), Ask.DO) == No("POST /holds answered 422: it is taken")
        assert await hands.send(row("r1"), Ask.STATUS) is Found.THERE
        assert await hands.send(row("r1"), Ask.CONFIRM) == Done('{"reference":"C1"}')
        assert await hands.send(row("r1"), Ask.STATUS) is Found.CONFIRMED
        assert await hands.send(row("r9"), Ask.STATUS) is Found.ABSENT
        assert await hands.send(row("r9"), Ask.UNDO) == Done()
        assert await hands.send(row("r9"), Ask.DO) == No("POST /holds answered 410: it was undone before it came")
        world.faults += [Fault("POST /holds", answer="never"), Fault("POST /holds", answer="reset", carry_out=False)]
        assert await hands.send(row("r5"), Ask.DO) == Unknown("book gave no answer within 2 s")
        assert isinstance(await hands.send(row("r6"), Ask.DO), Unknown)
    assert isinstance(await hands.send(row("r7"), Ask.DO), NotSent)
    assert world.net("r1") == 1
    assert {asked.key for asked in world.asked if asked.method != "GET"} == {"r1", "r1.confirm", "r2", "r9", "r9.undo", "r5"}


BASES = [
    "ftp://desk.example", "desk.example", "https://", "https:///x", "https://user@desk.example", "https://u:p@desk.example",
    "https://desk.example?x=1", "https://desk.example#x", "https://desk.example\\@evil.example", "https://desk .example",
    "https://desk.example:0", "https://desk.example:99999", "https://desk.example:x", "https://dësk.example",
    "https://desk.example/\r\nX: y", "https://desk.example/a/../b", "https://127。0。0。1", "https://ⓛⓞcalhost", "https://[::1",
    "https://desk%2eexample", "//desk.example", "javascript:alert(1)", "",
]  # fmt: skip


@pytest.mark.parametrize("base", BASES)
def test_a_base_that_could_be_read_in_two_ways_is_refused(base: str) -> None:
    with pytest.raises(FlowError) as caught:
        Service(base, allow_private=True)
    assert "https://desk.example/v1" in caught.value.mend


def test_plain_http_is_for_ones_own_net() -> None:
    with pytest.raises(FlowError, match="not encrypted"):
        Service("http://desk.example")
    assert Service("http://desk.example", allow_private=True).remote.port == 80
    assert Service("https://desk.example").remote.port == 443


@pytest.mark.parametrize(
    "request_",
    ["/holds", "FETCH /holds", "POST holds", "POST", "POST //evil", "POST /a?b=c", "POST /a#b", "POST /a/../b", "POST /a b"],
)
def test_a_request_that_is_none_is_refused(request_: str) -> None:
    with pytest.raises(FlowError):
        Service("https://desk.example").endpoint(request_, name="x")


@pytest.mark.parametrize(
    ("request_", "query", "what"), [("GET /free/{day}", (), "'day'"), ("GET /free", ("day",), "'day'"), ("GET /{when}", (), "")]
)
def test_a_field_of_a_path_that_is_no_argument_is_refused_at_load(request_: str, query: tuple[str, ...], what: str) -> None:
    tool = read(tell="{result}")(Service("https://desk.example").endpoint(request_, name="free", args=Booking, query=query))
    flow = Flow(
        "test",
        states=[State("start", fills=Visit, tools=[tool]), State("end", final=True)],
        transitions=[When("is_done", "start", "end", "bye")],
        help="x",
    )
    found = [error.what for error in problems(flow)]
    assert found == ([f"it has {what}, which is no argument"] if what else [])


def test_an_endpoint_that_begins_a_tool_has_a_name() -> None:
    with pytest.raises(FlowError, match="has no name"):
        read(tell="{result}")(Service("https://desk.example").endpoint("GET /free"))


def test_the_endpoints_take_no_functions_place() -> None:
    assert isinstance(load("receptionist").tools["free_times"].function, Endpoint) is False
