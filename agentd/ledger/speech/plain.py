"""A sentence written plainly, so that one pattern finds all the ways of writing it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_APOSTROPHES: Final = str.maketrans(dict.fromkeys("‘’ʼ`´′", "'"))
_UNSEEN: Final = {"Mn", "Me", "Cf", "Cc", "Cn", "Co", "Cs"}
"""Unicode's categories of what does not show: accents that were parted from their letter, zero-width and control characters."""

_SPELLED: Final = tuple((re.compile(short), full) for short, full in (
    # Marks and abbreviations
    (r"[*_~\"“”]", ""), (r"\b([ap])\.m\b\.?", r"\1m"), (r"\b(mr|mrs|ms|dr)\.", r"\1"),
    # Contractions, with and without their apostrophe
    (r"\bwon'?t\b", "will not"), (r"\b(?:can't|cant|cannot)\b", "can not"), (r"\bshan't\b", "shall not"),
    (r"\b(do|does|did|have|has|had|is|are|was|were|would|could|should|must|need)n'?t\b", r"\1 not"),
    (r"\b(i|you|we|they)[ ']?ve\b", r"\1 have"), (r"\bi'?m\b", "i am"), (r"\b(you|they)'?re\b", r"\1 are"),
    (r"\b(i|you|it|that|they)'?ll\b", r"\1 will"), (r"\b(it|that|there|what|who|everything)'?s\b", r"\1 is"),
    (r"\blet'?s\b", "let us"), (r"'ll\b", " will"), (r"'d\b", " would"), (r"'s\b", " is"), (r"'ve\b", " have"),
    (r"'re\b", " are"), (r"\bgon ?na\b", "going to"), (r"\blemme\b", "let me"), (r"\bo'?clock\b", "clock"), (r"'", ""),
    # Negations that negate nothing
    (r"\bnot only (have|had|did) (i|we)\b", r"\2 \1"), (r"\bnot (?:only|just|merely|simply)\b", ""),
    (r"\bno sooner (?:said|asked) than\b", ""),
    (r"\b(?:no (?:problem|worries|trouble|doubt|matter)|not to worry|do not worry|why not)\b", " , "),
    # A point or a question mark ends a sentence; whatever else is no word is a comma
    (r"(?<=\d)[.:](?=\d)|(?<=[a-z])[-‐‑](?=[a-z])", " "), (r"[!;]", "."), (r"[^a-z0-9.?\s]+|\n", " , "),
    (r"\s*,[\s,]*", " , "),
))  # fmt: skip


def plain(text: str) -> tuple[str, ...]:
    """The sentences of a text: lower case, contractions spelled out, nothing that does not show.

    "Okay — I've booked it! Right?" is "< okay , i have booked it " and "<? right ".
    """
    seen = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    seen = "".join(char for char in seen if char.isspace() or unicodedata.category(char) not in _UNSEEN).lower()
    for short, full in _SPELLED:
        seen = short.sub(full, seen)
    sentences = re.findall(r"([^.?]+)([.?]?)", seen)
    return tuple(f"<{'?' * (end == '?')} {' '.join(words.split())} " for words, end in sentences if words.strip(" ,"))
