"""How many calls a core carries with the embedded engines: CPU, lateness, and holes in the agent's speech."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from typing import Final

from ops.bench import process
from ops.bench.overhead import loaded
from ops.bench.results import Report, percentile, say
from telemetry import names

CALLS: Final = (1, 5, 10, 15)
SETTLE_S: Final = 12.0


def main(*, quick: bool) -> int:
    """Ever more calls, each asking one question after another."""
    seconds = 8.0 if quick else 30.0
    report = Report("density", "python -m ops.bench density" + (" --quick" if quick else ""))
    say(f"density: {', '.join(map(str, CALLS))} calls of {seconds:.0f} s with the embedded engines")
    rows = []
    for calls in CALLS[:2] if quick else CALLS:
        with process.watched("receptionist", 500, CALLS_RECORDING="off", SAUTIKIT_RATE="16000") as daemon:
            with loaded(daemon, calls, SETTLE_S + seconds + 3.0, plan="phrases"):
                time.sleep(SETTLE_S)
                daemon.ask("begin")
                began, used = time.perf_counter(), daemon.cpu
                time.sleep(seconds)
                cpu, took = daemon.cpu - used, time.perf_counter() - began
                measured = daemon.ask("report")
            time.sleep(3.0)
            transcripts = list(daemon.calls.glob("*/transcript.jsonl"))
            said = [json.loads(line) for path in transcripts for line in path.read_text().splitlines()]
            row = {
                "calls": calls, "cpu_s_per_call_minute": cpu / (took / 60 * calls), "cores": cpu / took,
                "holes": _holes(daemon), "late_p99_ms": 1000 * percentile(measured["late"] or [0.0], 99),
                "answer_p95_ms": 1000 * percentile(measured["answers"] or [0.0], 95),
                "turns": sum(line["who"] == "caller" for line in said), "rss_mb": daemon.rss / 1e6,
            }  # fmt: skip
            rows.append(row)
            report.add(f"{calls} calls with embedded engines", "report", _words(row), None)
    cost = rows[-1]["cpu_s_per_call_minute"] / 60
    report.add("calls per core, embedded engines", "report", f"{1 / cost:.0f} by CPU time, at {rows[-1]['calls']} calls", None)
    whole = [row["calls"] for row in rows if not row["holes"]]
    first = next((row["calls"] for row in rows if row["holes"]), None)
    report.add("where holes start", "report", f"at {first} calls" if first else f"none up to {max(whole)} calls", None)
    report.details["rows"] = rows
    return report.close()


def _words(row: dict[str, float]) -> str:
    return (
        f"{row['cpu_s_per_call_minute']:.1f} CPU s per call-minute, {row['cores']:.2f} cores busy, {row['holes']} holes, "
        f"frames {row['late_p99_ms']:.0f} ms late p99, end of turn → audio {row['answer_p95_ms']:.0f} ms p95"
    )


def _holes(daemon: process.Server) -> int:
    """Times that the agent's audio ran dry in the middle of a sentence, in all calls that are over."""
    with urllib.request.urlopen(f"{daemon.url}/metrics") as answer:
        found = re.search(rf"^{names.M_HOLES}(?:_total)? ([\d.]+)", answer.read().decode(), re.MULTILINE)
    return int(float(found[1])) if found else 0
