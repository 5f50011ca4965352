"""One simulated call, whole: line, caller and switch in one nursery, and the report of what came of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import trio

from agentd.simulate.audio import Samples, active_rms, read_mono, write_wav
from agentd.simulate.caller import Caller
from agentd.simulate.errors import Broke, Refused
from agentd.simulate.line import Line
from agentd.simulate.media import Settings
from agentd.simulate.noise import background
from agentd.simulate.report import CallReport, figures
from agentd.simulate.scenario import UTTERANCES, Interject, Say, Scenario
from agentd.simulate.switch import Switch
from agentd.simulate.webhook import Webhook

VOICE_PATH = "/sautikit/voice"


async def place_call(
    scenario: Scenario, *, base_url: str, secret: str, out: Path | None, show: Callable[[str], None]
) -> CallReport:
    """Ring the daemon at `base_url`, follow the scenario to the call's end, and measure it.

    What happens is told to `show` line by line; with `out`, `caller.wav` (caller left, agent right, as at the loudspeaker)
    and `report.json` are written there. The daemon's misdeeds are in the report; raises SimulationError only where a file
    cannot be read. Cancelled: the media socket is dropped and nothing is written.
    """
    line = Line(scenario.leg_rate, _noise(scenario), show)
    call_id = f"sim-{uuid.uuid4()}"
    webhook = Webhook(call_id, scenario.caller, scenario.callee, secret)
    switch = Switch(line, webhook, Settings(scenario.dialect, scenario.subprotocol, scenario.channels), scenario.dial)
    caller = Caller(scenario, line, switch.press)
    outcome, why = await _run(line, switch, caller, base_url.rstrip("/") + VOICE_PATH)
    recording = line.loudspeaker.recording()
    traffic = switch.traffic
    report = CallReport(
        scenario=scenario.name,
        call_id=call_id,
        outcome=outcome,
        why=why,
        seconds=len(recording.agent) / line.rate,
        streams=switch.streams,
        dialled=switch.dialled,
        said=tuple(switch.said),
        sounds=tuple(caller.sounds),
        steps_done=caller.steps_done,
        steps=len(scenario.steps),
        notes=tuple(caller.notes),
        lost=traffic.lost,
        ignored=traffic.ignored,
        figures=figures(recording, caller.sounds, [at for at, _ in traffic.arrivals], line.lateness),
        recording=recording,
    )
    if out is not None:
        _write(report, out)
    return report


async def _run(line: Line, switch: Switch, caller: Caller, url: str) -> tuple[str, str]:
    """Carry out the call; answers outcome and reason."""
    outcome, why = "completed", ""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.run)
        nursery.start_soon(caller.run)
        try:
            await switch.run(url)
        except Refused as refusal:
            outcome, why = "refused", str(refusal)
        except Broke as broke:
            outcome, why = "broken", str(broke)
        nursery.cancel_scope.cancel()
    if outcome == "completed" and switch.traffic.broken:
        return "broken", "; ".join(switch.traffic.broken)
    return outcome, why or switch.ended


def _noise(scenario: Scenario) -> Samples | None:
    """The scenario's noise, measured against its own speech."""
    noise = scenario.noise
    if noise is None:
        return None
    files = {step.file for step in scenario.steps if isinstance(step, Say | Interject)} or {UTTERANCES / "hello.wav"}
    levels = [active_rms(read_mono(file, scenario.leg_rate), scenario.leg_rate) for file in files]
    utterances = [path for path in UTTERANCES.glob("*.wav") if path.stem != "cough"]
    return background(noise.kind, noise.db, scenario.leg_rate, sum(levels) / len(levels), utterances, noise.file)


def _write(report: CallReport, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    recording = report.recording
    write_wav(out / "caller.wav", recording.rate, recording.microphone, recording.agent)
    text = json.dumps(report.as_json(), indent=2, ensure_ascii=False)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
