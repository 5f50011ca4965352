from __future__ import annotations

from agentd import limits
from agentd.audio.ring import Ring
from agentd.messages import Frame

RATE = 8000
SIZE = 160
HELD = int(limits.CALLER_RING_S * RATE / SIZE)


def frame(number: int) -> Frame:
    return Frame(number * SIZE, number * 0.02, bytes(2 * SIZE))


class Filled:
    """A ring, and how often it woke its reader."""

    def __init__(self, frames: int = 0) -> None:
        self.woken = 0
        self.ring = Ring(RATE, self._wake)
        self.push(0, frames)

    def _wake(self) -> None:
        self.woken += 1

    def push(self, first: int, last: int) -> None:
        for number in range(first, last):
            self.ring.push(frame(number))


def numbers(frames: list[Frame]) -> list[int]:
    return [frame.pos // SIZE for frame in frames]


def test_each_frame_is_taken_once_and_in_order() -> None:
    filled = Filled(3)
    assert numbers(filled.ring.take()) == [0, 1, 2]
    assert filled.ring.take() == []
    filled.push(3, 5)
    assert numbers(filled.ring.take()) == [3, 4]


def test_the_oldest_is_dropped_and_counted_when_nobody_takes() -> None:
    filled = Filled(HELD + 10)
    assert filled.ring.dropped == 10
    assert numbers(filled.ring.take()) == list(range(10, HELD + 10))


def test_what_was_taken_falls_out_without_being_counted() -> None:
    filled = Filled(HELD)
    filled.ring.take()
    filled.push(HELD, 2 * HELD)
    assert filled.ring.dropped == 0


def test_since_replays_what_was_taken_from_a_position_on() -> None:
    filled = Filled(10)
    filled.ring.take()
    assert numbers(filled.ring.since(7 * SIZE)) == [7, 8, 9]
    assert numbers(filled.ring.since(7 * SIZE - 1)) == [6, 7, 8, 9]
    assert numbers(filled.ring.since(-5)) == list(range(10))


def test_since_leaves_out_what_was_not_taken_yet() -> None:
    filled = Filled(5)
    filled.ring.take()
    filled.push(5, 8)
    assert numbers(filled.ring.since(0)) == [0, 1, 2, 3, 4]


def test_since_replays_no_more_than_the_ring_holds() -> None:
    filled = Filled(HELD)
    filled.ring.take()
    filled.push(HELD, HELD + 50)
    filled.ring.take()
    assert numbers(filled.ring.since(0))[0] == 50


def test_the_reader_is_woken_once_until_it_takes() -> None:
    filled = Filled(5)
    assert filled.woken == 1
    filled.ring.take()
    filled.push(5, 9)
    assert filled.woken == 2


def test_frames_of_any_length_fill_it_by_their_samples() -> None:
    filled = Filled()
    pos = 0
    for size in (1, 7, 4000, 80, 39000):
        filled.ring.push(Frame(pos, 0.0, bytes(2 * size)))
        pos += size
    assert [len(frame.pcm) // 2 for frame in filled.ring.take()] == [80, 39000]


def test_an_eager_reader_is_woken_for_every_frame_and_another_for_three() -> None:
    woken = 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    ring = Ring(8000, wake)
    for number in range(6):
        ring.push(Frame(160 * number, 0.02 * number, bytes(320)))
        if number in {2, 5}:
            assert len(ring.take()) == 3
    assert woken == 2
    ring.eager = True
    for number in range(6, 9):
        ring.push(Frame(160 * number, 0.02 * number, bytes(320)))
        assert len(ring.take()) == 1
    assert woken == 5
