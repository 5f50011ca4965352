"""Numbers as people say them: words to figures and back. Everything here works on normalised words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
    "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth",
)  # fmt: skip

_SMALL = {word: number for number, word in enumerate(UNITS + TEENS)}
_TENS = {word: 10 * number for number, word in enumerate(TENS, 2)}
_ORDINALS = {word: number for number, word in enumerate(ORDINALS, 1)} | {"thirtieth": 30}
_DIGITS = {word: str(number) for number, word in enumerate(UNITS)} | {"oh": "0", "o": "0"}
_TIMES = {"double": 2, "triple": 3}
_SUFFIXES = ("st", "nd", "rd", "th")


def cardinal(words: Sequence[str], at: int = 0) -> tuple[int, int] | None:
    """The number that begins at `words[at]` and the place behind it: "one hundred and five" is (105, 4)."""
    total, here, place = 0, None, at
    while place < len(words):
        word = words[place]
        if word.isdecimal() and here is None:
            return (int(word), place + 1) if len(word) < 10 else None
        if word in _TENS and (here is None or here % 100 == 0):
            here = (here or 0) + _TENS[word]
        elif word in _SMALL and (
            here is None or here % 100 == 0 or (here % 10 == 0 and here % 100 > 10 and _SMALL[word] in range(1, 10))
        ):
            here = (here or 0) + _SMALL[word]
        elif word == "hundred" and here is not None and 0 < here < 100:
            here *= 100
        elif word == "thousand" and here is not None and total == 0:
            total, here = here * 1000, 0
        elif not (word == "and" and here and here % 100 == 0 and _is_number(words, place + 1)):
            break
        place += 1
    return None if here is None else (total + here, place)


def _is_number(words: Sequence[str], at: int) -> bool:
    return at < len(words) and (words[at] in _SMALL or words[at] in _TENS)


def ordinal(words: Sequence[str], at: int = 0) -> tuple[int, int] | None:
    """The ordinal that begins at `words[at]` and the place behind it: "twenty third" is (23, 2), "3rd" is (3, 1)."""
    if at >= len(words):
        return None
    word = words[at]
    if word in _ORDINALS:
        return _ORDINALS[word], at + 1
    if word[:-2].isdecimal() and word[-2:] in _SUFFIXES and len(word) < 6:
        return int(word[:-2]), at + 1
    if word in _TENS and at + 1 < len(words) and _ORDINALS.get(words[at + 1], 99) < 10:
        return _TENS[word] + _ORDINALS[words[at + 1]], at + 2
    return None


def digits(words: Sequence[str], at: int = 0) -> tuple[str, int]:
    """The run of single digits that begins at `words[at]` and the place behind it: "five double zero" is ("500", 3)."""
    found, place = "", at
    while place < len(words):
        word = words[place]
        if word.isdecimal():
            found += word
        elif word in _DIGITS:
            found += _DIGITS[word]
        elif word in _TIMES and place + 1 < len(words) and words[place + 1] in _DIGITS:
            found += _DIGITS[words[place + 1]] * _TIMES[word]
            place += 1
        else:
            break
        place += 1
    return found, place


def spell(number: int) -> str:
    """0 to 999,999 in words: 105 is "one hundred and five"."""
    if number < 20:
        return (UNITS + TEENS)[number]
    if number < 100:
        tens, unit = divmod(number, 10)
        return TENS[tens - 2] + (f" {UNITS[unit]}" if unit else "")
    size, name, join = (1000, "thousand", " ") if number >= 1000 else (100, "hundred", " and ")
    much, rest = divmod(number, size)
    return f"{spell(much)} {name}" + (f"{join}{spell(rest)}" if rest else "")


def spell_ordinal(number: int) -> str:
    """1 to 39 in words: 23 is "twenty third"."""
    if number <= 20:
        return ORDINALS[number - 1]
    tens, unit = divmod(number, 10)
    return f"{TENS[tens - 2]} {ORDINALS[unit - 1]}" if unit else f"{TENS[tens - 2][:-1]}ieth"


def figure_ordinal(number: int) -> str:
    """23 is "23rd"."""
    last = number % 10
    return f"{number}{'th' if number % 100 in (11, 12, 13) or last not in (1, 2, 3) else _SUFFIXES[last - 1]}"


def spell_digits(figures: str) -> str:
    """Digit by digit, in groups that can be followed: 5550123 is "five five five, zero one two three"."""
    cuts = [len(figures) - 4] if len(figures) > 4 else []
    while cuts and cuts[0] > 4:
        cuts.insert(0, cuts[0] - 3)
    bounds = [0, *cuts, len(figures)]
    groups = [figures[start:end] for start, end in pairwise(bounds)]
    return ", ".join(" ".join(UNITS[int(figure)] for figure in group) for group in groups)
