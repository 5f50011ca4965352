"""The speaker: turns segments into audio with word times, in order, ahead of their playing, and drops them when told.

What it makes goes to the transport by a bounded channel: when that is full, it waits. A newer epoch drops the segment that is
being spoken and all that wait.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import trio

from agentd.actors.kit import Mailbox, open_jobs
from agentd.errors import EngineStalled
from agentd.messages import Audio, NewEpoch, ReplyEnd, Segment
from agentd.providers.base import Spoken, Voice

STALL_S: Final = 5.0
"""A voice that gives nothing for so long has stalled: hosted ones answer within a second, embedded ones in far less."""


class Speaker:
    """One call's voice. `audio` is the transport's channel."""

    def __init__(
        self,
        rate: int,
        mailbox: Mailbox[Segment | ReplyEnd | NewEpoch],
        audio: trio.MemorySendChannel[Audio | ReplyEnd],
        voices: tuple[Voice, ...],
    ) -> None:
        self._rate, self._mailbox, self._audio, self._voices = rate, mailbox, audio, voices

    async def run(self, provider: int) -> None:
        """Speak until cancelled. Cancelled: audio that was handed over stands, the rest is dropped.

        Raises what the voice raises: the supervisor restarts this actor, and the conductor has the reply made again.
        """
        self._voice = self._voices[provider]
        self._epoch = 0
        self._waiting: deque[Segment | ReplyEnd] = deque()
        self._mailbox.drain()
        async with open_jobs() as jobs:
            while True:
                match await self._mailbox.receive():
                    case NewEpoch(epoch):
                        self._epoch = epoch
                        self._waiting.clear()
                        jobs.drop()
                    case item:
                        if item.reply.epoch >= self._epoch:
                            self._waiting.append(item)
                            if not jobs.busy:
                                jobs.start(self._work)

    async def _work(self) -> None:
        """Speak all that waits. Cancelled: the segment at hand stays unfinished."""
        while self._waiting:
            item = self._waiting.popleft()
            if isinstance(item, ReplyEnd):
                await self._audio.send(item)
            else:
                await self._speak(item)

    async def _speak(self, segment: Segment) -> None:
        """Cancelled: its audio so far was handed over. Raises what the voice raises, and EngineStalled."""
        made_at = 0.0
        patience = trio.CancelScope(deadline=trio.current_time() + STALL_S)

        async def out(spoken: Spoken) -> None:
            nonlocal made_at
            made_at = made_at or trio.current_time()
            patience.deadline = float("inf")  # waiting for room is our own doing
            await self._audio.send(Audio(segment, spoken.pcm, spoken.words, made_at=made_at))
            patience.deadline = trio.current_time() + STALL_S

        with patience:
            await self._voice.speak(segment.text, self._rate, out)
        if patience.cancelled_caught:
            raise EngineStalled("voice", f"it gave nothing for {STALL_S:g} s")
        await self._audio.send(Audio(segment, b"", last=True, made_at=made_at))
