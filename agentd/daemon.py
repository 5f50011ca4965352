"""The daemon: one process that answers calls. It listens, admits, wires each call to the world, and drains."""

from __future__ import annotations

import logging
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import trio
from trio_websocket import WebSocketConnection

from agentd.actors.kit import open_jobs
from agentd.actors.lines import Lines
from agentd.actors.memory import Memory
from agentd.actors.transport import MediaCounts
from agentd.audio.recording import Recording, Unrecorded
from agentd.call import Call, Engines, Surroundings
from agentd.carriers.sautikit import webhook
from agentd.carriers.sautikit.control import SIGNATURE, choose_subprotocol
from agentd.carriers.sautikit.media import SautikitMedia
from agentd.carriers.tokens import BadToken, Tokens
from agentd.desk import Desk, Visit
from agentd.flow.loading import load
from agentd.flow.model import Flow
from agentd.folder import CallFolder, new_call_id, purge
from agentd.handoff.packet import packet, spoken_summary
from agentd.http.routes import Router
from agentd.http.server import Door, MediaAdmission
from agentd.http.socket import Socket
from agentd.http.wire import Request, Response
from agentd.offload import Offload, Threads
from agentd.providers import registry
from agentd.providers.base import Recognizer, Spoken, Voice, VoiceActivityFactory
from agentd.records import CallRecord
from agentd.settings import Settings
from agentd.turn.commands import Line
from agentd.turn.timing import Timing
from telemetry import names
from telemetry.export import Telemetry
from telemetry.turns import Clock

log = logging.getLogger(__name__)

FAREWELL_S: Final = 20.0
"""After the drain's deadline a call may say its line and close."""

AFTER_LAST_S: Final = 1.5
"""After the last call the carrier still asks what comes next; then the port closes."""

PURGE_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a media socket stands for: the carrier's call, its visit, and the token that it showed."""

    call_id: str
    visit: Visit
    token: str


@dataclass(frozen=True, slots=True)
class _Desk:
    """A flow, ready to be called: its engines for thinking, and its lines with the apology already spoken."""

    flow: Flow
    thinkers: tuple[Any, ...]
    lines: Lines


@dataclass(slots=True)
class _Engines:
    """The engines that all calls share."""

    recognizers: tuple[Recognizer, ...]
    voices: tuple[Voice, ...]
    vad: VoiceActivityFactory


