from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import trio

from agentd.errors import OperatorError, ProviderError
from agentd.offload import Inline, Threads
from agentd.providers.base import Spoken
from agentd.providers.local import espeak as module
from agentd.providers.local.espeak import Espeak, Take
from agentd.providers.local.saying import write_out

GREETING = "Hello, Acme Dental. I am an AI assistant; how can I help?"


@pytest.fixture(scope="module")
def voice() -> Espeak:
    return Espeak(Inline())


def chars(pieces: list[Spoken]) -> list[int]:
    return [word.char for piece in pieces for word in piece.words]


def pcm(pieces: list[Spoken]) -> np.ndarray:
    return np.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2").astype("f8")


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_sentence_comes_in_pieces_of_a_tenth_of_a_second_at_most(voice: Espeak, rate: int) -> None:
    pieces = voice.render(GREETING, rate)
    assert max(len(piece.pcm) for piece in pieces) <= rate // 10 * 2
    assert 3.0 < len(pcm(pieces)) / rate < 6.0


@pytest.mark.parametrize("rate", [8000, 16000])
def test_each_word_is_found_in_the_text_and_in_its_piece(voice: Espeak, rate: int) -> None:
    done, found = 0, []
    for piece in voice.render(GREETING, rate):
        for word in piece.words:
            assert done <= word.sample < done + len(piece.pcm) // 2
            found.append(GREETING[word.char : word.char + word.length])
        done += len(piece.pcm) // 2
    assert found == ["Hello,", "Acme", "Dental.", "I am", "an", "AI", "assistant;", "how", "can", "I", "help?"]


def test_words_begin_where_they_are_heard(voice: Espeak) -> None:
    """A pause stands before "Two": its word time is where the sound comes back."""
    pieces = voice.render("One. Two.", 16000)
    words = [word for piece in pieces for word in piece.words]
    loud = np.abs(pcm(pieces)) > 300
    assert not loud[words[1].sample - 1600 : words[1].sample - 160].any()
    assert loud[words[1].sample : words[1].sample + 1600].any()


