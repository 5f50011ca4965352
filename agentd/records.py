"""What a call writes down while it goes on: its event log becomes spans, transcript and, at the end, call.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from agentd.folder import CallFolder
from agentd.messages import Logged
from telemetry.export import CallTrace
from telemetry.transcript import Transcript


class CallRecord:
    """One call's record; meets the conductor's Log. `wall` is the time of day."""

    def __init__(
        self,
        folder: CallFolder,
        trace: Callable[[Callable[[dict[str, Any]], None]], CallTrace],
        known: Mapping[str, Any],
        wall: Callable[[], datetime],
    ) -> None:
        self._folder, self._known, self._wall = folder, dict(known), wall
        self._trace = trace(folder.add_span)
        self._transcript = Transcript()
        self._started = wall()
        self._turns = 0

    def write(self, entry: Logged) -> None:
        """Take the next line of the event log. Never waits, never raises."""
        self._trace.write(entry)
        self._turns = max(self._turns, entry.reply.turn)
        for line in self._transcript.feed(entry):
            self._folder.add_transcript(line)

    def close(self, outcome: str, slots: Mapping[str, Any], summary: str, recording: Mapping[str, Any]) -> None:
        """The call is over: the rest of the transcript, the root span, and call.json."""
        for line in self._transcript.end():
            self._folder.add_transcript(line)
        self._trace.close(outcome, {})
        now = self._wall()
        self._folder.write_call(
            {
                **self._known,
                "started": self._started.astimezone(UTC).isoformat(),
                "ended": now.astimezone(UTC).isoformat(),
                "seconds": round((now - self._started).total_seconds(), 3),
                "outcome": outcome,
                "turns": self._turns,
                "slots": dict(slots),
                "summary": summary,
                "recording": dict(recording),
                "trace_id": self._trace.trace_id,
            }
        )
        self._folder.close()
