from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import field_validator

from agentd.flow import (
    FILLED,
    Context,
    Flow,
    FreeText,
    Moment,
    Notes,
    Refused,
    Slots,
    SpokenPhone,
    SpokenTime,
    State,
    When,
    YesNo,
    load,
    read,
    slot,
)
from agentd.flow.checks import check
from agentd.flow.notes import Question
from agentd.messages import FlowState

NOON = datetime.fromisoformat("2026-11-20T12:00-05:00")
NIGHT = datetime.fromisoformat("2026-11-20T22:00-05:00")


class Visit(Slots):
    day: SpokenTime | None = slot(ask="What day?", again="Which day?")
    time: SpokenTime | None = slot(ask="Which one?", again="Which, please?")
    phone: SpokenPhone | None = slot(ask="What number?", again="Which number?", confirm="{phone}, right?")

    @field_validator("day")
    @classmethod
    def not_on_sundays(cls, day: Moment | None) -> Moment | None:
        if day and day.day and day.day.weekday() == 6:
            raise ValueError("We are closed on Sundays.")
        return day


class Wishes(Slots):
    wish: FreeText | None = slot(ask="What else?", again="What else, please?")
    urgent: YesNo | None = slot(ask="Is it urgent?", again="Is it?")


@read(tell="I have {offers}.", offers="time")
def free_times(context: Context, day: SpokenTime, part: str = "") -> list[Moment]:
    """Free times."""
    return [day]


def at_night(context: Context) -> bool:
    return context.now.hour > 20


FLOW = Flow(
    "test",
    states=[
        State("start", say="How can I help?"),
        State("booking", fills=Visit, tools=[free_times]),
        State("wishing", fills=Wishes, afresh=Wishes, stuck="wants_human"),
        State("handover", transfer="desk"),
        State("end", say="Goodbye.", final=True),
    ],
    transitions=[
        When("wants_visit", "*", "booking", "book an appointment"),
        When("wants_wish", "*", "wishing", "something else"),
        When(FILLED, ["booking", "wishing"], "start"),
        When("wants_human", "*", "handover", "speak to a person", unless=at_night),
        When("wants_human", "start", "wishing", when=at_night, say="Nobody is here."),
        When("is_done", "*", "end", "goodbye"),
    ],
    help="nothing",
    timezone="America/New_York",
    transfers={"desk": "+1"},
)


def at(state: str, **slots: Any) -> FlowState:
    return FLOW.fill(replace(FLOW.start(), state=state), slots)


def test_the_flow_of_these_tests_is_sound() -> None:
    check(FLOW)


def test_a_trigger_that_the_state_does_not_allow_is_refused_and_nothing_moves() -> None:
    fs = FLOW.start()
    for trigger in (FILLED, "nonsense", "stuck", "booking"):
        with pytest.raises(Refused):
            FLOW.fire(fs, trigger, NOON)
    with pytest.raises(Refused, match="does not allow"):
        FLOW.fire(at("end"), "wants_visit", NOON)
    assert fs == FLOW.start()


def test_a_condition_decides_between_the_rows_of_a_trigger() -> None:
    assert FLOW.fire(FLOW.start(), "wants_human", NOON).state == "handover"
    night = FLOW.fire(FLOW.start(), "wants_human", NIGHT)
    assert night.state == "wishing"
    assert FLOW.transitions[Notes.of(night.notes).passing or 0].say == "Nobody is here."
    with pytest.raises(Refused, match="do not hold"):
        FLOW.fire(at("booking"), "wants_human", NIGHT)


def test_a_handover_that_nobody_takes_goes_on_where_its_state_says_with_what_is_known() -> None:
    assert FLOW.unreached(at("handover")) is None
    states = [replace(state, unreached="wishing") if state.transfer else state for state in FLOW.states]
    flow = replace(FLOW, states=states)
    known = at("handover", day="2026-11-24", wish="a pony")
    back = flow.unreached(known)
    assert back is not None
    assert (back.state, back.announced, back.entered) == ("wishing", False, 1)
    assert dict(back.slots) == {name: value for name, value in known.slots.items() if name != "wish"}
    assert flow.begun(back)


