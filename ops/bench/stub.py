"""Engines that cost next to nothing, for load: what is measured is agentd itself.

The caller's words are a number in the second sample of each loud frame: an index of `WORDS`. The agent's audio counts its
samples, 1, 2, 3 … from the start of each segment, so that the load generator sees what is lost, repeated or out of order.
Named in settings as `ops.bench.stub:recognizer`, `:voice`, `:vad` and `:thinker`.
"""

from __future__ import annotations

import array
from collections.abc import Awaitable, Callable
from functools import cache

import trio

from agentd.flow.model import Flow
from agentd.messages import Fire, Frame, Segment, ThinkRequest, Word
from agentd.offload import Offload
from agentd.providers.base import Begin, Final, Finish, Heard, RecognizerInput, RecognizerOutput, Spoken, Thought

WORDS = ("", "tell me more", "goodbye now", "a person please")
COUGH, MORE, GOODBYE, PERSON = range(4)

LOUD = 6000
SHORT_S, LONG_S = 0.2, 1.6
"""How long a short segment (the greeting, a farewell) and each segment of an answer sound."""


class _Recognizer:
    remote = False

    async def session(
        self,
        rate: int,
        audio: trio.MemoryReceiveChannel[RecognizerInput],
        out: Callable[[RecognizerOutput], Awaitable[None]],
    ) -> None:
        text = ""
        async for item in audio:
            match item:
                case Begin():
                    text = ""
                    number = item.utterance
                case Frame(pcm=pcm):
                    if not text and pcm[0] | pcm[1]:
                        text = WORDS[pcm[2]]
                        if text:
                            await out(Heard(number, text, True))
                case Finish(number):
                    await out(Final(number, text, True))


class _Voice:
    async def speak(self, text: str, rate: int, out: Callable[[Spoken], Awaitable[None]]) -> None:
        for piece in _pieces(text, rate):
            await out(piece)


class _Vad:
    def feed(self, pcm: bytes) -> bool:
        return pcm[:2] != b"\0\0"

    def close(self) -> None:
        pass


class _Thinker:
    async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
        """Answers at once: two long sentences for `MORE`, the flow's state for the others, never the same twice."""
        if request.why == "reply" and request.round == 0:
            if trigger := {WORDS[GOODBYE]: "wants_end", WORDS[PERSON]: "wants_human"}.get(request.text):
                return Thought((Fire(trigger),))
            for number in range(2):
                await say(Segment(request.reply, number, f"answer {request.reply.turn} part {number} long"))
        else:
            await say(Segment(request.reply, request.next_segment, f"short {request.reply.turn}"))
        return Thought()


@cache
def samples(rate: int, seconds: float) -> bytes:
    """A segment: its samples, counted from 1."""
    return array.array("h", range(1, int(rate * seconds) + 1)).tobytes()


def _pieces(text: str, rate: int) -> list[Spoken]:
    pcm = samples(rate, LONG_S if text.endswith("long") else SHORT_S)
    words, step = text.split(), 2 * (rate // 10)
    spoken, char = [], 0
    for number, word in enumerate(words):
        spoken.append(Word(len(pcm) // 2 * number // len(words), char, len(word)))
        char += len(word) + 1
    return [
        Spoken(pcm[at : at + step], tuple(word for word in spoken if at <= 2 * word.sample < at + step))
        for at in range(0, len(pcm), step)
    ]


def recognizer(offload: Offload, calls: int) -> _Recognizer:
    """See agentd.providers.registry."""
    return _Recognizer()


def voice(offload: Offload) -> _Voice:
    """See agentd.providers.registry."""
    return _Voice()


def vad(calls: int) -> Callable[[int], _Vad]:
    """See agentd.providers.registry."""
    return lambda rate: _Vad()


def thinker(flow: Flow) -> _Thinker:
    """See agentd.providers.registry."""
    return _Thinker()
