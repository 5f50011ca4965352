"""Takes out of a text what names or pays for a person: card numbers, e-mail addresses, other numbers, written or spoken.

It errs on the side of taking too much: a date of four digits goes too.
"""

from __future__ import annotations

import re
from typing import Final

_SPOKEN: Final = "zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple"
_EMAIL: Final = re.compile(
    r"[^\s@]+@[^\s@]+\.[^\s@]+|\b[\w-]+(?: dot [\w-]+){0,4} at [\w-]+(?: dot [\w-]+){1,4}\b", re.IGNORECASE
)
_DIGITS: Final = re.compile(r"\d(?:[\s().\-/]{0,2}\d){3,}")
_WORDS: Final = re.compile(rf"\b(?:{_SPOKEN})(?:[\s,\-]{{1,2}}(?:{_SPOKEN})){{3,}}\b", re.IGNORECASE)


def redact(text: str) -> str:
    """`text` with [email], [card] and [number] in place of what they name."""
    text = _EMAIL.sub("[email]", text)
    text = _DIGITS.sub(lambda found: "[card]" if 13 <= sum(map(str.isdigit, found[0])) <= 19 else "[number]", text)
    return _WORDS.sub("[number]", text)