def test_a_call_has_begun_once_it_was_anywhere() -> None:
    assert not FLOW.begun(FLOW.start())
    assert FLOW.begun(replace(FLOW.start(), entered=2))
    assert FLOW.begun(at("booking"))


def test_what_is_allowed_is_what_the_state_lists() -> None:
    allowed = FLOW.allowed(at("booking"))
    assert allowed.triggers == ("wants_wish", "wants_human", "is_done")
    assert allowed.tools == ("free_times",)
    assert FLOW.allowed(at("end")) == FLOW.allowed(at("handover"))
    assert FLOW.allowed(at("end")).triggers == ()


def test_a_tool_that_the_state_does_not_list_is_refused_and_so_are_wrong_arguments() -> None:
    with pytest.raises(Refused, match="does not allow the tool"):
        FLOW.check_tool(FLOW.start(), "free_times", {"day": "2026-11-24"})
    with pytest.raises(Refused, match="day"):
        FLOW.check_tool(at("booking"), "free_times", {"day": "someday"})
    with pytest.raises(Refused, match="more"):
        FLOW.check_tool(at("booking"), "free_times", {"day": "2026-11-24", "more": 1})
    tool, args = FLOW.check_tool(at("booking"), "free_times", {"day": "2026-11-24T10:00"})
    assert tool.required == ("day",)
    assert tool.call(FLOW.context(FLOW.start(), NOON), args) == [Moment.read("2026-11-24T10:00")]


def test_a_value_that_a_slot_does_not_take_is_refused_in_the_authors_words() -> None:
    with pytest.raises(Refused) as caught:
        at("booking", day="2026-11-22")
    assert (caught.value.why, caught.value.spoken) == ("We are closed on Sundays.", True)
    with pytest.raises(Refused, match="no slot 'dya'"):
        at("booking", dya="2026-11-24")


def test_a_time_without_its_day_is_still_asked_for() -> None:
    assert FLOW.missing(at("booking", day="10:00"))[0].name == "day"
    assert FLOW.missing(at("booking", day="2026-11-24"))[0].name == "time"


def test_a_choice_is_forgotten_when_what_it_was_offered_for_changes() -> None:
    fs = at("booking", day="2026-11-24", time="2026-11-24T10:00")
    assert "time" not in FLOW.fill(fs, {"day": "2026-11-25"}).slots
    assert "time" in FLOW.fill(fs, {"day": "2026-11-24"}).slots
    assert "day" not in FLOW.fill(fs, {"day": None}).slots


def test_a_value_that_wants_confirming_is_missing_until_it_has_its_yes_and_again_when_it_changes() -> None:
    fs = at("booking", day="2026-11-24", time="2026-11-24T10:00", phone="5550123")
    assert [slot.name for slot in FLOW.missing(fs)] == ["phone"]
    sure = replace(fs, notes=replace(Notes.of(fs.notes), confirmed=("phone",)).mapping())
    assert FLOW.filled(sure)
    assert FLOW.fire(sure, FILLED, NOON).state == "start"
    with pytest.raises(Refused, match="do not hold"):
        FLOW.fire(fs, FILLED, NOON)
    assert not FLOW.filled(FLOW.fill(sure, {"phone": "5550124"}))


def test_entering_a_state_counts_the_visit_forgets_what_it_should_and_keeps_the_rest() -> None:
    fs = FLOW.fill(FLOW.fire(FLOW.start(), "wants_wish", NOON), {"wish": "tea", "phone": "5550123"})
    again = FLOW.fire(FLOW.fire(replace(fs, announced=True), "wants_visit", NOON), "wants_wish", NOON)
    assert (again.entered, again.announced) == (2, False)
    assert dict(again.slots) == {"phone": "5550123"}


