from __future__ import annotations

import pytest

from agentd.testing import speech

RATE = 8000


@pytest.mark.parametrize("text", ["no", "You are booked for Tuesday the 24th.", "naïve 你好 — yes!", "a", ""])
def test_what_is_spoken_can_be_read(text: str) -> None:
    assert [word for _, word in speech.words(speech.speak(text, RATE))] == text.split()


def test_a_word_is_read_where_it_begins() -> None:
    (_, first), (at, second) = speech.words(speech.speak("hello there", RATE))
    assert (first, second) == ("hello", "there")
    assert at == speech.size("hello", RATE) + int(speech.PAUSE_S * RATE)


def test_a_word_whose_letters_are_cut_is_not_read() -> None:
    pcm = speech.speak("hello", RATE)
    assert speech.words(pcm[: 2 * (3 + 4)]) == []
    assert speech.words(pcm[: 2 * (3 + 5)]) == [(0, "hello")]


def test_of_a_word_without_end_its_beginning_is_heard() -> None:
    ((_, word),) = speech.words(speech.speak("x" * 1000, RATE))
    assert word == "x" * speech.LONGEST


def test_the_shortest_word_is_longer_than_the_onset_of_an_interruption() -> None:
    assert speech.size("I", RATE) >= 0.2 * RATE


def test_a_voice_is_what_is_loud_and_hangs_over() -> None:
    detector, frame = speech.Detector(), 320
    sounds, silence = speech.speak("yes", RATE)[:frame], bytes(frame)
    heard = [detector.feed(pcm) for pcm in (silence, sounds, silence, silence, silence)]
    assert heard == [False, True, True, True, False]
