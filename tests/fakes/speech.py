"""Engines for tests and load: speech whose words are written in its samples.

A word sounds for `WORD_S + CHAR_S * len(word)` seconds as a square wave; it begins with a sync pair, its length and its bytes.
So the recognizer reads what the caller said, and a test reads from the loudspeaker what the agent was heard to say. A cough is
the same wave without any word. The engines meet the protocols of `agentd.providers.base`.
"""

from __future__ import annotations

import array
from collections.abc import Awaitable, Callable
from functools import cache

import trio

from agentd.errors import ProviderError
from agentd.messages import Frame, Word
from agentd.providers.base import Begin, Final, Finish, Heard, RecognizerInput, RecognizerOutput, Spoken

WORD_S, CHAR_S, PAUSE_S = 0.14, 0.03, 0.06
SYNC = (31000, -31000)
LOUD = 6000


@cache
def _word(word: str, rate: int) -> array.array[int]:
    size = int((WORD_S + CHAR_S * len(word)) * rate)
    half = max(2, rate // 400)
    wave = array.array("h", [LOUD if (i // half) % 2 else -LOUD for i in range(size)])
    data = word.encode()
    wave[: len(data) + 3] = array.array("h", [*SYNC, 256 + len(data), *(256 + byte for byte in data)])
    return wave


def speak(text: str, rate: int) -> bytes:
    """The samples of a sentence."""
    pause = array.array("h", bytes(2 * int(PAUSE_S * rate)))
    out = array.array("h")
    for word in text.split():
        out += _word(word, rate)
        out += pause
    return out[: len(out) - len(pause)].tobytes()


def noise(seconds: float, rate: int) -> bytes:
    """A sound with a voice and no words."""
    half = max(2, rate // 300)
    return array.array("h", [LOUD if (i // half) % 2 else -LOUD for i in range(int(seconds * rate))]).tobytes()


def words(pcm: bytes) -> list[tuple[int, str]]:
    """The words in some audio, each with the sample at which it begins; cut ones are left out."""
    samples = array.array("h", pcm[: len(pcm) // 2 * 2])
    found: list[tuple[int, str]] = []
    at = 0
    while True:
        try:
            at = samples.index(SYNC[0], at)
        except ValueError:
            return found
        if at + 3 <= len(samples) and samples[at + 1] == SYNC[1] and 256 <= samples[at + 2] < 512:
            size = samples[at + 2] - 256
            body = samples[at + 3 : at + 3 + size]
            if len(body) == size and all(256 <= value < 512 for value in body):
                found.append((at, bytes(value - 256 for value in body).decode()))
        at += 1


class LoudnessVad:
    """A voice is what is loud; it hangs over by 60 ms as real detectors do."""

    def __init__(self) -> None:
        self._hang = 0

    def feed(self, pcm: bytes) -> bool:
        samples = memoryview(pcm).cast("h")
        self._hang = 3 if max(samples) > 500 else max(0, self._hang - 1)
        return self._hang > 0

    def close(self) -> None:
        pass


class ReadingRecognizer:
    """Reads the words from the samples. `fail` is raised at the n-th utterance (counted from 1) if it says so."""

    def __init__(self, fail: Callable[[int], ProviderError | None] = lambda _: None, *, sure: bool = True) -> None:
        self._fail, self._sure = fail, sure
        self.utterances = 0
        self.sessions = 0

    async def session(
        self,
        rate: int,
        audio: trio.MemoryReceiveChannel[RecognizerInput],
        out: Callable[[RecognizerOutput], Awaitable[None]],
    ) -> None:
        self.sessions += 1
        number, pcm, said = 0, bytearray(), ""
        async for item in audio:
            match item:
                case Begin(number, _):
                    self.utterances += 1
                    if (error := self._fail(self.utterances)) is not None:
                        raise error
                    pcm, said = bytearray(), ""
                case Frame(pcm=data):
                    pcm += data
                    if SYNC[0].to_bytes(2, "little") in data or len(pcm) < 4000:
                        text = " ".join(word for _, word in words(bytes(pcm)))
                        if text != said:
                            said = text
                            await out(Heard(number, text, self._sure))
                case Finish():
                    text = " ".join(word for _, word in words(bytes(pcm)))
                    await out(Final(number, text, self._sure))


class WritingVoice:
    """Writes the words into the samples; `delay` seconds before the first piece."""

    def __init__(self, delay: float = 0.0, fail: Callable[[str], ProviderError | None] = lambda _: None) -> None:
        self._delay, self._fail = delay, fail

    async def speak(self, text: str, rate: int, out: Callable[[Spoken], Awaitable[None]]) -> None:
        await trio.sleep(self._delay)
        if (error := self._fail(text)) is not None:
            raise error
        pcm, marks, char = speak(text, rate), [], 0
        for (sample, _), word in zip(words(pcm), text.split(), strict=True):
            char = text.index(word, char)
            marks.append(Word(sample, char, len(word)))
            char += len(word)
        step = 2 * (rate // 10)
        for start in range(0, len(pcm), step):
            piece = tuple(mark for mark in marks if start <= 2 * mark.sample < start + step)
            await out(Spoken(pcm[start : start + step], piece))
