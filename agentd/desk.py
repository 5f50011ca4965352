"""The desk: who may call, which calls are expected or live, and what each of them decided for when its stream is over.

Pure but for the clock that it is given, and never waiting, so that admission is atomic. A place is taken when the carrier's
webhook asks, and given back when the call is over, or when its stream did not come in time. A carrier may ask again while
a stream that broke is still being closed: the visit then gets another stream, which takes the older one's place. So does a call
that was handed over and that nobody took: it comes back with what it remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from agentd import limits
from agentd.actors.memory import Memory
from agentd.carriers.sautikit.control import Callback
from agentd.carriers.sautikit.webhook import BUSY, NO_SUCH_NUMBER, UNREACHED, Continue, Dial, Hangup, NextStep

STREAMS: Final = 2
"""Streams of one visit. One that ended undecided (a lost connection, a bug of ours) is made good once, and not for ever."""

RETURNS: Final = 2
"""How often a call comes back from a dial that nobody took: whoever is then put through in vain again had better call later."""

DECISIONS: Final = 4096
"""Visits that are over and may still be asked about: those of an hour, and no more than some megabytes of them."""

ASKED_WITHIN_S: Final = 1.5
"""A carrier asks what comes next as soon as the stream has closed; later than this it has hung up."""


class Stage(Enum):
    """Where a call stands."""

    EXPECTED = auto()
    LIVE = auto()
    OVER = auto()


@dataclass(frozen=True, slots=True)
class Return:
    """A call that goes on after a handover that nobody took: what it remembers, and the `call` of ours that it goes on from."""

    call: str
    memory: Memory


@dataclass(slots=True, eq=False)
class Visit:
    """One call as the desk knows it, by the carrier's id.

    `since` is when its stage began, `step` what it decided, `told` whether the carrier has been told. `streams` counts those
    that were opened; `promised`: the carrier was given another one while the last still stands. `back` is how it would come
    back from the dial that it decided for, `returned` how it has, `returns` how often.
    """

    callback: Callback
    since: float
    stage: Stage = Stage.EXPECTED
    step: Dial | Hangup | None = None
    told: bool = False
    streams: int = 0
    promised: bool = False
    back: Return | None = None
    returned: Return | None = None
    returns: int = 0

    @property
    def streams_left(self) -> bool:
        """Whether a stream that ends undecided would be made good."""
        return self.streams < STREAMS + self.returns


@dataclass(frozen=True, slots=True)
class Stream:
    """A visit's stream; what it decides counts as long as it is the newest one."""

    visit: Visit
    number: int

    @property
    def newest(self) -> bool:
        """Whether no later stream has taken its place."""
        return self.number == self.visit.streams


