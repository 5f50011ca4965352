"""The conductor: the call's own loop and memory. An event comes in, the turn machine steps, its commands go out.

It alone raises the epoch, keeps the deadlines and owns what the call remembers. It waits for nobody on its way out. Every
event, with the commands that followed, is written to the event log: what a call leaves behind is computed from it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol, cast

import trio

from agentd import limits
from agentd.actors.kit import Mailbox
from agentd.actors.lines import Lines
from agentd.actors.listener import ListenerMessage
from agentd.actors.memory import Memory
from agentd.actors.transport import Order
from agentd.flow.model import Flow
from agentd.flow.refusal import Refused
from agentd.messages import (
    Audible,
    Audio,
    CloseMedia,
    Held,
    Hold,
    Listen,
    Logged,
    MediaStarted,
    NewEpoch,
    Outcome,
    Record,
    ReplyEnd,
    Resume,
    RoundDone,
    RunTool,
    Said,
    Segment,
    SegmentHeard,
    Stopped,
    ThinkFailed,
    ThinkRequest,
    Timer,
    TimerFired,
    ToolDone,
    UseTool,
)
from agentd.turn import machine
from agentd.turn.commands import (
    Arm,
    Attend,
    Command,
    Continue,
    Disarm,
    Event,
    Finish,
    Freeze,
    HandOver,
    Line,
    RunTools,
    Say,
    Thaw,
    Then,
    Think,
    Thought,
    ToolsDone,
    Why,
    describe,
)
from agentd.turn.timing import Timing
from agentd.turn.value import Turn

LAST_WORDS_S: Final = 0.5
"""The call is over; the transport still tells what was heard of the reply that was cut."""


class Log(Protocol):
    """Where the call's events go."""

    def write(self, entry: Logged) -> None:
        """Take the next line. Never waits, never raises."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The mailboxes of the other actors, and the transport's channel for lines that need no voice."""

    transport: Mailbox[Order]
    listener: Mailbox[ListenerMessage]
    thinker: Mailbox[ThinkRequest | NewEpoch]
    speaker: Mailbox[Segment | ReplyEnd | NewEpoch]
    tools: Mailbox[RunTool]
    audio: trio.MemorySendChannel[Audio | ReplyEnd]


@dataclass(slots=True)
class _Round:
    """The round of the reply at hand whose proposals are being settled."""

    number: int = 0
    outcomes: tuple[Outcome, ...] = ()
    tools: tuple[UseTool, ...] = ()
    said: int = 0


