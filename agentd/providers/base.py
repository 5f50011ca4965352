"""The three small protocols that engines and vendors meet: recognizer, thinker, voice.

One vendor is one file beside this one. Each raises `ProviderError` and nothing else for what goes wrong on its side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import trio

from agentd.messages import Frame, Hints, Proposal, Segment, ThinkRequest, Word

# ── Recognizer ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Begin:
    """An utterance begins; the frames that follow start a little before its onset."""

    utterance: int
    hints: Hints


@dataclass(frozen=True, slots=True)
class Finish:
    """The utterance is over: answer `Final` for it, at once."""

    utterance: int


@dataclass(frozen=True, slots=True)
class Heard:
    """Words so far, the whole utterance's. `sure`: they may be acted on; else the caller should be asked."""

    utterance: int
    text: str
    sure: bool


@dataclass(frozen=True, slots=True)
class Final:
    """The utterance's last words; empty where it had none."""

    utterance: int
    text: str
    sure: bool


RecognizerInput = Begin | Frame | Finish
RecognizerOutput = Heard | Final


class Recognizer(Protocol):
    """Speech → words. One object serves a whole process; each call runs one session."""

    @property
    def remote(self) -> bool:
        """Whether its words come over a network, half a second later than an embedded one's."""

    async def session(
        self,
        rate: int,
        audio: trio.MemoryReceiveChannel[RecognizerInput],
        out: Callable[[RecognizerOutput], Awaitable[None]],
    ) -> None:
        """Recognize one call's audio until cancelled or `audio` ends.

        Every `Finish` is answered by exactly one `Final`. Cancelled: the engine is given back or thrown away, and nothing
        that was heard is reported any more. Raises ProviderError where the session cannot go on.
        """


# ── Voice activity ───────────────────────────────────────────────────────────────────────────────────────────────────


class VoiceActivity(Protocol):
    """Is this speech? One object a call, run inline on the loop: a frame costs well under 0.3 ms."""

    def feed(self, pcm: bytes) -> bool:
        """Take the next 20 ms of s16le mono at the object's rate; True while it hears a voice (with the engine's hangover)."""

    def close(self) -> None:
        """Give the engine back to the pool."""


VoiceActivityFactory = Callable[[int], VoiceActivity]
"""rate (8000 or 16000) → a fresh detector."""


# ── Voice ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of a segment's audio at the rate that was asked for; `words` begin in it, at samples from the segment's start."""

    pcm: bytes
    words: tuple[Word, ...]


class Voice(Protocol):
    """Words → speech. One object serves a whole process."""

    async def speak(self, text: str, rate: int, out: Callable[[Spoken], Awaitable[None]]) -> None:
        """Speak one segment, piece by piece of at most 100 ms, as soon as each is there; `out` may wait.

        Cancelled: nothing more is handed to `out`, and the engine is free for others. Raises ProviderError.
        """


# ── Thinker ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Thought:
    """What a round ends with: proposals to be carried out before the next round, or none where the reply is complete.

    `notes` replaces the flow kit's notes where given. Not `understood`: all that was said is that the words made no sense.
    `revises`: the caller is about to have an effect otherwise, so that neither is it told again nor asked about in this round.
    """

    proposals: tuple[Proposal, ...] = ()
    notes: dict[str, object] | None = None
    understood: bool = True
    revises: bool = False


class Thinker(Protocol):
    """What was heard → segments and proposals. Made for one flow; keeps nothing between requests."""

    async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
        """Carry out one round of a reply; each segment is handed to `say` as soon as it is whole.

        Cancelled: what was said stands, and nothing else is left behind. Raises ProviderError.
        """
