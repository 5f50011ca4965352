"""What a call remembers: the one frozen value that the conductor owns and that would outlive a crash.

The conversation holds what was *heard*: the caller's words, the heard prefix of the agent's, and one outcome for each tool.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from agentd import limits
from agentd.flow.model import Flow
from agentd.flow.refusal import Refused
from agentd.messages import Fill, Fire, FlowState, Outcome, Proposal, Retract, Said, Segment, TakeBack, UseTool
from agentd.turn.commands import Then

NAME: Final = 64
"""Characters of a tool's name in the conversation: whoever asks for a tool that is not there may call it anything."""

NO_EFFECTS: Final[Mapping[str, str]] = MappingProxyType({})

OPEN: Final = {"running", "open", "asking", "waiting"}
"""The states of an effect that the caller may still let go."""

KEPT: Final = {"keeping", "kept"}


@dataclass(frozen=True, slots=True)
class Memory:
    """`flow` is where the flow stands, `unheard` where it stood before the reply, as long as nothing of that was heard.

    `last_said` is the last complete reply: one that repeats it word for word is no progress.
    """

    flow: FlowState
    conversation: tuple[Said, ...] = ()
    unheard: FlowState | None = None
    last_said: tuple[str, ...] = ()
    fresh: tuple[Said, ...] = ()
    """Lines that the event log has not been told yet."""

    def add(self, line: Said) -> Memory:
        """With one more line; the oldest is forgotten beyond `limits.CONVERSATION`."""
        if not line.text:
            return self
        conversation = (*self.conversation, line)[-limits.CONVERSATION :]
        return replace(self, conversation=conversation, fresh=(*self.fresh, line))

    def heard(self, segment: Segment | None, chars: int) -> Memory:
        """With the heard prefix of a segment; a filler never enters the conversation."""
        if segment is None or segment.filler or not chars:
            return self
        text = segment.text[:chars].rstrip()
        return self.add(Said("agent", text, cut=chars < len(segment.text)))

    def tool(self, outcome: Outcome) -> Memory:
        """With the one outcome of a tool call."""
        proposal = outcome.proposal
        name = proposal.tool[:NAME].encode(errors="replace").decode() if isinstance(proposal, UseTool) else "take_back"
        return self.add(Said("tool", f"{name}: {outcome.status}"))

    def settle(
        self,
        flow: Flow,
        proposals: tuple[Proposal, ...],
        now: datetime,
        effects: Mapping[str, str] = NO_EFFECTS,
        *,
        tools: bool = True,
    ) -> tuple[Memory, tuple[Outcome, ...]]:
        """Carry out what is proposed to the flow, in order; tools are left to the tool runner.

        The machine disposes: what the state does not allow is refused, and the refusal is the proposal's outcome. `effects`
        are the call's own, id → state: no other one can be named. Without `tools` none may be used any more.
        """
        state, outcomes = self.flow, list[Outcome]()
        for number, proposal in enumerate(proposals):
            try:
                if number >= limits.PROPOSALS:
                    outcomes.append(Outcome(proposal, "refused", why=f"more than {limits.PROPOSALS} proposals in one round"))
                    continue
                match proposal:
                    case Fill(values):
                        state = flow.fill(state, _object(values))
                    case Fire(trigger):
                        state = flow.fire(state, trigger, now)
                    case UseTool() if not tools:
                        outcomes.append(Outcome(proposal, "refused", why="no more tools in this reply: two were refused"))
                        continue
                    case UseTool(_, tool, args, replaces):
                        flow.check_tool(state, tool, _object(args))
                        _known(replaces, {"", *effects})
                        continue
                    case TakeBack(_, effect):
                        _known(effect, effects)
                        continue
                    case Retract(effect):
                        _known(effect, effects)
                        _open(effects[effect])
                outcomes.append(Outcome(proposal, "done"))
            except Refused as refusal:
                outcomes.append(Outcome(proposal, "refused", why=str(refusal)))
        memory = replace(self, flow=state)
        for outcome in outcomes:
            if isinstance(outcome.proposal, UseTool | TakeBack):
                memory = memory.tool(outcome)
        return memory, tuple(outcomes)

    def then(self, flow: Flow) -> Then:
        """What the flow's state wants once its words are heard."""
        if flow.state(self.flow).transfer:
            return Then.TRANSFER
        return Then.CLOSE if flow.over(self.flow) else Then.LISTEN

    def helper(self, flow: Flow, now: datetime) -> bool:
        """Whether giving up on this state leads to a human."""
        return bool(flow.state(self.escalated(flow, now).flow).transfer)

    def escalated(self, flow: Flow, now: datetime) -> Memory:
        """Where a state goes that makes no progress; a last one stays."""
        try:
            return replace(self, flow=flow.escalate(self.flow, now))
        except Refused:
            return self

    def announced(self, notes: Mapping[str, Any] | None, *, spoke: bool) -> Memory:
        """After a round: the flow kit's notes as the thinker left them, and the state's opening words given."""
        flow = self.flow if notes is None else replace(self.flow, notes=notes)
        return replace(self, flow=replace(flow, announced=flow.announced or spoke))

    def caller(self, text: str, *, again: bool) -> Memory:
        """With what the caller said; `again`: it takes the place of what was said before in the same turn."""
        line, lines = Said("caller", text), list(self.conversation)
        last = max((at for at, old in enumerate(lines) if old.who == "caller"), default=None)
        if not again or last is None:
            return self.add(line)
        lines[last] = line
        return replace(self, conversation=tuple(lines), fresh=(*self.fresh, line))

    def told(self) -> Memory:
        """The event log has the fresh lines."""
        return replace(self, fresh=()) if self.fresh else self

    def begin(self) -> Memory:
        """Before a reply: should nothing of it be heard, the flow's opening words are still owed."""
        return replace(self, unheard=self.flow)

    def audible(self) -> Memory:
        """The reply is being heard."""
        return replace(self, unheard=None)

    def dropped(self) -> Memory:
        """The reply was dropped; if nothing of it was heard, its state's opening words were not said after all.

        What the caller's words have brought about stands: words and transitions are never rolled back.
        """
        if self.unheard is None:
            return self
        same = self.unheard.state == self.flow.state and self.unheard.entered == self.flow.entered
        announced = self.unheard.announced if same else False
        return replace(self, flow=replace(self.flow, announced=announced), unheard=None)


def _object(given: object) -> Mapping[str, Any]:
    """What was given by name; Refused where it is something else, since a model may write anything."""
    if not isinstance(given, Mapping):
        raise Refused("values must be given by their names")
    return given


def _known(effect: str, effects: Container[str]) -> None:
    """Raise Refused for an effect that is not the call's own."""
    if effect not in effects:
        raise Refused("there is no such effect in this call")


def _open(state: str) -> None:
    """Raise Refused for an effect that has its verdict: it is given once."""
    if state in KEPT:
        raise Refused("it is kept: take it back instead")
    if state not in OPEN:
        raise Refused(f"it is {state.replace('_', ' ')}: there is nothing to retract")
