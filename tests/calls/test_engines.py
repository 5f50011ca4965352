"""Engines that crash or stall in each stage, before, during and after their output; chains; the apology."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from agentd.errors import ProviderError
from agentd.messages import ActorDown, ActorRestarted, Reply, Segment, ThinkRequest
from agentd.providers.base import Final, Finish, Heard, RecognizerInput, RecognizerOutput, Spoken, Thought
from tests.calls.harness import Scene, telephone_call
from tests.calls.script import HELPED, LONELY, STORY, Round, Script, failure
from tests.fakes import speech

APOLOGY = ["I", "am", "sorry", "something", "broke"]
BROKEN = failure()
Say = Callable[[Segment], Awaitable[None]]


async def say(scene: Scene, words: str) -> None:
    await scene.phone.quiet()
    scene.phone.say(words)


def times(count: int, *, retryable: bool = True) -> Callable[[object], ProviderError | None]:
    """An engine that fails so often and then works."""
    left = [count]

    def fail(_: object) -> ProviderError | None:
        left[0] -= 1
        return failure(retryable=retryable) if left[0] >= 0 else None

    return fail


def on(text: str, count: int) -> Callable[[str], ProviderError | None]:
    """A voice that fails so often at a text."""
    fail = times(count)
    return lambda said: fail(said) if text in said else None


# ── Recognizer ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Ear(speech.ReadingRecognizer):
    """Fails or stalls, `count` times: `hearing` its first word, at two `words`, at the `finish`, or `after` it."""

    def __init__(self, where: str, count: int = 1, *, stall: bool = False, retryable: bool = True) -> None:
        super().__init__()
        self._where, self._left, self._stall, self._retryable = where, count, stall, retryable

    async def session(
        self,
        rate: int,
        audio: trio.MemoryReceiveChannel[RecognizerInput],
        out: Callable[[RecognizerOutput], Awaitable[None]],
    ) -> None:
        async def report(item: RecognizerOutput) -> None:
            if isinstance(item, Heard) and self._where == "hearing":
                await self._break()
            if isinstance(item, Heard) and self._where == "words" and len(item.text.split()) == 2:
                await self._break()
            if isinstance(item, Final) and self._where == "finish":
                await self._break()
            await out(item)
            if isinstance(item, Final) and self._where == "after":
                await self._break()

        await super().session(rate, audio, report)

    async def _break(self) -> None:
        self._left -= 1
        if self._left >= 0:
            if self._stall:
                await trio.sleep_forever()
            raise failure(retryable=self._retryable)


@pytest.mark.parametrize("where", ["words", "finish", "after"])
async def test_a_recognizer_that_breaks_loses_no_word(autojump_clock: object, where: str) -> None:
    script = Script()
    async with telephone_call(LONELY, script, recognizer=Ear(where)) as scene:
        await say(scene, "what are your opening hours")
        await scene.phone.hears("hours")
        await say(scene, "and on tuesday")
        await scene.phone.hears("tuesday")
    assert script.asked() == ["what are your opening hours", "and on tuesday"]


async def test_a_recognizer_that_stalls_with_no_words_is_replaced_and_loses_none(autojump_clock: object) -> None:
    script = Script()
    async with telephone_call(LONELY, script, recognizer=Ear("hearing", stall=True)) as scene:
        await say(scene, "what are your opening hours")
        await scene.phone.hears("hours")
        await say(scene, "and on tuesday")
        await scene.phone.hears("tuesday")
    assert script.asked() == ["what are your opening hours", "and on tuesday"]


@pytest.mark.parametrize(("where", "words"), [("words", "what"), ("finish", "what are your opening hours")])
async def test_a_recognizer_that_stalls_is_replaced_and_the_words_so_far_stand(
    autojump_clock: object, where: str, words: str
) -> None:
    script = Script()
    async with telephone_call(LONELY, script, recognizer=Ear(where, stall=True)) as scene:
        await say(scene, "what are your opening hours")
        await scene.phone.hears("said")
        await say(scene, "and on tuesday")
        await scene.phone.hears("tuesday")
    assert script.asked() == [words, "and on tuesday"]


async def test_a_recognizer_that_breaks_for_good_hands_over_to_the_next_in_the_chain_and_no_word_is_lost(
    autojump_clock: object,
) -> None:
    script, second = Script(), speech.ReadingRecognizer()
    async with telephone_call(LONELY, script, recognizer=(Ear("words", 99, retryable=False), second)) as scene:
        await say(scene, "what are your opening hours")
        await scene.phone.hears("hours")
        await scene.phone.silence()
    assert script.asked() == ["what are your opening hours"]
    assert second.sessions
    assert scene.events(ActorRestarted)[-1].provider == 1


async def test_a_recognizer_that_breaks_under_a_barge_in_does_not_lose_the_words(autojump_clock: object) -> None:
    script = Script({"go": STORY})
    ears = Ear("words", 99, retryable=False), speech.ReadingRecognizer()
    async with telephone_call(LONELY, script, recognizer=ears) as scene:
        # The ear breaks at the second word of an utterance, so that it holds until the barge-in.
        await say(scene, "go")
        await scene.phone.hears("dwarfs")
        scene.phone.say("please stop it now")
        await scene.phone.hears("said")
        await scene.phone.silence()
    assert script.asked() == ["go", "please stop it now"]


async def test_a_chain_of_recognizers_that_is_exhausted_apologises_and_hands_over(autojump_clock: object) -> None:
    async with telephone_call(HELPED, Script(), recognizer=Ear("words", 99, retryable=False)) as scene:
        await say(scene, "what are your opening hours")
        await scene.over.wait()
    assert scene.agent()[-5:] == APOLOGY
    assert scene.outcome == "transferred"
    assert scene.events(ActorDown)[0].actor == "listener"


async def test_a_dead_recognizer_still_lets_the_caller_interrupt(autojump_clock: object) -> None:
    class Mute(speech.ReadingRecognizer):
        async def session(self, rate, audio, out) -> None:  # type: ignore[no-untyped-def]
            async for item in audio:
                if isinstance(item, Finish):
                    await out(Final(item.utterance, "", sure=True))

    async with telephone_call(LONELY, Script(opening=STORY), recognizer=Mute()) as scene:
        await scene.phone.hears("dwarfs")
        scene.phone.say("i do not want to hear all of this")
        await scene.phone.hears("pardon")
    assert "noisy" not in scene.phone.heard()


# ── Thinker ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_thinker_that_breaks_before_its_first_word_is_asked_again(autojump_clock: object) -> None:
    fail = times(1)
    script = Script(crash=lambda request: fail(request) if request.why == "reply" else None)
    async with telephone_call(LONELY, script) as scene:
        await say(scene, "what are your hours")
        await scene.phone.hears("hours")
        await scene.phone.silence()
    assert scene.caller() == ["what are your hours"]
    assert scene.untold() == []


async def test_a_thinker_that_breaks_in_the_middle_of_a_reply_is_told_what_was_heard(autojump_clock: object) -> None:
    fail = times(1)

    def answer(request: ThinkRequest) -> Round:
        return Round("first part|second part", between=3.0, fail=fail(request))

    script = Script({"tell me": answer})
    async with telephone_call(LONELY, script) as scene:
        await say(scene, "tell me")
        await scene.phone.hears("second", limit=60)
        await scene.phone.silence()
    heard = [line.text for line in script.requests[-1].conversation if line.who == "agent"]
    assert heard[1] == "first part"
    assert scene.caller() == ["tell me"]


async def test_a_thinker_that_breaks_once_its_words_are_out_does_not_cut_them_short_of_a_word(autojump_clock: object) -> None:
    fail = times(1)
    script = Script({"tell me": lambda request: Round(STORY, fail=fail(request))})
    async with telephone_call(LONELY, script) as scene:
        await say(scene, "tell me")
        await scene.phone.hears("town")
        await scene.phone.silence()
    assert scene.agent()[-19:] == STORY.split()


async def test_a_thinker_that_stalls_is_asked_again_and_then_excused(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script({"tell me": Round("too late", delay=100)})) as scene:
        await say(scene, "tell me")
        await scene.over.wait()
        assert trio.current_time() < 40
    assert scene.agent()[-5:] == APOLOGY
    assert scene.outcome == "failed"


async def test_a_thinker_that_breaks_four_times_is_followed_by_the_next_in_the_chain(autojump_clock: object) -> None:
    first = Script(crash=lambda request: BROKEN if request.why == "reply" else None)
    second = Script({"tell me": "the second one thinks"})
    async with telephone_call(LONELY, (first, second)) as scene:
        await say(scene, "tell me")
        await scene.phone.hears("thinks")
        await scene.phone.silence()
    assert scene.untold() == []
    assert [event.provider for event in scene.events(ActorRestarted)] == [0, 0, 0, 1]


@pytest.mark.parametrize(("flow", "outcome"), [(LONELY, "failed"), (HELPED, "transferred")])
async def test_a_chain_of_thinkers_that_is_exhausted_apologises_then_transfers_or_ends(
    autojump_clock: object, flow: object, outcome: str
) -> None:
    script = Script(crash=lambda request: BROKEN if request.why == "reply" else None)
    async with telephone_call(flow, script) as scene:  # type: ignore[arg-type]
        await say(scene, "tell me")
        await scene.over.wait()
    assert scene.agent()[-5:] == APOLOGY
    assert scene.outcome == outcome
    assert len(scene.handed_over) == (outcome == "transferred")


async def test_a_thinker_with_a_bug_is_a_failed_engine_too(autojump_clock: object) -> None:
    class Buggy(Script):
        async def think(self, request: ThinkRequest, say: Say) -> Thought:
            if request.why == "reply":
                raise ZeroDivisionError
            return await super().think(request, say)

    async with telephone_call(LONELY, (Buggy(), Script())) as scene:
        await say(scene, "tell me")
        await scene.phone.hears("tell")


# ── Voice ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Throat(speech.WritingVoice):
    """Breaks or stalls, `count` times, after so many pieces of a text that holds a word."""

    def __init__(self, word: str, pieces: int, count: int = 1, *, stall: bool = False) -> None:
        super().__init__()
        self._word, self._pieces, self._left, self._stalls = word, pieces, count, stall

    async def speak(self, text: str, rate: int, out: Callable[[Spoken], Awaitable[None]]) -> None:
        if self._word not in text or self._left <= 0:
            return await super().speak(text, rate, out)
        self._left -= 1
        given = 0

        async def some(spoken: Spoken) -> None:
            nonlocal given
            if given == self._pieces:
                await self._break_off()
            given += 1
            await out(spoken)

        await super().speak(text, rate, some)
        return await self._break_off()

    async def _break_off(self) -> None:
        if self._stalls:
            await trio.sleep_forever()
        raise failure()


@pytest.mark.parametrize("pieces", [0, 1, 5, 15, 1000])
async def test_a_voice_that_breaks_is_made_to_speak_again(autojump_clock: object, pieces: int) -> None:
    async with telephone_call(LONELY, Script({"tell me": STORY}), voice=Throat("dwarfs", pieces)) as scene:
        await say(scene, "tell me")
        await scene.phone.hears("town")
        await scene.phone.silence()
    assert scene.agent()[-19:] == STORY.split()
    assert scene.caller() == ["tell me"]


async def test_a_voice_that_breaks_four_times_is_followed_by_the_next_in_the_chain(autojump_clock: object) -> None:
    voices = Throat("dwarfs", 0, 99), speech.WritingVoice()
    async with telephone_call(LONELY, Script({"tell me": STORY}), voice=voices) as scene:
        await say(scene, "tell me")
        await scene.phone.hears("town")
        await scene.phone.silence()
    assert scene.untold() == []


@pytest.mark.parametrize("pieces", [0, 5])
@pytest.mark.parametrize(("flow", "outcome"), [(LONELY, "failed"), (HELPED, "transferred")])
async def test_the_apology_is_heard_though_the_voice_is_dead(
    autojump_clock: object, flow: object, outcome: str, pieces: int
) -> None:
    async with telephone_call(flow, Script({"tell me": STORY}), voice=Throat("dwarfs", pieces, 99)) as scene:  # type: ignore[arg-type]
        await say(scene, "tell me")
        await scene.over.wait()
    assert scene.phone.heard()[-5:] == APOLOGY
    assert scene.agent()[-5:] == APOLOGY
    assert scene.outcome == outcome


@pytest.mark.parametrize("pieces", [0, 1, 5])
async def test_a_voice_that_stalls_does_not_leave_the_caller_in_silence_for_long(autojump_clock: object, pieces: int) -> None:
    async with telephone_call(LONELY, Script({"tell me": STORY}), voice=Throat("dwarfs", pieces, 99, stall=True)) as scene:
        await say(scene, "tell me")
        await scene.over.wait()
        assert trio.current_time() < 45
    assert scene.phone.heard()[-5:] == APOLOGY


@pytest.mark.parametrize("pieces", [0, 1, 5])
async def test_a_voice_that_stalls_once_is_made_to_speak_again(autojump_clock: object, pieces: int) -> None:
    async with telephone_call(LONELY, Script({"tell me": STORY}), voice=Throat("dwarfs", pieces, stall=True)) as scene:
        await say(scene, "tell me")
        await scene.phone.hears("there", limit=10)
        await scene.phone.hears("town")
        await scene.phone.silence()
    assert scene.agent()[-19:] == STORY.split()


async def test_a_long_reply_that_waits_for_its_playing_is_no_stall(autojump_clock: object) -> None:
    long = "|".join(f"{STORY} {number}" for number in range(6))
    async with telephone_call(LONELY, Script({"tell me": long})) as scene:
        await say(scene, "tell me")
        await scene.phone.hears("5", limit=90)
        await scene.phone.silence()
    assert scene.untold() == []
    assert scene.events(ActorRestarted) == []


async def test_a_voice_that_is_dead_from_the_start_still_ends_the_call_with_the_apology(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script(), voice=speech.WritingVoice(fail=lambda _: BROKEN)) as scene:
        await scene.over.wait()
    assert scene.phone.heard() == APOLOGY
    assert scene.outcome == "failed"


async def test_the_goodbye_of_a_dead_voice_does_not_keep_the_line(autojump_clock: object) -> None:
    voice = speech.WritingVoice(fail=on("goodbye", 99))
    async with telephone_call(LONELY, Script(), voice=voice) as scene:
        await scene.over.wait()
        assert trio.current_time() < 60
    assert scene.outcome in {"silence", "failed"}
    assert scene.socket.code == 1000


@pytest.mark.parametrize("seed", range(8))
async def test_the_apology_is_heard_in_whatever_order_tasks_run(autojump_clock: object, seed: int) -> None:
    trio._core._run._r.seed(seed)
    script = Script(crash=lambda request: BROKEN if request.why == "reply" else None)
    async with telephone_call(LONELY, script) as scene:
        await say(scene, "tell me")
        await scene.over.wait()
    assert scene.phone.heard()[-5:] == APOLOGY


# ── Stuck actors ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("actor", ["thinker", "speaker", "listener"])
async def test_an_actor_whose_mailbox_is_full_is_restarted_and_the_call_goes_on(autojump_clock: object, actor: str) -> None:
    script = Script()
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        for _ in range(300):
            scene.call._boxes[actor].send_nowait(Segment(Reply(0, -1), 0, "an old word"))
        await trio.sleep(0.1)
        scene.phone.say("are you still there")
        await scene.phone.hears("there")
        await scene.phone.silence()
    assert [event.actor for event in scene.events(ActorRestarted)] == [actor]
    assert script.asked() == ["are you still there"]
    assert "old" not in scene.phone.heard()
