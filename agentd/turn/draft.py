"""The working copy of a turn on which the table's guards and actions stand: a turn in the making, and the commands so far."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agentd.messages import Timer, TimerFired
from agentd.turn.commands import Arm, Attend, Command, Disarm, Event, Freeze, Thaw, Then, Think, Why
from agentd.turn.value import AUDIBLE, State, Turn


class Draft:
    """The model that the table's rows work on: a turn in the making, and the commands so far."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.commands: list[Command] = []

    @property
    def state(self) -> str:
        """What `transitions` reads."""
        return self.turn.state.value

    @state.setter
    def state(self, value: str) -> None:
        self._set(state=State(value))

    def _set(self, **changes: Any) -> None:
        self.turn = replace(self.turn, **changes)

    def _do(self, *commands: Command) -> None:
        self.commands.extend(commands)

    def _arm(self, name: Timer, seconds: float) -> None:
        self._set(armed=self.turn.armed | {name})
        self._do(Arm(name, max(0.0, seconds)))

    def _disarm(self, name: Timer) -> None:
        if name in self.turn.armed:
            self._set(armed=self.turn.armed - {name})
            self._do(Disarm(name))

    def _freeze(self) -> None:
        if not self.turn.frozen:
            self._set(frozen=True)
            self._do(Freeze())

    def _thaw(self, *, confirmed: bool) -> None:
        if self.turn.frozen:
            self._set(frozen=False)
            self._do(Thaw(confirmed))

    def _begin(self, why: Why, *, number: int, prompt: int = 0, added: str = "") -> None:
        """A reply: its first round, with the turn's own words; `added` are those that nothing was done about yet."""
        self._set(turn=number, why=why, heard=False, asked=None, complete=False, tools=0, then=Then.LISTEN, fillers=0, keys="")
        self._set(reopened=False)
        self._do(Think(self.turn.reply, why, " ".join(self.turn.parts), self.turn.sure, prompt, added, self.turn.onset))

    def take_timer(self, event: TimerFired) -> bool:
        """Whether the deadline is armed; it is not any more."""
        armed = event.name in self.turn.armed
        self._set(armed=self.turn.armed - {event.name})
        return armed

    # ── On entering and leaving any state ────────────────────────────────────────────────────────────────────────────

    def enter(self, event: Event) -> None:
        """Every state has its patience, and tells the listener how to listen."""
        state, timing = self.turn.state, self.turn.timing
        if state is State.ENDED:
            return
        self._do(Attend(state in AUDIBLE))
        if state is State.LISTENING:
            self._set(silent_since=event.at)
        if state is State.LISTENING and self.turn.keys:
            self._arm(Timer.KEYS, timing.keys)
        elif state is State.LISTENING and not self.turn.utterance:
            self._arm(Timer.SILENCE, timing.silence)
        else:
            self._arm(Timer.STUCK, timing.patience[state.value])
        if state is State.CLOSING and self.turn.said:
            self._arm(Timer.FAREWELL, timing.farewell)
        if state is State.WAITING:
            if self.turn.fillers:
                self._arm(Timer.FILLER, timing.filler_again)
            else:
                tool = timing.filler_tool - (event.at - self.turn.tools_since)
                self._arm(Timer.FILLER, max(tool, timing.filler_caller - (event.at - self.turn.silent_since)))

    def leave(self, event: Event) -> None:
        """Leaving a state disarms every deadline but the call's own."""
        for name in sorted(self.turn.armed - {Timer.CALL}):
            self._disarm(name)
