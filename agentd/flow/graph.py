"""A flow as a Mermaid diagram."""

from __future__ import annotations

from agentd.flow.declare import FILLED, Condition, When, ends
from agentd.flow.model import Flow


def mermaid(flow: Flow) -> str:
    """`stateDiagram-v2` with each trigger, its first phrase and its conditions; "*" is a node of its own."""
    lines = ["stateDiagram-v2", "  direction LR", f"  [*] --> {_id(flow.states[0].name)}"]
    for state in flow.states:
        notes = [*(f"asks {slot.name}" for slot in flow.filled_by(state)), *(f"uses {tool.name}" for tool in state.tools)]
        notes += [f"to {state.transfer}"] if state.transfer else []
        label = f"{state.name}{' ∙ ' if notes else ''}{', '.join(notes)}"
        lines.append(f'  state "{label}" as {_id(state.name)}')
    if any("*" in when.sources for when in flow.transitions):
        lines.append('  state "any state" as any_state')
    for when in flow.transitions:
        for source in when.sources:
            lines.append(f"  {'any_state' if source == '*' else _id(source)} --> {_id(when.dest)}: {_label(when)}")
    lines += [f"  {_id(state.name)} --> {_id(state.unreached)}: nobody takes it" for state in flow.states if state.unreached]
    lines += [f"  {_id(state.name)} --> [*]" for state in flow.states if ends(state)]
    return "\n".join(lines) + "\n"


def _id(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _label(when: When) -> str:
    said = f" “{when.phrases[0]}”" if when.phrases else ""
    guards = [_condition(when.when)] if when.when else []
    guards += [f"not {_condition(when.unless)}"] if when.unless else []
    trigger = "all slots known" if when.trigger == FILLED else when.trigger
    guarded = f" [{', '.join(guards)}]" if guards else ""
    return f"{trigger}{said}{guarded}".replace(":", "").replace(";", "")


def _condition(condition: Condition) -> str:
    return getattr(condition, "__name__", "condition").replace("_", " ")
