"""Interrupting the agent: how soon it is silent when it is spoken to, and what a cough, a noise or an "uh-huh" costs it.

Embedded engines, real sockets, the simulated switch; all calls of a part run at the same time. A false barge-in is judged at
the loudspeaker, sample by sample: what was played is laid beside the same answer as it was played before, undisturbed.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import trio

from agentd.simulate.alignment import missing_samples
from agentd.simulate.audio import read_mono, resample, write_wav
from agentd.simulate.call import place_call
from agentd.simulate.report import CallReport
from agentd.simulate.scenario import UTTERANCES, HangUp, Interject, Say, Scenario, Wait
from ops.bench import process, taped
from ops.bench.results import Report, ms, percentile, say, spread
from telemetry import names

ONSET_S: Final = 0.2
"""`Listen.onset_speaking`."""

ALLOWED_S: Final = 0.08
SPEAKER_S: Final = 0.02
"""What killAudio may take on top: the switch's own tick."""

HELD_S: Final = 0.32
"""Lead and prebuffer of a 16 kHz stream on an 8 kHz leg, 160 ms each: what goes on sounding where nothing can be cleared."""

JAMBONZ: Final = {"SAUTIKIT_DIALECT": "jambonz", "SAUTIKIT_RATE": "16000", "SAUTIKIT_LEG_RATE": "16000"}
PLAIN: Final = {"SAUTIKIT_DIALECT": "sautikit", "SAUTIKIT_RATE": "16000", "SAUTIKIT_LEG_RATE": "8000"}
NARROW: Final = {"SAUTIKIT_DIALECT": "sautikit", "SAUTIKIT_RATE": "8000", "SAUTIKIT_LEG_RATE": "8000"}

QUESTIONS: Final = tuple(
    UTTERANCES / f"{name}.wav"
    for name in ("what-are-your-opening-hours", "how-much-is-a-cleaning", "where-are-you", "rms-what-are-your-opening-hours",
                 "is-there-parking", "awb-how-much-is-a-cleaning")
)  # fmt: skip
ASKED: Final = tuple(UTTERANCES / f"{name}.wav" for name in ("what-are-your-opening-hours", "how-much-is-a-cleaning"))
"""For false barge-ins: the two longest answers, in turn."""


def main(*, quick: bool) -> int:
    """Both parts."""
    report = Report("barge-in", "python -m ops.bench barge-in" + (" --quick" if quick else ""))
    real, false, calls = (4, 6, 1) if quick else (32, 28, 2)
    say(f"barge-in: {real} with words in each of two dialects, then {2 * calls * false} false ones in {2 * calls} calls")
    with process.daemon(**JAMBONZ) as clears, process.daemon(**PLAIN) as holds:
        for daemon, kind in zip((clears, holds), trio.run(_interrupt, clears, holds, real), strict=True):
            _judge_real(report, daemon, kind, held=daemon is holds)
    with tempfile.TemporaryDirectory() as place:
        _false(report, Path(place), false, calls, quick=quick)
    return report.close()


def _false(report: Report, tapes: Path, false: int, calls: int, *, quick: bool) -> None:
    """The second part; every answer is played from tape."""
    settings = {"ENGINES_VOICE": "ops.bench.taped:voice"}
    os.environ[taped.FOLDER] = str(tapes)
    with process.daemon(**JAMBONZ, **settings) as clears, process.daemon(**NARROW, **settings) as holds:
        noises = _noises(tapes)
        reports = trio.run(_disturb, [clears, holds] * calls, noises, false)
        _judge_false(report, [clears, holds], reports, tapes, quick=quick)


# ── With words ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def _interrupt(clears: process.Server, holds: process.Server, count: int) -> list[CallReport]:
    """Each question interrupts the answer to the one before, 0.3 to 1.8 s into it."""
    steps: list[Any] = [Wait(0.7, 20), Say(QUESTIONS[-1])]
    for number, file in zip(range(count), itertools.cycle(QUESTIONS)):
        steps.append(Interject("barge_in", file, 0.3 + 0.1 * (number * 7 % 16)))
    end = (Wait(1.0, 20), HangUp())
    wide = Scenario("barge-in", (*steps, *end), dialect="jambonz", leg_rate=16000)
    return await _place([(wide, clears), (Scenario("barge-in", (*steps, *end)), holds)])


