from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentd import limits
from agentd.flow import (
    FILLED,
    Answer,
    Context,
    Flow,
    FreeText,
    Moment,
    Slots,
    SpokenName,
    SpokenTime,
    State,
    When,
    YesNo,
    load,
    read,
    slot,
)
from agentd.flow.checks import check
from agentd.flow.templates import Line
from agentd.messages import Fill, Fire, Reply, Said, Segment, ThinkRequest, UseTool
from agentd.providers.rules.match import Phrasebook
from agentd.providers.rules.say import cut
from agentd.providers.rules.thinker import RulesThinker
from tests.unit.providers.talk import Talk

WALL = "2026-11-20T11:00-05:00"
RESULTS: dict[str, Any] = {}


class Visit(Slots):
    day: SpokenTime | None = slot(ask="What day?", again="Which day?")
    time: SpokenTime | None = slot(ask="Which one?", again="{offers}: which?", one="Shall I take it?")
    urgent: YesNo | None = slot(ask="Is it urgent?", again="Is it?")


class Note(Slots):
    name: SpokenName | None = slot(ask="Your name?", again="Your name, please?")
    text: FreeText | None = slot(ask="What is it?", again="What is it about?")


@read(tell="I have {offers}.", nothing="Nothing {day}.", offers="time")
def find_times(context: Context, day: SpokenTime) -> list[Moment]:
    """Whatever the test says."""
    return [Moment.read(text) for text in RESULTS["times"]]


@read(tell="Your number is {result}.")
def find_number(name: SpokenName) -> str:
    """A number."""
    return "seven"


def make(**changes: Any) -> Flow:
    flow = Flow(
        "test",
        states=[
            State("start", say="How can I help?", ask="Anything else?"),
            State("booking", say="Let me see.", fills=Visit, tools=[find_times]),
            State("noting", fills=Note, tools=[find_number]),
            State("done", say="Noted {time}.", ask="Anything else?"),
            State("desk", say="One moment.", transfer="desk"),
            State("end", say="Goodbye.", final=True),
        ],
        transitions=[
            When("wants_visit", "*", "booking", "book an appointment"),
            When("wants_note", "*", "noting", "leave a note"),
            When(FILLED, ["booking", "noting"], "done", say="Fine."),
            When("wants_human", "*", "desk", "speak to a person"),
            When("is_done", ["start", "done"], "end", "no", "that's all"),
        ],
        answers=[
            Answer("asks_hours", "From eight to six.", "when are you open", "opening hours"),
            Answer("asks_parking", "Behind the house.", "is there parking"),
        ],
        greeting="Hello, this is the test.",
        help="appointments and notes",
        timezone="America/New_York",
        transfers={"desk": "+1"},
        stuck="wants_human",
    )
    return replace(flow, **changes)


@pytest.fixture
def talk() -> Talk:
    RESULTS["times"] = ["2026-11-24T10:00", "2026-11-24T14:30", "2026-11-25T10:00"]
    flow = make()
    check(flow)
    return Talk(flow, WALL)


# ── Opening ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_opening_greets_discloses_the_ai_and_asks(talk: Talk) -> None:
    assert talk.open() == "Hello, this is the test. I am an AI assistant. How can I help?"
    assert [segment.answer_from for segment in talk.segments] == [None, 0]


def test_disclosure_and_recording_are_said_as_the_flow_sets_them() -> None:
    assert Talk(make(disclosure=False), WALL).open() == "Hello, this is the test. How can I help?"
    assert "This call is recorded." in Talk(make(recording="on"), WALL).open()


@pytest.mark.parametrize(("answer", "consent"), [("yes", True), ("no", False), ("when are you open", False)])
def test_consent_is_asked_first_and_only_a_yes_gives_it(answer: str, consent: bool) -> None:
    talk = Talk(make(recording="consent"), WALL)
    assert talk.open().endswith("May I record this call?")
    assert talk.flow.listen(talk.fs).closed
    assert "How can I help?" in talk.say(answer)
    assert talk.notes.consent is consent


