"""Silence and no progress: prompts, goodbyes, asking again, handing over."""

from __future__ import annotations

import trio

from agentd.turn.timing import Timing
from tests.calls.harness import telephone_call, until
from tests.calls.script import HELPED, LONELY, Round, Script


async def test_silence_is_prompted_twice_in_other_words_then_goodbye(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        await scene.over.wait()
    lines = [text for _, text in scene.conversation()]
    assert lines == ["welcome to the test line", "are you there 1", "are you there 2", "thanks for calling goodbye"]
    assert scene.outcome == "silence"
    assert scene.socket.code == 1000
    assert scene.untold() == []


async def test_the_prompt_comes_six_seconds_after_the_agent_fell_silent(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        await scene.reaches("listening")
        began = trio.current_time()
        await scene.reaches("prompting")
        assert abs(trio.current_time() - began - 6) < 0.03


async def test_the_count_of_prompts_starts_again_when_the_caller_speaks(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        await scene.phone.hears("2")
        scene.phone.say("yes i am here")
        await scene.phone.hears("here")
        await scene.phone.hears("2", limit=60)
    assert scene.phone.heard().count("1") == 2


async def test_the_silence_is_counted_from_the_end_of_our_speech_not_from_its_making(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script(opening="a b c d e f g h i j k l m n o p q r s t u v w x y z")) as scene:
        await scene.phone.hears("z")
        began = trio.current_time()
        await scene.reaches("prompting")
        assert trio.current_time() - began > 6


async def test_a_cough_does_not_put_off_the_prompt(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        await scene.reaches("listening")
        began = trio.current_time()
        await trio.sleep(3)
        scene.phone.cough(0.3)
        await scene.reaches("prompting")
        assert trio.current_time() - began < 6.1


async def test_a_caller_who_speaks_when_the_prompt_is_due_is_not_talked_over(autojump_clock: object) -> None:
    script = Script()
    async with telephone_call(LONELY, script) as scene:
        await scene.reaches("listening")
        await trio.sleep(5.8)
        scene.phone.say("sorry i had to find my calendar")
        await scene.phone.hears("calendar")
    assert script.asked() == ["sorry i had to find my calendar"]
    assert "are" not in scene.phone.heard()


async def test_a_prompt_may_be_interrupted(autojump_clock: object) -> None:
    script = Script(silence="are you still there or have you gone away from the telephone {}")
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.hears("still")
        scene.phone.say("yes i am still here")
        await scene.phone.hears("here")
        await scene.phone.silence()
    assert script.asked() == ["yes i am still here"]
    assert "telephone" not in scene.phone.heard()


async def test_a_cough_over_a_prompt_goes_on_with_the_prompt(autojump_clock: object) -> None:
    script = Script(silence="are you still there or have you gone away from the telephone {}")
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.hears("still")
        scene.phone.cough()
        await scene.phone.hears("telephone")
        await until(lambda: scene.state() == "listening")
    assert len(scene.untold()) <= 1


async def test_the_goodbye_after_silence_may_be_interrupted(autojump_clock: object) -> None:
    script = Script()
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.hears("thanks", limit=60)
        scene.phone.say("wait i am here")
        await scene.phone.hears("here")
        await scene.phone.silence()
        assert scene.state() == "listening"
    assert script.asked() == ["wait i am here"]


async def test_a_word_right_after_the_goodbye_is_still_heard(autojump_clock: object) -> None:
    script = Script()
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.hears("goodbye", limit=60)
        await trio.sleep(0.7)
        scene.phone.say("wait please")
        await scene.phone.hears("said")
        await scene.phone.silence()
    assert script.asked() == ["wait please"]


async def test_speech_without_words_is_asked_twice_to_repeat_itself_then_goodbye(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        await scene.phone.quiet()
        for _ in range(3):
            scene.phone.cough(0.8)
            await scene.phone.quiet()
        await scene.over.wait()
    assert [text for _, text in scene.conversation()][1:] == ["pardon me 1", "pardon me 2", "thanks for calling goodbye"]
    assert scene.outcome == "stuck"


async def test_speech_without_words_is_handed_to_a_human_where_there_is_one(autojump_clock: object) -> None:
    async with telephone_call(HELPED, Script()) as scene:
        await scene.phone.quiet()
        for _ in range(3):
            scene.phone.cough(0.8)
            await scene.phone.quiet()
        await scene.over.wait()
    assert "connect" in scene.phone.heard()
    assert scene.outcome == "transferred"
    assert scene.handed_over[0][1] == "escalated"
    assert scene.handed_over[0][0].flow.state == "desk"


async def test_words_between_two_mishearings_start_the_count_again(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        await scene.phone.quiet()
        for _ in range(2):
            scene.phone.cough(0.8)
            await scene.phone.quiet()
        scene.phone.say("can you hear me now")
        await scene.phone.quiet()
        scene.phone.cough(0.8)
        await scene.phone.hears("pardon")
        await scene.phone.silence()
        assert scene.state() == "listening"


async def test_a_reply_that_repeats_itself_escalates_to_a_handover(autojump_clock: object) -> None:
    script = Script(dict.fromkeys(("a b", "c d", "e f", "g h"), "please tell me your name"))
    async with telephone_call(HELPED, script) as scene:
        await scene.phone.quiet()
        for words in ("a b", "c d", "e f", "g h"):
            scene.phone.say(words)
            await scene.phone.quiet()
        await scene.over.wait()
    assert scene.outcome == "transferred"


async def test_answers_that_are_not_understood_escalate(autojump_clock: object) -> None:
    texts = ("a b", "c d", "e f")
    script = Script({text: Round(f"i do not know {text}", understood=False) for text in texts})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        for words in texts:
            scene.phone.say(words)
            await scene.phone.quiet()
        await scene.over.wait()
    assert scene.outcome == "stuck"
    assert scene.agent()[-1] == "goodbye"


async def test_replies_that_differ_never_escalate(autojump_clock: object) -> None:
    async with telephone_call(HELPED, Script()) as scene:
        await scene.phone.quiet()
        for number in range(8):
            scene.phone.say(f"question number {number}")
            await scene.phone.quiet()
        assert scene.state() == "listening"


async def test_a_caller_who_never_stops_talking_is_not_listened_to_for_ever(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        await scene.phone.quiet()
        scene.phone.cough(400)
        await scene.over.wait()
        assert trio.current_time() < 100
    assert scene.phone.heard()[-1] == "goodbye"


async def test_a_call_lasts_no_longer_than_a_call_may(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script(), timing=Timing(call=20)) as scene:
        await scene.phone.quiet()
        for number in range(9):
            scene.phone.say(f"and another thing {number}")
            await scene.phone.quiet()
        await scene.over.wait()
    assert scene.outcome == "too_long"
    assert scene.conversation()[-1][1].startswith("I am afraid we have to stop here")
