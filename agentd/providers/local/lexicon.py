"""How English words sound, for the recognizer: the CMU dictionary, and rules for the names that it does not have.

One lexicon serves a process (22 MB, 0.17 s to read), so that a decoder need not load the dictionary: it is given the words
of its grammars alone, which makes it in 13 ms and 8 MB instead of 105 ms and 30 MB.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from agentd.providers.local.extra import load

_SOUNDS = {
    "augh": "AO", "eigh": "EY", "ough": "AO", "tion": "SH AH N", "sion": "ZH AH N", "igh": "AY", "sch": "SH", "tch": "CH",
    "ai": "EY", "au": "AO", "aw": "AO", "ay": "EY", "ch": "CH", "ck": "K", "ea": "IY", "ee": "IY", "ei": "AY", "er": "ER",
    "ew": "UW", "ey": "IY", "gh": "G", "ie": "IY", "ir": "ER", "kn": "N", "ll": "L", "mm": "M", "ng": "NG", "nn": "N",
    "oa": "OW", "oi": "OY", "oo": "UW", "ou": "AW", "ow": "OW", "oy": "OY", "ph": "F", "qu": "K W", "rh": "R", "rr": "R",
    "sh": "SH", "ss": "S", "th": "TH", "tt": "T", "ur": "ER", "wh": "W", "wr": "R", "zz": "Z", "ce": "S EH", "ci": "S IH",
    "cy": "S IY", "bb": "B", "cc": "K", "dd": "D", "ff": "F", "gg": "G", "pp": "P", "a": "AE", "b": "B", "c": "K", "d": "D",
    "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K", "l": "L", "m": "M", "n": "N", "o": "OW",
    "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z",
}  # fmt: skip
"""Letters → sounds, the longest first. Rough, and enough to tell a name from its neighbours in a small grammar."""

_LETTERS = re.compile("|".join(sorted(_SOUNDS, key=len, reverse=True)))


class Lexicon:
    """Words → phones of the CMU set, read from a dictionary file."""

    def __init__(self, path: Path) -> None:
        self._known: dict[str, list[str]] = {}
        for line in path.read_text("utf-8").splitlines():
            word, _, phones = line.partition(" ")
            self._known.setdefault(word.partition("(")[0], []).append(phones.strip())

    def pronounce(self, word: str) -> list[str]:
        """Return the ways to say `word`: the dictionary's, else those of the two words it is made of, else by letters."""
        return self._known.get(word) or self._compound(word) or [self._by_letters(word)]

    def _compound(self, word: str) -> list[str]:
        """Toothache: tooth and ache. The most even of the splits, of parts of three letters at least."""
        middle = len(word) / 2
        for cut in sorted(range(3, len(word) - 2), key=lambda cut: abs(cut - middle)):
            head, tail = self._known.get(word[:cut]), self._known.get(word[cut:])
            if head and tail:
                return [f"{head[0]} {tail[0]}"]
        return []

    @staticmethod
    def _by_letters(word: str) -> str:
        """A final e is silent; what is no Latin letter has no sound; a word without any sound is a grunt."""
        spoken = word[:-1] if len(word) > 3 and word.endswith("e") else word
        return " ".join(_SOUNDS[letters] for letters in _LETTERS.findall(spoken)) or "AH"


@cache
def lexicon() -> Lexicon:
    """Return the process's lexicon, read at the first call. Raises OperatorError without the extra `local`."""
    return Lexicon(Path(load("pocketsphinx").get_model_path("en-us/cmudict-en-us.dict")))
