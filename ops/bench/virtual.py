"""A scripted call of five minutes in virtual time: the call of tests/calls/test_five_minutes.py, timed a few times."""

from __future__ import annotations

from typing import Final

import trio
import trio.testing

from ops.bench.results import Report, percentile, say
from tests.calls import test_five_minutes

TARGET_S: Final = 3.0


def main(*, quick: bool) -> int:
    """Hold the call a few times."""
    times = 1 if quick else 5
    report = Report("virtual", "python -m ops.bench virtual" + (" --quick" if quick else ""))
    say(f"virtual: five minutes, {times} times")
    runs = [trio.run(test_five_minutes.talk, 5.0, clock=trio.testing.MockClock(autojump_threshold=0)) for _ in range(times)]
    wall, cpu = (percentile([run[place] for run in runs], 50) for place in (0, 1))
    measured = f"{wall:.2f} s, {cpu:.2f} s of CPU (medians of {times}; {runs[0][2]} turns)"
    report.add("a scripted five-minute call in virtual time, 20 ms frames", f"≤ {TARGET_S:g} s", measured, wall <= TARGET_S)
    report.details["seconds, CPU seconds, turns"] = runs
    return report.close()
