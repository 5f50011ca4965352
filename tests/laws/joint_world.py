"""The turn machine and the ledger's rules in one world: what the conductor does between them, and nothing else.

The world of `world.py` goes on as it is; its transport has a gate for tellings, and its thinker proposes effects and tells what
is owed. The caller's voice is noticed a moment after it began. The ledger takes each event at once, as the conductor sends it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from agentd.ledger import rules
from agentd.ledger.book import QUESTIONS, Book, owed
from agentd.ledger.events import (
    Action,
    Answer,
    Answered,
    Ask,
    Begin,
    Clock,
    Cut,
    Due,
    Ended,
    Event,
    Played,
    Rejected,
    Release,
    Says,
    Send,
    Suspected,
    Tell,
    Void,
    Words,
)
from agentd.ledger.row import Row, Why
from agentd.ledger.speech.words import says
from agentd.messages import MediaStopped, Mode, NewEpoch, Partial, Reply, ThinkFailed
from agentd.turn.commands import Command, Continue, Freeze, Line, RunTools, Say, Thaw, Then, Think
from tests.laws import ledger_laws as laws
from tests.laws.world import Transport, World

TELLS, ASKS = "tell ", "ask "


@dataclass(frozen=True)
class Report:
    """What the transport says of a telling, or that it has stopped ("")."""

    what: str
    row: str = ""
    key: str = ""
    pos: int = 0


@dataclass(slots=True)
class Gate(Transport):
    """A transport before which a telling waits for its release, and which says once what became of it."""

    key: str = ""
    released: bool = False
    told: bool = False

    def reset(self, reply: Reply | None) -> None:
        Transport.reset(self, reply)
        self.key, self.released, self.told = "", False, False

    @property
    def telling(self) -> str:
        """The segment that is next to be played, if it tells or asks of an effect."""
        here = self.passed < len(self.segments) and not self.told
        segment = self.segments[self.passed] if here else ""
        return segment if segment.startswith((TELLS, ASKS)) else ""

    def play(self, at: float, pos: int) -> Any:
        if self.held or self.closing or self.reply is None:
            return None
        if self.telling and not self.released:
            if self.key:
                return None
            self.key = f"{self.reply.turn}.{self.reply.epoch}.{self.passed}"
            return Report("due", self.telling, self.key)
        if self.telling and self.audible:
            self.told = True
            return Report("played", self.segments[self.passed], self.key, pos)
        passed, event = self.passed, Transport.play(self, at, pos)
        if self.passed > passed:
            self.key, self.released, self.told = "", False, False
        return event


@dataclass(slots=True)
class Joint(World):
    """One call with effects. `offers` are the tool calls that the thinker may still make, by name."""

    book: Book = field(default_factory=lambda: Book("call"))
    offers: dict[str, Any] = field(default_factory=dict)
    flight: tuple[tuple[str, Ask], ...] = ()
    began: int | None = None
    wordless: bool = False
    sounded: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()
    objected: frozenset[str] = frozenset()
    answered: frozenset[str] = frozenset()
    waits: str = ""
    outcome: bool = False
    live: bool = False
    frozen_rows: bool = False
    stops: int = 0
    unruled: tuple[Think, ...] = ()
    deferred: Command | None = None

    def copy(self) -> Joint:
        return replace(self, transport=replace(self.transport), deadlines=dict(self.deadlines), offers=dict(self.offers))

    # ── The ledger ───────────────────────────────────────────────────────────────────────────────────────────────────

    def post(self, event: Event) -> None:
        """The ledger takes an event, and what follows is carried out."""
        before = self.book
        self.book, actions = rules.step(before, event)
        laws.check_book(self.book)
        laws.check_step(before, event, self.book, actions)
        for row in self.book.rows:
            old = before.row(row.id)
            if row.kept and (old is None or old.open):
                self._check_kept(row)
        for action in actions:
            self._act(action)
        self.live = self.book.live

    def _check_kept(self, row: Row) -> None:
        if row.why == Why.TOLD:
            assert row.id in self.sounded, f"{row.id} is kept as told, and its telling point was not played"
            assert row.id not in self.objected, f"{row.id} is kept over an objection"

    def _act(self, action: Action) -> None:
        match action:
            case Send(row, ask):
                self.flight = (*self.flight, (row, ask))
            case Tell(use):
                assert use not in self.answered, f"{use} has two outcomes"
                self.answered = self.answered | {use}
                self.outcome = self.outcome or use == self.waits
            case Release(_, key) if key == self.transport.key:
                self.transport.released = True
            case Void(_, key) if key == self.transport.key:
                self.take(ThinkFailed(self.turn.reply, "it is not so any more", self.clock))

    def answer(self, row: str, ask: Ask, answer: Answer) -> None:
        """The remote answers."""
        self.flight = tuple(other for other in self.flight if other != (row, ask))
        self.post(Answered(row, ask, answer))

    def due(self, clock: Clock, row: str) -> None:
        """A deadline of the ledger passes."""
        self.wordless = self.wordless or (clock is Clock.FREEZE and self.utterance is not None)
        self.post(Due(clock, row))

    # ── The caller ───────────────────────────────────────────────────────────────────────────────────────────────────

    def begin_to_speak(self) -> None:
        """The first voiced sample; what was not told until now may be objected to."""
        self.began = self.pos
        self.objects = frozenset(row.id for row in self.book.rows if row.open and row.id not in self.sounded)

    def is_noticed(self) -> None:
        """The voice is reported."""
        assert self.began is not None
        self.take(replace(self.speak(), pos=self.began))

    def says(self, text: str, voiced: float = 0.8) -> None:
        """The utterance is over."""
        self._note_objection(says(text, asked=self._asked()))
        event = self.end(text, voiced=voiced)
        self.began, self.objects, self.wordless = None, frozenset(), False
        self.take(event)

    def _note_objection(self, heard: Says) -> None:
        """What the caller takes back in time, whatever becomes of the words."""
        if heard is Says.RETRACT:
            self.objected = self.objected | self.objects | {row.id for row in self.book.rows if row.open}
            for row in self.book.rows:
                self._check_kept(row)

    def _asked(self) -> bool:
        return any(t.played is not None and t.mode in QUESTIONS for t in self.book.tellings)

    # ── The thinker ──────────────────────────────────────────────────────────────────────────────────────────────────

    def proposes(self, name: str) -> None:
        """A round ends with a tool call."""
        self.waits, self.outcome = name, False
        self.take(self.thought(more=True, tools=1, then=Then.LISTEN, helper=True, progress=True))

    def speaks(self) -> None:
        """The round that says what is owed, asks what is owed, and ends the reply."""
        assert self.thinking is not None
        for due in owed(self.book):
            if due.mode not in QUESTIONS:
                self.transport.add(self.thinking, f"{TELLS}{due.effect} {due.mode}")
        question = next((due for due in owed(self.book) if due.mode in QUESTIONS), None)
        self.transport.add(self.thinking, f"{ASKS}{question.effect} {question.mode}" if question else "plain")
        self.take(self.thought(more=False, tools=0, then=Then.LISTEN, helper=True, progress=True))

    # ── The conductor ────────────────────────────────────────────────────────────────────────────────────────────────

    def deliver(self) -> None:
        event, *rest = self.mailbox
        self.mailbox = tuple(rest)
        if isinstance(event, Report):
            self._hear_transport(event)
        else:
            self.take(event)
        self._rule()

    def _hear_transport(self, report: Report) -> None:
        _, row, mode = (report.row or "   ").split(" ", 2)
        match report.what:
            case "due":
                self.post(Begin(row, Mode(mode), report.key))
            case "played":
                self.post(Played(row, report.key, report.pos))
            case "cut":
                self.post(Cut(row, report.key))
            case "stopped":
                self.stops -= 1

    def play(self) -> None:
        """The transport plays on; what sounds is heard, whenever it is reported."""
        event: Any = self.transport.play(self.clock, self.pos)
        if event is None:
            return
        if isinstance(event, Report) and event.what == "played" and event.row.startswith(TELLS):
            self.sounded = self.sounded | {event.row.split(" ")[1]}
        self.mailbox = (*self.mailbox, event)

    def play_on(self) -> None:
        """The same; only what became of a telling may be reported late."""
        self.play()
        while self.mailbox and not (isinstance(self.mailbox[0], Report) and self.mailbox[0].what != "due"):
            self.deliver()

    def take(self, event: Any) -> tuple[Command, ...]:
        if isinstance(event, Partial) and event.text and self.turn.frozen:
            self._freeze()
        commands = World.take(self, event)
        self._rule()
        return commands

    def obey(self, command: Command) -> None:
        match command:
            case Think() if command.added:
                self.unruled = (*self.unruled, command)
                self._rule()
                self.obey(replace(command, added=""))
            case Think() | Continue() | Say() if self.stops:
                self.deferred = command
            case NewEpoch():
                self._abandon()
                World.obey(self, command)
            case Freeze():
                World.obey(self, command)
                self._freeze()
            case Thaw(confirmed):
                World.obey(self, command)
                if not confirmed and self.frozen_rows:
                    self.frozen_rows = False
                    self.post(Rejected())
            case RunTools():
                World.obey(self, command)
                self.live = True
                self.post(self.offers.pop(self.waits))
            case Say(reply, line) if line is not Line.FILLER:
                for due in owed(self.book):
                    if due.mode not in QUESTIONS:
                        self.transport.add(reply, f"{TELLS}{due.effect} {due.mode}")
                World.obey(self, command)
            case _:
                World.obey(self, command)

    def _abandon(self) -> None:
        """What was released and not told is cut; then the transport says that it has stopped."""
        self.stops += 1
        self.deferred = None
        gate = self.transport
        if gate.key and gate.released and not gate.told:
            self.mailbox = (*self.mailbox, Report("cut", gate.telling, gate.key))
        self.mailbox = (*self.mailbox, Report("stopped"))

    def _freeze(self) -> None:
        self.frozen_rows = self.frozen_rows or self.live
        if self.live:
            self.post(Suspected())

    def _rule(self) -> None:
        """The words decide once it is known what was told of the reply that they cut."""
        while self.unruled and not self.stops:
            think, *rest = self.unruled
            self.unruled = tuple(rest)
            if self.live or self.frozen_rows:
                self.frozen_rows = False
                self.post(Words(says(think.added, asked=self._asked()), think.onset))
        if not self.stops and self.deferred is not None:
            deferred, self.deferred = self.deferred, None
            self.obey(deferred)

    def hangs_up(self, last: str | None) -> None:
        """The line goes; what the caller was saying is still heard out."""
        onset, speaking = self.began, self.utterance is not None
        self.take(MediaStopped(self.clock, "hangup"))
        while self.mailbox:
            first, *rest = self.mailbox
            self.mailbox = tuple(rest)
            if isinstance(first, Report):
                self._hear_transport(first)
        self._rule()
        if speaking and last is not None and (self.live or self.frozen_rows):
            assert onset is not None
            heard = says(last, asked=self._asked())
            self._note_objection(heard)
            self.post(Words(heard, onset))
        self.post(Ended())

    def check(self) -> None:
        World.check(self)
        if not (self.mailbox or self.unruled or self.stops or self.finished):
            assert not self.book.frozen or self.turn.frozen, "the ledger is frozen, and the machine waits for nobody"
