"""A world around the ledger's rules: a remote, a caller, a carrier, deadlines, and an owner that may die.

A world is a value, and what may happen next is a list of named worlds: so that all of them can be explored, and any of them
retold. There are no times in it: an armed deadline may pass at any moment, in any order that its meaning allows. The caller's
samples are told apart only by what they stand before: 1 is before the utterance at hand, 2 its onset, 3 behind it.

The remote keeps its word and nothing more. A request may be lost before it arrives or its answer on the way back; it may
arrive long after we gave it up (a ghost), twice where its key is honoured, or never. When the owner dies, between its write
and what follows from it, what it had not sent yet may still leave: it may only have been paused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from agentd.ledger import rules
from agentd.ledger.book import QUESTIONS, Book, owed, protector
from agentd.ledger.events import (
    Action,
    Answered,
    Ask,
    Begin,
    Clock,
    Cut,
    Done,
    Due,
    Ended,
    Event,
    Found,
    No,
    NotSent,
    Played,
    Proposed,
    Rejected,
    Release,
    Resolved,
    Retracted,
    Retried,
    Says,
    Send,
    Suspected,
    TakenBack,
    Tell,
    Unknown,
    Words,
)
from agentd.ledger.row import Fact, Kind, Row, Traits
from agentd.messages import Mode
from tests.laws import ledger_laws as laws
from tests.laws.ledger_remote import Remote, Thing, arrives, lapsed, put, thing

BEFORE, ONSET, BEHIND = 1, 2, 3
"""The caller's samples, as the words of one utterance tell them apart."""


def effect(
    name: str, kind: Kind, *, tool: str = "", needs: tuple[str, ...] = (), replaces: str = "", **traits: Any
) -> Proposed:
    """A tool call. Its tool and its identity are its name, where nothing else is said."""
    identity = traits.pop("identity", name)
    traits = {"undo": kind in {Kind.COMPENSABLE, Kind.HELD}, "keep_on": "told", **traits}
    return Proposed(
        name, f"use of {name}", tool or name, kind, Traits(**traits), identity=identity, needs=needs, replaces=replaces
    )


class Fault(StrEnum):
    """What may go wrong on the way to the remote and back."""

    LOST = "its answer is lost"
    LATE = "it is late"
    TWICE = "it arrives twice"
    UNSENT = "it does not leave"


@dataclass(frozen=True)
class Scenario:
    """What may happen: each of `offers` once, at any time; `turns` utterances of the caller that amount to one of `says`;
    `marks` tellings; so many `crashes`. The rest says what the world is capable of, and the last four what it lacks."""

    name: str
    offers: Mapping[str, Event]
    says: tuple[Says, ...] = ()
    turns: int = 1
    marks: int = 3
    crashes: int = 0
    hang_up: bool = True
    faults: frozenset[Fault] = frozenset()
    refuses: frozenset[Ask] = frozenset()
    clocks: frozenset[Clock] = frozenset({Clock.GUARD, Clock.FREEZE, Clock.RETRY})
    human: bool = False
    lossy: bool = True
    guarded: bool = True
    fenced: bool = True
    tombs: bool = True
    depth: int = 12


class Sound(NamedTuple):
    """A telling at the carrier; `at` is where its telling point was really played, or 0."""

    row: str
    mode: str
    key: str
    at: int = 0


