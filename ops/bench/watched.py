"""A daemon that is watched from inside: the same daemon, with its record, its socket and its media counts looked over.

Run as a process; it answers calls at the address in its first line, and these questions, one a line on standard input, each
with a line of JSON: `begin` (forget what was measured), `report` (what was measured since), `state` (what the process holds
after a collection), `profile` (begin to profile), `profiled FILE` (write what was found).
"""

from __future__ import annotations

import cProfile
import gc
import json
import os
import sys
import threading
from typing import Any
from weakref import WeakKeyDictionary

import psutil  # type: ignore[import-untyped]
import trio

from agentd import daemon, limits
from agentd.actors.transport import MediaCounts
from agentd.call import Call
from agentd.http.socket import Socket
from agentd.messages import Logged, SpeechOnset, UtteranceEnded
from agentd.records import CallRecord
from agentd.settings import load

answers: list[float] = []
"""From the arrival of the frame that ended the caller's turn to the first audio of the reply on the wire."""

holds: list[float] = []
"""From the arrival of the frame that made the onset of a barge-in to the carrier's being told to drop what it holds."""

late: list[float] = []
"""How late each sending was."""

profiler = cProfile.Profile()


class Meter:
    """One call's: which command is waited for, and since which event."""

    def __init__(self) -> None:
        self.answer_since: float | None = None
        self.hold_since: float | None = None


_meters: WeakKeyDictionary[Any, Meter] = WeakKeyDictionary()


def _meter() -> Meter:
    """Record and socket of a call are made in one task."""
    return _meters.setdefault(trio.lowlevel.current_task(), Meter())


class WatchedRecord(CallRecord):
    """Sees every event with its commands, before they are carried out."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._meter = _meter()

    def write(self, entry: Logged) -> None:
        """See CallRecord."""
        match entry.event:
            case UtteranceEnded(decided_at=at) if any(command.startswith("think ") for command in entry.commands):
                self._meter.answer_since = at
            case SpeechOnset(at=at) if "hold" in entry.commands:
                self._meter.hold_since = at
        super().write(entry)


class WatchedSocket(Socket):
    """Sees when a message has been handed to the kernel."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._meter = _meter()

    async def send(self, data: str | bytes) -> None:
        """See Socket."""
        await super().send(data)
        meter = self._meter
        if isinstance(data, str):
            if meter.hold_since is not None:
                holds.append(trio.current_time() - meter.hold_since)
                meter.hold_since = None
        elif meter.answer_since is not None:
            answers.append(trio.current_time() - meter.answer_since)
            meter.answer_since = None


class WatchedCounts(MediaCounts):
    """Keeps every lateness."""

    def __init__(self, tell: Any) -> None:
        def note(seconds: float) -> None:
            late.append(seconds)
            tell(seconds)

        super().__init__(note)


def _state() -> dict[str, Any]:
    """What the process holds."""
    for _ in range(3):
        gc.collect()
    process = psutil.Process()
    kinds = [connection.status for connection in process.net_connections()]
    return {
        "rss": process.memory_info().rss,
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "descriptors": process.num_fds(),
        "sockets": len(kinds),
        "threads": threading.active_count(),
        "objects": len(gc.get_objects()),
        "live": sum(isinstance(thing, Call) for thing in gc.get_objects()),
    }


async def _answer_questions() -> None:
    """Until standard input ends. Cancelled: the question at hand is not answered."""
    async with trio.lowlevel.FdStream(os.dup(0)) as stream:
        async for line in stream:
            print(json.dumps(_answer(*line.decode().split())), flush=True)


def _ready(url: str) -> None:
    """As `agentd serve`: what was loaded is frozen."""
    gc.collect()
    gc.freeze()
    print(url, flush=True)


def _answer(question: str, argument: str = "") -> Any:
    match question:
        case "begin":
            for kept in (answers, holds, late):
                kept.clear()
        case "report":
            return {"answers": answers, "holds": holds, "late": late}
        case "state":
            return _state()
        case "profile":
            profiler.enable()
        case "profiled":
            profiler.disable()
            profiler.dump_stats(argument)
    return None


async def _run(flow: str) -> None:
    server = daemon.Daemon(load(None, os.environ, {"numbers": {"*": flow}, "server.port": 0}))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_answer_questions)
        await server.run(_ready)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    if window := float(os.environ.pop("BENCH_WINDOW_S", 0)):
        for name in ("REPLAY_S", "DECISIONS_S", "TOKEN_S"):
            setattr(limits, name, window)
    for name, watching in (("CallRecord", WatchedRecord), ("Socket", WatchedSocket), ("MediaCounts", WatchedCounts)):
        setattr(daemon, name, watching)
    trio.run(_run, sys.argv[1])
