"""The listener: owns hearing. Voice activity and endpointing run inline; the recognizer runs beside them and may be replaced.

Voice activity outlives the recognizer's session, so that a barge-in never waits for one. A session that breaks or stalls is
opened anew with the audio of the utterance at hand from the ring; when it breaks too often, the listener itself fails and
comes back with the next recognizer of its chain.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import trio

from agentd import limits
from agentd.actors.kit import Jobs, Mailbox, open_jobs
from agentd.audio.endpointing import PREROLL_S, End, Endpointer, Long, Onset
from agentd.audio.ring import Ring
from agentd.errors import ProviderError
from agentd.messages import FinishSpeech, Frame, Listen, LongSpeech, Partial, SpeechOnset, UtteranceEnded
from agentd.providers.base import Begin, Finish, Heard, Recognizer, RecognizerInput, VoiceActivity
from agentd.providers.base import Final as FinalWords

FINAL_S: Final = 0.6
"""A recognizer that owes its last words for longer has stalled: the caller hears the silence."""

INPUTS: Final = 512
"""What may wait for a recognizer: ten seconds of frames; one that is further behind is stuck."""


@dataclass(frozen=True, slots=True)
class FramesReady:
    """The ring holds audio that was not taken."""


@dataclass(frozen=True, slots=True)
class SessionBroken:
    """A recognizer's session ended."""

    session: int
    error: ProviderError


ListenerMessage = FramesReady | Listen | FinishSpeech | Heard | FinalWords | SessionBroken


@dataclass(slots=True)
class _Utterance:
    """The utterance at hand."""

    number: int
    text: str = ""
    sure: bool = False
    end: End | None = None
    end_pos: int = 0
    decided_pos: int = 0
    decided_at: float = 0.0
    again: bool = False
    """It was given to a second session, since the first one stalled."""


