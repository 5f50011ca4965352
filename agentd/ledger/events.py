"""What happens to the ledger, what it asks for, and what the world answers: the words of `rules.step`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agentd.ledger.row import Kind, Traits
from agentd.messages import Mode, Status

# ── Answers of the world ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Done:
    """It was done. `result` is JSON; a hold promises its confirmation for `lasts` seconds, until `expires` (epoch)."""

    result: str = ""
    lasts: float = 0.0
    expires: float = 0.0


@dataclass(frozen=True, slots=True)
class No:
    """It was refused."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class NotSent:
    """It never left: there was no connection, or the resource stayed busy. It may be tried again without harm."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been done or not: no answer in time, or the connection was lost."""

    why: str = ""


class Found(StrEnum):
    """What `status(key)` says."""

    THERE = "there"
    CONFIRMED = "confirmed"
    ABSENT = "absent"


Answer = Done | No | NotSent | Unknown | Found


class Ask(StrEnum):
    """A request to the world. `do` is a hold's prepare, `undo` its cancel, `act` that of a deferred effect or a pivot."""

    DO = "do"
    CONFIRM = "confirm"
    UNDO = "undo"
    ACT = "act"
    STATUS = "status"


# ── Events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Proposed:
    """A tool call was allowed and its arguments checked. `id` names a row that would be opened for it, `use` the tool call.

    `needs` are the tools that it needs, by name.
    """

    id: str
    use: str
    tool: str
    kind: Kind
    traits: Traits
    args: str = "{}"
    identity: str = ""
    resource: str = ""
    needs: tuple[str, ...] = ()
    replaces: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The caller wants a kept effect undone. `id` names the row that would be opened for it."""

    id: str
    use: str
    row: str
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """The world answered a request of a row."""

    row: str
    ask: Ask
    answer: Answer


@dataclass(frozen=True, slots=True)
class Begin:
    """The segment `key` that tells or asks of a row is about to be played: nothing of it has left yet."""

    row: str
    mode: Mode
    key: str


@dataclass(frozen=True, slots=True)
class Played:
    """The telling point of segment `key` was played, when the caller's audio stood at sample `pos`."""

    row: str
    key: str
    pos: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The telling `key` was cleared or lost before its telling point was known to be played."""

    row: str
    key: str


@dataclass(frozen=True, slots=True)
class Suspected:
    """The caller may be speaking: no verdict from here on."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """It was nothing: a cough, a backchannel, or speech without words."""


class Says(StrEnum):
    """What the caller's finished turn amounts to, for what is open."""

    ASSENT = "assent"
    NO = "no"
    RETRACT = "retract"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Words:
    """The caller's finished turn; its first voiced sample is `onset`."""

    says: Says
    onset: int


@dataclass(frozen=True, slots=True)
class Retracted:
    """The thinker takes the caller's words for a retraction of this row."""

    row: str


@dataclass(frozen=True, slots=True)
class Entered:
    """The flow is in a state that lists these tools."""

    tools: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over. Speech that had begun was finished and its `Words` came before this."""


@dataclass(frozen=True, slots=True)
class Retried:
    """A human tells a stuck row to try again."""

    row: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """A human tells what is so: whether the world `has` it."""

    row: str
    has: bool
    why: str


class Clock(StrEnum):
    """The deadlines that the rules arm."""

    GUARD = "guard"
    """The telling point was played so long ago, and nobody objected."""
    OPEN = "open"
    """A row may be without a verdict so long."""
    STALE = "stale"
    """The hold has too little time left for a question, its answer and a confirmation."""
    EXPIRES = "expires"
    RETRY = "retry"
    FREEZE = "freeze"
    """Speech without words freezes so long."""


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline that was armed has passed; `row` is "" where it is the call's."""

    clock: Clock
    row: str = ""


Event = (
    Proposed
    | TakenBack
    | Answered
    | Begin
    | Played
    | Cut
    | Suspected
    | Rejected
    | Words
    | Retracted
    | Entered
    | Ended
    | Retried
    | Resolved
    | Due
)

# ── Actions ──────────────────────────────────────────────────────────────────────────────────────────────────────────
# Carried out in their order, after the rows that the step changed are synced.


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request of a row, and answer `Answered`."""

    row: str
    ask: Ask


@dataclass(frozen=True, slots=True)
class Release:
    """The telling may be played: that it begins is on record."""

    row: str
    key: str


@dataclass(frozen=True, slots=True)
class Void:
    """What the segment `key` tells is not so any more: it must not be played."""

    row: str
    key: str


@dataclass(frozen=True, slots=True)
class Tell:
    """The one outcome of a tool call: `status` is as in `messages.Outcome`, `why` in words."""

    use: str
    row: str
    status: Status
    why: str = ""


@dataclass(frozen=True, slots=True)
class Arm:
    """Set a deadline, in place of an earlier one of that name."""

    clock: Clock
    row: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Disarm:
    """Forget a deadline."""

    clock: Clock
    row: str


Action = Send | Release | Void | Tell | Arm | Disarm
