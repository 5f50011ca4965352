"""A tool's endpoint reaches its declared host and nobody else, however an address is spelled, looked up or handed over.

What is counted are the connections that the process itself asks the system for, wherever in it that happens.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import trio
from pydantic import BaseModel

from agentd.errors import FlowError, ToolError, ToolNotSent
from agentd.flow import Context, Service
from agentd.flow.wire import public

CONTEXT = Context(datetime(2026, 11, 20, tzinfo=UTC), key="k1", effect="e1")
DESK = "93.184.216.34"
"""A public address, as `desk.example` is looked up here."""

_seen: list[tuple[str, int]] | None = None


def _watch(event: str, args: tuple[Any, ...]) -> None:
    """Note every connection while a test looks, and let none leave the machine."""
    if event == "socket.connect" and _seen is not None and args[0].family in (socket.AF_INET, socket.AF_INET6):
        _seen.append(args[1][:2])
        if args[1][0] != "127.0.0.1":
            raise ConnectionRefusedError


sys.addaudithook(_watch)


@pytest.fixture
def connects() -> Iterator[list[tuple[str, int]]]:
    global _seen  # noqa: PLW0603  # an audit hook stays for ever, and looks here
    _seen = []
    yield _seen
    _seen = None


class Names(trio.abc.HostnameResolver):
    """A name server: a name's addresses, one set after the other, the last one for ever."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers, self.asked = {name.replace("_", "."): sets for name, sets in answers.items()}, list[str]()

    async def getaddrinfo(self, host: bytes | None, port: Any, family: int = 0, *more: Any, **kw: Any) -> Any:
        name = (host or b"").decode()
        self.asked.append(name)
        sets = self.answers.get(name)
        if sets is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        found = sets.pop(0) if len(sets) > 1 else sets[0]
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        raise NotImplementedError


@pytest.fixture
async def names() -> Names:
    resolver = Names(desk_example=[[DESK]], localhost=[["127.0.0.1", "::1"]])
    trio.socket.set_custom_hostname_resolver(resolver)
    return resolver


class Args(BaseModel):
    value: str = "x"


async def send(service: Service, request: str = "POST /a/{value}", value: str = "x") -> Any:
    return await service.endpoint(request, name="tool", args=Args).call(CONTEXT, Args(value=value))


HOSTS = [
    # this machine
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1",
    "017700000001", "0", "0.0.0.0", "localhost", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]",
    "[2001:0:5db8:d822:0:0:80ff:fffe]",
    # a cloud's metadata
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518",
    "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fd00:ec2::254]",
    # one's own net
    "10.0.0.1", "10.1", "0xa000001", "172.16.0.1", "172.31.255.255", "192.168.1.1", "3232235777", "100.64.0.1", "[fc00::1]",
    "[fe80::1]", "[fec0::1]",
    # nobody's
    "192.0.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "[ff02::1]", "[2001:db8::1]",
    # two hosts in one
    "desk.example@127.0.0.1", "desk.example:443@169.254.169.254", "127.0.0.1\\@desk.example", "desk.example#@127.0.0.1",
    "desk.example?@127.0.0.1", "127.0.0.1%00.desk.example", "127.0.0.1%2f.desk.example", "desk.example\t@127.0.0.1",
    # letters that are read as others
    "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "loc\u00adalhost", "127.0.0.1\u200b",
    # names that are none
    "localhost.", ".localhost", "desk.example.", "[::1", "::1]", "[fe80::1%25eth0]", "[v1.x]",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("port", ["", ":22", ":6379"])
async def test_no_spelling_of_a_private_address_is_called(
    host: str, port: str, connects: list[tuple[str, int]], names: Names
) -> None:
    with pytest.raises((FlowError, ToolNotSent)):
        await send(Service(f"https://{host}{port}"))
    assert connects == []


