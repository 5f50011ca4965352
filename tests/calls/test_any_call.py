"""Calls in which caller and engines do anything at all: the laws hold all the same."""

from __future__ import annotations

import os
import random

import pytest
import trio

from agentd.messages import Fire, SpeechOnset, UtteranceEnded
from tests.calls.harness import Scene, telephone_call
from tests.calls.script import HELPED, LONELY, STORY, Answer, Round, Script, failure, tool
from tests.calls.test_engines import Ear, Throat

CALLS = int(os.environ.get("CALLS_ANY", "16"))
SAYINGS = ["tell me", "look", "yes", "okay", "no", "stop", "what are your hours", "think", "person", "goodbye", "break", "um"]
ANSWERS: dict[str, Answer] = {
    "tell me": STORY,
    "think": Round("first|second|third?", delay=1.0, between=0.7),
    "look": (Round("one second", proposals=tool("look_up", seconds=1.5)), Round("we have ten")),
    "person": (Round(proposals=(Fire("wants_human"),)), Round("hold the line")),
    "goodbye": (Round(proposals=(Fire("wants_end"),)), Round("goodbye then")),
}


async def do_something(scene: Scene, dice: random.Random) -> None:
    """One thing that a caller may do."""
    match dice.randrange(8):
        case 0 | 1 | 2:
            scene.phone.say(dice.choice(SAYINGS))
        case 3:
            scene.phone.cough(dice.choice([0.05, 0.15, 0.3, 0.7, 1.5]))
        case 4:
            scene.phone.pause(dice.random() * 2)
        case 5:
            scene.phone.press(dice.choice("19*#"))
        case 6:
            await trio.sleep(dice.random() * 4)
        case 7:
            await trio.sleep(dice.random() / 2)


@pytest.mark.parametrize("seed", range(CALLS))
@pytest.mark.parametrize("dialect", ["sautikit", "jambonz"])
async def test_any_call_keeps_the_laws_and_ends(
    autojump_clock: object, caplog: pytest.LogCaptureFixture, dialect: str, seed: int
) -> None:
    dice = random.Random(seed)
    script = Script(ANSWERS, crash=lambda request: failure() if "break" in request.text and dice.random() < 0.7 else None)
    ear = Ear(dice.choice(["words", "finish", "after", "never"]), dice.randrange(3), stall=dice.random() < 0.5)
    voice = Throat(dice.choice(["dwarfs", "said", "never"]), dice.randrange(8), dice.randrange(3), stall=dice.random() < 0.3)
    flow = dice.choice([LONELY, HELPED])
    async with telephone_call(flow, script, recognizer=ear, voice=voice, dialect=dialect, limit=900) as scene:
        for _ in range(40):
            await do_something(scene, dice)
            if scene.over.is_set():
                break
        if dice.random() < 0.5:
            scene.phone.hang_up()
        await scene.over.wait()
    # The harness has checked that the conversation holds nothing unheard, and that no task is left.
    assert "a call failed" not in caplog.text
    assert scene.log.states()[-1] == "ended"
    cuts = sum(entry.commands.count("hold") for entry in scene.log.entries)
    cuts += sum(command.startswith("new epoch") for entry in scene.log.entries for command in entry.commands)
    filler = ["One", "moment,", "please.", "Just", "a", "moment", "more."]
    assert len([word for word in scene.untold() if word not in filler]) <= 2 * cuts
    begun = [event.utterance for event in scene.events(SpeechOnset)]
    ended = [event.utterance for event in scene.events(UtteranceEnded)]
    assert begun == sorted(set(begun))
    assert ended == sorted(set(ended))
    assert set(ended) <= set(begun)
