"""The sweep: a scripted turn for each class of tool, and a caller who speaks, or hangs up, at every moment of it.

Each call runs whole, in virtual time, on the real ledger. What becomes of it must be what `sweep_table` says, which is told no
more than where the caller's voice fell; and the laws of every call must hold. `python -m tests.laws.sweep` plays every
millisecond, and a point alone by its name.
"""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import trio
from trio._core import _run
from trio.testing import MockClock

from agentd import limits
from agentd.flow.hands import FlowHands
from agentd.flow.listening import Listening
from agentd.ledger.book import Book
from agentd.ledger.events import Answer, Ask, Done
from agentd.ledger.hands import Hands
from agentd.ledger.row import SPOKEN, Kind, Row
from agentd.ledger.storage.ledger import Ledger
from agentd.messages import (
    LedgerMoved,
    Listen,
    Logged,
    MediaStopped,
    ReplyHeard,
    RoundDone,
    Segment,
    SpeechOnset,
    TakeBack,
    TellingDue,
    TellingPlayed,
    ThinkRequest,
    ToolDone,
    UseTool,
    UtteranceEnded,
)
from agentd.offload import Inline
from agentd.providers.base import Thought
from tests.calls.effects import World, flow, open_ledger
from tests.calls.harness import NOON, RATE, Scene, telephone_call, until
from tests.fakes import speech
from tests.laws.sweep_table import FIRST, SECOND, Class, Fate, Stage, Words, fate

DIALECTS = ("sautikit", "jambonz")
"""A carrier that acknowledges nothing and drops nothing, and one that does both: the two truths of what was played."""

TICK = 0.02
MS = 0.001


@dataclass(frozen=True)
class Act:
    """How a class of tool is called."""

    tool: str
    name: str
    first: Any
    second: Any


ACTS = {
    Class.COMPENSABLE: Act("book", "day", "monday", "friday"),
    Class.HELD_TOLD: Act("put_aside", "day", "monday", "friday"),
    Class.HELD_YES: Act("reserve", "day", "monday", "friday"),
    Class.DEFERRED: Act("text", "day", "monday", "friday"),
    Class.PIVOT: Act("charge", "amount", 20, 30),
}

SAID = {
    Words.RETRACT: "no don't",
    Words.REVISE: "rather two",
    Words.ASSENT: "perfect thanks",
    Words.QUESTION: "how much",
}

WISH_S = 0.29
"""The caller says what is wanted; the greeting has no words."""

GUARD_S = Listen().onset_speaking + limits.LINK_S

TOOL_S = 0.2
"""The tool's own time."""

NOISE_S = 0.4
"""A noise that stops the agent, and is no speech."""

QUIET_S = 0.5
"""Nothing happens for so long, which is more than a guard: the turn is over."""


@dataclass
class Naive:
    """A thinker that calls the tool whenever it reads the first wish, though it may be under way already."""

    act: Act
    shift: float
    used: list[UseTool | TakeBack] = field(default_factory=list)

    async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
        if request.why == "opening":
            return Thought()
        if not self.used:
            await trio.sleep(self.shift)
        if not request.round and not request.took and (use := self._wish(request)):
            self.used.append(use)
            return Thought((use,))
        await say(Segment(request.reply, request.next_segment, "ok"))
        return Thought()

    def _wish(self, request: ThinkRequest) -> UseTool | TakeBack | None:
        act, name = self.act, f"use-{len(self.used)}"
        mine = [e for e in request.effects if e.tool == act.tool and e.args[act.name] == act.first and e.kind != "take_back"]
        if request.text.endswith(SAID[Words.RETRACT]):
            return TakeBack(name, mine[0].id)
        if request.text.endswith(SAID[Words.REVISE]):
            return UseTool(name, act.tool, {act.name: act.second}, replaces=mine[0].id)
        return UseTool(name, act.tool, {act.name: act.first}) if request.text.startswith("go") else None


class Receivers:
    """Those who take notices; all else is for the tools."""

    def __init__(self, tools: Hands) -> None:
        self._tools = tools

    async def send(self, row: Row, ask: Ask) -> Answer:
        return Done() if row.kind is Kind.NOTICE else await self._tools.send(row, ask)


