from __future__ import annotations

import wave
from pathlib import Path

import pytest

from agentd.simulate.errors import ScenarioError
from agentd.simulate.scenario import UTTERANCES, HangUp, Interject, Key, Noise, Say, Silence, Wait, load, shipped

STEPS = 'steps = [ { say = "hello.wav" } ]\n'


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


def test_the_shipped_scenarios_load_by_name() -> None:
    assert {"question", "interrupt", "silence"} <= set(shipped())
    for name in shipped():
        assert load(name).steps


def test_every_key_and_step_is_read(tmp_path: Path) -> None:
    (tmp_path / "own.wav").write_bytes((UTTERANCES / "hello.wav").read_bytes())
    scenario = load(
        write(
            tmp_path,
            """
            from = "+1"
            to = "+2"
            leg_rate = 16000
            dialect = "jambonz"
            subprotocol = "audio.jambonz.org"
            channels = "stereo"
            noise = { kind = "babble", db = 15 }
            steps = [
                { wait = {} },
                { wait = { quiet_ms = 100, timeout = 3 } },
                { say = "own.wav" },
                { barge_in = { file = "stop.wav", after_ms = 900 } },
                { cough = { after_ms = 10 } },
                { uh_huh = { after_ms = 20 } },
                { silence = 1.5 },
                { key = "#" },
                { hangup = true },
            ]
            """,
        )
    )
    assert (scenario.name, scenario.caller, scenario.callee, scenario.leg_rate) == ("mine", "+1", "+2", 16000)
    assert (scenario.dialect, scenario.subprotocol, scenario.channels) == ("jambonz", "audio.jambonz.org", "stereo")
    assert scenario.noise == Noise("babble", 15)
    assert scenario.steps == (
        Wait(0.7, 15),
        Wait(0.1, 3),
        Say(tmp_path / "own.wav"),
        Interject("barge_in", UTTERANCES / "stop.wav", 0.9),
        Interject("cough", UTTERANCES / "cough.wav", 0.01),
        Interject("uh_huh", UTTERANCES / "uh-huh.wav", 0.02),
        Silence(1.5),
        Key("#"),
        HangUp(),
    )


@pytest.mark.parametrize(
    ("text", "where", "mend"),
    [
        ("steps = [\n  { say = hello }\n]", "line 2", "correct that line"),
        ("", "steps", "write steps"),
        ("steps = []", "steps", "write steps"),
        (STEPS + "lag_rate = 8000", "lag_rate", "did you mean 'leg_rate'?"),
        (STEPS + "leg_rate = 44100", "leg_rate", "write one of 8000, 16000"),
        (STEPS + 'dialect = "twilio"', "dialect", "'sautikit', 'jambonz'"),
        (STEPS + "from = 1", "from", '"+254700000001"'),
        (STEPS + 'noise = { kind = "rain", db = 5 }', "noise.kind", "'white', 'babble', 'music', 'file'"),
        (STEPS + 'noise = { kind = "white" }', "noise.db", "write db = N"),
        (STEPS + 'noise = { kind = "white", db = 5, file = "hello.wav" }', "noise.file", "mend one of the two"),
        ('steps = [ { sya = "hello.wav" } ]', "steps[1].sya", "did you mean 'say'?"),
        ('steps = [ { say = "helo.wav" } ]', "steps[1].say", "did you mean 'hello.wav'?"),
        ("steps = [ { say = 5 } ]", "steps[1].say", "write its name"),
        (
            'steps = [ { say = "hello.wav" }, { barge_in = { file = "stop.wav" } } ]',
            "steps[2].barge_in.after_ms",
            "after_ms = N",
        ),
        ("steps = [ { cough = 800 } ]", "steps[1].cough", "{ after_ms = … }"),
        ("steps = [ { cough = { after = 8 } } ]", "steps[1].cough.after", "did you mean 'after_ms'?"),
        ("steps = [ { silence = -1 } ]", "steps[1].silence", "silence = N"),
        ("steps = [ { wait = { timeout = true } } ]", "steps[1].wait.timeout", "timeout = N"),
        ("steps = [ { hangup = 1 } ]", "steps[1].hangup", "hangup = true"),
        ('dialect = "jambonz"\nsteps = [ { key = "55" } ]', "steps[1].key", "write one of 0–9"),
        ('steps = [ { key = "5" } ]', "steps", 'write dialect = "jambonz"'),
        ('steps = [ { say = "hello.wav", hangup = true } ]', "steps[1]", "one action"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_mend(tmp_path: Path, text: str, where: str, mend: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ScenarioError) as error:
        load(path)
    assert path in error.value.where
    assert where in str(error.value)
    assert mend in error.value.mend


def test_an_unknown_scenario_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match="name one of change, interrupt, keep, price, question, silence"):
        load("nowhere")


def test_every_utterance_is_short_trimmed_and_16_khz_mono() -> None:
    files = sorted(UTTERANCES.glob("*.wav"))
    assert len(files) >= 40
    assert sum(path.stat().st_size for path in files) < 2.5e6
    for path in files:
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
            assert 0.2 < file.getnframes() / 16000 < 2.5, path.name


def test_every_utterance_is_in_the_word_list() -> None:
    listed = {line.split("\t")[1] for line in (UTTERANCES / "words.txt").read_text().splitlines()}
    assert {path.stem for path in UTTERANCES.glob("*.wav")} == listed | {"cough"}
