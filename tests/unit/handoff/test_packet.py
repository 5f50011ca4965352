"""What the human is told: in words, in one sentence where it is spoken, and nothing that was not so."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from agentd.flow import Moment, load
from agentd.handoff.gist import Gist
from agentd.handoff.packet import LAST_WORDS, packet, spoken_summary
from agentd.messages import Effect, FlowState, Outcome, Said, TakeBack, UseTool
from tests.unit.handoff import desk

FLOW = load("receptionist")
NOW = datetime.fromisoformat("2026-11-20T12:00-05:00")
TUESDAY = FLOW.value("wanted", "2026-11-24")


class Known(Gist):
    """A gist that is already gathered."""

    def __init__(self, *wants: str, tried: tuple[Outcome, ...] = (), effects: tuple[Effect, ...] = ()) -> None:
        super().__init__(FLOW)
        self._wishes = dict(enumerate(wants))
        self.tried = list(tried)
        self.effects = effects


def state(**slots: Any) -> FlowState:
    return FLOW.fill(FlowState("handover"), slots)


def packed(gist: Gist, conversation: tuple[Said, ...] = (), **slots: Any) -> dict[str, Any]:
    made = packet(FLOW, state(**slots), conversation, gist, call="c1", caller="+1555", why="flow", at=NOW)
    json.dumps(made)
    return made


def test_who_where_to_and_why_are_in_it() -> None:
    made = packed(Known("where are you"), name="John Smith")
    assert made["who"] == {"number": "+1555", "name": "John Smith"}
    assert made["to"] == {"target": "front_desk", "number": "+12125550100"}
    assert (made["why"], made["wants"]) == ("flow", ["where are you"])


def test_slots_stand_there_as_json_and_in_words() -> None:
    made = packed(Known(), wanted=TUESDAY, name="John Smith")
    assert made["slots"] == {"wanted": "2026-11-24", "name": "John Smith"}
    assert made["slots_said"] == {"wanted": "Tuesday the 24th", "name": "John Smith"}


TIMES = [Moment.at(datetime.fromisoformat(f"2026-11-24T{hour}")) for hour in ("08:00-05:00", "09:30-05:00")]


@pytest.mark.parametrize(
    ("status", "result", "why", "words"),
    [
        ("done", TIMES, "", "found Tuesday the 24th at 8 or 9:30"),
        ("done", [], "", "found nothing"),
        ("timeout", None, "free_times gave no answer in time", "gave no answer in time"),
        ("failed", None, "OSError: the disk", "failed (OSError: the disk)"),
        ("refused", None, "", "refused"),
    ],
)
def test_each_tool_is_told_in_words_with_what_became_of_it(status: Any, result: Any, why: str, words: str) -> None:
    outcome = Outcome(UseTool("1", "free_times", {"wanted": TUESDAY}), status, result, why)
    assert packed(Known(tried=(outcome,)))["tried"] == [f"free times, wanted Tuesday the 24th: {words}"]


def test_a_tool_that_the_flow_does_not_have_is_told_too() -> None:
    outcome = Outcome(UseTool("1", "no_such", {"x": 1, "y": None}), "refused", why="not allowed here")
    assert packed(Known(tried=(outcome,)))["tried"] == ["no such, x 1: refused (not allowed here)"]


FATES = ("kept", "dropped", "asking", "unknown")


def test_effects_are_told_by_what_became_of_them_and_how_to_go_on() -> None:
    gist = Known(effects=tuple(desk.effect(state) for state in FATES))
    made = packet(desk.FLOW, FlowState("handover"), (), gist, call="c1", caller="+1555", why="flow", at=NOW)
    what = "book, when Tuesday the 24th, name Jane Doe"
    assert made["effects"] == {
        "done": [what],
        "undone": [f"{what}: not done: it was let go"],
        "open": [f"{what}: not done: the caller was asked, and has not agreed"],
        "not_known": [f"{what}: nobody knows whether it was done: look before doing it again"],
    }


@pytest.mark.parametrize(("status", "told"), [("done", []), ("waiting", []), ("refused", ["book: refused (it is full)"])])
def test_an_effect_is_told_once_by_what_became_of_it_and_a_refusal_by_its_reason(status: Any, told: list[str]) -> None:
    tried = (
        Outcome(UseTool("1", "book", {}), status, why="it is full"),
        Outcome(TakeBack("2", "r1"), status, why="it is full"),
    )
    made = packet(desk.FLOW, FlowState("handover"), (), Known(tried=tried), call="c1", caller="+1555", why="flow", at=NOW)
    assert made["tried"] == told


def test_the_spoken_summary_tells_what_was_done_undone_and_is_open_by_what_the_caller_knows_it_by() -> None:
    def spoken(*states: str) -> str:
        effects = tuple(desk.effect(state) for state in states)
        return spoken_summary(desk.FLOW, FlowState("handover"), Known("a visit", effects=effects), "flow", NOW)

    told = "Handing over a caller who said “a visit”"
    assert spoken("kept") == f"{told}; done: book Tuesday the 24th."
    assert spoken(*FATES) == (
        f"{told}; done: book Tuesday the 24th; undone: book Tuesday the 24th; still open: book Tuesday the 24th; "
        "not known whether done: book Tuesday the 24th."
    )
    assert spoken("kept", "kept", "kept") == f"{told}; done: book Tuesday the 24th."


def test_the_last_words_are_those_of_the_two_and_of_no_tool() -> None:
    lines = tuple(Said("tool" if number % 3 == 0 else "caller", f"line {number}") for number in range(12))
    kept = packed(Known(), lines)["last_words"]
    assert len(kept) == LAST_WORDS
    assert [line["text"] for line in kept][-1] == "line 11"
    assert {line["who"] for line in kept} == {"caller"}


@pytest.mark.parametrize(
    ("wants", "slots", "why", "sentence"),
    [
        ((), {}, "flow", "Handing over a caller who asked for a person."),
        ((), {}, "escalated", "Handing over a caller whom I could not help."),
        ((), {}, "failed", "Handing over a caller whom I could not help, because something went wrong on my side."),
        (("where are you",), {}, "flow", "Handing over a caller who said “where are you”."),
        (("a", "b", "c"), {}, "flow", "Handing over a caller who said “b” and “c”."),
        (
            ("on tuesday",),
            {"wanted": TUESDAY, "name": "John Smith"},
            "escalated",
            "Handing over a caller who said “on tuesday”; noted so far: wanted Tuesday the 24th, name John Smith.",
        ),
    ],
)
def test_the_spoken_summary_is_one_honest_sentence(
    wants: tuple[str, ...], slots: dict[str, Any], why: str, sentence: str
) -> None:
    assert spoken_summary(FLOW, state(**slots), Known(*wants), why, NOW) == sentence
