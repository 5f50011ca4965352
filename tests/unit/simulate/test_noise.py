from __future__ import annotations

import numpy as np
import pytest

from agentd.simulate.audio import read_mono, rms
from agentd.simulate.call import _noise
from agentd.simulate.noise import background, cough
from agentd.simulate.scenario import UTTERANCES, Noise, Say, Scenario

VOICES = [UTTERANCES / "hello.wav", UTTERANCES / "goodbye.wav", UTTERANCES / "where-are-you.wav"]


@pytest.mark.parametrize("kind", ["white", "babble", "music", "file"])
def test_noise_lies_so_many_db_below_the_speech_and_is_the_same_every_time(kind: str) -> None:
    first, second = (background(kind, 10, 8000, 2000.0, VOICES, VOICES[0]) for _ in range(2))
    assert np.array_equal(first, second)
    assert rms(first) == pytest.approx(2000 / 10**0.5, rel=0.03)


def test_each_kind_sounds_like_itself() -> None:
    def peaks(kind: str) -> float:
        spectrum = np.abs(np.fft.rfft(background(kind, 0, 8000, 2000.0, VOICES)))
        return float(spectrum.max() / np.median(spectrum))

    assert peaks("white") < 10
    assert peaks("music") > 100


def test_a_scenarios_noise_is_measured_against_its_own_speech() -> None:
    scenario = Scenario("x", (Say(UTTERANCES / "hello.wav"),), noise=Noise("white", 20))
    noise = _noise(scenario)
    assert noise is not None
    assert rms(noise) == pytest.approx(230, rel=0.1)


def test_the_shipped_cough_is_the_one_that_is_made_here() -> None:
    shipped = read_mono(UTTERANCES / "cough.wav", 16000)
    assert np.abs(shipped.astype(int) - cough()).max() <= 1
