"""What is loaded before the first call: the engines that all calls share, and the flows, each ready to be called.

Whatever the settings, a flow or an engine get wrong is found here, as an OperatorError.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agentd.actors.lines import Lines
from agentd.call import Engines
from agentd.errors import OperatorError, ProviderError, SettingsError
from agentd.flow.loading import load
from agentd.flow.model import Flow
from agentd.offload import Offload
from agentd.providers import registry
from agentd.providers.base import Spoken, Voice
from agentd.settings import Settings
from agentd.turn.commands import Line
from agentd.turn.timing import Timing


@dataclass(frozen=True, slots=True)
class Extension:
    """A flow that can be called. `apology` is its apology as audio, so that it can be played with the voice dead."""

    flow: Flow
    engines: Engines
    timing: Timing
    apology: bytes

    def lines(self) -> Lines:
        """The flow's own lines, for one call."""
        return Lines(self.flow, {Line.APOLOGY: self.apology})


async def open_extensions(settings: Settings, offload: Offload) -> Mapping[str, Extension]:
    """Flow's name in the settings → extension. Raises OperatorError. Cancelled: nothing is left behind."""
    _check_folder(settings.calls.out)
    chains, calls = settings.engines, settings.calls.limit
    recognizers = tuple(registry.recognizer(name, offload, calls) for name in chains.recognizer)
    voices = tuple(registry.voice(name, offload) for name in chains.voice)
    vad = registry.vad(chains.vad, calls)
    timing = Timing(call=settings.calls.max_s)
    if any(recognizer.remote for recognizer in recognizers):
        timing = replace(timing, resume=timing.resume_remote)
    opened: dict[str, Extension] = {}
    for name in sorted(set(settings.numbers.values())):
        flow = load(name)
        if settings.calls.recording != "flow":
            flow = replace(flow, recording=settings.calls.recording)
        thinkers = tuple(registry.thinker(thinker, flow) for thinker in chains.thinker)
        apology = await _render(flow.apology, settings.sautikit.rate, voices)
        opened[name] = Extension(flow, Engines(recognizers, thinkers, voices, vad), timing, apology)
    return opened


def _check_folder(out: Path) -> None:
    """The calls' folder is there, and can be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
    else:
        why = "" if os.access(out, os.W_OK | os.X_OK) else "it cannot be written to"
    if why:
        raise SettingsError(
            f"calls cannot be stored there ({why}).",
            where=f"calls.out {out}",
            mend="name another folder, or give the right to it.",
        )


async def _render(text: str, rate: int, voices: tuple[Voice, ...]) -> bytes:
    """Speak a line with the first voice of the chain that can. Cancelled: nothing is kept."""
    pieces: list[bytes] = []

    async def keep(spoken: Spoken) -> None:
        pieces.append(spoken.pcm)

    why = ""
    for voice in voices:
        try:
            pieces.clear()
            await voice.speak(text, rate, keep)
        except ProviderError as error:
            why = str(error)
        else:
            return b"".join(pieces)
    raise OperatorError(f"no voice can speak ({why}).", where="engines.voice", mend="mend the engine, or name another one.")
