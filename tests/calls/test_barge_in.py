"""Barge-in: suspected, confirmed, rejected; what the caller has heard; nothing of a dead reply on the loudspeaker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
import trio

from agentd.messages import Held, Segment, SpeechOnset, Stopped, ThinkRequest
from agentd.providers.base import Spoken, Thought
from tests.calls.harness import RATE, Scene, telephone_call, until
from tests.calls.script import LONELY, STORY, Round, Script
from tests.fakes import speech

DIALECTS = pytest.mark.parametrize("dialect", ["sautikit", "jambonz"])

TELL = {"tell me": STORY}
LONGEST_WORD_S = 0.14 + 0.03 * 9 + 0.06


class Drip(speech.WritingVoice):
    """Gives the story's first tenth of a second, and then nothing."""

    async def speak(self, text: str, rate: int, out: Callable[[Spoken], Awaitable[None]]) -> None:
        if text == STORY:
            await out(Spoken(speech.speak(text, rate)[: rate // 5], ()))
            await trio.sleep_forever()
        await super().speak(text, rate, out)


async def interrupt(scene: Scene, words: str, after: str = "dwarfs", *, cough: float = 0.0) -> None:
    """Have the story told, and make a sound in the middle of it."""
    await scene.phone.quiet()
    scene.phone.say("tell me")
    await scene.phone.hears(after)
    if cough:
        scene.phone.cough(cough)
    else:
        scene.phone.say(words)


def pieces(scene: Scene, text: str) -> list[tuple[int, int]]:
    """Where in the text's audio each stretch of the loudspeaker lies: first and last sample; every stretch must lie in it."""
    whole = speech.speak(text, RATE)
    begin = bytes(scene.phone.loudspeaker).index(speech.speak(text.split()[0], RATE)[:200])
    played = bytes(scene.phone.loudspeaker[begin:])
    found, at = [], 0
    gap = bytes(2 * int(0.15 * RATE))
    while at < len(played):
        end = played.find(gap, at)
        end = len(played) if end < 0 else end
        stretch = played[at:end]
        if stretch:
            place = whole.find(stretch.rstrip(b"\0") if len(stretch.rstrip(b"\0")) % 2 == 0 else stretch.rstrip(b"\0") + b"\0")
            assert place >= 0, "the loudspeaker played something that is not in the text"
            found.append((place // 2, (place + len(stretch)) // 2))
        at = end + 2
        while at < len(played) and not played[at] and not played[at + 1]:
            at += 2
    return found


def assert_whole(scene: Scene, text: str) -> None:
    """Every sample of the text was played in order, and each resumption repeated at most one word."""
    parts = pieces(scene, text)
    assert parts[0][0] == 0
    starts = {sample for sample, _ in speech.words(speech.speak(text, RATE))}
    for (_, end), (start, _) in pairwise(parts):
        assert start in starts, "a resumption begins with a word"
        assert start <= end + int(0.061 * RATE), "no sample is missing but the pause between two words"
        assert end - start <= LONGEST_WORD_S * RATE, "at most one word is repeated"
    # Trailing zeros of a stretch are not told from the silence behind it.
    assert parts[-1][1] >= len(speech.speak(text, RATE)) // 2 - 160


# ── Rejected ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@DIALECTS
@pytest.mark.parametrize("sound", ["uh-huh", "okay", "mhm", "yes", "um", "fish"])
async def test_a_backchannel_or_one_word_does_not_take_the_floor(autojump_clock: object, dialect: str, sound: str) -> None:
    script = Script(TELL)
    async with telephone_call(LONELY, script, dialect=dialect) as scene:
        await interrupt(scene, sound)
        await scene.phone.hears("town")
        await scene.phone.silence()
    assert script.asked() == ["tell me"]
    assert scene.agent()[-19:] == STORY.split()
    assert_whole(scene, STORY)
    assert not scene.log.interrupted()


@DIALECTS
@pytest.mark.parametrize("seconds", [0.22, 0.4, 0.7])
async def test_a_cough_stops_the_agent_for_a_moment_and_loses_nothing(
    autojump_clock: object, dialect: str, seconds: float
) -> None:
    script = Script(TELL)
    async with telephone_call(LONELY, script, dialect=dialect) as scene:
        await interrupt(scene, "", cough=seconds)
        await scene.reaches("yielding")
        await scene.phone.hears("town")
        await scene.phone.silence()
    assert script.asked() == ["tell me"]
    assert scene.agent()[-19:] == STORY.split()
    assert_whole(scene, STORY)
    assert {"freeze", "hold", "resume", "thaw rejected"} <= set(scene.log.commands())


@DIALECTS
async def test_many_coughs_at_every_place_lose_nothing(autojump_clock: object, dialect: str) -> None:
    script = Script(TELL)
    async with telephone_call(LONELY, script, dialect=dialect) as scene:
        await scene.phone.quiet()
        scene.phone.say("tell me")
        for word in STORY.split()[1:17:3]:
            await scene.phone.hears(word)
            scene.phone.cough(0.3)
        await scene.phone.hears("town")
        await scene.phone.silence()
    assert scene.agent()[-19:] == STORY.split()
    assert_whole(scene, STORY)


@DIALECTS
async def test_a_cough_over_a_reply_of_several_segments_loses_nothing(autojump_clock: object, dialect: str) -> None:
    parts = ["one two three", "four five six", "seven eight nine ten"]
    script = Script({"tell me": "|".join(parts)})
    async with telephone_call(LONELY, script, dialect=dialect) as scene:
        await interrupt(scene, "", after="three", cough=0.3)
        await scene.phone.hears("ten")
        await scene.phone.silence()
    assert [text for _, text in scene.conversation()[2:]] == parts
    assert len(scene.untold()) <= 1


async def test_a_click_shorter_than_the_onset_does_not_even_stop_the_agent(autojump_clock: object) -> None:
    script = Script(TELL)
    async with telephone_call(LONELY, script) as scene:
        await interrupt(scene, "", cough=0.12)
        await scene.phone.hears("town")
        await scene.phone.silence()
    assert "hold" not in scene.log.commands()
    assert scene.untold() == []


@DIALECTS
async def test_the_reply_goes_on_a_moment_after_the_noise_ended(autojump_clock: object, dialect: str) -> None:
    async with telephone_call(LONELY, Script(TELL), dialect=dialect) as scene:
        await interrupt(scene, "", cough=0.3)
        await scene.phone.said()
        ended = trio.current_time()
        await scene.reaches("yielding")
        await scene.reaches("speaking")
        assert 0.6 < trio.current_time() - ended < 0.95


async def test_a_cough_behind_the_last_word_does_not_say_it_all_again(autojump_clock: object) -> None:
    script = Script({"tell me": "it is fortytwo"})
    async with telephone_call(LONELY, script) as scene:
        await interrupt(scene, "", after="fortytwo", cough=0.3)
        await trio.sleep(3)
    assert scene.phone.heard().count("it") == 1
    assert scene.phone.heard().count("fortytwo") <= 2
    assert scene.agent()[-3:] == ["it", "is", "fortytwo"]


# ── Confirmed ────────────────────────────────────────────────────────────────────────────────────────────────────────


@DIALECTS
@pytest.mark.parametrize("words", ["stop", "wait", "no", "hello", "hold on", "what about tuesday", "actually no thanks"])
async def test_a_stop_word_or_two_words_take_the_floor_and_are_answered(
    autojump_clock: object, dialect: str, words: str
) -> None:
    script = Script(TELL)
    async with telephone_call(LONELY, script, dialect=dialect) as scene:
        await interrupt(scene, words)
        await scene.phone.hears("said")
        await scene.phone.silence()
    assert script.asked() == ["tell me", words]
    assert scene.caller() == ["tell me", words]
    assert "noisy" not in scene.phone.sentence()
    assert scene.log.interrupted()


@DIALECTS
@pytest.mark.parametrize("after", ["upon", "seven", "mountains"])
async def test_the_conversation_holds_what_the_loudspeaker_played_but_for_the_cut_word(
    autojump_clock: object, dialect: str, after: str
) -> None:
    async with telephone_call(LONELY, Script(TELL), dialect=dialect) as scene:
        await interrupt(scene, "please stop now", after=after)
        await scene.phone.hears("said")
        await scene.phone.silence()
    cut = [line for line in scene.call.conductor.memory.conversation if line.cut]
    assert len(cut) == 1
    assert STORY.startswith(cut[0].text)
    assert len(scene.untold()) <= 1


async def test_a_long_voice_without_words_takes_the_floor_and_is_asked_to_repeat_itself(autojump_clock: object) -> None:
    script = Script(TELL)
    async with telephone_call(LONELY, script) as scene:
        await interrupt(scene, "", cough=1.6)
        await scene.phone.hears("pardon")
        await scene.phone.silence()
    assert "noisy" not in scene.phone.sentence()


@DIALECTS
async def test_nothing_of_a_dead_epoch_is_heard_once_the_carrier_has_drained(autojump_clock: object, dialect: str) -> None:
    async with telephone_call(LONELY, Script(TELL), dialect=dialect) as scene:
        await interrupt(scene, "please stop now")
        await until(lambda: scene.events(Held))
        await trio.sleep(0.02 if dialect == "jambonz" else 0.36)
        at = len(scene.phone.loudspeaker)
        await scene.phone.hears("said")
        await scene.phone.silence()
    rest = bytes(scene.phone.loudspeaker[at:])
    assert [word for _, word in speech.words(rest)] == ["you", "said", "please", "stop", "now"]
    first = rest.index(speech.speak("you", RATE)[:200])
    assert not any(rest[:first])


@DIALECTS
async def test_a_barge_in_silences_the_wire_at_once(autojump_clock: object, dialect: str) -> None:
    async with telephone_call(LONELY, Script(TELL), dialect=dialect) as scene:
        await interrupt(scene, "please stop now")
        await scene.reaches("yielding")
        sent = len(scene.phone.wire)
        await scene.phone.said()
        assert len(scene.phone.wire) - sent <= 2 * int(0.04 * RATE)
    held = scene.events(Held)[0]
    onset = scene.events(SpeechOnset)[-1]
    # The onset setting while speaking is 200 ms; the frame's end and our own steps come on top.
    assert held.last_at - onset.pos / RATE < 0.2 + 0.08


@DIALECTS
async def test_a_slow_voice_leaves_nothing_of_a_dead_reply_in_the_carriers_prebuffer(
    autojump_clock: object, dialect: str
) -> None:
    async with telephone_call(LONELY, Script(TELL), dialect=dialect, voice=Drip()) as scene:
        await scene.phone.quiet()
        scene.phone.say("tell me")
        await scene.reaches("speaking")
        await trio.sleep(0.5)
        scene.phone.say("please stop now")
        await scene.phone.hears("said")
        await scene.phone.silence()
        first = bytes(scene.phone.loudspeaker).index(speech.speak("you", RATE)[:200])
        assert not any(scene.phone.loudspeaker[first - 2 * int(0.3 * RATE) : first])


async def test_a_barge_in_before_anything_was_heard_reopens_the_turn(autojump_clock: object) -> None:
    script = Script({"tell me": Round(STORY, delay=1.0)})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("tell me")
        await scene.phone.said()
        scene.phone.pause(1.1)
        scene.phone.say("about the war")
        await scene.phone.hears("war")
        await scene.phone.silence()
    assert scene.caller() == ["tell me about the war"]


async def test_barge_in_upon_barge_in_leaves_one_reply_and_three_cut_ones(autojump_clock: object) -> None:
    script = Script(dict.fromkeys(("tell me", "no the other", "no the third"), STORY))
    async with telephone_call(LONELY, script) as scene:
        await interrupt(scene, "no the other", after="upon")
        await scene.phone.hears("upon")
        scene.phone.say("no the third")
        await scene.phone.hears("upon")
        scene.phone.say("that is enough")
        await scene.phone.hears("enough")
        await scene.phone.silence()
    assert script.asked() == ["tell me", "no the other", "no the third", "that is enough"]
    assert len(scene.untold()) <= 3
    epochs = [event.epoch for event in scene.events(Stopped)]
    assert epochs == sorted(set(epochs))


async def test_thinking_stops_when_its_reply_is_abandoned(autojump_clock: object) -> None:
    said: list[float] = []

    class Talker(Script):
        async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
            async def noted(segment: Segment) -> None:
                said.append(trio.current_time())
                await say(segment)

            return await super().think(request, noted)

    script = Talker({"tell me": Round("|".join(STORY.split()), between=0.3)})
    async with telephone_call(LONELY, script) as scene:
        await interrupt(scene, "please stop now and listen to what i have to say", after="time")
        await until(scene.log.interrupted)
        confirmed = trio.current_time()
        await scene.phone.said()
        assert trio.current_time() - confirmed > 1
        assert max(said) <= confirmed


async def test_a_cough_and_then_words_is_one_barge_in(autojump_clock: object) -> None:
    script = Script(TELL)
    async with telephone_call(LONELY, script) as scene:
        await interrupt(scene, "", cough=0.3)
        scene.phone.pause(1.0)
        scene.phone.say("what about tuesday")
        await scene.phone.hears("said")
        await scene.phone.silence()
    assert script.asked() == ["tell me", "what about tuesday"]


async def test_our_own_voice_in_the_callers_audio_is_no_barge_in_and_the_operator_is_told_the_mend(
    autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    script = Script(TELL)
    async with telephone_call(LONELY, script, track="both_tracks", echo=True) as scene:
        await scene.phone.quiet()
        await trio.sleep(1)
        scene.phone.say("tell me")
        await scene.phone.hears("town")
        await scene.phone.silence()
        await trio.sleep(2)
    assert script.asked() == ["tell me"]
    assert "hold" not in scene.log.commands()
    assert 'set track = "inbound_track"' in caplog.text


async def test_of_two_channels_the_left_one_is_the_caller(autojump_clock: object) -> None:
    script = Script()
    async with telephone_call(LONELY, script, track="both_tracks", stereo=True) as scene:
        await scene.phone.quiet()
        scene.phone.say("what are your hours")
        await scene.phone.quiet()
    assert script.asked() == ["what are your hours"]
    assert "hold" not in scene.log.commands()
