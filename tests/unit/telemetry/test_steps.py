from __future__ import annotations

import pytest

from agentd.messages import Logged, Timer, UseTool
from telemetry.steps import CallSteps
from telemetry.turns import Finished, LateTool, TurnRecord
from tests.unit.telemetry.script import Script

LOOK = UseTool("t1", "free_slots", {"day": "tuesday"})


def read(entries: list[Logged]) -> list[Finished]:
    steps = CallSteps()
    return [over for entry in entries for over in steps.feed(entry)]


def turns(script: Script) -> list[TurnRecord]:
    return [over for over in read(script.entries) if isinstance(over, TurnRecord)]


def turn(script: Script, number: int) -> TurnRecord:
    (found,) = [record for record in turns(script) if record.number == number]
    return found


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


# ── An ordinary turn ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_turn_is_given_when_the_next_begins_and_the_last_when_the_call_ends() -> None:
    script = Script().greeted().wait(1).says("when are you open").speaks("At nine.")
    assert [record.number for record in turns(script)] == [1]
    assert [record.number for record in turns(script.wait(1).hangs_up())] == [1, 2]


def test_the_stages_of_the_gap_add_up_to_it() -> None:
    script = Script().greeted().wait(1).says("when are you open").speaks("At nine.").wait(1).hangs_up()
    record = turn(script, 2)
    gap = record.gap
    assert gap is not None
    assert gap.seconds == near(0.32 + 0.1 + 0.05)
    assert sum(gap.stages.values()) == near(gap.seconds)
    assert gap.stages == {
        "endpointing": near(0.3),
        "recognizer": near(0.02),
        "think": near(0.04),
        "voice": near(0.08),
        "wire": near(0.03),
    }
    assert not gap.filler
    assert gap.answer is None


def test_a_turn_tells_every_stage_with_its_times() -> None:
    script = Script().greeted().wait(1)
    zero = script.t
    script.flow = "hours"
    script.says("when are you open").speaks("At nine.").wait(1).hangs_up()
    record = turn(script, 2)
    (speech,) = record.speech
    assert (speech.start, speech.end, speech.decided, speech.final) == tuple(
        map(near, (zero, zero + 1, zero + 1.3, zero + 1.32))
    )
    assert (speech.delay, speech.why, speech.text) == (0.3, "complete", "when are you open")
    (thought,) = record.rounds
    assert (thought.start, thought.first, thought.end) == (near(zero + 1.32), near(zero + 1.36), near(zero + 1.42))
    assert thought.status == "done"
    (voice,) = record.voices
    assert (voice.start, voice.end) == (near(zero + 1.36), near(zero + 1.44))
    (played,) = record.playbacks
    assert (played.start, played.end, played.how) == (near(zero + 1.47), near(zero + 2.47), "heard")
    assert (record.why, record.state, record.flow) == ("reply", "listening", "hours")
    assert (record.heard, record.verdict, record.lines) == ("whole", "keep", ("At nine.",))
    assert (record.start, record.end) == (near(zero), near(zero + 2.47))


def test_a_reply_that_is_all_the_machines_own_has_every_stage_too() -> None:
    script = Script().greeted().wait(1).says("hold tuesday").thinks().wait(0.05).speaks_out("Shall I hold it?").wait(1)
    gap = turn(script.hangs_up(), 2).gap
    assert gap is not None
    assert (gap.stages["think"], gap.stages["voice"], gap.stages["wire"]) == (near(0.1), near(0.02), near(0.03))
    assert sum(gap.stages.values()) == near(gap.seconds)


def test_the_greeting_is_a_turn_without_a_gap() -> None:
    record = turn(Script().greeted().wait(1).hangs_up(), 1)
    assert record.why == "opening"
    assert record.gap is None
    assert record.speech == ()


# ── Barge-in ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def speaking() -> Script:
    """Turn 2 is being heard for half a second."""
    script = Script().greeted().wait(1).says("when are you open").thinks("We open at nine.").wait(0.05)
    return script.began().wait(0.06).audible().wait(0.44)


