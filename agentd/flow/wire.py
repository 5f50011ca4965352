"""One request to a tool's remote: to an address that was looked up once and may be called, by HTTP, with a bound on everything.

Every failure is one of three. `ToolNotSent`: nothing has left. `ToolRefused`: the remote has said no. `ToolError`: the request
has left, and what came of it is not known. No error's text holds a header, an argument or what a library says.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import trio
from pydantic_core import from_json

from agentd import limits
from agentd.errors import ToolError, ToolGone, ToolNotSent, ToolRefused

ADDRESSES: Final = 3
"""Addresses of one name that are tried in turn: more would take longer than a caller waits."""

REASON_CHARS: Final = 200
"""Characters of a remote's reason for its refusal: a sentence."""

NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Remote:
    """Whom requests go to, and nobody else. `tls` is None for plain HTTP; `private`: an address of one's own net will do."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: `target` is the path as it goes out, `what` the request's name in errors."""

    method: str
    target: str
    what: str
    headers: Mapping[str, str]
    body: bytes | None = None


async def send(remote: Remote, request: Request) -> Any:
    """The JSON that a remote answers, None where it answers without a body. Raises ToolError and its kinds.

    Cancelled: the request may have been carried out, once its connection stood.
    """
    for address in await _addresses(remote, request.what):
        try:
            return await _send_to(address, remote, request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failed = type(error).__name__
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError) as error:
            raise ToolNotSent(f"{request.what} cannot be written as a request: {type(error).__name__}") from None
        except httpx.HTTPError as error:
            raise ToolError(f"{request.what} got no answer: {type(error).__name__}") from None
    raise ToolNotSent(f"{request.what} found nobody at {remote.host}: {failed}")


async def _addresses(remote: Remote, what: str) -> list[str]:
    """Where the remote's name leads now; ToolNotSent where it may not be called. Cancelled: nothing is left behind."""
    try:
        with trio.fail_after(limits.TOOL_CONNECT_S):
            found = await trio.socket.getaddrinfo(remote.host, remote.port, type=trio.socket.SOCK_STREAM)
    except (OSError, UnicodeError, trio.TooSlowError) as error:
        raise ToolNotSent(f"{what} found no address of {remote.host}: {type(error).__name__}") from None
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    if not remote.private:
        for address in addresses:
            if not public(ipaddress.ip_address(address)):
                raise ToolNotSent(f"{what} was not sent: {remote.host} leads to {address}, which is no public address")
    return addresses[:ADDRESSES]


def public(address: Address) -> bool:
    """Whether an address lies in the open internet; one that wraps another is what it wraps, or a tunnel nobody needs."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.ipv4_mapped is not None:
            return public(address.ipv4_mapped)
        if address.sixtofour or address.teredo or address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


async def _send_to(address: str, remote: Remote, request: Request) -> Any:
    """By its address, under its name. Cancelled: as `send`."""
    host = f"[{remote.host}]" if ":" in remote.host else remote.host
    at = f"[{address}]" if ":" in address else address
    name = host if remote.port == (443 if remote.tls else 80) else f"{host}:{remote.port}"
    headers = {
        "host": name, "user-agent": "agentd", "accept": "application/json", "accept-encoding": "identity",
        "connection": "close", **request.headers,
    }  # fmt: skip
    url = f"{'https' if remote.tls else 'http'}://{at}:{remote.port}{request.target}"
    async with (
        httpx.AsyncClient(
            verify=remote.tls or False,
            trust_env=False,
            timeout=httpx.Timeout(None, connect=limits.TOOL_CONNECT_S),
        ) as client,
        client.stream(
            request.method, url, headers=headers, content=request.body, extensions={"sni_hostname": remote.host}
        ) as response,
    ):
        body = bytearray()
        with trio.CancelScope() as enough:  # a cancelled read ends all of the library's generators, a broken loop none
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > limits.TOOL_ANSWER_BYTES:
                    enough.cancel()
        if len(body) > limits.TOOL_ANSWER_BYTES:
            raise ToolError(f"{request.what} answered more than {limits.TOOL_ANSWER_BYTES} bytes")
        return _answer(response, bytes(body), request)


def _answer(response: httpx.Response, body: bytes, request: Request) -> Any:
    """What a whole response means."""
    status = response.status_code
    if not 200 <= status < 300:
        raise meaning(status, f"{request.what} answered {status}{_reason(body, request)}")
    if not body:
        return None
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/json" or kind.endswith("+json")) or "content-encoding" in response.headers:
        raise ToolError(f"{request.what} answered {status} with what is no plain JSON")
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        raise ToolError(f"{request.what} answered {status} with broken JSON") from None


def meaning(status: int, why: str) -> ToolError:
    """What a status that is no success says of the request: it was refused, never looked at, or nobody knows."""
    match status:
        case 404 | 410:
            return ToolGone(why)
        case 429:
            return ToolNotSent(why)
        case 408 | 409 | 425:
            return ToolError(why)
    return ToolRefused(why) if 400 <= status < 500 else ToolError(why)


def _reason(body: bytes, request: Request) -> str:
    """The `error` of a refusal's JSON, where it is a text and repeats nothing that we keep to ourselves."""
    try:
        told = from_json(body)
    except ValueError:
        return ""
    text = told.get("error") if isinstance(told, dict) else None
    if not isinstance(text, str) or any(value in text for value in request.headers.values()):
        return ""
    return f": {' '.join(text.split())[:REASON_CHARS]}"