def test_a_call_that_comes_back_is_not_greeted_again() -> None:
    talk = Talk(make(recording="consent"), WALL)
    talk.fs = replace(talk.fs, state="booking")
    assert talk.open() == "Let me see. What day?"


# ── What it asks, and what it never asks ─────────────────────────────────────────────────────────────────────────────


def test_what_was_told_in_one_breath_is_not_asked_for(talk: Talk) -> None:
    talk.open()
    said = talk.say("i'd like to book an appointment for tuesday")
    assert [type(proposal) for proposal in talk.proposals] == [Fire, Fill, UseTool]
    assert said == "Let me see. I have Tuesday the 24th at 10, 2:30 or Wednesday the 25th at 10. Which one?"


def test_the_answer_may_begin_behind_the_last_value_told(talk: Talk) -> None:
    talk.open()
    talk.say("book an appointment for tuesday")
    question = talk.segments[-1]
    assert question.text[: question.answer_from] == "I have Tuesday the 24th at 10, 2:30 or Wednesday the 25th at 10"


def test_a_value_that_only_one_state_asks_for_leads_there(talk: Talk) -> None:
    talk.open()
    talk.say("tuesday please")
    assert talk.fs.state == "booking"


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ("the first one", "2026-11-24T10:00"),
        ("the last one", "2026-11-25T10:00"),
        ("half past two", "2026-11-24T14:30"),
        ("wednesday", "2026-11-25T10:00"),
    ],
)
def test_an_offer_is_chosen_by_its_place_or_by_what_it_is(talk: Talk, said: str, chosen: str) -> None:
    talk.open()
    talk.say("book an appointment for tuesday")
    assert talk.say(said) == "Is it urgent?"
    assert str(talk.fs.slots["time"]) == chosen


def test_a_choice_that_was_not_offered_is_a_new_wish(talk: Talk) -> None:
    talk.open()
    talk.say("book an appointment for tuesday")
    talk.say("actually friday")
    assert str(talk.fs.slots["day"]) == "2026-11-27"
    assert any(isinstance(proposal, UseTool) for proposal in talk.proposals)


def test_a_single_offer_takes_a_yes_and_a_no_asks_for_another_day(talk: Talk) -> None:
    RESULTS["times"] = ["2026-11-24T10:00"]
    talk.open()
    assert talk.say("book an appointment for tuesday at ten").endswith("I have Tuesday the 24th at 10. Shall I take it?")
    assert talk.flow.listen(talk.fs).closed
    assert talk.say("no") == "What day?"
    talk.say("tuesday at ten")
    assert talk.say("yes please") == "Is it urgent?"


def test_a_second_offer_is_told_once(talk: Talk) -> None:
    talk.open()
    talk.say("book an appointment for tuesday")
    assert talk.say("no") == "What day?"
    assert talk.say("friday") == "I have Tuesday the 24th at 10, 2:30 or Wednesday the 25th at 10. Which one?"


def test_nothing_found_is_said_and_asked_again(talk: Talk) -> None:
    RESULTS["times"] = []
    talk.open()
    assert talk.say("book an appointment for tuesday") == "Let me see. Nothing Tuesday the 24th. What day?"
    assert "day" not in talk.fs.slots


def test_a_tool_runs_once_for_the_same_arguments(talk: Talk) -> None:
    talk.open()
    talk.say("book an appointment for tuesday")
    talk.say("when are you open")
    assert not any(isinstance(proposal, UseTool) for proposal in talk.proposals)


def test_a_tools_result_is_told_and_a_failed_one_is_admitted_and_handed_on(talk: Talk) -> None:
    talk.open()
    talk.say("leave a note")
    assert talk.say("john smith").startswith("Your number is seven.")
    talk = Talk(make(), WALL)
    talk.open()
    talk.failing = {"find_times"}
    assert "cannot look that up" in talk.say("book an appointment for tuesday")
    assert talk.fs.state == "desk"