def test_a_confirmed_barge_in_belongs_to_the_turn_it_cut_and_its_words_to_the_next() -> None:
    script = speaking().onset(0.2)
    onset = script.t
    cut = script.reply
    script.held("We open at nine.", 7).wait(0.1).partial("no wait").stopped(cut, "We open at nine.", 7)
    confirmed = script.t
    script.wait(1).ended("no wait on sunday").speaks("On Sunday we are closed.").wait(1).hangs_up()
    record = turn(script, 2)
    (barge_in,) = record.barge_ins
    assert (barge_in.verdict, barge_in.cause) == ("confirmed", "words")
    assert (barge_in.suspected, barge_in.voice, barge_in.decided) == (near(onset), near(onset - 0.2), near(confirmed))
    assert barge_in.last_sample == near(onset)
    assert (record.heard, record.verdict, record.lines) == ("cut", "drop", ("We open",))
    assert [played.how for played in record.playbacks] == ["held"]
    assert [(raised.epoch, raised.cause) for raised in record.raised] == [(1, "caller")]
    assert record.reopened == ()
    after = turn(script, 3)
    assert [speech.text for speech in after.speech] == ["no wait on sunday"]
    assert after.start == near(onset - 0.2)
    assert after.barge_ins == ()


def test_a_barge_in_that_only_its_end_confirms_waits_for_what_was_heard() -> None:
    script = speaking().onset(0.2)
    cut = script.reply
    script.held("We open at nine.", 7).wait(0.5).ended("no")
    assert [record.number for record in turns(script)] == [1], "what was heard of turn 2 is not known yet"
    script.stopped(cut, "We open at nine.", 7)
    assert turn(script, 2).lines == ("We open",)


@pytest.mark.parametrize(
    ("happens", "cause"),
    [
        (lambda s: s.partial("stop it"), "words"),
        (lambda s: s.long_speech(), "long_speech"),
        (lambda s: s.key("1"), "key"),
        (lambda s: s.timer(Timer.STUCK), "patience"),
        (lambda s: s.fails(), "failure"),
    ],
)
def test_a_barge_in_knows_its_cause(happens: object, cause: str) -> None:
    script = speaking().onset(0.2).held("We open at nine.", 7).wait(0.1)
    happens(script)  # type: ignore[operator]
    (barge_in,) = turn(script.stopped().wait(1).hangs_up(), 2).barge_ins
    assert (barge_in.verdict, barge_in.cause) == ("confirmed", cause)


def test_words_behind_the_question_are_an_answer() -> None:
    script = speaking().asked().wait(0.3).onset(0.2).held("When?", 5).wait(0.2).partial("tuesday")
    (barge_in,) = turn(script.stopped().wait(1).hangs_up(), 2).barge_ins
    assert barge_in.cause == "answer"


def test_a_key_needs_no_suspicion() -> None:
    script = speaking().key("1").stopped().wait(1.5).timer(Timer.KEYS).speaks("One.").wait(1).hangs_up()
    assert turn(script, 2).barge_ins == ()
    assert [raised.cause for raised in turn(script, 2).raised] == ["key"]
    assert turn(script, 2).reopened == ()
    record = turn(script, 3)
    assert [(s.why, s.delay, s.text) for s in record.speech] == [("keys", near(1.5), "1")]
    assert record.gap is not None
    assert record.gap.seconds == near(1.5 + 0.15)


def test_a_rejected_barge_in_changes_nothing_but_the_playback() -> None:
    script = speaking().onset(0.2)
    onset = script.t
    script.held("We open at nine.", 7).wait(0.4).ended("", voiced=0.1)
    rejected = script.t
    script.wait(0.38).timer(Timer.RESUME)
    script.wait(0.02).began(made=0.9).wait(0.8).heard("We open at nine.").reply_heard().wait(1).hangs_up()
    record = turn(script, 2)
    (barge_in,) = record.barge_ins
    assert (barge_in.verdict, barge_in.cause) == ("rejected", "")
    assert (barge_in.suspected, barge_in.decided, barge_in.resumed) == (near(onset), near(rejected), near(rejected + 0.38))
    assert [played.how for played in record.playbacks] == ["held", "heard"]
    assert (record.heard, record.verdict, record.attempts) == ("whole", "keep", 1)
    assert record.gap is not None
    assert record.gap.seconds == near(0.47)
    assert len(record.speech) == 1


