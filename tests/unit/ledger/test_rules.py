"""The rules of the ledger, sentence by sentence: classes, tellings, a yes, the freeze, words, and the end of the call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentd.ledger.book import Telling
from agentd.ledger.events import (
    Ask,
    Begin,
    Clock,
    Cut,
    Done,
    Due,
    Ended,
    Entered,
    No,
    Played,
    Rejected,
    Release,
    Retracted,
    Says,
    Send,
    Suspected,
    Void,
    Words,
)
from agentd.ledger.row import Fact, Kind, Told, Verdict, Why
from agentd.ledger.rules import ASK_MARGIN_S, FREEZE_S, step
from agentd.messages import Mode
from tests.unit.ledger.script import COMPENSABLE, DEFERRED, HELD, PIVOT, Call, effect

ASSENT, NO, RETRACT, OTHER = Says
DO, CONFIRM, UNDO, ACT = Ask.DO, Ask.CONFIRM, Ask.UNDO, Ask.ACT

# ── §3 and §4: what each class does on each path ─────────────────────────────────────────────────────────────────────────

CLASSES = {
    "compensable": effect("a", COMPENSABLE),
    "held, told": effect("a", HELD),
    "held, asked": effect("a", HELD, keep_on="yes"),
    "deferred": effect("a", DEFERRED),
    "pivot": effect("a", PIVOT),
}
ON_KEEP = {"compensable": [DO], "held, told": [DO, CONFIRM], "held, asked": [DO, CONFIRM], "deferred": [ACT], "pivot": [ACT]}
ON_DROP = {"compensable": [DO, UNDO], "held, told": [DO, UNDO], "held, asked": [DO, UNDO], "deferred": [], "pivot": []}
ASKS = {"held, asked", "pivot"}
KEPT_AS = {"compensable": Fact.THERE, "deferred": Fact.THERE, "pivot": Fact.THERE}


def opened(name: str, **traits: object) -> Call:
    """A call with that class of effect, got as far as it goes by itself."""
    given = CLASSES[name]
    return Call(replace(given, traits=replace(given.traits, **traits))).done()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CLASSES)
def test_an_effect_acts_at_once_or_on_keep_and_is_done_once(name: str) -> None:
    call = opened(name)
    assert call.sent("a") == (ON_KEEP[name][:1] if name not in {"deferred", "pivot"} else [])
    call.tells("a").says(ASSENT).done()
    assert call.sent("a") == ON_KEEP[name]
    assert call["a"].kept
    assert call["a"].fact is KEPT_AS.get(name, Fact.CONFIRMED)
    assert call["a"].done


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("by", ["retract", "retracted", "left", "late", "ended untold"])
def test_a_dropped_effect_is_undone_where_anything_was_done(name: str, by: str) -> None:
    call = opened(name)
    event = {"retracted": Retracted("a"), "left": Entered(frozenset({"other"})), "ended untold": Ended()}
    if by == "retract":
        call.says(RETRACT)
    elif by == "late":
        call.due(Clock.OPEN, "a")
    else:
        call.take(event[by])
    call.done("a")
    assert call.sent("a") == ON_DROP[name]
    assert (call["a"].verdict, call["a"].fact) == (Verdict.DROP, Fact.ABSENT)


@pytest.mark.parametrize("name", CLASSES)
def test_a_definite_refusal_makes_it_absent_and_drops_it_in_one_step(name: str) -> None:
    call = Call(CLASSES[name])
    if name in {"deferred", "pivot"}:
        call.tells("a").says(ASSENT)
    call.answered("a", ACT if name in {"deferred", "pivot"} else DO, No("full"))
    assert call["a"].fact is Fact.ABSENT
    assert call["a"].dropped == call["a"].before, "what was kept stays kept, and has failed"
    assert call["a"].failed == (not call["a"].before)
    assert call.owed == ([("a", Mode.UNTELL)] if call["a"].failed else [])


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("end", ["hang-up", "death"])
@pytest.mark.parametrize("on_doubt", ["keep", "drop"])
def test_a_telling_begun_when_the_call_ends_is_doubt_and_a_question_is_a_no(name: str, end: str, on_doubt: str) -> None:
    call = opened(name, on_doubt=on_doubt)
    call.begins("a")
    _ = call.take(Ended()) if end == "hang-up" else call.dies()
    call.done("a")
    kept = name not in ASKS and on_doubt == "keep"
    assert call["a"].verdict is (Verdict.KEEP if kept else Verdict.DROP)
    assert call.sent("a") == (ON_KEEP if kept else ON_DROP)[name]
    assert call.has("a.notice"), "one notice is owed"


def test_a_verdict_is_given_once() -> None:
    call = opened("compensable").kept("a")
    call.says(RETRACT).take(Retracted("a"), Entered(frozenset()), Ended())
    assert (call["a"].verdict, call["a"].why) == (Verdict.KEEP, Why.TOLD)
    dropped = opened("compensable").take(Retracted("a"))
    key = dropped.begins("a", Mode.TELL)
    dropped.take(Played("a", key, 9)).says(ASSENT).take(Ended())
    assert (dropped["a"].verdict, dropped["a"].why) == (Verdict.DROP, Why.RETRACTED)


def test_what_was_never_told_and_is_dropped_owes_nothing() -> None:
    call = opened("compensable").take(Entered(frozenset())).done("a").take(Ended())
    assert not call.has("a.notice")
    assert call.owed == []


# ── 1: write-ahead ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_step_that_sends_has_the_arrow_on_record() -> None:
    call = opened("held, told").kept("a")
    assert call["a"].fact is Fact.CONFIRMING
    assert call.actions[-1] == Send("a", CONFIRM)
    call = opened("compensable").take(Retracted("a"))
    assert (call["a"].fact, call.actions[-1]) == (Fact.UNDOING, Send("a", UNDO))


def test_a_telling_is_on_record_before_it_is_released() -> None:
    call = opened("compensable")
    book, actions = step(call.book, Begin("a", Mode.TELL, "k"))
    assert book.rows[0].told is Told.TELLING
    assert actions == (Release("a", "k"),)
    book, _ = step(opened("pivot").book, Begin("a", Mode.ASK, "k"))
    assert book.rows[0].told is Told.ASKED


def test_what_is_not_owed_any_more_is_not_said() -> None:
    call = opened("compensable").take(Retracted("a"))
    _, actions = step(call.book, Begin("a", Mode.TELL, "k"))
    assert actions == (Void("a", "k"),)
    _, actions = step(call.book, Begin("nobody", Mode.TELL, "k"))
    assert actions == (Void("nobody", "k"),)


# ── 3 and 4: each effect commits alone, one guard after its telling point ────────────────────────────────────────────────


def test_each_effect_commits_alone_and_they_are_told_in_the_order_of_their_rows() -> None:
    call = Call(effect("a", COMPENSABLE), effect("b", COMPENSABLE)).done()
    assert call.owed == [("a", Mode.TELL), ("b", Mode.TELL)]
    call.kept("a")
    assert call.verdicts("a", "b") == ["keep", "open"]


def test_keep_falls_due_a_guard_after_the_telling_point() -> None:
    call = opened("compensable").tells("a")
    assert call["a"].open
    assert Clock.GUARD in call.armed("a")
    call.due(Clock.GUARD, "a")
    assert (call["a"].verdict, call["a"].told) == (Verdict.KEEP, Told.TOLD)
    assert call.book.tellings == (), "and nothing of it waits for an answer any more"


def test_speech_inside_the_guard_freezes_it() -> None:
    call = opened("compensable").tells("a").take(Suspected())
    assert Clock.GUARD not in call.armed("a")
    assert call["a"].open


def test_an_assent_whose_onset_is_behind_the_telling_point_counts_as_told() -> None:
    call = opened("compensable").tells("a").says(ASSENT)
    assert (call["a"].verdict, call["a"].why, call["a"].told) == (Verdict.KEEP, Why.ASSENT, Told.TOLD)


def test_an_assent_that_began_before_the_telling_point_is_told_again() -> None:
    call = opened("compensable")
    onset = call.pos
    call.tells("a").says(ASSENT, onset)
    assert call["a"].open
    assert call.owed == [("a", Mode.TELL)]


def test_an_assent_keeps_nothing_that_was_not_told() -> None:
    call = Call(effect("a", COMPENSABLE), effect("b", COMPENSABLE)).done().tells("a").says(ASSENT)
    assert call.verdicts("a", "b") == ["keep", "open"]


# ── 5: a yes binds ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(ASKS))
def test_a_yes_binds_to_the_question_that_was_heard(name: str) -> None:
    call = opened(name).tells("a").says(ASSENT)
    assert (call["a"].verdict, call["a"].why) == (Verdict.KEEP, Why.YES)


@pytest.mark.parametrize("name", sorted(ASKS))
def test_a_yes_that_began_before_the_end_of_the_question_is_none(name: str) -> None:
    call = opened(name)
    onset = call.pos
    call.tells("a").says(ASSENT, onset)
    assert call["a"].open
    assert call.owed == [("a", Mode.ASK)]


def test_a_yes_counts_in_the_next_turn_only() -> None:
    call = opened("pivot").tells("a").says(OTHER).says(ASSENT)
    assert call["a"].open
    assert call.owed == [("a", Mode.ASK)]


def test_a_yes_is_to_the_last_question_alone() -> None:
    call = Call(effect("a", PIVOT), effect("b", PIVOT)).tells("a").tells("b").says(ASSENT)
    assert call.verdicts("a", "b") == ["open", "keep"]


def test_a_question_does_not_keep_by_being_heard() -> None:
    call = opened("held, asked").tells("a")
    assert Clock.GUARD not in call.armed("a")


@pytest.mark.parametrize("name", sorted(ASKS))
def test_a_no_to_the_question_drops_it_and_owes_nothing(name: str) -> None:
    call = opened(name).tells("a").says(NO).done("a").take(Ended())
    assert (call["a"].verdict, call["a"].why) == (Verdict.DROP, Why.REFUSED_BY_CALLER)
    assert not call.has("a.notice")


def test_a_no_without_a_question_leaves_what_is_open() -> None:
    call = opened("compensable").tells("a").says(NO)
    assert call["a"].open
    assert call.owed == [("a", Mode.TELL)]


# ── 6: a hold outlives its turn ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_hold_is_confirmed_on_yes_and_then_said_to_be_done() -> None:
    call = opened("held, asked").tells("a").says(ASSENT)
    assert call.owed == [], "not before it is confirmed"
    call.done()
    assert call.owed == [("a", Mode.TELL)]
    call.tells("a")
    assert call["a"].told is Told.TOLD
    assert call.owed == []


def test_a_hold_outlives_its_turn() -> None:
    call = opened("held, asked").tells("a").says(OTHER).says(OTHER)
    assert call["a"].open
    assert call.owed == [("a", Mode.ASK)]


def test_a_hold_with_too_little_time_left_is_prepared_again_and_not_asked_about() -> None:
    call = Call(effect("a", HELD, keep_on="yes"))
    call.answered("a", DO, Done("{}", 60.0, 1060.0))
    assert call.times(Clock.STALE) == [60.0 - ASK_MARGIN_S]
    call.due(Clock.STALE, "a")
    assert call.owed == []
    assert call.facts("a", "a.r") == ["there", "sent"], "get the new, then drop the old"
    call.answered("a.r", DO)
    assert call["a"].dropped
    assert call.owed == [("a.r", Mode.ASK)]


def test_a_hold_is_prepared_again_once_then_dropped_and_said_so() -> None:
    call = opened("held, asked").tells("a").due(Clock.STALE, "a").says(OTHER).done("a", "a.r")
    assert call["a.r"].told is Told.ASKED, "it inherits that it was asked"
    call.due(Clock.STALE, "a.r")
    assert (call["a.r"].verdict, call["a.r"].why) == (Verdict.DROP, Why.EXPIRED)
    assert not call.has("a.r.r")
    call.done()
    assert call.owed == [("a.r", Mode.UNTELL)]


def test_a_hold_that_cannot_be_prepared_again_is_dropped() -> None:
    call = opened("held, asked").due(Clock.STALE, "a").answered("a.r", DO, No("full"))
    assert call.verdicts("a", "a.r") == ["drop", "drop"]
    assert len(call.book.rows) == 2


def test_a_stale_hold_is_left_alone_while_its_question_waits_for_an_answer() -> None:
    call = opened("held, asked").tells("a").due(Clock.STALE, "a")
    assert not call.has("a.r")
    assert call.says(ASSENT)["a"].kept


def test_what_needs_a_hold_stays_when_it_is_prepared_again() -> None:
    call = Call(effect("a", HELD), effect("text", DEFERRED, needs=("a",))).done().kept("text")
    call.due(Clock.STALE, "a").done("a", "a.r")
    assert call["text"].needs == ("a.r",)
    call.kept("a.r").done()
    assert call["text"].done


def test_a_hold_that_nobody_says_the_time_of_is_prepared_again() -> None:
    call = Call(effect("a", HELD, status=True)).answered("a", DO, Done("{}"))
    assert call.has("a.r")


def test_a_hold_that_ends_is_dropped_without_a_request() -> None:
    call = opened("held, asked").tells("a").due(Clock.EXPIRES, "a")
    assert (call["a"].fact, call["a"].verdict, call["a"].why) == (Fact.ABSENT, Verdict.DROP, Why.EXPIRED)
    assert call.sent("a") == [DO]
    assert call.owed == [("a", Mode.UNTELL)]


def test_its_time_to_live_lets_go_of_a_hold_whose_cancelling_nobody_knows() -> None:
    call = opened("held, told").take(Retracted("a")).answered("a", UNDO, No("closed"))
    assert not call["a"].stuck
    call.due(Clock.EXPIRES, "a")
    assert call["a"].fact is Fact.ABSENT


# ── 9: suspected barge-in freezes verdicts ───────────────────────────────────────────────────────────────────────────────


def test_while_frozen_marks_are_recorded_and_nothing_is_kept() -> None:
    call = opened("compensable")
    key = call.begins("a")
    call.take(Suspected(), Played("a", key, 7))
    assert call.book.tellings == (Telling("a", Mode.TELL, key, 7),)
    assert call["a"].open
    assert Clock.GUARD not in call.armed("a")


def test_while_frozen_the_outbox_holds() -> None:
    call = Call(effect("a", HELD), effect("text", DEFERRED, needs=("a",))).done().kept("a").kept("text").take(Suspected())
    call.answered("a", CONFIRM)
    assert call.sent("text") == []
    call.take(Rejected())
    assert call.sent("text") == [ACT]


def test_rejected_it_falls_due_a_guard_later() -> None:
    call = opened("compensable").tells("a").take(Suspected(), Rejected())
    assert call["a"].open
    assert call.due(Clock.GUARD, "a")["a"].kept


def test_three_seconds_without_words_end_the_freeze() -> None:
    call = opened("compensable").tells("a").take(Suspected())
    assert call.times(Clock.FREEZE) == [FREEZE_S]
    call.due(Clock.FREEZE).due(Clock.GUARD, "a")
    assert call["a"].kept


def test_speech_that_goes_on_freezes_for_as_long() -> None:
    call = opened("compensable").tells("a").take(Suspected(), Suspected())
    assert call.times(Clock.FREEZE) == [FREEZE_S, FREEZE_S]


def test_while_frozen_no_deadline_drops_what_the_caller_may_be_saying_yes_to() -> None:
    call = opened("compensable").tells("a").take(Suspected()).due(Clock.OPEN, "a")
    assert call["a"].open
    assert Clock.OPEN in call.armed("a")
    assert call.says(ASSENT, call.pos)["a"].kept


# ── 10: the caller's finished turn decides ───────────────────────────────────────────────────────────────────────────────


def test_a_retraction_rolls_back_at_once_whatever_was_told() -> None:
    call = Call(effect("a", COMPENSABLE), effect("b", DEFERRED, needs=("a",)), effect("c", PIVOT)).done("a").tells("a")
    call.says(RETRACT)
    assert call.verdicts("a", "b", "c") == ["drop", "drop", "drop"]
    assert call.sent("a") == [DO, UNDO]
    assert call.done("a").owed == [], "the caller knows"
    assert not call.take(Ended()).has("a.notice")


@pytest.mark.parametrize("words", [OTHER, NO])
def test_anything_else_leaves_it_open_and_it_is_told_again(words: Says) -> None:
    call = opened("compensable").tells("a").says(words)
    assert call["a"].open
    assert call.owed == [("a", Mode.TELL)]


def test_after_two_cut_tellings_we_ask_whether_to_keep_it() -> None:
    call = opened("compensable").cut("a")
    assert call.owed == [("a", Mode.TELL)]
    call.cut("a")
    assert call.owed == [("a", Mode.CHECK)]
    assert call.tells("a").says(ASSENT)["a"].why == Why.YES
    assert call["a"].told is Told.TOLD


def test_a_telling_that_comes_to_nothing_by_words_counts_as_cut() -> None:
    call = opened("compensable").tells("a").says(OTHER).tells("a").says(OTHER)
    assert call.owed == [("a", Mode.CHECK)]


def test_we_ask_whether_to_keep_it_at_most_twice() -> None:
    call = opened("compensable").cut("a").cut("a").cut("a")
    assert call.owed == [("a", Mode.CHECK)]
    call.cut("a").done("a")
    assert (call["a"].verdict, call["a"].why) == (Verdict.DROP, Why.UNHEARD)
    assert call.owed == [("a", Mode.UNTELL)]


def test_a_question_that_is_cut_by_speech_is_given_up_only_when_the_speech_is_over() -> None:
    call = opened("compensable").cut("a").cut("a").cut("a")
    key = call.begins("a")
    call.take(Suspected(), Cut("a", key))
    assert call["a"].open
    call.take(Rejected())
    assert call["a"].dropped


@pytest.mark.parametrize(("words", "owes"), [(OTHER, True), (NO, False)])
def test_shall_i_keep_it_answered_by_anything_but_yes_drops_it(words: Says, owes: bool) -> None:
    call = opened("compensable").cut("a").cut("a").tells("a").says(words).done("a")
    assert call["a"].dropped
    assert call.take(Ended()).has("a.notice") is owes


@pytest.mark.parametrize("event", [Entered(frozenset({"other"})), Ended()])
def test_what_is_never_told_is_rolled_back(event: Entered | Ended) -> None:
    call = opened("compensable").take(event).done("a")
    assert (call["a"].verdict, call["a"].fact) == (Verdict.DROP, Fact.ABSENT)


def test_a_state_that_lists_the_tool_leaves_it_open() -> None:
    assert opened("compensable").take(Entered(frozenset({"a"})))["a"].open


def test_what_is_being_told_when_the_state_is_left_may_still_be_kept() -> None:
    call = opened("compensable").tells("a").take(Entered(frozenset()))
    assert call.due(Clock.GUARD, "a")["a"].kept


def test_what_the_thinker_takes_for_a_retraction_drops_one_row_alone() -> None:
    call = Call(effect("a", COMPENSABLE), effect("b", COMPENSABLE)).done().take(Retracted("a"))
    assert call.verdicts("a", "b") == ["drop", "open"]


def test_what_is_retracted_while_it_is_being_told_is_put_right() -> None:
    call = opened("compensable")
    call.begins("a")
    call.take(Retracted("a")).done("a")
    assert call.owed == [("a", Mode.UNTELL)], "the sentence may be heard after all"


def test_what_was_told_and_is_not_so_is_said_until_it_is_heard() -> None:
    call = opened("compensable").cut("a").take(Entered(frozenset())).done("a")
    assert call.cut("a").owed == [("a", Mode.UNTELL)]
    call.tells("a")
    assert call.owed == []
    assert not call.take(Ended()).has("a.notice")


# ── 15: PLAYED, CLEARED or LOST ──────────────────────────────────────────────────────────────────────────────────────────


def test_cleared_or_lost_is_doubt_while_the_call_is_up_and_it_is_told_again() -> None:
    call = opened("compensable").cut("a")
    assert (call["a"].verdict, call["a"].told) == (Verdict.OPEN, Told.TELLING)
    assert call.owed == [("a", Mode.TELL)]


def test_a_mark_of_an_older_sending_says_nothing() -> None:
    call = opened("compensable")
    old = call.begins("a")
    call.take(Cut("a", old))
    call.begins("a")
    call.take(Played("a", old, 9))
    assert Clock.GUARD not in call.armed("a")


def test_what_was_played_cannot_be_cut_any_more() -> None:
    call = opened("compensable")
    key = call.begins("a")
    call.take(Played("a", key, 5), Cut("a", key))
    assert call["a"].cuts == 0
    assert call.due(Clock.GUARD, "a")["a"].kept


# ── 16: hang-up, or the owner's death ────────────────────────────────────────────────────────────────────────────────────


def test_an_objection_before_the_hang_up_drops() -> None:
    call = opened("compensable").tells("a").says(RETRACT).take(Ended())
    assert call["a"].why == Why.RETRACTED


def test_in_doubt_a_row_is_kept_only_if_all_its_needs_are() -> None:
    call = Call(effect("a", COMPENSABLE, on_doubt="drop"), effect("text", DEFERRED, needs=("a",))).done("a")
    call.begins("a")
    call.begins("text")
    call.take(Ended())
    assert call.verdicts("a", "text") == ["drop", "drop"]


def test_in_doubt_needs_are_decided_before_what_needs_them() -> None:
    call = Call(effect("a", HELD), effect("text", DEFERRED, needs=("a",))).done().due(Clock.STALE, "a").done("a", "a.r")
    assert call["text"].needs == ("a.r",), "which stands behind it"
    call.begins("text")
    call.begins("a.r")
    call.take(Ended())
    assert call.verdicts("a.r", "text") == ["keep", "keep"]


@pytest.mark.parametrize("how", ["told", "asked"])
def test_kept_and_not_told_by_the_end_of_the_call_owes_a_notice(how: str) -> None:
    call = opened("held, asked").tells("a").says(ASSENT)
    if how == "told":
        call.done().tells("a")
    call.take(Ended()).done()
    assert call.has("a.notice") is (how == "asked")


def test_a_notice_is_sent_when_its_row_is_settled_and_owes_no_other() -> None:
    call = opened("compensable", on_doubt="drop")
    call.begins("a")
    call.take(Ended())
    assert call.sent("a.notice") == []
    call.answered("a", UNDO)
    assert call.sent("a.notice") == [ACT]
    call.answered("a.notice", ACT, No("no such number"))
    assert [row.kind for row in call.book.rows] == [COMPENSABLE, Kind.NOTICE]
    assert call.book.settled


def test_a_notice_is_sent_where_its_row_is_stuck() -> None:
    call = opened("compensable", on_doubt="drop")
    call.begins("a")
    call.take(Ended()).answered("a", UNDO, No("closed"))
    assert call["a"].stuck
    assert call.sent("a.notice") == [ACT]


def test_a_row_that_is_kept_and_then_refused_owes_one_notice() -> None:
    call = opened("deferred").kept("a").take(Ended())
    assert not call.has("a.notice")
    call.answered("a", ACT, No("no such number"))
    assert [row.id for row in call.book.rows] == ["a", "a.notice"]


def test_after_the_call_nothing_new_is_opened_told_or_frozen() -> None:
    call = opened("compensable").take(Ended(), effect("b", COMPENSABLE), Suspected())
    assert call.outcomes("b") == ["refused"]
    assert not call.has("b")
    assert not call.book.frozen
    assert call.owed == []


def test_taking_over_twice_changes_no_verdict() -> None:
    call = Call(effect("a", COMPENSABLE, honours_key=True), effect("b", HELD, honours_key=True)).done()
    call.begins("a")
    call.begins("b")
    call.dies()
    first = [(row.id, row.verdict, row.why, row.fact) for row in call.book.rows]
    call.dies()
    assert [(row.id, row.verdict, row.why, row.fact) for row in call.book.rows] == first


def test_who_takes_over_asks_at_once_for_what_was_under_way() -> None:
    call = Call(effect("a", COMPENSABLE, honours_key=True)).dies()
    assert call.due(Clock.RETRY, "a").sent("a") == [DO, DO]
    call.done()
    assert (call.sent("a"), call.facts("a")) == ([DO, DO, UNDO], ["absent"])


def test_who_takes_over_lets_a_hold_end_by_itself() -> None:
    call = opened("held, told").take(Retracted("a")).dies()
    assert call.times(Clock.EXPIRES)[-1] == 60.0
    call.due(Clock.EXPIRES, "a")
    assert call["a"].fact is Fact.ABSENT


@pytest.mark.parametrize("clock", Clock)
def test_a_deadline_that_was_forgotten_changes_nothing(clock: Clock) -> None:
    book = replace(opened("held, told").tells("a").book, armed=frozenset())
    assert step(book, Due(clock, "a")) == (book, ())


def test_a_deadline_that_passed_is_not_armed_any_more() -> None:
    call = opened("held, told").due(Clock.STALE, "a")
    assert call.armed("a") == {Clock.OPEN, Clock.EXPIRES}


def test_words_and_marks_of_nothing_change_nothing() -> None:
    call = opened("compensable")
    before = call.book
    call.take(Played("a", "k", 1), Cut("a", "k"), Words(ASSENT, 5), Retracted("nobody"))
    assert call.book == before