@dataclass
class Played:
    """What came of a point."""

    log: list[Logged]
    world: World
    rows: tuple[Row, ...]
    adopted: list[Book]
    spoken: list[tuple[int, str]]
    outcome: str


@dataclass(frozen=True)
class Point:
    """One call: what the caller does, and when, in milliseconds of the call; None: the caller only listens.

    `shift`: by so many milliseconds all that follows the wish is later, so that the switch's ticks fall between other events.
    """

    of: Class
    words: Words | None = None
    at: int = 0
    dialect: str = "sautikit"
    shift: int = 0

    def __str__(self) -> str:
        return "/".join((self.of.name, self.words.name if self.words else "-", str(self.at), self.dialect, str(self.shift)))

    @classmethod
    def read(cls, name: str) -> Point:
        """The point of that name."""
        of, words, at, dialect, shift = name.split("/")
        return cls(Class[of], Words[words], int(at), dialect, int(shift))


_numbers = count()


def play(point: Point, ledger: Ledger) -> Played:
    """Place the call."""

    async def run() -> Played:
        return await _play(point, ledger, f"{point}/{next(_numbers)}")

    _run._r.seed(str(point))  # whose turn it is among tasks of one instant is chance, and the same each time
    return trio.run(run, clock=MockClock(autojump_threshold=0))


async def _play(point: Point, ledger: Ledger, name: str) -> Played:
    world = World(TOOL_S)
    thinker, quick = Naive(ACTS[point.of], point.shift * MS), flow(world)
    quick = replace(quick, states=[replace(state, listen=Listening(unsure=0.2)) for state in quick.states])
    hands = Receivers(FlowHands(quick, Inline(), lambda: NOON + dt.timedelta(seconds=trio.current_time())))
    async with telephone_call(
        quick, thinker, ledger=ledger, name=name, hands=lambda *_: hands, dialect=point.dialect, limit=40.0
    ) as scene:
        await trio.sleep_until(WISH_S)
        scene.phone.say("go")
        if point.words is Words.HANG_UP:
            await trio.sleep_until(point.at * MS)
        else:
            if point.words is not None:
                await speak(scene, point.words, point.at)
            await settled(scene)
        scene.phone.hang_up()
        await scene.over.wait()
    case = await ledger.of_call(name)
    rows = case.rows if case else ()
    return Played(scene.log.entries, world, tuple(rows), scene.adopted, scene.phone.spoken(), scene.outcome)


