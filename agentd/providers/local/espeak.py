"""Words → speech with espeak-ng, by ctypes: robotic, at once (RTF 0.001), and with the time of each word.

espeak's state is the process's, so that one lock guards it and one voice serves all. Synthesis runs unpaced: a sentence holds
the lock for some 4 ms. Its level is right as it comes (-20 to -22 dBFS RMS, peaks at -2), and so is its start (13 ms).
"""

from __future__ import annotations

import ctypes
from collections.abc import Awaitable, Callable
from threading import Lock
from typing import Any

from agentd.errors import OperatorError, ProviderError
from agentd.messages import Word
from agentd.offload import Offload
from agentd.providers.base import Spoken
from agentd.providers.local.extra import load
from agentd.providers.local.saying import write_out

PIECE_S = 0.1
"""Audio of one piece: what is cancelled late is at most this."""

LOCK_S = 2.0
"""Patience for the lock: whoever holds it that long hangs, and the waiting thread had better come back."""

SPEAK_S = 4.0
"""Patience for a segment, the lock included."""

STAGE = "voice"

_LOCK = Lock()
_SYNCHRONOUS, _DONT_EXIT, _RATE_PARAMETER, _CHARACTERS, _UTF8, _WORD_EVENT = 2, 0x8000, 1, 1, 1, 1


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # in characters, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Take:
    """One synthesis under way: what came so far, and whether to go on."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self.words: list[tuple[int, int]] = []
        self.cancelled = False

    def take(self, samples: Any, count: int, events: Any) -> int:
        """Gather audio and the (sample, character) of each word; 1 stops espeak."""
        if samples and count > 0:
            self.pcm += ctypes.string_at(samples, 2 * count)
        at = 0
        while events[at].type:
            if events[at].type == _WORD_EVENT:
                self.words.append((events[at].sample, events[at].text_position - 1))
            at += 1
        return int(self.cancelled)


class Espeak:
    """See Voice. A process has one: the last one made sets voice and pace for all.

    Raises OperatorError where the extra `local` is not installed or espeak does not know the voice.
    """

    def __init__(self, offload: Offload, *, voice: str = "en-us", rate_wpm: int = 165) -> None:
        loader, self._numpy, self._soxr = load("espeakng_loader"), load("numpy"), load("soxr")
        self._offload = offload
        self._library = ctypes.CDLL(loader.get_library_path())
        with _LOCK:
            self._rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, loader.get_data_path().encode(), _DONT_EXIT)
            if self._rate <= 0:
                raise OperatorError("espeak-ng finds no data of its own", mend="reinstall espeakng-loader")
            if self._library.espeak_SetVoiceByName(voice.encode()):
                raise OperatorError(f"espeak-ng has no voice {voice!r}", mend="take one such as en-us or en-gb")
            self._library.espeak_SetParameter(_RATE_PARAMETER, rate_wpm, 0)

    async def speak(self, text: str, rate: int, out: Callable[[Spoken], Awaitable[None]]) -> None:
        """See Voice."""
        take = Take()
        try:
            pieces = await self._offload(lambda: self._pieces(text, rate, take), timeout=SPEAK_S, stage=STAGE)
        finally:
            take.cancelled = True  # the abandoned thread lets go of the lock at espeak's next buffer
        for piece in pieces:
            await out(piece)

    def render(self, text: str, rate: int) -> list[Spoken]:
        """Speak one segment at once, on the caller's thread: for what must be ready beforehand. Raises ProviderError."""
        return self._pieces(text, rate, Take())

    def _pieces(self, text: str, rate: int, take: Take) -> list[Spoken]:
        """Synthesise, resample the whole (so that nothing is cut or padded), and cut it into pieces."""
        written, places = write_out(text.replace("\0", " "))
        self._synthesise(written, take)
        samples = self._numpy.frombuffer(bytes(take.pcm), "<i2")
        pcm: bytes = self._soxr.resample(samples, self._rate, rate).tobytes() if len(samples) else b""
        words = self._words(take.words, text, places, rate)
        step = int(PIECE_S * rate)
        return [
            Spoken(
                pcm[2 * start : 2 * (start + step)],
                tuple(word for word in words if start <= word.sample < start + step),
            )
            for start in range(0, len(pcm) // 2, step)
        ]

    def _synthesise(self, written: str, take: Take) -> None:
        """Fill `take`; raises ProviderError where espeak fails or is held by another for too long."""
        if not _LOCK.acquire(timeout=LOCK_S):
            raise ProviderError(STAGE, "espeak-ng is held by another thread")
        try:
            callback = _Callback(take.take)
            self._library.espeak_SetSynthCallback(callback)
            text = written.encode("utf-8", "replace") + b"\0"
            failed = self._library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, _CHARACTERS, 0, _UTF8, None, None)
        finally:
            _LOCK.release()
        if failed and not take.cancelled:
            raise ProviderError(STAGE, f"espeak-ng failed with code {failed}")

    def _words(self, heard: list[tuple[int, int]], text: str, places: list[int], rate: int) -> list[Word]:
        """espeak's word events in the text as it was given, rising; each has the characters up to the next one.

        espeak runs some words into one ("I am"), and counts wrongly inside some numbers: an event that goes back is dropped.
        """
        begun: list[tuple[int, int]] = []
        for sample, at in heard:
            char = places[min(max(at, 0), len(places) - 1)]
            if not begun or char > begun[-1][1]:
                begun.append((round(sample * rate / self._rate), char))
        ends = [*(char for _, char in begun), len(text)][1:]
        return [Word(sample, char, len(text[char:end].rstrip())) for (sample, char), end in zip(begun, ends, strict=True)]