class Daemon:
    """Built from settings; `run` serves until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._offload: Offload = Threads()
        self._desk = Desk(settings.calls.limit, time.monotonic)
        self._tokens = Tokens(secrets.token_bytes(32), time.time)
        at = settings.telemetry
        self._telemetry = Telemetry(at.service_name, at.otlp_endpoint or None, at.content)
        self._calls: set[Call] = set()
        self._flows: dict[str, _Desk] = {}
        self._timing = Timing(call=settings.calls.max_s)
        self._idle = trio.Event()

    # ── Life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until TERM or INT, then drain; `ready` is called with the public address once calls can come in.

        Raises OperatorError for what the settings or a flow get wrong. Cancelled: all calls are cut, their records closed.
        """
        await self._load()
        listeners = await trio.open_tcp_listeners(self._settings.server.port, host=self._settings.server.host)
        door = self._door(self._public_url(listeners))
        try:
            async with open_jobs() as jobs:
                jobs.start(self._purge)
                jobs.start(self._obey_signals, door)
                ready(self._public_url(listeners))
                await door.serve(listeners)
        finally:
            await self._telemetry.aclose()

    def _public_url(self, listeners: Sequence[trio.SocketListener]) -> str:
        host, port = listeners[0].socket.getsockname()[:2]
        return self._settings.server.public_url or f"http://{host}:{port}"

    async def _load(self) -> None:
        """Everything that can be wrong is found before the first call. Cancelled: nothing is left behind."""
        chains, calls = self._settings.engines, self._settings.calls.limit
        self._engines = _Engines(
            tuple(registry.recognizer(name, self._offload, calls) for name in chains.recognizer),
            tuple(registry.voice(name, self._offload) for name in chains.voice),
            registry.vad(chains.vad, calls),
        )
        for name in sorted(set(self._settings.numbers.values())):
            flow = load(name)
            if self._settings.calls.recording != "flow":
                flow = replace(flow, recording=self._settings.calls.recording)
            thinkers = tuple(registry.thinker(thinker, flow) for thinker in chains.thinker)
            apology = await self._render(flow.apology)
            self._flows[name] = _Desk(flow, thinkers, Lines(flow, {Line.APOLOGY: apology}))

    async def _render(self, text: str) -> bytes:
        """Speak a line at load. Cancelled: nothing is kept."""
        pieces: list[bytes] = []

        async def keep(spoken: Spoken) -> None:
            pieces.append(spoken.pcm)

        await self._engines.voices[0].speak(text, self._settings.sautikit.rate, keep)
        return b"".join(pieces)

    async def _purge(self) -> None:
        """Delete what is older than its retention. Cancelled: a folder may be half deleted; the next purge takes the rest."""
        calls = self._settings.calls
        while True:
            await self._offload(
                lambda: purge(calls.out, datetime.now(UTC), calls.retention_days), timeout=PURGE_S, stage="retention"
            )
            await trio.sleep(PURGE_S)

    async def _obey_signals(self, door: Door[_Claim]) -> None:
        """The first TERM or INT drains, the second one ends at once. Cancelled: signals do what they did before."""
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            await anext(signals)
            log.info("draining: %d calls live", len(self._calls))
            self._desk.draining = True
            async with open_jobs() as jobs:
                jobs.start(self._drain, door)
                await anext(signals)
                raise KeyboardInterrupt

    async def _drain(self, door: Door[_Claim]) -> None:
        """Let live calls finish up to the deadline, then have them say goodbye. Cancelled: the port stays open."""
        with trio.move_on_after(self._settings.server.drain_s):
            await self._all_over()
        for call in self._calls:
            call.drain()
        with trio.move_on_after(FAREWELL_S):
            await self._all_over()
        door.stop()

    async def _all_over(self) -> None:
        """Cancelled: nothing has changed."""
        while self._calls:
            self._idle = trio.Event()
            await self._idle.wait()
        await trio.sleep(AFTER_LAST_S)

    # ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _door(self, public_url: str) -> Door[_Claim]:
        at = self._settings.sautikit
        voice = webhook.VoiceWebhook(at.secret.get_secret_value(), public_url, at.rate, at.track, self._tokens, self._desk)

        async def ask(request: Request) -> Response:
            status, kind, body = await voice.handle(request.method, request.headers, request.body, time.time())
            return Response(status, body.encode(), kind)

        async def status(request: Request) -> Response:
            code, kind, body = await voice.stream_event()
            return Response(code, body.encode(), kind)

        router = Router(self._desk.unready, self._telemetry.render)
        router.add("POST", webhook.VOICE_PATH, ask, needs=SIGNATURE)
        router.add("POST", webhook.STATUS_PATH, status)
        return Door(router.answer, router.refuse, self._admit_media, self._media)

    def _admit_media(self, path: str, headers: Mapping[str, str], offered: Sequence[str]) -> MediaAdmission[_Claim] | Response:
        """A media socket shows its token before anything is started for it."""
        if not path.startswith(webhook.MEDIA_PATH):
            return Response(404, b"not found\n")
        token = path.removeprefix(webhook.MEDIA_PATH)
        try:
            claim = self._tokens.redeem(token)
        except BadToken as refused:
            return Response(403, f"{refused}\n".encode())
        subprotocol = choose_subprotocol(offered)
        if subprotocol is None:
            return Response(400, b"offer the subprotocol audio.drachtio.org\n")
        visit = self._desk.open(claim.call_id)
        if visit is None:
            return Response(409, b"this call is not expected\n")
        return MediaAdmission(subprotocol, _Claim(claim.call_id, visit, token))

    # ── Calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _media(self, claim: _Claim, socket: WebSocketConnection) -> None:
        """One call, from its socket to its record. Cancelled: the call is cut and its record closed."""
        try:
            await self._call(claim, socket)
        finally:
            self._desk.close(claim.call_id)

    async def _call(self, claim: _Claim, socket: WebSocketConnection) -> None:
        """Cancelled: as `_media`."""
        callback, at = claim.visit.callback, self._settings.sautikit
        desk = self._flows[self._settings.flow_for(callback.to)]
        folder = CallFolder(self._settings.calls.out, new_call_id())
        known = {"id": folder.id, "carrier": webhook.CARRIER, "carrier_call": callback.call_id, "flow": desk.flow.name,
                 "from": callback.from_, "to": callback.to, "direction": callback.direction}  # fmt: skip
        record = CallRecord(folder, self._trace(folder.id, known), known, _wall)
        mode = desk.flow.recording
        sink = Unrecorded() if mode == "off" else Recording(folder.recording, at.rate, start_paused=mode == "consent")
        counts = MediaCounts(self._telemetry.metrics.late)

        def hand_over(memory: Memory, why: str) -> None:
            self._hand_over(claim, folder, desk.flow, memory, why)

        def hang_up() -> None:
            self._desk.decide(claim.call_id, webhook.Hangup())

        channels: Any = {"auto": "auto", 1: "mono", 2: "stereo"}[at.channels]
        call = Call(
            desk.flow,
            desk.lines,
            Engines(self._engines.recognizers, desk.thinkers, self._engines.voices, self._engines.vad),
            Socket(socket),
            SautikitMedia(at.rate, at.dialect, at.track, channels, at.leg_rate),
            Surroundings(callback.from_, claim.token, record, sink, counts, self._offload, hand_over, hang_up, _wall),
            self._timing,
        )
        async with self._counted(call):
            outcome = "cut"
            try:
                outcome = await call.run()
            finally:
                sink.close()
                memory = call.conductor.memory
                slots = desk.flow.written(memory.flow)
                summary = _summary(desk.flow, memory)
                record.close(outcome, slots, summary, {"mode": mode, "failed": sink.failed or folder.failed})
                self._telemetry.metrics.media(
                    frames_in=counts.frames_in,
                    frames_out=counts.frames_out,
                    ring_dropped=call.ring.dropped,
                    holes=call.transport.holes,
                )

    @asynccontextmanager
    async def _counted(self, call: Call) -> AsyncIterator[None]:
        """The call is among the live ones. Cancelled: it is not any more."""
        self._calls.add(call)
        try:
            yield
        finally:
            self._calls.discard(call)
            self._idle.set()

    def _trace(self, call_id: str, known: Mapping[str, Any]) -> Callable[[Callable[[dict[str, Any]], None]], Any]:
        clock = Clock(trio.current_time(), time.time_ns())
        attributes = {names.CALL_CARRIER: known["carrier"], names.CALL_FLOW: known["flow"]}
        return lambda on_span: self._telemetry.call(call_id, attributes, clock, on_span)

    def _hand_over(self, claim: _Claim, folder: CallFolder, flow: Flow, memory: Memory, why: str) -> None:
        """Store the next step first, then write what the human needs to know."""
        target = flow.state(memory.flow).transfer
        number = flow.transfers.get(target, "")
        wants = _summary(flow, memory)
        slots = flow.written(memory.flow)
        now = _wall()
        said = {name: flow.said(name, memory.flow.slots.get(name), flow.local(now.isoformat())) for name in slots}
        step = webhook.Dial(number, spoken_summary(wants, slots, said), claim.visit.callback.to) if number else webhook.Hangup()
        self._desk.decide(claim.call_id, step)
        folder.write_handoff(
            packet(call_id=folder.id, call_from=claim.visit.callback.from_, flow=flow.name, target=target, number=number,
                   why=why, wants=wants, slots=slots, conversation=memory.conversation, at=now)
        )  # fmt: skip


def _summary(flow: Flow, memory: Memory) -> str:
    """What the caller wanted, in the caller's own first words that came to something."""
    return next((line.text for line in memory.conversation if line.who == "caller"), "")


def _wall() -> datetime:
    return datetime.now(UTC)
