"""What a caller wanted: the lines that came to something, and no greeting, no yes, no slot's value."""

from __future__ import annotations

from typing import Any

import pytest

from agentd.flow import load
from agentd.handoff.gist import WISHES, Gist
from agentd.messages import Fill, Fire, LedgerMoved, Logged, Outcome, Proposal, Reply, RoundDone, Said, ToolDone, UseTool
from tests.unit.handoff.desk import effect

FLOW = load("receptionist")
LOOK = UseTool("1", "free_times", {"wanted": "2026-11-24"})


def entry(turn: int, event: Any, state: str = "greeting", *lines: Said) -> Logged:
    return Logged(0.0, event, "listening", "speaking", Reply(turn, turn), "reply", (), lines, state)


def heard(
    gist: Gist, turn: int, text: str, *rounds: tuple[Proposal, ...], state: str = "greeting", understood: bool = True
) -> None:
    """A turn: the caller's words, and the rounds of thinking that follow."""
    gist.feed(entry(turn, None, "greeting", Said("caller", text)))
    for number, proposals in enumerate(rounds):
        said = ("Well.",) if not proposals else ()
        done = RoundDone(Reply(turn, turn), number, proposals, said, 0.0, None, 0.0, understood=understood)
        gist.feed(entry(turn, done, state))


@pytest.fixture
def gist() -> Gist:
    return Gist(FLOW)


def test_a_question_that_was_answered_is_a_wish(gist: Gist) -> None:
    heard(gist, 1, "where are you", ())
    assert gist.wants == ("where are you",)


def test_what_moves_the_flow_or_puts_a_tool_to_work_is_a_wish(gist: Gist) -> None:
    heard(gist, 1, "i need an appointment", (Fire("wants_visit"),), (), state="booking")
    heard(gist, 2, "on tuesday", (Fill({"wanted": "2026-11-24"}), LOOK), (), state="booking")
    assert gist.wants == ("i need an appointment", "on tuesday")


@pytest.mark.parametrize("text", ["hello", "Good morning!", "yes please", "no", "uh huh", "thank you", "okay"])
def test_a_greeting_and_a_yes_are_no_wishes_whatever_they_bring_about(gist: Gist, text: str) -> None:
    heard(gist, 1, text, (Fire("wants_visit"),), (), state="booking")
    heard(gist, 2, text, ())
    assert gist.wants == ()


def test_what_only_fills_a_slot_is_no_wish(gist: Gist) -> None:
    heard(gist, 1, "my name is john smith", (Fill({"name": "John Smith"}),), (), state="booking")
    heard(gist, 2, "five five five", (Fill({"phone": "+1555"}), Fire("filled")), (), state="taken")
    assert gist.wants == ()


def test_what_made_no_sense_is_no_wish(gist: Gist) -> None:
    heard(gist, 1, "how much wood would a woodchuck", (), understood=False)
    assert gist.wants == ()


def test_asking_for_a_person_is_no_wish_but_sums_up_a_call_that_had_none(gist: Gist) -> None:
    heard(gist, 1, "can i speak to a person", (Fire("wants_human"),), (), state="handover")
    assert (gist.wants, gist.summary) == ((), "can i speak to a person")
    heard(gist, 2, "where are you", ())
    assert gist.summary == "where are you"


def test_a_turn_that_is_reopened_is_one_wish_in_its_joined_words(gist: Gist) -> None:
    heard(gist, 1, "do you have anything", (LOOK,))
    heard(gist, 1, "do you have anything on tuesday", (LOOK,), ())
    assert gist.wants == ("do you have anything on tuesday",)


def test_the_agent_s_own_turn_makes_no_wish_of_earlier_words(gist: Gist) -> None:
    gist.feed(entry(1, None, "greeting", Said("caller", "mumbled something")))
    gist.feed(entry(2, RoundDone(Reply(2, 2), 0, (), ("Are you still there?",), 0.0, None, 0.0)))
    assert gist.wants == ()


def test_a_reply_that_was_given_up_makes_no_wish(gist: Gist) -> None:
    gist.feed(entry(2, None, "greeting", Said("caller", "where are you")))
    gist.feed(entry(2, RoundDone(Reply(2, 1), 0, (), ("At the station.",), 0.0, None, 0.0)))
    assert gist.wants == ()


def test_of_a_long_call_the_last_wishes_are_kept_each_once(gist: Gist) -> None:
    for turn in range(1, 3 * WISHES):
        heard(gist, turn, f"question {turn // 2}", ())
    assert len(gist.wants) == WISHES
    assert gist.wants[-1] == f"question {(3 * WISHES - 1) // 2}"


def test_tools_are_kept_with_what_became_of_them(gist: Gist) -> None:
    gist.feed(entry(1, ToolDone(Reply(1, 1), Outcome(LOOK, "timeout"), 0.0, 1.0)))
    assert [outcome.status for outcome in gist.tried] == ["timeout"]


def test_effects_are_those_that_the_ledger_told_last(gist: Gist) -> None:
    for state in ("running", "kept"):
        gist.feed(entry(1, LedgerMoved(0.0, (), (effect(state),), (), busy=False, live=False)))
    assert gist.effects == (effect("kept"),)
