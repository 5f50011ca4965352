"""What was said and heard, line by line, in order, each line once and for good.

The caller's line of a turn may still change: a turn that is reopened has its words joined. So it is held back, and with it
what the agent says behind it, until the caller begins to hear the reply, the turn changes or the call ends; after that, more
words are a new turn. What was heard of a dropped reply is told by the transport after the next turn has begun; that line is
given out ahead of the line which waits. Fillers and tools leave no line.
"""

from __future__ import annotations

from typing import Any

from agentd.messages import (
    Audible,
    Held,
    KeyPressed,
    Logged,
    MediaStarted,
    PlaybackBegan,
    SegmentHeard,
    Stopped,
    UtteranceEnded,
)

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

    def feed(self, entry: Logged) -> list[Line]:
        """Take the next entry; the lines that are final with it."""
        if self._zero is None:
            self._zero = entry.at
        final = self.end() if entry.reply.turn > self._turn else []
        self._turn = max(self._turn, entry.reply.turn)
        self._note(entry)
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

    def end(self) -> list[Line]:
        """The log is over: what was held back is final."""
        held, self._held = self._held, []
        self._given = max([self._given, *(line["turn"] for line in held)])
        return held

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
        before = next((held for held in self._held if held["who"] == "caller"), None)
        if before is not None:
            self._held.remove(before)
            line = {**before, **line, "at": before["at"]}
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

    def _seconds(self, at: float) -> float:
        return round(at - (self._zero or 0.0), 3)
