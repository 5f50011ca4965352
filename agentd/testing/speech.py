"""Speech whose words are written in its samples: what a call in memory is spoken in and understood by.

A word sounds for some `WORD_S + CHAR_S * len(word)` seconds as a square wave, which begins with a sync pair, the word's length
and its bytes. So the recognizer reads what the caller said, and the phone what the agent was heard to say, word by word and at
its time. The engines meet the protocols of `agentd.providers.base`.
"""

from __future__ import annotations

import array
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final

import trio

from agentd.messages import Frame, Word
from agentd.providers.base import Begin, Finish, Heard, RecognizerInput, RecognizerOutput, Spoken
from agentd.providers.base import Final as FinalWords

WORD_S: Final = 0.14
CHAR_S: Final = 0.03
PAUSE_S: Final = 0.06
"""As fast as people speak."""

SHORTEST_S: Final = 0.22
"""Longer than the onset of a caller who interrupts, so that one short word is heard too."""

LONGEST: Final = 200
"""Bytes of a word; of a longer one these are heard."""

_SYNC: Final = array.array("h", [31000, -31000])
_BYTE: Final = 256
"""Added to each byte, so that none is taken for silence or for the wave."""
LOUD: Final = 6000
_HEARD: Final = 500
"""What is louder is a voice."""


def speak(text: str, rate: int) -> bytes:
    """The samples of a sentence."""
    pause = array.array("h", bytes(2 * int(PAUSE_S * rate)))
    out = array.array("h")
    for word in text.split():
        out += _word(word, rate)
        out += pause
    return out[: max(0, len(out) - len(pause))].tobytes()


@cache
def _word(word: str, rate: int) -> array.array[int]:
    data = word.encode()[:LONGEST]
    half = max(2, rate // 400)
    wave = array.array("h", [LOUD if (at // half) % 2 else -LOUD for at in range(size(data.decode("utf-8", "ignore"), rate))])
    head = _SYNC + array.array("h", [_BYTE + len(data), *(_BYTE + byte for byte in data)])
    wave[: len(head)] = head
    return wave


def size(word: str, rate: int) -> int:
    """A word's samples."""
    return int(max(SHORTEST_S, WORD_S + CHAR_S * len(word)) * rate)


def words(pcm: bytes) -> list[tuple[int, str]]:
    """The words that begin in some audio, each with its first sample; one whose letters are not all there is left out."""
    sync, found, at = _SYNC.tobytes(), list[tuple[int, str]](), -1
    while (at := pcm.find(sync, at + 1)) >= 0:
        letters = memoryview(pcm)[at + 4 : at + 4 + 2 * (LONGEST + 1)].cast("h") if at % 2 == 0 else ()
        if letters and len(letters) > letters[0] - _BYTE:
            word = bytes(letter - _BYTE for letter in letters[1 : 1 + letters[0] - _BYTE])
            found.append((at // 2, word.decode("utf-8", "ignore")))
    return found


class Detector:
    """Voice activity: a voice is what is loud. It hangs over by 60 ms, as real detectors do."""

    def __init__(self) -> None:
        self._hang = 0

    def feed(self, pcm: bytes) -> bool:
        """See VoiceActivity."""
        self._hang = 3 if max(memoryview(pcm).cast("h")) > _HEARD else max(0, self._hang - 1)
        return self._hang > 0

    def close(self) -> None:
        """See VoiceActivity."""


class Reader:
    """A recognizer that reads the words from the samples, while they come."""

    remote: Final = False

    async def session(
        self,
        rate: int,
        audio: trio.MemoryReceiveChannel[RecognizerInput],
        out: Callable[[RecognizerOutput], Awaitable[None]],
    ) -> None:
        """See Recognizer. Cancelled: nothing is left behind."""
        number, pcm, said = 0, bytearray(), ""
        async for item in audio:
            match item:
                case Begin(number, _):
                    pcm, said = bytearray(), ""
                case Frame(pcm=frame):
                    pcm += frame
                    if (text := _text(pcm)) != said:
                        said = text
                        await out(Heard(number, text, sure=True))
                case Finish():
                    await out(FinalWords(number, _text(pcm), sure=True))


def _text(pcm: bytes | bytearray) -> str:
    return " ".join(word for _, word in words(bytes(pcm)))


class Writer:
    """A voice that writes the words into the samples; `texts` is all that it was given to speak.

    It hands a segment over in one piece, so that all of a reply is known before any of it is heard.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def speak(self, text: str, rate: int, out: Callable[[Spoken], Awaitable[None]]) -> None:
        """See Voice. Cancelled: what was handed over stands."""
        self.texts.append(text)
        pcm, char, marks = speak(text, rate), 0, list[Word]()
        for (sample, _), word in zip(words(pcm), text.split(), strict=True):
            char = text.index(word, char)
            marks.append(Word(sample, char, len(word)))
            char += len(word)
        await out(Spoken(pcm, tuple(marks)))
