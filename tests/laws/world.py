"""A small honest world around the turn machine: a transport, a listener, a thinker, tools and deadlines that keep their word.

`step` is driven as the conductor drives it. What the actors send waits in one mailbox, so that an event may arrive after a
command that has overtaken it, as it does in a call. `World.take` checks the laws of the machine on every single step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agentd.messages import (
    ActorRestarted,
    Asked,
    Audible,
    CloseMedia,
    Hold,
    KeyPressed,
    LongSpeech,
    MediaStopped,
    NewEpoch,
    Partial,
    PlaybackBegan,
    RanDry,
    Reply,
    ReplyHeard,
    Resume,
    Segment,
    ShutdownAsked,
    SpeechOnset,
    ThinkFailed,
    Timer,
    TimerFired,
    UtteranceEnded,
)
from agentd.turn import machine
from agentd.turn.commands import (
    Arm,
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
)
from agentd.turn.timing import Timing
from agentd.turn.value import State, Turn
from agentd.turn.words import Meaning, meaning

LAST_WORDS = {State.TRANSFERRING, State.CLOSING, State.ENDED}


@dataclass(slots=True)
class Transport:
    """What `audio.playout` does, in segments instead of samples."""

    epoch: int = 0
    reply: Reply | None = None
    segments: tuple[str, ...] = ()  # "plain", "question" or "filler"
    passed: int = 0
    ended: bool = False
    began: bool = False
    audible: bool = False
    asked: bool = False
    dry: bool = False
    done: bool = False
    held: bool = False
    closing: bool = False

    def take(self, reply: Reply) -> bool:
        if reply.epoch < self.epoch or self.closing:
            return False
        if reply != self.reply:
            self.reset(reply)
        self.epoch = reply.epoch
        return True

    def reset(self, reply: Reply | None) -> None:
        self.reply, self.segments, self.passed = reply, (), 0
        self.ended = self.began = self.audible = self.asked = self.dry = self.done = self.held = False

    def add(self, reply: Reply, segment: str) -> None:
        if self.take(reply):
            self.segments, self.dry = (*self.segments, segment), False

    def end(self, reply: Reply) -> None:
        if self.take(reply):
            self.ended = True

    def play(self, at: float, pos: int) -> Event | None:
        """The next thing that becomes true by playing on, or None where there is nothing to play."""
        if self.held or self.closing or self.reply is None:
            return None
        if self.passed < len(self.segments):
            segment = self.segments[self.passed]
            if not self.began:
                self.began = True
                return PlaybackBegan(self.reply, at, at)
            if segment != "filler" and not self.audible:
                self.audible = True
                return Audible(self.reply, at)
            if segment == "question" and not self.asked:
                self.asked = True
                return Asked(self.reply, Segment(self.reply, 0, "when?", 0), at, pos)
            self.passed += 1
        if self.passed == len(self.segments):
            if self.ended and not self.done:
                self.done = True
                return ReplyHeard(self.reply, at)
            if self.segments and not self.ended and not self.dry:
                self.dry, self.began = True, False
                return RanDry(self.reply, at)
        return None


@dataclass(slots=True)
class World:
    """One call. `clock` moves only by `wait`; with `timeless` all times are 0, so that states can be compared."""

    timing: Timing = field(default_factory=Timing)
    turn: Turn = field(default_factory=Turn)
    transport: Transport = field(default_factory=Transport)
    mailbox: tuple[Event, ...] = ()
    deadlines: dict[Timer, float] = field(default_factory=dict)
    clock: float = 0.0
    pos: int = 0
    utterance: int | None = None
    utterances: int = 0
    long: bool = False
    thinking: Reply | None = None
    round: int = 0
    tools: Reply | None = None
    frozen: bool = False
    finished: str = ""
    handed_over: bool = False
    restarts: int = 0
    idle: int = 0
    owed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    asked_for: str = ""
    cut: State = State.SPEAKING

    @classmethod
    def begin(cls, timing: Timing) -> World:
        turn, commands = machine.start(timing)
        world = cls(timing, turn)
        for command in commands:
            world.obey(command)
        return world

    def copy(self) -> World:
        return replace(self, transport=replace(self.transport), deadlines=dict(self.deadlines))

    # ── Actors → conductor ───────────────────────────────────────────────────────────────────────────────────────────

    def play(self) -> None:
        if (event := self.transport.play(self.clock, self.pos)) is not None:
            self.mailbox = (*self.mailbox, event)

    def speak(self) -> SpeechOnset:
        assert self.utterance is None
        self.utterances += 1
        self.utterance, self.long = self.utterances, False
        return SpeechOnset(self.utterance, self.pos, self.clock)

    def partial(self, text: str, *, sure: bool) -> Partial:
        assert self.utterance is not None
        return Partial(self.utterance, text, sure, self.clock)

    def long_speech(self) -> LongSpeech:
        assert self.utterance is not None
        self.long = True
        return LongSpeech(self.utterance, self.clock)

    def end(self, text: str, *, sure: bool = True, voiced: float = 0.3) -> UtteranceEnded:
        assert self.utterance is not None
        number, self.utterance = self.utterance, None
        return UtteranceEnded(number, text, sure, 0, self.pos, self.clock, 0.7, "unsure", self.clock, self.clock, voiced)

    def think(self, segment: str) -> None:
        assert self.thinking is not None
        self.transport.add(self.thinking, segment)

    def thought(self, *, more: bool, tools: int, then: Then, helper: bool, progress: bool) -> Thought:
        """The round is over; the end of the reply reaches the transport behind it."""
        assert self.thinking is not None
        reply, self.thinking = self.thinking, None
        if not more:
            self.transport.end(reply)
        return Thought(reply, more, tools, 1, then, helper, progress, self.clock)

    def fail(self) -> ThinkFailed:
        assert self.thinking is not None
        reply, self.thinking = self.thinking, None
        return ThinkFailed(reply, "it broke", self.clock)

    def finish_tools(self) -> ToolsDone:
        assert self.tools is not None
        reply, self.tools = self.tools, None
        return ToolsDone(reply, self.clock)

    def restart(self, actor: str) -> ActorRestarted:
        """The actor runs again, with nothing of what it held."""
        self.restarts += 1
        if actor == "listener":
            self.utterance = None
        elif actor == "thinker":
            self.thinking = None
        return ActorRestarted(actor, "it broke", 0, self.clock)

    # ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def fire_next(self) -> None:
        """The earliest deadline passes."""
        name = min(self.deadlines, key=lambda name: (self.deadlines[name], name))
        self.clock = max(self.clock, self.deadlines[name])
        self.fire(name)

    def fire(self, name: Timer) -> None:
        del self.deadlines[name]
        self.take(TimerFired(name, self.clock))

    def wait(self, seconds: float) -> None:
        """Time passes, with the deadlines in it in their order."""
        until = self.clock + seconds
        while self.deadlines and min(self.deadlines.values()) <= until and not self.finished:
            self.fire_next()
        self.clock = max(self.clock, until)
        self.pos = int(self.clock * 8000)

    # ── The conductor ────────────────────────────────────────────────────────────────────────────────────────────────

    def deliver(self) -> None:
        event, *rest = self.mailbox
        self.mailbox = tuple(rest)
        self.take(event)

    def tell(self, event: Event) -> None:
        """What is told behind all that waits in the mailbox."""
        while self.mailbox and not self.finished:
            self.deliver()
        if not self.finished:
            self.take(event)

    def take(self, event: Event) -> tuple[Command, ...]:
        """One step, with the laws that hold for each."""
        if self.finished:
            return ()
        before = self.turn
        after, commands = machine.step(before, event)
        check_step(before, event, after, commands)
        self.turn = after
        self._count(before, event, commands)
        if after.state is State.YIELDING and before.state is not State.YIELDING:
            self.cut = before.state
        elif isinstance(event, TimerFired) and event.name is Timer.RESUME:
            own = {State.GREETING, State.PROMPTING, State.CLOSING}
            assert after.state is (self.cut if self.cut in own else State.SPEAKING), "what was cut goes on"
        for command in commands:
            self.obey(command)
        self.check()
        return commands

    def obey(self, command: Command) -> None:
        match command:
            case Think(reply):
                self.thinking, self.round = reply, 0
            case Continue(reply):
                self.thinking, self.round = reply, self.round + 1
            case RunTools(reply):
                self.tools = reply
            case Say(reply, line, last):
                self.transport.add(reply, "filler" if line is Line.FILLER else "plain")
                if last:
                    self.transport.end(reply)
            case Hold(reply):
                self.transport.take(reply)
                self.transport.held, self.transport.began = True, False
            case Resume(reply):
                assert reply == self.transport.reply, "the reply that was held is the one that goes on"
                self.transport.held = self.transport.done = self.transport.dry = False
            case NewEpoch(epoch):
                self.transport.reset(None)
                self.transport.epoch = epoch
                self.thinking = None
                self.tools = None  # an outcome of an older epoch never reaches the machine
            case Arm(name, seconds):
                self.deadlines[name] = self.clock + seconds
            case Disarm(name):
                del self.deadlines[name]
            case Freeze():
                assert not self.frozen, "frozen twice"
                self.frozen = True
            case Thaw():
                assert self.frozen, "thawed what was not frozen"
                self.frozen = False
            case CloseMedia():
                assert not self.transport.closing, "closed twice"
                self.transport.closing = True
            case HandOver():
                assert not self.handed_over, "handed over twice"
                self.handed_over = True
            case Finish(outcome):
                assert not self.finished, "finished twice"
                self.finished = outcome

    # ── The laws that need the world's memory ────────────────────────────────────────────────────────────────────────

    def _count(self, before: Turn, event: Event, commands: tuple[Command, ...]) -> None:
        """What is thought about (laws 3 and 4), and how often with nothing new from the caller (law 5)."""
        words = _words_taken(before, event, self.turn)
        self.added = (*self.added, *words)
        if isinstance(event, Audible | ReplyHeard) and before.reply == event.reply and before.state not in LAST_WORDS:
            self.owed = ()
        for command in commands:
            match command:
                case Think(_, Why.REPLY, text):
                    if self.added:
                        assert text == " ".join((*self.owed, *self.added)), (text, self.owed, self.added)
                        self.owed, self.idle = (*self.owed, *self.added), 1
                    else:
                        assert text == self.asked_for, "without new words the same is answered"
                        self.idle += 1
                    self.added, self.asked_for = (), text
                case Think(_, _, text):
                    assert not text
                    self.owed, self.added = (), ()
                    self.idle += 1
                case Say(_, line) if line is not Line.FILLER:
                    self.owed, self.added = (), ()
        timing = self.timing
        rounds = 1 + timing.false_starts + timing.misheard + timing.prompts
        retries = timing.retries * (1 + timing.misheard + timing.prompts)
        assert self.idle <= rounds + retries + self.restarts, "turns without progress"

    def check(self) -> None:
        """What holds between any two events."""
        turn, transport = self.turn, self.transport
        assert turn.armed == set(self.deadlines), "the machine and the conductor know the same deadlines"
        assert transport.epoch <= turn.epoch
        if self.finished:
            assert turn.state is State.ENDED
            return
        assert turn.state is not State.ENDED
        assert turn.armed - {Timer.CALL}, f"{turn.state} has no way out"
        if not transport.closing:
            assert transport.held == (turn.state is State.YIELDING), "held means that a barge-in is suspected"
        assert self.frozen == turn.frozen
        words_may_come = turn.utterance or turn.keys or turn.state is State.YIELDING
        assert not self.frozen or words_may_come, "frozen for as long as words may come"
        assert turn.leaving == transport.closing
        assert turn.prompts <= self.timing.prompts
        assert turn.fillers <= self.timing.fillers
        assert turn.misheard <= self.timing.misheard
        assert turn.retries <= self.timing.retries + self.restarts
        if turn.state in {State.LISTENING, State.YIELDING}:
            assert self.utterance is not None or not turn.utterance, "an utterance that ended is over"
        assert bool(turn.tools) or turn.state is not State.WAITING, "waiting is for tools"
        assert not turn.tools or turn.state is not State.DELIBERATING, "who waits for a tool is told so"
        if turn.state is State.LISTENING and turn.keys:
            assert Timer.KEYS in turn.armed
        if self.thinking is not None and self.thinking.epoch == turn.epoch:
            assert turn.state not in {State.LISTENING, State.CONNECTING}, "nobody thinks while the caller has the floor"


def _words_taken(before: Turn, event: Event, after: Turn) -> tuple[str, ...]:
    """The caller's words that this event adds to a turn; by the law, not by the machine's fields."""
    match event:
        case UtteranceEnded(text=text) if meaningful(text):
            # Taken with the floor, or by interrupting; rejected and forgotten otherwise.
            confirmed = before.state is State.YIELDING and after.state is State.DELIBERATING
            return (text,) if before.state is State.LISTENING or confirmed else ()
        case KeyPressed(digit="#") if before.state is State.LISTENING and before.keys:
            return (" ".join(before.keys.rstrip("#") or "#"),)
        case TimerFired(name=Timer.KEYS) if Timer.KEYS in before.armed:
            return (" ".join(before.keys.rstrip("#") or "#"),)
    return ()


def meaningful(text: str) -> bool:
    return bool(set(text.split()) - {"um", "uh", "er"})


def check_step(before: Turn, event: Event, after: Turn, commands: tuple[Command, ...]) -> None:
    """The laws of a single step."""
    names = [type(command) for command in commands]
    raised = after.epoch - before.epoch
    assert raised in {0, 1}, "an abandoned reply raises the epoch once"
    assert [c.epoch for c in commands if isinstance(c, NewEpoch)] == [after.epoch] * raised, "and the transport is told"
    if NewEpoch in names:
        spoken = [i for i, name in enumerate(names) if name in {Think, Say, Continue, RunTools}]
        assert all(i > names.index(NewEpoch) for i in spoken), "first, before anything of the new epoch is made"
    for command in commands:
        if isinstance(command, Think | Say | Continue | RunTools | Hold | Resume):
            assert command.reply.epoch in {before.epoch, after.epoch}
            if isinstance(command, Think | Say):
                assert command.reply == after.reply, "nothing is asked for a dead reply"
    if isinstance(event, Thought | ToolsDone) and event.reply == before.reply and before.state is not State.ENDED:
        more = isinstance(event, ToolsDone) or event.more
        wanted = [] if not more else [RunTools] if isinstance(event, Thought) and event.tools else [Continue]
        assert [name for name in names if name in {RunTools, Continue}] == wanted, "a round is followed by what it asked for"
    resumed = isinstance(event, TimerFired) and event.name is Timer.RESUME
    if after.state in {State.CLOSING, State.TRANSFERRING} and before.state is not after.state and not resumed:
        last = [command for command in commands if isinstance(command, Say) and command.last]
        assert len(last) == 1 or after.said or after.leaving, "nobody is left without a word"
    if before.leaving and isinstance(event, MediaStopped | ShutdownAsked) and before.state is not State.ENDED:
        assert Finish(before.outcome or "completed") in commands, "what was decided stands"
    assert names.count(Finish) <= 1
    assert (Finish in names) == (after.state is State.ENDED and before.state is not State.ENDED)
    if before.state is State.ENDED:
        assert after.state is State.ENDED
        assert not commands
    if before.state is State.YIELDING and isinstance(event, TimerFired) and event.name is Timer.RESUME:
        assert after.reply == before.reply
        assert commands.count(Resume(before.reply)) == 1, "a rejected barge-in resumes"
        assert commands.count(Thaw(confirmed=False)) == 1
        assert not {Think, Say, NewEpoch} & set(names), "and abandons nothing"
    if before.state is State.YIELDING and after.state in {State.LISTENING, State.DELIBERATING}:
        assert raised == 1
        known = after.state is State.DELIBERATING or not (after.utterance or after.keys)
        assert names.count(Thaw) == known, "the words are known, or to come"
    if after.state is State.YIELDING and before.state is not State.YIELDING:
        assert names.count(Hold) == 1
        assert after.frozen
        assert raised == 0
    if before.state is State.YIELDING and isinstance(event, Partial | UtteranceEnded):
        answering = before.asked is not None and before.onset >= before.asked
        if not event.sure or (meaning(event.text) in {Meaning.BACKCHANNEL, Meaning.NOTHING} and not answering):
            assert raised == 0, "a backchannel never confirms, unless the agent has just asked"
