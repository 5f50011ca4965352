from __future__ import annotations

import pytest

from agentd.providers.local.vad import SileroVads
from tests.unit.providers.local.sounds import cough, frames, keys, speech, white


@pytest.fixture(scope="module")
def vads() -> SileroVads:
    return SileroVads(warm=1)


def heard(vads: SileroVads, pcm: bytes, rate: int = 16000) -> list[bool]:
    detector = vads(rate)
    try:
        return [detector.feed(frame) for frame in frames(pcm, rate)]
    finally:
        detector.close()


@pytest.mark.parametrize("rate", [8000, 16000])
def test_speech_is_heard_and_the_silence_around_it_is_not(vads: SileroVads, rate: int) -> None:
    voice = heard(vads, speech("in-01", rate), rate)
    assert sum(voice) * 0.02 > 1.2
    assert not any(voice[:10])
    assert not any(voice[-10:])


@pytest.mark.parametrize("milliseconds", [150, 250, 400])
def test_a_cough_is_no_voice(vads: SileroVads, milliseconds: int) -> None:
    assert all(sum(heard(vads, cough(milliseconds, seed))) <= 2 for seed in range(5))


def test_typing_is_no_voice(vads: SileroVads) -> None:
    assert not any(any(heard(vads, keys(seed))) for seed in range(3))


@pytest.mark.parametrize("decibels", [-50, -30, -20])
def test_white_noise_is_no_voice(vads: SileroVads, decibels: int) -> None:
    assert not any(heard(vads, white(decibels, 3)))


def test_speech_in_noise_is_heard(vads: SileroVads) -> None:
    import numpy as np

    mixed = np.frombuffer(speech("in-01"), "<i2").astype("i4")
    noise = np.frombuffer(white(-34, 1), "<i2").astype("i4")[: len(mixed)]
    mixed[: len(noise)] += noise
    assert sum(heard(vads, mixed.clip(-32768, 32767).astype("<i2").tobytes())) * 0.02 > 1.0


def test_a_detector_from_the_pool_hears_as_a_fresh_one_does(vads: SileroVads) -> None:
    first = heard(vads, speech("in-02"))
    heard(vads, speech("out-05"))
    assert heard(vads, speech("in-02")) == first


def test_engines_are_given_back_and_used_again() -> None:
    made = 0

    def make(rate: int) -> object:
        nonlocal made
        made += 1
        return original(rate)

    vads = SileroVads()
    original, vads._make = vads._make, make
    for _ in range(3):
        vads(16000).close()
    assert made == 1
    one, two = vads(16000), vads(16000)
    assert made == 2
    one.close()
    two.close()


def test_silero_sleeps_while_webrtc_hears_nothing(vads: SileroVads, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = vads(16000)
    asked = []
    original = detector._ask  # type: ignore[attr-defined]
    monkeypatch.setattr(detector, "_ask", lambda window: asked.append(1) or original(window))
    for frame in frames(bytes(16000 * 2)):
        detector.feed(frame)
    assert len(asked) == 0
    for frame in frames(speech("in-01")):
        detector.feed(frame)
    assert asked
    detector.close()
