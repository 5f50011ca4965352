"""A segment on a reply's time line: from samples to words, and from words to what was heard."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentd.messages import Segment, Word


@dataclass(slots=True, eq=False)
class Piece:
    """A segment on the reply's time line; `end` is known when its last audio has come."""

    segment: Segment
    start: int
    end: int | None = None
    words: list[Word] = field(default_factory=list)
    asked: bool = False
    marked: bool = False
    acked: bool = False

    def answer_at(self) -> int | None:
        """The sample from which on the segment's question can be answered, once it is known."""
        chars = self.segment.answer_from
        if chars is None:
            return None
        for word in self.words:
            if word.char >= chars:
                return self.start + word.sample
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
