"""Who may call, how many places there are, and what a carrier that asks again is told."""

from __future__ import annotations

import pytest

from agentd import limits
from agentd.actors.memory import Memory
from agentd.carriers.sautikit.control import Callback
from agentd.carriers.sautikit.webhook import BUSY, NO_SUCH_NUMBER, UNREACHED, Continue, Dial, Hangup
from agentd.desk import ASKED_WITHIN_S, DECISIONS, RETURNS, STREAMS, Desk, Return, Stream
from agentd.messages import FlowState

DIAL = Dial("+1555")
BACK = Return("call-1", Memory(FlowState("nobody")))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> Desk:
    return Desk(2, clock, lambda number: number != "+666")


def call(desk: Desk, call_id: str) -> Stream:
    """A call that is let in and whose stream has come."""
    assert desk.admit(Callback(call_id)) == ""
    stream = desk.open(call_id)
    assert stream is not None
    return stream


def test_a_full_desk_refuses_with_a_sentence_and_takes_the_next_when_a_place_is_free(desk: Desk) -> None:
    first = call(desk, "a")
    call(desk, "b")
    assert (desk.admit(Callback("c")), desk.unready()) == (BUSY, "full")
    desk.close(first)
    assert (desk.admit(Callback("c")), desk.taken) == ("", 2)


def test_a_place_is_taken_by_the_webhook_and_not_first_by_the_stream(desk: Desk) -> None:
    assert [desk.admit(Callback(name)) for name in "abc"] == ["", "", BUSY]


def test_a_number_that_no_flow_answers_is_refused_in_words_and_takes_no_place(desk: Desk) -> None:
    assert desk.admit(Callback("a", to="+666")) == NO_SUCH_NUMBER
    assert (desk.taken, desk.next_step("a")) == (0, None)


def test_a_draining_desk_lets_nobody_in_and_those_inside_go_on(desk: Desk) -> None:
    assert desk.admit(Callback("expected")) == ""
    desk.draining = True
    assert (desk.admit(Callback("b")), desk.unready()) == (BUSY, "draining")
    assert desk.open("expected") is not None


def test_a_stream_that_does_not_come_gives_its_place_back(desk: Desk, clock: Clock) -> None:
    desk.admit(Callback("a"))
    clock.now += limits.TOKEN_S + 1
    assert (desk.taken, desk.open("a"), desk.next_step("a")) == (0, None, None)


def test_a_carrier_that_asks_again_before_its_stream_came_has_all_its_time_again(desk: Desk, clock: Clock) -> None:
    desk.admit(Callback("a"))
    clock.now += limits.TOKEN_S - 1
    assert desk.next_step("a") == Continue()
    clock.now += limits.TOKEN_S - 1
    assert desk.expects("a")


def test_a_caller_who_hung_up_before_the_stream_came_gives_the_place_back_at_once(desk: Desk) -> None:
    desk.admit(Callback("a"))
    desk.ended("a")
    assert (desk.taken, desk.expects("a")) == (0, False)


def test_a_call_that_the_carrier_has_ended_is_forgotten(desk: Desk) -> None:
    desk.close(call(desk, "a"))
    desk.ended("a")
    assert desk.next_step("a") is None


def test_a_live_call_keeps_its_place_however_long_it_lasts_and_whatever_the_carrier_says(desk: Desk, clock: Clock) -> None:
    stream = call(desk, "a")
    desk.ended("a")
    clock.now += limits.CALL_S
    assert desk.taken == 1
    desk.close(stream)
    assert desk.taken == 0


def test_a_call_has_one_stream_at_a_time(desk: Desk) -> None:
    call(desk, "a")
    assert not desk.expects("a")
    assert desk.open("a") is None


def test_what_was_decided_is_told_as_often_as_the_carrier_asks(desk: Desk) -> None:
    stream = call(desk, "a")
    desk.decide(stream, DIAL)
    assert desk.next_step("a") == DIAL
    desk.close(stream)
    assert [desk.next_step("a"), desk.next_step("a")] == [DIAL, DIAL]
    assert desk.open("a") is None


def test_a_stream_that_ended_undecided_is_made_good_once_and_then_the_call_ends(desk: Desk) -> None:
    desk.close(call(desk, "a"))
    assert (desk.taken, desk.next_step("a"), desk.taken) == (0, Continue(), 1)
    again = desk.open("a")
    assert again is not None
    assert again.number == STREAMS
    desk.close(again)
    assert [desk.next_step("a"), desk.next_step("a")] == [Hangup(), Hangup()]
    assert desk.taken == 0


def test_a_broken_call_gets_no_second_stream_where_there_is_no_place(desk: Desk) -> None:
    desk.close(call(desk, "a"))
    call(desk, "b")
    call(desk, "c")
    assert (desk.next_step("a"), desk.taken) == (Hangup(), 2)


def test_asked_while_a_broken_stream_still_closes_the_next_one_is_let_in_and_keeps_the_place(desk: Desk) -> None:
    old = call(desk, "a")
    assert desk.next_step("a") == Continue()
    new = desk.open("a")
    assert new is not None
    desk.decide(old, Hangup())
    assert desk.next_step("a") == Continue()
    desk.close(old)
    assert desk.taken == 1
    desk.decide(new, DIAL)
    desk.close(new)
    assert (desk.taken, desk.next_step("a")) == (0, DIAL)


