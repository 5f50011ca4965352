"""What a call writes down while it goes on: its event log becomes spans, transcript and gist, its audio the recording.

A disk that takes nothing ends what is written and not the call: the first failure is told in call.json where that still can
be written, and in the daemon's log in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from agentd.actors.memory import Memory
from agentd.audio.recording import Recording, Unrecorded
from agentd.flow.model import Flow
from agentd.folder import TRANSCRIPT, CallFolder
from agentd.handoff.effects import settled, written
from agentd.handoff.gist import Gist
from agentd.handoff.packet import packet, spoken_summary
from agentd.ledger.book import Book
from agentd.messages import Logged, RowChanged
from telemetry.export import CallTrace
from telemetry.transcript import Transcript

log = logging.getLogger(__name__)

Trace = Callable[[Callable[[dict[str, Any]], None]], CallTrace]
"""Given where finished spans go, the call's trace."""


class CallRecord:
    """One call's record; meets the conductor's Log, and its `sink` is the transport's.

    `known` is what is known of the call before it begins, `wall` the time of day, `rate` that of the call's audio.
    """

    def __init__(
        self, folder: CallFolder, flow: Flow, trace: Trace, known: Mapping[str, Any], wall: Callable[[], datetime], rate: int
    ) -> None:
        self._folder, self._flow, self._known, self._wall = folder, flow, dict(known), wall
        self._trace = trace(folder.add_span)
        self._transcript = Transcript()
        self._gist = Gist(flow)
        self._started = wall()
        self._first: float | None = None
        self._last = 0.0
        self._turns = 0
        self.sink: Recording | Unrecorded = Unrecorded()
        if flow.recording != "off":
            self.sink = Recording(folder.recording, rate, start_paused=flow.recording == "consent")

    @property
    def id(self) -> str:
        """The call's id: its folder's name."""
        return self._folder.id

    def write(self, entry: Logged) -> None:
        """Take the next line of the event log. Never waits, never raises."""
        self._first = entry.at if self._first is None else self._first
        self._last = entry.at
        self._trace.write(entry)
        self._turns = max(self._turns, entry.reply.turn)
        self._gist.feed(entry)
        for line in self._transcript.feed(entry):
            self._folder.add_transcript(line)

    def summary(self, memory: Memory, why: str) -> str:
        """The sentence that is spoken before the call is handed over."""
        return spoken_summary(self._flow, memory.flow, self._gist, why, self._wall())

    def hand_over(self, memory: Memory, why: str) -> None:
        """Write handoff.json: what the human needs to know."""
        known, now = self._known, self._wall()
        self._folder.write_handoff(
            packet(
                self._flow, memory.flow, memory.conversation, self._gist,
                call=self._folder.id, caller=known["from"], why=why, at=now,
            )
        )  # fmt: skip

    def end(self, outcome: str, memory: Memory | None, rows: tuple[RowChanged, ...] = ()) -> dict[str, Any]:
        """The call is over: the rest of recording and transcript, and the root span. Answers what there is to tell of it.

        `rows` are its effects as it left them: what the log did not live to tell of them is told here.
        """
        self.sink.close()
        for line in self._transcript.end(rows):
            self._folder.add_transcript(line)
        self._trace.close(outcome, {}, rows)
        return {
            **self._known,
            "started": self._started.astimezone(UTC).isoformat(),
            "ended": self._wall().astimezone(UTC).isoformat(),
            "seconds": round(self._last - (self._last if self._first is None else self._first), 3),
            "outcome": outcome,
            "turns": self._turns,
            "slots": self._flow.written(memory.flow) if memory else {},
            "summary": self._gist.summary,
            "transcript": f"{self._folder.id}/{TRANSCRIPT}",
            "trace_id": self._trace.trace_id,
        }

    def close(self, told: Mapping[str, Any], book: Book) -> None:
        """Write call.json: what `end` answered, and the call's effects as its `book` has them when it is over."""
        over = settled(book)
        self._folder.write_call(
            {
                **told,
                "effects": written(self._flow, book, self._flow.local(self._wall().isoformat())),
                "settled": over,
                **({} if over else {"settling": f"agentd effects show {self._folder.id}"}),
                "recording": {"mode": self._flow.recording, "failed": self.sink.failed},
            }
        )
        self._folder.close()
        for what, failed in (("record", self._folder.failed), ("recording", self.sink.failed)):
            if failed:
                log.error("the %s of call %s is incomplete: %s", what, self._folder.id, failed)
