"""How long the caller waits for an answer: one long call with the embedded engines, measured on its recording alone."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import trio

from agentd.simulate.audio import read_wav
from agentd.simulate.call import place_call
from agentd.simulate.measure import measure_recording
from agentd.simulate.scenario import UTTERANCES, HangUp, Say, Scenario, Silence, Wait
from ops.bench import process
from ops.bench.results import Report, ms, percentile, say, spread

ALLOWED_S = 0.08
"""Above the endpointing delay: the recognizer's last words, the thinker, the voice and the loop."""

QUESTIONS = (
    "is-there-parking", "where-are-you", "how-much-is-a-cleaning", "awb-where-are-you", "awb-how-much-is-a-cleaning",
)  # fmt: skip
"""Each has a short answer, and none is the same as the one before: a reply that repeats itself would end the call."""


def main(*, quick: bool) -> int:
    """Place the call and measure it."""
    count = 10 if quick else 64
    report = Report("turns", "python -m ops.bench turns" + (" --quick" if quick else ""))
    say(f"turns: one call of {count} questions, in real time (about {count * 6.5 / 60:.0f} min)")
    with process.daemon(CALLS_RECORDING="on") as daemon:
        called = trio.run(_call, _scenario(count), daemon.url, daemon.secret)
        folder = next(daemon.calls.iterdir())
        pairs = _pairs(folder)
        report.details |= {
            "call": json.loads((folder / "call.json").read_text()) | {"id": ""},
            "caller's notes": called.notes,
            "the simulator's own ticks late, p99": ms(called.figures.late_p99),
            "turns": [{"delay": delay, "gap": round(gap, 4), "words": words} for delay, gap, words in pairs],
        }
    over = [gap - delay for delay, gap, _ in pairs]
    worst = percentile(over, 95)
    report.details |= {"over the delay": spread(over), "gap": spread([gap for _, gap, _ in pairs])}
    target = f"≤ {1000 * ALLOWED_S:.0f} ms p95, ≥ 60 turns"
    measured = f"{ms(worst)} p95, {ms(percentile(over, 50))} p50, {len(pairs)} turns"
    report.add(
        "gap − endpointing delay, recording.wav alone", target, measured, worst <= ALLOWED_S and (quick or len(pairs) >= 60)
    )
    return report.close()


def _scenario(count: int) -> Scenario:
    steps: list[Any] = [Wait(0.7, 20)]
    for name in itertools.islice(itertools.cycle(QUESTIONS), count):
        steps += [Say(UTTERANCES / f"{name}.wav"), Wait(0.6, 12)]
    return Scenario("turns", (*steps, Say(UTTERANCES / "goodbye.wav"), Silence(4), HangUp()))


async def _call(scenario: Scenario, url: str, secret: str) -> Any:
    return await place_call(scenario, base_url=url, secret=secret, out=None, show=lambda text: None)


def _pairs(folder: Path) -> list[tuple[float, float, str]]:
    """(delay, gap, words) of each turn: gaps from the recording, the delay of the caller's line that was spoken before each."""
    _, rate = read_wav(folder / "recording.wav")
    lines = [json.loads(line) for line in (folder / "transcript.jsonl").read_text().splitlines()]
    said = [line for line in lines if line["who"] == "caller"]
    pairs = []
    for turn in measure_recording(folder / "recording.wav"):
        before = [line for line in said if line["at"] < turn.end / rate + 0.1]
        if before:
            pairs.append((before[-1]["delay"], turn.gap, before[-1]["text"]))
    return pairs
