"""The desk: who may call, which calls are expected or live, and what each of them decided for when its stream is over.

Pure but for the clock that it is given. A place is taken when the carrier's webhook asks, atomically, and given back when the
call is over, or when its stream did not come in time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from agentd import limits
from agentd.carriers.sautikit.control import Callback
from agentd.carriers.sautikit.webhook import Continue, Dial, Hangup, NextStep


class Stage(Enum):
    """Where a call stands."""

    EXPECTED = auto()
    LIVE = auto()
    OVER = auto()


@dataclass(slots=True, eq=False)
class Visit:
    """One call as the desk knows it, by the carrier's id. `step` is what it decided; `since` when its stage began."""

    callback: Callback
    stage: Stage
    since: float
    step: NextStep | None = None


class Desk:
    """Takes calls in. `clock` is any steady clock in seconds."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit, self._clock = limit, clock
        self._visits: OrderedDict[str, Visit] = OrderedDict()
        self.draining = False
        """No new calls; those that are in go on."""
        self.refused = 0

    def unready(self) -> str:
        """Why no new call can come in; empty where one can."""
        if self.draining:
            return "draining"
        return "full" if self.taken >= self._limit else ""

    @property
    def taken(self) -> int:
        """Places that are taken."""
        self._forget()
        return sum(visit.stage is not Stage.OVER for visit in self._visits.values())

    @property
    def live(self) -> int:
        """Calls whose stream is open."""
        return sum(visit.stage is Stage.LIVE for visit in self._visits.values())

    def admit(self, callback: Callback) -> bool:
        """Take a place for a new call."""
        if self.unready():
            self.refused += 1
            return False
        self._visits[callback.call_id] = Visit(callback, Stage.EXPECTED, self._clock())
        return True

    def next_step(self, call_id: str) -> NextStep | None:
        """What the call decided; None where it was never seen. A call whose stream ended undecided gets another stream."""
        self._forget()
        visit = self._visits.get(call_id)
        if visit is None:
            return None
        if visit.stage is Stage.OVER and visit.step is None:
            visit.stage, visit.since = Stage.EXPECTED, self._clock()
        return visit.step or Continue()

    def open(self, call_id: str) -> Visit | None:
        """The call's stream is here; None where it is not expected (any more, or again)."""
        self._forget()
        visit = self._visits.get(call_id)
        if visit is None or visit.stage is not Stage.EXPECTED:
            return None
        visit.stage, visit.since = Stage.LIVE, self._clock()
        return visit

    def decide(self, call_id: str, step: Dial | Hangup) -> None:
        """Store what comes after the stream."""
        if visit := self._visits.get(call_id):
            visit.step = step

    def close(self, call_id: str) -> None:
        """The stream is over; the decision is kept for the carrier that asks."""
        if visit := self._visits.get(call_id):
            visit.stage, visit.since = Stage.OVER, self._clock()
            visit.step = visit.step or Hangup()
            self._visits.move_to_end(call_id)

    def _forget(self) -> None:
        now = self._clock()
        for call_id, visit in list(self._visits.items()):
            patience = {Stage.EXPECTED: limits.TOKEN_S, Stage.OVER: limits.DECISIONS_S}.get(visit.stage)
            if patience is not None and now - visit.since > patience:
                del self._visits[call_id]
