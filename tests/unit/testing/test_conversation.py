"""What a caller can do in a call, and see of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from agentd.flow import State
from agentd.testing import Conversation, Unheard
from agentd.testing.placing import place
from tests.unit.testing.flows import Office, a_flow

Part = Callable[[Conversation, Office], Awaitable[None]]


def calls(part: Part, office: Office | None = None, at: str = "2026-11-20T12:00", **changes: object) -> Office:
    """Place a call to that office; answers the office as it is when all is over."""
    office = office or Office()
    flow = a_flow(office, **changes)

    async def caller(call: Conversation) -> None:
        await part(call, office)

    place(flow, caller, datetime.fromisoformat(at).replace(tzinfo=flow.zone))
    return office


def columns(call: Conversation) -> list[tuple[str, str, str]]:
    return [(row.fact.value, row.verdict.value, row.told.value) for row in call.effects]


TUESDAY = "i would like to book a visit on tuesday"
BOOKED = "You are booked for Tuesday the 24th. Anything else?"


def test_a_reply_is_in_the_air_until_it_is_heard() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says(TUESDAY)
        assert (call.reply, call.heard, call.in_the_air) == (BOOKED, "", True)
        assert [row.verdict.value for row in call.effects] == ["open"]
        assert await call.hears() == BOOKED
        assert columns(call) == [("there", "keep", "told")]
        assert (call.state, str(call.slots["day"]), call.in_the_air) == ("booking", "2026-11-24", False)

    assert list(calls(part).booked.values()) == ["2026-11-24"]


def test_who_cuts_in_has_heard_the_words_before_and_not_those_behind() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says(TUESDAY)
        assert await call.cuts_in("You are booked", "no, don't")
        heard = [line for line in call.conversation if line.who == "agent"][-1]
        assert (heard.text, heard.cut) == ("You are booked", True)
        assert columns(call) == [("absent", "drop", "telling")]

    assert calls(part).booked == {}


def test_what_is_told_again_can_be_seen_to_be_owed() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says(TUESDAY)
        await call.cuts_in("You are", "how much is it")
        assert await call.hears() == "You are booked for Tuesday the 24th. It is free. Anything else?"
        assert columns(call) == [("there", "keep", "told")]
        assert call.effects[0].cuts == 1

    calls(part)


def test_an_uh_huh_stops_nobody() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says(TUESDAY)
        assert not await call.cuts_in("You are", "uh huh")
        assert await call.hears() == BOOKED
        assert columns(call) == [("there", "keep", "told")]

    calls(part)


def test_hearing_stops_at_the_words_that_were_wanted() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says(TUESDAY)
        assert await call.hears("you are booked") == "You are booked"
        assert call.in_the_air
        assert await call.hears() == BOOKED

    calls(part)


def test_words_that_are_not_in_the_reply_are_not_waited_for() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says(TUESDAY)
        with pytest.raises(Unheard, match=r"'refused' is not in the agent's reply: 'You are booked for Tuesday the 24th\."):
            await call.cuts_in("refused", "why")
        assert call.heard == ""

    calls(part)


def test_who_says_nothing_is_prompted() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.stays_silent()
        assert call.reply.startswith("Are you still there?")
        await call.stays_silent()
        assert call.reply.startswith("I am still here")
        await call.stays_silent()
        assert await call.hears() == "Thank you for calling. Goodbye."
        assert (call.over, call.outcome) == (True, "silence")

    calls(part)


def test_words_without_any_are_refused() -> None:
    async def part(call: Conversation, office: Office) -> None:
        with pytest.raises(ValueError, match=r"stays_silent\(\)"):
            await call.says(" … ")

    calls(part)


def test_nobody_hears_a_caller_when_the_call_is_over() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says("goodbye")
        assert await call.hears() == "Goodbye."
        assert (call.over, call.outcome) == (True, "completed")
        with pytest.raises(Unheard, match=r"over \(completed\): nobody hears 'wait'"):
            await call.says("wait")

    calls(part)


def test_a_call_that_is_handed_over_says_where_to() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says("can i speak to a person")
        await call.hears()
        assert (call.transferred, call.outcome) == ("desk", "transferred")

    calls(part)


def test_who_hangs_up_in_the_middle_of_the_telling_keeps_it_and_is_owed_a_notice() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says(TUESDAY)
        await call.hears("You are booked")
        await call.hangs_up()
        assert [row.why for row in call.effects] == ["doubt"]
        assert [row.of for row in call.notices] == [call.effects[0].id]

    assert list(calls(part).booked.values()) == ["2026-11-24"]


def test_what_a_call_could_not_settle_is_settled_when_it_is_over() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says(TUESDAY)
        office.away = 3
        await call.cuts_in("You are", "no, don't")
        await call.hangs_up()
        assert columns(call) == [("absent", "drop", "telling")]

    assert calls(part).booked == {}


def test_a_tool_that_sleeps_takes_no_time_and_is_waited_for() -> None:
    async def part(call: Conversation, office: Office) -> None:
        began = call.now
        await call.says(TUESDAY)
        assert call.reply == f"One moment, please. Just a moment more. {BOOKED}"
        assert (call.now - began).total_seconds() > office.late
        assert await call.hears() == call.reply

    calls(part, Office(late=7.0))


def test_hearing_the_agent_out_waits_for_what_comes_of_it() -> None:
    async def part(call: Conversation, office: Office) -> None:
        await call.says("text me on tuesday")
        assert call.effects[0].fact.value == "unsent"
        assert await call.hears() == "I will text you about Tuesday the 24th."
        assert columns(call) == [("there", "keep", "told")]
        assert list(office.texted.values()) == ["2026-11-24"]

    calls(part, Office(late=3.0))


def test_a_call_begins_at_the_time_that_is_given() -> None:
    async def part(call: Conversation, office: Office) -> None:
        assert call.now.isoformat(timespec="minutes") == "2026-07-03T22:30-04:00"
        await call.says("book a visit tomorrow")
        assert str(call.slots["day"]) == "2026-07-04"

    calls(part, at="2026-07-03T22:30")


def test_a_long_reply_is_known_before_it_is_heard() -> None:
    story = " ".join(f"This is sentence number {number} of a long story." for number in range(20))

    async def part(call: Conversation, office: Office) -> None:
        assert story in call.reply
        await call.hears("sentence number 2")
        assert "number 4" not in call.heard
        assert story in await call.hears()

    state = State("greeting", say=story)
    flow = a_flow(Office())
    calls(part, states=[state, *flow.states[1:]])
