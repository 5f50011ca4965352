"""Synthetic signals with known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentd.simulate.alignment import missing_samples
from agentd.simulate.audio import Resampler, Samples, read_mono, write_wav
from agentd.simulate.caller import Sound
from agentd.simulate.errors import SimulationError
from agentd.simulate.loudspeaker import Recording
from agentd.simulate.measure import holes, interruption, jitter, measure_recording, percentile, speeches, turns, voiced
from agentd.simulate.report import figures
from agentd.simulate.scenario import UTTERANCES
from tests.unit.simulate.fakedaemon import chirp

RATE = 8000


def sounding(seconds: float, *spans: tuple[float, float], noise: float = 0.0) -> Samples:
    """Speech-like sound in the spans, line noise in between."""
    samples = np.random.default_rng(5).standard_normal(int(seconds * RATE)) * noise
    for start, end in spans:
        length = int((end - start) * RATE)
        samples[int(start * RATE) :][:length] += 6000 * np.sin(np.arange(length) * 0.3)
    return samples.astype(np.int16)


@pytest.mark.parametrize("noise", [0.0, 20.0, 200.0])
def test_voice_is_found_to_5_ms_above_its_own_noise_floor(noise: float) -> None:
    found = voiced(sounding(3, (0.503, 1.201), (2.0, 2.4), noise=noise), RATE)
    assert len(found) == 2
    for (start, end), (begun, ended) in zip(found, [(0.503, 1.201), (2.0, 2.4)], strict=True):
        assert abs(start / RATE - begun) <= 0.005
        assert abs(end / RATE - ended) <= 0.005


def test_silence_a_click_and_nothing_hold_no_voice() -> None:
    click = np.zeros(RATE, dtype=np.int16)
    click[4000:4010] = 20000
    assert voiced(click, RATE) == voiced(np.zeros(RATE, np.int16), RATE) == voiced(np.zeros(0, np.int16), RATE) == []


def test_a_gap_runs_from_the_callers_last_voice_to_the_agents_first() -> None:
    caller = sounding(10, (2, 3), (3.2, 4), (7, 8))
    agent = sounding(10, (0, 1.5), (4.6, 5.2), (5.5, 6), (8.25, 9))
    assert [turn.gap for turn in turns(caller, agent, RATE)] == pytest.approx([0.6, 0.25], abs=0.006)


def test_a_backchannel_under_the_agents_speech_is_no_turn() -> None:
    assert turns(sounding(5, (1, 1.3)), sounding(5, (0, 3), (3.5, 4)), RATE) == []


def test_an_agent_that_talks_over_the_caller_has_not_answered() -> None:
    assert turns(sounding(5, (1, 2)), sounding(5, (1.5, 3)), RATE) == []


def test_after_a_barge_in_the_gap_counts_from_its_end() -> None:
    (turn,) = turns(sounding(6, (1, 2)), sounding(6, (0, 1.3), (2.5, 4)), RATE)
    assert turn.gap == pytest.approx(0.5, abs=0.006)


FULL = np.full(300, 160, dtype=np.int32)


def test_a_barge_in_is_timed_to_the_agents_last_sound_and_its_next() -> None:
    speech = speeches(sounding(6, (0, 0.6), (0.8, 1.3), (2.5, 4)), FULL, RATE)
    one = interruption("barge_in", (int(0.9 * RATE), 2 * RATE), voiced(sounding(6, (1, 2)), RATE), speech, RATE)
    assert (one.seconds, one.silence, one.resumed) == pytest.approx((1.0, 0.3, 1.2), abs=0.006)


def test_a_sound_while_the_agent_is_quiet_interrupts_nothing() -> None:
    speech = speeches(sounding(6, (3, 4)), FULL, RATE)
    assert interruption("cough", (RATE, 2 * RATE), voiced(sounding(6, (1, 2)), RATE), speech, RATE).silence is None


def test_a_short_quiet_ends_a_speech_where_the_playout_was_dry() -> None:
    agent, dry = sounding(6, (1, 2), (2.25, 3)), FULL.copy()
    dry[102:110] = 0
    assert len(speeches(agent, FULL, RATE)) == 1
    assert len(speeches(agent, dry, RATE)) == 2
    dry[102:107] = 160  # 60 ms: a hole, but the same speech
    assert len(speeches(agent, dry, RATE)) == 1


def test_a_hole_is_a_dry_playout_in_the_middle_of_speech() -> None:
    agent, filled = sounding(4, (0.5, 1.0), (1.06, 2.0)), np.full(200, 160, dtype=np.int32)
    filled[:25] = filled[100:] = filled[50:53] = 0
    assert holes(agent, filled, [], RATE) == [(8000, 8480)]


def test_a_part_filled_tick_is_a_hole_from_its_first_missing_sample() -> None:
    agent, filled = sounding(4, (0.5, 1.01), (1.02, 2.0)), np.full(200, 160, dtype=np.int32)
    filled[:25] = filled[100:] = 0
    filled[50] = 80
    assert holes(agent, filled, [], RATE) == [(8080, 8160)]


@pytest.mark.parametrize(
    ("spans", "dry", "caller"),
    [
        ([(0.5, 0.9), (1.1, 2)], (50, 55), []),  # silence had been played before it ran dry: the sentence was over
        ([(0.5, 1.0), (1.5, 2)], (50, 75), []),  # dry for too long: the next speech
        ([(0.5, 1.0), (1.1, 2)], (50, 55), [(6400, 7200)]),  # the caller had just spoken
    ],
)
def test_a_pause_an_end_and_a_barge_in_are_no_holes(
    spans: list[tuple[float, float]], dry: tuple[int, int], caller: list[tuple[int, int]]
) -> None:
    agent, filled = sounding(4, *spans), np.full(200, 160, dtype=np.int32)
    filled[:25] = filled[100:] = filled[dry[0] : dry[1]] = 0
    assert holes(agent, filled, caller, RATE) == []


def test_jitter_is_taken_within_one_speech() -> None:
    assert jitter([0.0, 0.02, 0.05, 5.0, 5.02]) == pytest.approx([0.02, 0.03, 0.02])
    assert percentile([1, 2, 3], 50) == 2
    assert percentile([], 50) is None


def test_a_stereo_recording_gives_its_gaps_alone(tmp_path: Path) -> None:
    write_wav(tmp_path / "r.wav", RATE, sounding(5, (1, 2)), sounding(5, (2.4, 3)))
    (turn,) = measure_recording(tmp_path / "r.wav")
    assert turn.gap == pytest.approx(0.4, abs=0.006)
    write_wav(tmp_path / "mono.wav", RATE, sounding(1))
    with pytest.raises(SimulationError, match="the caller left"):
        measure_recording(tmp_path / "mono.wav")
    with pytest.raises(SimulationError, match="not a WAV file"):
        measure_recording(tmp_path / "none.wav")


# ── Missing and repeated samples ─────────────────────────────────────────────────────────────────────────────────────

PAUSE = np.zeros(3000, dtype=np.int16)
SPEECH = np.concatenate(
    [
        part
        for name in ("where-are-you", "hello", "goodbye")
        for part in (read_mono(UTTERANCES / f"{name}.wav", RATE), PAUSE[:800])
    ]
)


@pytest.mark.parametrize("reference", [chirp(2.0), SPEECH], ids=["chirp", "speech"])
def test_uninterrupted_speech_misses_and_repeats_nothing(reference: Samples) -> None:
    result = missing_samples(reference, np.concatenate([PAUSE, reference, PAUSE]))
    assert (result.missing, result.repeated, result.pieces) == (0, 0, 1)


@pytest.mark.parametrize("reference", [chirp(2.0), SPEECH], ids=["chirp", "speech"])
@pytest.mark.parametrize(("cut", "again"), [(4000, 4000), (4000, 3200), (9000, 5000), (3333, 4444), (6000, 6100)])
def test_what_is_skipped_is_missing_and_what_comes_twice_is_repeated(reference: Samples, cut: int, again: int) -> None:
    played = np.concatenate([PAUSE, reference[:cut], PAUSE, reference[again:], PAUSE])
    result = missing_samples(reference, played)
    skipped = reference[cut:again]
    assert result.missing == pytest.approx(np.count_nonzero(np.abs(skipped) > 16), abs=16)
    assert result.repeated == pytest.approx(max(0, cut - again), abs=16)
    assert result.pieces == 2


def test_a_lost_end_is_missing() -> None:
    reference = chirp(2.0)
    assert missing_samples(reference, reference[:12000]).missing == pytest.approx(4000, abs=20)
    assert missing_samples(reference, PAUSE).missing == pytest.approx(16000, abs=100)


def test_cut_twice_in_the_same_word_repeats_it_twice() -> None:
    reference = chirp(2.0)
    played = np.concatenate([reference[:8000], PAUSE, reference[7000:8400], PAUSE, reference[7000:]])
    result = missing_samples(reference, played)
    assert (result.missing, result.pieces) == (0, 3)
    assert result.repeated == pytest.approx(1000 + 1400, abs=16)


def test_a_word_said_twice_is_found_where_it_belongs() -> None:
    word = read_mono(UTTERANCES / "hello.wav", RATE)
    reference = np.concatenate([word, PAUSE, word])
    result = missing_samples(reference, np.concatenate([word, PAUSE, PAUSE, word]))
    assert (result.missing, result.repeated) == (0, 0)


def test_a_cough_in_a_pause_of_the_agents_is_not_answered() -> None:
    agent, cough = sounding(6, (0, 1), (2, 3), (5, 6)), sounding(6, (1.3, 1.6), (4, 4.5))
    recording = Recording(RATE, cough, cough, agent, FULL)
    sounds = [Sound("cough", "", int(1.3 * RATE), int(1.6 * RATE)), Sound("say", "", 4 * RATE, int(4.5 * RATE))]
    (turn,) = figures(recording, sounds, [], []).turns
    assert turn.gap == pytest.approx(0.5, abs=0.006)


@pytest.mark.parametrize(("rate", "to"), [(8000, 16000), (16000, 8000)])
def test_a_running_resampler_loses_nothing_between_chunks(rate: int, to: int) -> None:
    sound = (8000 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)).astype(np.int16)
    resample = Resampler(rate, to)
    out = np.concatenate([resample(chunk) for chunk in np.split(sound, 50)])
    assert len(out) == to
    spectrum = np.abs(np.fft.rfft(out[to // 4 : to // 4 + to // 2]))
    assert np.argmax(spectrum) == 500
    assert np.sort(spectrum)[-2] < spectrum.max() / 100  # no clicks, no images
    whole = Resampler(rate, to)(sound)
    assert np.array_equal(out, whole)
