"""Acme Dental's receptionist: answers questions, books, moves and cancels appointments, takes messages, hands over to a human.

Read it from top to bottom: what it wants to know, what it looks up and what it does, where the conversation goes, what it
answers. Nothing that it does counts before the caller knows of it: what is said of a tool stands with the tool, and the
machine says it, asks for the yes, and takes back what the caller interrupts, refuses or never gets to hear.
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
    deferred,
    held,
    pivot,
    read,
    slot,
)
from agentd.flow.moments import say_time
from flows.tools.desk import desk

# ── What it wants to know ────────────────────────────────────────────────────────────────────────────────────────────


class Visit(Slots):
    """An appointment that the caller would like: the day, and then one of the times that are free."""

    wanted: SpokenTime | None = slot(ask="What day suits you?", again="Which day would you like to come?")
    when: SpokenTime | None = slot(ask="Which one would you like?", again="I have {offers}. Which one suits you?")


class Caller(Slots):
    """Who calls; asked once a call, whatever it is needed for."""

    name: SpokenName | None = slot(ask="May I have your name?", again="What name may I write down?")


class Phone(Slots):
    """Where a message is answered; asked once a call too."""

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


# ── What it looks up, and what it does ───────────────────────────────────────────────────────────────────────────────
# Each class of tool has its own law. What is *held* is kept by the caller's yes, and else let go. What is *deferred* leaves
# when the caller has heard that it will, and what it needs is done. A *pivot* cannot be undone: it takes a clear yes.

DESK = desk(OPENING)

free_times = read(timeout=2.0, offers="when", tell="I have {offers}.", nothing="I am afraid we have nothing free {wanted}.")(
    DESK.free_times
)

book = held(
    ask="I can book {when} for {name}. Shall I do that for you?",
    tell="You are booked for {when}.",
    untell="I am sorry, {when} could not be booked.",
    undone="Your appointment {when} is cancelled.",
    identity=["when", "name"],
    ttl=300,
    open_for=240,
    honours_key=True,
    stores_refusals=True,
    tombstone=True,
    then="is_booked",
)(DESK.book)
book.confirm(DESK.confirm)
book.cancel(DESK.cancel)
book.undo(DESK.undo)
book.status(DESK.status)

text = deferred(
    tell="I will text it to the number that you are calling from.",
    untell="I am sorry, I could not text you.",
    check="Shall I still text you a confirmation?",
    identity=["when"],
    needs=[book],
    honours_key=True,
)(DESK.text)
text.status(DESK.status)

charge = pivot(
    ask="Shall I charge the deposit of 20 dollars to your phone bill?",
    tell="The deposit is paid.",
    untell="I am sorry, the deposit could not be charged.",
    identity=[],
    needs=[book],
    honours_key=True,
)(DESK.charge)
charge.status(DESK.status)

# ── Where the conversation goes ──────────────────────────────────────────────────────────────────────────────────────

ANYTHING_ELSE = "Is there anything else I can do for you?"
FIRST_VISIT = "Is it your first visit with us?"

STATES = [
    State("greeting", say="How can I help?", ask=ANYTHING_ELSE, aim="Find out what the caller wants."),
    State(
        "booking",
        aim="Learn the day, offer free times, let the caller choose one, learn the name, and book it.",
        fills=(Visit, Caller),
        afresh=Visit,
        tools=[free_times, book],
    ),
    State(
        "booked",
        aim="Offer to text a confirmation. If another day or time is wanted after all, book that in its place.",
        fills=(Visit, Caller),
        tools=[free_times, book],
        ask="Shall I text you a confirmation?",
    ),
    State("texting", aim="Text the confirmation, and learn whether the caller is new.", tools=[text], ask=FIRST_VISIT),
    State("first_visit", aim="Learn whether the caller is new.", ask=FIRST_VISIT),
    State(
        "deposit",
        aim="Take the deposit, if the caller agrees.",
        say="New patients pay a deposit, which we take off the bill.",
        tools=[charge],
        ask=ANYTHING_ELSE,
    ),
    State("settled", ask=ANYTHING_ELSE),
    State("cancelled", afresh=Visit, ask=ANYTHING_ELSE),
    State("message", aim="Take a message: name, number, text.", fills=(Caller, Phone, Message), afresh=Message),
    State("taken", say="Thank you, {name}. I will pass your message on to the front desk.", ask=ANYTHING_ELSE),
    State("handover", say="I am putting you through to our front desk. One moment, please.", transfer="front_desk"),
    State("goodbye", say="Thank you for calling Acme Dental. Goodbye.", final=True),
]

EARLIER = "I cannot see earlier appointments. I can take a message for the front desk."


def has_chosen(context: Context) -> bool:
    """Whether this call is about an appointment: one that is booked, or about to be."""
    return context.slots.get("when") is not None


TRANSITIONS = [  # trigger      source      dest        the caller says something like
    When(
        "wants_visit", "*", "booking",
        "book an appointment", "make an appointment", "i need an appointment", "an appointment", "see the dentist",
        "see a dentist",
        "do you have anything", "do you have anything free", "come in", "book a cleaning",
    ),
    When("is_booked", "booking", "booked"),
    When("wants_text", "booked", "texting", "yes", "text me", "send me a text"),
    When("wants_no_text", "booked", "first_visit", "no"),
    When("is_new", ["texting", "first_visit"], "deposit", "yes", "it is my first visit", "i am new"),
    When("is_known", ["texting", "first_visit"], "settled", "no", "i have been there before"),
    When("wants_other_time", "*", "booking", "change my appointment", "move my appointment", "change the appointment",
         when=has_chosen),
    When("wants_other_time", ["greeting", "cancelled", "taken"], "message", unless=has_chosen, say=EARLIER),
    When("wants_none", "*", "cancelled", "cancel my appointment", "cancel the appointment", when=has_chosen),
    When("wants_none", "*", "message", unless=has_chosen, say=EARLIER),
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
    When("is_done", ["greeting", "settled", "deposit", "cancelled", "taken"], "goodbye", "no"),
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
        "how much is it", "how much is a cleaning", "how much is a checkup", "how much does it cost",
        "what does a cleaning cost",
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
    help="our opening hours, address and prices, an appointment, or a message for the front desk",
    timezone="America/New_York",
    transfers={"front_desk": "+12125550100"},
    stuck="wants_human",
    keyterms=("Acme Dental", "check-up", "cleaning"),
)
