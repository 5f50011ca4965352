"""What agentd itself costs: fifty calls on stub engines in one process, the callers in two others, over real sockets."""

from __future__ import annotations

import json
import pstats
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from ops.bench import process
from ops.bench.results import Report, ms, percentile, say, spread

RATE: Final = 16000
CALLS: Final = 50
SETTLE_S: Final = 6.0
MIB: Final = 1024 * 1024


def main(*, quick: bool) -> int:
    """All of it."""
    seconds, times = (8.0, 1) if quick else (25.0, 3)
    report = Report("overhead", "python -m ops.bench overhead" + (" --quick" if quick else ""))
    say(f"overhead: memory, then {times} × {seconds:.0f} s of {CALLS} calls and as long of a bare echo, in turn")
    _memory(report, quick=quick)
    _speed(report, seconds, times)
    return report.close()


def _memory(report: Report, *, quick: bool) -> None:
    """Resident memory as calls come in, 1 to 50, each in the middle of its conversation."""
    points, calls = [], 0
    steps = (1, 49) if quick else (1, 9, 15, 25)
    with process.watched(process.STUB_FLOW, 500, **_stubs()) as daemon:
        with loaded(daemon, 2, 10.0):  # what is made once, by the first calls
            pass
        with ExitStack() as stack:
            for place, more in enumerate(steps):
                stack.enter_context(loaded(daemon, more, 15.0 * (len(steps) - place) + 3.0))
                time.sleep(14.0)
                calls += more
                points.append((calls, daemon.ask("state")["rss"] / MIB))
    slope = (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0])
    report.add("memory per call, stub engines (RSS, 1 → 50 calls)", "≤ 0.5 MB", f"{slope:.3f} MB", slope <= 0.5)
    report.details["memory_mib"] = points


def _speed(report: Report, seconds: float, times: int) -> None:
    """Latencies, order, and CPU beside the echo's, all under the same callers."""
    measured: dict[str, list[float]] = {"answers": [], "holds": [], "late": []}
    costs: dict[str, list[float]] = {"talk": [], "listen": [], "echo": []}
    counts: list[dict[str, Any]] = []
    bare = process.Server(["-m", "ops.bench.echo"], {})
    with process.watched(process.STUB_FLOW, 500, **_stubs()) as daemon, bare as echo:
        for _ in range(times):
            for plan, server in (("talk", daemon), ("listen", daemon), ("echo", echo)):
                with loaded(server, CALLS, SETTLE_S + seconds + 2.0, plan) as load:
                    time.sleep(SETTLE_S)
                    if plan == "talk":
                        daemon.ask("begin")
                    costs[plan].append(_cpu(server, seconds))
                    for name, values in daemon.ask("report").items() if plan == "talk" else ():
                        measured[name] += values
                counts += load if plan != "echo" else []
            say("  CPU s per call-minute: " + ", ".join(f"{plan} {cost[-1]:.3f}" for plan, cost in costs.items()))
        report.details["latencies at"] = {calls: _latencies(daemon, calls) for calls in (10, 25)}
        report.details["profile"] = _profile(daemon)
    _judge(report, measured, costs, counts)


def _judge(
    report: Report, measured: dict[str, list[float]], costs: dict[str, list[float]], counts: list[dict[str, Any]]
) -> None:
    for name, what in (("answers", "end of the caller's turn → first audio sent"), ("holds", "barge-in's onset → clear sent")):
        worst = percentile(measured[name], 99)
        words = f"{ms(worst)} p99, {ms(percentile(measured[name], 50))} p50, {len(measured[name])} times"
        report.add(f"{what}, {CALLS} calls", "≤ 10 ms p99", words, worst <= 0.01)
    worst = percentile(measured["late"], 99)
    words = f"{ms(worst)} p99, {len(measured['late'])} sendings"
    report.add(f"outbound frames late, {CALLS} calls", "< 20 ms p99", words, worst < 0.02)
    wrong, audio = (sum(one[name] for one in counts for name in names) for names in (("lost", "disordered"), ("audio",)))
    report.add("outbound messages lost or out of order", "none", f"{wrong} of {audio}", wrong == 0)
    for plan, what in (("listen", "answers heard to their end"), ("talk", "every second answer barged into")):
        ratio = percentile([ours / bare for ours, bare in zip(costs[plan], costs["echo"], strict=True)], 50)
        words = f"{ratio:.2f} ({percentile(costs[plan], 50):.2f} s ÷ {percentile(costs['echo'], 50):.2f} s)"
        report.add(f"CPU per call-minute ÷ a bare echo's, {CALLS} calls, {what}", "≤ 1.5", words, ratio <= 1.5)
    report.details |= {name: spread(values) for name, values in measured.items()}
    report.details["cpu_s_per_call_minute"] = costs
    report.details["callers"] = [{key: one[key] for key in ("stalled", "late", "closed_early", "left")} for one in counts]


def _latencies(daemon: process.Server, calls: int) -> dict[str, Any]:
    """With fewer calls."""
    with loaded(daemon, calls, SETTLE_S + 12.0):
        time.sleep(SETTLE_S)
        daemon.ask("begin")
        time.sleep(10.0)
        return {name: spread(values) for name, values in daemon.ask("report").items()}


def _stubs() -> dict[str, str]:
    """Settings without their prefix."""
    return {key.removeprefix("AGENTD_"): value for key, value in process.STUBS.items()} | {"CALLS_RECORDING": "off"}


@contextmanager
def loaded(server: process.Server, calls: int, seconds: float, plan: str = "talk") -> Iterator[list[dict[str, Any]]]:
    """Callers in two processes; at the end they hang up, and what they counted is in the list."""
    counts: list[dict[str, Any]] = []
    shares = [share for share in (calls - calls // 2, calls // 2) if share]
    processes = []
    for number, share in enumerate(shares):
        spec = {"url": server.url, "secret": server.secret, "calls": share, "rate": RATE, "seconds": seconds, "plan": plan,
                "name": f"{time.monotonic_ns()}-{number}"}  # fmt: skip
        command = [sys.executable, "-m", "ops.bench.load", json.dumps(spec)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    try:
        for one in processes:
            assert one.stdout is not None
            if one.stdout.readline().strip() != "up":
                raise SystemExit("the callers did not get through")
        yield counts
        for one in processes:
            assert one.stdout is not None
            counts.append(json.loads(one.stdout.readline()))
    finally:
        for one in processes:
            one.kill()
            one.wait()


def _cpu(server: process.Server, seconds: float) -> float:
    """CPU seconds per call-minute over so long."""
    began, used = time.perf_counter(), server.cpu
    time.sleep(seconds)
    return (server.cpu - used) / ((time.perf_counter() - began) / 60 * CALLS)


def _profile(daemon: process.Server) -> list[str]:
    """Where the time goes: the dearest functions by their own time, in per cent of all."""
    path = daemon.folder / "profile"
    with loaded(daemon, CALLS, SETTLE_S + 8.0):
        time.sleep(SETTLE_S)
        daemon.ask("profile")
        time.sleep(6.0)
        daemon.ask(f"profiled {path}")
    stats: dict[Any, Any] = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
    idle = [key for key in stats if "epoll" in key[2] or key[2] == "sleep"]
    total = sum(stats[key][2] for key in stats if key not in idle)
    dear = sorted((key for key in stats if key not in idle), key=lambda key: -stats[key][2])[:40]
    return [
        f"{100 * stats[key][2] / total:.1f} % {'/'.join(key[0].split('/')[-2:])}:{key[1]} {key[2]} × {stats[key][0]}"
        for key in dear
    ]
