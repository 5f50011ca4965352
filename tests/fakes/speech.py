"""Engines for tests and load: those of `agentd.testing.speech`, late, unsure or broken where a test wants them so.

A cough is a word's wave without any word. The engines meet the protocols of `agentd.providers.base`.
"""

from __future__ import annotations

import array
from collections.abc import Awaitable, Callable

import trio

from agentd.errors import ProviderError
from agentd.messages import Frame, Word
from agentd.providers.base import Begin, Final, Finish, Heard, RecognizerInput, RecognizerOutput, Spoken
from agentd.testing.speech import LOUD, Detector, speak, words

LoudnessVad = Detector


def noise(seconds: float, rate: int) -> bytes:
    """A sound with a voice and no words."""
    half = max(2, rate // 300)
    return array.array("h", [LOUD if (i // half) % 2 else -LOUD for i in range(int(seconds * rate))]).tobytes()


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
