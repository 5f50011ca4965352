"""`agentd flow new`: a flow to begin from, with a tool that changes the world, and the tests of both."""

from __future__ import annotations

import importlib.util
import keyword
import sys
from pathlib import Path
from typing import Final

from agentd.errors import FlowError

FLOW: Final = '''"""The NAME flow. It books a visit, and lets go of it where the caller takes it back, or never hears of it.

Read it from top to bottom, and make it yours: what it wants to know, what it does, where the conversation goes.
"""

from __future__ import annotations

from agentd.flow import Context, Flow, Slots, SpokenTime, State, When, compensable, slot

# ── What it wants to know ────────────────────────────────────────────────────────────────────────────────────────────


class Visit(Slots):
    """A visit that the caller would like."""

    day: SpokenTime | None = slot(ask="What day suits you?", again="Which day would you like to come?")


# ── What it does ─────────────────────────────────────────────────────────────────────────────────────────────────────

BOOKED: dict[str, str] = {}
"""Stands in for your own system: the days that are booked, each under the key of its effect."""


@compensable(tell="You are booked for {day}.", identity=["day"], honours_key=True)
def book(context: Context, day: SpokenTime) -> None:
    """Book a visit."""
    BOOKED[context.effect] = str(day)


@book.undo
def unbook(context: Context) -> None:
    """Let go of it: the caller has taken it back, or has never heard that it is booked."""
    BOOKED.pop(context.effect, None)


# ── Where the conversation goes ──────────────────────────────────────────────────────────────────────────────────────

STATES = [
    State("greeting", say="How can I help?", aim="Find out what the caller wants."),
    State(
        "booking",
        aim="Learn the day, and book it.",
        fills=Visit,
        tools=[book],
        ask="Is there anything else I can do for you?",
    ),
    State("goodbye", say="Thank you for calling. Goodbye.", final=True),
]

TRANSITIONS = [  # trigger, source, dest, and what callers say
    When("wants_visit", "greeting", "booking", "book a visit", "make an appointment", "come and see you"),
    When("is_done", "*", "goodbye", "goodbye", "that's all", "nothing else"),
    When("is_done", "booking", "goodbye", "no"),
]

FLOW = Flow(
    "NAME",
    states=STATES,
    transitions=TRANSITIONS,
    greeting="Hello.",
    help="a visit",
    timezone="America/New_York",
    stuck="is_done",
)
'''

TEST: Final = '''"""Whole calls with the NAME flow, in virtual time."""

from __future__ import annotations

from agentd.testing import Conversation, beside, scripted

flow = beside(__file__, "NAME.py")


@scripted(flow.FLOW)
async def test_what_the_caller_has_heard_is_kept(call: Conversation) -> None:
    await call.says("i would like to book a visit on tuesday")
    assert await call.hears() == "You are booked for Tuesday the 24th. Is there anything else I can do for you?"
    (booking,) = call.effects
    assert (booking.fact, booking.verdict, booking.told) == ("there", "keep", "told")
    assert flow.BOOKED[booking.id] == "2026-11-24"


@scripted(flow.FLOW)
async def test_what_the_caller_takes_back_is_undone(call: Conversation) -> None:
    await call.says("i would like to book a visit on tuesday")
    await call.cuts_in("You are booked", "no, don't")
    assert await call.hears() == "All right. Is there anything else I can do for you?"
    (booking,) = call.effects
    assert (booking.fact, booking.verdict) == ("absent", "drop")
    assert booking.id not in flow.BOOKED
'''


def scaffold(name: str, folder: Path) -> tuple[Path, Path]:
    """Write a flow and its test to `folder`, which is made where it is not there, and answer both paths.

    Raises FlowError for a name that will not do, and for a file that is there: nothing is overwritten.
    """
    texts = {folder / f"{name}.py": FLOW, folder / f"test_{name}.py": TEST}
    for path in texts:
        if path.exists():
            raise FlowError("there is such a file", where=str(path), mend="choose another name, or another --dir.")
    _check(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text.replace("NAME", name))
    except OSError as error:
        raise FlowError(
            f"it cannot be written ({error.strerror})", where=str(folder), mend="choose another --dir, or give the right to it."
        ) from error
    flow, test = texts
    return flow, test


def _check(name: str) -> None:
    """Raise FlowError for a name that no module can have, or that another one has."""
    where = f"flow {name!r}"
    if not (name.isascii() and name.isidentifier() and name == name.lower()) or keyword.iskeyword(name) or name[0] == "_":
        raise FlowError("its name is no module's", where=where, mend="write small letters, digits and _, such as front_desk.")
    if name.startswith("test_"):
        raise FlowError("its name is a test's", where=where, mend="write it without test_; its test is written with it.")
    if name in sys.stdlib_module_names or any(map(importlib.util.find_spec, (name, f"flows.{name}"))):
        raise FlowError("there is another module of its name", where=where, mend=f"choose another one, such as my_{name}.")