async def speak(scene: Scene, words: Words, at: int) -> None:
    """Begin to speak at the very sample."""
    await trio.sleep_until(at // 20 * TICK - TICK / 2)
    scene.phone.pause((at % 20 * 8 + 0.5) / RATE)
    if words is Words.SILENCE:
        scene.phone.cough(NOISE_S)
    else:
        scene.phone.say(SAID[words])
    await scene.phone.said()
    await trio.sleep(TICK)


async def settled(scene: Scene) -> None:
    """Wait until the machine listens and nothing has happened for a while."""
    entries = scene.log.entries

    def still() -> bool:
        said = len(scene.events(SpeechOnset)) == len(scene.events(UtteranceEnded))
        return said and entries[-1].state == "listening" and trio.current_time() - entries[-1].at >= QUIET_S

    await until(still, 20.0, ticks=5)


# ── What came of it ──────────────────────────────────────────────────────────────────────────────────────────────────


def milestones(log: list[Logged]) -> dict[Stage, float]:
    """When the log says that each stage began."""
    found: dict[Stage, float] = {}
    for entry in log:
        match entry.event:
            case RoundDone() if "runtools" in entry.commands:
                found.setdefault(Stage.CALLED, entry.at)
            case ToolDone():
                found.setdefault(Stage.ANSWERED, entry.at)
            case TellingDue():
                found.setdefault(Stage.BEGUN, entry.at)
            case TellingPlayed():
                found.setdefault(Stage.TOLD, entry.at)
            case LedgerMoved(changes=changes) if any(change.verdict == "keep" for change in changes):
                found.setdefault(Stage.GUARDED, entry.at)
    return found


def stages(log: list[Logged]) -> tuple[set[Stage], bool]:
    """How far the turn was when it was disturbed: two stages, where one begins at that very instant. And `after`, see fate."""
    called = next(number for number, entry in enumerate(log) if "runtools" in entry.commands)
    number, event = next(
        (n, e.event) for n, e in enumerate(log) if n > called and isinstance(e.event, SpeechOnset | MediaStopped)
    )
    before, at = milestones(log[:number]), log[number].at
    reached = max(before)
    possible = {reached} | {stage for stage, began in milestones(log).items() if stage == reached + 1 and began == at}
    if before[reached] == at:
        possible.add(Stage(reached - 1))
    played = [entry.event.pos for entry in log if isinstance(entry.event, TellingPlayed)]
    after = isinstance(event, SpeechOnset) and any(event.pos >= pos for pos in played)
    return possible, after


def faults(point: Point, played: Played) -> list[str]:
    """What is not as it must be."""
    of, words = point.of, point.words
    assert words is not None
    said = {str(FIRST): str(ACTS[of].first), str(SECOND): str(ACTS[of].second)}
    possible, after = stages(played.log)
    wanted = [fate(of, words, stage, after) for stage in sorted(possible)]
    found = Fate(
        tuple(sorted(name for name, value in said.items() for _ in range(played.world.net()[value]))),
        tuple(f"{row.verdict} {row.why}" for row in played.rows if row.kind in SPOKEN),
        sum(row.kind is Kind.NOTICE for row in played.rows),
    )
    found_faults = [] if found in wanted else [f"at {sorted(possible)}, after={after}: {found}, not {wanted}"]
    found_faults += [f"not settled: {row}" for row in played.rows if not row.settled]
    if played.adopted:
        found_faults.append("the call left it to the janitor")
    if any(key in played.world.there for key in played.world.promised):
        found_faults.append("a hold is left that was never confirmed")
    found_faults += _outcomes(played.log, hung_up=words is Words.HANG_UP)
    if played.outcome != "hangup":
        found_faults.append(f"the call ended as {played.outcome}")
    if words is not Words.HANG_UP:
        found_faults += _listens(played.log)
    found_faults += _unheard(point, played)
    return found_faults


def _unheard(point: Point, played: Played) -> list[str]:
    """What is kept was heard: its value was on the loudspeaker, and before the voice of who agreed to it.

    The switch plays by frames, and says so of a whole one when it begins.
    """
    act, faults = ACTS[point.of], list[str]()
    for row in played.rows:
        if row.kept and row.kind in SPOKEN and row.why in {"told", "assent", "yes"} and row.kind is not Kind.TAKE_BACK:
            value = str(json.loads(row.args)[act.name])
            ends = [at + len(speech.speak(word, RATE)) // 2 for at, word in played.spoken if word.strip(".,?") == value]
            if not ends or (row.why != "told" and ends[0] > (point.at * MS + TICK) * RATE):
                faults.append(f"{value} is kept ({row.why}) and was heard at {ends}")
    return faults


def _outcomes(log: list[Logged], *, hung_up: bool) -> list[str]:
    """Each tool call that was let through has one outcome, unless the call was over before."""
    rounds = [e.event for e in log if isinstance(e.event, RoundDone) and "runtools" in e.commands]
    called = [p.id for done in rounds for p in done.proposals if isinstance(p, UseTool | TakeBack)]
    told = [e.event.outcome.proposal.id for e in log if isinstance(e.event, ToolDone)]  # type: ignore[union-attr]
    if len(set(told)) != len(told) or not set(told) <= set(called) or (not hung_up and len(told) != len(called)):
        return [f"outcomes {told} for the calls {called}"]
    return []


def _listens(log: list[Logged]) -> list[str]:
    """A second after the last reply was heard the caller has the floor."""
    heard = max((entry.at for entry in log if isinstance(entry.event, ReplyHeard)), default=0.0)
    state = [entry.state for entry in log if entry.at <= heard + 1.0 and entry.state != "ended"][-1]
    return [] if state == "listening" else [f"a second after the reply it is {state}"]


# ── Where to speak ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Line:
    """The undisturbed turn: `first` and `last` milliseconds at which it may be disturbed, and the times of its events.

    `onset`: so long before the conductor hears of it a voice must begin, by the time of each event, in milliseconds.
    """

    first: int
    last: int
    events: tuple[int, ...]
    onset: dict[int, int]


@cache
def line(of: Class, dialect: str, shift: int, ledger: Ledger) -> Line:
    """Play the turn undisturbed."""
    log = play(Point(of, None, 0, dialect, shift), ledger).log
    called = milestones(log)[Stage.CALLED]
    end = max(entry.at for entry in log if isinstance(entry.event, ReplyHeard)) + GUARD_S
    onset, speaking = dict[int, int](), False
    for entry in log:
        if called <= entry.at <= end:
            onset.setdefault(round(entry.at / MS), 180 if speaking else 80)
        speaking = "attend speaking" in entry.commands or (speaking and "attend silent" not in entry.commands)
    return Line(round(called / MS) + 20, round(end / MS), tuple(onset), onset)


def grid(of: Class, words: Words, dialect: str, ledger: Ledger, step: int = 20, begin: int = 0) -> Iterator[Point]:
    """A voice that begins, or a line that goes, every so many milliseconds."""
    at = line(of, dialect, 0, ledger)
    yield from (Point(of, words, ms, dialect) for ms in range(at.first + begin, at.last + 1, step))


def near_events(of: Class, words: Words, dialect: str, ledger: Ledger) -> Iterator[Point]:
    """A voice that begins, or a line that goes, with an event, and a millisecond before and after it."""
    at = line(of, dialect, 0, ledger)
    yield from (Point(of, words, ms + off, dialect) for ms in at.events for off in (-1, 0, 1) if ms + off >= at.first)


def arrivals(of: Class, words: Words, dialect: str, ledger: Ledger) -> Iterator[Point]:
    """A voice of which the conductor hears with an event, and a millisecond before and after it."""
    known = set[tuple[int, int]]()
    for shift in range(20) if words is not Words.HANG_UP else ():
        at = line(of, dialect, shift, ledger)
        for number, ms in enumerate(at.events):
            for off in (-1, 0, 1):
                start = ms + off - at.onset[ms]
                if (ms + off) % 20 == 0 and start >= at.first and (number, off) not in known:
                    known.add((number, off))
                    yield Point(of, words, start, dialect, shift)


def every_millisecond(of: Class, words: Words, dialect: str, ledger: Ledger) -> Iterator[Point]:
    """A voice of which the conductor hears at every millisecond. Where it begins matters to what is assented to alone."""
    if words in {Words.ASSENT, Words.HANG_UP}:
        yield from grid(of, words, dialect, ledger, step=1)
    if words is not Words.HANG_UP:
        for shift in range(20):
            at = line(of, dialect, shift, ledger)
            yield from (Point(of, words, ms, dialect, shift) for ms in range(at.first // 20 * 20 + 20, at.last + 1, 20))


# ── By hand ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def play_all(job: tuple[Class, Words, str]) -> tuple[int, list[str]]:
    """Every millisecond of one class, one kind of words and one carrier: how many calls, and what is not as it must be."""
    with tempfile.TemporaryDirectory() as directory, open_ledger(Path(directory)) as ledger:
        points = list(every_millisecond(*job, ledger))
        return len(points), [f"{point}: {fault}" for point in points for fault in faults(point, play(point, ledger))]


def main(names: list[str]) -> int:
    """Play the points of these names, or every millisecond; answers the exit code."""
    _run._hypothesis_plugin_setup()
    if names:
        with tempfile.TemporaryDirectory() as directory, open_ledger(Path(directory)) as ledger:
            for point in map(Point.read, names):
                played = play(point, ledger)
                print(*(f"{e.at:8.4f} {e.state:12} {e.event} {e.commands}" for e in played.log), *played.rows, sep="\n")
                print(*faults(point, played), sep="\n")
        return 0
    calls, wrong, began = 0, list[str](), time.monotonic()
    jobs = [(of, words, dialect) for of in Class for words in Words for dialect in DIALECTS]
    with multiprocessing.get_context("spawn").Pool() as pool:
        for number, (more, found) in enumerate(pool.imap_unordered(play_all, jobs), 1):
            calls, wrong = calls + more, wrong + found
            print(*found, f"{number}/{len(jobs)}: {calls} calls, {time.monotonic() - began:.0f} s", sep="\n", flush=True)
    print(f"{calls} calls, {len(wrong)} not as the table says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
