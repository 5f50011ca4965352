"""Makes the three embedded engines for a daemon."""

from __future__ import annotations

from dataclasses import dataclass

from agentd.offload import Offload
from agentd.providers.local.espeak import Espeak
from agentd.providers.local.pocketsphinx import Pocketsphinx
from agentd.providers.local.vad import SileroVads


@dataclass(frozen=True, slots=True)
class LocalEngines:
    """One of each, for all calls."""

    vad: SileroVads
    recognizer: Pocketsphinx
    voice: Espeak


def open_engines(offload: Offload, calls: int) -> LocalEngines:
    """Make the engines for at most `calls` calls, one of each kind warm: 0.4 s and 60 MB.

    Raises OperatorError where the extra `local` is not installed.
    """
    return LocalEngines(SileroVads(warm=1), Pocketsphinx(offload, warm=1, most=calls), Espeak(offload))
