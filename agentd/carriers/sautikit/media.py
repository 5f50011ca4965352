"""The media dialect of Sautikit's <Stream>, which is drachtio's mod_audio_fork, and of jambonz, which adds marks and keys.

On the wire: binary messages are raw s16le audio at the rate that our own stream document asked for, of any length, without
header or sequence number; an empty one asks for a graceful end. Text messages are JSON documents, sometimes several glued
together; only the first, before any audio, is what we ourselves put into the document, and opaque.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from agentd import limits
from agentd.carriers.media import (
    CallerAudio,
    Capabilities,
    GracefulEnd,
    Key,
    LayoutKnown,
    MarkSeen,
    MediaEvent,
    Metadata,
    Unknown,
)
from agentd.carriers.sautikit.layout import LayoutGuess
from agentd.errors import PeerError

Dialect = Literal["sautikit", "jambonz"]
Channels = Literal["auto", "mono", "stereo"]

TEXT_BYTES = 64 * 1024
"""A text message: drachtio's own buffer for metadata is 8 KiB."""

DOCUMENTS = 16
"""JSON documents glued into one text; the rest of it is one unknown message."""

HELD_S = 6.0
"""Audio held back until the layout is known: more than the 5 s that a switch can have queued."""

PREBUFFER_SAMPLES = 1280
"""What mod_audio_fork gathers before it plays, per unit of rate / leg rate: 4 × 320 samples."""

LEG_RATE = 8000
"""A telephone leg, where nothing better is known: the longest prebuffer and no trust in marks at other rates."""

ADVICE = 'the stream mixes both voices into one channel, so that the agent hears itself: set track = "inbound_track"'

_KEYS = frozenset("0123456789*#ABCD")
_CLEAR = json.dumps({"type": "killAudio"})
_LOW_MASK = bytes(1 if byte == 0xFF else 0 for byte in range(256))
_SPACE = re.compile(r"\s*")
_decode = json.JSONDecoder().raw_decode