class Conductor:
    """One call's own loop. `wall` is the time of day; `hand_over` and `hang_up` store what comes after; neither waits."""

    def __init__(
        self,
        flow: Flow,
        mailbox: Mailbox[object],
        ports: Ports,
        lines: Lines,
        log: Log,
        *,
        timing: Timing,
        wall: Callable[[], datetime],
        hand_over: Callable[[Memory, str], None],
        hang_up: Callable[[], None],
    ) -> None:
        self._flow, self._mailbox, self._ports, self._lines, self._log = flow, mailbox, ports, lines, log
        self._wall, self._hand_over, self._hang_up = wall, hand_over, hang_up
        self._turn, self._first = machine.start(timing)
        self.memory = Memory(flow.start())
        self._deadlines: dict[Timer, float] = {}
        self._round = _Round()
        self._think: Think | None = None
        self._stops_owed = 0
        self._deferred: Think | Continue | Say | None = None
        self._mixed = False
        self._attending: Listen | None = None
        self._consent = False
        self._caller_turn = 0
        self._decided = False
        self._index = 0
        self.outcome = ""

    async def run(self, provider: int) -> None:
        """Conduct the call to its end. Cancelled: the call is cut; its memory is whole.

        Raises InternalBug where the machine has no row for what happened.
        """
        self._write_log(None, self._turn, self._first)
        self._carry_out(self._first)
        while not self.outcome:
            with trio.move_on_at(min(self._deadlines.values(), default=float("inf"))):
                self._handle(await self._mailbox.receive())
                continue
            self._fire_timers()
        with trio.move_on_after(LAST_WORDS_S):
            while self._stops_owed > 0:
                self._handle(await self._mailbox.receive())

    # ── In ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, message: object) -> None:
        """One message: the memory first, then the machine."""
        event: Event | None
        match message:
            case SegmentHeard(segment):
                self.memory = self.memory.heard(segment, len(segment.text))
                event = None
            case Held():
                event = None  # what was heard is told again when the reply is dropped, and otherwise does not matter
            case Stopped(_, segment, chars):
                self.memory = self.memory.heard(segment, chars).dropped()
                self._stops_owed -= 1
                event = None
            case RoundDone():
                event = self._settle(message) if message.reply == self._turn.reply else None
            case ToolDone():
                event = self._note_tool(message)
            case Audible(reply) if reply == self._turn.reply:
                self.memory = self.memory.audible()
                event = message
            case MediaStarted(mixed=mixed):
                self._mixed = mixed
                event = message
            case _:
                event = cast("Event", message)
        self._step(message, event)
        if not self._stops_owed and self._deferred is not None:
            deferred, self._deferred = self._deferred, None
            self._carry_out((deferred,))

    def _step(self, message: object, event: Event | None) -> None:
        before, commands = self._turn, tuple[Command, ...]()
        if event is not None:
            self._turn, commands = machine.step(self._turn, event)
        for command in commands:
            if isinstance(command, Think) and command.why is Why.REPLY:
                self._hear_caller(command)
        self._write_log(message, before, commands)
        self._carry_out(commands)

    def _hear_caller(self, think: Think) -> None:
        """The caller's words enter the conversation when the machine takes them for a turn."""
        self.memory = self.memory.caller(think.text, again=think.reply.turn == self._caller_turn)
        self._caller_turn = think.reply.turn

    def _write_log(self, message: object, before: Turn, commands: tuple[Command, ...]) -> None:
        turn, fresh = self._turn, self.memory.fresh
        self.memory = self.memory.told()
        words = tuple(describe(command) for command in commands)
        entry = Logged(
            trio.current_time(),
            message,
            before.state.value,
            turn.state.value,
            turn.reply,
            turn.why.value,
            words,
            fresh,
            self.memory.flow.state,
        )
        self._log.write(entry)

    def _fire_timers(self) -> None:
        """The deadlines that have passed, in their order; a timer that one of them disarms does not fire."""
        now = trio.current_time()
        for name, _ in sorted(self._deadlines.items(), key=lambda item: item[1]):
            if self._deadlines.get(name, float("inf")) <= now:
                del self._deadlines[name]
                event = TimerFired(name, now)
                self._step(event, event)

    def _settle(self, done: RoundDone) -> Event:
        """A round is over: the flow disposes of its proposals, and the machine is told what that came to."""
        before, now = self.memory.flow, self._now()
        spoke = len(done.said) > self._round.said
        self.memory = self.memory.announced(done.notes, spoke=spoke)
        self.memory, outcomes = self.memory.settle(self._flow, done.proposals, now)
        refused = {id(outcome.proposal) for outcome in outcomes}
        tools = tuple(p for p in done.proposals if isinstance(p, UseTool) and id(p) not in refused)
        self._index += len(done.said) - self._round.said
        self._round = _Round(done.round, outcomes, tools, len(done.said))
        self._watch_consent()
        if self._attending is not None:
            self._attend(speaking=self._attending.speaking)
        if done.proposals and done.round + 1 >= limits.ROUNDS:
            return ThinkFailed(done.reply, f"more than {limits.ROUNDS} rounds in one reply", done.at)
        repeats = bool(done.said) and done.said == self.memory.last_said
        if not done.proposals:
            self.memory = replace(self.memory, last_said=done.said)
        moved = self.memory.flow.state != before.state or self.memory.flow.slots != before.slots
        return Thought(
            done.reply,
            more=bool(done.proposals),
            tools=len(tools),
            segments=len(done.said),
            then=self._then(),
            helper=self._helper(now),
            progress=moved or (done.understood and not repeats),
            at=done.at,
        )

    def _then(self) -> Then:
        """What the flow's state wants once its words are heard."""
        state = self._flow.state(self.memory.flow)
        if state.transfer:
            return Then.TRANSFER
        return Then.CLOSE if self._flow.over(self.memory.flow) else Then.LISTEN

    def _helper(self, now: datetime) -> bool:
        """Whether giving up on this state leads to a human."""
        try:
            return bool(self._flow.state(self._flow.escalate(self.memory.flow, now)).transfer)
        except Refused:
            return bool(self._flow.state(self.memory.flow).transfer)

    def _note_tool(self, done: ToolDone) -> Event | None:
        """A tool's outcome; the machine hears of it when the round has all of them."""
        outcome = done.outcome
        self.memory = self.memory.add(Said("tool", f"{outcome.proposal.tool}: {outcome.status}"))  # type: ignore[union-attr]
        if done.reply != self._turn.reply:
            return None
        self._round.outcomes = (*self._round.outcomes, outcome)
        self._round.tools = tuple(tool for tool in self._round.tools if tool is not outcome.proposal)
        return None if self._round.tools else ToolsDone(done.reply, done.at)

    # ── Out ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _carry_out(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            self._do(command)

    def _do(self, command: Command) -> None:
        match command:
            case Think() | Continue() | Say() if self._stops_owed:
                # A request must hold what was heard of the reply that was dropped, and audio of a new one must not come first.
                self._deferred = command
            case Think():
                self._start_reply(command)
            case Continue():
                self._request(self._round.number + 1)
            case RunTools(reply):
                for tool in self._round.tools:
                    self._ports.tools.send_nowait(RunTool(reply, tool, self.memory.flow, self._wall().isoformat()))
            case Say():
                self._say(command)
            case Hold() | Resume():
                self._ports.transport.send_nowait(command)
            case NewEpoch():
                self._abandon(command)
            case Attend(speaking):
                self._attend(speaking=speaking)
            case Arm(name, seconds):
                self._deadlines[name] = trio.current_time() + seconds
            case Disarm(name):
                self._deadlines.pop(name, None)
            case Freeze() | Thaw():
                pass  # effects come with the ledger; until then there is none to freeze, and the log tells the suspicion
            case HandOver(why):
                if not self._flow.state(self.memory.flow).transfer:
                    self._escalate()
                self._hand_over(self.memory, why)
                self._decided = True
            case CloseMedia():
                # The next step is stored before the socket closes: the carrier asks for it at once.
                if not self._decided:
                    self._hang_up()
                self._ports.transport.send_nowait(command)
            case Finish(outcome):
                self.outcome = outcome

    def _start_reply(self, think: Think) -> None:
        """A reply's first round."""
        self.memory = self.memory.begin()
        self._think, self._round, self._index = think, _Round(), 0
        self._request(0)

    def _request(self, number: int) -> None:
        """Ask the thinker for a round."""
        assert self._think is not None
        think = self._think
        self._ports.thinker.send_nowait(
            ThinkRequest(
                think.reply,
                number,
                think.why.value,
                think.text,
                think.sure,
                self.memory.flow,
                self.memory.conversation,
                self._round.outcomes if number else (),
                think.prompt,
                self._index,
                self._wall().isoformat(),
            )
        )

    def _say(self, say: Say) -> None:
        """Speak one of the flow's own lines; the apology needs no voice, since that may be what failed."""
        if say.line is Line.HANDOVER:
            self._escalate()
        index = self._index if say.line is Line.FILLER else 0
        self._index = index + 1
        text = self._lines.text(say.line, self.memory.flow, self._now())
        segment = Segment(say.reply, index, text, filler=say.line is Line.FILLER)
        canned = self._lines.canned(say.line)
        if canned:
            self._send_audio(Audio(segment, canned, last=True, made_at=trio.current_time()))
        else:
            self._ports.speaker.send_nowait(segment)
        if say.last and canned:
            self._send_audio(ReplyEnd(say.reply, 1))
        elif say.last:
            self._ports.speaker.send_nowait(ReplyEnd(say.reply, 1))

    def _send_audio(self, item: Audio | ReplyEnd) -> None:
        with suppress(trio.WouldBlock):  # a full channel belongs to a dead reply; the state's patience ends the call
            self._ports.audio.send_nowait(item)

    def _abandon(self, command: NewEpoch) -> None:
        """The transport is told first; then all who may hold something of the reply."""
        self._stops_owed += 1
        self._deferred = None
        self._ports.transport.send_nowait(command)
        self._ports.speaker.send_nowait(command)
        self._ports.thinker.send_nowait(command)

    def _attend(self, *, speaking: bool) -> None:
        listen = self._flow.listen(self.memory.flow, speaking)
        if self._mixed:
            listen = replace(listen, deaf=True)
        if listen != self._attending:
            self._attending = listen
            self._ports.listener.send_nowait(listen)

    def _escalate(self) -> None:
        """The flow goes where a state goes that makes no progress."""
        with suppress(Refused):
            self.memory = replace(self.memory, flow=self._flow.escalate(self.memory.flow, self._now()))

    def _watch_consent(self) -> None:
        if not self._consent and self.memory.flow.notes.get("consent"):
            self._consent = True
            self._ports.transport.send_nowait(Record())

    def _now(self) -> datetime:
        return self._flow.local(self._wall().isoformat())