def test_words_between_keys_belong_to_the_turn_that_the_number_ends() -> None:
    script = Script().greeted().wait(1).key("4").wait(0.2).onset(0.1).wait(0.8).ended("and my name is ann")
    script.wait(1).timer(Timer.KEYS).speaks("Thanks.").wait(1).hangs_up()
    assert [record.number for record in turns(script)] == [1, 2]
    assert [(speech.why, speech.text[:3]) for speech in turn(script, 2).speech] == [("complete", "and"), ("keys", "and")]


def test_a_caller_who_speaks_before_the_greeting_is_heard_reopens_it() -> None:
    script = Script().start().thinks("Hello.").wait(0.05).began().wait(0.03).onset(0.1).held().wait(0.1).partial("i need help")
    script.stopped().wait(0.5).ended("i need help").speaks("Sure.").wait(1).hangs_up()
    (record,) = turns(script)
    assert (record.number, record.why, len(record.reopened), record.attempts) == (1, "reply", 1, 2)
    assert [speech.text for speech in record.speech] == ["i need help"]


def test_one_suspicion_may_have_two_noises() -> None:
    script = speaking().onset(0.2).held("We open at nine.", 7).wait(0.4).ended("", voiced=0.1)
    script.wait(0.3).onset(0.2).wait(0.3).partial("stop please").stopped().wait(1).ended("stop please")
    (barge_in,) = turn(script, 2).barge_ins
    assert barge_in.verdict == "confirmed"


def test_a_suspicion_whose_reply_fails_has_lapsed() -> None:
    script = speaking().onset(0.2).held("We open at nine.", 7).wait(0.4).ended("", voiced=0.1)
    script.wait(0.1).restarted("speaker").stopped().speaks("We open at nine.").wait(1).hangs_up()
    record = turn(script, 2)
    assert [barge_in.verdict for barge_in in record.barge_ins] == ["lapsed"]
    assert record.attempts == 2
    assert [(voice.epoch, voice.end - voice.start) for voice in record.voices] == [(0, near(0.08)), (1, near(0.08))]
    assert [failure.actor for failure in record.failures] == ["speaker"]


def test_a_barge_in_into_a_whole_reply_that_was_heard_keeps_its_words() -> None:
    script = speaking().onset(0.2).held().wait(0.1).partial("no wait").stopped()
    assert turn(script.wait(1).hangs_up(), 2).heard == "cut", "it was audible, though no whole word was"


# ── Reopened ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reopened_turn_is_one_turn_and_its_gap_counts_from_its_last_words() -> None:
    script = Script().greeted().wait(1).says("i would like").wait(0.1).onset(0.1)
    reopened = script.t
    script.stopped().wait(1.22).ended("an appointment").speaks("Sure.").wait(1).hangs_up()
    assert [record.number for record in turns(script)] == [1, 2]
    record = turn(script, 2)
    assert [speech.text for speech in record.speech] == ["i would like", "an appointment"]
    assert record.reopened == (near(reopened),)
    assert [thought.status for thought in record.rounds] == ["dropped", "done"]
    assert record.attempts == 2
    assert record.gap is not None
    assert record.gap.seconds == near(0.47)


def test_a_turn_that_is_reopened_while_audio_was_not_yet_heard_has_no_gap_before_its_end() -> None:
    script = Script().greeted().wait(1).says("i would like").thinks("What?").wait(0.05).began().wait(0.03).onset(0.1)
    script.held().wait(0.1).partial("an appointment").stopped().wait(0.5).ended("an appointment")
    script.speaks("Sure.").wait(1).hangs_up()
    record = turn(script, 2)
    assert [barge_in.verdict for barge_in in record.barge_ins] == ["confirmed"]
    assert len(record.reopened) == 1
    assert [played.how for played in record.playbacks] == ["held", "heard"]
    assert record.gap is not None
    assert record.gap.seconds == near(0.47)