class SautikitMedia:
    """One call's media stream; see MediaCodec for the methods.

    `rate` is the rate that the stream document asked for, `leg_rate` that of the switch's own leg where known, `track` the
    document's attribute of this name. `channels` says what the stream holds where the operator knows; `auto` finds out, and
    holds the audio back until then.
    """

    def __init__(
        self,
        rate: int,
        dialect: Dialect,
        track: str = "inbound_track",
        channels: Channels = "auto",
        leg_rate: int | None = None,
    ) -> None:
        leg = leg_rate or LEG_RATE
        jambonz = dialect == "jambonz"
        self.rate = rate
        self.capabilities = Capabilities(
            # A mark is a sample value in the audio itself: the switch's resampler would smear it.
            acks=jambonz and leg == rate,
            clear=jambonz,
            prebuffer=PREBUFFER_SAMPLES * max(1.0, rate / leg) / rate,
            dtmf=jambonz,
        )
        self._dialect = dialect
        self._track = track
        self._told = {"auto": 0, "mono": 1, "stereo": 2}[channels]
        self._channels = 0
        self._guess = LayoutGuess(rate)
        self._held = bytearray()
        self._carry = b""
        self._texts = 0

    # ── Carrier → agentd ─────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, data: str | bytes, at: float) -> list[MediaEvent]:
        """See MediaCodec. Raises PeerError (1009, oversize) where the message is too long, and for no other reason."""
        if isinstance(data, str):
            return self._text(data)
        size = len(data)
        if self._channels == 1 and not self._carry and size and not size & 1 and size <= limits.MAX_MEDIA_MESSAGE:
            return [CallerAudio(data)]
        if size > limits.MAX_MEDIA_MESSAGE:
            raise PeerError(f"a media message of {size} bytes", close_code=1009, outcome="oversize")
        if not size:
            return [*self._settle(), GracefulEnd()]
        return self._samples(data) if self._channels else self._detect(data, at)

    def _detect(self, data: bytes, at: float) -> list[MediaEvent]:
        """Hold the audio back until the number of channels is known."""
        self._held += data
        channels = self._told or self._guess.add(len(data), at)
        if channels is None and len(self._held) > HELD_S * self.rate * 4:
            channels = self._guess.now()
        return self._release(channels) if channels else []

    def _settle(self) -> list[MediaEvent]:
        """The stream ends: what is still held back must go."""
        return self._release(self._told or self._guess.now()) if self._held else []

    def _release(self, channels: int) -> list[MediaEvent]:
        self._channels = channels
        held, self._held = bytes(self._held), bytearray()
        mixed = channels == 1 and self._track != "inbound_track"
        return [LayoutKnown(channels, mixed, ADVICE if mixed else ""), *self._samples(held)]

    def _samples(self, data: bytes) -> list[MediaEvent]:
        """Whole samples of the caller's voice; what is left of a sample waits for the next message."""
        if self._carry:
            data = self._carry + data
        width = 2 * self._channels
        whole = len(data) - len(data) % width
        self._carry = data[whole:]
        if not whole:
            return []
        if whole != len(data):
            data = data[:whole]
        # Interleaved: the caller is left, that is every other sample from the first one on.
        return [CallerAudio(memoryview(data).cast("h")[::2].tobytes() if width == 4 else data)]

    def _text(self, text: str) -> list[MediaEvent]:
        size = len(text.encode("utf-8", "replace"))
        if size > TEXT_BYTES:
            raise PeerError(f"a text message of {size} bytes", close_code=1009, outcome="oversize")
        self._texts += 1
        if self._texts == 1 and not self._channels and not self._held:
            return self._metadata(text)
        return self._documents(text)

    def _metadata(self, text: str) -> list[MediaEvent]:
        """The first text is opaque, but for other documents that old switches glue to it."""
        if text.startswith("{"):
            try:
                _, end = _decode(text)
            except (ValueError, RecursionError):
                return [Metadata(text)]
            if glued := text[end:].strip():
                return [Metadata(text[:end]), *self._documents(glued)]
        return [Metadata(text)]

    def _documents(self, text: str) -> list[MediaEvent]:
        events: list[MediaEvent] = []
        rest = text.strip()
        place = 0
        while place < len(rest):
            if len(events) == DOCUMENTS:
                return [*events, Unknown(f"{len(rest) - place} characters after {DOCUMENTS} JSON documents")]
            try:
                document, place = _decode(rest, place)
            except (ValueError, RecursionError):
                return [*events, Unknown(f"a text of {len(rest) - place} characters that is no JSON")]
            events.append(self._document(document))
            place = _SPACE.match(rest, place).end()  # type: ignore[union-attr]  # it matches nothing, too
        return events or [Unknown("an empty text")]

    def _document(self, document: Any) -> MediaEvent:
        if self._dialect == "jambonz":
            match document:
                case {"event": "dtmf", "dtmf": str(digit)} if digit.upper() in _KEYS:
                    return Key(digit.upper())
                case {"type": "mark", "data": {"name": str(name), "event": "playout" | "cleared" as event}}:
                    return MarkSeen(name, event == "cleared") if self.capabilities.acks else Unknown("a mark at another rate")
        match document:
            case {"type": str(kind)} | {"event": str(kind)}:
                return Unknown(f"JSON {_printable(kind)}")
        return Unknown(f"JSON {type(document).__name__} without a type")

    # ── agentd → carrier ─────────────────────────────────────────────────────────────────────────────────────────────

    def audio(self, pcm: bytes) -> bytes:
        """See MediaCodec. Where marks are used, samples of -1 become -2: the switch would take them for marks and eat them."""
        return _without_minus_one(pcm) if self.capabilities.acks and b"\xff\xff" in pcm else pcm

    def mark(self, name: str) -> str | None:
        """See MediaCodec. The switch keeps at most 30 marks that it has not answered."""
        return json.dumps({"type": "mark", "data": {"name": name}}) if self.capabilities.acks else None

    def clear(self) -> str:
        """See MediaCodec. Worth sending in either dialect, but only where `capabilities.clear` is anything known to happen."""
        return _CLEAR


def _without_minus_one(pcm: bytes) -> bytes:
    """Every sample of -1 as -2, in linear time: low bytes of 0xFF under a high byte of 0xFF lose one, none ever borrows."""
    low, high = pcm[::2], pcm[1::2]
    hit = int.from_bytes(low.translate(_LOW_MASK)) & int.from_bytes(high.translate(_LOW_MASK))
    out = bytearray(pcm)
    out[::2] = (int.from_bytes(low) - hit).to_bytes(len(low))
    return bytes(out)


def _printable(text: str) -> str:
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text[:40])
