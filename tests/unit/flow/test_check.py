"""The report of `agentd flow check` says of each tool what it does to the world."""

from __future__ import annotations

from agentd.flow import Context, Flow, State, When, deferred, held, read
from agentd.flow.check import report


@read(tell="{result}")
def look(day: str) -> str:
    """Look something up."""
    return day


@held(ask="Book {day}?", tell="Booked {day}.", identity=["day"], ttl=300, then="is_booked")
def book(context: Context, day: str) -> None:
    """Book a day."""


@deferred(tell="I will text {day}.", identity=["day"], needs=[book])
def text(context: Context, day: str) -> None: ...


def test_each_tool_is_shown_with_its_class_what_it_needs_and_what_follows() -> None:
    states = [State("start", tools=[look, book, text]), State("booked"), State("end", final=True)]
    transitions = [When("is_booked", "start", "booked"), When("is_done", "*", "end", "goodbye")]
    shown = report(Flow("tools", states=states, transitions=transitions, help="x"))
    assert [line.strip() for line in shown.splitlines() if line.startswith("    uses ")] == [
        "uses read look(day): Look something up.",
        "uses held book(day), then is_booked: Book a day.",
        "uses deferred text(day), needs book",
    ]
