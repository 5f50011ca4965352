"""The smallest flow that can be called, handed over and ended."""

from __future__ import annotations

from agentd.flow.declare import State, When
from agentd.flow.model import Flow

FLOW = Flow(
    "parrot",
    states=[
        State("talk", say="welcome"),
        State("desk", say="I am putting you through", transfer="front_desk"),
        State("bye", say="goodbye", final=True),
    ],
    transitions=[
        When("wants_human", "talk", "desk", "speak to a person"),
        When("wants_end", "talk", "bye", "goodbye"),
    ],
    help="saying things again",
    stuck="wants_human",
    transfers={"front_desk": "+15550199"},
)
