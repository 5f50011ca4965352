from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from telemetry import export, otlp
from telemetry.export import Telemetry
from telemetry.turns import Clock
from tests.unit.telemetry.script import START, Script
from tests.unit.telemetry.test_spans import ZERO, everything


class Peer(ThreadingHTTPServer):
    """A collector that keeps what it is given."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, ExportTraceServiceRequest]] = []
        self.status = 200
        self.came = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Peer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.server.came.set()
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def play(telemetry: Telemetry, calls: int = 1) -> list[dict[str, Any]]:
    """Calls from their first to their last entry; their spans."""
    spans: list[dict[str, Any]] = []
    for _ in range(calls):
        call = telemetry.call("x", {}, Clock(START, ZERO), spans.append)
        for entry in everything():
            call.write(entry)
        call.close("hangup", {})
    return spans


async def test_a_collector_gets_what_the_folder_gets(peer: Peer) -> None:
    telemetry = Telemetry("my-agent", peer.url, False)
    spans = play(telemetry)
    await telemetry.aclose()
    assert {path for path, _ in peer.requests} == {"/v1/traces"}
    resources = [resource for _, request in peer.requests for resource in request.resource_spans]
    names = {a.key: a.value.string_value for resource in resources for a in resource.resource.attributes}
    assert names["service.name"] == "my-agent"
    got = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
    assert [(s.name, s.span_id.hex(), s.trace_id.hex(), s.parent_span_id.hex() or None) for s in got] == [
        (s["name"], s["span_id"], s["trace_id"], s["parent_id"]) for s in spans
    ]
    assert [(s.start_time_unix_nano, s.end_time_unix_nano) for s in got] == [(s["start"], s["end"]) for s in spans]
    assert [[e.name for e in s.events] for s in got] == [[e["name"] for e in s["events"]] for s in spans]
    assert [{a.key for a in s.attributes} for s in got] == [set(s["attributes"]) for s in spans]
    assert {s.name for s in got if s.status.code == 2} == {"think", "tool"}
    assert 'lost_total{what="span"} 0' in telemetry.render()


async def test_a_live_call_is_exported_turn_by_turn(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "DELAY_MS", 10)
    telemetry = Telemetry("agentd", peer.url, False)
    call = telemetry.call("x", {}, Clock(START, ZERO), lambda span: None)
    for entry in Script().greeted().wait(1).says("hello there").entries:
        call.write(entry)
    assert await trio.to_thread.run_sync(peer.came.wait, 5)
    (resource,) = peer.requests[0][1].resource_spans
    assert "turn" in {span.name for span in resource.scope_spans[0].spans}
    await telemetry.aclose()


async def test_a_dead_collector_costs_a_counter_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "TIMEOUT_S", 0.2)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        telemetry = Telemetry("agentd", f"http://127.0.0.1:{closed.getsockname()[1]}", False)
        spans = play(telemetry, calls=20)
        await telemetry.aclose()
    assert f'agentd_telemetry_lost_total{{what="span"}} {len(spans)}\n' in telemetry.render()
    assert f'agentd_telemetry_lost_total{{what="span"}} {len(spans)}\n' in telemetry.render(), "a loss is told once"


async def test_a_collector_that_refuses_costs_a_counter(peer: Peer) -> None:
    peer.status = 400
    telemetry = Telemetry("agentd", peer.url + "/v1/traces", False)
    spans = play(telemetry)
    await telemetry.aclose()
    assert f'agentd_telemetry_lost_total{{what="span"}} {len(spans)}\n' in telemetry.render()


async def test_a_full_queue_loses_the_newest_and_counts_them(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "QUEUE", 40)
    monkeypatch.setattr(otlp, "BATCH", 40)
    monkeypatch.setattr(otlp, "DELAY_MS", 60_000)
    taken = threading.Event()
    monkeypatch.setattr(otlp._Counting, "export", lambda self, spans: taken.wait(5))
    telemetry = Telemetry("agentd", peer.url, False)
    spans = play(telemetry, calls=3)
    assert f'agentd_telemetry_lost_total{{what="span"}} {len(spans) - 40}\n' in telemetry.render()
    taken.set()
    await telemetry.aclose()


async def test_closing_waits_no_longer_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CLOSE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as hole:  # takes the connection and never answers
        telemetry = Telemetry("agentd", f"http://127.0.0.1:{hole.getsockname()[1]}", False)
        play(telemetry)
        with trio.fail_after(1):
            await telemetry.aclose()


def test_without_a_collector_nothing_is_started_or_imported() -> None:
    code = (
        "import sys, threading; from telemetry.export import Telemetry; Telemetry('agentd', None, False);"
        "assert threading.active_count() == 1; assert not [m for m in sys.modules if m.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
