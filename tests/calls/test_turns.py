"""Taking turns: endings, short answers, turns that reopen, false starts, questions, keys."""

from __future__ import annotations

import trio

from agentd.messages import Fire, SpeechOnset, UtteranceEnded
from tests.calls.harness import Scene, telephone_call
from tests.calls.script import LONELY, STORY, Round, Script
from tests.fakes import speech


def last_end(scene: Scene) -> UtteranceEnded:
    end = scene.events(UtteranceEnded)[-1]
    assert isinstance(end, UtteranceEnded)
    return end


async def test_a_question_is_answered_and_the_conversation_holds_both(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        await scene.phone.quiet()
        scene.phone.say("what are your hours")
        await scene.phone.quiet()
    assert scene.phone.sentence() == "welcome to the test line you said what are your hours"
    assert scene.conversation() == [
        ("agent", "welcome to the test line"),
        ("caller", "what are your hours"),
        ("agent", "you said what are your hours"),
    ]
    assert scene.outcome == "hangup"


async def test_a_pause_shorter_than_the_endpoint_does_not_end_the_turn(autojump_clock: object) -> None:
    script = Script()
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("i would like")
        scene.phone.pause(0.55)
        scene.phone.say("a table for two")
        await scene.phone.quiet()
    assert script.asked() == ["i would like a table for two"]


async def test_words_that_are_a_whole_phrase_end_the_turn_sooner(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        await scene.phone.quiet()
        scene.phone.say("a person")
        await scene.phone.quiet()
    end = last_end(scene)
    assert (end.why, end.delay) == ("complete", 0.3)
    assert 0.3 - 1e-9 <= end.decided_at - end.end_at < 0.34


async def test_unsure_words_are_waited_for_from_the_last_voiced_sample(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        await scene.phone.quiet()
        scene.phone.say("my cat is ill")
        await scene.phone.quiet()
    end = last_end(scene)
    assert (end.why, end.delay) == ("unsure", 0.7)
    assert 0.7 - 1e-9 <= end.decided_at - end.end_at < 0.74


async def test_several_segments_are_heard_in_order_and_each_is_a_line(autojump_clock: object) -> None:
    script = Script({"tell me": Round("the first part|the second part|the third part", between=0.2)})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("tell me")
        await scene.phone.hears("third")
        await scene.phone.silence()
    assert [text for _, text in scene.conversation()[2:]] == ["the first part", "the second part", "the third part"]


async def test_a_slow_thinker_between_segments_leaves_a_silence_and_loses_nothing(autojump_clock: object) -> None:
    script = Script({"tell me": Round("the first part|the second part", between=2.0)})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("tell me")
        await scene.phone.hears("second")
        await scene.phone.silence()
    assert scene.agent()[-6:] == ["the", "first", "part", "the", "second", "part"]
    assert "deliberating" in scene.log.states()[-4:]


async def test_a_caller_who_talks_over_the_greeting_is_answered(autojump_clock: object) -> None:
    script = Script(opening=STORY)
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.hears("time")
        scene.phone.say("just tell me your hours")
        await scene.phone.hears("said")
        await scene.phone.silence()
    assert script.asked() == ["just tell me your hours"]
    assert "noisy" not in scene.phone.sentence()


# ── A turn that reopens ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_caller_who_goes_on_before_the_reply_reopens_the_turn_and_its_parts_are_joined(autojump_clock: object) -> None:
    script = Script({"i want a table": Round("for how many", delay=2.0)})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("i want a table")
        await scene.reaches("deliberating")
        await trio.sleep(0.5)
        scene.phone.say("for two people")
        await scene.phone.quiet()
    assert script.asked() == ["i want a table", "i want a table for two people"]
    assert scene.caller() == ["i want a table for two people"]
    assert "many" not in scene.phone.sentence()
    assert "hold" not in scene.log.commands(), "reopening is no barge-in"


async def test_a_turn_may_reopen_twice(autojump_clock: object) -> None:
    slow = Round("too early", delay=2.0)
    script = Script({"one moment": slow, "one moment let me see": slow})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        for part in ("one moment", "let me see", "tuesday please"):
            scene.phone.say(part)
            await scene.phone.said()
            await trio.sleep(1.2)
        await scene.phone.quiet()
    assert scene.caller() == ["one moment let me see tuesday please"]
    assert "early" not in scene.phone.sentence()


async def test_a_false_start_while_deliberating_is_answered_after_all(autojump_clock: object) -> None:
    script = Script({"what are your hours": Round("we open at eight", delay=2.0)})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("what are your hours")
        await scene.reaches("deliberating")
        await trio.sleep(0.5)
        scene.phone.cough(0.25)
        await scene.phone.hears("eight")
        await scene.phone.silence()
    assert scene.caller() == ["what are your hours"]
    assert script.asked() == ["what are your hours"] * 2
    assert scene.phone.heard().count("open") == 1


async def test_a_line_full_of_noise_still_gets_its_answer(autojump_clock: object) -> None:
    script = Script({"what are your hours": Round("we open at eight", delay=1.5)})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("what are your hours")
        await scene.reaches("deliberating")
        for _ in range(12):
            scene.phone.pause(0.9)
            scene.phone.cough(0.25)
        await scene.phone.hears("eight", limit=20)


# ── Short answers ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_yes_while_listening_ends_the_turn(autojump_clock: object) -> None:
    script = Script()
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("yes")
        await scene.phone.quiet()
    assert script.asked() == ["yes"]


async def test_a_yes_to_a_closed_question_ends_the_turn_after_the_short_endpoint(autojump_clock: object) -> None:
    script = Script({"confirm": (Round(proposals=(Fire("wants_sure"),)), Round("is that right?"))})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("confirm")
        await scene.phone.quiet()
        scene.phone.say("yes")
        await scene.phone.quiet()
    end = last_end(scene)
    assert (end.why, end.delay) == ("closed", 0.2)
    assert 0.2 - 1e-9 <= end.decided_at - end.end_at < 0.24


async def test_a_yes_that_goes_on_is_heard_whole(autojump_clock: object) -> None:
    script = Script({"confirm": (Round(proposals=(Fire("wants_sure"),)), Round("is that right?"))})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("confirm")
        await scene.phone.quiet()
        scene.phone.say("yes")
        scene.phone.pause(0.15)
        scene.phone.say("but not on monday")
        await scene.phone.quiet()
    assert script.asked() == ["confirm", "yes but not on monday"]


async def test_a_yes_while_the_agent_speaks_is_a_backchannel(autojump_clock: object) -> None:
    script = Script({"tell me": STORY})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("tell me")
        await scene.phone.hears("dwarfs")
        scene.phone.say("yes")
        await scene.phone.hears("town")
        await scene.phone.silence()
    assert script.asked() == ["tell me"]
    assert scene.caller() == ["tell me"]


async def test_a_yes_to_what_was_just_asked_is_an_answer_though_the_agent_still_speaks(autojump_clock: object) -> None:
    script = Script({"book": "shall i book it for tuesday?|" + STORY, "yes": "done"})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("book")
        await scene.phone.hears("tuesday")
        await scene.phone.hears("upon")
        scene.phone.say("yes")
        await scene.phone.hears("done")
        await scene.phone.silence()
    assert script.asked() == ["book", "yes"]
    assert "town" not in scene.phone.sentence()


async def test_a_yes_before_the_question_is_out_is_no_answer(autojump_clock: object) -> None:
    script = Script({"book": "now that is a very long way to ask whether i shall book it for tuesday?"})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("book")
        await scene.phone.hears("very")
        scene.phone.say("yes")
        await scene.phone.hears("tuesday")
        await scene.phone.silence()
    assert script.asked() == ["book"]


async def test_what_was_ignored_never_leaks_into_the_next_turn(autojump_clock: object) -> None:
    script = Script({"tell me": STORY})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("tell me")
        await scene.phone.hears("dwarfs")
        scene.phone.say("okay")
        await scene.phone.hears("town")
        await scene.phone.silence()
        scene.phone.say("thank you very much")
        await scene.phone.quiet()
    assert script.asked() == ["tell me", "thank you very much"]
    assert all("okay" not in line.text for request in script.requests for line in request.conversation)


async def test_words_that_the_recognizer_does_not_vouch_for_never_interrupt_and_are_marked_when_listening(
    autojump_clock: object,
) -> None:
    script = Script({"tell me": STORY})
    async with telephone_call(LONELY, script, recognizer=speech.ReadingRecognizer(sure=False)) as scene:
        await scene.phone.quiet()
        scene.phone.say("tell me")
        await scene.phone.hears("dwarfs")
        scene.phone.say("no stop")
        await scene.phone.hears("town")
        await scene.phone.silence()
    assert [(r.text, r.sure) for r in script.requests if r.why == "reply"] == [("tell me", False)]


async def test_a_caller_who_begins_in_the_last_moment_of_the_reply_is_heard(autojump_clock: object) -> None:
    script = Script({"tell me": "the answer is fortytwo"})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("tell me")
        await scene.phone.hears("fortytwo")
        scene.phone.pause(0.3)
        scene.phone.say("and the question")
        await scene.phone.hears("said")
        await scene.phone.silence()
    assert script.asked() == ["tell me", "and the question"]
    assert len(scene.events(SpeechOnset)) == len(scene.events(UtteranceEnded))


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_keys_become_a_turn_after_a_pause_and_at_once_with_a_hash(autojump_clock: object) -> None:
    script = Script()
    async with telephone_call(LONELY, script, dialect="jambonz") as scene:
        await scene.phone.quiet()
        for digit in "123":
            scene.phone.press(digit)
            await trio.sleep(0.3)
        await scene.phone.quiet()
        began = trio.current_time()
        for digit in "45#":
            scene.phone.press(digit)
        await scene.phone.hears("4")
        assert trio.current_time() - began < 1.5
        await scene.phone.quiet()
    assert script.asked() == ["1 2 3", "4 5"]


async def test_a_key_interrupts_without_suspicion(autojump_clock: object) -> None:
    script = Script({"tell me": STORY})
    async with telephone_call(LONELY, script, dialect="jambonz") as scene:
        await scene.phone.quiet()
        scene.phone.say("tell me")
        await scene.phone.hears("dwarfs")
        scene.phone.press("0")
        scene.phone.press("#")
        await scene.phone.hears("0")
        await scene.phone.silence()
    assert script.asked() == ["tell me", "0"]
    assert "behind" not in scene.phone.sentence()


async def test_keys_mean_nothing_in_a_dialect_that_has_none(autojump_clock: object) -> None:
    script = Script()
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.press("1")
        scene.phone.press("#")
        await trio.sleep(3)
    assert script.asked() == []
