from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from agentd.flow import Moment
from agentd.flow.moments import find_moment, say_moments, say_time
from agentd.flow.numbers import cardinal, digits, ordinal, spell, spell_digits, spell_ordinal
from agentd.flow.spoken import IMPLIED, Scene, SpokenName, SpokenPhone
from agentd.turn.words import normalise

FRIDAY = datetime(2026, 11, 20, 14, 0, tzinfo=ZoneInfo("America/New_York"))
NAME, PHONE = SpokenName.__metadata__[0], SpokenPhone.__metadata__[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("on tuesday at ten", "2026-11-24T10:00"),
        ("tuesday ten thirty", "2026-11-24T10:30"),
        ("do you have anything on tuesday", "2026-11-24"),
        ("next wednesday morning", "2026-11-25 morning"),
        ("tomorrow at half past two", "2026-11-21T14:30"),
        ("wednesday at quarter to three", "2026-11-25T14:45"),
        ("the third of may", "2027-05-03"),
        ("Tuesday the 24th at 10:30", "2026-11-24T10:30"),
        ("at 2 p.m. on Monday", "2026-11-23T14:00"),
        ("friday afternoon at five", "2026-11-27T17:00"),
        ("tonight at eight", "2026-11-20T20:00"),
        ("tuesday at eleven in the evening", "2026-11-24T23:00"),
        ("day after tomorrow at noon", "2026-11-22T12:00"),
        ("today at four", "2026-11-20T16:00"),
        ("at ten o'clock", "10:00"),
    ],
)
def test_a_day_and_time_are_heard_as_a_business_means_them(said: str, meant: str) -> None:
    found = find_moment(normalise(said).split(), FRIDAY)
    assert found is not None
    assert str(found[0]) == meant


@pytest.mark.parametrize(
    "said",
    [
        "what was the first part",
        "the first one",
        "my number is five five five",
        "good morning",
        "may i speak to a person",
        "ten",
    ],
)
def test_words_that_name_no_time_are_none(said: str) -> None:
    assert find_moment(said.split(), FRIDAY) is None


def test_a_lone_number_is_an_hour_only_where_a_time_was_asked_for() -> None:
    assert find_moment(["ten"], FRIDAY, bare=True) is not None


def test_next_weekday_is_the_one_of_next_week() -> None:
    monday = datetime(2026, 11, 23, 9, 0)
    assert find_moment(["next", "wednesday"], monday) == (Moment(date(2026, 12, 2)), frozenset({0, 1}))
    assert find_moment(["wednesday"], monday) == (Moment(date(2026, 11, 25)), frozenset({0}))


def test_a_time_that_is_said_back_is_heard_as_the_same_time() -> None:
    for hour in range(24):
        for minute in (0, 30):
            moment = Moment(date(2026, 11, 24), time(hour, minute))
            if hour == 0:
                continue  # midnight is said "12 am", which nobody says
            found = find_moment(normalise(moment.said(FRIDAY)).split(), FRIDAY)
            assert found is not None, moment
            assert found[0] == moment, moment.said(FRIDAY)


def test_what_is_left_unsaid_is_taken_from_what_is_known() -> None:
    known = Moment(date(2026, 11, 24), time(10))
    assert Moment(date(2026, 11, 25)).over(known) == Moment(date(2026, 11, 25), time(10))
    assert Moment(time=time(11)).over(known) == Moment(date(2026, 11, 24), time(11))
    assert Moment(date(2026, 11, 25), part="morning").over(known) == Moment(date(2026, 11, 25), part="morning")


def test_moments_on_one_day_name_it_once() -> None:
    day = date(2026, 11, 24)
    moments = [Moment(day, time(9)), Moment(day, time(14, 30)), Moment(date(2026, 11, 25), time(19))]
    assert say_moments(moments, FRIDAY) == "Tuesday the 24th at 9, 2:30 or Wednesday the 25th at 7 pm"
    assert say_time(time(12)) == "noon"


@pytest.mark.parametrize("text", ["2026-11-24T10:00", "2026-11-24", "2026-11-24 morning", "10:00"])
def test_a_moment_is_written_as_it_is_read(text: str) -> None:
    assert str(Moment.read(text)) == text


@pytest.mark.parametrize("text", ["", "tuesday", "2026-13-01", "25:00"])
def test_what_is_no_moment_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Moment.read(text)


def test_numbers_are_read_and_spelled() -> None:
    assert cardinal(["one", "hundred", "and", "five"]) == (105, 4)
    assert cardinal(["two", "thousand", "and", "one"]) == (2000, 2)
    assert ordinal(["twenty", "third"]) == (23, 2)
    assert digits(["five", "double", "zero", "12"]) == ("50012", 4)
    assert [cardinal(spell(number).split())[0] for number in range(1000)] == list(range(1000))  # type: ignore[index]
    assert [ordinal(spell_ordinal(day).split())[0] for day in range(1, 30)] == list(range(1, 30))  # type: ignore[index]
    assert spell_digits("2125550123") == "two one two, five five five, zero one two three"


@pytest.mark.parametrize(
    ("said", "asked", "value", "rest"),
    [
        ("my name is john smith", False, "John Smith", ""),
        (
            "book an appointment my name is john smith and my number is five",
            False,
            "John Smith",
            "book an appointment and my number is five",
        ),
        ("john smith", True, "John Smith", ""),
        ("this is Mary Jones, please", True, "Mary Jones", "please"),
    ],
)
def test_a_name_is_heard(said: str, asked: bool, value: str, rest: str) -> None:
    found = NAME.find(said, Scene(FRIDAY, asked=asked))
    assert (found.value, found.rest) == (value, rest)


@pytest.mark.parametrize(("said", "asked"), [("john smith", False), ("where are you", True), ("i would like a cleaning", True)])
def test_what_is_no_name_is_none(said: str, asked: bool) -> None:
    assert NAME.find(said, Scene(FRIDAY, asked=asked)) is None


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("my number is five five five zero one two three", "5550123"),
        ("it's 212-555-0123", "+12125550123"),
        ("plus four four two zero seven nine four six zero nine five eight", "+442079460958"),
        ("two one two five five five oh one double two", "+12125550122"),
    ],
)
def test_a_phone_number_is_heard_digit_by_digit(said: str, value: str) -> None:
    assert PHONE.find(said, Scene(FRIDAY)).value == value


@pytest.mark.parametrize(
    "said",
    ["on tuesday at ten", "five five five", "one two three four five six seven eight nine zero one two three four five six"],
)
def test_what_can_be_no_phone_number_is_none(said: str) -> None:
    assert PHONE.find(said, Scene(FRIDAY)) is None


def test_a_phone_number_is_said_in_the_groups_of_its_country() -> None:
    assert PHONE.say("5550123", FRIDAY) == "five five five, zero one two three"
    assert PHONE.say("+12125550122", FRIDAY) == "two one two, five five five, zero one two two"
    assert PHONE.say("+442079460958", FRIDAY) == "zero two zero, seven nine four six, zero nine five eight"


def test_free_text_is_taken_word_for_word_and_only_where_it_belongs() -> None:
    text = IMPLIED[str]
    assert (
        text.find("Please call me back, it's urgent!", Scene(FRIDAY, asked=True)).value == "Please call me back, it's urgent!"
    )  # type: ignore[union-attr]
    assert text.find("Please call me back", Scene(FRIDAY)) is None
    assert text.find("Tell them that I am late.", Scene(FRIDAY)).value == "I am late."  # type: ignore[union-attr]
