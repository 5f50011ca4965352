"""The laws of turn-taking, one call each: what the caller hears, said step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentd.messages import (
    ActorDown,
    CloseMedia,
    Draining,
    Hold,
    KeyPressed,
    MediaStarted,
    MediaStopped,
    NewEpoch,
    Resume,
    ShutdownAsked,
    ThinkFailed,
    Timer,
)
from agentd.turn.commands import Command, Freeze, Line, Say, Thaw, Then, Think, Why
from agentd.turn.timing import Timing
from agentd.turn.value import State
from tests.laws.world import World


class Talk(World):
    """A world with short words for what people do; `did` holds the commands so far."""

    __slots__ = ("did",)

    def obey(self, command: Command) -> None:
        self.did = (*getattr(self, "did", ()), command)
        World.obey(self, command)

    def connect(self) -> Talk:
        self.take(MediaStarted(self.clock, 8000, 1))
        return self

    def starts(self) -> Talk:
        self.tell(self.speak())
        return self

    def says(self, text: str, voiced: float = 0.8) -> Talk:
        """A whole utterance, with its partial."""
        self.starts().wait(voiced)
        self.tell(self.partial(text, sure=True))
        return self.ends(text, voiced)

    def ends(self, text: str = "", voiced: float = 0.3) -> Talk:
        self.tell(self.end(text, voiced=voiced))
        return self

    def answers(self, *segments: str, then: Then = Then.LISTEN, progress: bool = True, helper: bool = False) -> Talk:
        for segment in segments or ("plain",):
            self.think(segment)
        self.tell(self.thought(more=False, tools=0, then=then, helper=helper, progress=progress))
        return self

    def uses_tool(self) -> Talk:
        self.tell(self.thought(more=True, tools=1, then=Then.LISTEN, helper=False, progress=True))
        return self

    def plays(self, until: State | None = None) -> Talk:
        """Audio plays on: to its end, or until the machine comes to a state."""
        while True:
            self.play()
            if not self.mailbox or self.finished:
                return self
            while self.mailbox:
                self.deliver()
            if self.turn.state is until:
                return self

    def greets(self) -> Talk:
        return self.connect().answers().plays()

    def since(self, count: int, kind: type) -> list[Command]:
        return [command for command in self.did[count:] if isinstance(command, kind)]


@pytest.fixture
def call() -> Talk:
    return Talk.begin(Timing())  # type: ignore[return-value]


def speaking(call: Talk, *segments: str) -> Talk:
    """A question was asked, and the answer is being heard."""
    call.greets().says("what does it cost").answers(*segments)
    for _ in ("it begins", "it is heard"):
        call.play()
        call.deliver()
    assert call.turn.state is State.SPEAKING
    assert call.turn.heard
    return call


# ── A call and its turns ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_greets_listens_answers_and_listens_again(call: Talk) -> None:
    assert call.connect().turn.state is State.GREETING
    assert call.answers().plays().turn.state is State.LISTENING
    assert call.says("what does it cost").turn.state is State.DELIBERATING
    assert call.asked_for == "what does it cost"
    assert call.answers().plays(State.SPEAKING).plays().turn.state is State.LISTENING


def test_a_goodbye_of_the_flow_closes_and_the_outcome_is_completed(call: Talk) -> None:
    call.greets().says("that is all thank you").answers(then=Then.CLOSE).plays()
    assert call.turn.state is State.CLOSING
    call.wait(0.6)
    assert call.did[-1] == CloseMedia(1000)
    call.tell(MediaStopped(call.clock, "closed_by_us"))
    assert call.finished == "completed"


def test_a_caller_who_hangs_up_after_our_goodbye_has_completed_the_call(call: Talk) -> None:
    call.greets().says("that is all thank you").answers(then=Then.CLOSE).plays()
    call.tell(MediaStopped(call.clock, "hangup"))
    assert call.finished == "completed"


def test_a_caller_who_hangs_up_within_our_goodbye_has_hung_up(call: Talk) -> None:
    silent(call).tell(MediaStopped(call.clock, "hangup"))
    assert call.finished == "hangup"


# ── Law 1: one speaker ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_transport_is_told_of_a_new_epoch_before_anything_is_made_for_it(call: Talk) -> None:
    speaking(call)
    count = len(call.did)
    call.starts().tell(call.partial("no wait", sure=True))
    assert call.since(count, NewEpoch) == [NewEpoch(1)]
    assert call.transport.reply is None, "what it held is dropped"
    count = len(call.did)
    call.ends("no wait", 0.8).tell(call.fail())
    new = [type(command) for command in call.did[count:] if isinstance(command, NewEpoch | Think)]
    assert new == [Think, NewEpoch, Think]


# ── Law 2: barge-in ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_voice_while_we_speak_holds_and_freezes_and_loses_nothing(call: Talk) -> None:
    speaking(call)
    count, reply = len(call.did), call.turn.reply
    call.starts()
    assert call.turn.state is State.YIELDING
    assert call.since(count, Hold) == [Hold(reply)]
    assert call.since(count, Freeze)
    assert call.turn.reply == reply


def test_a_cough_resumes_after_700_ms_and_abandons_nothing(call: Talk) -> None:
    speaking(call)
    count, reply = len(call.did), call.turn.reply
    call.starts().wait(0.3)
    call.ends()
    call.wait(0.69)
    assert call.turn.state is State.YIELDING
    call.wait(0.02)
    assert call.turn.state is State.SPEAKING
    assert call.turn.reply == reply
    assert call.since(count, Resume) == [Resume(reply)]
    assert call.since(count, Thaw) == [Thaw(confirmed=False)]
    assert not call.since(count, NewEpoch)


def test_the_700_ms_count_from_the_noise_s_end_not_from_its_decision(call: Talk) -> None:
    speaking(call)
    call.starts().wait(0.3)
    ended = call.clock
    call.wait(0.5)
    end = call.end("")
    call.tell(replace(end, end_at=ended))
    assert call.deadlines[Timer.RESUME] == pytest.approx(ended + 0.7)


def test_a_second_cough_starts_the_wait_anew(call: Talk) -> None:
    speaking(call).starts().ends().wait(0.5)
    call.starts().wait(0.5)
    assert call.turn.state is State.YIELDING
    call.ends().wait(0.71)
    assert call.turn.state is State.SPEAKING


@pytest.mark.parametrize("words", ["hello", "no", "wait", "stop", "hold on"])
def test_hello_alone_interrupts(call: Talk, words: str) -> None:
    speaking(call).starts().tell(call.partial(words, sure=True))
    assert call.turn.state is State.LISTENING
    assert call.turn.epoch == 1


def test_words_that_the_recognizer_does_not_vouch_for_interrupt_nothing(call: Talk) -> None:
    speaking(call).starts().tell(call.partial("book an appointment", sure=False))
    assert call.turn.state is State.YIELDING


def test_two_words_interrupt_and_one_does_not(call: Talk) -> None:
    speaking(call).starts().tell(call.partial("tuesday", sure=True))
    assert call.turn.state is State.YIELDING
    call.tell(call.partial("tuesday morning", sure=True))
    assert call.turn.state is State.LISTENING


def test_900_ms_of_voice_without_words_interrupt(call: Talk) -> None:
    speaking(call).starts().tell(call.long_speech())
    assert call.turn.state is State.LISTENING


def test_an_uh_huh_is_no_turn_and_the_reply_goes_on(call: Talk) -> None:
    speaking(call).says("uh-huh", 0.3).wait(0.71)
    assert call.turn.state is State.SPEAKING
    assert call.turn.epoch == 0


def test_a_confirmed_barge_in_is_answered_with_the_new_words_alone(call: Talk) -> None:
    speaking(call).says("no i meant the other one")
    assert call.turn.state is State.DELIBERATING
    assert call.asked_for == "no i meant the other one"
    assert call.turn.epoch == 1


# ── Law 3: short answers ─────────────────────────────────────────────────────────────────────────────────────────────


def test_yes_while_speaking_is_a_backchannel_unless_the_agent_has_just_asked(call: Talk) -> None:
    speaking(call).starts().tell(call.partial("yes", sure=True))
    assert call.turn.state is State.YIELDING
    asking = speaking(Talk.begin(Timing()), "question", "plain")  # type: ignore[arg-type]
    asking.play()
    asking.deliver()
    assert asking.turn.asked is not None
    asking.wait(0.1)
    asking.starts().tell(asking.partial("yes", sure=True))
    assert asking.turn.state is State.LISTENING


def test_an_answer_begun_before_the_question_was_asked_is_a_backchannel(call: Talk) -> None:
    speaking(call, "question", "plain")
    early = call.speak()
    call.pos += 800
    call.play()
    call.take(early)
    call.deliver()
    assert call.turn.asked is not None
    call.tell(call.partial("yes", sure=True))
    assert call.turn.state is State.YIELDING


def test_yes_while_listening_is_an_answer(call: Talk) -> None:
    call.greets().says("yes", 0.3)
    assert call.asked_for == "yes"


def test_a_partial_never_ends_a_turn(call: Talk) -> None:
    call.greets().starts().tell(call.partial("yes", sure=True))
    assert call.turn.state is State.LISTENING


def test_what_was_ignored_is_not_in_the_next_turn(call: Talk) -> None:
    speaking(call).says("uh-huh", 0.3).wait(0.71)
    call.plays().says("on tuesday")
    assert call.asked_for == "on tuesday"


# ── Law 4: the turn reopened ─────────────────────────────────────────────────────────────────────────────────────────


def test_going_on_before_anything_was_heard_joins_the_parts(call: Talk) -> None:
    call.greets().says("i would like to come")
    turn = call.turn.turn
    call.says("on tuesday")
    assert call.asked_for == "i would like to come on tuesday"
    assert call.turn.turn == turn
    assert not [command for command in call.did if isinstance(command, Hold)], "that is no barge-in"


def test_going_on_during_a_filler_joins_the_parts(call: Talk) -> None:
    call.greets().says("is tuesday free").uses_tool().wait(0.81)
    call.plays(State.SPEAKING).says("or wednesday then")
    assert call.asked_for == "is tuesday free or wednesday then"


def test_going_on_after_something_was_heard_joins_nothing(call: Talk) -> None:
    speaking(call).says("and on sundays")
    assert call.asked_for == "and on sundays"


def test_a_cough_while_we_think_does_not_lose_the_question(call: Talk) -> None:
    call.greets().says("what does it cost").starts().ends()
    assert call.turn.state is State.DELIBERATING
    assert call.asked_for == "what does it cost"


def test_a_cough_before_the_greeting_is_heard_again_does_not_lose_it(call: Talk) -> None:
    call.connect().starts().ends().tell(call.fail())
    assert call.turn.state is State.DELIBERATING
    call.starts().ends("", 0.2)
    assert call.thinking is not None
    assert call.turn.why is Why.OPENING


def test_a_noisy_line_does_not_keep_us_from_answering(call: Talk) -> None:
    call.greets().says("what does it cost")
    for _ in range(3):
        call.starts().ends()
    reply = call.turn.reply
    for _ in range(20):
        call.starts().ends().wait(0.71)
    assert call.turn.reply == reply, "thinking goes on through the noise"
    call.answers().plays()
    assert call.turn.state is State.LISTENING


def test_hello_before_the_greeting_is_heard_is_answered_by_the_greeting_s_turn(call: Talk) -> None:
    call.connect().says("hello")
    assert call.asked_for == "hello"
    assert call.turn.turn == 1


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def keys(call: Talk, digits: str) -> Talk:
    for digit in digits:
        call.tell(KeyPressed(call.clock, digit))
    return call


def test_keys_are_a_number_when_none_follows_for_1500_ms(call: Talk) -> None:
    keys(call.greets(), "12").wait(1.4)
    keys(call, "3").wait(1.4)
    assert call.turn.state is State.LISTENING
    call.wait(0.2)
    assert call.asked_for == "1 2 3"


def test_a_hash_ends_a_number_at_once(call: Talk) -> None:
    assert keys(call.greets(), "123#").asked_for == "1 2 3"


def test_words_between_the_keys_lose_none_of_them(call: Talk) -> None:
    keys(call.greets().starts(), "1")
    call.ends("it is", 0.8)
    assert keys(call, "23#").asked_for == "it is 1 2 3"


@pytest.mark.parametrize("begun", ["before the key", "after the key"])
def test_words_between_the_keys_decide_with_the_number_and_not_before(call: Talk, begun: str) -> None:
    speaking(call)
    count = len(call.did)
    if begun == "before the key":
        keys(call.starts(), "1")
    else:
        keys(call, "1").starts()
    call.ends("no don't book it", 0.8)
    assert call.turn.frozen
    assert not call.since(count, Thaw)
    call.wait(1.6)
    (think,) = call.since(count, Think)
    assert isinstance(think, Think)
    assert think.added == "no don't book it 1"
    assert call.since(count, Thaw) == [Thaw(confirmed=True)]


def test_keys_before_anything_was_heard_are_joined_to_the_words(call: Talk) -> None:
    call.greets().says("my number is")
    assert keys(call, "123#").asked_for == "my number is 1 2 3"


def test_a_key_interrupts_at_once(call: Talk) -> None:
    keys(speaking(call), "1")
    assert call.turn.state is State.LISTENING
    assert not [command for command in call.did if isinstance(command, Hold)]


def test_a_key_during_the_goodbye_goes_on_with_the_call(call: Talk) -> None:
    silent(call)
    assert keys(call, "5#").asked_for == "5"
    assert call.turn.outcome == ""


# ── Law 5: silence and progress ──────────────────────────────────────────────────────────────────────────────────────


def silent(call: Talk) -> Talk:
    """A caller who says nothing until we say goodbye."""
    call.greets()
    for _ in range(2):
        call.wait(6.01)
        assert call.turn.state is State.PROMPTING
        call.answers().plays()
    call.wait(6.01)
    assert call.turn.state is State.CLOSING
    return call


def test_silence_prompts_twice_and_says_goodbye(call: Talk) -> None:
    silent(call).plays().wait(0.61)
    assert [c.prompt for c in call.did if isinstance(c, Think) and c.why is Why.SILENCE] == [1, 2]
    call.tell(MediaStopped(call.clock, "closed_by_us"))
    assert call.finished == "silence"


def test_a_word_during_the_goodbye_goes_on_with_the_call(call: Talk) -> None:
    silent(call).says("wait i am here")
    assert call.turn.state is State.DELIBERATING
    assert call.turn.prompts == 0


def test_the_prompt_never_falls_into_an_open_utterance(call: Talk) -> None:
    call.greets().wait(5.9)
    call.starts().wait(10.0)
    assert call.turn.state is State.LISTENING


def test_a_cough_does_not_put_off_the_prompt(call: Talk) -> None:
    call.greets()
    for _ in range(5):
        call.wait(1.0)
        call.starts().ends("", 0.2)
    call.wait(1.1)
    assert call.turn.state is State.PROMPTING


@pytest.mark.parametrize(("helper", "state"), [(True, State.TRANSFERRING), (False, State.CLOSING)])
def test_three_replies_without_progress_escalate(call: Talk, helper: bool, state: State) -> None:
    call.greets()
    for _ in range(3):
        call.says("gibberish again").answers(progress=False, helper=helper).plays(state)
    assert call.turn.state is state


@pytest.mark.parametrize(("helper", "state"), [(True, State.TRANSFERRING), (False, State.CLOSING)])
def test_speech_without_words_is_asked_about_twice(call: Talk, helper: bool, state: State) -> None:
    call.greets()
    for _ in range(2):
        call.starts().ends("", 0.8)
        assert call.turn.why is Why.MISHEARD
        call.answers(helper=helper).plays()
    call.starts().ends("", 0.8)
    assert call.turn.state is state


def test_a_filler_comes_when_a_tool_has_run_400_ms_and_the_caller_has_waited_800(call: Talk) -> None:
    call.greets().says("is tuesday free").wait(0.1)
    call.uses_tool().wait(0.69)
    assert not [c for c in call.did if isinstance(c, Say)]
    call.wait(0.02)
    assert [c.line for c in call.did if isinstance(c, Say)] == [Line.FILLER]


def test_audio_that_runs_dry_waits_for_the_tool_or_else_for_the_thinker(call: Talk) -> None:
    call.greets().says("is tuesday free").think("plain")
    call.uses_tool().plays(State.SPEAKING).wait(2.0)
    call.plays(State.WAITING)
    assert call.deadlines[Timer.FILLER] == pytest.approx(call.clock + 0.8), "the caller waits from here on"
    call.tell(call.finish_tools())
    call.think("plain")
    call.plays(State.SPEAKING).plays()
    assert call.turn.state is State.DELIBERATING


def test_a_result_waits_for_the_filler_s_end(call: Talk) -> None:
    call.greets().says("is tuesday free").uses_tool().wait(0.81)
    call.plays(State.SPEAKING).tell(call.finish_tools())
    assert call.turn.state is State.SPEAKING
    assert call.transport.segments == ("filler",)
    call.answers()
    assert call.transport.segments == ("filler", "plain")


# ── Law 6: a way out, and what breaks ────────────────────────────────────────────────────────────────────────────────


def test_a_reply_that_fails_is_tried_once_more_and_then_we_apologise(call: Talk) -> None:
    call.greets().says("what does it cost").tell(call.fail())
    assert call.turn.state is State.DELIBERATING
    call.tell(call.fail())
    assert call.turn.state is State.CLOSING
    assert [c.line for c in call.did if isinstance(c, Say)] == [Line.APOLOGY]


def test_a_thinker_that_fails_under_a_suspicion_is_asked_again_if_it_was_a_cough(call: Talk) -> None:
    call.greets().says("what does it cost").think("plain")
    call.plays(State.SPEAKING).starts().tell(call.fail())
    assert call.turn.state is State.LISTENING
    call.ends()
    assert call.turn.state is State.DELIBERATING
    assert call.asked_for == "what does it cost"


def test_a_thinker_that_fails_under_a_suspicion_yields_to_the_caller_s_words(call: Talk) -> None:
    call.greets().says("what does it cost").think("plain")
    call.plays().starts().tell(call.fail())
    call.ends("no something else", 0.8)
    assert call.asked_for == "no something else"


def test_a_thinker_that_restarts_when_it_is_done_costs_nothing(call: Talk) -> None:
    reply = speaking(call).turn.reply
    call.tell(call.restart("thinker"))
    assert call.turn.reply == reply
    call.tell(call.restart("speaker"))
    assert call.turn.reply != reply


def test_a_second_actor_s_end_does_not_cut_the_apology(call: Talk) -> None:
    call.greets().tell(ActorDown("listener", "it broke", call.clock))
    assert call.turn.state is State.CLOSING
    for actor in ("speaker", "thinker"):
        call.tell(ActorDown(actor, "it broke", call.clock))
    assert not call.transport.closing


def test_the_apology_cannot_be_interrupted(call: Talk) -> None:
    call.greets().tell(ActorDown("thinker", "it broke", call.clock))
    call.says("no wait")
    assert call.turn.state is State.CLOSING


def test_a_drain_while_yielding_says_its_line_and_ends(call: Talk) -> None:
    speaking(call).starts().tell(Draining(call.clock))
    assert call.turn.state is State.CLOSING
    assert not call.transport.held
    call.ends("but i", 0.8).plays().wait(0.61)
    call.tell(MediaStopped(call.clock, "closed_by_us"))
    assert call.finished == "drained"


def test_a_drain_during_the_goodbye_lets_nobody_go_on(call: Talk) -> None:
    silent(call).tell(Draining(call.clock))
    call.says("wait i am here")
    assert call.turn.state is State.CLOSING


def test_a_shutdown_after_we_handed_over_is_still_a_transfer(call: Talk) -> None:
    call.greets().says("a human please").answers(then=Then.TRANSFER).plays()
    assert call.transport.closing
    call.tell(ShutdownAsked(call.clock))
    assert call.finished == "transferred"


def test_noise_that_never_ends_while_we_speak_gives_the_caller_the_floor(call: Talk) -> None:
    speaking(call).starts().wait(15.01)
    assert call.turn.state is State.LISTENING


def test_a_listener_that_restarts_in_a_barge_in_has_nothing_to_confirm(call: Talk) -> None:
    speaking(call).starts().tell(call.restart("listener"))
    call.wait(0.71)
    assert call.turn.state is State.SPEAKING


def test_a_listener_that_restarts_in_an_utterance_does_not_leave_us_waiting_for_its_end(call: Talk) -> None:
    call.greets().starts().tell(call.restart("listener"))
    call.wait(6.01)
    assert call.turn.state is State.PROMPTING


def test_a_listener_that_restarts_while_the_caller_goes_on_does_not_lose_the_question(call: Talk) -> None:
    call.greets().says("what does it cost").starts().tell(call.restart("listener"))
    assert call.turn.state is State.DELIBERATING
    assert call.asked_for == "what does it cost"


def test_an_actor_that_restarts_while_the_caller_speaks_does_not_end_the_utterance(call: Talk) -> None:
    call.greets().starts().tell(call.restart("thinker"))
    call.wait(20.0)
    assert call.turn.state is State.LISTENING
    call.ends("on tuesday", 0.8)
    assert call.asked_for == "on tuesday"


def test_a_listener_that_restarts_between_keys_loses_none_of_them(call: Talk) -> None:
    keys(call.greets(), "1").starts().tell(call.restart("listener"))
    assert keys(call, "2#").asked_for == "1 2"


def test_words_that_come_only_with_the_end_of_the_utterance_interrupt_too(call: Talk) -> None:
    speaking(call).starts().ends("something else please", 0.8)
    assert call.turn.state is State.DELIBERATING
    assert call.asked_for == "something else please"


def test_a_greeting_that_fails_is_still_the_greeting(call: Talk) -> None:
    call.connect().tell(call.fail())
    assert call.turn.state is State.GREETING
    assert call.answers().plays().turn.state is State.LISTENING


def test_a_key_does_not_stop_the_apology(call: Talk) -> None:
    call.greets().tell(ActorDown("thinker", "it broke", call.clock))
    keys(call, "1")
    assert call.turn.state is State.CLOSING


def test_a_human_takes_over_where_thinking_fails(call: Talk) -> None:
    call.greets().says("a question").answers(helper=True).plays()
    call.says("another question").tell(call.fail())
    call.tell(call.fail())
    assert call.turn.state is State.TRANSFERRING
    call.plays()
    assert call.handed_over


def test_a_cough_in_the_greeting_resumes_the_greeting(call: Talk) -> None:
    call.connect().starts().ends().wait(0.71)
    assert call.turn.state is State.GREETING


def test_a_cough_in_a_prompt_resumes_the_prompt(call: Talk) -> None:
    call.greets().wait(6.01)
    call.starts().ends().wait(0.71)
    assert call.turn.state is State.PROMPTING


def test_a_cough_in_the_goodbye_resumes_the_goodbye(call: Talk) -> None:
    silent(call).starts().ends().wait(0.71)
    assert call.turn.state is State.CLOSING
    call.plays().wait(0.61)
    assert call.transport.closing


def test_a_voice_that_dies_in_the_goodbye_ends_the_call_as_decided(call: Talk) -> None:
    silent(call).tell(call.restart("speaker"))
    assert call.transport.closing
    call.tell(MediaStopped(call.clock, "closed_by_us"))
    assert call.finished == "silence"


def test_last_words_that_may_not_be_told_end_the_call_as_decided(call: Talk) -> None:
    silent(call).tell(ThinkFailed(call.turn.reply, "it cannot be put on record", call.clock))
    assert call.transport.closing
    call.tell(MediaStopped(call.clock, "closed_by_us"))
    assert call.finished == "silence"


def test_a_transfer_whose_words_may_not_be_told_is_made_all_the_same(call: Talk) -> None:
    call.greets().says("a human please").answers(then=Then.TRANSFER).plays(State.TRANSFERRING)
    assert call.turn.state is State.TRANSFERRING
    call.tell(ThinkFailed(call.turn.reply, "it cannot be put on record", call.clock))
    assert call.handed_over
    assert call.transport.closing
