"""What every carrier's codec offers the transport: bytes or text in → events; audio and commands → bytes or text.

A codec is sans-IO: no socket, no clock of its own, no task. It is fed whole WebSocket messages with the time at which they
arrived and never waits. Whatever it is fed, it answers events or raises `PeerError`, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a carrier's dialect is known to do; never guessed.

    `acks`: it is documented to report which marks were played; a dialect that is not gets no marks and is believed none.
    `clear`: it drops what it holds when asked. `prebuffer`: seconds of audio that it gathers before it plays. `dtmf`: it
    sends keys.
    """

    acks: bool
    clear: bool
    prebuffer: float
    dtmf: bool


@dataclass(frozen=True, slots=True)
class LayoutKnown:
    """The stream's layout is decided. `mixed`: our own voice is in it, so that it must not be taken for the caller's."""

    channels: int
    mixed: bool
    advice: str = ""


@dataclass(frozen=True, slots=True)
class CallerAudio:
    """The caller's voice: s16le mono at the codec's rate, whole samples, never empty."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Metadata:
    """The first text: what our own document put there, opaque."""

    text: str


@dataclass(frozen=True, slots=True)
class MarkSeen:
    """The carrier answered a mark; `cleared` where it says that the audio before it was dropped.

    These are its own words: what became of the mark is for `audio.marks` to say.
    """

    name: str
    cleared: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A DTMF digit: 0–9 * # A–D."""

    digit: str


@dataclass(frozen=True, slots=True)
class GracefulEnd:
    """The carrier asks us to flush and finish."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message that we do not know: counted, never fatal. `what` is short and printable."""

    what: str


MediaEvent = LayoutKnown | CallerAudio | Metadata | MarkSeen | Key | GracefulEnd | Unknown


class MediaCodec(Protocol):
    """One call's media dialect."""

    rate: int
    capabilities: Capabilities

    def receive(self, data: str | bytes, at: float) -> list[MediaEvent]:
        """Take one WebSocket message that arrived at `at` (seconds); raises PeerError where no sense can be made of it."""

    def audio(self, pcm: bytes) -> str | bytes:
        """Encode agent audio: s16le mono at `rate`."""

    def mark(self, name: str) -> str | bytes | None:
        """Ask to be told when all that was sent before is played; None where the dialect is not trusted with it."""

    def clear(self) -> str | bytes | None:
        """Ask the carrier to drop what it holds; None where it has no such word."""
