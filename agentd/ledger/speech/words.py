"""What the caller's finished turn amounts to, for what is open: an assent, a no, a retraction, or anything else.

*Theory of operation.* The words are tiled, from the left and longest first, with the phrases of one table; each phrase has a
letter, and the row of letters is matched as a whole against a few patterns. A word that no phrase has makes it `OTHER`, and
so do a question mark and a long text: a day, a time, a "but" or a "who" never hides in an assent. In doubt it is `OTHER`: a
false assent books, a false retraction lets go, while what stays open is told again.

While `asked`, the words may answer any question: "cancel it" and "that's okay" then mean one thing or its opposite, so they
are `OTHER`, and "okay" is a yes. This is English: another language brings its own `PHRASES` and `_SPELLINGS`, under the same
letters, and a parameter that chooses between them; the patterns stand.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

from agentd.ledger.events import Says
from agentd.turn.words import normalise

MOST_CHARACTERS: Final = 160
"""Longer turns say more than yes or no."""

PHRASES: Final[dict[str, tuple[str, ...]]] = {
    # Said around an answer
    "f": ("uh", "um", "er", "erm", "hm", "hmm", "eh", "mm", "well"),
    "o": ("oh", "ah", "aha", "i see", "got it", "nice", "understood", "fair enough", "no worries"),
    "a": ("actually", "sorry", "i mean", "on second thought|thoughts", "you know what"),
    "w": ("wait", "wait a minute|moment|second", "stop", "hold on", "hang on", "one moment|second"),
    "t": (
        "thanks|cheers", "thank you", "thank you so|very much", "thanks a lot", "thanks so|very much", "many thanks",
        "thank you for your help", "thanks for your help", "i appreciate it|that", "much appreciated",
    ),
    "l": ("please",),
    "b": ("bye|goodbye", "bye bye", "good bye", "have a nice|good|great|lovely day|one", "take care"),
    "e": ("nothing else", "thats all|everything|it", "that will be all", "thatll be all", "no more questions"),
    # A yes
    "y": (
        "yes|yeah|yep|yup", "yes|yeah please keep it|that", "yes|yeah keep it|that", "absolutely|definitely|certainly",
        "correct|exactly|agreed", "of course", "for sure", "you bet", "sounds good|great|perfect|fine|lovely|wonderful",
        "that sounds good|great|perfect|fine|lovely|wonderful", "sounds good|great to me", "that works|suits|fits",
        "that works|suits|fits for me", "that suits me", "works for me", "that will|would work", "thatll|thatd work",
        "that would|will be perfect|great|wonderful|lovely|fine|good", "thatd|thatll be perfect|great|wonderful|lovely|good",
        "thats right|correct", "go ahead", "go ahead and do|book|send|confirm it|that", "do it|that", "please do",
        "book|confirm|send it|that", "book|confirm|send it|that for me", "lets do|book it|that", "lets go for it",
        "ill take|have it|that", "im happy with that", "i would like|love that", "id like|love that", "i confirm",
    ),
    "k": (
        "ok|okay|alright|right|sure", "all right", "uh huh", "uhuh", "mhm", "mmhmm", "mm hmm|hm", "fine|good|cool",
        "sure thing", "no problem", "fine by|with me", "i do|would",
    ),
    # Praise: a statement, a bare word, and one that is a polite no after a question
    "g": (
        "thats|its|everythings perfect|great|wonderful|lovely|excellent|brilliant|fantastic|ideal|awesome",
        "this is perfect|great|wonderful|lovely|excellent|brilliant|fantastic|ideal|awesome",
    ),
    "h": ("perfect|great|wonderful|lovely|excellent|brilliant|fantastic|ideal|awesome|super", "thats fine|good"),
    "m": ("thats ok|okay|alright", "thats all right", "all good"),
    # A no: bare, one that declines, one that might govern what follows, and one that needs a "no" before it
    "n": ("no|nope|nah",),
    "d": (
        "no thanks", "no thank you", "no thank you so|very much", "no im good|fine",
    ),
    "x": (
        "not now|really|today", "not right now", "not at the moment", "rather not", "id rather not", "i would rather not",
        "i dont think so", "no need", "not needed|necessary", "absolutely|definitely|certainly not", "of course not",
    ),
    "i": ("i dont",),
    # A retraction: a bare "don't", which may govern what follows; one that says what is not to be; one that stands alone
    "z": ("dont",),
    "r": (
        "dont do|book|reserve|schedule|make|send|charge|take|keep|confirm it|that|this|anything",
        "dont go ahead", "dont bother", "dont charge|book|text|email me", "dont charge my card",
        "dont book|make|keep the|that|an|my appointment|booking|reservation",
        "i dont want|need it|that|this", "i dont want|need it|that|this anymore", "i dont want|need it|that|this any more",
        "i dont want|need it|that after all", "i dont want|need the|that|an appointment|booking", "i dont want anything",
        "i dont want you to do|book|send|charge it|that", "i dont want to do|book it|that|anything",
    ),
    "v": (
        "never mind", "nevermind", "forget it|that", "forget about it|that", "scratch|skip it|that", "i changed my mind",
        "ive changed my mind", "i have changed my mind", "changed my mind",
    ),
    # A retraction, unless it answers a question
    "c": ("cancel", "cancel|undo|drop|remove|delete it|that|this", "leave it", "let it go", "take it|that back", "call it off"),
}  # fmt: skip
"""Each word of a phrase may be one of several, parted by "|"."""

_SPELLINGS: Final = {"do not": "dont", "that is": "thats", "it is": "its", "everything is": "everythings"}
"""Said in two words; in `PHRASES` they are one."""

_AROUND: Final = "[fktlboe]"
_LEAD: Final = "[fokantdlw]*"
_END: Final = "[fndtlb]*"

PATTERNS: Final[tuple[tuple[Says, bool | None, str], ...]] = (
    # says, only while (not) asked, the letters
    (Says.ASSENT, None, f"{_AROUND}*(?:af*[gh]|[ygh])(?:{_AROUND}|[ygh])*"),
    (Says.ASSENT, None, "[fkoy]*n[fn]*g[ftlbegh]*"),
    (Says.ASSENT, False, "[fkoy]*n[fn]*e?[fn]*[gh][ftlbegh]*"),
    (Says.ASSENT, False, "[fok]*t[fktlb]*"),
    (Says.ASSENT, False, "[fokt]*m[ftlb]*"),
    (Says.ASSENT, True, "[fot]*[kl][fktl]*"),
    (Says.NO, None, "(?:[fka]*(?:[ndx]|n+i)|[fkao]*[dx])[fndxtlb]*"),
    (Says.RETRACT, None, f"{_LEAD}(?:[zrv]{_END})+"),
    (Says.RETRACT, None, f"{_LEAD}[nd]{_LEAD}(?:[rvc]{_END})+"),
    (Says.RETRACT, False, f"[foawl]*(?:[rvc]{_END})+"),
)
"""The first that the whole row matches."""

_GOVERNED: Final = re.compile("z[fl]*[vc]")
""""Don't forget it", "don't cancel that": no retraction, or none that can be told from one."""


def _spelled(phrase: str) -> list[str]:
    return [" ".join(words) for words in itertools.product(*(word.split("|") for word in phrase.split()))]


_LETTERS: Final = {said: letter for letter, phrases in PHRASES.items() for phrase in phrases for said in _spelled(phrase)}
_LONGEST: Final = max(len(said.split()) for said in _LETTERS)
_COMPILED: Final = tuple((says, when, re.compile(letters)) for says, when, letters in PATTERNS)
_TWO_WORDS: Final = re.compile(rf"\b(?:{'|'.join(_SPELLINGS)})\b")


def says(text: str, *, asked: bool) -> Says:
    """What the finished turn `text` does to open effects; `asked`: a yes/no question was put, and its values were heard."""
    if len(text) > MOST_CHARACTERS or "?" in text:
        return Says.OTHER
    said = normalise(text.replace("’", "'").replace("‘", "'"))
    letters = _tiled(_TWO_WORDS.sub(lambda two: _SPELLINGS[two[0]], said).split())
    if letters and not _GOVERNED.search(letters):
        for found, when, pattern in _COMPILED:
            if when in (None, asked) and pattern.fullmatch(letters):
                return found
    return Says.OTHER


def _tiled(words: list[str]) -> str:
    """The letters of the phrases that the words are made of, or "" where a word belongs to none."""
    letters, at = "", 0
    while at < len(words):
        for size in range(min(_LONGEST, len(words) - at), 0, -1):
            if letter := _LETTERS.get(" ".join(words[at : at + size])):
                letters, at = letters + letter, at + size
                break
        else:
            return ""
    return letters
