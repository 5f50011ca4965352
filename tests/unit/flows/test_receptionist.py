"""What the receptionist says where nothing is done yet; whole bookings are in tests/calls/test_receptionist.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentd.flow import load
from agentd.flow.effects import EffectTool
from agentd.ledger.row import Kind
from tests.unit.providers.talk import Talk

FRIDAY, SATURDAY_NIGHT = "2026-11-20T11:00-05:00", "2026-11-22T01:00+00:00"  # the second is 20:00 in New York


@pytest.fixture(autouse=True)
def _own_calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_DATA", str(tmp_path))


def call(wall: str = FRIDAY) -> Talk:
    talk = Talk(load("receptionist"), wall)
    assert talk.open() == "Hello, Acme Dental. I am an AI assistant. How can I help?"
    return talk


def held(talk: Talk, *script: tuple[str, str]) -> None:
    for said, answer in script:
        assert talk.say(said) == answer, said


ELSE = "Is there anything else I can do for you?"


def test_questions_are_answered_and_the_call_is_closed() -> None:
    held(
        call(),
        ("what are your opening hours",
         f"We are open Monday to Friday from 8 to 6, and on Saturday from 9 to 1. Today we are open until 6. {ELSE}"),
        ("where are you", f"We are at 12 Mill Road, across from the station. {ELSE}"),
        ("how much is it", f"A cleaning is 90 dollars, and a check-up is 60. {ELSE}"),
        ("is there parking", f"Yes, there is free parking behind the house. {ELSE}"),
        ("that's all thank you", "Thank you for calling Acme Dental. Goodbye."),
    )  # fmt: skip


def test_a_time_that_is_free_is_taken_as_it_was_asked_for() -> None:
    held(
        call(),
        ("i would like to book an appointment", "What day suits you?"),
        ("on tuesday at ten", "I have Tuesday the 24th at 10. May I have your name?"),
        ("actually wednesday at ten", "I have Wednesday the 25th at 10. What name may I write down?"),
    )


def test_up_to_three_are_offered_and_one_is_chosen_by_its_time() -> None:
    talk = call()
    said = talk.say("do you have anything on tuesday")
    assert said == "I have Tuesday the 24th at 8, 9:30 or 10. Which one would you like?"
    assert talk.say("uh huh") == "I have Tuesday the 24th at 8, 9:30 or 10. Which one suits you?"
    assert talk.say("tuesday at ten") == "May I have your name?"


def test_a_day_without_anything_free_is_said_to_be_one() -> None:
    talk = call()
    assert talk.say("do you have anything on sunday") == "I am afraid we have nothing free Sunday the 22nd. What day suits you?"
    assert talk.say("next wednesday morning").startswith("I have Wednesday the 25th at ")


def test_a_message_is_taken_and_a_second_one_does_not_ask_for_the_name_again() -> None:
    talk = call()
    held(
        talk,
        ("i would like to leave a message", "May I have your name?"),
        ("john smith", "What number can we call you back on?"),
        ("two one two five five five zero one double two",
         "I have two one two, five five five, zero one two two. Is that right?"),
        ("yes", "What shall I tell them?"),
        ("Please call me back.", f"Thank you, John Smith. I will pass your message on to the front desk. {ELSE}"),
        ("i would like to leave a message", "What shall I tell them?"),
    )  # fmt: skip
    assert talk.fs.slots["phone"] == "+12125550122"


@pytest.mark.parametrize("said", ["can you cancel my appointment", "i need to change my appointment"])
def test_of_an_appointment_from_before_the_call_a_message_is_taken(said: str) -> None:
    assert call().say(said) == (
        "I cannot see earlier appointments. I can take a message for the front desk. May I have your name?"
    )


def test_a_person_is_reached_while_the_desk_is_open_and_a_message_is_taken_when_it_is_not() -> None:
    talk = call()
    assert talk.say("can i speak to a person") == "I am putting you through to our front desk. One moment, please."
    assert talk.flow.state(talk.fs).transfer == "front_desk"
    late = call(SATURDAY_NIGHT)
    assert late.say("can i speak to a person") == (
        "The front desk is closed now, and opens again Monday the 23rd at 8. I can take a message for them. "
        "May I have your name?"
    )
    assert "We are closed now, and open again Monday the 23rd at 8." in late.say("what are your opening hours")
    assert late.flow.escalate(late.fs, late.flow.local(SATURDAY_NIGHT)).state == "goodbye"


def test_silence_is_broken_twice_in_other_words() -> None:
    talk = call()
    talk.say("i would like to book an appointment")
    assert talk.silence(1) == "Are you still there? Which day would you like to come?"
    assert talk.silence(2) == "I am still here, and I cannot hear you. Which day would you like to come?"


@pytest.mark.parametrize(
    "said",
    [
        "the weather in chicago is terrible", "tell me a joke", "purple monkeys dance", "what is the capital of france",
        "i lost my keys",
        "two one nine two", "play some music", "who won the game", "my cat is sick", "turn left at the bridge",
        "how old are you",
        "is it going to rain", "i am looking at the sea", "do you like jazz", "the train is late again", "open the door",
        "how far is the moon", "sing me a song", "my car needs a cleaner", "this is nonsense", "we had a lovely dinner",
        "cancel the war", "change the tune",
    ],
)  # fmt: skip
def test_what_is_no_request_leads_nowhere_and_fills_nothing(said: str) -> None:
    talk = call()
    answer = talk.say(said)
    assert (talk.fs.state, dict(talk.fs.slots)) == ("greeting", {})
    assert answer.startswith("Sorry, I can help with our opening hours")


def test_each_tool_that_changes_the_world_can_be_asked_what_became_of_it() -> None:
    tools = {name: tool for name, tool in load("receptionist").tools.items() if isinstance(tool, EffectTool)}
    assert {name: tool.kind for name, tool in tools.items()} == {
        "book": Kind.HELD, "text": Kind.DEFERRED, "charge": Kind.PIVOT,
    }  # fmt: skip
    assert tools["text"].needs == tools["charge"].needs == ("book",)
    assert all(tool.traits.honours_key and tool.traits.status for tool in tools.values())
