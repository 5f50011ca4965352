"""The conductor: the call's own loop and memory. An event comes in, the turn machine steps, its commands go out.

It alone raises the epoch, keeps the deadlines and owns what the call remembers. It waits for nobody on its way out. Every
event, with the commands that followed, is written to the event log: what a call leaves behind is computed from it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, cast

import trio

from agentd import limits
from agentd.actors.deadlines import Deadlines
from agentd.actors.effects import Effects
from agentd.actors.kit import Mailbox
from agentd.actors.lines import Lines
from agentd.actors.memory import Memory
from agentd.actors.ports import Log, Ports
from agentd.actors.reply import ReplyAtHand
from agentd.flow.model import Flow
from agentd.flow.telling import trigger
from agentd.ledger import events as ledger
from agentd.messages import (
    Audible,
    ClaimStopped,
    CloseMedia,
    FinishSpeech,
    Fire,
    Held,
    Hold,
    LedgerDown,
    LedgerMoved,
    Listen,
    Logged,
    MediaStarted,
    NewEpoch,
    Partial,
    Record,
    Release,
    ReplyHeard,
    Resume,
    Retract,
    RoundDone,
    Ruled,
    SegmentHeard,
    SpeechOnset,
    Stopped,
    TellingCut,
    TellingDue,
    TellingPlayed,
    TellingRefused,
    ThinkFailed,
    ToolDone,
    UtteranceEnded,
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
from agentd.turn.value import State, Turn

LAST_WORDS_S: Final = 0.5
"""The call is over; the transport still tells what was heard of the reply that was cut."""


class Conductor:
    """One call's own loop. `wall` is the time of day; `hand_over` and `hang_up` store what comes after; neither waits.

    `memory` is that of a call which comes back.
    """

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
        memory: Memory | None = None,
    ) -> None:
        self._flow, self._mailbox, self._ports, self._log = flow, mailbox, ports, log
        self._wall, self._hand_over, self._hang_up = wall, hand_over, hang_up
        self._turn, self._first = machine.start(timing)
        self.memory = memory or Memory(flow.start())
        self._deadlines = Deadlines()
        self._effects = Effects(flow, ports)
        self._reply = ReplyAtHand(flow, ports, lines, self._effects, wall)
        self._onset: SpeechOnset | None = None
        self._stops_owed = 0
        self._rulings_owed = 0
        self._deferred: Think | Continue | Say | None = None
        self._unruled = deque[Think]()
        self._mixed = False
        self._attending: Listen | None = None
        self._consent = False
        self._caller_turn = 0
        self._decided = False
        self._entered = False
        self.outcome = ""

    async def run(self, provider: int) -> None:
        """Conduct the call to its end. Cancelled: the call is cut; its memory is whole.

        Raises InternalBug where the machine has no row for what happened.
        """
        self._write_log(None, self._turn, self._first)
        self._carry_out(self._first)
        while not self.outcome:
            with trio.move_on_at(self._deadlines.next_at):
                self._handle(await self._mailbox.receive())
                continue
            for event in self._deadlines.passed():
                self._step(event, event)
        with trio.move_on_after(LAST_WORDS_S):
            while self._stops_owed > 0:
                self._handle(await self._mailbox.receive())
        self._stops_owed = 0
        self._rule()
        if self._effects.live and self._onset is not None:
            await self._hear_out(self._onset)

    async def _hear_out(self, onset: SpeechOnset) -> None:
        """What the caller was saying when the line went may take something back. Cancelled: it is not known."""
        self._ports.listener.send_nowait(FinishSpeech())
        with trio.move_on_after(limits.OBJECTION_S):
            while self._onset is onset:
                message = await self._mailbox.receive()
                self._handle(message)
                if isinstance(message, UtteranceEnded) and message.text:
                    self._effects.rule(self._turn.reply, message.text, onset.pos)

    # ── In ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, message: object) -> None:
        """One message: the memory first, then the machine."""
        event: Event | None
        match message:
            case SegmentHeard(segment):
                self.memory = self.memory.heard(segment, len(segment.text))
                event = None
            case ClaimStopped():
                event = None
            case Held():
                event = None  # what was heard is told again when the reply is dropped, and otherwise does not matter
            case Stopped(_, segment, chars):
                self.memory = self.memory.heard(segment, chars).dropped()
                self._stops_owed -= 1
                self._enter()
                event = None
            case ReplyHeard(reply) if reply == self._turn.reply:
                self._enter()
                event = message
            case RoundDone():
                event = self._settle(message) if message.reply == self._turn.reply else None
            case ToolDone():
                event = self._note_tool(message)
            case LedgerMoved():
                event = self._note_ledger(message)
            case LedgerDown() | Ruled():
                event = self._note_ruling(message)
            case TellingRefused():
                event = self._effects.refused(message, self._turn.reply)
            case TellingDue() | TellingPlayed() | TellingCut() | Release():
                self._effects.gate(message)
                event = None
            case Audible(reply) if reply == self._turn.reply:
                self.memory = self.memory.audible()
                event = message
            case MediaStarted(mixed=mixed):
                self._mixed = mixed
                event = message
            case _:
                self._watch_speech(message)
                event = cast("Event", message)
        self._step(message, event)
        self._rule()
        if not self._stops_owed and not self._rulings_owed and self._deferred is not None:
            deferred, self._deferred = self._deferred, None
            self._carry_out((deferred,))

    def _watch_speech(self, message: object) -> None:
        """Who is in the middle of words; as long as they come, the verdicts stay frozen."""
        match message:
            case SpeechOnset():
                self._onset = message
                if self._is_last_word():
                    self._effects.freeze()
            case UtteranceEnded(text=text):
                onset, self._onset = self._onset, None
                if self._is_last_word() and text and onset is not None:
                    self._effects.rule(self._turn.reply, text, onset.pos)
                elif self._is_last_word():
                    self._effects.thaw()
            case Partial(text=text) if text and self._turn.frozen:
                self._effects.freeze()

    def _is_last_word(self) -> bool:
        """Nothing that is said stops these words any more; it may still take back what they tell."""
        turn = self._turn
        return turn.state is State.TRANSFERRING or (turn.state is State.CLOSING and (turn.final or turn.leaving))

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

    def _settle(self, done: RoundDone) -> Event:
        """A round is over: the flow disposes of its proposals, and the machine is told what that came to."""
        before, now = self.memory.flow, self._now()
        spoke = len(done.said) > self._reply.said
        self.memory = self.memory.announced(done.notes, spoke=spoke)
        effects = {effect.id: effect.state for effect in self._effects.known}
        self.memory, outcomes = self.memory.settle(self._flow, done.proposals, now, effects, tools=self._reply.may_use_tools)
        for outcome in outcomes:
            if isinstance(outcome.proposal, Retract) and outcome.status == "done":
                self._effects.tell(ledger.Retracted(outcome.proposal.effect))
        tools = self._reply.settled(done, outcomes)
        self._watch_consent()
        if self._attending is not None:
            self._attend(speaking=self._attending.speaking)
        if done.proposals and done.round + 1 >= limits.ROUNDS:
            return ThinkFailed(done.reply, f"more than {limits.ROUNDS} rounds in one reply", done.at)
        repeats = bool(done.said) and done.said == self.memory.last_said
        if not done.proposals:
            self.memory = replace(self.memory, last_said=done.said)
        moved = self.memory.flow.state != before.state or self.memory.flow.slots != before.slots
        self._note_state(before.state)
        return Thought(
            done.reply,
            more=bool(done.proposals),
            tools=tools,
            segments=len(done.said),
            then=self.memory.then(self._flow),
            helper=self.memory.helper(self._flow, now),
            progress=moved or (done.understood and not repeats),
            at=done.at,
        )

    def _note_tool(self, done: ToolDone) -> Event | None:
        """A tool's outcome; the machine hears of it when the round has all of them."""
        self.memory = self.memory.tool(done.outcome)
        if done.reply != self._turn.reply:
            self._reply.serve(done.outcome)
            return None
        return ToolsDone(done.reply, done.at) if self._reply.has_all(done.outcome) else None

    # ── The ledger ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _note_ledger(self, moved: LedgerMoved) -> Event | None:
        """Effects have moved: what is kept for good may move the flow, and a reply may have waited for it."""
        self._effects.note(moved)
        before = self.memory.flow.state
        for change in moved.changes:
            if change.final and (then := trigger(self._flow, change)):
                self.memory, _ = self.memory.settle(self._flow, (Fire(then),), self._now())
        self._note_state(before)
        return self._waited()

    def _note_state(self, before: str) -> None:
        """The flow may be in another state: what the reply at hand still tells of the former one is told first."""
        self._entered = self._entered or self.memory.flow.state != before
        if self._turn.state is State.LISTENING:
            self._enter()

    def _enter(self) -> None:
        """An effect that the flow's state does not list any more was forgotten; at the flow's end it is told first."""
        if self._entered and not self._flow.over(self.memory.flow):
            tools = self._flow.state(self.memory.flow).tools
            self._effects.tell(ledger.Entered(frozenset(tool.name for tool in tools)))
        self._entered = False

    def _note_ruling(self, message: LedgerDown | Ruled) -> Event | None:
        if isinstance(message, Ruled):
            self._rulings_owed = max(0, self._rulings_owed - 1)  # of last words nobody waits for it
            self._reply.took = message.took or self._reply.took
            return None
        self._effects.down, self._effects.busy = True, False
        return self._waited()

    def _waited(self) -> Event | None:
        """The reply that waited for a kept effect can go on."""
        if not self._reply.waits or self._effects.busy:
            return None
        self._reply.waits = False
        return ToolsDone(self._turn.reply, trio.current_time())

    # ── Out ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _carry_out(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            self._do(command)

    def _do(self, command: Command) -> None:
        match command:
            case Think(added=added) if added:
                self._reply.took = ""
                self._unruled.append(command)
                self._rule()
                self._do(replace(command, added=""))
            case Think() | Continue() | Say() if self._stops_owed or self._rulings_owed:
                # A request must hold what was heard of the reply that was dropped and what the words did to the effects, and
                # audio of a new one must not come first.
                self._deferred = command
            case Think():
                self._start_reply(command)
            case Continue():
                self._reply.go_on(self.memory)
            case RunTools():
                self._reply.run_tools(self.memory.flow)
            case Say(line=line):
                if line is Line.HANDOVER:
                    self.memory = self.memory.escalated(self._flow, self._now())
                self._reply.say(command, self.memory.flow)
            case Hold() | Resume():
                self._ports.transport.send_nowait(command)
            case NewEpoch():
                self._abandon(command)
            case Attend(speaking):
                self._attend(speaking=speaking)
            case Arm(name, seconds):
                self._deadlines.arm(name, seconds)
            case Disarm(name):
                self._deadlines.disarm(name)
            case Freeze():
                self._effects.freeze()
            case Thaw(confirmed):
                if not confirmed:  # else the words themselves follow
                    self._effects.thaw()
            case HandOver(why):
                if not self._flow.state(self.memory.flow).transfer:
                    self.memory = self.memory.escalated(self._flow, self._now())
                self._hand_over(self.memory, why)
                self._decided = True
            case CloseMedia():
                # The next step is stored before the socket closes: the carrier asks for it at once.
                if not self._decided:
                    self._hang_up()
                self._ports.transport.send_nowait(command)
            case Finish(outcome):
                self.outcome = outcome

    def _rule(self) -> None:
        """The caller's words decide once it is known what was told of the reply that they cut, though their own be dropped."""
        while self._unruled and not self._stops_owed:
            think = self._unruled.popleft()
            sure = think.added if think.sure else ""  # what may not have been said decides nothing
            self._rulings_owed += self._effects.rule(think.reply, sure, think.onset)

    def _start_reply(self, think: Think) -> None:
        """A reply's first round."""
        self.memory = self.memory.begin()
        self._reply.begin(think)
        if self._reply.waits:
            # What the caller said yes to is a tool at work: its silence is filled, and its outcome told first.
            now, helper = trio.current_time(), self.memory.helper(self._flow, self._now())
            wait = Thought(think.reply, more=True, tools=1, segments=0, then=Then.LISTEN, helper=helper, progress=True, at=now)
            self._step(None, wait)
        else:
            self._reply.go_on(self.memory)

    def _abandon(self, command: NewEpoch) -> None:
        """The transport is told first; then all who may hold something of the reply."""
        self._stops_owed += 1
        self._deferred = None
        self._reply.waits = False
        self._effects.forget_queued()
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

    def _watch_consent(self) -> None:
        if not self._consent and self.memory.flow.notes.get("consent"):
            self._consent = True
            self._ports.transport.send_nowait(Record())

    def _now(self) -> datetime:
        return self._flow.local(self._wall().isoformat())
