"""The stub engines by the names that settings take: `tests.fakes.engines:recognizer` and so on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agentd.errors import ProviderError
from agentd.flow.model import Flow
from agentd.messages import Fire, Segment, ThinkRequest
from agentd.offload import Offload
from agentd.providers.base import Recognizer, Thinker, Thought, Voice, VoiceActivityFactory
from tests.fakes import speech

NAMES = {
    "engines.recognizer": ("tests.fakes.engines:recognizer",),
    "engines.thinker": ("tests.fakes.engines:thinker",),
    "engines.voice": ("tests.fakes.engines:voice",),
    "engines.vad": "tests.fakes.engines:vad",
}
"""What to hand to `settings.load` as overrides."""

STARTED: list[str] = []
"""Every session of a recognizer that was started: a call without a token must start none."""


class _Recognizer(speech.ReadingRecognizer):
    remote = False

    async def session(self, *args: object) -> None:
        STARTED.append("recognizer")
        await super().session(*args)  # type: ignore[arg-type]


def recognizer(offload: Offload, calls: int) -> Recognizer:
    return _Recognizer()


def voice(offload: Offload) -> Voice:
    return speech.WritingVoice()


def mute_voice(offload: Offload) -> Voice:
    return speech.WritingVoice(fail=lambda text: ProviderError("voice", "it is mute"))


def brittle_voice(offload: Offload) -> Voice:
    """Breaks at every sentence with the word "crash" in it."""
    return speech.WritingVoice(fail=lambda text: ZeroDivisionError() if "crash" in text else None)


class _RemoteRecognizer(_Recognizer):
    remote = True


def remote_recognizer(offload: Offload, calls: int) -> Recognizer:
    """As good as `recognizer`, and far away."""
    return _RemoteRecognizer()


class _BrittleRecognizer(_Recognizer):
    async def session(self, rate: int, audio: Any, out: Callable[[Any], Awaitable[None]]) -> None:
        async def tell(heard: Any) -> None:
            if "crash" in heard.text:
                raise ZeroDivisionError
            await out(heard)

        await super().session(rate, audio, tell)


def brittle_recognizer(offload: Offload, calls: int) -> Recognizer:
    """Breaks whenever it hears the word "crash"."""
    return _BrittleRecognizer()


def vad(calls: int) -> VoiceActivityFactory:
    return lambda rate: speech.LoudnessVad()


class Parrot:
    """Greets, says again what it heard, and fires the trigger that the caller names by `please TRIGGER`."""

    async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
        words = request.text.split()
        if words[:1] == ["please"] and request.round == 0:
            return Thought((Fire(words[1]),))
        text = {"opening": "welcome", "silence": "still there", "misheard": "pardon"}.get(
            request.why, f"you said {request.text}"
        )
        await say(Segment(request.reply, request.next_segment, text))
        return Thought()


def thinker(flow: Flow) -> Thinker:
    return Parrot()


class _BrittleParrot(Parrot):
    async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
        if "crash" in request.text:
            raise ZeroDivisionError
        return await super().think(request, say)


def brittle_thinker(flow: Flow) -> Thinker:
    """Breaks whenever it is told the word "crash"."""
    return _BrittleParrot()
