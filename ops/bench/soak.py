"""What stays behind when calls are over: thousands of short calls on stub engines, over loopback, with every kind of end.

They come in batches; after each batch, when all calls are over, the daemon collects its garbage and tells what it holds. It
keeps some things on purpose and for a time: what was answered to a webhook (against replays), what a call decided. In this
measurement that time is short, so that the store is full long before call 1,000 and only what leaks grows.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from ops.bench import process, stub, wire
from ops.bench.crowd import Act, Caller, Counts, Crowd
from ops.bench.results import Report, say

RATE: Final = 8000
ABREAST: Final = 60
WINDOW_S: Final = 20.0
"""For replays, decisions and tokens; in production 300, 3600 and 60."""

KIB: Final = 1024
FIRST: Final = 1000
"""Calls before the slope: caches and the allocator's pools are filled by then."""


def main(*, quick: bool) -> int:
    """Place the calls and look."""
    batches, size = (6, 60) if quick else (29, 200)
    report = Report("soak", "python -m ops.bench soak" + (" --quick" if quick else ""))
    settings = {
        "BENCH_WINDOW_S": str(WINDOW_S),
        **process.STUBS,
        "AGENTD_CALLS_RECORDING": "on",
        "AGENTD_SAUTIKIT_RATE": "8000",
    }
    settings["AGENTD_CALLS_LIMIT"] = "500"
    ends: Counter[str] = Counter()
    with process.Server(["-m", "ops.bench.watched", process.STUB_FLOW], settings) as daemon:
        before = daemon.ask("state")
        points = []
        for _ in range(batches):
            _batch(daemon, size, ends)
            points.append({"calls": _calls(ends), **_settled(daemon)})
            say(f"  {_calls(ends)} calls: {points[-1]['rss'] / KIB:.0f} KiB, {points[-1]['objects']} objects")
            shutil.rmtree(daemon.calls, ignore_errors=True)
    _judge(report, before, points, FIRST if not quick else 60)
    report.details |= {"ends": dict(ends), "before": before, "points": points}
    return report.close()


def _judge(report: Report, before: dict[str, int], points: Sequence[dict[str, int]], first: int) -> None:
    late = [(point["calls"], point["rss"] / KIB) for point in points if point["calls"] >= first]
    slope = _slope(late)
    report.add(f"RSS slope, calls {late[0][0]}–{late[-1][0]}, after a collection", "≤ 1 KiB a call", f"{slope:.3f} KiB a call",
               slope <= 1.0)  # fmt: skip
    last, settled = points[-1], points[0]
    for what in ("tasks", "sockets", "descriptors", "threads"):
        # Threads that wait for work stay for ten seconds, and a pool of one is made by the first call.
        start = before[what] if what != "threads" else max(before[what], settled[what])
        report.add(f"{what} after {last['calls']} calls", f"back to {start}", str(last[what]), last[what] <= start)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """The least-squares line's."""
    x, y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    rise: float = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
    return rise


def _calls(ends: Counter[str]) -> int:
    """How many were let in."""
    return sum(count for kind, count in ends.items() if not kind.startswith(("refused", "told")))


def _settled(daemon: process.Server) -> dict[str, int]:
    """What the daemon holds once its last call is wholly over, or ten seconds later."""
    for _ in range(20):
        time.sleep(0.5)
        state: dict[str, int] = daemon.ask("state")
        if state["live"] == 0:
            break
    return state


def _batch(daemon: process.Server, size: int, ends: Counter[str]) -> None:
    """So many calls, some of them at a time, to their end; each asks the webhook again as a switch does."""
    crowd, counts = Crowd(), Counts()
    waiting = itertools.islice(itertools.cycle(ENDS.items()), size)
    silence = wire.silence(RATE)
    called: list[str] = []

    def more(now: float) -> bool:
        """Keep the crowd at its size; true when nobody is left to come."""
        while crowd.live < ABREAST:
            kind, plan = next(waiting, ("", None))
            if plan is None:
                return crowd.live == 0
            ends[kind] += 1
            call_id = f"soak-{time.monotonic_ns()}"
            stream = plan.open(daemon, call_id)
            if stream is not None:
                called.append(call_id)
                crowd.add(Caller(stream, plan.acts(), silence, counts, counted=False))
        return False

    more(0.0)
    crowd.run(more)
    crowd.close()
    for call_id in called:
        document = wire.ask(daemon.url, daemon.secret, call_id)
        ends["told to dial"] += "<Dial" in document
        ends["told to hang up"] += "<Hangup" in document and "<Dial" not in document


# ── Ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Plan:
    """How a call comes in, and what its caller does."""

    def __init__(self, acts: Callable[[], Iterator[Act]] = lambda: iter(()), wrong: str = "") -> None:
        self.acts, self._wrong = acts, wrong

    def open(self, daemon: process.Server, call_id: str) -> Any:
        """The media socket, or None where there is none to be had, as was expected."""
        try:
            secret = "not the secret" if self._wrong == "secret" else daemon.secret
            url, metadata = wire.stream_of(wire.ask(daemon.url, secret, call_id)) if self._wrong != "token" else (
                daemon.url + "/sautikit/media/no-token", "")  # fmt: skip
            stream = wire.open_socket(url)
        except wire.Refused:
            assert self._wrong, "a call was refused"
            return None
        assert not self._wrong, "a call was let in"
        stream.send(wire.frame(wire.TEXT, metadata.encode()))
        return stream


def _hang_up(*acts: Act, when: Any = "now", after: float = 0.0, rude: bool = False) -> Plan:
    return Plan(lambda: iter((*acts, Act(when, None, after, rude))))


def _say(word: int, when: Any = "quiet", after: float = 0.0, frames: int = 8) -> Act:
    return Act(when, wire.speech(RATE, word, frames), after)


ENDS: Final = {
    "goodbye": Plan(lambda: iter((_say(stub.GOODBYE),))),
    "transferred": Plan(lambda: iter((_say(stub.PERSON),))),
    "hangup connecting": _hang_up(),
    "hangup greeting": _hang_up(when="began"),
    "hangup listening": _hang_up(when="quiet"),
    "hangup while the caller speaks": _hang_up(_say(stub.MORE)),
    "hangup deliberating": _hang_up(_say(stub.MORE), after=0.68),
    "hangup speaking": _hang_up(_say(stub.MORE), when="began", after=0.3),
    "hangup yielding": _hang_up(_say(stub.MORE), _say(stub.COUGH, "began", 0.4, 14), after=0.02),
    "hangup after a barge-in": _hang_up(_say(stub.MORE), _say(stub.MORE, "began", 0.4, 20), when="began", after=0.2),
    "goodbye, over the answer": Plan(lambda: iter((_say(stub.MORE), _say(stub.GOODBYE, "began", 0.4, 20)))),
    "hangup closing": _hang_up(_say(stub.GOODBYE), when="began"),
    "socket lost": _hang_up(_say(stub.MORE), when="began", after=0.2, rude=True),
    "refused: no signature of ours": Plan(wrong="secret"),
    "refused: no token": Plan(wrong="token"),
}
