"""A request goes to the address that was looked up, under the name that was declared: in its TLS and in its Host."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agentd.errors import ToolNotSent
from agentd.flow import Service
from agentd.flow.wire import Request, send

ASK = Request("GET", "/free", "GET /free", {})


class Loopback(trio.abc.HostnameResolver):
    """Every name is this machine."""

    async def getaddrinfo(self, host: bytes | None, port: Any, *more: Any, **kw: Any) -> Any:
        return [(trio.socket.AF_INET, trio.socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        raise NotImplementedError


def certificate(folder: Path, name: str) -> Path:
    """A certificate for `name`, signed by itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def encrypted(path: Path) -> AsyncIterator[tuple[int, list[tuple[str | None, bytes]]]]:
    """A TLS server on loopback: its port, and the name and the request that it was asked for by."""
    heard: list[tuple[str | None, bytes]] = []
    names: list[str | None] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    context.sni_callback = lambda sock, name, context: names.append(name)

    async def one(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            request = await stream.receive_some()
        except trio.BrokenResourceError:
            return
        heard.append((names[-1], bytes(request)))
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, one, listeners)
        yield listeners[0].transport_listener.socket.getsockname()[1], heard
        nursery.cancel_scope.cancel()


async def asked(port: int, trusted: Path) -> Any:
    """Ask the desk at `port`, whose certificate is trusted."""
    trio.socket.set_custom_hostname_resolver(Loopback())
    remote = Service(f"https://desk.example:{port}", allow_private=True).remote
    return await send(replace(remote, tls=ssl.create_default_context(cafile=str(trusted))), ASK)


async def test_the_name_is_asked_for_and_proven_though_an_address_is_called(tmp_path: Path) -> None:
    path = certificate(tmp_path, "desk.example")
    async with encrypted(path) as (port, heard):
        assert await asked(port, path) == []
    name, request = heard[0]
    assert name == "desk.example"
    assert f"host: desk.example:{port}\r\n".encode() in request.lower()


async def test_a_server_with_another_name_gets_no_request(tmp_path: Path) -> None:
    path = certificate(tmp_path, "evil.example")
    async with encrypted(path) as (port, heard):
        with pytest.raises(ToolNotSent, match="ConnectError"):
            await asked(port, path)
    assert heard == []


async def test_a_server_that_nobody_vouches_for_gets_no_request(tmp_path: Path) -> None:
    path = certificate(tmp_path, "desk.example")
    async with encrypted(path) as (port, heard):
        with pytest.raises(ToolNotSent, match="ConnectError"):
            await asked(port, certificate(tmp_path, "other.example"))
    assert heard == []