@pytest.fixture
def tone(voice: Espeak, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Has espeak "say" one second of a tone, at its own rate of 22,050 Hz."""

    def tune(hertz: float) -> None:
        sound = (np.sin(np.arange(22050) * 2 * np.pi * hertz / 22050) * 10000).astype("<i2").tobytes()
        monkeypatch.setattr(voice, "_synthesise", lambda written, take: take.pcm.extend(sound))

    return tune


@pytest.mark.parametrize("rate", [8000, 16000])
def test_resampling_neither_cuts_nor_pads(voice: Espeak, tone: Callable[[float], None], rate: int) -> None:
    tone(440)
    sound = pcm(voice.render("x", rate))
    assert len(sound) == rate
    assert np.abs(sound - np.sin(np.arange(rate) * 2 * np.pi * 440 / rate) * 10000)[100:-100].max() < 100


def test_what_8_khz_cannot_hold_is_filtered_away(voice: Espeak, tone: Callable[[float], None]) -> None:
    tone(5000)
    assert np.abs(pcm(voice.render("x", 8000)))[100:-100].max() < 50
    assert np.abs(pcm(voice.render("x", 16000))).max() > 9000


def test_the_level_is_that_of_telephone_speech_and_does_not_clip(voice: Espeak) -> None:
    sound = pcm(voice.render(GREETING, 16000))
    level = 20 * np.log10(np.sqrt(np.mean(sound**2)) / 32768)
    assert -24 < level < -18
    assert np.abs(sound).max() < 32000


def test_speech_begins_within_30_ms(voice: Espeak) -> None:
    for text in (GREETING, "Yes.", "Okay."):
        assert np.argmax(np.abs(pcm(voice.render(text, 16000))) > 100) < 480


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("It costs $40.", "It costs 40 dollars."),
        ("$1 or £1,200.50", "1 dollar or 1,200 pounds 50 pence"),
        ("at 10:30", "at 10 30"),
        ("at 9:00, or 9:00 am", "at 9 o'clock, or 9 am"),
        ("10:05", "10 oh 5"),
        ("8:30–17:45", "8 30 to 17 45"),
        ("call 555-0199", "call 5 5 5, 0 1 9 9"),
        ("+1 415 555 0123", "plus 1, 4 1 5, 5 5 5, 0 1 2 3"),
        ("12 people in 2026 paid 3.5 of 10:30:15", "12 people in 2026 paid 3.5 of 10:30:15"),
    ],
)
def test_numbers_are_written_out_as_people_say_them(text: str, written: str) -> None:
    said, places = write_out(text)
    assert said == written
    assert len(places) == len(said) + 1
    assert places == sorted(places)
    assert places[0] == 0
    assert places[-1] == len(text)


def test_words_behind_what_was_written_out_keep_their_places(voice: Espeak) -> None:
    text = "It costs $1,200.50 at 10:05, café — okay?"
    words = [word for piece in voice.render(text, 16000) for word in piece.words]
    found = [text[word.char : word.char + word.length] for word in words]
    assert "".join(found).replace(" ", "") == text.replace(" ", "")  # every character is some word's
    assert {"It", "costs", "at", "café —", "okay?"} <= set(found)


@pytest.mark.parametrize("text", ["", " ", "...", "—", "\0", "😀", "[[hello]]", "<speak>", "日本", "x" * 400, "a\0b"])
def test_any_text_is_survived(voice: Espeak, text: str) -> None:
    for piece in voice.render(text, 16000):
        assert all(0 <= word.char <= len(text) for word in piece.words)
    assert voice.render("Yes.", 16000)


async def test_speaking_hands_out_what_rendering_returns(voice: Espeak) -> None:
    pieces: list[Spoken] = []

    async def out(piece: Spoken) -> None:
        await trio.lowlevel.checkpoint()
        pieces.append(piece)

    await voice.speak(GREETING, 16000, out)
    assert chars(pieces) == chars(voice.render(GREETING, 16000))
    assert abs(len(pcm(pieces)) - len(pcm(voice.render(GREETING, 16000)))) < 800  # espeak flutters: never twice the same


async def test_two_calls_speak_at_once_without_mixing(voice: Espeak) -> None:
    engine = Espeak(Threads())
    texts = [GREETING, "We are open from nine to five."] * 3
    said: dict[int, list[Spoken]] = {number: [] for number in range(len(texts))}

    async def speak(number: int) -> None:
        async def out(piece: Spoken) -> None:
            await trio.lowlevel.checkpoint()
            said[number].append(piece)

        await engine.speak(texts[number], 16000, out)

    async with trio.open_nursery() as nursery:
        for number in said:
            nursery.start_soon(speak, number)
    for number, text in enumerate(texts):
        alone = voice.render(text, 16000)
        assert chars(said[number]) == chars(alone)
        assert abs(len(pcm(said[number])) - len(pcm(alone))) < 800


async def test_a_cancelled_segment_hands_out_nothing_more_and_frees_the_engine() -> None:
    engine = Espeak(Threads())
    pieces = []

    async def out(piece: Spoken) -> None:
        pieces.append(piece)
        scope.cancel()
        await trio.lowlevel.checkpoint()

    with trio.CancelScope() as scope:
        await engine.speak(GREETING, 16000, out)
    assert scope.cancelled_caught
    assert len(pieces) == 1
    assert engine.render("Yes.", 16000)


def test_a_cancelled_synthesis_stops_at_the_next_buffer(voice: Espeak) -> None:
    take = Take()
    take.cancelled = True
    voice._synthesise("This goes on and on. " * 40, take)
    assert len(take.pcm) / 2 / 22050 < 2.0


async def test_cancelling_while_espeak_works_tells_it_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Espeak(Threads())
    takes: list[Take] = []
    going = threading.Event()

    def slow(text: str, rate: int, take: Take) -> list[Spoken]:
        takes.append(take)
        going.set()
        while not take.cancelled:
            time.sleep(0.001)
        return []

    monkeypatch.setattr(engine, "_pieces", slow)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.speak, "x", 16000, trio.open_memory_channel[Spoken](9)[0].send)
        await trio.to_thread.run_sync(going.wait)
        nursery.cancel_scope.cancel()
    assert takes[0].cancelled


def test_a_lock_that_is_never_freed_is_a_provider_error(voice: Espeak, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_S", 0.01)
    with module._LOCK, pytest.raises(ProviderError, match="held"):
        voice.render("Yes.", 16000)
    assert voice.render("Yes.", 16000)


def test_a_voice_that_espeak_does_not_know_is_the_operators_error(voice: Espeak) -> None:
    with pytest.raises(OperatorError, match="no voice 'klingonese'"):
        Espeak(Inline(), voice="klingonese")
    assert voice.render("Yes.", 16000)