class World(NamedTuple):
    """Everything, at one moment. `book` is what the owner knows, and what is on record."""

    book: Book
    left: tuple[str, ...]
    remote: Remote = ()
    flight: tuple[tuple[str, str], ...] = ()
    ghosts: tuple[tuple[str, str], ...] = ()
    playing: Sound | None = None
    onset: int = 0
    wordless: bool = False
    objects: frozenset[str] = frozenset()
    sounded: frozenset[tuple[str, str, int]] = frozenset()
    believes: frozenset[str] = frozenset()
    corrected: frozenset[str] = frozenset()
    marks: int = 0
    turns: int = 0
    crashes: int = 0
    answered: frozenset[str] = frozenset()
    paused: Book | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells two worlds apart. Books are the same object where they are equal."""
        return (id(self.book), *self[1:-1], id(self.paused))

    def thing(self, key: str) -> Thing:
        """What the remote knows of a key."""
        return thing(self.remote, key)


Way = tuple[str, World]


class Model:
    """What may happen within a scenario. Keeps every book once, and every step that was taken."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._books: dict[Book, Book] = {}
        self._steps: dict[tuple[int, str], tuple[Book, tuple[Action, ...]]] = {}
        self.trying = ""

    def begin(self) -> World:
        """The call's first moment."""
        return World(self.keep(Book("call")), tuple(self.scenario.offers), crashes=self.scenario.crashes)

    def keep(self, book: Book) -> Book:
        """The one object for all equal books."""
        known = self._books.get(book)
        if known is None:
            laws.check_book(book)
            known = self._books[book] = book
        return known

    # ── The owner ────────────────────────────────────────────────────────────────────────────────────────────────────

    def step(self, book: Book, name: str, event: Event) -> tuple[Book, tuple[Action, ...]]:
        """One step of the rules, with the laws that hold for each."""
        self.trying, at = name, (id(book), name)
        if at not in self._steps:
            after, actions = rules.step(book, event)
            after = self.keep(after)
            laws.check_step(book, event, after, actions)
            self._steps[at] = after, actions
        return self._steps[at]

    def happens(self, world: World, name: str, event: Event, **changes: Any) -> Iterator[Way]:
        """The event is taken; or it is written down, and the owner dies before it acts."""
        after, actions = self.step(world.book, name, event)
        written = world._replace(book=after, **changes)
        laws.check_verdicts(world, event, written)
        yield name, self.obey(written, actions)
        if world.crashes and any(isinstance(action, Send) for action in actions):
            yield from self.dies(written, f"{name}, and the owner dies before it acts", actions)

    def obey(self, world: World, actions: tuple[Action, ...]) -> World:
        """What was written down is done."""
        for action in actions:
            match action:
                case Send(row, ask):
                    world = world._replace(flight=(*world.flight, (row, ask.value)))
                case Release(row, key):
                    telling = next(t for t in world.book.tellings if t.key == key)
                    world = world._replace(playing=Sound(row, telling.mode.value, key))
                case Tell(use):
                    assert use not in world.answered, f"{use} has two outcomes"
                    world = world._replace(answered=world.answered | {use})
        return world._replace(flight=tuple(sorted(world.flight)))

    def dies(self, world: World, name: str, undone: tuple[Action, ...] = ()) -> Iterator[Way]:
        """Another owner takes over; what the dead one was about to send may still leave."""
        unsent = tuple((action.row, action.ask.value) for action in undone if isinstance(action, Send))
        at = id(world.book), "taken over"
        if at not in self._steps:
            after, actions = rules.recover(Book("call", world.book.rows), 0.0)
            again, _ = rules.recover(Book("call", after.rows), 0.0)
            assert [_settling(row) for row in again.rows] == [_settling(row) for row in after.rows], "taken over twice"
            after = self.keep(after)
            laws.check_step(world.book, Ended(), after, actions)
            self._steps[at] = after, actions
        after, actions = self._steps[at]
        taken = world._replace(
            book=after, flight=(), ghosts=tuple(sorted((*world.ghosts, *world.flight, *unsent))), playing=None, onset=0,
            wordless=False, objects=frozenset(), sounded=frozenset(), left=(), crashes=world.crashes - 1,
            paused=None if self.scenario.fenced else world.book,
        )  # fmt: skip
        yield name, self.obey(taken, actions)
        if taken.crashes and any(isinstance(action, Send) for action in actions):
            yield from self.dies(taken, f"{name}, and so does the next one", actions)

    def wakes(self, world: World) -> Iterator[Way]:
        """A paused owner that wakes goes on with what it knows, if nothing fences it off from the record."""
        if world.paused is not None:
            for clock, row in sorted(due for due in world.paused.armed if due[0] in self.scenario.clocks):
                after, actions = self.step(world.paused, f"{clock} of {row}", Due(clock, row))
                mine = {row.id: row for row in after.rows if row not in world.paused.rows}
                if mine:
                    rows = tuple(mine.get(row.id, row) for row in world.book.rows)
                    written = world._replace(book=replace(world.book, rows=rows), paused=None)
                    laws.check_step(world.book, Ended(), written.book, actions)
                    sent = tuple(action for action in actions if isinstance(action, Send))
                    yield f"the paused owner wakes: {clock} of {row}", self.obey(written, sent)

    # ── Everything that may happen ───────────────────────────────────────────────────────────────────────────────────

    def ways(self, world: World) -> Iterator[Way]:
        """What may happen next."""
        for part in (self.offers, self.carrier, self.caller, self.remote, self.time, self.human, self.trouble):
            yield from part(world)

    def offers(self, world: World) -> Iterator[Way]:
        """What the thinker proposes, and what the flow does."""
        for name in world.left:
            offer, left = self.scenario.offers[name], tuple(other for other in world.left if other != name)
            wishes = {offer.row} if isinstance(offer, Retracted | TakenBack) else set()
            yield from self.happens(world, name, offer, left=left, believes=world.believes - wishes)

    def trouble(self, world: World) -> Iterator[Way]:
        """The caller goes, or the owner dies, or wakes up and is the owner no more."""
        if self.scenario.hang_up and not world.book.over:
            gone = {"playing": None, "onset": 0, "wordless": False, "left": ()}
            yield from self.happens(world, "the caller hangs up", Ended(), **gone)
        if world.crashes:
            yield from self.dies(world, "the owner dies")
        yield from self.wakes(world)

    def carrier(self, world: World) -> Iterator[Way]:
        """A telling begins, its point is played, and the carrier says so, or does not. It plays nothing while the caller is
        known to speak."""
        sound = world.playing
        if world.book.over:
            return
        if sound is None:
            due = next(iter(owed(world.book)), None)
            if due and world.onset != ONSET and world.marks < self.scenario.marks:
                key = f"{due.effect} {due.mode} {world.marks}"
                begin = Begin(due.effect, due.mode, key)
                yield from self.happens(world, f"begins {key}", begin, marks=world.marks + 1)
            return
        if not sound.at and world.onset != ONSET:
            yield f"{sound.key} sounds", hears(world, sound._replace(at=BEHIND if world.onset else BEFORE))
        if sound.at:
            played = Played(sound.row, sound.key, sound.at)
            yield from self.happens(world, f"{sound.key} was played at {sound.at}", played, playing=None)
        if self.scenario.lossy:
            yield from self.happens(world, f"{sound.key} is cut", Cut(sound.row, sound.key), playing=None)

    def caller(self, world: World) -> Iterator[Way]:
        """The caller begins to speak, is noticed a moment later, and ends in words or in nothing."""
        if world.book.over:
            return
        if world.onset == 0 and world.turns < self.scenario.turns and self.scenario.says:
            heard = {row for row, mode, _ in world.sounded if mode == Mode.TELL}
            objects = frozenset(row.id for row in world.book.rows if row.open) - heard
            yield "the caller begins to speak", world._replace(onset=1, objects=objects, turns=world.turns + 1)
        elif world.onset == 1:
            yield from self.happens(world, "speech is noticed", Suspected(), onset=ONSET)
        elif world.onset == ONSET:
            for says in self.scenario.says if not world.wordless else ():
                said = words(world, says)
                yield from self.happens(world, f"the caller says {says}", Words(says, ONSET), **said)
            for name, after in self.happens(world, "it was nothing", Rejected(), onset=0, wordless=False, objects=frozenset()):
                yield name, self.silent(after)

    def silent(self, world: World) -> World:
        """The utterance is over, and what was played during it is before the next one."""
        tellings = tuple(replace(t, played=t.played and BEFORE) for t in world.book.tellings)
        sounded = frozenset((row, mode, BEFORE) for row, mode, _ in world.sounded)
        playing = world.playing and world.playing._replace(at=min(world.playing.at, BEFORE))
        return world._replace(book=self.keep(replace(world.book, tellings=tellings)), sounded=sounded, playing=playing)

    def remote(self, world: World) -> Iterator[Way]:
        """Requests arrive."""
        for name, ask in sorted(set(world.flight)):
            yield from self.request(world, name, Ask(ask))
        for ghost in sorted(set(world.ghosts)):
            yield from self.ghost(world, ghost)

    def request(self, world: World, name: str, ask: Ask) -> Iterator[Way]:
        """A request arrives and is answered, or one of them is not."""
        row = world.book.row(name)
        assert row is not None
        flight = list(world.flight)
        flight.remove((name, ask.value))
        rest = world._replace(flight=tuple(flight))
        faults, what = self.scenario.faults, f"{ask} of {name}"
        for remote, answer in arrives(world.remote, row, ask, tombs=self.scenario.tombs, refuses=ask in self.scenario.refuses):
            how = "no" if isinstance(answer, No) else getattr(answer, "value", "done")
            yield from self.happens(rest, f"{what}: {how}", Answered(name, ask, answer), remote=remote)
            if isinstance(answer, Done | Found) and Fault.LOST in faults:
                unknown = Answered(name, ask, Unknown("lost"))
                yield from self.happens(rest, f"{what}: {Fault.LOST}", unknown, remote=remote)
            if isinstance(answer, Done) and Fault.TWICE in faults and row.traits.honours_key:
                ghosts = tuple(sorted((*rest.ghosts, (name, ask.value))))
                event = Answered(name, ask, answer)
                yield from self.happens(rest, f"{what}: {Fault.TWICE}", event, remote=remote, ghosts=ghosts)
        if ask is not Ask.STATUS and Fault.LATE in faults:
            ghosts = tuple(sorted((*rest.ghosts, (name, ask.value))))
            yield from self.happens(rest, f"{what}: {Fault.LATE}", Answered(name, ask, Unknown("late")), ghosts=ghosts)
        if Fault.UNSENT in faults:
            yield from self.happens(rest, f"{what}: {Fault.UNSENT}", Answered(name, ask, NotSent("")))

    def ghost(self, world: World, ghost: tuple[str, str]) -> Iterator[Way]:
        """A request arrives that nobody waits for."""
        ghosts = list(world.ghosts)
        ghosts.remove(ghost)
        row = world.book.row(ghost[0])
        assert row is not None
        for remote, _ in arrives(world.remote, row, Ask(ghost[1]), tombs=self.scenario.tombs):
            yield f"{ghost[1]} of {ghost[0]} arrives at last", world._replace(remote=remote, ghosts=tuple(ghosts))

    def time(self, world: World) -> Iterator[Way]:
        """Deadlines pass, and holds end."""
        armed, clocks = world.book.armed, self.scenario.clocks
        for clock, name in sorted(armed):
            if clock not in clocks:
                continue
            ways = self.happens(world, f"{clock} of {name}", Due(clock, name))
            if clock is Clock.GUARD:
                behind = any(t.row == name and t.played == BEHIND for t in world.book.tellings)
                if self.scenario.guarded and world.onset == 1 and behind:
                    continue  # speech that began before the telling point is noticed within the guard
            elif clock is Clock.FREEZE:
                ways = self.happens(world, "three seconds without words", Due(clock, name), wordless=world.onset == ONSET)
            elif clock is Clock.EXPIRES:
                if (Clock.STALE, name) in armed:
                    continue
                gone = lapsed(world.thing(name))
                ways = self.happens(world, f"the hold {name} ends", Due(clock, name), remote=put(world.remote, name, gone))
                if gone != world.thing(name):
                    yield f"the hold {name} ends over there", world._replace(remote=put(world.remote, name, gone))
            yield from ways

    def human(self, world: World) -> Iterator[Way]:
        """A human looks at what is stuck, once nothing is under way any more."""
        for row in world.book.rows if self.scenario.human else ():
            if row.stuck and not protector(world.book, row) and row.id not in {name for name, _ in world.ghosts}:
                thing = world.thing(row.of if row.kind is Kind.TAKE_BACK else row.id)
                has = (thing.net == 0) == (row.kind is Kind.TAKE_BACK)
                if row.fact is not Fact.CONFIRMING or thing.confirmed or not has:  # else it is neither there nor gone
                    found = Resolved(row.id, has, "")
                    yield from self.happens(world, f"a human finds {row.id} {'there' if has else 'gone'}", found)
                yield from self.happens(world, f"a human has {row.id} tried again", Retried(row.id))