ADDRESSES = [
    "127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.0.1", "0.0.0.0", "100.64.0.1", "224.0.0.1", "::1", "::",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "fe80::1", "fc00::1", "fec0::1", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("beside", [[], [DESK], ["2606:4700::1"]], ids=["alone", "beside a public one", "beside IPv6"])
async def test_a_name_that_leads_inside_is_not_called(
    address: str, beside: list[str], connects: list[tuple[str, int]], names: Names
) -> None:
    names.answers["evil.example"] = [[*beside, address]]
    with pytest.raises(ToolNotSent, match="is no public address"):
        await send(Service("https://evil.example"))
    assert connects == []


async def test_a_name_is_looked_up_once_and_what_was_looked_at_is_called(connects: list[tuple[str, int]], names: Names) -> None:
    names.answers["evil.example"] = [[DESK], ["127.0.0.1"]]
    service = Service("https://evil.example")
    with pytest.raises(ToolNotSent, match="found nobody"):
        await send(service)
    assert names.asked == ["evil.example"]
    assert connects == [(DESK, 443)]
    with pytest.raises(ToolNotSent, match="is no public address"):
        await send(service)
    assert connects == [(DESK, 443)]


async def test_a_name_with_many_addresses_is_tried_at_three(connects: list[tuple[str, int]], names: Names) -> None:
    names.answers["wide.example"] = [[f"93.184.216.{last}" for last in range(34, 60)]]
    with pytest.raises(ToolNotSent):
        await send(Service("https://wide.example:8443"))
    assert connects == [("93.184.216.34", 8443), ("93.184.216.35", 8443), ("93.184.216.36", 8443)]


VALUES = [
    "http://169.254.169.254/", "//169.254.169.254/", "\\\\169.254.169.254\\", "@169.254.169.254/", ":22/", ":6379/",
    "user@127.0.0.1", "127.0.0.1:6379", "x\r\nHost: 169.254.169.254", "x HTTP/1.1\r\n\r\nGET http://127.0.0.1/ HTTP/1.1\r\n",
    "x#@127.0.0.1", "x?url=http://127.0.0.1", "%2f%2f127.0.0.1", "..;@127.0.0.1", "\x00127.0.0.1", "[::1]",
    "①②⑦.⓪.⓪.①", ".", "..",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("path", ["POST /a/{value}", "POST /{value}/b", "POST /{value}"])
async def test_no_argument_moves_a_request_elsewhere(
    value: str, path: str, connects: list[tuple[str, int]], names: Names
) -> None:
    with pytest.raises(ToolNotSent):
        await send(Service("https://desk.example"), path, value)
    assert connects in ([], [(DESK, 443)])


@asynccontextmanager
async def redirecting(status: int, to: str) -> AsyncIterator[tuple[Service, list[bytes]]]:
    """A service on loopback that sends whoever asks elsewhere."""
    heard: list[bytes] = []

    async def one(stream: trio.SocketStream) -> None:
        heard.append(await stream.receive_some())
        head = f'HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nRefresh: 0; url={to}\r\nAlt-Svc: h2="{to}"\r\n'
        await stream.send_all(f"{head}Content-Length: 0\r\nSet-Cookie: a=b\r\n\r\n".encode())
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, one, 0, host="127.0.0.1"))
        yield Service(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}", allow_private=True), heard
        nursery.cancel_scope.cancel()


ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:22/", "http://127.0.0.1:6379/", "//169.254.169.254/",
    "http://[::1]:6379/", "https://desk.example/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL",
    "http://desk.example@169.254.169.254/", "/elsewhere",
]  # fmt: skip


@pytest.mark.parametrize("to", ELSEWHERE)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int, to: str, connects: list[tuple[str, int]], names: Names) -> None:
    async with redirecting(status, to) as (service, heard):
        with pytest.raises(ToolError, match=f"answered {status}$") as caught:
            await send(service)
    assert type(caught.value) is ToolError  # it may have been done: nobody knows
    assert connects == [("127.0.0.1", service.remote.port)]
    assert len(heard) == 1
    assert names.asked == []


@pytest.mark.parametrize("address", ["8.8.8.8", DESK, "2606:4700::1", "2001:4860:4860::8888", "64:ff9b::808:808"])
def test_the_open_internet_may_be_called(address: str) -> None:
    assert public(ipaddress.ip_address(address))


async def test_ones_own_net_is_called_where_the_author_says_so(connects: list[tuple[str, int]], names: Names) -> None:
    with pytest.raises(ToolNotSent, match="found nobody"):
        await send(Service("http://10.0.0.1:8080", allow_private=True))
    assert connects == [("10.0.0.1", 8080)]
