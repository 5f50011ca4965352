"""A process of callers: `python -m ops.bench.load SPEC`, with SPEC as JSON. Prints "up", and at the end what it counted.

`url`, `secret`, `calls`, `rate`, `seconds`, and `plan`: talk (stub engines: short questions, every second answer barged into),
listen (stub engines: questions of 1.2 s, each answer of 3.2 s heard to its end), phrases (embedded engines: spoken questions),
echo (silence, to the bare echo server).
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ops.bench import stub, wire
from ops.bench.crowd import Act, Caller, Counts, Crowd

PHRASES = ("what-are-your-opening-hours", "where-are-you", "how-much-is-a-cleaning", "is-there-parking")


def main(spec: dict[str, Any]) -> dict[str, Any]:
    """Carry out the load."""
    counts, crowd = Counts(), Crowd()
    rate, plan = spec["rate"], spec["plan"]
    Caller.whole = frozenset({1, *(int(rate * seconds) + 1 for seconds in (stub.SHORT_S, stub.LONG_S))})
    silence = wire.silence(rate)
    for number in range(spec["calls"]):
        if plan == "echo":
            stream = wire.open_socket(spec["url"])
        else:
            url, metadata = wire.stream_of(wire.ask(spec["url"], spec["secret"], f"load-{spec['name']}-{number}"))
            stream = wire.open_socket(url)
            stream.send(wire.frame(wire.TEXT, metadata.encode()))
        crowd.add(Caller(stream, _acts(plan, rate, number), silence, counts, counted=plan in ("talk", "listen")))
    print("up", flush=True)
    end = time.perf_counter() + spec["seconds"]
    crowd.run(lambda now: now >= end)
    left = crowd.live
    crowd.close()
    late = sorted(counts.late) or [0.0]
    return asdict(counts) | {"late": {"p99": late[int(0.99 * len(late))], "max": late[-1]}, "left": left}


def _acts(plan: str, rate: int, number: int) -> Iterator[Act]:
    """A caller's plan, without end; the callers start a little apart from one another."""
    match plan:
        case "talk":
            more = wire.speech(rate, stub.MORE, 10)
            yield Act("quiet", more, 0.13 * (number % 25))
            while True:
                yield Act("began", wire.speech(rate, stub.MORE, 20), 0.8)
                yield Act("quiet", more)
        case "listen":
            more = wire.speech(rate, stub.MORE, 60)
            yield Act("quiet", more, 0.2 * (number % 25))
            while True:
                yield Act("quiet", more, 0.5)
        case "phrases":
            from agentd.simulate.audio import read_mono
            from agentd.simulate.scenario import UTTERANCES

            said = []
            for name in PHRASES:
                pcm = read_mono(UTTERANCES / f"{name}.wav", rate).tobytes()
                size = 2 * (rate // 50)
                said.append(
                    [wire.frame(wire.BINARY, pcm[at : at + size].ljust(size, b"\0")) for at in range(0, len(pcm), size)]
                )
            yield Act("quiet", said[number % 4], 0.37 * number)
            for frames in itertools.islice(itertools.cycle(said), number + 1, None):
                yield Act("quiet", frames, 0.5)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))), flush=True)
