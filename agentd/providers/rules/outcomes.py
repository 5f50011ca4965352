"""What becomes of proposals: a result is told, an effect's outcome has its words, and what came to nothing is asked for anew.

That an effect is done, or not so after all, is never said here: the machine says so itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentd.flow import Refused, Tool
from agentd.flow import lines as common
from agentd.flow.effects import EffectTool
from agentd.flow.templates import Line
from agentd.messages import Fill, Fire, Mode, Outcome, TakeBack, UseTool
from agentd.providers.rules.deeds import STANDING
from agentd.providers.rules.draft import Draft


class Outcomes(Draft):
    """A round that knows what to make of outcomes."""

    def _take_all(self, outcomes: tuple[Outcome, ...]) -> None:
        for outcome in outcomes:
            match outcome.proposal:
                case UseTool() as use:
                    tool = self._flow.tools[use.tool]
                    self._note_ran(tool, use.args)
                    if isinstance(tool, EffectTool):
                        self._take_effect(tool, use, outcome)
                    else:
                        self._take_result(tool, use, outcome)
                case TakeBack():
                    self._take_back(outcome, moved=any(isinstance(other.proposal, Fire) for other in outcomes))
                case _ if outcome.status == "refused":
                    self._lines.append(Line(common.NOT_NOW))

    # ── Tools that read ──────────────────────────────────────────────────────────────────────────────────────────────

    def _take_result(self, tool: Tool, use: UseTool, outcome: Outcome) -> None:
        """Tell a tool's result, and note what it offers."""
        result = outcome.result
        try:
            if outcome.status == "done" and tool.offers:
                result = [self._flow.value(tool.offers, option) for option in result or ()]
        except (Refused, TypeError):
            outcome = Outcome(use, "failed")
        if outcome.status != "done":
            self._lines.append(Line(common.TOOL_FAILED))
            self._escape()
        elif not result and tool.nothing:
            self._lines.append(self._line(tool.nothing))
            self._note(ran={name: run for name, run in self._notes.ran.items() if name != tool.name})
            self._proposals.append(Fill(self._still(tool) or dict.fromkeys(tool.required)))
        elif tool.offers and len(result) == 1 and not self._flow.slots[tool.offers].one:
            self._take_only(tool, result[0])
        else:
            self._lines.append(self._told(tool, result))
            if tool.offers:
                self._offered = True
                self._note_ran(tool, use.args, [value if isinstance(value, (int, bool)) else str(value) for value in result])

    def _take_only(self, tool: Tool, value: Any) -> None:
        """There is but one to choose: it is told, unless a question about it comes next."""
        fs = self._flow.fill(self._current, {tool.offers: value})
        if self._flow.missing(fs):
            self._lines.append(self._told(tool, [value]))
        self._proposals.append(Fill({tool.offers: value}))

    def _still(self, reader: Tool) -> dict[str, Any]:
        """The values that the caller still has of what this tool had nothing else for."""
        for tool in self._state.tools:
            if reader.offers in tool.args.model_fields and (effect := self._deeds.still(tool)):
                return self._values(effect.args)
        return {}

    # ── Tools that change the world ──────────────────────────────────────────────────────────────────────────────────

    def _take_effect(self, tool: EffectTool, use: UseTool, outcome: Outcome) -> None:
        """What is done, or waits for the caller's word, the machine tells and asks itself."""
        effect = self._deeds.of(tool, use.args)
        match outcome.status:
            case "done":
                pass
            case "waiting":
                if effect and effect.state == "running":
                    self._lines.append(Line(common.SLOW))
            case "refused" if effect and effect.state not in STANDING:
                self._lines.append(tool.line(Mode.UNTELL, effect.args, effect.result, self._now))
            case "unknown":
                self._lines.append(Line(common.UNKNOWN))
            case "timeout":
                self._lines.append(Line(common.SLOW))
            case _:
                self._lines.append(Line(common.CANNOT))
                self._escape()

    def _take_back(self, outcome: Outcome, *, moved: bool) -> None:
        """What became of a wish to undo something; `moved`: the flow has gone on to where that leads."""
        match outcome.status:
            case "done":
                if not moved:
                    self._let_go(common.ANYTHING)
            case "refused" | "failed":
                self._lines.append(Line(common.NOT_NOW))
            case "unknown":
                self._lines.append(Line(common.UNKNOWN))
            case _:
                self._lines.append(Line(common.SLOW))

    def _let_go(self, question: str) -> None:
        """Something was let go at the caller's word: say so where the machine does not, and ask what comes next."""
        self._close_gone()
        texts = (question,) if self._request.tells else (common.ALL_RIGHT, question)
        if values := self._anew():
            self._note(owed=texts)
            self._proposals.append(Fill(values))
        else:
            self._lines += [Line(text) for text in texts]
            self._next()

    def _close_gone(self) -> None:
        """What the caller has just refused is not asked for again by itself."""
        for tool in self._state.tools:
            known = self._known(tool) if isinstance(tool, EffectTool) else None
            if known is not None and self._gone(tool, known):
                self._note_ran(tool, known)

    def _anew(self) -> dict[str, Any]:
        """Other values, where what was to be done with these came to nothing: those that still stand, else none at all, so
        that they are asked for."""
        for tool in self._state.tools:
            known = self._known(tool) if isinstance(tool, EffectTool) else None
            if known is None or not self._gone(tool, known):
                continue
            still = self._deeds.still(tool)
            if values := self._values(still.args) if still else self._chosen(tool):
                self._note(ran={}, changed=())
                return values
        return {}

    def _gone(self, tool: Tool, known: Mapping[str, Any]) -> bool:
        done = self._deeds.of(tool, known)
        return done is not None and done.state not in STANDING

    def _chosen(self, tool: Tool) -> dict[str, Any]:
        """Nothing in place of the tool's arguments that were chosen from offers, and of what these were for."""
        chosen = [name for name in tool.args.model_fields if name in self._flow.offering]
        return dict.fromkeys(one for name in chosen for one in (*self._flow.offering[name].required, name))

    def _values(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """An effect's arguments, as far as slots hold them."""
        return {name: value for name, value in args.items() if name in self._flow.slots}

    def _escape(self) -> None:
        """Somebody else should help, where the state has a way to them."""
        trigger = self._state.stuck or self._flow.stuck
        if trigger in self._flow.allowed(self._fs).triggers:
            self._proposed(trigger, {})
