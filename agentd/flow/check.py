"""The report of `agentd flow check`: what a flow holds, and what its author may want to look at."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from agentd.flow.declare import FILLED, ends
from agentd.flow.effects import EffectTool
from agentd.flow.model import Flow
from agentd.flow.tools import Tool

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")

SHORT_PROMPTS = 2
"""Silence is prompted so often before the goodbye; each time in other words."""


def report(flow: Flow) -> str:
    """States with their triggers, slots, tools and answers, then warnings."""
    counts = [_count(flow.states, "state"), _count(flow.slots, "slot"), _count(flow.tools, "tool")]
    lines = [f"{flow.name} ({flow.file}): {', '.join(counts)}"]
    for state in flow.states:
        kind = " (final)" if state.final else f" (transfer to {state.transfer})" if state.transfer else ""
        lines.append(f"  state {state.name}{kind}")
        leads = dict.fromkeys((when.trigger, when.dest) for _, when, source in flow.rows if source == state.name)
        lines += [f"    {'all slots known' if trigger == FILLED else trigger} → {dest}" for trigger, dest in leads]
        lines += [f"    nobody takes it → {state.unreached}"] if state.unreached else []
        lines += [f"    asks {slot.name} ({slot.spoken.name}): {slot.ask}" for slot in flow.filled_by(state)]
        lines += [f"    uses {_tool(tool)}" for tool in state.tools]
    lines += [f"  answers {', '.join(answer.name for answer in flow.answers)}"] if flow.answers else []
    lines += [f"  warning: {warning}" for warning in warnings(flow)]
    return "\n".join(lines) + "\n"


def _tool(tool: Tool) -> str:
    """A tool's class and arguments, what it needs and what follows from it, and what it is for."""
    traits = [f"{tool.kind} {tool.name}({', '.join(tool.args.model_fields)})"]
    if isinstance(tool, EffectTool):
        traits += [f"needs {', '.join(tool.needs)}"] if tool.needs else []
        traits += [f"then {tool.then}"] if tool.then else []
    return ", ".join(traits) + (f": {tool.summary}" if tool.summary else "")


def _count(things: Collection[object], name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def warnings(flow: Flow) -> Iterator[str]:
    """What works, but will be heard."""
    for slot in flow.slots.values():
        if not slot.again:
            yield f"slot {slot.name} asks twice in the same words: add again="
        if slot.spoken.name == "phone" and not slot.confirm:
            yield f"slot {slot.name} is not read back, and digits are what is misheard most: add confirm="
    if len(flow.prompts) < SHORT_PROMPTS:
        yield f"silence is prompted {SHORT_PROMPTS} times, and there is {len(flow.prompts)} prompt"
    if not flow.disclosure:
        yield "callers are not told that they talk to an AI, which many countries require"
    for target, number in flow.transfers.items():
        if not _NUMBER.fullmatch(number):
            yield f"transfer target {target} is {number!r}, which carriers may not dial: write it as +12125550100"
    for tool in flow.tools.values():
        if isinstance(tool, EffectTool) and not (tool.traits.honours_key or tool.traits.status):
            yield f"tool {tool.name} has neither honours_key= nor a status: where an answer is lost, a human has to look"
    for state in flow.states:
        if not ends(state) and not (state.stuck or flow.stuck):
            yield f"state {state.name} hangs up when it makes no progress: add stuck="
        if not (ends(state) or state.ask or state.fills or state.say):
            yield f"state {state.name} says nothing and asks nothing"
        goes_on = any(when.trigger == FILLED and source == state.name for _, when, source in flow.rows)
        acts = any(isinstance(tool, EffectTool) for tool in state.tools)
        if state.fills and not (ends(state) or state.ask or goes_on or acts):
            yield f'state {state.name} has nothing to say once it knows its slots: add When(FILLED, "{state.name}", …) or ask='
