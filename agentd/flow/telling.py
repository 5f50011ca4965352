"""What is said of an effect, and what a flow makes of it: the ledger's rows in the words of their tools."""

from __future__ import annotations

import json
from datetime import datetime

from agentd.flow.effects import EffectTool
from agentd.flow.model import Flow
from agentd.flow.templates import Line
from agentd.ledger.row import Kind, Row
from agentd.messages import Effect, Mode, RowChanged


def changes(flow: Flow, tool: str) -> bool:
    """Whether the tool changes the world."""
    return isinstance(flow.tools.get(tool), EffectTool)


def vocabulary(flow: Flow) -> dict[str, frozenset[str]]:
    """The words that tell what each tool does that changes the world: those of its name."""
    return {name: frozenset(name.split("_")) for name in flow.tools if changes(flow, name)}


def telling(flow: Flow, effect: Effect, mode: Mode, now: datetime) -> Line:
    """The sentence that the caller is owed about an effect; its `told` is the telling point."""
    tool = flow.tools[effect.tool]
    assert isinstance(tool, EffectTool)
    return tool.line(mode, effect.args, effect.result, now, undone=effect.kind == Kind.TAKE_BACK)


def trigger(flow: Flow, change: RowChanged) -> str:
    """The transition that an effect brings about once it is kept and settled; "" for none."""
    tool = flow.tools.get(change.tool)
    return tool.then if isinstance(tool, EffectTool) and change.kind != Kind.TAKE_BACK else ""


def label(flow: Flow, row: Row, now: datetime) -> str:
    """An effect in a few words, for whoever thinks: the tool and the values of its arguments."""
    tool = flow.tools.get(row.tool)
    what = f"taking back {row.tool}" if row.kind is Kind.TAKE_BACK else row.tool
    if not isinstance(tool, EffectTool):
        return what
    said = [f"{name} {tool.said(name, value, now)}" for name, value in json.loads(row.args).items() if value is not None]
    return f"{what} ({', '.join(said)})" if said else what
