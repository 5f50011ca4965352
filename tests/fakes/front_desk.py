"""A flow that hands over to a desk where nobody may be, and then takes a message; in few words, since it takes real time."""

from __future__ import annotations

from agentd.flow import FILLED, Flow, FreeText, Slots, SpokenName, State, When, slot


class Who(Slots):
    name: SpokenName | None = slot(ask="name")


class Note(Slots):
    message: FreeText | None = slot(ask="message")


FLOW = Flow(
    "front_desk",
    states=[
        State("talk", fills=Who, ask="else"),
        State("desk", say="hold", transfer="front_desk", unreached="nobody"),
        State("nobody", say="nobody", fills=(Who, Note)),
        State("taken", say="noted", final=True),
    ],
    transitions=[
        When("wants_human", "talk", "desk", "speak to a person"),
        When("wants_human", "nobody", "desk", "try again"),
        When(FILLED, "nobody", "taken"),
    ],
    greeting="hello",
    disclosure=False,
    help="messages",
    stuck="wants_human",
    transfers={"front_desk": "+15550199"},
)
