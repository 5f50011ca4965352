"""The daemon: one process that answers calls. It listens, admits, wires each call to the world, and drains."""

from __future__ import annotations

import errno
import logging
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import trio
from trio_websocket import WebSocketConnection

from agentd.actors.kit import open_jobs
from agentd.actors.memory import Memory
from agentd.actors.transport import MediaCounts
from agentd.call import Call, Surroundings
from agentd.carriers.sautikit import webhook
from agentd.carriers.sautikit.control import SIGNATURE, choose_subprotocol
from agentd.carriers.sautikit.media import SautikitMedia
from agentd.carriers.tokens import BadToken, Tokens
from agentd.desk import Desk, Return, Stream
from agentd.errors import Fenced, LedgerDown, OperatorError, ProviderError, SettingsError
from agentd.extensions import Extension, open_extensions
from agentd.flow.hands import FlowHands
from agentd.folder import CallFolder, new_call_id, purge
from agentd.http.routes import Router
from agentd.http.server import Door, MediaAdmission
from agentd.http.socket import Socket
from agentd.http.wire import Request, Response
from agentd.janitor import Janitor
from agentd.ledger.book import Book, changes
from agentd.ledger.hands import Hands, NoHands
from agentd.ledger.storage.codec import CallFacts
from agentd.ledger.storage.incidents import Census
from agentd.ledger.storage.ledger import Ledger, open_ledger
from agentd.offload import Offload, Threads
from agentd.outbox import Outbox
from agentd.outbox import webhook as call_is_over
from agentd.records import CallRecord
from agentd.settings import Settings
from telemetry import names
from telemetry.export import CallTrace, Telemetry
from telemetry.turns import Clock

log = logging.getLogger(__name__)

FAREWELL_S: Final = 20.0
"""After the drain's deadline a call may say its line and close: the turn machine's own patience for that."""

LEAVE_S: Final = 2.0
"""After the last call, requests that are under way get their answers; then what is left is cut."""

LOOK_S: Final = 0.05
"""How often a daemon that drains looks whether all calls are over: a stream that is expected may simply never come."""

CLOSE_LEDGER_S: Final = 2.0
"""What is not settled is let go with the process in any case."""

PURGE_S: Final = 3600.0
"""How often calls beyond their retention are deleted; it is counted in days."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a media socket stands for: the carrier's call, and the token that it showed."""

    call_id: str
    token: str = field(repr=False)


