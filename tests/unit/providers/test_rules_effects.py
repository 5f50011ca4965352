"""The rule-based thinker and the effects of a call: what it proposes, what it leaves to the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentd.flow import Context, Flow, Moment, Slots, SpokenName, SpokenTime, State, When, deferred, held, read, slot
from agentd.flow import lines as common
from agentd.flow.checks import check
from agentd.messages import (
    Effect,
    Fill,
    Fire,
    FlowState,
    Mode,
    Outcome,
    Proposal,
    Reply,
    Segment,
    Status,
    TakeBack,
    ThinkRequest,
    UseTool,
)
from agentd.providers.base import Thought
from agentd.providers.rules.thinker import RulesThinker

WALL = "2026-11-20T11:00-05:00"
TUESDAY, WEDNESDAY = Moment.read("2026-11-24T10:00"), Moment.read("2026-11-25T10:00")


class Visit(Slots):
    day: SpokenTime | None = slot(ask="What day?", again="Which day?")
    when: SpokenTime | None = slot(ask="Which one?", again="{offers}: which?")
    name: SpokenName | None = slot(ask="Your name?", again="Your name, please?")


@read(tell="I have {offers}.", nothing="Nothing {day}.", offers="when")
def find(context: Context, day: SpokenTime) -> list[Moment]:
    """Never run here."""
    raise AssertionError


@held(ask="Book {when}?", tell="Booked {when}.", untell="No {when}.", identity=["when"], ttl=300, then="is_booked")
def book(when: SpokenTime, name: SpokenName) -> None:
    """Never run here."""
    raise AssertionError


@book.confirm
def confirm() -> None:
    """Never run here."""


@book.cancel
def cancel() -> None:
    """Never run here."""


@book.undo
def undo() -> None:
    """Never run here."""


@deferred(tell="I will text it.", identity=["when"], needs=[book])
def text(when: SpokenTime) -> None:
    """Never run here."""


FLOW = Flow(
    "test",
    states=[
        State("booking", say="Hello.", fills=Visit, afresh=Visit, tools=[find, book]),
        State("booked", fills=Visit, tools=[find, book], ask="Shall I text you?"),
        State("texting", tools=[text], ask="Anything else?"),
        State("gone", afresh=Visit, ask="What now?"),
        State("desk", say="One moment.", transfer="desk"),
        State("end", say="Goodbye.", final=True),
    ],
    transitions=[
        When("wants_visit", "*", "booking", "book an appointment"),
        When("is_booked", "booking", "booked"),
        When("wants_text", "booked", "texting", "yes"),
        When("wants_none", ["booked", "texting"], "gone", "cancel my appointment"),
        When("wants_human", "*", "desk", "speak to a person"),
        When("is_done", "*", "end", "goodbye"),
    ],
    help="appointments",
    timezone="America/New_York",
    transfers={"desk": "+1"},
    stuck="wants_human",
)
check(FLOW)
THINKER = RulesThinker(FLOW)

SLOTS: dict[str, Any] = {"day": TUESDAY, "when": TUESDAY, "name": "Ann"}
REPLY = Reply(3, 3)


def of(state: str, name: str = "e1", tool: str = "book", when: Moment = TUESDAY, kind: str = "held") -> Effect:
    args = {"when": str(when), "name": "Ann"} if tool == "book" else {"when": str(when)}
    return Effect(name, tool, kind, args, None, state, "a line")


def ask(effect: str = "e1", when: str = "Tuesday") -> Segment:
    return Segment(REPLY, 0, f"Book {when}?", 5, effect=effect, mode=Mode.ASK, told_from=5)


def think(
    said: str = "",
    *effects: Effect,
    state: str = "booking",
    slots: dict[str, Any] | None = None,
    notes: Any = None,
    **more: Any,
) -> tuple[str, tuple[Proposal, ...], Thought]:
    """One round: what is said, what is proposed, and the thought."""
    fs = FlowState(state, SLOTS if slots is None else slots, announced=True, notes=notes or {})
    values = {"round": 0, "why": "reply", "text": said, "sure": True} | more
    segments, thought = THINKER.round(ThinkRequest(REPLY, flow=fs, conversation=(), effects=effects, wall=WALL, **values))
    return " ".join(segment.text for segment in segments), thought.proposals, thought


def went(use: UseTool | TakeBack, status: Status, **more: Any) -> dict[str, Any]:
    """The round after a tool call, with its outcome."""
    return {"round": 1, "outcomes": (Outcome(use, status),), **more}


BOOK = UseTool("3.3.0.book", "book", {"when": TUESDAY, "name": "Ann"})


# ── Proposing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_effect_is_proposed_as_soon_as_its_arguments_are_known() -> None:
    _, proposals, _ = think(round=1)
    assert proposals == (UseTool("3.3.1.book", "book", {"when": TUESDAY, "name": "Ann"}),)
    _, proposals, _ = think(round=1, slots={"day": TUESDAY, "when": TUESDAY})
    assert proposals == ()


@pytest.mark.parametrize("state", ["running", "open", "asking", "waiting", "keeping", "kept", "unknown"])
def test_what_stands_is_never_proposed_again(state: str) -> None:
    assert think("", of(state), round=1)[1] == ()


@pytest.mark.parametrize("state", ["dropped", "dropping", "failed", "taken_back"])
def test_what_came_to_nothing_in_an_earlier_visit_may_be_wanted_again(state: str) -> None:
    assert [type(proposal) for proposal in think("", of(state), round=1)[1]] == [UseTool]


def test_an_act_for_other_values_is_another_one_unless_it_was_said_to_take_its_place() -> None:
    other = of("kept", when=WEDNESDAY)
    assert think("", other, round=1)[1][0] == UseTool("3.3.1.book", "book", {"when": TUESDAY, "name": "Ann"})
    (use,) = think("", other, round=1, notes={"changed": ["e1"]})[1]
    assert isinstance(use, UseTool)
    assert use.replaces == "e1"


def test_what_cannot_be_undone_any_more_is_not_replaced() -> None:
    sent = of("kept", tool="text", when=WEDNESDAY, kind="deferred")
    (use,) = think("", sent, state="texting", round=1, notes={"changed": ["e1"]})[1]
    assert isinstance(use, UseTool)
    assert use.replaces == ""


# ── What the machine says and asks ───────────────────────────────────────────────────────────────────────────────────


def test_where_the_machine_asks_the_thinker_says_and_asks_nothing() -> None:
    said, proposals, thought = think("", of("asking"), ask=ask(), **went(BOOK, "done"))
    assert (said, proposals) == ("", ())
    assert thought.notes is not None
    assert thought.notes["question"]["kind"] == "effect"
    assert FLOW.listen(replace(FLOW.start(), notes=thought.notes)).closed


@pytest.mark.parametrize("said", ["yes", "no", "uh huh", "hello", "sorry can you repeat that"])
def test_small_words_that_decided_nothing_are_left_to_its_question(said: str) -> None:
    assert think(said, of("asking"), ask=ask())[:2] == ("", ())


def test_beside_its_question_only_statements_are_said() -> None:
    assert think("purple monkeys", of("asking"), ask=ask())[0] == "Sorry, I can help with appointments."
    assert think("book an appointment", of("asking"), ask=ask(), sure=False)[0] == "Sorry, I can help with appointments."
    assert think("", of("asking"), why="silence", prompt=1, ask=ask())[0] == ""
    assert think("", of("asking"), why="silence", prompt=2, ask=ask())[0] == "I am still here, and I cannot hear you."
    assert think("", of("asking"), why="misheard", ask=ask())[0] == "Sorry, I didn't catch that."


def test_a_plea_to_repeat_repeats_what_the_machine_told_too() -> None:
    told = Segment(REPLY, 0, "Booked Tuesday.", effect="e1", told_from=14)
    said, _, thought = think("", of("kept"), state="booked", round=1, tells=(told,))
    assert said == "Shall I text you?"
    assert think("pardon", of("kept"), state="booked", notes=thought.notes)[0] == "Booked Tuesday. Shall I text you?"


# ── What the ledger has taken the words for ──────────────────────────────────────────────────────────────────────────


def test_after_a_yes_it_goes_on_where_the_effect_has_led() -> None:
    fs = replace(FLOW.fire(FlowState("booking", SLOTS), "is_booked"), announced=False)
    request = ThinkRequest(REPLY, 0, "reply", "yes", True, fs, (), effects=(of("kept"),), took="assent", wall=WALL)
    segments, thought = THINKER.round(request)
    assert ([segment.text for segment in segments], thought.proposals) == (["Shall I text you?"], ())


def test_after_a_no_what_it_was_about_is_asked_anew() -> None:
    said, proposals, thought = think("no", of("dropped"), took="no")
    assert (said, proposals) == ("All right.", (Fill({"day": None, "when": None}),))
    assert think("", of("dropped"), slots={"name": "Ann"}, round=1, notes=thought.notes)[0] == "What day?"


def test_after_a_no_to_what_should_have_taken_its_place_the_first_one_stands() -> None:
    new, slots = of("dropped", "e2", when=WEDNESDAY), {"day": WEDNESDAY, "when": WEDNESDAY, "name": "Ann"}
    said, proposals, _ = think("no", of("kept"), new, took="no", state="booked", slots=slots, notes={"changed": ["e1"]})
    assert (said, proposals) == ("All right.", (Fill({"when": str(TUESDAY), "name": "Ann"}),))


def test_after_a_retraction_nothing_more_is_asked_for() -> None:
    said, proposals, thought = think("forget it", of("dropped"), took="retract")
    assert (said, proposals) == ("", (Fill({"day": None, "when": None}),))
    assert (
        think("", of("dropped"), slots={"name": "Ann"}, round=1, notes=thought.notes)[0] == "All right. What can I do for you?"
    )


def test_what_the_machine_has_just_told_needs_no_all_right() -> None:
    told = Segment(REPLY, 0, "No Tuesday.", effect="e1", mode=Mode.UNTELL)
    assert think("no", of("dropped"), took="no", tells=(told,))[0] == ""


def test_never_mind_is_granted_where_nothing_was_at_stake() -> None:
    assert think("never mind", state="gone", slots={})[0] == "All right. What now?"


# ── Otherwise ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("said", ["actually wednesday", "wednesday", "no wednesday", "no i meant wednesday at ten"])
def test_another_value_is_noted_to_change_what_stands(said: str) -> None:
    _, proposals, thought = think(said, of("asking"), ask=ask())
    assert proposals == (Fill({"day": WEDNESDAY}),)
    assert thought.revises
    assert thought.notes is not None
    assert thought.notes["changed"] == ["e1"]


def test_a_wish_for_another_one_changes_nothing_that_stands() -> None:
    _, proposals, thought = think("book an appointment for wednesday at ten", of("kept"), state="texting")
    assert [type(proposal) for proposal in proposals] == [Fire, Fill]
    assert thought.notes is not None
    assert "changed" not in thought.notes


def test_while_the_caller_chooses_what_takes_its_place_the_thinker_asks_and_not_the_machine() -> None:
    use = UseTool("3.3.0.find", "find", {"day": WEDNESDAY})
    outcome = Outcome(use, "done", [WEDNESDAY, Moment.read("2026-11-25T11:00")])
    slots, notes = {"day": WEDNESDAY, "name": "Ann"}, {"changed": ["e1"]}
    said, proposals, thought = think("", of("asking"), slots=slots, notes=notes, ask=ask(), round=2, outcomes=(outcome,))
    assert (said, proposals) == ("I have Wednesday the 25th at 10 or 11. Which one?", ())
    assert thought.revises
    new, slots = of("asking", "e2", when=WEDNESDAY), {**slots, "when": WEDNESDAY}
    said, _, thought = think("", of("asking"), new, slots=slots, notes=notes, ask=ask("e2"), round=4)
    assert (said, thought.revises) == ("", False)


def test_a_day_with_nothing_leaves_what_stands() -> None:
    outcome = Outcome(UseTool("3.3.0.find", "find", {"day": WEDNESDAY}), "done", [])
    slots = {"day": WEDNESDAY, "name": "Ann"}
    said, proposals, _ = think(
        "", of("kept"), state="booked", slots=slots, notes={"changed": ["e1"]}, round=2, outcomes=(outcome,)
    )
    assert (said, proposals) == ("Nothing Wednesday the 25th at 10.", (Fill({"when": str(TUESDAY), "name": "Ann"}),))


def test_another_time_without_saying_which_is_asked_for() -> None:
    _, proposals, thought = think("can we do another day", of("asking"), ask=ask())
    assert proposals == ()
    _, proposals, thought = think("another day please", of("asking"), ask=ask())
    assert proposals == (Fill({"day": None, "when": None}),)
    assert thought.revises


# ── Taken back ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wish_to_cancel_takes_back_and_goes_where_the_flow_says() -> None:
    _, proposals, _ = think("can you cancel my appointment", of("kept"), state="booked")
    assert proposals == (TakeBack("3.3.0.take_back", "e1"), Fire("wants_none"))


@pytest.mark.parametrize("said", ["cancel it", "please cancel that", "undo that", "call it off", "no cancel it"])
def test_it_is_taken_back_in_words_that_mean_that_anywhere(said: str) -> None:
    assert think(said, of("kept"), state="booked")[1] == (TakeBack("3.3.0.take_back", "e1"), Fire("wants_none"))


def test_what_others_need_is_meant_and_not_they() -> None:
    waiting = of("waiting", "e2", tool="text", kind="deferred")
    assert think("cancel it", of("kept"), waiting, state="texting")[1][0] == TakeBack("3.3.0.take_back", "e1")


def test_where_the_flow_leads_nowhere_the_values_are_forgotten() -> None:
    outcome = Outcome(TakeBack("t", "e1"), "done")
    _, proposals, thought = think("cancel it", of("asking"), ask=ask())
    assert proposals == (TakeBack("3.3.0.take_back", "e1"),)
    _, proposals, thought = think("", of("dropped"), round=1, outcomes=(outcome,), notes=thought.notes)
    assert proposals == (Fill({"day": None, "when": None}),)
    assert (
        think("", of("dropped"), slots={"name": "Ann"}, round=2, notes=thought.notes)[0] == "All right. What can I do for you?"
    )


def test_of_what_nobody_knows_a_taking_back_is_tried_and_its_outcome_told() -> None:
    assert think("cancel it", of("unknown"), state="booked")[1][0] == TakeBack("3.3.0.take_back", "e1")


@pytest.mark.parametrize("effects", [(), (of("taken_back"),), (of("dropped"),), (of("kept", kind="take_back"),)])
def test_what_cannot_be_taken_back_is_not(effects: tuple[Effect, ...]) -> None:
    assert think("cancel it", *effects, state="booked")[1] == ()


@pytest.mark.parametrize("said", ["cancel the deposit", "don't cancel it", "do not cancel it", "how do i cancel"])
def test_other_words_about_it_take_nothing_back(said: str) -> None:
    assert think(said, of("kept"), state="booked")[1] == ()


# ── Outcomes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_world_refused_is_said_and_something_else_asked_for() -> None:
    said, proposals, _ = think("", of("failed"), **went(BOOK, "refused"))
    assert (said, proposals) == ("No Tuesday the 24th at 10.", (Fill({"day": None, "when": None}),))


def test_what_could_not_even_be_put_on_record_is_apologised_for_and_handed_on() -> None:
    said, proposals, _ = think(**went(BOOK, "refused"))
    assert proposals == (Fire("wants_human"),)
    assert said == ""  # it is owed, and said where that leads


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        ("timeout", "running", f"{common.SLOW}"),
        ("unknown", "unknown", f"{common.UNKNOWN}"),
        ("waiting", "running", f"{common.SLOW}"),
        ("waiting", "waiting", ""),
    ],
)
def test_what_is_not_known_or_not_done_yet_is_said_to_be_so(status: Status, state: str, said: str) -> None:
    found = think("", of(state), tells=(ask(),), **went(BOOK, status))
    assert (found[0], found[1]) == (said, ())


@pytest.mark.parametrize(
    ("status", "said"),
    [("done", ""), ("refused", common.NOT_NOW), ("unknown", common.UNKNOWN), ("timeout", common.SLOW)],
)
def test_what_became_of_a_taking_back_is_said_where_the_machine_does_not(status: Status, said: str) -> None:
    fired = Outcome(Fire("wants_none"), "done")
    outcomes = (Outcome(TakeBack("t", "e1"), status), fired)
    assert think("", of("taken_back"), state="gone", slots={}, round=1, outcomes=outcomes)[0] == f"{said} What now?".strip()


def test_nobody_is_left_in_silence() -> None:
    assert think("", of("keeping"), round=1)[0] == common.ANYTHING
