"""The embedded voice, with each text spoken once and played from the tape afterwards: espeak-ng does not make the same samples
twice, and what was heard can be laid beside what was said only sample by sample. The tapes are files in BENCH_TAPE.

Named in settings as `ops.bench.taped:voice`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from agentd.offload import Offload
from agentd.providers import registry
from agentd.providers.base import Spoken, Voice

FOLDER = "BENCH_TAPE"


def tape(folder: Path, text: str, rate: int) -> Path:
    """Where the samples of a text are; beside it lies the length of its longest word, in samples."""
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}-{rate}.pcm"


class _Taped:
    def __init__(self, voice: Voice, folder: Path) -> None:
        self._voice, self._folder = voice, folder
        self._spoken: dict[tuple[str, int], list[Spoken]] = {}

    async def speak(self, text: str, rate: int, out: Callable[[Spoken], Awaitable[None]]) -> None:
        """See Voice. The first time, a text is spoken whole before any of it is given out."""
        if (text, rate) not in self._spoken:
            await self._record(text, rate)
        for piece in self._spoken[text, rate]:
            await out(piece)

    async def _record(self, text: str, rate: int) -> None:
        pieces: list[Spoken] = []

        async def keep(spoken: Spoken) -> None:
            pieces.append(spoken)

        await self._voice.speak(text, rate, keep)
        pcm = b"".join(piece.pcm for piece in pieces)
        starts = [word.sample for piece in pieces for word in piece.words]
        longest = max((after - start for start, after in itertools.pairwise([*starts, len(pcm) // 2])), default=0)
        path = tape(self._folder, text, rate)
        path.write_bytes(pcm)
        path.with_suffix(".json").write_text(json.dumps(longest))
        self._spoken[text, rate] = pieces


def voice(offload: Offload) -> _Taped:
    """See agentd.providers.registry."""
    return _Taped(registry.voice("local", offload), Path(os.environ[FOLDER]))
