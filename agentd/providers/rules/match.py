"""Which of a state's phrases the caller's words come closest to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from agentd.flow import vocabulary
from agentd.turn.words import FILLERS, normalise

THRESHOLD = 75.0
"""Below it nothing was asked for: in-domain requests score some 90, unrelated sentences under 50."""

_WORD_ALIKE = 85.0
"""How alike two words must be to count as one: "appointments" is "appointment", "where" is not "there"."""

_LIGHT = frozenset(
    {
        "a", "an", "the", "to", "of", "in", "on", "at", "for", "with", "and", "or", "i", "we", "you", "he", "she", "it",
        "they", "me", "us", "my", "our", "your", "is", "are", "am", "was", "were", "be", "do", "does", "did", "have",
        "has", "can", "could", "would", "will", "some", "any", "this", "that", "there", "so", "just", "well", "thats",
        "whats", "id", "im", "how", "what", "really", "like", "want", "need", "maybe", "please", "thanks", "tell",
        "know", "okay", "yes", "no", "actually",
    }
)  # fmt: skip
_LIGHT_WEIGHT = 0.3
"""Small words tell requests apart ("how much", "how far"), and must not make them alike."""

_PHRASE_SHARE = 0.65
"""How much of the score is the phrase found in the words; the rest is the words found in the phrase, so that a long
sentence that holds a short phrase by chance does not match it."""

_LEADS = sorted((normalise(lead).split() for lead in vocabulary.LEADS + vocabulary.PLEAS), key=len, reverse=True)
_TAILS = sorted((normalise(tail).split() for tail in vocabulary.TAILS), key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Match:
    """A name, how surely it was meant (0 to 100), and the words that its phrase did not need."""

    name: str
    score: float
    rest: str


def core(text: str) -> list[str]:
    """The words of `text`, without the leads, tails and fillers around the request."""
    words = [word for word in normalise(text).split() if word not in FILLERS]
    trimmed = True
    while trimmed:
        trimmed = False
        for lead in _LEADS:
            if len(words) > len(lead) and words[: len(lead)] == lead:
                words, trimmed = words[len(lead) :], True
        for tail in _TAILS:
            if len(words) > len(tail) and words[-len(tail) :] == tail:
                words, trimmed = words[: -len(tail)], True
    return words


class Phrasebook:
    """The phrases of one state, ready to be looked up in some hundred microseconds."""

    def __init__(self, phrases: Mapping[str, Sequence[str]]) -> None:
        self._entries = [(name, frozenset(core(phrase))) for name, said in phrases.items() for phrase in said]
        self._words = sorted({word for _, words in self._entries for word in words})
        self._known = frozenset(self._words)

    def best(self, text: str, among: frozenset[str] | None = None) -> Match | None:
        """The best match at or above the threshold; `among` limits it to some names."""
        words = core(text)
        alike = {word: self._alike(word) for word in dict.fromkeys(words)}
        meant = set(alike.values()) - {""}
        total = sum(map(_weight, alike))
        best = Match("", 0.0, "")
        for name, phrase in self._entries:
            if not phrase & meant or (among is not None and name not in among):
                continue
            found = sum(map(_weight, phrase & meant)) / sum(map(_weight, phrase))
            used = sum(_weight(word) for word, is_like in alike.items() if is_like in phrase) / total
            score = 100 * (_PHRASE_SHARE * found + (1 - _PHRASE_SHARE) * used)
            if score > best.score:
                best = Match(name, score, " ".join(word for word in words if alike[word] not in phrase))
        return best if best.score >= THRESHOLD else None

    def _alike(self, word: str) -> str:
        """The phrasebook's word for `word`, "" where it has none."""
        if word in self._known or len(word) < 4:
            return word if word in self._known else ""
        near = process.extractOne(word, self._words, scorer=fuzz.ratio, score_cutoff=_WORD_ALIKE)
        return near[0] if near else ""


def content(text: str) -> int:
    """How many words of `text` say something of their own."""
    return sum(word not in _LIGHT for word in core(text))


def _weight(word: str) -> float:
    return _LIGHT_WEIGHT if word in _LIGHT else 1.0
