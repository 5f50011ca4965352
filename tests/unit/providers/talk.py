"""A conversation typed: a tiny conductor that carries out proposals, inline, and keeps what was said."""

from __future__ import annotations

import inspect
from dataclasses import replace

from agentd import limits
from agentd.flow import Flow, Notes, Refused
from agentd.messages import Fill, Fire, Outcome, Proposal, Reply, Said, Segment, ThinkRequest, UseTool
from agentd.providers.rules.thinker import RulesThinker


class Talk:
    """Types the caller's lines, returns the agent's."""

    def __init__(self, flow: Flow, wall: str) -> None:
        self.flow, self.wall = flow, wall
        self.thinker = RulesThinker(flow)
        self.fs = flow.start()
        self.conversation: list[Said] = []
        self.segments: list[Segment] = []
        self.proposals: list[Proposal] = []
        self.turn = 0
        self.failing: set[str] = set()

    def open(self) -> str:
        return self._reply("opening", "")

    def say(self, text: str, *, sure: bool = True) -> str:
        self.conversation.append(Said("caller", text))
        return self._reply("reply", text, sure=sure)

    def silence(self, prompt: int) -> str:
        return self._reply("silence", "", prompt=prompt)

    def mumble(self) -> str:
        return self._reply("misheard", "")

    @property
    def notes(self) -> Notes:
        return Notes.of(self.fs.notes)

    def _reply(self, why: str, text: str, *, sure: bool = True, prompt: int = 0) -> str:
        self.turn += 1
        self.segments, self.proposals, outcomes = [], [], ()
        for number in range(limits.ROUNDS):
            request = ThinkRequest(
                Reply(self.turn, self.turn), number, why, text, sure, self.fs, tuple(self.conversation), outcomes, prompt,  # type: ignore[arg-type]
                len(self.segments), self.wall,
            )  # fmt: skip
            segments, thought = self.thinker.round(request)
            self.segments += segments
            self.fs = replace(self.fs, notes=thought.notes, announced=self.fs.announced or bool(segments))
            self.proposals += thought.proposals
            if not thought.proposals:
                break
            outcomes = tuple(self._carried_out(proposal) for proposal in thought.proposals)
        else:
            raise AssertionError(f"going in circles: {self.proposals}")
        said = " ".join(segment.text for segment in self.segments)
        if said:
            self.conversation.append(Said("agent", said))
        return said

    def _carried_out(self, proposal: Proposal) -> Outcome:
        now = self.flow.local(self.wall)
        try:
            match proposal:
                case Fill(values):
                    self.fs = self.flow.fill(self.fs, values)
                case Fire(trigger):
                    self.fs = self.flow.fire(self.fs, trigger, now)
                case UseTool(_, name, args):
                    tool, checked = self.flow.check_tool(self.fs, name, args)
                    if name in self.failing:
                        return Outcome(proposal, "failed", why="broken for the test")
                    result = tool.call(self.flow.context(self.fs, now), checked)
                    assert not inspect.isawaitable(result)
                    return Outcome(proposal, "done", result)
        except Refused as refused:
            return Outcome(proposal, "refused", why=refused.why)
        return Outcome(proposal, "done")