class Daemon:
    """Built from settings; `run` serves until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._offload: Offload = Threads()
        self._desk = Desk(settings.calls.limit, time.monotonic, self._is_ours)
        self._tokens = Tokens(secrets.token_bytes(32), time.time)
        at = settings.telemetry
        self._telemetry = Telemetry(at.service_name, at.otlp_endpoint or None, at.content)
        self._calls: dict[str, Call] = {}
        self._leaving = False
        self._extensions: Mapping[str, Extension] = {}

    def _is_ours(self, number: str) -> bool:
        try:
            return bool(self._settings.flow_for(number))
        except SettingsError:
            return False

    # ── Life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, ready: Callable[[str], None]) -> bool:
        """Serve until TERM or INT, then drain; `ready` is called with the public address once calls can come in.

        Answers whether every call came to its own end; a second signal, or the end of all patience, cuts them. Raises
        OperatorError for what the settings or a flow get wrong. Cancelled: all calls are cut, their records closed.
        """
        try:
            async with _listening(self._settings.server.host, self._settings.server.port) as listeners:
                url = self._public_url(listeners)
                door = self._door(url)
                self._extensions = await open_extensions(self._settings, self._offload)
                ledger = await open_ledger(self._settings, self._offload)
                try:
                    self._janitor = self._make_janitor(ledger)
                    return await self._serve(door, listeners, lambda: ready(url))
                finally:
                    with trio.move_on_after(CLOSE_LEDGER_S, shield=True), suppress(LedgerDown):
                        await ledger.aclose()
        finally:
            await self._telemetry.aclose()

    async def _serve(self, door: Door[_Claim], listeners: list[trio.SocketListener], ready: Callable[[], None]) -> bool:
        """Cancelled: as `run`."""
        with trio.CancelScope() as life, trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with open_jobs() as jobs:
                jobs.start(self._retain)
                jobs.start(self._janitor.run)
                jobs.start(self._obey, signals, door, life)
                ready()
                await door.serve(listeners)
                with trio.move_on_after(LEAVE_S):
                    await self._janitor.quiet()
        return not life.cancelled_caught

    def _make_janitor(self, ledger: Ledger) -> Janitor:
        self._ledger, metrics = ledger, self._telemetry.metrics
        self._outbox = Outbox(self._settings.after, ledger.of_call, _wall)
        days = self._settings.ledger.erase_days

        def count(census: Census) -> None:
            metrics.ledger(**asdict(census))

        return Janitor(ledger, self._hands, self._is_live, _wall, count, metrics.rows, days)

    def _is_live(self, call: str) -> bool:
        return call in self._calls

    def _hands(self, facts: CallFacts) -> Hands:
        """What settles the rows of a call: its flow's tools, whatever other flows are loaded, and the outbox."""
        extension = self._extensions.get(facts.flow)
        if extension is None:
            gone = NoHands(f"the flow {facts.flow!r} is not loaded: give it a number again")
            return self._outbox.hands(facts, None, gone)
        flow = extension.flow
        tools = FlowHands(flow, self._offload, _wall, call_from=facts.caller, call_to=facts.called)
        return self._outbox.hands(facts, flow, tools)

    def _public_url(self, listeners: Sequence[trio.SocketListener]) -> str:
        host, port = listeners[0].socket.getsockname()[:2]
        return self._settings.server.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def _retain(self) -> None:
        """Delete what is older than its retention. Cancelled: a folder may be half deleted; the next purge takes the rest."""
        calls = self._settings.calls
        while True:
            try:
                _, resisted = await self._offload(
                    lambda: purge(calls.out, datetime.now(UTC), calls.retention_days), timeout=PURGE_S, stage="retention"
                )
                if resisted:
                    log.warning("kept beyond their retention, for want of rights: %s", ", ".join(resisted))
            except (OperatorError, ProviderError) as error:
                log.warning("calls are kept beyond their retention: %s", error)
            await trio.sleep(PURGE_S)

    async def _obey(self, signals: AsyncIterator[int], door: Door[_Claim], life: trio.CancelScope) -> None:
        """The first TERM or INT drains, the second one cuts. Cancelled: a drain that was begun goes no further."""
        await anext(signals)
        log.info("draining: calls still here: %d", self._desk.taken)
        self._desk.draining = True
        async with open_jobs() as jobs:
            jobs.start(self._drain, door, life)
            await anext(signals)
            log.warning("told twice: %d calls are cut", len(self._calls))
            life.cancel()

    async def _drain(self, door: Door[_Claim], life: trio.CancelScope) -> None:
        """Let calls finish up to the deadline, then have them say goodbye, then cut them. Cancelled: the port stays open."""
        with trio.move_on_after(self._settings.server.drain_s):
            await self._all_over()
        self._leaving = True
        for call in self._calls.values():
            call.drain()
        with trio.move_on_after(FAREWELL_S):
            await self._all_over()
        door.stop()
        await trio.sleep(LEAVE_S)
        log.warning("%d calls and %d connections are cut", len(self._calls), door.connections)
        life.cancel()

    async def _all_over(self) -> None:
        """Cancelled: nothing has changed."""
        while self._desk.busy:  # noqa: ASYNC110 — see LOOK_S
            await trio.sleep(LOOK_S)

    # ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _door(self, public_url: str) -> Door[_Claim]:
        at = self._settings.sautikit
        voice = webhook.VoiceWebhook(at.secret.get_secret_value(), public_url, at.rate, at.track, self._tokens, self._desk)

        async def ask(request: Request, *, dialled: bool = False) -> Response:
            given = request.method, request.headers, request.body, time.time()
            status, kind, body = await voice.handle(*given, dialled=dialled)
            return Response(status, body.encode(), kind)

        async def status(request: Request) -> Response:
            code, kind, body = await voice.stream_event()
            return Response(code, body.encode(), kind)

        router = Router(self._desk.unready, self._telemetry.render)
        router.add("POST", webhook.VOICE_PATH, ask, needs=SIGNATURE)
        router.add("POST", webhook.DIALLED_PATH, partial(ask, dialled=True), needs=SIGNATURE)
        router.add("POST", webhook.STATUS_PATH, status)
        return Door(router.answer, router.refuse, self._admit_media, self._media)

    def _admit_media(self, path: str, headers: Mapping[str, str], offered: Sequence[str]) -> MediaAdmission[_Claim] | Response:
        """A media socket shows its token before anything is started for it, and may still be gone before `_media`."""
        if not path.startswith(webhook.MEDIA_PATH):
            return Response(404, b"not found\n")
        subprotocol = choose_subprotocol(offered)
        if subprotocol is None:
            return Response(400, b"offer the subprotocol audio.drachtio.org\n")
        token = path.removeprefix(webhook.MEDIA_PATH)
        try:
            claim = self._tokens.redeem(token)
        except BadToken as refused:
            return Response(403, f"{refused}\n".encode())
        if not self._desk.expects(claim.call_id):
            return Response(409, b"this call is not expected\n")
        return MediaAdmission(subprotocol, _Claim(claim.call_id, token))

    # ── Calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _media(self, claim: _Claim, socket: WebSocketConnection) -> None:
        """One call, from its socket to its record. Cancelled: the call is cut, its record closed and its place free."""
        stream = self._desk.open(claim.call_id)
        if stream is None:
            return  # another socket of the same call has come before it
        try:
            callback = stream.visit.callback
            name = self._settings.flow_for(callback.to)
            extension = self._extensions[name]
            counts = MediaCounts(self._telemetry.metrics.late)
            record = self._record(stream, extension)
            facts = CallFacts(record.id, name, callback.from_, callback.to, _wall().timestamp())
            await self._live(extension, record, facts, counts, claim.token, stream, Socket(socket))
        finally:
            self._desk.close(stream)

    def _record(self, stream: Stream, extension: Extension) -> CallRecord:
        callback, returned = stream.visit.callback, stream.visit.returned
        folder = CallFolder(self._settings.calls.out, new_call_id())
        known = {"id": folder.id, "carrier": webhook.CARRIER, "carrier_call": callback.call_id, "flow": extension.flow.name,
                 "from": callback.from_, "to": callback.to, "direction": callback.direction,
                 **({"continues": returned.call} if returned else {})}  # fmt: skip
        attributes = {names.CALL_CARRIER: webhook.CARRIER, names.CALL_FLOW: extension.flow.name}
        clock = Clock(trio.current_time(), time.time_ns())

        def trace(on_span: Callable[[dict[str, Any]], None]) -> CallTrace:
            return self._telemetry.call(folder.id, attributes, clock, on_span)

        return CallRecord(folder, extension.flow, trace, known, _wall, self._settings.sautikit.rate)

    async def _live(
        self, extension: Extension, record: CallRecord, facts: CallFacts, counts: MediaCounts, token: str, stream: Stream,
        socket: Socket,
    ) -> None:  # fmt: skip
        """A call's life, and its record's end. Cancelled: as `_media`."""
        outcome, call, unsettled = "failed", None, list[Book]()
        try:
            call = self._wire(extension, record, facts, counts, token, stream, socket, unsettled.append)
            self._calls[record.id] = call
            log.info("call %s begins, flow %s", record.id, extension.flow.name)
            if self._leaving:
                call.drain()
            outcome = "cut"
            outcome = await call.run()
        finally:
            if call is not None:
                self._telemetry.metrics.media(
                    frames_in=counts.frames_in,
                    frames_out=counts.frames_out,
                    ring_dropped=call.ring.dropped,
                    holes=call.transport.holes,
                )
            try:
                await self._write_down(record, facts, outcome, call, unsettled)
            finally:
                self._calls.pop(record.id, None)  # from here on its rows are the janitor's
            log.info("call %s is over: %s", record.id, outcome)

    async def _write_down(
        self, record: CallRecord, facts: CallFacts, outcome: str, call: Call | None, unsettled: list[Book]
    ) -> None:
        """A call that is over: that it will be told of is on record before its call.json is there, and what is not settled is
        the janitor's. Shielded; it ends in any case, since no write waits for ever."""
        book = call.book if call else Book(facts.id)
        told = record.end(outcome, call.conductor.memory if call else None, changes(Book(facts.id), book))
        if self._outbox.tells_calls:
            row = call_is_over(facts.id, told, len(book.rows), _wall().timestamp())
            unsettled = [replace(book, rows=(*book.rows, row))]
            try:
                with trio.CancelScope(shield=True):
                    await self._ledger.page(facts).write((row,))
            except LedgerDown as down:
                log.warning("that call %s is over is told later, if this process lives: %s", facts.id, down)
            except Fenced as fenced:
                log.warning("nobody is told that call %s is over: %s", facts.id, fenced)
                unsettled = []
        record.close(told, book)
        for left in unsettled:
            self._janitor.adopt(facts, left)

    def _wire(
        self, extension: Extension, record: CallRecord, facts: CallFacts, counts: MediaCounts, token: str, stream: Stream,
        socket: Socket, adopt: Callable[[Book], None],
    ) -> Call:  # fmt: skip
        """Connect a call to its engines, its carrier, its record and its next step."""
        at, visit, flow = self._settings.sautikit, stream.visit, extension.flow

        def hand_over(memory: Memory, why: str) -> None:
            # Stored first, and written down then: the carrier asks as soon as the socket closes.
            number = flow.transfers.get(flow.state(memory.flow).transfer, "")
            step = webhook.Dial(number, record.summary(memory, why), visit.callback.to) if number else webhook.Hangup()
            further = flow.unreached(memory.flow)
            back = Return(record.id, Memory(further, memory.conversation)) if further else None
            self._desk.decide(stream, step, back)
            record.hand_over(memory, why)

        def hang_up() -> None:
            self._desk.decide(stream, webhook.Hangup())

        around = Surroundings(
            facts, self._ledger.page(facts), self._hands(facts), adopt, token, record, record.sink, counts, self._offload,
            hand_over, hang_up, _wall, visit.returned.memory if visit.returned else None,
        )  # fmt: skip
        channels: Any = {"auto": "auto", 1: "mono", 2: "stereo"}[at.channels]
        return Call(
            flow,
            extension.lines(),
            extension.engines,
            socket,
            SautikitMedia(at.rate, at.dialect, at.track, channels, at.leg_rate),
            around,
            extension.timing,
        )


@asynccontextmanager
async def _listening(host: str, port: int) -> AsyncIterator[list[trio.SocketListener]]:
    """The port, open from here on; raises OperatorError where it cannot be had. Cancelled: it is closed."""
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        mends = {
            errno.EADDRINUSE: ("another process listens there", "stop it, or choose another --port."),
            errno.EACCES: ("this user may not", "choose a --port above 1023."),
        }
        why, mend = mends.get(error.errno or 0, (error.strerror or str(error), "mend server.host and server.port."))
        raise SettingsError(f"agentd cannot listen there ({why}).", where=f"{host}:{port}", mend=mend) from error
    try:
        yield listeners
    finally:
        for listener in listeners:
            await trio.aclose_forcefully(listener)


def _wall() -> datetime:
    return datetime.now(UTC)