class Desk:
    """Takes calls in, at most `limit` at a time; `answers` says which numbers are ours.

    `clock` is any steady one, in seconds.
    """

    def __init__(self, limit: int, clock: Callable[[], float], answers: Callable[[str], bool]) -> None:
        self._limit, self._clock, self._answers = limit, clock, answers
        self._inside: dict[str, Visit] = {}
        self._over: OrderedDict[str, Visit] = OrderedDict()
        self.draining = False
        """No new calls; those that are in go on."""

    def unready(self) -> str:
        """Why no new call can come in; empty where one can."""
        if self.draining:
            return "draining"
        return "full" if self.taken >= self._limit else ""

    @property
    def taken(self) -> int:
        """Places that are taken: by live calls, and by those whose stream is expected."""
        self._forget()
        return len(self._inside)

    @property
    def busy(self) -> bool:
        """Whether a call is inside, or has just decided something that the carrier has not asked for yet."""
        now = self._clock()
        recent = (visit for visit in self._over.values() if now - visit.since < ASKED_WITHIN_S)
        return self.taken > 0 or any(visit.step is not None and not visit.told for visit in recent)

    # ── The carrier's webhook ────────────────────────────────────────────────────────────────────────────────────────

    def admit(self, callback: Callback) -> str:
        """Take a place for a new call; else the sentence that the caller hears."""
        if not self._answers(callback.to):
            return NO_SUCH_NUMBER
        if self.unready():
            return BUSY
        self._inside[callback.call_id] = Visit(callback, self._clock())
        return ""

    def next_step(self, call_id: str) -> NextStep | None:
        """What the call decided, None where it was never seen; a call that is undecided gets another stream, or an end."""
        self._forget()
        visit = self._inside.get(call_id) or self._over.get(call_id)
        if visit is None:
            return None
        if visit.step is None:
            match visit.stage:
                case Stage.EXPECTED:
                    visit.since = self._clock()
                case Stage.LIVE:
                    visit.promised = visit.streams_left
                case Stage.OVER if visit.streams_left and not self.unready():
                    self._expect_again(visit)
                case Stage.OVER:
                    visit.step = Hangup()
        visit.told = visit.step is not None
        return visit.step or Continue()

    def unreached(self, call_id: str) -> NextStep:
        """Nobody took the dial: the call goes on where its flow does and there is a place, else it ends in words."""
        visit = self._inside.get(call_id) or self._over.get(call_id)
        if visit is not None and isinstance(visit.step, Dial):
            if visit.back is None or visit.returns >= RETURNS or self.unready():
                visit.step = Hangup(UNREACHED)
            else:
                visit.step, visit.returned, visit.back = None, visit.back, None
                visit.returns += 1
        return self.next_step(call_id) or Hangup(UNREACHED)

    def ended(self, call_id: str) -> None:
        """The carrier says that the call is over: nobody will come, or ask. A stream that still stands ends by itself."""
        self._over.pop(call_id, None)
        if (visit := self._inside.get(call_id)) and visit.stage is Stage.EXPECTED:
            del self._inside[call_id]

    # ── The media socket ─────────────────────────────────────────────────────────────────────────────────────────────

    def expects(self, call_id: str) -> bool:
        """Whether a stream of this call would be let in."""
        self._forget()
        visit = self._inside.get(call_id)
        return visit is not None and (visit.stage is Stage.EXPECTED or (visit.promised and visit.step is None))

    def open(self, call_id: str) -> Stream | None:
        """The call's stream is here; None where it is not expected (any more, or again). To be closed by `close`."""
        if not self.expects(call_id):
            return None
        visit = self._inside[call_id]
        visit.stage, visit.since, visit.promised = Stage.LIVE, self._clock(), False
        visit.streams += 1
        return Stream(visit, visit.streams)

    def decide(self, stream: Stream, step: Dial | Hangup, back: Return | None = None) -> None:
        """Store what comes after the stream, and `back`, how the call goes on from a dial that nobody took.

        To be called before it is closed.
        """
        if stream.newest:
            stream.visit.step, stream.visit.back = step, back

    def close(self, stream: Stream) -> None:
        """The stream is over, and its place free, unless another one has taken it or was promised."""
        visit = stream.visit
        if not stream.newest or visit.stage is not Stage.LIVE:
            return
        if visit.promised and visit.step is None:
            self._expect_again(visit)
            return
        visit.stage, visit.since = Stage.OVER, self._clock()
        self._inside.pop(visit.callback.call_id, None)
        self._over[visit.callback.call_id] = visit

    def _expect_again(self, visit: Visit) -> None:
        visit.stage, visit.since, visit.promised = Stage.EXPECTED, self._clock(), False
        self._over.pop(visit.callback.call_id, None)
        self._inside[visit.callback.call_id] = visit

    def _forget(self) -> None:
        """Give back the places of streams that did not come, and forget decisions that nobody asked for."""
        now = self._clock()
        for call_id, visit in list(self._inside.items()):
            if visit.stage is Stage.EXPECTED and now - visit.since > limits.TOKEN_S:
                del self._inside[call_id]
        while self._over and (len(self._over) > DECISIONS or now - next(iter(self._over.values())).since > limits.DECISIONS_S):
            self._over.popitem(last=False)
