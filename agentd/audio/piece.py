"""A segment on a reply's time line: from samples to words, and from words to what was heard."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentd.audio.marks import Mark
from agentd.messages import Segment, Word


@dataclass(slots=True, eq=False)
class Piece:
    """A segment on the reply's time line; `end` is known when its last audio has come.

    `untold`: it tells an effect, and what became of that is not known yet. `due`: its release was asked for. `mark` stands
    behind its last sample and `told_mark` behind its telling point, as they were sent last.
    """

    segment: Segment
    start: int
    untold: bool = False
    due: bool = False
    released: bool = False
    end: int | None = None
    words: list[Word] = field(default_factory=list)
    asked: bool = False
    mark: Mark | None = None
    told_mark: Mark | None = None

    def answer_at(self) -> int | None:
        """The sample from which on the segment's question can be answered, once it is known."""
        chars = self.segment.answer_from
        return None if chars is None else self._behind(chars)

    def told_at(self) -> int | None:
        """The telling point, once it is known: the sample behind the last value told, or behind all where it tells none."""
        chars = self.segment.told_from
        return self._behind(chars) if chars else self.end

    def _behind(self, chars: int) -> int | None:
        """Where the first word begins that stands behind so many characters; where there is none, the end."""
        for word in self.words:
            if word.char >= chars:
                at = self.start + word.sample
                return at if self.end is None else min(at, self.end)
        return self.end

    def chars_at(self, cut: int) -> int:
        """How many characters were heard when `cut` samples of the reply were: whole words only."""
        if self.end is not None and cut >= self.end:
            return len(self.segment.text)
        heard = 0
        for word, following in zip(self.words, self.words[1:], strict=False):
            if self.start + following.sample > cut:
                break
            heard = word.char + word.length
        return _whole(self.segment.text, heard)

    def word_start(self, cut: int) -> int:
        """Where the word that `cut` falls into begins."""
        start = self.start
        for word in self.words:
            if self.start + word.sample > cut:
                break
            start = self.start + word.sample
        return start


def _whole(text: str, heard: int) -> int:
    """Cut a heard prefix back to whole words as they are written; the punctuation behind the last one belongs to it."""
    while heard < len(text) and not text[heard].isalnum() and not text[heard].isspace():
        heard += 1
    if heard < len(text) and text[heard].isalnum():
        return text.rfind(" ", 0, heard) + 1
    return heard
