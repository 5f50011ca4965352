"""Every default of turn-taking, in one table, each with its reason. Seconds, unless it is a count."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from agentd import limits

PATIENCE: Final = MappingProxyType(
    {
        "connecting": limits.MEDIA_START_S,
        "greeting": 60.0,  # a long greeting with an announcement is 20 s
        "listening": 60.0,  # armed while the caller speaks: a very long answer
        "deliberating": limits.THINK_S + 5.0,  # the thinker gives up first, and says so
        "speaking": 180.0,  # limits.SEGMENTS of them
        "yielding": 15.0,  # an utterance ends long before
        "waiting": 60.0,  # tools time out first
        "prompting": 30.0,
        "transferring": 20.0,  # one sentence, then the socket closes
        "closing": 20.0,
    }
)
"""How long each state may last with nothing happening, before the machine gets out of it by itself."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What the machine waits for, and how often."""

    silence: float = 6.0
    """A caller who thinks is back within five seconds; after six most wonder whether we are there."""

    prompts: int = 2
    """Two prompts and a goodbye: a third would talk to an empty room."""

    resume: float = 0.7
    """A false barge-in is over when nothing follows it for so long: the pause between two words of one sentence is shorter."""

    resume_remote: float = 1.2
    """The same with a remote recognizer, whose words come half a second later."""

    filler_tool: float = 0.4
    """A tool that has run so long will not answer at once."""

    filler_caller: float = 0.8
    """A caller notices a silence from here on."""

    filler_again: float = 5.0
    """The second filler of one wait; there is no third: a voice that repeats "one moment" is worse than silence."""

    fillers: int = 2
    """As many as one wait gets."""

    misheard: int = 2
    """Speech without words: asked twice to say it again, then a human or goodbye."""

    real_speech: float = 0.5
    """Shorter sounds without words are no speech: a cough is not asked to repeat itself."""

    false_starts: int = 3
    """Sounds without words that stop the thinking; then it goes on through them, or a noisy line would never get an answer."""

    stale: int = 3
    """Turns without progress before the machine escalates."""

    retries: int = 1
    """A reply that failed is tried again so often."""

    keys: float = 1.5
    """Between two keys of one number; `#` ends it at once."""

    farewell: float = 0.6
    """After the goodbye, before the line drops: time for a last "wait"."""

    call: float = limits.CALL_S
    """The longest call: beyond an hour it is a forgotten handset."""

    patience: MappingProxyType[str, float] = field(default_factory=lambda: PATIENCE)
    """How long each state may last with nothing happening."""
