from __future__ import annotations

import numpy as np
import pytest

from agentd.simulate.playout import Playout


def pcm(samples: int, value: int = 1000) -> bytes:
    return np.full(samples, value, dtype="<i2").tobytes()


def played(playout: Playout, ticks: int) -> int:
    return sum(playout.tick().filled for _ in range(ticks))


@pytest.mark.parametrize(
    ("rate", "leg", "threshold", "heard"), [(8000, 8000, 1280, 1280), (16000, 8000, 2560, 1280), (16000, 16000, 1280, 1280)]
)
def test_nothing_is_played_below_the_prebuffer(rate: int, leg: int, threshold: int, heard: int) -> None:
    playout = Playout(rate, leg)
    playout.feed(pcm(threshold - 1))
    assert played(playout, 10) == 0
    playout.feed(pcm(1))
    assert played(playout, 20) == heard


def test_after_the_first_time_half_the_prebuffer_is_enough() -> None:
    playout = Playout(8000, 8000)
    playout.feed(pcm(1280))
    assert played(playout, 20) == 1280
    playout.feed(pcm(639))
    assert played(playout, 5) == 0
    playout.feed(pcm(1))
    assert played(playout, 5) == 640


def test_a_tick_takes_20_ms_and_marks_what_is_missing() -> None:
    playout = Playout(8000, 8000)
    playout.feed(pcm(1280 + 80))
    ticks = [playout.tick() for _ in range(10)]
    assert [tick.filled for tick in ticks] == [160] * 8 + [80, 0]
    assert {len(tick.samples) for tick in ticks} == {160}
    assert not ticks[8].samples[80:].any()


def test_odd_bytes_are_set_aside_until_the_next_chunk() -> None:
    playout = Playout(8000, 8000)
    data = np.arange(1280, dtype="<i2").tobytes()
    for cut in (data[:3], data[3:4], data[4:101], data[101:]):
        playout.feed(cut)
    assert np.array_equal(np.concatenate([playout.tick().samples for _ in range(8)]), np.arange(1280))


def test_the_buffer_grows_without_bound() -> None:
    playout = Playout(8000, 8000)
    playout.feed(pcm(8000 * 60))
    assert played(playout, 50 * 61) == 8000 * 60


def test_a_clear_empties_the_playout_at_the_next_tick_but_not_the_prebuffer() -> None:
    playout = Playout(8000, 8000)
    playout.feed(pcm(8000))
    playout.feed(pcm(600, 7))
    playout.tick()
    playout.clear()
    assert played(playout, 5) == 0
    playout.feed(pcm(40, 7))
    tick = playout.tick()
    assert (tick.filled, tick.samples[0]) == (160, 7)


def test_a_clear_reports_each_pending_mark_as_cleared_once() -> None:
    playout = Playout(8000, 8000)
    playout.feed(pcm(1280))
    playout.mark("under way")
    playout.feed(pcm(1280))
    playout.mark("in the inventory")
    playout.clear()
    assert playout.tick().marks == (("under way", "cleared"), ("in the inventory", "cleared"))
    playout.feed(pcm(8000))
    assert not any(playout.tick().marks for _ in range(60))


def test_a_mark_fires_where_the_next_chunk_begins() -> None:
    playout = Playout(8000, 8000)
    playout.feed(pcm(1600))
    playout.mark("m1")
    playout.feed(pcm(1600, 2000))
    fired = [number for number in range(30) if playout.tick().marks == (("m1", "playout"),)]
    assert fired == [10]


def test_marks_behind_the_last_chunk_fire_one_a_tick_when_the_playout_runs_dry() -> None:
    playout = Playout(8000, 8000)
    playout.feed(pcm(1280))
    playout.mark("a")
    playout.mark("b")
    marks = [playout.tick().marks for _ in range(11)]
    assert marks == [()] * 8 + [(("a", "playout"),), (("b", "playout"),), ()]


def test_a_mark_before_any_audio_fires_at_once() -> None:
    playout = Playout(8000, 8000)
    playout.mark("early")
    assert playout.tick().marks == (("early", "playout"),)


def test_while_a_mark_is_under_way_a_sample_of_minus_one_is_taken_for_it() -> None:
    playout = Playout(8000, 8000)
    playout.mark("m1")
    playout.feed(pcm(400) + pcm(1, -1) + pcm(879))
    ticks = [playout.tick() for _ in range(9)]
    assert ticks[0].marks == (("m1", "playout"),)
    assert sum(tick.filled for tick in ticks) == 1280  # m1's place was used up: the -1 is a sample again
    playout.mark("m2")
    playout.mark("m3")
    playout.feed(pcm(400) + pcm(1, -1) + pcm(879))
    ticks = [playout.tick() for _ in range(9)]
    assert ticks[0].marks == (("m2", "playout"), ("m3", "playout"))


def test_a_sample_of_minus_one_before_its_mark_fires_it_too_early() -> None:
    playout = Playout(8000, 8000)
    playout.feed(pcm(800) + pcm(1, -1) + pcm(800))
    playout.mark("m1")
    playout.feed(pcm(1600))
    fired = [number for number in range(30) if playout.tick().marks]
    assert fired == [5]


def test_thirty_marks_wait_and_no_more() -> None:
    playout = Playout(8000, 8000)
    for number in range(40):
        playout.mark(str(number))
    assert sum(len(playout.tick().marks) for _ in range(60)) == 30


def test_forgotten_marks_are_never_heard_of() -> None:
    playout = Playout(8000, 8000)
    playout.mark("a")
    playout.feed(pcm(1280))
    playout.mark("b")
    playout.forget_marks()
    assert not any(playout.tick().marks for _ in range(20))
