"""What is loaded before the first call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentd import settings
from agentd.extensions import Extension, open_extensions
from agentd.messages import FlowState
from agentd.offload import Inline
from agentd.turn.commands import Line
from agentd.turn.timing import Timing
from tests.fakes import engines, speech

NAME = "tests.fakes.flow"


async def extension(out: Path, **overrides: Any) -> Extension:
    given = {"calls.out": out / "calls", "numbers": {"*": NAME}, "sautikit.rate": 8000, **engines.NAMES}
    given |= {key.replace("__", "."): value for key, value in overrides.items()}
    return (await open_extensions(settings.load(None, {}, given), Inline()))[NAME]


async def test_the_apology_is_spoken_at_load(tmp_path: Path) -> None:
    opened = await extension(tmp_path)
    audio = opened.lines().canned(Line.APOLOGY)
    assert " ".join(word for _, word in speech.words(audio)) == opened.flow.apology


async def test_the_apology_is_spoken_by_the_first_voice_that_can(tmp_path: Path) -> None:
    chain = ("tests.fakes.engines:mute_voice", "tests.fakes.engines:voice")
    assert (await extension(tmp_path, engines__voice=chain)).apology


@pytest.mark.parametrize(
    ("chain", "resume"),
    [(("recognizer",), Timing().resume), (("recognizer", "remote_recognizer"), Timing().resume_remote)],
)
async def test_a_remote_recognizer_in_the_chain_is_waited_for_longer(
    tmp_path: Path, chain: tuple[str, ...], resume: float
) -> None:
    names = tuple(f"tests.fakes.engines:{name}" for name in chain)
    assert (await extension(tmp_path, engines__recognizer=names)).timing.resume == resume


async def test_settings_overrule_the_flow_s_recording_and_the_call_s_length(tmp_path: Path) -> None:
    opened = await extension(tmp_path, calls__recording="on", calls__max_s=60.0)
    assert (opened.flow.recording, opened.timing.call) == ("on", 60.0)


async def test_each_call_has_its_own_lines_so_that_its_first_filler_is_the_first(tmp_path: Path) -> None:
    opened = await extension(tmp_path)
    state, now = FlowState("talk"), opened.flow.local("")
    assert opened.lines().text(Line.FILLER, state, now) == opened.lines().text(Line.FILLER, state, now)
