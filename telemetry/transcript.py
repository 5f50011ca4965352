"""What was said and heard, line by line, in order, each line once and for good.

The caller's line of a turn may still change: a turn that is reopened has its words joined. So it is held back, and with it
what the agent says behind it, until the caller begins to hear the reply, the turn changes or the call ends; after that, more
words are a new turn. What was heard of a dropped reply is told by the transport after the next turn has begun; that line is
given out ahead of the line which waits. Fillers and tools that read leave no line.

What becomes of an effect is a line too, the ledger's: each state in which it rests, and at the call's end the one in which the
call left it. It is held back with the words that brought it about.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentd.messages import (
    Audible,
    Held,
    KeyPressed,
    LedgerMoved,
    Logged,
    MediaStarted,
    PlaybackBegan,
    RowChanged,
    SegmentHeard,
    Stopped,
    UtteranceEnded,
)
from telemetry.effects import IN_FLIGHT, UNSPOKEN, in_words

Line = dict[str, Any]


class Transcript:
    """One call's transcript. Times are seconds since the log's first entry; `at` is when a line began to sound.

    A line has `turn`, `who`, `text`, `cut` and `at`; a caller's line also `delay` (the endpointing delay that applied, in
    seconds) and `why` (its name, or "keys"); the first agent line that answers the caller also `gap`.
    """

    def __init__(self) -> None:
        self._zero: float | None = None
        self._rate = 8000
        self._held: list[Line] = []
        self._turn = 0
        self._given = 0
        self._stopped: float | None = None
        self._gap: tuple[int, float] | None = None
        self._since = 0.0
        self._cut: tuple[object, int, float] | None = None
        self._keys: tuple[float, float] | None = None
        self._labels: dict[str, str] = {}
        self._effects: dict[str, str] = {}
        self._last = 0.0

    def feed(self, entry: Logged) -> list[Line]:
        """Take the next entry; the lines that are final with it."""
        if self._zero is None:
            self._zero = entry.at
        final = self.end() if entry.reply.turn > self._turn else []
        self._turn = max(self._turn, entry.reply.turn)
        self._last = entry.at
        self._note(entry)
        if isinstance(entry.event, LedgerMoved):
            final += self._hear_ledger(entry.event)
        for line in entry.lines:
            match line.who, entry.event:
                case "caller", _:
                    self._hear_caller(line.text, entry)
                case "agent", SegmentHeard(segment) | Stopped(_, segment) if segment is not None:
                    start = self._cut[2] if self._cut and self._cut[:2] == (segment.reply, segment.index) else self._since
                    said = {"turn": segment.reply.turn, "who": "agent", "text": line.text, "cut": line.cut}
                    final += self._hear_agent({**said, "at": self._seconds(start)})
        match entry.event:
            case SegmentHeard(_, at):
                self._since = at
            case Audible(reply) if reply == entry.reply:
                final += self.end()
        return final + self.end() if entry.state == "ended" else final

    def end(self, rows: tuple[RowChanged, ...] = ()) -> list[Line]:
        """The log is over: what was held back is final. `rows` are the effects as the call left them."""
        held, self._held = self._held, []
        self._given = max([self._given, *(line["turn"] for line in held)])
        return [*held, *self._tell_rows(rows, self._last)]

    def _note(self, entry: Logged) -> None:
        """The times that lines will need."""
        match entry.event:
            case MediaStarted(rate=rate):
                self._rate = rate
            case KeyPressed(at) if entry.state == "listening":
                self._keys = (self._keys[0] if self._keys else at, at)
            case PlaybackBegan(reply, at):
                self._since = at
                if self._stopped is not None and reply == entry.reply:
                    self._gap, self._stopped = (reply.turn, at - self._stopped), None
            case Held(reply, segment) if segment is not None:
                self._cut = (reply, segment.index, self._since)
            case UtteranceEnded(end_at=end_at) if any(command.startswith("think ") for command in entry.commands):
                self._stopped = end_at

    def _hear_caller(self, text: str, entry: Logged) -> None:
        """A new line takes the place of the one that waits, and stands where that began."""
        turn = entry.reply.turn
        if turn == self._given:
            return  # said again for an attempt that failed, after something was heard
        line: Line = {"turn": turn, "who": "caller", "text": text, "cut": False, "at": self._seconds(entry.at)}
        match entry.event:
            case UtteranceEnded() as ended:
                start = ended.end_at - (ended.end - ended.start) / self._rate
                line |= {"at": self._seconds(start), "delay": ended.delay, "why": ended.why}
            case _ if self._keys:
                first, self._stopped = self._keys
                line |= {"at": self._seconds(first), "delay": round(entry.at - self._stopped, 3), "why": "keys"}
        self._keys = None
        for place, before in enumerate(self._held):
            if before["who"] == "caller":
                self._held[place] = {**before, **line, "at": before["at"]}
                return
        self._held.append(line)

    def _hear_agent(self, line: Line) -> list[Line]:
        """A line of the turn that waits goes behind it; any other is final."""
        if self._gap is not None and self._gap[0] == line["turn"]:
            line["gap"] = round(self._gap[1], 3)
            self._gap = None
        if self._held and line["turn"] >= self._turn:
            self._held.append(line)
            return []
        return [line]

    def _hear_ledger(self, moved: LedgerMoved) -> list[Line]:
        """The effects that have come to rest; a line that waits is waited for."""
        self._labels |= {effect.id: effect.line.partition(": ")[0] for effect in moved.effects}
        lines = self._tell_rows((row for row in moved.changes if row.stuck or row.fact not in IN_FLIGHT), moved.at)
        if not self._held:
            return lines
        self._held += lines
        return []

    def _tell_rows(self, rows: Iterable[RowChanged], at: float) -> list[Line]:
        """The ledger's lines for what is new of these rows."""
        lines = list[Line]()
        for row in rows:
            text = in_words(row)
            if row.kind != "webhook" and self._effects.get(row.effect) != text:
                self._effects[row.effect] = text
                label = self._labels.get(row.effect, f"{row.kind} of {row.tool}" if row.kind in UNSPOKEN else row.tool)
                said = {"turn": self._turn, "who": "ledger", "text": f"{label}: {text}", "cut": False}
                lines.append({**said, "at": self._seconds(at)})
        return lines

    def _seconds(self, at: float) -> float:
        return round(at - (self._zero or 0.0), 3)