def test_a_noise_that_reopens_a_turn_adds_nothing_to_it() -> None:
    script = Script().greeted().wait(1).says("when are you open").wait(0.1).onset(0.1)
    script.stopped().wait(0.4).ended("", voiced=0.1).speaks("At nine.").wait(1).hangs_up()
    record = turn(script, 2)
    assert [speech.text for speech in record.speech] == ["when are you open", ""]
    assert len(record.reopened) == 1


# ── Prompts, tools, fillers ──────────────────────────────────────────────────────────────────────────────────────────


def test_prompts_are_turns_and_are_counted_until_the_caller_speaks() -> None:
    script = Script().greeted().wait(6).timer(Timer.SILENCE).speaks("Are you there?")
    script.wait(6).timer(Timer.SILENCE).speaks("Hello?").wait(1).says("yes i am").speaks("Good.")
    script.wait(6).timer(Timer.SILENCE).speaks("Are you there?").wait(1).hangs_up()
    assert [(record.why, record.prompt) for record in turns(script)] == [
        ("opening", 0),
        ("silence", 1),
        ("silence", 2),
        ("reply", 0),
        ("silence", 1),
    ]
    assert turn(script, 2).gap is None


def test_the_last_words_are_a_turn_of_their_own() -> None:
    script = Script().greeted()
    for _ in range(2):
        script.wait(6).timer(Timer.SILENCE).speaks("Are you there?")
    script.wait(6).timer(Timer.SILENCE).wait(0.1).speaks_out("Goodbye.").wait(0.6).timer(Timer.FAREWELL).hangs_up()
    record = turns(script)[-1]
    assert (record.why, record.rounds, record.state, record.heard) == ("goodbye", (), "closing", "whole")
    assert len(record.voices) == 1


def test_speech_without_words_is_asked_for_again_and_has_a_gap() -> None:
    script = Script().greeted().wait(1).says("").speaks("Pardon?").wait(1).hangs_up()
    record = turn(script, 2)
    assert record.why == "misheard"
    assert record.gap is not None
    assert record.gap.seconds == near(0.47)


def waiting() -> Script:
    """Turn 2 waits for a tool, silently."""
    return Script().greeted().wait(1).says("is tuesday free").thinks(tools=(LOOK,))


def test_a_tool_is_a_stage_between_two_rounds() -> None:
    script = waiting()
    asked = script.t
    script.wait(0.3).tool(LOOK, began=asked + 0.01).speaks("It is.").wait(1).hangs_up()
    record = turn(script, 2)
    (tool,) = record.tools
    assert (tool.name, tool.status) == ("free_slots", "done")
    assert (tool.start, tool.end) == (near(asked + 0.01), near(asked + 0.3))
    assert [thought.number for thought in record.rounds] == [0, 1]
    assert record.gap is not None
    assert record.gap.stages["think"] == near(0.1 + 0.3 + 0.04)
    assert not record.gap.filler


def test_a_filler_ends_the_gap_and_the_answer_has_its_own_time() -> None:
    script = waiting()
    final = script.t - 0.1
    script.wait(0.5).timer(Timer.FILLER).wait(0.1).began().wait(0.5).heard("One moment.", filler=True).dry()
    script.wait(0.2).tool(LOOK, began=final + 0.1).thinks("It is.").wait(0.05).began().wait(0.06).audible()
    script.wait(0.5).heard("It is.").reply_heard().wait(1).hangs_up()
    record = turn(script, 2)
    assert [(played.filler, played.how) for played in record.playbacks] == [(True, "dry"), (False, "heard")]
    gap = record.gap
    assert gap is not None
    assert gap.seconds == near(0.32 + 0.1 + 0.5 + 0.1)
    assert sum(gap.stages.values()) == near(gap.seconds)
    assert gap.filler
    assert gap.answer == near(0.32 + 0.1 + 0.5 + 0.1 + 0.5 + 0.2 + 0.15)
    assert record.lines == ("It is.",)


