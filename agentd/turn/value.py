"""The turn as a value: all that the machine knows between two events."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from agentd.messages import Reply, Timer
from agentd.turn.commands import Then, Why
from agentd.turn.timing import Timing


class State(StrEnum):
    """Where the conversation stands."""

    CONNECTING = "connecting"
    GREETING = "greeting"
    LISTENING = "listening"
    DELIBERATING = "deliberating"
    SPEAKING = "speaking"
    YIELDING = "yielding"
    WAITING = "waiting"
    PROMPTING = "prompting"
    TRANSFERRING = "transferring"
    CLOSING = "closing"
    ENDED = "ended"


AUDIBLE = frozenset({State.GREETING, State.SPEAKING, State.YIELDING, State.PROMPTING, State.TRANSFERRING, State.CLOSING})
"""In these the agent may be heard, so that an onset takes longer to count."""


@dataclass(frozen=True, slots=True)
class Turn:
    """All that the machine knows. A value: `step` makes a new one.

    `parts` are the caller's words of this turn, several where it was `reopened`; `added` those that nothing was done about
    yet; `heard` tells whether any of the reply was; `asked` is the caller's sample from which on an answer to the reply's
    question may begin; `onset` that of the suspected barge-in; `utterance` whether the caller is in the middle of one; `frozen`
    whether the effects' verdicts are; `complete` whether the reply is thought to its end; `helper` whether the flow knows a
    human; `final` whether nothing can stop the call's end any more; `leaving` whether the socket was told to close; `said`
    whether the goodbye was heard; `stale`, `misheard`, `prompts`, `fillers`, `retries` and `false_starts` (the caller seemed
    to go on, and added nothing) count.
    """

    state: State = State.CONNECTING
    turn: int = 0
    epoch: int = 0
    why: Why = Why.OPENING
    parts: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    sure: bool = True
    reopened: bool = False
    utterance: bool = False
    frozen: bool = False
    heard: bool = False
    asked: int | None = None
    onset: int = 0
    back: State = State.SPEAKING
    complete: bool = False
    tools: int = 0
    tools_since: float = 0.0
    silent_since: float = 0.0
    then: Then = Then.LISTEN
    helper: bool = False
    final: bool = False
    leaving: bool = False
    said: bool = False
    outcome: str = ""
    keys: str = ""
    prompts: int = 0
    misheard: int = 0
    stale: int = 0
    fillers: int = 0
    retries: int = 0
    false_starts: int = 0
    armed: frozenset[Timer] = frozenset()
    timing: Timing = field(default_factory=Timing)

    @property
    def reply(self) -> Reply:
        """The name of the reply at hand."""
        return Reply(self.turn, self.epoch)
