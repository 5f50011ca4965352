"""Acme Dental's receptionist: answers questions, finds a free appointment, takes a message, hands over to the front desk.

Read it from top to bottom: what it wants to know, what it looks up, where the conversation goes, what it answers.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from agentd.flow import (
    FILLED,
    Answer,
    Context,
    Flow,
    FreeText,
    Moment,
    Slots,
    SpokenName,
    SpokenPhone,
    SpokenTime,
    State,
    When,
    read,
    slot,
)
from agentd.flow.moments import say_time
from flows.tools import calendar

# ── What it wants to know ────────────────────────────────────────────────────────────────────────────────────────────


class Visit(Slots):
    """An appointment that the caller would like."""

    wanted: SpokenTime | None = slot(ask="What day suits you?", again="Which day would you like to come?")
    time: SpokenTime | None = slot(
        ask="Which one would you like?",
        again="I have {offers}. Which one suits you?",
        one="Shall I note it down for you?",
    )


class Caller(Slots):
    """Who calls; asked once a call, whatever it is needed for."""

    name: SpokenName | None = slot(ask="May I have your name?", again="What name may I write down?")
    phone: SpokenPhone | None = slot(
        ask="What number can we call you back on?",
        again="Could you tell me your phone number, digit by digit?",
        confirm="I have {phone}. Is that right?",
    )


class Message(Slots):
    """A message for the front desk."""

    message: FreeText | None = slot(
        ask="What shall I tell them?",
        again="What is your message, please?",
        examples=[
            "please call me back",
            "i will be late",
            "i will be late on tuesday",
            "i need to cancel my appointment",
            "i have a question about my bill",
            "it is about my appointment",
        ],
    )


# ── When it is open ──────────────────────────────────────────────────────────────────────────────────────────────────

WEEKDAY, SATURDAY = (time(8), time(18)), (time(9), time(13))
OPENING = dict.fromkeys(range(5), WEEKDAY) | {5: SATURDAY}


def opens_next(now: datetime) -> datetime:
    """When the front desk opens next."""
    days = (now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(ahead) for ahead in range(8))
    starts = (day.replace(hour=OPENING[day.weekday()][0].hour) for day in days if day.weekday() in OPENING)
    return next(start for start in starts if start > now)


def after_hours(context: Context) -> bool:
    """Whether nobody is at the front desk."""
    first, end = OPENING.get(context.now.weekday(), (time.max, time.max))
    return not first <= context.now.time() < end


def say_closed(context: Context) -> str:
    """Why nobody can be spoken to now, and what can be done instead."""
    opens = Moment.at(opens_next(context.now)).said(context.now)
    return f"The front desk is closed now, and opens again {opens}. I can take a message for them."


def say_hours(context: Context) -> str:
    """The opening hours, and how things stand now."""
    usual = f"We are open Monday to Friday from {say_time(WEEKDAY[0])} to {say_time(WEEKDAY[1])}, and on Saturday from 9 to 1."
    if after_hours(context):
        return f"{usual} We are closed now, and open again {Moment.at(opens_next(context.now)).said(context.now)}."
    return f"{usual} Today we are open until {say_time(OPENING[context.now.weekday()][1])}."


# ── What it looks up ─────────────────────────────────────────────────────────────────────────────────────────────────


@read(timeout=2.0, offers="time", tell="I have {offers}.", nothing="I am afraid we have nothing free {wanted}.")
def free_times(context: Context, wanted: SpokenTime) -> list[Moment]:
    """Up to three free appointments on the day that is wanted, the nearest to its time."""
    free = [Moment.at(start) for start in calendar.free(context.now, OPENING)]
    if exact := [moment for moment in free if wanted.time and wanted.allows(moment)]:
        return exact
    day = [moment for moment in free if Moment(wanted.day, part=wanted.part).allows(moment)]
    if wanted.time:
        day.sort(key=lambda moment: abs(_minutes(moment) - _minutes(wanted)))
    return sorted(day[:3], key=_minutes)


def _minutes(moment: Moment) -> int:
    return moment.time.hour * 60 + moment.time.minute if moment.time else 0


# ── Where the conversation goes ──────────────────────────────────────────────────────────────────────────────────────

ANYTHING_ELSE = "Is there anything else I can do for you?"

STATES = [
    State("greeting", say="How can I help?", ask=ANYTHING_ELSE, aim="Find out what the caller wants."),
    State(
        "booking",
        aim="Learn the day, offer free times, let the caller choose one, learn name and number. Never claim to have booked.",
        fills=(Visit, Caller),
        afresh=Visit,
        tools=[free_times],
    ),
    State(
        "noted",
        say="I have noted {time} for {name}. It is not booked yet: the front desk will call you to confirm it.",
        ask=ANYTHING_ELSE,
    ),
    State("message", aim="Take a message: name, number, text.", fills=(Caller, Message), afresh=Message),
    State("taken", say="Thank you, {name}. I will pass your message on to the front desk.", ask=ANYTHING_ELSE),
    State("handover", say="I am putting you through to our front desk. One moment, please.", transfer="front_desk"),
    State("goodbye", say="Thank you for calling Acme Dental. Goodbye.", final=True),
]

TRANSITIONS = [  # trigger      source      dest        the caller says something like
    When(
        "wants_visit", "*", "booking",
        "book an appointment", "make an appointment", "i need an appointment", "an appointment", "see the dentist",
        "see a dentist",
        "do you have anything", "do you have anything free", "come in", "book a cleaning", "change my appointment",
    ),
    When(FILLED, "booking", "noted"),
    When("wants_message", "*", "message", "leave a message", "take a message", "leave my number", "ask them to call me back"),
    When(FILLED, "message", "taken"),
    When(
        "wants_human", "*", "handover",
        "speak to a person", "talk to a person", "speak to someone", "talk to somebody", "a real person", "a human",
        "the front desk",
        "put me through to the front desk",
        unless=after_hours,
    ),
    When("wants_human", "*", "message", when=after_hours, say=say_closed),
    When("is_done", "*", "goodbye", "goodbye", "bye", "bye bye", "that's all", "that is all", "nothing else",
    "that's everything"),
    When("is_done", ["greeting", "noted", "taken"], "goodbye", "no"),
]  # fmt: skip

# ── What it answers, wherever it is asked ────────────────────────────────────────────────────────────────────────────

ANSWERS = [
    Answer(
        "asks_hours", say_hours,
        "what are your opening hours", "opening hours", "when are you open", "are you open now", "what time do you close",
        "are you open on saturday",
    ),
    Answer(
        "asks_address", "We are at 12 Mill Road, across from the station.",
        "where are you", "where are you located", "what is your address", "what's your address", "how do i find you",
    ),
    Answer(
        "asks_prices", "A cleaning is 90 dollars, and a check-up is 60.",
        "how much is a cleaning", "how much is a checkup", "how much does it cost", "what does a cleaning cost",
        "what are your prices",
    ),
    Answer(
        "asks_parking", "Yes, there is free parking behind the house.",
        "is there parking", "do you have parking", "where can i park", "can i park there",
    ),
]  # fmt: skip

FLOW = Flow(
    "receptionist",
    states=STATES,
    transitions=TRANSITIONS,
    answers=ANSWERS,
    greeting="Hello, Acme Dental.",
    help="our opening hours, address and prices, a free appointment, or a message for the front desk",
    timezone="America/New_York",
    transfers={"front_desk": "+12125550100"},
    stuck="wants_human",
    keyterms=("Acme Dental", "check-up", "cleaning"),
)
