"""The load's flow: it talks until it is told goodbye, or to fetch a person."""

from __future__ import annotations

from agentd.flow.declare import State, When
from agentd.flow.model import Flow

FLOW = Flow(
    "bench",
    states=[
        State("open", say="hello"),
        State("desk", say="one moment", transfer="desk"),
        State("bye", say="goodbye", final=True),
    ],
    transitions=[
        When("wants_human", "open", "desk", "a person please"),
        When("wants_end", "open", "bye", "goodbye now"),
    ],
    transfers={"desk": "+15550199"},
    help="nothing but talk",
    disclosure=False,
)
