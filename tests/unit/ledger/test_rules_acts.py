"""The rules of the ledger where effects touch one another: revisions, needs, pivots, taking back, the same act again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentd import limits
from agentd.ledger.book import Telling
from agentd.ledger.events import (
    Ask,
    Clock,
    Done,
    Ended,
    Entered,
    Event,
    No,
    Played,
    Proposed,
    Rejected,
    Retracted,
    Says,
    Suspected,
    TakenBack,
    Tell,
    Unknown,
)
from agentd.ledger.row import Fact, Kind, Told, Verdict, Why
from agentd.messages import Mode
from tests.unit.ledger.script import COMPENSABLE, DEFERRED, HELD, PIVOT, Call, effect

ASSENT, NO, RETRACT, OTHER = Says
DO, CONFIRM, UNDO, ACT = Ask.DO, Ask.CONFIRM, Ask.UNDO, Ask.ACT
BOOKING = effect("tue", COMPENSABLE, "book")


def revision(name: str, of: str, kind: Kind = COMPENSABLE, tool: str = "book", **more: object) -> Proposed:
    return effect(name, kind, tool, replaces=of, **more)


def booked(**more: object) -> Call:
    """Tuesday is booked and was told, up to a cut."""
    return Call(effect("tue", COMPENSABLE, "book", **more)).done().cut("tue")


# ── 10: revise ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_get_the_new_then_drop_the_old_in_one_step() -> None:
    call = booked().take(revision("wed", "tue"))
    assert call.verdicts("tue", "wed") == ["open", "open"]
    call.answered("wed", DO)
    assert (call["tue"].verdict, call["tue"].why, call["tue"].fact) == (Verdict.DROP, Why.REVISED, Fact.UNDOING)
    assert call["wed"].fact is Fact.THERE


def test_the_new_one_inherits_how_far_the_caller_knows() -> None:
    call = booked().take(revision("wed", "tue")).done()
    assert call["wed"].told is Told.TELLING
    assert call.take(Ended())["wed"].why == Why.DOUBT


def test_while_the_new_is_unresolved_the_old_is_neither_kept_nor_told_again() -> None:
    call = Call(BOOKING).done().tells("tue").take(revision("wed", "tue"))
    assert call.owed == []
    assert call.due(Clock.GUARD, "tue")["tue"].open


def test_an_assent_to_the_old_keeps_it_and_drops_the_new_in_one_step() -> None:
    call = Call(BOOKING).done().tells("tue").take(revision("wed", "tue")).says(ASSENT)
    assert call.verdicts("tue", "wed") == ["keep", "drop"]
    assert call["wed"].why == Why.KEPT_OTHER
    assert call.done().sent("wed") == [DO, UNDO]


def test_if_the_new_fails_the_old_stays_and_is_told() -> None:
    call = Call(BOOKING).done().tells("tue").take(revision("wed", "tue")).answered("wed", DO, No("full"))
    assert call.verdicts("tue", "wed") == ["open", "drop"]
    assert call.owed == [("tue", Mode.TELL)]
    assert call.kept("tue")["tue"].kept


def test_a_chain_of_revisions_leaves_the_last() -> None:
    call = booked().take(revision("wed", "tue")).done().take(revision("thu", "wed")).done()
    assert call.verdicts("tue", "wed", "thu") == ["drop", "drop", "open"]
    assert call.facts("tue", "wed", "thu") == ["absent", "absent", "there"]


def test_a_revision_of_what_was_revised_is_one_of_what_took_its_place() -> None:
    call = booked().take(revision("wed", "tue")).done().take(revision("thu", "tue")).done()
    assert call["thu"].replaces == "wed"
    assert call.verdicts("tue", "wed", "thu") == ["drop", "drop", "open"]


@pytest.mark.parametrize("of", ["tue", "wed"])
def test_a_revision_of_one_under_way_takes_its_place(of: str) -> None:
    call = booked().take(revision("wed", "tue"), revision("thu", of))
    assert call["thu"].replaces == "tue"
    assert call.verdicts("tue", "wed", "thu") == ["open", "drop", "open"]
    call.done()
    assert call.facts("tue", "wed", "thu") == ["absent", "absent", "there"]


def test_if_the_last_of_a_chain_fails_the_first_stays() -> None:
    call = booked().take(revision("wed", "tue"), revision("thu", "wed")).answered("thu", DO, No("full")).done()
    assert call.verdicts("tue", "wed", "thu") == ["open", "drop", "drop"]
    assert call.owed == [("tue", Mode.TELL)]


def test_a_chain_that_is_got_in_any_order_leaves_one() -> None:
    call = Call(BOOKING, revision("wed", "tue"), revision("thu", "wed"))
    call.answered("thu", DO).answered("wed", DO).answered("tue", DO).done()
    assert call.facts("tue", "wed", "thu") == ["absent", "absent", "there"]


def test_a_replaced_deferred_effect_is_dropped_by_the_step_that_records_the_new() -> None:
    call = Call(effect("a", DEFERRED, "text")).cut("a").take(revision("b", "a", DEFERRED, "text"))
    assert call.verdicts("a", "b") == ["drop", "open"]
    assert call["b"].told is Told.TELLING
    assert call.kept("b").done().sent("a") == []


def test_what_inherits_and_is_then_told_stays_told() -> None:
    call = Call(effect("a", DEFERRED, "text")).cut("a").take(revision("b", "a", DEFERRED, "text")).kept("b").done()
    assert call["b"].told is Told.TOLD
    assert call.owed == []


def test_a_replaced_pivot_takes_its_question_with_it() -> None:
    call = Call(effect("fifty", PIVOT, "pay")).tells("fifty").take(revision("sixty", "fifty", PIVOT, "pay"))
    call.says(ASSENT)
    assert call.verdicts("fifty", "sixty") == ["drop", "open"], "any changed argument voids the yes"


@pytest.mark.parametrize(
    ("replaces", "before"),
    [("nobody", ()), ("tue", (Retracted("tue"),)), ("pay", (effect("pay", PIVOT),))],
    ids=["nobody", "dropped", "another tool"],
)
def test_what_is_not_there_cannot_be_replaced(replaces: str, before: tuple[Event, ...]) -> None:
    call = booked().take(*before, revision("wed", replaces))
    assert call.outcomes("wed") == ["refused"]
    assert not call.has("wed")


def test_what_was_kept_and_has_no_undo_cannot_be_replaced() -> None:
    call = Call(effect("a", DEFERRED, "text")).kept("a").done().take(revision("b", "a", DEFERRED, "text"))
    assert call.outcomes("b") == ["refused"]


def test_what_a_pivot_has_taken_along_cannot_be_replaced() -> None:
    call = paying().take(revision("other", "hold", HELD, "hold"))
    assert call.outcomes("other") == ["refused"]


# ── 10: the old one first ────────────────────────────────────────────────────────────────────────────────────────────────


def risked() -> Call:
    """Only one may exist: the caller agreed to risk Tuesday for Wednesday."""
    return booked().take(revision("wed", "tue", old_first=True)).tells("wed").says(ASSENT)


def test_where_only_one_may_exist_the_risk_is_asked_about_first() -> None:
    call = booked().take(revision("wed", "tue", old_first=True))
    assert call.owed == [("wed", Mode.RISK)]
    assert call.outcomes("wed") == ["waiting"]
    assert call.sent("wed") == []


def test_a_yes_to_the_risk_lets_go_of_the_old_before_the_new_is_got() -> None:
    call = risked()
    assert call.facts("tue", "wed") == ["undoing", "unsent"]
    call.answered("tue", UNDO)
    assert call.sent("wed") == [DO]
    call.done()
    assert call.verdicts("tue", "wed") == ["drop", "open"]
    assert call.owed == [("wed", Mode.TELL)]
    assert call["wed"].told is Told.TELLING
    assert call.kept("wed").owed == [], "that the old one is gone was told with the new one"


def test_of_what_acts_when_it_is_kept_the_old_one_stays_until_the_risk_is_taken() -> None:
    call = Call(effect("a", DEFERRED, "text")).cut("a").take(revision("b", "a", DEFERRED, "text", old_first=True))
    assert call.verdicts("a", "b") == ["open", "open"]
    call.tells("b").says(ASSENT)
    assert call.verdicts("a", "b") == ["drop", "open"]


def test_a_no_to_the_risk_leaves_the_old() -> None:
    call = booked().take(revision("wed", "tue", old_first=True)).tells("wed").says(NO)
    assert call.verdicts("tue", "wed") == ["open", "drop"]
    assert call.owed == [("tue", Mode.TELL)]


def test_if_the_new_is_not_got_the_caller_is_told_that_both_are_gone() -> None:
    call = risked().answered("tue", UNDO).answered("wed", DO, No("full"))
    assert call.owed == [("tue", Mode.UNTELL), ("wed", Mode.UNTELL)]


def test_the_old_one_first_where_it_was_kept_is_a_take_back_first() -> None:
    call = Call(effect("tue", COMPENSABLE, "book")).done().kept("tue").take(revision("wed", "tue", old_first=True))
    call.tells("wed").says(ASSENT)
    assert call.facts("tue.old", "wed") == ["sent", "unsent"]
    call.answered("tue.old", ACT)
    assert call.facts("tue.old", "wed") == ["there", "sent"]


# ── 7: a pivot takes its needs with it ───────────────────────────────────────────────────────────────────────────────────


def asked(**more: object) -> Call:
    """A hold, and the question whether to pay the deposit that needs it."""
    return Call(effect("hold", HELD), effect("pay", PIVOT, needs=("hold",), **more)).done("hold").tells("pay")


def paying(**more: object) -> Call:
    """The caller said yes, and the payment is on its way."""
    return asked(**more).says(ASSENT)


def test_a_pivot_is_asked_about_only_when_its_needs_are_there() -> None:
    call = Call(effect("hold", HELD), effect("pay", PIVOT, needs=("hold",)))
    assert call.owed == []
    call.done()
    assert call.owed == [("hold", Mode.TELL), ("pay", Mode.ASK)]


def test_a_pivot_there_keeps_its_needs_in_one_step() -> None:
    call = paying()
    assert call.sent("pay") == [ACT]
    call.answered("pay", ACT)
    assert (call["hold"].verdict, call["hold"].why, call["hold"].fact) == (Verdict.KEEP, Why.PIVOT, Fact.CONFIRMING)
    assert call.done().owed == [("hold", Mode.TELL), ("pay", Mode.TELL)]


def test_a_pivot_refused_drops_its_needs_in_one_step_and_is_said() -> None:
    call = paying().answered("pay", ACT, No("card declined"))
    assert (call["hold"].verdict, call["hold"].why) == (Verdict.DROP, Why.NEED)
    assert call["pay"].failed
    assert call.owed == [("pay", Mode.UNTELL)]


@pytest.mark.parametrize(
    "event",
    [Retracted("hold"), Entered(frozenset()), Ended(), TakenBack("t", "use of t", "hold"), Suspected()],
    ids=lambda event: type(event).__name__,
)
def test_from_the_yes_until_its_answer_nothing_gives_its_needs_a_verdict(event: Event) -> None:
    call = paying().take(event)
    assert call["hold"].open
    assert call.sent("hold") == [DO]
    assert call.answered("pay", ACT).verdicts("hold", "pay") == ["keep", "keep"]


def test_nor_does_a_retraction_in_words_an_assent_or_what_was_told() -> None:
    call = Call(effect("hold", HELD), effect("pay", PIVOT, needs=("hold",))).done("hold").tells("hold").tells("pay")
    call.says(ASSENT)
    assert call["hold"].open, "the pivot's answer decides"
    assert call["hold"].told is Told.TOLD
    assert call.owed == [], "and nothing is told of it meanwhile"
    call.says(RETRACT)
    assert call["hold"].open


@pytest.mark.parametrize("clock", [Clock.OPEN, Clock.STALE, Clock.EXPIRES])
def test_nor_does_a_deadline(clock: Clock) -> None:
    call = paying().due(clock, "hold")
    assert call["hold"].open
    assert call["hold"].fact is (Fact.ABSENT if clock is Clock.EXPIRES else Fact.THERE)
    assert len(call.book.rows) == 2


def test_nor_does_the_owners_death() -> None:
    call = paying(honours_key=True).dies()
    assert call["hold"].open
    call.due(Clock.RETRY, "pay").answered("pay", ACT)
    assert call["hold"].why == Why.PIVOT


def test_a_hold_that_ended_meanwhile_is_kept_and_has_failed() -> None:
    call = paying().due(Clock.EXPIRES, "hold").answered("pay", ACT)
    assert call["hold"].failed
    assert ("hold", Mode.UNTELL) in call.owed
    assert call.take(Ended()).has("hold.notice")


def test_a_pivot_that_is_stuck_has_its_needs_stuck_with_it() -> None:
    call = paying().answered("pay", ACT, Unknown("no answer"))
    assert (call["pay"].stuck, call["hold"].stuck) == (True, True)
    call.take(Ended()).done()
    assert call["hold"].open
    assert call.sent("hold") == [DO], "none is confirmed or cancelled"
    assert call.book.settled


def test_a_need_gone_before_the_yes_drops_the_pivot_and_that_is_told() -> None:
    call = asked().take(Retracted("hold"))
    assert call.verdicts("hold", "pay") == ["drop", "drop"]
    assert call["pay"].why == Why.NEED
    assert call.owed == [("pay", Mode.UNTELL)]
    assert call.sent("pay") == []


def test_a_yes_to_the_pivot_drops_what_would_revise_its_need() -> None:
    call = asked().take(revision("other", "hold", HELD, "hold")).says(ASSENT)
    assert call["other"].why == Why.KEPT_OTHER
    call.done()
    assert call.verdicts("hold", "pay", "other") == ["keep", "keep", "drop"]


def test_of_two_pivots_the_first_that_is_there_keeps_their_need() -> None:
    call = Call(effect("hold", HELD), effect("pay", PIVOT, needs=("hold",)), effect("tip", PIVOT, needs=("hold",)))
    call.done("hold").tells("pay").says(ASSENT).tells("tip").says(ASSENT)
    refused = Call()
    refused.book = call.book
    assert call.answered("pay", ACT)["hold"].why == Why.PIVOT
    assert refused.answered("pay", ACT, No("declined"))["hold"].open, "the other one may still be there"
    assert refused.answered("tip", ACT, No("declined"))["hold"].dropped


def test_what_a_pivot_kept_while_it_was_being_told_and_then_fails_is_put_right() -> None:
    call = Call(effect("hold", HELD), effect("pay", PIVOT, needs=("hold",))).done("hold").tells("pay").says(ASSENT)
    call.book = replace(call.book, tellings=(Telling("hold", Mode.TELL, "k"),))
    call.answered("pay", ACT).take(Played("hold", "k", 9))
    assert call["hold"].told is Told.TOLD
    call.answered("hold", CONFIRM, No("gone"))
    assert ("hold", Mode.UNTELL) in call.owed


def test_a_need_gone_after_the_yes_fails_the_pivot_unsent() -> None:
    call = Call(effect("hold", HELD), effect("pay", PIVOT, needs=("hold",))).done("hold").kept("hold")
    call.answered("hold", CONFIRM).tells("pay").take(TakenBack("back", "use of back", "hold")).says(ASSENT)
    assert call.sent("pay") == [], "its need is being taken back"
    call.answered("back", ACT)
    assert call["pay"].failed
    assert ("pay", Mode.UNTELL) in call.owed


# ── 8: a deferred effect ─────────────────────────────────────────────────────────────────────────────────────────────────


def texting(kind: Kind = HELD) -> Call:
    """A booking, and a text that needs it and was told."""
    return Call(effect("a", kind), effect("text", DEFERRED, needs=("a",))).done().kept("text")


def test_a_deferred_effect_leaves_once_it_is_told_and_its_needs_are_kept_and_settled() -> None:
    call = texting()
    assert call.sent("text") == []
    call.kept("a")
    assert call.sent("text") == [], "held is not confirmed"
    call.answered("a", CONFIRM)
    assert call.sent("text") == [ACT]
    assert Call(effect("a", COMPENSABLE), effect("text", DEFERRED, needs=("a",))).done().kept("a").sent("text") == []


def test_a_need_that_is_dropped_drops_it_and_that_is_told() -> None:
    call = Call(effect("a", COMPENSABLE), effect("text", DEFERRED, needs=("a",))).done().cut("text").take(Retracted("a"))
    assert (call["text"].verdict, call["text"].why) == (Verdict.DROP, Why.NEED)
    assert call.owed == [("text", Mode.UNTELL)]


def test_kept_and_left_without_its_need_it_has_failed() -> None:
    call = texting().take(Retracted("a"))
    assert call["text"].failed
    assert call.owed == [("text", Mode.UNTELL)]
    assert call.sent("text") == []


def test_it_does_not_leave_for_what_is_being_taken_back() -> None:
    call = texting().kept("a").take(Suspected()).answered("a", CONFIRM)
    call.take(TakenBack("back", "use of back", "a"), Rejected())
    assert call.sent("text") == []
    call.answered("back", ACT)
    assert call["text"].failed


def test_needs_are_found_by_their_tool_and_cascade() -> None:
    call = Call(effect("a", COMPENSABLE), effect("b", DEFERRED, needs=("a",)), effect("c", DEFERRED, needs=("b",))).done("a")
    call.take(Retracted("a"))
    assert call.verdicts("a", "b", "c") == ["drop", "drop", "drop"]


def test_without_what_it_needs_it_is_refused() -> None:
    call = Call(effect("text", DEFERRED, needs=("a",)))
    assert call.outcomes("text") == ["refused"]
    assert call.book.rows == ()


# ── 12: kept is kept ─────────────────────────────────────────────────────────────────────────────────────────────────────


def kept() -> Call:
    return Call(effect("a", COMPENSABLE)).done().kept("a")


def test_taking_back_is_an_act_of_its_own_under_the_undos_key() -> None:
    call = kept().take(TakenBack("back", "use of back", "a"))
    assert (call["back"].kind, call["back"].verdict, call.sent("back")) == (Kind.TAKE_BACK, Verdict.KEEP, [ACT])
    assert call["back"].undo_key == call["a"].undo_key
    call.answered("back", ACT)
    assert (call["a"].verdict, call["a"].taken_back) == (Verdict.KEEP, True)
    assert call.outcomes("back") == ["done"]
    assert call.owed == [("back", Mode.TELL)]


def test_what_is_kept_and_not_yet_done_is_taken_back_once_it_is() -> None:
    call = Call(effect("a", HELD)).done().kept("a").take(TakenBack("back", "use of back", "a"))
    assert call.sent("back") == []
    call.answered("a", CONFIRM)
    assert call.sent("back") == [ACT]


def test_what_fails_before_it_is_taken_back_is_gone_without_a_request() -> None:
    call = Call(effect("a", HELD)).done().kept("a").take(TakenBack("back", "use of back", "a"))
    call.answered("a", CONFIRM, No("gone"))
    assert call["back"].done
    assert call.sent("back") == []
    assert call.outcomes("back") == ["done"]


def test_a_refused_taking_back_leaves_it_kept_and_is_said() -> None:
    call = kept().take(TakenBack("back", "use of back", "a")).answered("back", ACT, No("too late"))
    assert call["a"].done
    assert not call["a"].taken_back
    assert call.owed == [("back", Mode.UNTELL)]
    assert call.take(Ended()).has("back.notice")


def test_what_is_open_is_let_go_instead() -> None:
    call = Call(effect("a", COMPENSABLE)).done().take(TakenBack("back", "use of back", "a"))
    assert call["a"].why == Why.RETRACTED
    assert call.outcomes("back") == ["done"]


@pytest.mark.parametrize(
    "call",
    [
        Call(),
        Call(effect("a", DEFERRED)).kept("a").done(),
        kept().take(TakenBack("t", "use of t", "a")),
        Call(effect("a", COMPENSABLE)).done().take(Retracted("a")),
        Call(effect("a", HELD), effect("pay", PIVOT, needs=("a",))).done("a").tells("pay").says(ASSENT),
    ],
    ids=["nobody", "no undo", "taken back already", "dropped", "a pivot is under way"],
)
def test_what_cannot_be_taken_back_is_not_claimed_to_be(call: Call) -> None:
    assert call.take(TakenBack("back", "use of back", "a")).outcomes("back") == ["refused"]
    assert not call.has("back")


def test_of_what_is_stuck_nothing_is_claimed() -> None:
    call = Call(effect("a", COMPENSABLE)).answered("a", DO, Unknown("no answer"))
    assert call.take(TakenBack("back", "use of back", "a")).outcomes("back") == ["unknown"]


def test_revising_what_was_kept_is_a_new_row_then_its_taking_back() -> None:
    call = Call(BOOKING).done().kept("tue").take(revision("wed", "tue")).done()
    assert call["tue"].done
    call.kept("wed")
    assert call.sent("tue.old") == [ACT]
    call.done()
    assert (call["tue"].taken_back, call["wed"].done) == (True, True)


def test_revising_it_twice_takes_it_back_once() -> None:
    call = Call(BOOKING).done().kept("tue").take(revision("wed", "tue")).done().take(revision("thu", "wed")).done()
    assert call.verdicts("tue", "wed", "thu") == ["keep", "drop", "open"]
    call.kept("thu").done()
    assert call["tue"].taken_back
    assert [row.id for row in call.book.rows] == ["tue", "wed", "thu", "tue.old"]


def test_what_the_caller_took_back_is_not_taken_back_once_more() -> None:
    call = Call(BOOKING).done().kept("tue").take(revision("wed", "tue")).done().take(TakenBack("back", "use of back", "tue"))
    call.kept("wed").done()
    assert [row.id for row in call.book.rows] == ["tue", "wed", "back"]


def test_a_revision_that_fails_leaves_what_was_kept() -> None:
    call = Call(BOOKING).done().kept("tue").take(revision("wed", "tue")).answered("wed", DO, No("full"))
    assert call["tue"].done
    assert len(call.book.rows) == 2


def test_a_refused_taking_back_of_the_revised_is_not_tried_for_ever() -> None:
    call = Call(BOOKING).done().kept("tue").take(revision("wed", "tue")).done().kept("wed")
    call.answered("tue.old", ACT, No("too late"))
    assert [row.id for row in call.book.rows] == ["tue", "wed", "tue.old"]
    assert call.owed == [("tue.old", Mode.UNTELL)]


# ── 13: the same act again ───────────────────────────────────────────────────────────────────────────────────────────────


def again(name: str = "again", **more: object) -> Proposed:
    return effect(name, COMPENSABLE, "a", identity="a", args='{"note": "other words"}', **more)


def test_open_it_is_the_same_row_with_its_recorded_arguments() -> None:
    call = Call(effect("a", COMPENSABLE)).done().cut("a").take(again())
    assert call.outcomes("again") == ["waiting"]
    assert call["a"].args == "{}"
    assert len(call.book.rows) == 1
    assert call.owed == [("a", Mode.TELL)]


def test_what_is_about_to_be_revised_and_is_proposed_again_is_wanted_after_all() -> None:
    call = booked().take(revision("wed", "tue"), effect("tue again", COMPENSABLE, "book", identity="tue"))
    assert call.outcomes("tue again") == ["waiting"]
    assert call.verdicts("tue", "wed") == ["open", "drop"]


def test_kept_and_asked_it_is_done_again_after_a_yes() -> None:
    call = kept().take(again(repeat="ask"))
    assert (call.owed, call.sent("again")) == ([("again", Mode.RISK)], [])
    call.tells("again").says(ASSENT).done()
    assert call["again"].fact is Fact.THERE
    assert call["a"].done


def test_kept_and_asked_it_is_asked_again_after_a_no() -> None:
    call = kept().take(again(repeat="ask")).tells("again").says(NO).take(again("third", repeat="ask"))
    assert call.owed == [("third", Mode.RISK)]
    assert call.sent("third") == []


def test_kept_and_replayed_it_is_answered_from_the_record() -> None:
    call = kept().take(again(repeat="replay"))
    assert call.outcomes("again") == ["done"]
    assert len(call.book.rows) == 1


@pytest.mark.parametrize("kind", [HELD, PIVOT])
def test_what_asks_anyway_is_asked_once_more_and_not_twice(kind: Kind) -> None:
    asks = {"keep_on": "yes"} if kind is HELD else {}
    call = Call(effect("a", kind, **asks)).done().tells("a").says(ASSENT).done().tells("a")
    call.take(effect("again", kind, "a", identity="a", **asks)).done()
    assert call.owed == [("again", Mode.ASK)]


def test_what_was_refused_or_taken_back_is_not_replayed() -> None:
    refused = Call(effect("a", DEFERRED)).kept("a").answered("a", ACT, No("no such number"))
    refused.take(effect("again", DEFERRED, "a", identity="a", repeat="replay"))
    assert refused.has("again")
    back = kept().take(TakenBack("back", "use of back", "a")).done().take(again(repeat="replay"))
    assert back.sent("again") == [DO]


def test_kept_and_not_yet_done_it_is_not_said_to_be() -> None:
    text = effect("again", DEFERRED, "a", identity="a", repeat="replay")
    assert Call(effect("a", DEFERRED)).kept("a").take(text).outcomes("again") == ["waiting"]


def test_kept_and_new_it_is_done_again() -> None:
    assert kept().take(again(repeat="new")).sent("again") == [DO]


def test_dropping_it_waits_and_says_so() -> None:
    call = Call(effect("a", COMPENSABLE)).done().take(Retracted("a"), again())
    assert call.sent("again") == []
    assert call.outcomes("again") == ["waiting"]
    call.answered("a", UNDO)
    assert call.sent("again") == [DO]


def test_being_taken_back_it_waits_too() -> None:
    call = kept().take(TakenBack("back", "use of back", "a"), again(repeat="new"))
    assert call.sent("again") == []
    assert call.answered("back", ACT).sent("again") == [DO]


def test_waiting_for_ever_it_is_dropped() -> None:
    call = Call(effect("a", COMPENSABLE)).done().take(Retracted("a"), again()).answered("a", UNDO, No("closed"))
    assert call["a"].stuck
    assert call.due(Clock.OPEN, "again").sent("again") == []
    assert call["again"].settled


def test_refused_a_new_row_may_run() -> None:
    call = Call(effect("a", COMPENSABLE)).answered("a", DO, No("full")).take(again())
    assert call.sent("again") == [DO]


@pytest.mark.parametrize("traits", [{}, {"honours_key": True}], ids=["stuck", "unknown"])
def test_unknown_or_stuck_it_is_not_retried(traits: dict[str, bool]) -> None:
    call = Call(effect("a", COMPENSABLE, **traits)).answered("a", DO, Unknown("no answer"))
    if traits:
        call.due(Clock.RETRY, "a")
    assert call.take(again()).outcomes("again") == ["unknown"]
    assert len(call.book.rows) == 1


def test_another_identity_is_another_act() -> None:
    assert Call(effect("a", COMPENSABLE), effect("b", COMPENSABLE, "a")).sent("b") == [DO]


def test_a_call_that_replaces_is_never_a_repetition() -> None:
    call = booked().take(effect("tue too", COMPENSABLE, "book", identity="tue", replaces="tue"))
    assert call.sent("tue too") == [DO]


def test_a_call_has_so_many_effects_and_no_more() -> None:
    call = Call(*(effect(str(number), DEFERRED) for number in range(limits.EFFECTS)))
    assert call.take(effect("more", DEFERRED)).outcomes("more") == ["refused"]


# ── Each tool call has one outcome ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [COMPENSABLE, HELD, DEFERRED, PIVOT])
@pytest.mark.parametrize("how", ["done", "refused", "unknown", "retracted at once", "late", "ended", "dies"])
def test_each_tool_call_has_one_outcome(kind: Kind, how: str) -> None:
    call = Call(effect("a", kind))
    ask = DO if call["a"].before else ACT
    if not call["a"].before:
        call.tells("a").says(ASSENT)
    match how:
        case "done":
            call.answered("a", ask)
        case "refused":
            call.answered("a", ask, No("full"))
        case "unknown":
            call.answered("a", ask, Unknown("no answer"))
        case "retracted at once":
            call.take(Retracted("a")).answered("a", ask)
        case "late":
            _ = call.due(Clock.OPEN, "a") if call["a"].open else None
        case "ended":
            call.take(Ended())
        case "dies":
            call.dies()
    call.done().take(Ended()).done()
    assert len(call.outcomes("a")) == 1


@pytest.mark.parametrize(
    ("kind", "answer", "outcome"),
    [
        (COMPENSABLE, Done("{}"), ("done", "")),
        (COMPENSABLE, No("full"), ("refused", "full")),
        (COMPENSABLE, Unknown("no answer"), ("unknown", "its outcome is not known: say that a person will check")),
    ],
)
def test_the_outcome_is_what_the_world_says(kind: Kind, answer: Done | No | Unknown, outcome: tuple[str, str]) -> None:
    call = Call(effect("a", kind)).answered("a", DO, answer)
    told = [action for action in call.actions if isinstance(action, Tell)]
    assert [(action.status, action.why) for action in told] == [outcome]


@pytest.mark.parametrize("kind", [DEFERRED, PIVOT])
def test_what_acts_when_it_is_kept_is_waiting_at_once(kind: Kind) -> None:
    assert Call(effect("a", kind)).outcomes("a") == ["waiting"]


def test_what_is_let_go_while_it_runs_is_said_at_once() -> None:
    call = Call(effect("a", COMPENSABLE)).take(Retracted("a"))
    assert call.outcomes("a") == ["refused"]
    assert call["a"].fact is Fact.SENT