def test_a_full_state_goes_on_by_itself_with_the_words_of_its_transition(talk: Talk) -> None:
    talk.open()
    talk.say("book an appointment for tuesday")
    talk.say("the first one")
    assert talk.flow.listen(talk.fs).closed
    assert talk.say("no") == "Fine. Noted Tuesday the 24th at 10. Anything else?"
    assert talk.fs.slots["urgent"] is False


def test_a_message_is_kept_word_for_word_unless_it_is_a_request(talk: Talk) -> None:
    talk.open()
    talk.say("leave a note")
    talk.say("john smith")
    talk.say("Well, please call me back about the bill.")
    assert talk.fs.slots["text"] == "Well, please call me back about the bill."
    talk.say("leave a note")
    assert talk.fs.state != "noting"  # nothing was missing any more


def test_a_person_is_reached_from_a_dictation_too(talk: Talk) -> None:
    talk.open()
    talk.say("leave a note")
    talk.say("john smith")
    talk.say("can i speak to a person")
    assert talk.fs.state == "desk"
    assert "text" not in talk.fs.slots


# ── Answers and small words ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_question_is_answered_without_leaving_the_state(talk: Talk) -> None:
    talk.open()
    talk.say("book an appointment")
    assert talk.say("when are you open") == "From eight to six. Which day?"
    assert talk.fs.state == "booking"


def test_two_questions_get_two_answers(talk: Talk) -> None:
    talk.open()
    assert talk.say("when are you open and is there parking") == "From eight to six. Behind the house. Anything else?"


def test_yes_and_no_answer_what_was_asked_and_nothing_else(talk: Talk) -> None:
    talk.open()
    assert talk.say("yes") == "What can I do for you?"
    talk.say("when are you open")
    assert talk.say("no thank you") == "Goodbye."


def test_thanks_after_anything_else_is_a_goodbye_and_elsewhere_it_is_not(talk: Talk) -> None:
    talk.open()
    assert talk.say("thank you") == "You are welcome. Anything else?"
    assert talk.say("perfect thanks") == "Goodbye."


def test_a_yes_to_a_question_that_was_cut_off_is_none(talk: Talk) -> None:
    RESULTS["times"] = ["2026-11-24T10:00"]
    talk.open()
    talk.say("book an appointment for tuesday")
    talk.conversation[-1] = Said("agent", "Let me see. I have", cut=True)
    talk.say("yes")
    assert "time" not in talk.fs.slots
    talk.conversation[-1] = Said("agent", "Let me see. I have Tuesday the 24th at 10. Shall", cut=True)


def test_a_plea_to_repeat_repeats_the_last_reply_and_changes_nothing(talk: Talk) -> None:
    talk.open()
    said = talk.say("book an appointment for tuesday")
    for plea in ("sorry can you repeat that", "what was the first part", "pardon"):
        assert talk.say(plea) == said
    assert talk.notes.lost == 0


def test_wait_is_granted_and_hello_asks_again(talk: Talk) -> None:
    talk.open()
    talk.say("book an appointment")
    assert talk.say("wait") == "Of course, take your time."
    assert talk.say("hello") == "Which day?"
    assert talk.say("uh huh") == "Which day?"


# ── Doubt, silence, nonsense ─────────────────────────────────────────────────────────────────────────────────────────


def test_words_that_were_heard_unsurely_are_asked_back_before_anything_is_done(talk: Talk) -> None:
    talk.open()
    assert talk.say("book an appointment", sure=False) == "Did you say: book an appointment?"
    assert talk.fs.state == "start"
    assert talk.flow.listen(talk.fs).closed
    talk.say("yes", sure=False)
    assert talk.fs.state == "booking"