def test_a_stuck_state_leads_on_and_never_to_itself() -> None:
    assert FLOW.escalate(at("wishing"), NOON).state == "handover"
    assert FLOW.escalate(at("wishing"), NIGHT).state == "end"
    assert FLOW.escalate(FLOW.start(), NOON).state == "end"  # it names no trigger, and the flow none either
    with pytest.raises(Refused):
        FLOW.escalate(at("end"), NOON)


def test_being_lost_or_misheard_three_times_is_being_stuck() -> None:
    def after(notes: Notes) -> bool:
        return FLOW.stuck_now(replace(FLOW.start(), notes=notes.mapping()))

    assert not after(Notes(lost=2, misheard=2))
    assert after(Notes(lost=3))
    assert after(Notes(misheard=3))


def test_notes_and_slots_are_plain_json_and_come_back_the_same() -> None:
    notes = Notes(
        question=Question("slot", "day", closed=False, told="x"), asked={"day": 2}, ran={"t": {"args": "{}",
        "slot": "time", "offers": ["10:00"]}},
        confirmed=("phone",), last=("Hello.",), lost=1, passing=0, consent=False, visits={"start": 1},
    )  # fmt: skip
    again = Notes.of(json.loads(json.dumps(notes.mapping())))
    assert again.mapping() == notes.mapping()
    assert again.question == notes.question
    assert again.consent is False
    assert again.passing == 0
    fs = at("booking", day="2026-11-24 morning", phone="5550123")
    plain = json.loads(json.dumps(FLOW.written(fs)))
    assert plain == {"day": "2026-11-24 morning", "phone": "5550123"}
    assert FLOW.fill(FLOW.start(), plain).slots == fs.slots


def test_templates_say_values_as_people_do() -> None:
    fs = at("booking", day="2026-11-24T10:00", phone="5550123")
    assert (
        FLOW.say("On {day}, call {phone}.", fs, NOON) == "On Tuesday the 24th at 10, call five five five, zero one two three."
    )
    line = FLOW.line("I have {phone}. Is that right?", fs, NOON)
    assert line.text[: line.answer_from] == "I have five five five, zero one two three"
    assert FLOW.line("Fine; what else?", fs, NOON).answer_from == len("Fine; ")
    assert FLOW.line("Fine.", fs, NOON).answer_from is None


def test_listening_follows_the_question_that_was_asked() -> None:
    def asked(question: Question | None, state: str = "booking", *, put: bool = True) -> Any:
        return FLOW.listen(replace(at(state), notes=Notes(question=question).mapping()), speaking=False, asked=put)

    assert asked(Question("confirm", "phone", closed=True)).closed
    assert not asked(Question("confirm", "phone", closed=True), put=False).closed
    assert asked(Question("slot", "phone")).dictation
    assert not asked(Question("slot", "day")).dictation
    assert asked(Question("slot", "urgent", closed=True), "wishing").closed
    assert "book an appointment" in asked(None, "start").complete
    assert "i would like to book an appointment please" in asked(None, "start").complete
    assert "tuesday at ten" in asked(None, "booking").complete


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["wants_visit", "wants_wish", "wants_human", "is_done", FILLED, "stuck", "x"]), max_size=12),
    st.booleans(),
)
def test_whatever_is_fired_the_flow_stands_in_one_of_its_states_and_only_moves_by_its_table(
    triggers: list[str], night: bool
) -> None:
    fs, now = FLOW.start(), NIGHT if night else NOON
    for trigger in triggers:
        ways = {(when.trigger, when.dest) for _, when, source in FLOW.rows if source == fs.state}
        try:
            after = FLOW.fire(fs, trigger, now)
        except Refused:
            continue
        assert (trigger, after.state) in ways
        fs = after


def test_loading_a_flow_twice_gives_two_that_do_not_share_their_state() -> None:
    first, second = load(Path("flows/receptionist.py")), load(Path("flows/receptionist.py"))
    assert first is not second
    assert first.start() == second.start()
