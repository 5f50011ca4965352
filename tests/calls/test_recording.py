"""What the recording holds: both voices as they were heard, nothing cleared, nothing before the caller agreed."""

from __future__ import annotations

import array
from dataclasses import replace
from pathlib import Path

import pytest

from agentd.audio.recording import Recording
from agentd.audio.wav import read_wav
from agentd.flow.loading import load
from agentd.providers.rules import thinker
from tests.calls.harness import RATE, telephone_call
from tests.fakes import speech


def channels(path: Path) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """The caller's and the agent's words in a recording, each with its sample."""
    caller, agent = read_wav(path).channels
    return speech.words(caller), speech.words(agent)


async def test_the_recording_holds_both_voices_in_the_order_in_which_they_were_heard(
    autojump_clock: object, tmp_path: Path
) -> None:
    sink = Recording(tmp_path / "recording.wav", RATE)
    flow = replace(load("receptionist"), recording="on")
    async with telephone_call(flow, thinker(flow), sink=sink) as scene:
        await scene.phone.quiet()
        scene.phone.say("where are you")
        await scene.phone.quiet()
    sink.close()
    caller, agent = channels(tmp_path / "recording.wav")
    assert [word for _, word in caller] == ["where", "are", "you"]
    assert [word for _, word in agent] == scene.phone.heard()
    last_word_of_the_caller = caller[-1][0]
    answer = [at for at, _ in agent if at > last_word_of_the_caller]
    assert len(answer) == len(scene.phone.heard()) - [at < caller[0][0] for at, _ in agent].count(True)


async def test_the_gap_in_the_recording_is_the_gap_that_was_heard(autojump_clock: object, tmp_path: Path) -> None:
    sink = Recording(tmp_path / "recording.wav", RATE)
    flow = load("receptionist")
    async with telephone_call(flow, thinker(flow), sink=sink) as scene:
        await scene.phone.quiet()
        scene.phone.say("where are you")
        await scene.phone.quiet()
    sink.close()
    left, right = (array.array("h", pcm) for pcm in read_wav(tmp_path / "recording.wav").channels)
    stopped = max(at for at, sample in enumerate(left) if sample)
    began = min(at for at, sample in enumerate(right) if sample and at > stopped)
    assert (began - stopped) / RATE == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize(("answer", "recorded"), [("yes", True), ("no", False)])
async def test_nothing_is_recorded_before_the_caller_has_agreed(
    autojump_clock: object, tmp_path: Path, answer: str, recorded: bool
) -> None:
    sink = Recording(tmp_path / "recording.wav", RATE, start_paused=True)
    flow = replace(load("receptionist"), recording="consent")
    async with telephone_call(flow, thinker(flow), sink=sink) as scene:
        await scene.phone.quiet()
        assert "record" in scene.phone.sentence()
        scene.phone.say(answer)
        await scene.phone.quiet()
        scene.phone.say("where are you")
        await scene.phone.quiet()
    sink.close()
    caller, agent = channels(tmp_path / "recording.wav")
    assert [word for _, word in caller] == (["where", "are", "you"] if recorded else [])
    assert bool(agent) == recorded
    assert "record" not in [word for _, word in agent]
