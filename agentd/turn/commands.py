"""What the turn machine hears besides the actors' own messages, and what it asks of the conductor.

`Hold`, `Resume`, `NewEpoch` and `CloseMedia` are commands too; they stand in `agentd.messages`, since actors get them as they
are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agentd.messages import (
    ActorDown,
    ActorRestarted,
    Asked,
    Audible,
    CloseMedia,
    Draining,
    Hold,
    KeyPressed,
    LongSpeech,
    MediaStalled,
    MediaStarted,
    MediaStopped,
    NewEpoch,
    Partial,
    PlaybackBegan,
    RanDry,
    Reply,
    ReplyHeard,
    Resume,
    ShutdownAsked,
    SpeechOnset,
    ThinkFailed,
    Timer,
    TimerFired,
    UtteranceEnded,
)

# ── Events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Then(StrEnum):
    """What comes when the reply was heard."""

    LISTEN = "listen"
    TRANSFER = "transfer"
    CLOSE = "close"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class Thought:
    """A round of thinking is over and its proposals to the flow are settled.

    `more`: there are proposals, so that another round follows, once `tools` of them have run. `segments` were given so far
    in this reply. `helper`: the flow knows a human to escalate to. `progress`: the flow moved, or a question was answered;
    a reply that repeats an earlier one word for word is none.
    """

    reply: Reply
    more: bool
    tools: int
    segments: int
    then: Then
    helper: bool
    progress: bool
    at: float


@dataclass(frozen=True, slots=True)
class ToolsDone:
    """Every tool of the round has its outcome."""

    reply: Reply
    at: float


Event = (
    MediaStarted
    | MediaStopped
    | MediaStalled
    | ShutdownAsked
    | KeyPressed
    | PlaybackBegan
    | Audible
    | Asked
    | RanDry
    | ReplyHeard
    | SpeechOnset
    | Partial
    | LongSpeech
    | UtteranceEnded
    | Thought
    | ToolsDone
    | ThinkFailed
    | ActorRestarted
    | ActorDown
    | Draining
    | TimerFired
)

# ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Line(StrEnum):
    """Sentences that need no thinking; the flow has the words."""

    FILLER = "filler"
    HANDOVER = "handover"
    GOODBYE = "goodbye"
    APOLOGY = "apology"
    DRAIN = "drain"
    TOO_LONG = "too_long"


class Why(StrEnum):
    """What a reply answers."""

    OPENING = "opening"
    REPLY = "reply"
    SILENCE = "silence"
    MISHEARD = "misheard"


@dataclass(frozen=True, slots=True)
class Think:
    """Start a reply: its first round. The ledger hears `added` first: the caller's new words, begun at sample `onset`."""

    reply: Reply
    why: Why
    text: str = ""
    sure: bool = True
    prompt: int = 0
    added: str = ""
    onset: int = 0


@dataclass(frozen=True, slots=True)
class Continue:
    """Start the reply's next round, with the outcomes of the last one's proposals."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class RunTools:
    """Carry out the tools that the round asked for."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Say:
    """Speak one of the flow's own lines. `last`: nothing follows it in this reply."""

    reply: Reply
    line: Line
    last: bool


@dataclass(frozen=True, slots=True)
class Attend:
    """Tell the listener whether the agent is audible now."""

    speaking: bool


@dataclass(frozen=True, slots=True)
class Arm:
    """Set a deadline, in place of an earlier one of that name."""

    name: Timer
    seconds: float


@dataclass(frozen=True, slots=True)
class Disarm:
    """Forget a deadline."""

    name: Timer


@dataclass(frozen=True, slots=True)
class Freeze:
    """The caller may be speaking: no effect gets its verdict from here on."""


@dataclass(frozen=True, slots=True)
class Thaw:
    """What the caller said is known. `confirmed`: the words are a turn, and decide; else it was nothing."""

    confirmed: bool


@dataclass(frozen=True, slots=True)
class HandOver:
    """Store where the call goes and write what the human needs to know."""

    why: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The call is over: write its record and stop its actors."""

    outcome: str


Command = (
    Think
    | Continue
    | RunTools
    | Say
    | Hold
    | Resume
    | NewEpoch
    | Attend
    | Arm
    | Disarm
    | Freeze
    | Thaw
    | HandOver
    | CloseMedia
    | Finish
)


def describe(command: Command) -> str:
    """A command in one line of the log: its name and its small fields, never the caller's words."""
    match command:
        case Think(_, why):
            return f"think {why}"
        case Say(_, line):
            return f"say {line}"
        case Arm(name, seconds):
            return f"arm {name} {seconds:.3g}"
        case Disarm(name):
            return f"disarm {name}"
        case NewEpoch(epoch):
            return f"new epoch {epoch}"
        case Attend(speaking):
            return f"attend {'speaking' if speaking else 'silent'}"
        case Thaw(confirmed):
            return f"thaw {'confirmed' if confirmed else 'rejected'}"
        case HandOver(why):
            return f"hand over {why}"
        case CloseMedia(code):
            return f"close media {code}"
        case Finish(outcome):
            return f"finish {outcome}"
        case Continue() | RunTools() | Hold() | Resume() | Freeze():
            return type(command).__name__.lower()
