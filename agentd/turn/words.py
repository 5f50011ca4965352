"""What a few words of the caller mean to turn-taking: nothing, a stop, or something said.

Texts are compared normalised: lower case, no punctuation, single spaces.
"""

from __future__ import annotations

import re
from enum import Enum, auto

BACKCHANNELS = frozenset(
    {
        "ah", "aha", "all right", "alright", "cool", "fine", "good", "got it", "great", "hm", "hmm", "i see", "mhm", "mm",
        "mm hmm", "mm hm", "mmhmm", "nice", "oh", "oh okay", "ok", "okay", "okay okay", "really", "right", "right right",
        "sure", "uh huh", "uhuh", "yeah", "yeah yeah", "yep", "yes", "yes yes", "yup",
    }
)  # fmt: skip
"""Said while the agent speaks, these mean "go on"."""

STOP_WORDS = frozenset({"stop", "wait", "no", "hello", "hold on", "hang on", "sorry", "pardon", "excuse me"})
"""One of these, alone, is enough to interrupt."""

FILLERS = frozenset({"uh", "um", "er", "erm", "hm", "hmm", "ah", "eh"})
"""Sounds that are no words at all."""

AFFIRMATIONS = frozenset(
    {
        "absolutely", "correct", "exactly", "ok", "okay", "please", "right", "sounds good", "sure", "that is right",
        "thats right", "that works", "yeah", "yep", "yes", "yes please", "yes thank you", "yes thanks", "yup",
    }
)  # fmt: skip
NEGATIONS = frozenset({"nah", "no", "no thank you", "no thanks", "nope", "not really", "thats wrong", "not now", "wrong"})

_NOISE = re.compile(r"[^\w\s']+|_")


class Meaning(Enum):
    """What words said over the agent's speech amount to."""

    NOTHING = auto()
    BACKCHANNEL = auto()
    STOP = auto()
    WORDS = auto()


def normalise(text: str) -> str:
    """Lower case, without punctuation and apostrophes, single spaces: the form that all phrases are compared in."""
    return " ".join(_NOISE.sub(" ", text.lower().replace("-", " ")).replace("'", "").split())


def meaning(text: str) -> Meaning:
    """What `text` amounts to while the agent speaks: two words that are no backchannel are words, and so is one stop word."""
    said = normalise(text)
    if said in BACKCHANNELS:
        return Meaning.BACKCHANNEL
    words = [word for word in said.split() if word not in FILLERS]
    if not words:
        return Meaning.NOTHING
    rest = " ".join(words)
    if rest in BACKCHANNELS or all(word in BACKCHANNELS for word in words):
        return Meaning.BACKCHANNEL
    if rest in STOP_WORDS or words[0] in STOP_WORDS:
        return Meaning.STOP
    return Meaning.WORDS if len(words) > 1 else Meaning.NOTHING


def has_words(text: str) -> bool:
    """Whether there are words in `text` that are more than "um"."""
    return any(word not in FILLERS for word in normalise(text).split())


def is_short_answer(text: str) -> bool:
    """Whether `text` is a yes or a no and nothing else."""
    return normalise(text) in AFFIRMATIONS | NEGATIONS