def test_a_no_to_did_you_say_drops_the_words_and_other_words_replace_them(talk: Talk) -> None:
    talk.open()
    talk.say("book an appointment", sure=False)
    assert talk.say("no") == "Sorry. Could you say it once more?"
    assert talk.fs.state == "start"
    talk.say("book an appointment", sure=False)
    talk.say("no leave a note")
    assert talk.fs.state == "noting"


def test_silence_and_mumbling_are_answered_in_other_words_each_time(talk: Talk) -> None:
    talk.open()
    talk.say("book an appointment")
    said = [talk.silence(1), talk.silence(2), talk.mumble(), talk.mumble(), talk.mumble()]
    assert len(set(said)) == len(said)
    assert all(text.endswith("Which day?") for text in said)
    assert talk.flow.stuck_now(talk.fs)


def test_nonsense_is_answered_in_other_words_each_time_until_it_is_stuck(talk: Talk) -> None:
    talk.open()
    said = [talk.say(text) for text in ("the weather is terrible", "purple monkeys", "one two one nine")]
    assert len(set(said)) == 3
    assert all("appointments and notes" in text for text in said)
    assert talk.flow.stuck_now(talk.fs)
    talk.say("when are you open")
    assert not talk.flow.stuck_now(talk.fs)


@pytest.mark.parametrize(
    "said",
    [
        "hold on a second there",
        "how are you",
        "i like the book",
        "is there a person",
        "appointment",
        "the parking ticket was very expensive today",
        "open",
    ],
)
def test_words_that_share_a_little_with_a_phrase_do_not_match_it(talk: Talk, said: str) -> None:
    talk.open()
    talk.say(said)
    assert talk.fs.state == "start"
    assert "From eight" not in talk.segments[0].text


# ── The machinery ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "said", ["book an apointment", "i would really like to book appointments please", "um, book an appointment"]
)
def test_a_phrase_is_found_in_nearly_its_words(said: str) -> None:
    match = Phrasebook({"wants_visit": ["book an appointment"], "asks_hours": ["opening hours"]}).best(said)
    assert match is not None
    assert match.name == "wants_visit"


def test_long_lines_are_cut_into_breaths_that_lose_no_word() -> None:
    text = (
        " ".join(f"This is sentence number {number}, and it goes on for a while." for number in range(20)) + " " + "word " * 150
    )
    pieces = [piece.text for piece in cut(Line(text))]
    assert all(len(piece) <= limits.SEGMENT_CHARS for piece in pieces)
    assert " ".join(pieces).split() == text.split()


async def test_segments_are_numbered_on_and_handed_over_one_by_one() -> None:
    flow, heard = make(), list[Segment]()

    async def say(segment: Segment) -> None:
        heard.append(segment)

    request = ThinkRequest(Reply(1, 1), 0, "opening", "", True, flow.start(), (), next_segment=3, wall=WALL)
    thought = await RulesThinker(flow).think(request, say)
    assert [segment.index for segment in heard] == [3, 4]
    assert all(segment.reply == Reply(1, 1) for segment in heard)
    assert thought.proposals == ()


def test_a_round_is_a_pure_function_of_its_request() -> None:
    thinker = RulesThinker(load("receptionist"))
    text = "i would like to book an appointment for next wednesday morning and how much is a cleaning"
    request = ThinkRequest(Reply(1, 1), 0, "reply", text, True, load("receptionist").start(), (), wall=WALL)
    first = thinker.round(request)
    assert first[1].proposals
    assert all(thinker.round(request) == first for _ in range(20))


@pytest.mark.parametrize(
    ("said", "understood"), [("book an appointment", True), ("purple monkeys", False), ("", False), ("pardon", True)]
)
def test_a_round_says_whether_the_words_made_sense(said: str, understood: bool) -> None:
    flow = make()
    request = ThinkRequest(Reply(1, 1), 0, "reply", said, True, flow.start(), (), wall=WALL)
    assert RulesThinker(flow).round(request)[1].understood is understood
