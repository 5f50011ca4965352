"""The marks that we sent and what became of them: the one place where a carrier's answers turn into PLAYED, CLEARED or LOST.

Carriers differ in what they answer when we clear: one says so of each mark, one echoes it as if its audio had been played, one
says nothing. So what we clear ourselves is forgotten, marks and all: audio that is sent again gets new ones, in whose names is
the number of its sending, and what comes back of the old ones says nothing, whatever it is called. A mark that stays without
an answer is lost at its deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MARK_S: Final = 2.0
"""A mark that has not come back so long after its audio should have been played is lost."""


class Fate(StrEnum):
    """What became of a mark."""

    OUTSTANDING = "outstanding"
    PLAYED = "played"
    CLEARED = "cleared"
    LOST = "lost"


@dataclass(slots=True, eq=False)
class Mark:
    """One mark of one sending: lost where it has no answer by `lost_at`."""

    lost_at: float
    answer: Fate = Fate.OUTSTANDING

    def fate(self, now: float) -> Fate:
        """What is known of it by `now`."""
        return Fate.LOST if self.answer is Fate.OUTSTANDING and now >= self.lost_at else self.answer


class Marks:
    """The marks of one reply that have no answer, by name."""

    def __init__(self) -> None:
        self._outstanding: dict[str, Mark] = {}

    def place(self, name: str, played_at: float) -> Mark:
        """A mark that is sent behind audio which ends to be played at `played_at`."""
        mark = self._outstanding[name] = Mark(played_at + MARK_S)
        return mark

    def take(self, name: str, *, cleared: bool) -> None:
        """The carrier answered. The first answer counts; one to a name that is not outstanding says nothing."""
        mark = self._outstanding.pop(name, None)
        if mark is not None:
            mark.answer = Fate.CLEARED if cleared else Fate.PLAYED