async def _place(calls: Sequence[tuple[Scenario, process.Server]]) -> list[CallReport]:
    """Place the calls side by side, a second apart."""
    reports: dict[int, CallReport] = {}

    async def place(number: int, scenario: Scenario, daemon: process.Server) -> None:
        await trio.sleep(number)
        reports[number] = await place_call(
            scenario, base_url=daemon.url, secret=daemon.secret, out=None, show=lambda text: None
        )
        say(
            f"  call {number + 1}: {reports[number].outcome}, {reports[number].seconds:.0f} s {' '.join(reports[number].notes)}"
        )

    async with trio.open_nursery() as nursery:
        for number, (scenario, daemon) in enumerate(calls):
            nursery.start_soon(place, number, scenario, daemon)
    return [reports[number] for number in sorted(reports)]


def _judge_real(report: Report, daemon: process.Server, call: CallReport, *, held: bool) -> None:
    name = "without killAudio (16 kHz on an 8 kHz leg)" if held else "with killAudio (16 kHz leg)"
    events = list(_events(daemon.calls))
    wire = [event["attributes"][names.LAST_SAMPLE] for event in events if names.LAST_SAMPLE in event["attributes"]]
    heard = [one.silence for one in call.figures.interruptions if one.kind == "barge_in" and one.silence is not None]
    confirmed = sum(event["name"] == names.CONFIRMED for event in events)
    limit = ONSET_S + ALLOWED_S
    worst = percentile(wire, 95)
    report.add(f"barge-in → last sample on the wire, {name}", f"≤ {ms(limit)} p95", f"{ms(worst)} p95, {len(wire)} times",
               worst <= limit)  # fmt: skip
    limit += HELD_S if held else SPEAKER_S
    worst = percentile(heard, 95)
    report.add(f"barge-in → silence at the loudspeaker, {name}", f"≤ {ms(limit)} p95", f"{ms(worst)} p95, {len(heard)} times",
               worst <= limit)  # fmt: skip
    report.details[name] = {
        "wire": spread(wire), "loudspeaker": spread(heard), "confirmed": confirmed, "notes": call.notes, "outcome": call.why,
        "not speaking": sum(one.silence is None for one in call.figures.interruptions),
    }  # fmt: skip


def _events(calls: Path) -> Iterator[dict[str, Any]]:
    """All barge-in events of a daemon's calls."""
    for path in calls.glob("*/spans.jsonl"):
        for line in path.read_text().splitlines():
            yield from (event for event in json.loads(line)["events"] if event["name"].startswith("barge_in."))


# ── Without words ────────────────────────────────────────────────────────────────────────────────────────────────────