def test_a_tool_that_outlasts_its_turn_is_told_when_it_ends() -> None:
    script = waiting()
    began, reply = script.t, script.reply
    script.wait(0.2).onset().stopped().wait(1).ended("no on monday").thinks("Monday?").wait(0.05).speaks_out("Monday?")
    script.wait(1).says("yes please")
    script.wait(1).tool(LOOK, began=began, reply=reply)
    (late,) = [over for over in read(script.entries) if isinstance(over, LateTool)]
    assert (late.turn, late.tool.name, late.tool.start, late.tool.end) == (2, "free_slots", near(began), near(script.t))


def test_a_tool_that_the_call_did_not_wait_for_is_unfinished() -> None:
    record = turn(waiting().wait(0.5).hangs_up(), 2)
    assert [(tool.name, tool.status) for tool in record.tools] == [("free_slots", "unfinished")]
    assert record.tools[0].end - record.tools[0].start == near(0.5)


# ── Failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_round_that_fails_is_tried_again_in_the_same_turn() -> None:
    script = Script().greeted().wait(1).says("when are you open").wait(0.5).fails().stopped().speaks("At nine.").wait(1)
    record = turn(script.hangs_up(), 2)
    assert [thought.status for thought in record.rounds] == ["failed", "done"]
    assert record.attempts == 2
    assert [raised.cause for raised in record.raised] == ["failure"]
    assert len(record.speech) == 1
    assert record.verdict == "keep"


def test_a_part_that_stays_down_ends_in_an_apology() -> None:
    script = speaking()
    cut = script.reply
    script.down("speaker").stopped(cut, "We open at nine.", 7)
    script.wait(0.1).speaks_out("Sorry.").wait(0.6).timer(Timer.FAREWELL).hangs_up()
    record = turn(script, 2)
    assert [(failure.actor, failure.down) for failure in record.failures] == [("speaker", True)]
    assert (record.heard, record.verdict, record.lines) == ("cut", "drop", ("We open",))
    assert [played.how for played in record.playbacks] == ["stopped"]
    assert turns(script)[-1].why == "apology"


def test_an_answer_of_a_dropped_round_says_nothing_about_the_next() -> None:
    script = Script().greeted().wait(1).says("when are you open").wait(0.1)
    stale = script.reply
    script.fails()
    script.tell(_round(script, stale), None).stopped().speaks("At nine.").wait(1)
    assert [thought.status for thought in turn(script.hangs_up(), 2).rounds] == ["failed", "done"]


def _round(script: Script, reply: object) -> object:
    from agentd.messages import Reply, RoundDone

    assert isinstance(reply, Reply)
    return RoundDone(reply, 0, (), ("Old.",), script.t, script.t, script.t)


# ── The call ends ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("script", "state"),
    [
        (Script().start(), "greeting"),
        (Script().greeted(), "listening"),
        (Script().greeted().wait(1).says("hi there"), "deliberating"),
        (speaking(), "speaking"),
        (speaking().onset(0.2), "yielding"),
        (waiting(), "waiting"),
        (Script().greeted().wait(6).timer(Timer.SILENCE), "prompting"),
        (speaking().down("speaker"), "closing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_call_may_end_in_any_state(script: Script, state: str) -> None:
    script.wait(0.5).hangs_up()
    record = turns(script)[-1]
    assert record.state == state
    assert record.end <= script.t + 1e-9
    assert all(stage.end >= stage.start for stage in (*record.rounds, *record.voices, *record.playbacks, *record.tools))
    assert record.verdict == ("keep" if state == "listening" else "drop")
    if state == "speaking":
        assert [played.how for played in record.playbacks] == ["hung up"]
    if state == "yielding":
        assert [barge_in.verdict for barge_in in record.barge_ins] == ["lapsed"]


def test_a_call_that_never_began_has_no_turn() -> None:
    assert turns(Script().hangs_up()) == []


def test_a_log_that_is_cut_gives_its_turn_all_the_same() -> None:
    steps = CallSteps()
    script = speaking()
    given = [over for entry in script.entries for over in steps.feed(entry)]
    (last,) = steps.end(script.t + 1)
    assert isinstance(last, TurnRecord)
    assert (last.number, last.state) == (2, "speaking")
    assert len(given) == 1
    assert steps.end(script.t + 2) == []
