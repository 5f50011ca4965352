"""What must become of an effect when the caller speaks at any moment of the turn that tells it: the sweep's table.

Written from the specification and apart from the ledger's code: it knows a class of tool, the caller's words and where in the
turn they fell, and nothing of rows, events or actors.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Class(StrEnum):
    """The classes of tools, held ones by what keeps them."""

    COMPENSABLE = "compensable"
    HELD_TOLD = "held, kept when told"
    HELD_YES = "held, kept by a yes"
    DEFERRED = "deferred"
    PIVOT = "pivot"


ASKED = frozenset({Class.HELD_YES, Class.PIVOT})
"""These are kept by a yes alone."""

UNDONE = frozenset({Class.COMPENSABLE, Class.HELD_TOLD})
"""These can be undone when they are kept, as the sweep's tools are declared."""


class Words(StrEnum):
    """What the caller does."""

    RETRACT = "retract"
    REVISE = "revise"
    ASSENT = "assent"
    QUESTION = "question"
    SILENCE = "silence"
    """A noise without words."""
    HANG_UP = "hang up"


class Stage(IntEnum):
    """How far the turn is when the caller is heard to speak, or hangs up."""

    CALLED = 0
    """The tool was called."""
    ANSWERED = 1
    """It gave its answer."""
    BEGUN = 2
    """It is on record that the telling, or the question, begins."""
    TOLD = 3
    """Its telling point was played."""
    GUARDED = 4
    """And a guard later nobody had spoken."""


FIRST, SECOND = "first", "second"
"""What the caller wants at first, and what the revision asks for."""


@dataclass(frozen=True)
class Fate:
    """What is so in the end: what the world holds, each row's verdict and cause in their order, and the notices owed."""

    world: tuple[str, ...]
    rows: tuple[str, ...]
    notices: int = 0


GONE = Fate((), ("drop retracted",))
"""Taken back before it was kept: rolled back at once, and nobody need be told."""
KEPT = Fate((FIRST,), ("keep told",))
"""Told, again if need be, and not objected to."""


def fate(of: Class, words: Words, stage: Stage, after: bool) -> Fate:
    """The table. `after`: the first voiced sample of the words is behind the telling point, or the question's last value.

    When the words are answered the caller hangs up without another one.
    """
    if of in ASKED:
        return _asked(words, stage, after)
    return _kept(of, words) if stage >= Stage.GUARDED else _told(words, stage, after)


def _told(words: Words, stage: Stage, after: bool) -> Fate:
    """Rules 9, 10 and 16: open, and kept when told."""
    match words:
        case Words.RETRACT:
            return GONE
        case Words.REVISE:
            return Fate((SECOND,), ("drop revised", "keep told"))
        case Words.ASSENT if after:
            return Fate((FIRST,), ("keep assent",))
        case Words.HANG_UP if stage < Stage.BEGUN:
            return Fate((), ("drop ended",))
        case Words.HANG_UP:
            return Fate((FIRST,), ("keep doubt",), notices=1)
        case _:
            return KEPT


def _kept(of: Class, words: Words) -> Fate:
    """Rule 12: kept is kept; a change of mind is a new act, where there is an undo.

    The old one is undone once the new one is kept: then nobody is there any more who could be told, and a notice is owed.
    """
    if of in UNDONE and words is Words.RETRACT:
        return Fate((), ("keep told", "keep yes"))
    if of in UNDONE and words is Words.REVISE:
        return Fate((SECOND,), ("keep told", "keep told", "keep yes"), notices=1)
    return KEPT


def _asked(words: Words, stage: Stage, after: bool) -> Fate:
    """Rules 5 and 16: a yes to the question that was heard keeps it; one that gets no answer is dropped, with a notice."""
    match words:
        case Words.RETRACT:
            return GONE
        case Words.REVISE:
            return Fate((), ("drop revised", "drop ended"), notices=1)
        case Words.ASSENT if after:
            return Fate((FIRST,), ("keep yes",))
        case _:
            return Fate((), ("drop ended",), notices=int(words is not Words.HANG_UP or stage >= Stage.BEGUN))
