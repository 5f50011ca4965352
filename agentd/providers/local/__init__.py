"""The embedded engines: speech in and out with no key and no network.

Each function makes one engine for all calls; it raises OperatorError where the extra `local` is not installed.
"""

from typing import Final

from agentd.offload import Offload
from agentd.providers.local.espeak import Espeak
from agentd.providers.local.pocketsphinx import Pocketsphinx
from agentd.providers.local.vad import SileroVads

WARM: Final = 4
"""Detectors made at load, of 10 MB each: calls that come within the same second are few."""


def recognizer(offload: Offload, calls: int) -> Pocketsphinx:
    """pocketsphinx with a grammar for each state; one decoder a call, the first one warm."""
    return Pocketsphinx(offload, warm=1, most=calls)


def voice(offload: Offload) -> Espeak:
    """espeak-ng."""
    return Espeak(offload)


def vad(calls: int) -> SileroVads:
    """silero behind webrtc's gate; the first detectors warm, since making one would hold up the other calls for 41 ms."""
    return SileroVads(warm=min(calls, WARM))