def _settling(row: Row) -> tuple[Any, ...]:
    """What a second taking over must not change."""
    return row.id, row.verdict, row.why, row.told, row.noticed


# ── The caller's side of the truth ───────────────────────────────────────────────────────────────────────────────────────


def hears(world: World, sound: Sound) -> World:
    """A telling point is played: from here on the caller believes it."""
    sounded = world.sounded | {(sound.row, sound.mode, sound.at)}
    believes, corrected = world.believes, world.corrected
    if sound.mode == Mode.TELL:
        believes = believes | {sound.row}
    elif sound.mode == Mode.UNTELL:
        believes, corrected = believes - {sound.row}, corrected | {sound.row}
    return world._replace(playing=sound, sounded=sounded, believes=believes, corrected=corrected)


def words(world: World, says: Says) -> dict[str, Any]:
    """What the caller believes after these words: what was agreed to, and nothing of what was taken back."""
    asked = {row for row, mode, at in world.sounded if mode in QUESTIONS - {Mode.RISK} and at == BEFORE}
    believes = world.believes
    if says is Says.ASSENT:
        believes = believes | {row for row in asked if (found := world.book.row(row)) and found.open}
    elif says is Says.RETRACT:
        believes = believes - {row.id for row in world.book.rows if row.open}
    elif says is Says.NO:
        believes = believes - asked
    return {
        "onset": 0, "objects": frozenset(), "sounded": frozenset(), "playing": None, "believes": frozenset(believes)
    }  # fmt: skip
