from __future__ import annotations

import array

import pytest

from agentd.audio.endpointing import Decision, End, Endpointer, Long, Onset
from agentd.messages import Frame, Listen

RATE = 8000
MS = RATE // 1000
LOUD, HUM = 6000, 40


def sound(seconds: float, loud: int) -> array.array[int]:
    return array.array("h", [loud if i % 20 < 10 else -loud for i in range(int(seconds * RATE))])


class Line:
    """A line on which there is a hum, and a detector that hangs over by `hangover` seconds."""

    def __init__(self, listen: Listen | None = None, *, hangover: float = 0.1, size: float = 0.02) -> None:
        self.endpointer = Endpointer(RATE)
        self.endpointer.listen = listen or Listen()
        self.decisions: list[tuple[float, Decision]] = []
        self.pos = 0
        self._hangover, self._size = hangover, int(size * RATE)
        self._hang = 0.0
        self.play((0.5, HUM))

    def play(self, *parts: tuple[float, int]) -> None:
        """Seconds of sound, each part with its loudness."""
        samples = array.array("h")
        for seconds, loud in parts:
            samples += sound(seconds, loud)
        for start in range(0, len(samples), self._size):
            block = samples[start : start + self._size]
            loud = max(block) > 1000
            self._hang = self._hangover if loud else self._hang - len(block) / RATE
            frame = Frame(self.pos, (self.pos + len(block)) / RATE, block.tobytes())
            self.pos += len(block)
            for decision in self.endpointer.feed(frame, voice=loud or self._hang > 0):
                self.decisions.append((self.pos / RATE, decision))

    def kinds(self) -> list[type]:
        return [type(decision) for _, decision in self.decisions]

    def end(self) -> tuple[float, End]:
        at, decision = self.decisions[-1]
        assert isinstance(decision, End)
        return at, decision


def test_silence_decides_nothing() -> None:
    line = Line()
    line.play((5, HUM))
    assert line.decisions == []


@pytest.mark.parametrize(("speaking", "onset"), [(False, 0.1), (True, 0.2)])
def test_an_onset_takes_its_setting_of_voice_and_tells_the_first_voiced_sample(speaking: bool, onset: float) -> None:
    line = Line(Listen(speaking=speaking))
    line.play((1, LOUD))
    at, decision = line.decisions[0]
    assert decision == Onset(int(0.5 * RATE))
    assert onset - 1e-9 <= at - 0.5 <= onset + 0.02


@pytest.mark.parametrize("speaking", [False, True])
def test_a_click_shorter_than_the_onset_is_nothing_however_long_the_detector_hangs_over(speaking: bool) -> None:
    line = Line(Listen(speaking=speaking), hangover=0.3)
    line.play((0.08, LOUD), (2, HUM))
    assert line.decisions == []


def test_an_onset_may_pause_like_a_consonant_and_no_longer() -> None:
    line = Line()
    line.play((0.06, LOUD), (0.06, HUM), (0.06, LOUD), (0.02, HUM))
    assert line.kinds() == [Onset]
    line = Line()
    line.play((0.06, LOUD), (0.2, HUM), (0.06, LOUD), (0.2, HUM))
    assert line.kinds() == []


DELAYS = [
    ("what are your hours", Listen(), 0.7, "unsure"),
    ("", Listen(), 0.7, "unsure"),
    ("a person", Listen(complete=frozenset({"a person"})), 0.3, "complete"),
    ("A person, please!", Listen(complete=frozenset({"a person please"})), 0.3, "complete"),
    ("yes", Listen(closed=True), 0.2, "closed"),
    ("no thanks", Listen(closed=True), 0.2, "closed"),
    ("yes but", Listen(closed=True), 0.7, "unsure"),
    ("five five five", Listen(dictation=True), 1.2, "dictation"),
    ("yes", Listen(), 0.7, "unsure"),
    ("what", Listen(endpoint_unsure=0.9), 0.9, "unsure"),
]


@pytest.mark.parametrize(("words", "listen", "delay", "why"), DELAYS)
@pytest.mark.parametrize("hangover", [0.0, 0.07, 0.16])
def test_the_end_comes_its_delay_after_the_last_voiced_sample_with_the_hangover_taken_off(
    words: str, listen: Listen, delay: float, why: str, hangover: float
) -> None:
    line = Line(listen, hangover=hangover)
    line.play((0.6, LOUD))
    line.endpointer.hear(words)
    line.play((2, HUM))
    at, end = line.end()
    assert (end.delay, end.why) == (delay, why)
    assert end.end == int(1.1 * RATE)
    assert end.end_at == pytest.approx(1.1)
    assert delay - 1e-9 <= at - 1.1 <= delay + 0.02
    assert line.kinds() == [Onset, End]


def test_words_that_come_late_shorten_the_wait_that_is_running() -> None:
    line = Line(Listen(complete=frozenset({"a person"})))
    line.play((0.6, LOUD), (0.4, HUM))
    assert line.kinds() == [Onset]
    line.endpointer.hear("a person")
    line.play((0.02, HUM))
    assert line.kinds() == [Onset, End]


def test_a_pause_within_the_delay_starts_it_again() -> None:
    line = Line(Listen(long_speech=9))
    line.play((0.6, LOUD), (0.6, HUM), (0.3, LOUD), (2, HUM))
    assert line.kinds() == [Onset, End]
    assert line.end()[1].end == int(2.0 * RATE)
    assert line.end()[1].voiced == pytest.approx(0.9)


def test_the_words_of_one_utterance_say_nothing_of_the_next() -> None:
    line = Line(Listen(complete=frozenset({"a person"})))
    line.play((0.6, LOUD))
    line.endpointer.hear("a person")
    line.play((1, HUM), (0.6, LOUD), (1, HUM))
    assert [decision.why for _, decision in line.decisions if isinstance(decision, End)] == ["complete", "unsure"]


def test_long_speech_is_told_once_an_utterance_and_counts_the_voice_alone() -> None:
    line = Line(Listen(long_speech=0.9))
    line.play((0.5, LOUD), (0.3, HUM), (0.5, LOUD), (0.2, HUM), (2, LOUD), (1, HUM))
    assert line.kinds() == [Onset, Long, End]
    at = next(at for at, decision in line.decisions if isinstance(decision, Long))
    assert at == pytest.approx(0.5 + 0.5 + 0.3 + 0.4, abs=0.021)


@pytest.mark.parametrize("size", [0.005, 0.02, 0.06, 0.2])
def test_frames_of_any_length_give_the_same_positions(size: float) -> None:
    line = Line(size=size)
    line.play((0.6, LOUD), (2, HUM))
    assert line.decisions[0][1] == Onset(int(0.5 * RATE))
    assert line.end()[1].end == int(1.1 * RATE)
    assert line.end()[1].end_at == pytest.approx(1.1)


def test_noise_that_the_detector_takes_for_a_voice_does_not_move_the_end() -> None:
    line = Line(hangover=0.5)
    line.play((0.6, LOUD), (1.5, HUM))
    assert line.end()[1].end == int(1.1 * RATE)