def test_a_promised_stream_may_also_come_after_the_broken_one_has_closed(desk: Desk, clock: Clock) -> None:
    old = call(desk, "a")
    desk.next_step("a")
    desk.close(old)
    assert (desk.taken, desk.expects("a")) == (1, True)
    clock.now += limits.TOKEN_S + 1
    assert desk.taken == 0


def test_what_the_stream_decides_after_all_stands_against_a_promise(desk: Desk) -> None:
    stream = call(desk, "a")
    desk.next_step("a")
    desk.decide(stream, DIAL)
    assert not desk.expects("a")
    desk.close(stream)
    assert (desk.taken, desk.next_step("a")) == (0, DIAL)


def test_a_second_stream_is_promised_no_third(desk: Desk) -> None:
    call(desk, "a")
    desk.next_step("a")
    assert desk.open("a") is not None
    assert desk.next_step("a") == Continue()
    assert not desk.expects("a")


# ── Dials that nobody took ───────────────────────────────────────────────────────────────────────────────────────────


def hand_over(desk: Desk, stream: Stream | None, back: Return | None = BACK) -> None:
    """A call hands over, and the carrier dials."""
    assert stream is not None
    desk.decide(stream, DIAL, back)
    desk.close(stream)
    assert desk.next_step("a") == DIAL


def test_a_call_whose_dial_nobody_took_comes_back_with_what_it_remembered(desk: Desk) -> None:
    hand_over(desk, call(desk, "a"))
    assert [desk.unreached("a"), desk.next_step("a"), desk.taken] == [Continue(), Continue(), 1]
    again = desk.open("a")
    assert again is not None
    assert again.visit.returned == BACK
    desk.decide(again, Hangup())
    desk.close(again)
    assert (desk.next_step("a"), desk.unreached("a")) == (Hangup(), Hangup())


def test_a_call_that_has_nowhere_to_go_on_ends_in_words(desk: Desk) -> None:
    hand_over(desk, call(desk, "a"), None)
    assert [desk.unreached("a"), desk.next_step("a")] == [Hangup(UNREACHED), Hangup(UNREACHED)]
    assert desk.unreached("never seen") == Hangup(UNREACHED)


@pytest.mark.parametrize("draining", [True, False])
def test_a_call_comes_back_only_where_there_is_a_place(desk: Desk, draining: bool) -> None:
    hand_over(desk, call(desk, "a"))
    desk.draining = draining
    if not draining:
        call(desk, "b")
        call(desk, "c")
    assert desk.unreached("a") == Hangup(UNREACHED)


def test_a_call_comes_back_so_often_and_then_ends_in_words(desk: Desk) -> None:
    stream: Stream | None = call(desk, "a")
    for _ in range(RETURNS):
        hand_over(desk, stream)
        assert desk.unreached("a") == Continue()
        stream = desk.open("a")
    hand_over(desk, stream)
    assert desk.unreached("a") == Hangup(UNREACHED)


def test_a_stream_that_came_back_and_broke_goes_on_where_it_came_back(desk: Desk) -> None:
    hand_over(desk, call(desk, "a"))
    desk.unreached("a")
    broken = desk.open("a")
    assert broken is not None
    desk.close(broken)
    assert desk.next_step("a") == Continue()
    again = desk.open("a")
    assert again is not None
    assert again.visit.returned == BACK


def test_a_dial_that_fails_before_its_stream_has_closed_brings_the_call_back_all_the_same(desk: Desk) -> None:
    stream = call(desk, "a")
    desk.decide(stream, DIAL, BACK)
    assert [desk.next_step("a"), desk.unreached("a"), desk.expects("a")] == [DIAL, Continue(), True]
    desk.close(stream)
    assert (desk.open("a") is not None, desk.taken) == (True, 1)


def test_the_desk_is_busy_until_the_carrier_was_told_or_has_had_its_time(desk: Desk, clock: Clock) -> None:
    stream = call(desk, "a")
    desk.decide(stream, DIAL)
    desk.close(stream)
    assert (desk.taken, desk.busy) == (0, True)
    desk.next_step("a")
    assert not desk.busy
    other = call(desk, "b")
    desk.decide(other, DIAL)
    desk.close(other)
    clock.now += ASKED_WITHIN_S
    assert not desk.busy


def test_a_desk_whose_callers_have_hung_up_is_not_busy(desk: Desk) -> None:
    desk.close(call(desk, "a"))
    assert not desk.busy


def test_decisions_are_forgotten_after_their_time_and_beyond_their_number(desk: Desk, clock: Clock) -> None:
    for number in range(DECISIONS + 10):
        stream = call(desk, f"c{number}")
        desk.decide(stream, DIAL)
        desk.close(stream)
    assert (desk.next_step("c0"), desk.next_step(f"c{DECISIONS + 9}")) == (None, DIAL)
    clock.now += limits.DECISIONS_S + 1
    assert desk.next_step(f"c{DECISIONS + 9}") is None
