"""What a call came to: its outcome in a sentence, and its figures, taken from the audio at the loudspeaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agentd.simulate import measure
from agentd.simulate.caller import Sound
from agentd.simulate.loudspeaker import Recording
from agentd.simulate.measure import Interruption, Turn


@dataclass(frozen=True, slots=True)
class Figures:
    """Times in seconds. `jitter`: between frames of one speech; `late`: this switch's own ticks behind their deadlines."""

    turns: tuple[Turn, ...]
    interruptions: tuple[Interruption, ...]
    holes: tuple[tuple[float, float], ...]
    jitter_p50: float | None
    jitter_p95: float | None
    jitter_max: float | None
    late_p99: float | None


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call. `outcome`: completed | refused | broken, `why` in a sentence. `recording` is not part of the JSON.

    `said`: what the switch spoke with its own voice; `notes`: what the caller waited for in vain; `lost`: 20 ms frames
    that the daemon was too slow to take; `ignored`: messages of the daemon's that this dialect does not know.
    """

    scenario: str
    call_id: str
    outcome: str
    why: str
    seconds: float
    streams: int
    dialled: str | None
    said: tuple[str, ...]
    sounds: tuple[Sound, ...]
    steps_done: int
    steps: int
    notes: tuple[str, ...]
    lost: int
    ignored: dict[str, int]
    figures: Figures
    recording: Recording

    def as_json(self) -> dict[str, Any]:
        """All but the audio, in types that JSON has."""
        table = {name: getattr(self, name) for name in self.__slots__ if name not in ("recording", "figures", "sounds")}
        return table | {"sounds": [asdict(sound) for sound in self.sounds], "figures": asdict(self.figures)}


def figures(recording: Recording, sounds: Sequence[Sound], arrivals: Sequence[float], lateness: Sequence[float]) -> Figures:
    """Measure one call. A turn is one that the caller's words began: a cough is not answered."""
    rate = recording.rate
    caller = measure.voiced(recording.voice, rate)
    speech = measure.speeches(recording.agent, recording.filled, rate)
    spoken = [sound for sound in sounds if sound.kind in ("say", "barge_in")]
    block = int(measure.BLOCK_S * rate)
    gaps = measure.jitter(arrivals)
    return Figures(
        turns=tuple(
            turn
            for turn in measure.turns(recording.voice, recording.agent, rate)
            if any(sound.start < turn.end <= sound.end + block for sound in spoken)
        ),
        interruptions=tuple(
            measure.interruption(sound.kind, (sound.start, sound.end), caller, speech, rate)
            for sound in sounds
            if sound.kind != "say"
        ),
        holes=tuple(
            (start / rate, end / rate) for start, end in measure.holes(recording.agent, recording.filled, caller, rate)
        ),
        jitter_p50=measure.percentile(gaps, 50),
        jitter_p95=measure.percentile(gaps, 95),
        jitter_max=max(gaps, default=None),
        late_p99=measure.percentile(lateness, 99),
    )


def table(reports: Sequence[CallReport]) -> str:
    """The figures of one call or several, for people."""
    turns = [turn.gap for report in reports for turn in report.figures.turns]
    heard = [one for report in reports for one in report.figures.interruptions]
    stopped = [one.silence for one in heard if one.kind == "barge_in" and one.silence is not None]
    holes = [end - start for report in reports for start, end in report.figures.holes]
    jitter = [report.figures for report in reports]
    rows = [
        ("caller stopped → agent heard", _spread(turns)),
        ("barge-in → agent silent", _spread(stopped)),
        ("holes in the agent's speech", _spread(holes)),
        ("between the agent's frames", _worst([one.jitter_p50 for one in jitter], "p50", [one.jitter_max for one in jitter])),
        ("this switch's own lateness", _worst([one.late_p99 for one in jitter], "p99", [])),
    ]
    lines = [f"  {name:<32}{text}" for name, text in rows]
    lines += [f"  {_interruption(one)}" for one in heard]
    return "\n".join(lines)


def _interruption(one: Interruption) -> str:
    place = f"{one.kind.replace('_', '-')} at {one.seconds:.2f} s:"
    if one.silence is None:
        return f"{place} the agent was not speaking"
    after = "and said no more" if one.resumed is None else f"and was quiet for {one.resumed:.2f} s"
    return f"{place} the agent spoke {one.silence:.2f} s longer {after}"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "none"
    shown = [f"{name} {1000 * (measure.percentile(values, percent) or 0):.0f}" for name, percent in (("p50", 50), ("p95", 95))]
    return f"{len(values):3}   {'   '.join(shown)}   max {1000 * max(values):.0f} ms"


def _worst(values: Sequence[float | None], name: str, highest: Sequence[float | None]) -> str:
    """The worst call's percentile, and the worst of all."""
    known = [value for value in values if value is not None]
    if not known:
        return "none"
    top = [value for value in highest if value is not None]
    return f"      {name} {1000 * max(known):.1f}" + (f"   max {1000 * max(top):.1f}" if top else "") + " ms"
