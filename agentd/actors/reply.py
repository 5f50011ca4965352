"""The reply at hand: its rounds, what the thinker is asked in each, and the flow's own lines in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

import trio

from agentd.actors.effects import Effects
from agentd.actors.lines import Lines
from agentd.actors.memory import Memory
from agentd.actors.ports import Ports
from agentd.flow.model import Flow
from agentd.flow.telling import changes
from agentd.messages import Audio, FlowState, Outcome, ReplyEnd, RoundDone, RunTool, Segment, TakeBack, ThinkRequest, UseTool
from agentd.turn.commands import Line, Say, Think, Why

REPAIRS: Final = 1
"""Rounds of a reply that may mend a tool call which was refused: a model that fails twice guesses."""


class ReplyAtHand:
    """One reply at a time, round by round. `wall` is the time of day."""

    def __init__(self, flow: Flow, ports: Ports, lines: Lines, effects: Effects, wall: Callable[[], datetime]) -> None:
        self._flow, self._ports, self._lines, self._effects, self._wall = flow, ports, lines, effects, wall
        self.took = ""
        """What the ledger has taken the caller's words for."""
        self._late: tuple[Outcome, ...] = ()
        self._given = 0
        self._forget()

    def _forget(self) -> None:
        self.waits = False
        """Its first round was not asked for yet: what the caller said yes to is being done first."""
        self.said = 0
        """How many segments the rounds that are over gave."""
        self._next = 0
        self._index = 0
        self._outcomes: tuple[Outcome, ...] = ()
        self._tools: tuple[UseTool | TakeBack, ...] = ()
        self._refusals = 0

    # ── Its rounds ───────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, think: Think) -> None:
        """Another reply takes the place of this one."""
        self._forget()
        self._think = think
        self._effects.forget_queued()
        self.waits = self._effects.busy

    def go_on(self, memory: Memory) -> None:
        """Ask the thinker for the next round."""
        think, now, number = self._think, self._now(), self._next
        self._next += 1
        self._given = 0 if number else len(self._late)
        self._ports.thinker.send_nowait(
            ThinkRequest(
                think.reply,
                number,
                think.why.value,
                think.text,
                think.sure,
                memory.flow,
                memory.conversation,
                self._outcomes if number else self._late,
                think.prompt,
                self._index,
                self._wall().isoformat(),
                self._effects.told(),
                self._effects.tells(think.reply, now),
                None if self._flow.over(memory.flow) else self._effects.ask(think.reply, now),  # nobody waits for an answer
                self.took if think.why is Why.REPLY else "",
            )
        )

    def settled(self, done: RoundDone, outcomes: tuple[Outcome, ...]) -> int:
        """A round is over, and these of its proposals have their outcome already; answers how many tools are to run."""
        refused = {id(outcome.proposal) for outcome in outcomes}
        self._tools = tuple(p for p in done.proposals if isinstance(p, UseTool | TakeBack) and id(p) not in refused)
        self._outcomes, self._index, self.said = outcomes, done.next_segment, len(done.said)
        self._late = self._late[self._given :]
        self._refusals += any(isinstance(outcome.proposal, UseTool) for outcome in outcomes)
        if not done.told:
            self._effects.forget_queued()
        return len(self._tools)

    @property
    def may_use_tools(self) -> bool:
        """Whether a tool call may still be mended, if one was refused."""
        return self._refusals <= REPAIRS

    def run_tools(self, flow: FlowState) -> None:
        """Have the round's tools run."""
        for tool in self._tools:
            self._effects.run(RunTool(self._think.reply, tool, flow, self._wall().isoformat()))

    def has_all(self, outcome: Outcome) -> bool:
        """Take a tool's outcome; whether it was the round's last."""
        self._outcomes = (*self._outcomes, outcome)
        self._tools = tuple(tool for tool in self._tools if tool is not outcome.proposal)
        return not self._tools

    def serve(self, late: Outcome) -> None:
        """Take the outcome of a tool whose reply was dropped: the next reply has what was read. Of effects there are lines."""
        if isinstance(late.proposal, UseTool) and not changes(self._flow, late.proposal.tool):
            self._late = (*self._late, late)

    # ── The flow's own lines ─────────────────────────────────────────────────────────────────────────────────────────

    def say(self, say: Say, flow: FlowState) -> None:
        """Speak one of the flow's own lines; the apology needs no voice, since that may be what failed."""
        index = self._index if say.line is Line.FILLER else 0
        if say.line is not Line.FILLER and say.line is not Line.APOLOGY:
            for told in self._effects.tells(say.reply, self._now()):  # before the last words, what is open
                self._ports.speaker.send_nowait(replace(told, index=index))
                index += 1
        self._index = index + 1
        text = self._lines.text(say.line, flow, self._now())
        segment = Segment(say.reply, index, text, filler=say.line is Line.FILLER)
        canned = self._lines.canned(say.line)
        if canned:
            self._send_audio(Audio(segment, canned, last=True, made_at=trio.current_time()))
        else:
            self._ports.speaker.send_nowait(segment)
        if say.last and canned:
            self._send_audio(ReplyEnd(say.reply, self._index))
        elif say.last:
            self._ports.speaker.send_nowait(ReplyEnd(say.reply, self._index))

    def _send_audio(self, item: Audio | ReplyEnd) -> None:
        with suppress(trio.WouldBlock):  # a full channel belongs to a dead reply; the state's patience ends the call
            self._ports.audio.send_nowait(item)

    def _now(self) -> datetime:
        return self._flow.local(self._wall().isoformat())
