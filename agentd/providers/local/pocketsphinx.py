"""Speech → words with pocketsphinx: demo grade, good for what a flow's grammar expects, and honest about the rest.

Decoding costs some 6 % of a core while the caller speaks and runs in threads, `BATCH_S` of audio a hop. A decoder belongs to
one call at a time. One whose thread was abandoned (stalled, or cancelled under way) is thrown away, never used again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from agentd.errors import ProviderError
from agentd.messages import Frame
from agentd.offload import Offload
from agentd.providers.base import Begin, Final, Finish, Heard, RecognizerInput, RecognizerOutput
from agentd.providers.local.ear import Ear, Ears, Reading

BATCH_S = 0.08
"""Audio of one thread hop: long enough that hops cost little, short beside the onset and endpointing times."""

HOP_S = 2.0
"""Patience for one hop, which takes 5 ms, and some 20 ms where a grammar or a decoder is new."""

STAGE = "recognizer"

T = TypeVar("T")
Report = Callable[[RecognizerOutput], Awaitable[None]]


class Pocketsphinx:
    """See Recognizer. `warm` decoders are made at once; `most` sessions run at a time. `ears` makes the decoders.

    Raises OperatorError where the extra `local` is not installed.
    """

    remote = False

    def __init__(self, offload: Offload, *, warm: int = 1, most: int, ears: Callable[[], Ear] | None = None) -> None:
        self._offload, self._most = offload, most
        self._make = ears or Ears()
        self._idle = [self._make() for _ in range(warm)]
        self._sessions = 0

    async def session(self, rate: int, audio: trio.MemoryReceiveChannel[RecognizerInput], out: Report) -> None:
        """See Recognizer; one session more than `most` gets a ProviderError."""
        if self._sessions >= self._most:
            raise ProviderError(STAGE, f"all {self._most} decoders are in use", retryable=False)
        self._sessions += 1
        session = Session(self._offload, self._idle.pop() if self._idle else None, rate, out)
        try:
            await session.open(self._make)
            await session.run(audio)
        finally:
            self._sessions -= 1
            if session.ear is not None:
                self._idle.append(session.ear)


class Session:
    """One call's decoding. `ear` is None while a thread has it, and stays so where that thread was abandoned."""

    def __init__(self, offload: Offload, ear: Ear | None, rate: int, out: Report) -> None:
        self.ear = ear
        self._offload, self._rate, self._out = offload, rate, out
        self._utterance: int | None = None
        self._gathered = bytearray()
        self._last = Reading()

    async def open(self, make: Callable[[], Ear]) -> None:
        """Make the decoder where none was idle, and ready it for this call. Cancelled: it is thrown away."""
        ear, self.ear = self.ear, None

        def ready() -> Ear:
            mine = ear or make()
            mine.fresh(self._rate)
            return mine

        self.ear = await self._offload(ready, timeout=HOP_S, stage=STAGE)

    async def run(self, audio: trio.MemoryReceiveChannel[RecognizerInput]) -> None:
        """Take what comes until `audio` ends. Cancelled: nothing more is reported."""
        async for message in audio:
            match message:
                case Begin(utterance, hints):
                    self._utterance, self._last = utterance, Reading()
                    self._gathered.clear()
                    await self._hop(lambda ear, hints=hints: ear.begin(hints))  # type: ignore[misc]
                case Frame(pcm=pcm) if self._utterance is not None:
                    self._gathered += pcm
                    if len(self._gathered) >= BATCH_S * self._rate * 2:
                        await self._hear(self._utterance)
                case Finish(utterance):
                    await self._finish(utterance)
                case Frame():
                    pass  # between utterances

    async def _hear(self, utterance: int) -> None:
        """Decode what was gathered and report what changed. Cancelled: the audio is lost."""
        pcm = self._take()
        reading = await self._hop(lambda ear: ear.hear(pcm))
        if reading != self._last:
            self._last = reading
            await self._out(Heard(utterance, reading.text, reading.sure))

    async def _finish(self, utterance: int) -> None:
        """Answer the utterance's one Final. Cancelled: it has none."""
        reading = Reading()
        if utterance == self._utterance:
            pcm = self._take()

            def rest(ear: Ear) -> Reading:
                if pcm:
                    ear.hear(pcm)
                return ear.finish()

            reading = await self._hop(rest)
        self._utterance = None
        await self._out(Final(utterance, reading.text, reading.sure))

    def _take(self) -> bytes:
        pcm = bytes(self._gathered)
        self._gathered.clear()
        return pcm

    async def _hop(self, work: Callable[[Ear], T]) -> T:
        """Let a thread work with the decoder. Cancelled or stalled: the decoder is thrown away with its thread."""
        ear, self.ear = self.ear, None
        assert ear is not None

        def guarded() -> T:
            try:
                return work(ear)
            except (RuntimeError, ValueError) as error:  # what pocketsphinx raises
                raise ProviderError(STAGE, f"pocketsphinx failed: {error}") from error

        result = await self._offload(guarded, timeout=HOP_S, stage=STAGE)
        self.ear = ear
        return result
