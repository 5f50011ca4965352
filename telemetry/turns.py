"""What a turn was, as frozen records: the one account from which spans, metrics and the drawn trace are made.

All times are seconds on the call's clock. Texts are in the records too; whether they leave the process is decided where
spans are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agentd.messages import RowChanged


@dataclass(frozen=True, slots=True)
class Clock:
    """The same moment on the call's clock (seconds) and on the wall (nanoseconds since 1970)."""

    monotonic: float
    unix_ns: int

    def ns(self, at: float) -> int:
        """A time of the call's clock in Unix nanoseconds."""
        return self.unix_ns + round((at - self.monotonic) * 1e9)


@dataclass(frozen=True, slots=True)
class Speech:
    """One stretch of the caller's speech that counted, or one number of keys (`why` is then "keys").

    `start` and `end` are the first and the last voiced sample; `decided` is when the endpointing decided, after `delay`;
    `final` is when the final words came.
    """

    start: float
    end: float
    decided: float
    final: float
    delay: float
    why: str
    voiced: float
    sure: bool
    text: str


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the thinker. `first` is when its first text was ready; `error` is what failed, in its own words."""

    epoch: int
    number: int
    start: float
    first: float | None
    end: float
    status: Literal["done", "failed", "dropped"]
    proposals: int = 0
    understood: bool = True
    said: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One tool and its outcome. `row` is the effect that it opened, where it did, as the ledger held it when this was told."""

    epoch: int
    id: str
    name: str
    start: float
    end: float
    status: str
    args: Mapping[str, Any]
    result: Any
    why: str
    row: RowChanged | None = None


@dataclass(frozen=True, slots=True)
class Voiced:
    """A text became audio: ready as text at `start`, first audio at `end`."""

    epoch: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Playback:
    """Agent audio on the wire, after silence and up to silence. `how` it ended: heard | dry | held | stopped | hung up."""

    epoch: int
    start: float
    end: float
    how: str
    filler: bool


@dataclass(frozen=True, slots=True)
class BargeIn:
    """One suspicion. `voice` is its first voiced sample, `last_sample` our last one on the wire, where we were sending.

    `decided` is when it was confirmed, or when the noise ended, `resumed` when the reply went on. `cause` is what confirmed it.
    """

    voice: float
    suspected: float
    last_sample: float | None
    decided: float
    verdict: Literal["confirmed", "rejected", "lapsed"]
    cause: str
    resumed: float | None


@dataclass(frozen=True, slots=True)
class Raised:
    """The epoch rose to `epoch`: the attempt before it was dropped."""

    at: float
    epoch: int
    cause: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An actor was restarted with the provider at that place of its chain, or is `down` for good."""

    at: float
    actor: str
    provider: int
    why: str
    down: bool


Doubt = Literal["cleared", "lost"]
"""How a telling was cut, so that it is not known whether it was heard."""

Telling = Literal["released", "played", "cut", "lost", "refused"]


@dataclass(frozen=True, slots=True)
class RowNote:
    """A row of the ledger has new columns. `doubt`: this gives its verdict though its last telling was cut."""

    at: float
    row: RowChanged
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class TellingNote:
    """What became of the sentence `text` about an effect; it was refused for `why`.

    `again`: the caller had begun to hear it before; `doubt`: the last time it was cut.
    """

    at: float
    effect: str
    mode: str
    what: Telling
    text: str
    again: bool = False
    doubt: Doubt | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ClaimNote:
    """The thinker said `text`, which claims what the ledger does not hold; it was stopped."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class DownNote:
    """From here on the ledger took no writes."""

    at: float
    why: str


LedgerNote = RowNote | TellingNote | ClaimNote | DownNote


@dataclass(frozen=True, slots=True)
class Gap:
    """From the caller's last voiced sample to the first agent audio on the wire, in seconds, with its stages.

    The stages add up to it; `think`, `voice` and `wire` are missing where the text's time is not known. `filler`: that audio
    was a filler, and `answer` is then the time to the first that was none.
    """

    seconds: float
    stages: Mapping[str, float]
    filler: bool = False
    answer: float | None = None


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn that is over."""

    number: int
    why: str
    start: float
    end: float
    state: str
    flow: str
    prompt: int
    attempts: int
    gap: Gap | None
    heard: Literal["whole", "cut", "none"]
    lines: tuple[str, ...]
    verdict: Literal["keep", "drop"]
    speech: tuple[Speech, ...]
    rounds: tuple[Round, ...]
    tools: tuple[ToolRun, ...]
    voices: tuple[Voiced, ...]
    playbacks: tuple[Playback, ...]
    barge_ins: tuple[BargeIn, ...]
    raised: tuple[Raised, ...]
    reopened: tuple[float, ...]
    failures: tuple[Failure, ...]
    ledger: tuple[LedgerNote, ...]


@dataclass(frozen=True, slots=True)
class LateTool:
    """A tool that ended when its turn was over."""

    turn: int
    tool: ToolRun


Finished = TurnRecord | LateTool