def _noises(place: Path) -> list[tuple[str, Path]]:
    """(kind, file): coughs and uh-huhs of several throats, a hum, a laugh of sorts, a slammed door and a rustle."""
    rate = 16000
    random = np.random.default_rng(7)
    fade = np.exp(-np.arange(rate // 2) / (rate / 12))
    tone = np.arange(int(0.4 * rate)) * 2 * np.pi * 130 / rate
    hum = np.sum([np.sin(n * tone) / n for n in range(1, 12)], axis=0)
    sounds = {
        "hum": 3000 * hum,
        "laugh": np.concatenate([np.concatenate((5000 * hum[: rate // 8], np.zeros(rate // 16))) for _ in range(3)]),
        "door": (random.normal(0, 9000, rate // 2) * fade).clip(-32000, 32000),
        "rustle": random.normal(0, 2500, int(0.6 * rate)),
    }
    for name in ("cough", "uh-huh", "rms-uh-huh"):
        sound = read_mono(UTTERANCES / f"{name}.wav", rate)
        sounds |= {name: sound, f"deep {name}": resample(sound, 8000, 10000), f"high {name}": resample(sound, 10000, 8000)}
    for name, samples in sounds.items():
        write_wav(place / f"{name}.wav", rate, samples.astype(np.int16))
    return [("uh_huh" if "uh-huh" in name else "cough", place / f"{name}.wav") for name in sounds]


async def _disturb(daemons: Sequence[process.Server], noises: Sequence[tuple[str, Path]], count: int) -> list[CallReport]:
    """A noise 0.3 to 1.9 s into each answer."""
    calls = []
    for place, daemon in enumerate(daemons):
        steps: list[Any] = [Wait(0.7, 20)]
        for number in range(count):
            kind, file = noises[(number + place * 4) % len(noises)]
            steps += [Say(ASKED[number % 2]), Interject(kind, file, 0.3 + 0.1 * ((number * 5 + place) % 17)), Wait(1.6, 20)]
        wide = place % 2 == 0
        calls.append(
            (Scenario("false", (*steps, HangUp()), dialect="jambonz" if wide else "sautikit", leg_rate=16000 if wide else 8000),
             daemon)
        )  # fmt: skip
    return await _place(calls)


def _judge_false(
    report: Report, daemons: Sequence[process.Server], calls: Sequence[CallReport], tapes: Path, *, quick: bool
) -> None:
    events = [event["name"] for daemon in daemons for event in _events(daemon.calls)]
    suspected, confirmed = events.count(names.SUSPECTED), events.count(names.CONFIRMED)
    answers, longest = _answers(tapes, daemons, calls)
    missing, repeated = sum(one["missing"] > 0 for one in answers), max(one["repeated_s"] for one in answers)
    report.add("false barge-ins: confirmed", "none of ≥ 100", f"{confirmed} of {len(answers)} ({suspected} suspected)",
               confirmed == 0 and (quick or len(answers) >= 100))  # fmt: skip
    report.add("false barge-ins: answers with a sample missing", "0", f"{missing} of {len(answers)}", missing == 0)
    report.add("false barge-ins: most that was played again", f"one word (the longest takes {ms(longest)})", ms(repeated),
               repeated <= longest)  # fmt: skip
    report.details["false"] = {"answers": answers, "calls": [(call.why, call.notes) for call in calls]}


def _answers(tapes: Path, daemons: Sequence[process.Server], calls: Sequence[CallReport]) -> tuple[list[dict[str, Any]], float]:
    """Each disturbed answer against what the voice had made of its text; and the longest word of all, in seconds."""
    found, longest = [], 0.0
    for number, call in enumerate(calls):
        folder = sorted(path.parent for path in daemons[number % 2].calls.glob("*/transcript.jsonl"))[number // 2]
        lines = [json.loads(line) for line in (folder / "transcript.jsonl").read_text().splitlines()]
        for answer, words in _call_answers(call, lines, tapes):
            found.append(answer)
            longest = max(longest, words)
    return found, longest


def _call_answers(call: CallReport, lines: Sequence[dict[str, Any]], tapes: Path) -> Iterator[tuple[dict[str, Any], float]]:
    """One call's; a sound at the loudspeaker belongs to the caller's line at about the same time."""
    rate, agent = call.recording.rate, call.recording.agent
    for asked, noise, following in zip(call.sounds, call.sounds[1:], [*call.sounds[2:], None], strict=False):
        if asked.kind != "say" or noise.kind == "say":
            continue
        said = min((line for line in lines if line["who"] == "caller"), key=lambda line: abs(line["at"] - asked.start / rate))
        texts = [line["text"] for line in lines if line["who"] == "agent" and line["turn"] == said["turn"]]
        files = [taped.tape(tapes, text, rate) for text in texts]
        reference = np.frombuffer(b"".join(file.read_bytes() for file in files), dtype="<i2")
        result = missing_samples(reference, agent[asked.end : following.start if following else None])
        answer = {"noise": noise.words, "at_s": round((noise.start - asked.end) / rate, 2), "missing": result.missing,
                  "repeated_s": round(result.repeated / rate, 3), "pieces": result.pieces, "heard": said["text"]}  # fmt: skip
        yield answer, max(json.loads(file.with_suffix(".json").read_text()) for file in files) / rate
