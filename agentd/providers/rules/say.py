"""Lines into segments: one breath each, and never longer than a segment may be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentd import limits
from agentd.flow.templates import Line

BREATH = 120
"""Characters that are said in one breath: some eight seconds. A longer line is cut where a sentence ends."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_CLAUSE = re.compile(r"(?<=[,;:])\s+")


def cut(line: Line) -> Iterator[Line]:
    """The segments of a line. A question stays with the values that it asks about."""
    text = line.text.strip()
    if not text:
        return
    if len(text) <= limits.SEGMENT_CHARS and (len(text) <= BREATH or (line.told is not None and text.endswith("?"))):
        yield Line(text, line.told)
        return
    start = 0
    for piece in _pieces(text):
        at = text.index(piece, start)
        start = at + len(piece)
        told = line.told - at if line.told is not None and at < line.told <= start else None
        yield Line(piece, told)


def statement(line: Line) -> Line:
    """A line without the question at its end."""
    if not line.text.rstrip().endswith("?"):
        return line
    text = " ".join(_SENTENCE.split(line.text.strip())[:-1])
    return Line(text, line.told if line.told is not None and line.told <= len(text) else None)


def _pieces(text: str) -> Iterator[str]:
    """Sentences, as many as fit into a breath; a longer one by clauses, and by words where it has none."""
    held = ""
    for sentence in _SENTENCE.split(text):
        for piece in _short(sentence):
            if held and len(held) + 1 + len(piece) > BREATH:
                yield held
                held = piece
            else:
                held = f"{held} {piece}" if held else piece
    yield held


def _short(sentence: str) -> Iterator[str]:
    if len(sentence) <= limits.SEGMENT_CHARS:
        yield sentence
        return
    for clause in _CLAUSE.split(sentence):
        rest = clause
        while len(rest) > limits.SEGMENT_CHARS:
            at = rest.rfind(" ", 1, limits.SEGMENT_CHARS)
            at = at if at > 0 else limits.SEGMENT_CHARS
            yield rest[:at].strip()
            rest = rest[at:].strip()
        yield rest
