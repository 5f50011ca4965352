"""The caller: follows a scenario in real time, with nothing but an ear, a mouth and a thumb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentd.simulate.audio import TICK_S, TICKS, read_mono
from agentd.simulate.line import Line
from agentd.simulate.loudspeaker import ticks
from agentd.simulate.scenario import HangUp, Interject, Key, Say, Scenario, Silence, Step, Wait

PATIENCE_S = 30.0
"""After the last step the caller stays on the line for so long."""

INTERRUPT_S = 15.0
"""The caller waits so long for speech to interrupt, then gives that step up."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What the caller uttered, at which samples of the record. `kind`: say | barge_in | cough | uh_huh."""

    kind: str
    words: str
    start: int
    end: int


class Caller:
    """Follows `scenario` on `line`; `press` puts a key on the wire. `sounds` and `notes` tell what came of it."""

    def __init__(self, scenario: Scenario, line: Line, press: Callable[[str], None]) -> None:
        self._scenario = scenario
        self._line = line
        self._press = press
        self._files = {file: read_mono(file, scenario.leg_rate) for file in _files(scenario)}
        self._spoken_to_from = 0  # an agent that was heard since this tick has answered
        self._silent_from = 0  # the caller's last sound ended here
        self.sounds: list[Sound] = []
        self.notes: list[str] = []
        self.steps_done = 0

    async def run(self) -> None:
        """Once answered, go through the steps, then stay on the line. Cancelled: what was said stays on record."""
        await self._line.answered.wait()
        for step in self._scenario.steps:
            await self._follow(step)
            self.steps_done += 1
            if self._line.hung_up.is_set():
                return
        await self._line.pass_time(PATIENCE_S)
        self._line.hang_up()

    async def _follow(self, step: Step) -> None:
        match step:
            case Wait():
                await self._wait(step)
            case Say(file):
                await self._utter("say", file)
            case Interject():
                await self._interject(step)
            case Silence(seconds):
                self._line.log(f"caller stays silent for {seconds:g} s")
                await self._line.pass_time(seconds)
            case Key(digit):
                self._line.log(f"caller presses {digit}")
                self._press(digit)
            case HangUp():
                self._line.hang_up()

    async def _wait(self, step: Wait) -> None:
        ear = self._line.loudspeaker
        deadline = ear.ticks + ticks(step.timeout)
        while True:
            spoken = ear.first_audible(self._spoken_to_from) is not None
            if spoken and min(ear.quiet(), ear.ticks - self._silent_from) >= ticks(step.quiet):
                break
            if ear.ticks >= deadline:
                self._note(f"waited {step.timeout:g} s: the agent {'speaks on' if spoken else 'says nothing'}")
                break
            await self._line.tick()
        self._spoken_to_from = self._silent_from = ear.ticks

    async def _interject(self, step: Interject) -> None:
        ear = self._line.loudspeaker
        deadline = ear.ticks + ticks(INTERRUPT_S)
        while (begun := ear.first_audible(self._silent_from)) is None:
            if ear.ticks >= deadline:
                self._note(f"{step.kind}: the agent said nothing for {INTERRUPT_S:g} s that could be interrupted")
                return
            await self._line.tick()
        await self._line.pass_time(step.after - (ear.ticks - begun) * TICK_S)
        await self._utter(step.kind, step.file)

    async def _utter(self, kind: str, file: Path) -> None:
        words = file.stem.replace("-", " ")
        self._line.log(f"caller: {words}" if kind == "say" else f"caller ({kind.replace('_', ' ')}): {words}")
        start, end = await self._line.speak(self._files[file])
        self.sounds.append(Sound(kind, words, start, end))
        self._silent_from = -(-end // (self._line.rate // TICKS))
        if kind in ("say", "barge_in"):  # to a cough nobody answers: what the agent said before it still counts
            self._spoken_to_from = self._silent_from

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._line.log(text)


def _files(scenario: Scenario) -> set[Path]:
    return {step.file for step in scenario.steps if isinstance(step, Say | Interject)}
