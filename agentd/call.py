"""One call: its actors, wired and supervised. It dies alone and leaves nothing behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import trio

from agentd import limits
from agentd.actors.conductor import Conductor
from agentd.actors.kit import Mailbox
from agentd.actors.lines import Lines
from agentd.actors.listener import FramesReady, Listener, ListenerMessage
from agentd.actors.memory import Memory
from agentd.actors.ports import Log, Ports
from agentd.actors.speaker import Speaker
from agentd.actors.thinker import ThinkerActor
from agentd.actors.toolrunner import RunnerMessage, ToolRunner
from agentd.actors.transport import MediaCounts, MediaSocket, Order, Sink, Transport
from agentd.audio.ring import Ring
from agentd.carriers.media import MediaCodec
from agentd.flow.model import Flow
from agentd.flow.telling import vocabulary
from agentd.ledger.book import Book
from agentd.ledger.driver import Record
from agentd.ledger.hands import Hands
from agentd.ledger.speech.claims import stop
from agentd.ledger.storage.codec import CallFacts
from agentd.messages import Audio, Draining, Listen, NewEpoch, ReplyEnd, Segment, ThinkRequest
from agentd.offload import Offload
from agentd.providers.base import Recognizer, Thinker, Voice, VoiceActivityFactory
from agentd.supervision import ChildSpec, Restart, Supervisor
from agentd.turn.timing import Timing

log = logging.getLogger(__name__)

AUDIO_AHEAD: Final = 64
"""Pieces of audio between speaker and transport: 6 s at 100 ms each; the speaker waits when it is full."""


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines of a call, a chain for each stage: the next one takes over when one has failed for good."""

    recognizers: tuple[Recognizer, ...]
    thinkers: tuple[Thinker, ...]
    voices: tuple[Voice, ...]
    vad: VoiceActivityFactory


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a call is given from outside: its place in the world and where it leaves its traces.

    `metadata` is what the carrier's first text must be; `hand_over` and `hang_up` store what comes after the stream, and never
    wait; `wall` is the time of day. `facts` are what the ledger knows of the call, `record` is its page there, `hands` carry
    out its requests, and `adopt` takes what is not settled when the call is over. `memory` is that of a call which comes back.
    """

    facts: CallFacts
    record: Record
    hands: Hands
    adopt: Callable[[Book], None]
    metadata: str
    log: Log
    sink: Sink
    counts: MediaCounts
    offload: Offload
    hand_over: Callable[[Memory, str], None]
    hang_up: Callable[[], None]
    wall: Callable[[], datetime]
    memory: Memory | None = None


class Call:
    """A call from its media socket's opening to its end."""

    def __init__(
        self, flow: Flow, lines: Lines, engines: Engines, socket: MediaSocket, codec: MediaCodec, around: Surroundings,
        timing: Timing,
    ) -> None:  # fmt: skip
        rate = codec.rate
        self._engines, self._rate = engines, rate
        self._boxes: dict[str, Mailbox[Any]] = {}
        report = self._box("conductor")
        audio_in, audio_out = trio.open_memory_channel[Audio | ReplyEnd](AUDIO_AHEAD)
        listening: Mailbox[ListenerMessage] = self._box("listener")
        self.ring = Ring(rate, lambda: listening.send_nowait(FramesReady()))
        orders: Mailbox[Order] = self._box("transport")
        thoughts: Mailbox[ThinkRequest | NewEpoch] = self._box("thinker")
        texts: Mailbox[Segment | ReplyEnd | NewEpoch] = self._box("speaker")
        tools: Mailbox[RunnerMessage] = self._box("tools")
        self.transport = Transport(
            socket, codec, self.ring, orders, audio_out, report, around.sink, around.counts, around.metadata
        )
        self._voice_activity = engines.vad(rate)
        listener = Listener(rate, listening, self.ring, report, engines.recognizers, self._voice_activity)
        acts = vocabulary(flow)
        thinker = ThinkerActor(
            thoughts, texts, report, engines.thinkers, lambda text, effects: stop(text, effects, acts) if acts else None
        )
        speaker = Speaker(rate, texts, audio_in, engines.voices)
        guard = Listen().onset_speaking + limits.LINK_S
        self._tools = ToolRunner(
            tools, report, flow, around.offload, around.facts, around.record, around.hands, around.wall, guard, around.adopt
        )
        self.conductor = Conductor(
            flow,
            report,
            Ports(orders, listening, thoughts, texts, tools, audio_in),
            lines,
            around.log,
            timing=timing,
            wall=around.wall,
            hand_over=around.hand_over,
            hang_up=around.hang_up,
            memory=around.memory,
        )
        # What is under way when the call ends gets its answer.
        patience = 2 * limits.SETTLE_S + limits.SHUTDOWN_S + max((tool.timeout for tool in flow.tools.values()), default=0.0)
        self._supervisor = Supervisor(
            (
                ChildSpec("transport", self.transport.run, Restart.SIGNIFICANT),
                ChildSpec("listener", listener.run, Restart.RESTARTED, len(engines.recognizers)),
                ChildSpec("thinker", thinker.run, Restart.RESTARTED, len(engines.thinkers)),
                ChildSpec("speaker", speaker.run, Restart.RESTARTED, len(engines.voices)),
                ChildSpec("tools", self._tools.run, Restart.SIGNIFICANT, shutdown=patience),
                ChildSpec("conductor", self.conductor.run, Restart.SIGNIFICANT),
            ),
            report.send,
        )

    def _box(self, name: str) -> Mailbox[Any]:
        box: Mailbox[Any] = Mailbox(lambda: self._supervisor.kick(name, "its mailbox is full"))
        self._boxes[name] = box
        return box

    @property
    def book(self) -> Book:
        """The call's effects: when it is over, as it left them."""
        return self._tools.book

    def drain(self) -> None:
        """Tell the call that the daemon's patience ends."""
        self._boxes["conductor"].send_nowait(Draining(trio.current_time()))

    async def run(self) -> str:
        """Live to the call's end and answer its outcome, in one word.

        An actor's failure that ends the call is the outcome "failed". Cancelled: all actors have ended, the socket is closed.
        """
        try:
            await self._supervisor.run()
        except Exception:  # the call boundary: what breaks one call leaves the daemon and the others alone
            log.exception("a call failed")
            return "failed"
        finally:
            self._voice_activity.close()
        return self.conductor.outcome or "failed"
