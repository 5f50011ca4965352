"""Callers for load: each follows a plan on its own 20 ms clock, and checks that the agent's samples come whole and in order."""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ops.bench import wire

QUIET_S = 0.5
"""The agent has finished when it has sent nothing for so long: more than its lead."""


@dataclass(frozen=True, slots=True)
class Act:
    """What a caller does next: say `frames`, or hang up where there are none.

    `when`: so many seconds (`after`) after the last act (now), after the agent began to speak since then (began), or after it
    was quiet again (quiet).
    """

    when: Literal["now", "began", "quiet"]
    frames: Sequence[bytes] | None
    after: float = 0.0
    rude: bool = False
    """Hang up without a word: the socket just goes."""


@dataclass(slots=True)
class Counts:
    """What went over all sockets. `lost` and `disordered` messages: the agent's samples did not follow on the ones before."""

    sent: int = 0
    stalled: int = 0
    audio: int = 0
    samples: int = 0
    lost: int = 0
    disordered: int = 0
    begun: int = 0
    cut: int = 0
    spoken: int = 0
    closed_early: int = 0
    late: list[float] = field(default_factory=list)


class Caller:
    """One call. `counted`: the agent's samples count themselves (see stub.py)."""

    def __init__(self, stream: socket.socket, acts: Iterator[Act], silence: bytes, counts: Counts, *, counted: bool) -> None:
        self.stream, self._acts, self._silence, self._counts, self._counted = stream, acts, silence, counts, counted
        self._inbox = wire.Inbox()
        self._saying: deque[bytes] = deque()
        self._rest = b""
        self._expected = 1
        self.due = 0.0
        self.over = False
        self._begun: float | None = None
        self._last: float | None = None
        self._since = 0.0
        self._act = next(acts, None)

    def tick(self, now: float) -> None:
        """Send 20 ms, and do what the plan says."""
        self._counts.late.append(now - self.due)
        self._since = self._since or now
        if self._saying:
            self._send(self._saying.popleft())
            self._since = now
        else:
            self._send(self._silence)
            if self._act and self._is_time(self._act, now):
                self._do(self._act, now)

    def _is_time(self, act: Act, now: float) -> bool:
        match act.when:
            case "now":
                return now >= self._since + act.after
            case "began":
                return self._begun is not None and now >= self._begun + act.after
            case "quiet":
                return self._last is not None and now >= self._last + QUIET_S + act.after

    def _do(self, act: Act, now: float) -> None:
        self._begun = self._last = None
        self._since = now
        if act.frames is not None:
            self._saying.extend(act.frames)
            self._counts.spoken += 1
        elif act.rude:
            self.over = True
        else:
            self._send(wire.frame(wire.CLOSE, struct.pack("!H", 1000)))
        self._act = next(self._acts, None)

    def _send(self, data: bytes) -> None:
        self._counts.sent += 1
        data = self._rest + data
        try:
            self._rest = data[self.stream.send(data) :]
        except BlockingIOError:
            self._rest = data
        except OSError:
            self.over = True
        self._counts.stalled += bool(self._rest)

    def receive(self, now: float) -> None:
        """Take what has come."""
        try:
            data = self.stream.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.over = True
        for opcode, payload in self._inbox.feed(data):
            match opcode:
                case wire.BINARY:
                    self._hear(payload, now)
                case wire.PING:
                    self._send(wire.frame(wire.PONG, payload))
                case wire.CLOSE:
                    if self._act is not None:
                        self._counts.closed_early += 1
                    self._send(wire.frame(wire.CLOSE, payload))
                    self.over = True

    def _hear(self, payload: bytes, now: float) -> None:
        self._counts.audio += 1
        if payload.count(0) == len(payload):
            return
        self._begun, self._last = self._begun or now, now
        size = len(payload) // 2
        self._counts.samples += size
        if not self._counted:
            return
        first, last = struct.unpack_from("<h", payload)[0], struct.unpack_from("<h", payload, len(payload) - 2)[0]
        if first == 1:
            self._counts.begun += 1
            self._counts.cut += self._expected not in self.whole
        elif first != self._expected:
            self._counts.lost += first > self._expected
            self._counts.disordered += first < self._expected
        self._counts.disordered += last - first != size - 1
        self._expected = last + 1

    whole: frozenset[int] = frozenset({1})
    """What may come after the last sample of a whole segment."""


class Crowd:
    """Many callers in one loop."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int, Caller]] = []
        self._serial = itertools.count()
        self.live = 0

    def add(self, caller: Caller) -> None:
        """Let a caller begin, at its own place in the 20 ms."""
        number = next(self._serial)
        caller.due = time.perf_counter() + (number * 7 % 20) / 1000
        heapq.heappush(self._due, (caller.due, number, caller))
        self._selector.register(caller.stream, selectors.EVENT_READ, caller)
        self.live += 1

    def run(self, until: Callable[[float], bool]) -> None:
        """Go on until `until(now)`, or until nobody is left."""
        while self.live and not until(now := time.perf_counter()):
            while self._due and self._due[0][0] <= now:
                self._tick(now)
            patience = max(0.0, self._due[0][0] - time.perf_counter()) if self._due else 0.0
            for key, _ in self._selector.select(patience):
                key.data.receive(time.perf_counter())

    def _tick(self, now: float) -> None:
        due, number, caller = heapq.heappop(self._due)
        if not caller.over:
            caller.tick(now)
        if caller.over:
            self._selector.unregister(caller.stream)
            caller.stream.close()
            self.live -= 1
        else:
            caller.due = due + 0.02
            heapq.heappush(self._due, (caller.due, number, caller))

    def close(self) -> None:
        """Drop all that are left."""
        for _, _, caller in self._due:
            caller.stream.close()
        self._selector.close()
