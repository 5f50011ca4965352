"""What the rule-based thinker makes of the call's effects: which one some values stand for, and which one the caller means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agentd.flow import Flow, Refused, Tool
from agentd.flow.effects import EffectTool, Part
from agentd.ledger.row import Kind
from agentd.messages import Effect

UNDECIDED: Final = frozenset({"running", "open", "asking", "waiting"})
"""The caller's words may still let go of it."""

STANDING: Final = UNDECIDED | {"keeping", "kept", "unknown"}
"""It is done, may be, or is about to be: to ask for it again would be wrong."""


class Deeds:
    """The effects that one request tells of, looked at with the eyes of the flow."""

    def __init__(self, flow: Flow, effects: tuple[Effect, ...]) -> None:
        self._flow = flow
        self._effects = tuple(effect for effect in effects if effect.kind != Kind.TAKE_BACK and effect.tool in flow.tools)

    def of(self, tool: Tool, values: Mapping[str, Any]) -> Effect | None:
        """The latest effect of the tool with these values as its arguments."""
        try:
            args = json.loads(tool.check(values).model_dump_json())
        except Refused:
            return None
        return next((one for one in reversed(self._effects) if one.tool == tool.name and one.args == args), None)

    def changeable(self) -> tuple[Effect, ...]:
        """The effects that can still be taken back, or that others may take the place of, in their order."""
        return tuple(filter(self._may_change, self._effects))

    def undoable(self) -> Effect | None:
        """What "cancel it" means: the latest that can be taken back, or may have to be; what others need comes first."""
        found = [one for one in self._effects if self._may_change(one) or one.state == "unknown"]
        tools = {one.tool for one in found}
        roots = [one for one in found if not tools & set(self._needs(one.tool))]
        return roots[-1] if roots else None

    def overwritten(self, fills: Mapping[str, Any], slots: Mapping[str, Any]) -> tuple[str, ...]:
        """The effects, by id, that rest on values which the caller says otherwise now."""
        new = {name for name, value in fills.items() if slots.get(name) is not None and value != slots[name]}
        return tuple(one.id for one in self._effects if self._may_change(one) and new & set(self._rests_on(one.tool)))

    def replaced(self, tool: Tool, changed: tuple[str, ...]) -> str:
        """Of the effects that the caller wants otherwise, the one whose place the tool's next one takes; "" for none."""
        found = (one for one in reversed(self._effects) if one.tool == tool.name and one.id in changed)
        return next((one.id for one in found if self._may_change(one)), "")

    def still(self, tool: Tool) -> Effect | None:
        """What the caller has, or is being asked about, of that tool."""
        return next((one for one in reversed(self._effects) if one.tool == tool.name and one.state in STANDING), None)

    def _may_change(self, effect: Effect) -> bool:
        tool = self._flow.tools[effect.tool]
        kept = effect.state in ("keeping", "kept") and isinstance(tool, EffectTool) and Part.UNDO in tool.parts
        return kept or effect.state in UNDECIDED

    def _needs(self, name: str) -> tuple[str, ...]:
        tool = self._flow.tools[name]
        return tool.needs if isinstance(tool, EffectTool) else ()

    def _rests_on(self, tool: str) -> Iterator[str]:
        """A tool's arguments, and what they were offered for."""
        for name in self._flow.tools[tool].args.model_fields:
            yield name
            if name in self._flow.offering:
                yield from self._flow.offering[name].required
