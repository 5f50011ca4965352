"""The guide's tools are a flow that loads."""

from __future__ import annotations

import re
from pathlib import Path

from agentd.flow import load

GUIDE = Path(__file__).resolve().parents[3] / "flows" / "README.md"

BEFORE = """
from __future__ import annotations
from pydantic import BaseModel
from agentd.flow import *

class Visit(Slots):
    wanted: SpokenTime | None = slot(ask="When?")
    time: SpokenTime | None = slot(ask="Which one?")
    name: SpokenName | None = slot(ask="Who?")
    phone: SpokenPhone | None = slot(ask="What number?")
    deposit: SpokenNumber | None = slot(ask="How much?")

async def office(request: str, key: str, body: object = None) -> dict[str, str]: ...
"""

BEHIND = """
TOOLS = [free_times, book, join_waiting_list, text, take_deposit, call_back]
STATES = [State("start", fills=Visit, tools=TOOLS), State("booked", ask="Anything else?"), State("end", final=True)]
TRANSITIONS = [When("is_booked", "start", "booked"), When("is_done", "*", "end", "goodbye")]
FLOW = Flow("guide", states=STATES, transitions=TRANSITIONS, help="x", stuck="is_done")
"""


def test_the_tools_of_the_guide_are_a_flow_that_loads(tmp_path: Path) -> None:
    section = GUIDE.read_text().partition("\n## Tools\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    path = tmp_path / "guide.py"
    path.write_text("\n".join([BEFORE, *blocks, BEHIND]))
    flow = load(path)
    assert {tool.kind for tool in flow.tools.values()} == {"read", "compensable", "held", "deferred", "pivot"}
    assert len(blocks) == 6