class Listener:
    """One call's ears."""

    def __init__(
        self,
        rate: int,
        mailbox: Mailbox[ListenerMessage],
        ring: Ring,
        report: Mailbox[object],
        recognizers: tuple[Recognizer, ...],
        voice: VoiceActivity,
    ) -> None:
        self._rate, self._mailbox, self._ring, self._report = rate, mailbox, ring, report
        self._recognizers, self._voice = recognizers, voice
        self._endpointer = Endpointer(rate)
        self._frame_bytes = int(rate * limits.FRAME_S) * 2
        self._number = 0
        self._session = 0
        self._broken: deque[float] = deque(maxlen=limits.RESTARTS)
        self._utterance: _Utterance | None = None
        self._partial_frame = b""

    async def run(self, provider: int) -> None:
        """Listen until cancelled. Cancelled: the recognizer's session is closed; the ring keeps what was not taken.

        An utterance that a former life was in the middle of is heard again, from the ring. Raises ProviderError where the
        recognizer breaks too often.
        """
        self._recognizer = self._recognizers[provider]
        async with open_jobs() as jobs:
            self._open(jobs)
            if self._utterance is not None:
                await self._begin_again(self._utterance)
            await self._hear_all()
            while True:
                match await self._mailbox.receive():
                    case FramesReady():
                        await self._hear_all()
                    case Listen() as listen:
                        self._endpointer.listen = listen
                    case FinishSpeech():
                        self._finish_speech()
                    case Heard(number, text, sure):
                        await self._words(number, text, sure=sure)
                    case FinalWords(number, text, sure):
                        await self._final(number, text, sure=sure)
                    case SessionBroken(session, error):
                        if session == self._session:
                            await self._reopen(jobs, error)

    # ── Audio ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _hear_all(self) -> None:
        """All that the ring holds and that was not taken. Cancelled: what was taken is lost."""
        for frame in self._ring.take():
            await self._hear(frame)
        self._ring.eager = self._endpointer.voiced or self._utterance is not None

    async def _hear(self, frame: Frame) -> None:
        """One frame through voice activity, endpointing and the recognizer. Cancelled: the frame is lost."""
        listen = self._endpointer.listen
        voice = self._is_voice(frame)
        if listen.deaf and listen.speaking:
            voice = False
        if self._utterance is not None and self._utterance.end is not None:
            await self._wait_no_longer(frame)
        for decision in self._endpointer.feed(frame, voice=voice):
            match decision:
                case Onset(pos):
                    await self._begin(pos, frame.at)
                case Long() if self._utterance is not None and not (self._utterance.text and self._utterance.sure):
                    await self._report.send(LongSpeech(self._utterance.number, frame.at))
                case End() as end if self._utterance is not None:
                    self._utterance.end, self._utterance.decided_at = end, frame.at
                    self._utterance.end_pos = self._utterance.decided_pos = frame.pos
                    self._feed(Finish(self._utterance.number))
        if self._utterance is not None and self._utterance.end is None and frame.pos > self._fed:
            self._feed_frame(frame)

    def _is_voice(self, frame: Frame) -> bool:
        """Cut the audio into the detector's frames of 20 ms, whatever the carrier's frames are."""
        data = self._partial_frame + frame.pcm if self._partial_frame else frame.pcm
        size, voice = self._frame_bytes, False
        if len(data) == size:
            self._partial_frame = b""
            return self._voice.feed(data)
        for start in range(0, len(data) - size + 1, size):
            voice = self._voice.feed(data[start : start + size]) or voice
        self._partial_frame = data[len(data) - len(data) % size :]
        return voice

    # ── Utterances ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _begin(self, pos: int, at: float) -> None:
        """An utterance: the recognizer gets it from a little before its onset."""
        if self._utterance is not None:
            await self._close(at)
        self._number += 1
        self._utterance = _Utterance(self._number)
        self._onset = pos
        self._replay(self._utterance)
        await self._report.send(SpeechOnset(self._number, pos, at))

    async def _begin_again(self, utterance: _Utterance) -> None:
        """The utterance of a former life, under a new number: what was known of it died with that life."""
        self._number += 1
        utterance.number, utterance.text, utterance.sure = self._number, "", False
        self._replay(utterance)
        await self._report.send(SpeechOnset(self._number, self._onset, trio.current_time()))

    def _replay(self, utterance: _Utterance) -> None:
        """Give the recognizer the utterance from its start; behind its end, no more than it had."""
        self._feed(Begin(utterance.number, self._endpointer.listen.hints))
        for frame in self._ring.since(self._onset - int(PREROLL_S * self._rate)):
            if utterance.end is None or frame.pos <= utterance.decided_pos:
                self._feed_frame(frame)
        if utterance.end is not None:
            self._feed(Finish(utterance.number))

    async def _words(self, number: int, text: str, *, sure: bool) -> None:
        utterance = self._utterance
        if utterance is None or utterance.number != number or (text, sure) == (utterance.text, utterance.sure):
            return
        utterance.text, utterance.sure = text, sure
        self._endpointer.hear(text)
        await self._report.send(Partial(number, text, sure, trio.current_time()))

    async def _final(self, number: int, text: str, *, sure: bool) -> None:
        utterance = self._utterance
        if utterance is None or utterance.number != number or utterance.end is None:
            return
        utterance.text, utterance.sure = text, sure
        await self._close(trio.current_time())

    async def _wait_no_longer(self, frame: Frame) -> None:
        """The last words are owed for too long: the words so far stand, or else another session is tried, once."""
        utterance = self._utterance
        assert utterance is not None
        if frame.pos - utterance.end_pos < FINAL_S * self._rate:
            return
        self._mailbox.send_nowait(SessionBroken(self._session, ProviderError("recognizer", "it owes its last words")))
        if utterance.text or utterance.again:
            await self._close(frame.at)
        else:
            utterance.again, utterance.end_pos = True, frame.pos

    def _finish_speech(self) -> None:
        """End the utterance at hand where the audio ends: no silence will."""
        utterance = self._utterance
        if utterance is not None and utterance.end is None:
            now = trio.current_time()
            utterance.end = End(self._onset, max(self._onset, self._fed), now, 0.0, "forced", 0.0)
            utterance.decided_at, utterance.end_pos, utterance.decided_pos = now, self._fed, self._fed
            self._feed(Finish(utterance.number))

    async def _close(self, at: float) -> None:
        """Report the end of the utterance at hand."""
        utterance, self._utterance = self._utterance, None
        assert utterance is not None
        end = utterance.end or End(0, 0, at, 0.0, "forced", 0.0)
        await self._report.send(
            UtteranceEnded(
                utterance.number,
                utterance.text,
                utterance.sure,
                start=end.start,
                end=end.end,
                end_at=end.end_at,
                delay=end.delay,
                why=end.why,
                decided_at=utterance.decided_at or at,
                at=trio.current_time(),
                voiced=end.voiced,
            )
        )

    # ── The recognizer's session ─────────────────────────────────────────────────────────────────────────────────────

    def _open(self, jobs: Jobs) -> None:
        self._session += 1
        session = self._session
        send, receive = trio.open_memory_channel[RecognizerInput](INPUTS)
        self._inputs, self._fed = send, -1

        async def run() -> None:
            try:
                await self._recognizer.session(self._rate, receive, self._mailbox.send)
            except ProviderError as error:
                await self._mailbox.send(SessionBroken(session, error))

        jobs.start(run)

    def _feed_frame(self, frame: Frame) -> None:
        """Each frame once and in order, though a replay may run ahead of the frames that are being listened to."""
        self._feed(frame)
        self._fed = frame.pos

    def _feed(self, item: RecognizerInput) -> None:
        try:
            self._inputs.send_nowait(item)
        except trio.WouldBlock:
            self._mailbox.send_nowait(SessionBroken(self._session, ProviderError("recognizer", "it takes no audio any more")))

    async def _reopen(self, jobs: Jobs, error: ProviderError) -> None:
        """Open the session anew, with the utterance at hand from the ring. Raises ProviderError after too many of these."""
        now = trio.current_time()
        recent = len(self._broken) == limits.RESTARTS and now - self._broken[0] < limits.RESTART_WINDOW_S
        if recent or not error.retryable:
            raise error
        self._broken.append(now)
        jobs.drop()
        self._open(jobs)
        if self._utterance is not None:
            self._replay(self._utterance)
