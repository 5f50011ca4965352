"""A round of the rule-based thinker in the making: what it says, what it asks, what it proposes, and its notes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentd import limits
from agentd.flow import Flow, Notes, Refused, Tool
from agentd.flow import lines as common
from agentd.flow.context import Words
from agentd.flow.effects import EffectTool
from agentd.flow.notes import Question
from agentd.flow.slots import Slot
from agentd.flow.templates import Line
from agentd.messages import Fill, Fire, FlowState, Proposal, Segment, ThinkRequest, UseTool
from agentd.providers.base import Thought
from agentd.providers.rules.deeds import STANDING, Deeds
from agentd.providers.rules.say import cut, statement
from agentd.turn.words import normalise

LAST = 12
"""Segments kept for a caller who asks to hear the last reply again."""


class Draft:
    """What is said and proposed so far, and the notes that will be left. `finished` makes it final."""

    def __init__(self, flow: Flow, request: ThinkRequest) -> None:
        self._flow, self._request = flow, request
        self._fs: FlowState = request.flow
        self._state = flow.state(request.flow)
        self._notes = Notes.of(request.flow.notes)
        self._now = flow.local(request.wall)
        self._deeds = Deeds(flow, request.effects)
        self._lines: list[Line] = []
        self._proposals: list[Proposal] = []
        self._repeatable = True
        self._offered = False
        self._changing = False

    def _finished(self) -> tuple[list[Segment], Thought]:
        """What the round comes to. Beside a transition nothing is said yet: its words are owed."""
        if any(isinstance(proposal, Fire) for proposal in self._proposals):
            self._notes = replace(self._notes, owed=tuple(line.text for line in self._lines))
            self._lines = []
        request, revises = self._request, self._changing or self._between()
        if request.ask and not (revises or self._proposals):
            self._lines = [statement(line) for line in self._lines]
            self._note(question=Question("effect", closed=True))
        pieces = [piece for line in self._lines for piece in cut(line)]
        segments = [
            Segment(request.reply, request.next_segment + index, piece.text, piece.answer_from)
            for index, piece in enumerate(pieces)
        ]
        if self._repeatable and (segments or request.tells or request.ask):
            earlier = self._notes.last if request.next_segment else ()
            said = (segment.text for segment in (*request.tells, *segments))
            self._notes = replace(self._notes, last=(*earlier, *said)[-LAST:])
        before = Notes.of(request.flow.notes)
        understood = self._notes.lost <= before.lost and self._notes.misheard <= before.misheard
        return segments, Thought(tuple(self._proposals), self._notes.mapping(), understood, revises)

    def _proposed(self, trigger: str, fills: Mapping[str, Any]) -> bool:
        """Propose a transition and values, as far as the machine will take them; False where there is nothing to propose."""
        fs = replace(self._fs, notes=self._notes.mapping())
        if trigger:
            try:
                fs = self._flow.fire(fs, trigger, self._now)
                self._proposals.append(Fire(trigger))
            except Refused:
                self._lines.append(Line(common.NOT_NOW))
        if fills:
            try:
                self._flow.fill(fs, fills)
                self._proposals.append(Fill(fills))
            except Refused as refused:
                self._lines.append(Line(refused.why if refused.spoken else common.NOT_UNDERSTOOD))
        if self._proposals:
            self._note(lost=0)
        elif trigger or fills:
            self._note(lost=self._notes.lost + 1)
            self._next(again=True)
        return bool(trigger or fills)

    def _next(self, *, again: bool = False) -> None:
        """Ask for the first slot that is missing, else what the state asks; not where a question was just put, or will be."""
        if self._request.ask and not self._between():
            return
        if self._flow.over(self._fs) or (self._lines and self._lines[-1].text.endswith("?")):
            self._note(question=self._state_question(self._lines[-1].text) if self._lines else None)
            return
        for slot in self._flow.missing(self._current):
            if line := self._question(slot, again=again):
                self._put_question(line)
                return
        if self._state.ask:
            line = self._line(self._state.ask)
            self._note(question=self._state_question(line.text))
            self._put_question(line)
        elif not (self._lines or self._request.next_segment or self._request.tells):
            self._lines.append(Line(common.ANYTHING))  # nobody is left in silence

    def _put_question(self, line: Line) -> None:
        """Ask, in one breath with the values that the sentence before it told."""
        if (
            self._lines
            and self._lines[-1].told is not None
            and len(self._lines[-1].text) + len(line.text) < limits.SEGMENT_CHARS
        ):
            line = self._lines.pop().then(line)
        self._lines.append(line)
        if self._notes.question:
            self._note(question=replace(self._notes.question, told=line.text[: line.answer_from or 0].strip()))

    def _state_question(self, text: str) -> Question:
        said = {normalise(phrase) for phrases in self._flow.phrases(self._fs.state).values() for phrase in phrases}
        return Question("state", closed=text == self._state.ask and bool(said & {"yes", "no"}))

    def _question(self, slot: Slot, *, again: bool) -> Line | None:
        """The question for one slot; None where it is a choice and there is nothing to choose from."""
        offers = [self._flow.value(slot.name, option) for option in self._notes.offers(slot.name)]
        if slot.name in self._flow.offering and not offers:
            return None
        extra = {"offers": slot.spoken.say_all(offers, self._now)} if offers else None
        if slot.confirm and slot.spoken.known(self._fs.slots.get(slot.name)):
            self._note(question=Question("confirm", slot.name, closed=True))
            return self._line(slot.confirm)
        if len(offers) == 1 and slot.one:
            self._note(question=Question("one", slot.name, closed=True))
            return self._line(slot.one, extra)
        asked = self._notes.asked.get(slot.name, 0)
        closed = slot.spoken.listening.closed
        self._note(question=Question("slot", slot.name, closed=closed), asked={**self._notes.asked, slot.name: asked + 1})
        other_words = bool(slot.again) and (again or asked > 0) and not self._offered
        return self._line(slot.again if other_words else slot.ask, extra)

    def _ask_once_more(self) -> None:
        """The open question in other words, behind a line that may be a question itself."""
        before, self._lines = self._lines, []
        if self._flow.missing(self._current):
            self._next(again=True)
        self._lines = before + self._lines

    def _say_one_of(self, texts: Sequence[str], count: int) -> None:
        """A line that differs from the last one. It is not worth repeating."""
        self._repeatable = False
        if texts:
            self._lines.append(self._line(texts[count % len(texts)], {"help": self._flow.help}))

    def _say_state(self) -> None:
        line = self._line(self._state.say)
        self._lines += [line] if line.text else []

    def _line(self, words: Words, extra: Mapping[str, str] | None = None) -> Line:
        return self._flow.line(words, self._fs, self._now, extra)

    def _note(self, **changes: Any) -> None:
        self._notes = replace(self._notes, **changes)

    @property
    def _current(self) -> FlowState:
        """The flow's state with the notes as they are now."""
        return replace(self._fs, notes=self._notes.mapping())

    def _due(self) -> UseTool | None:
        """The first tool whose arguments are all known, and that has not run for them, or done for them what it does."""
        for tool in self._state.tools:
            known = self._known(tool)
            if known is None or self._fs.slots.get(tool.offers) is not None or self._ran(tool, known):
                continue
            done = self._deeds.of(tool, known) if isinstance(tool, EffectTool) else None
            if done is None or done.state not in STANDING:
                return UseTool(self._use(tool.name), tool.name, known, self._deeds.replaced(tool, self._notes.changed))
        return None

    def _use(self, name: str) -> str:
        """The id of a tool's use in this round."""
        reply = self._request.reply
        return f"{reply.turn}.{reply.epoch}.{self._request.round}.{name}"

    def _known(self, tool: Tool) -> dict[str, Any] | None:
        """The arguments of a tool, where the flow knows all that it must have; what it changes the world with, confirmed."""
        slots, known = self._flow.slots, {}
        for name in tool.args.model_fields:
            if name in self._fs.slots:
                known[name] = self._fs.slots[name]
            if name in tool.required and not (name in known and slots[name].spoken.known(known[name])):
                return None
            if name in known and isinstance(tool, EffectTool) and slots[name].confirm and name not in self._notes.confirmed:
                return None
        return known

    def _ran(self, tool: Tool, known: Mapping[str, Any]) -> bool:
        """Whether it ran for these arguments since the flow came here."""
        return bool(self._notes.ran.get(tool.name, {}).get("args") == digest(known))

    def _note_ran(self, tool: Tool, args: Mapping[str, Any], offers: Sequence[Any] = ()) -> None:
        ran = {"args": digest(args), "slot": tool.offers, "offers": [*offers]}
        self._note(ran={**self._notes.ran, tool.name: ran})

    def _between(self) -> bool:
        """Whether the caller is about to have an effect otherwise, and what it shall be is not done or asked about yet."""
        for tool in self._state.tools:
            if self._notes.changed and self._deeds.replaced(tool, self._notes.changed):
                known = self._known(tool)
                now = self._deeds.of(tool, known) if known is not None else None
                if now is None or now.state not in STANDING:
                    return True
        return False

    def _told(self, tool: Tool, result: Any) -> Line:
        """A tool's result in its own words."""
        if not isinstance(tool.tell, str):
            return Line(tool.tell(self._flow.context(self._fs, self._now), result))
        if tool.offers:
            return self._line(tool.tell, {"offers": self._flow.slots[tool.offers].spoken.say_all(result, self._now)})
        return self._line(tool.tell, {"result": str(result)})


def digest(args: Mapping[str, Any]) -> str:
    """A tool's arguments as one comparable text."""
    return json.dumps({name: str(value) for name, value in sorted(args.items())})
