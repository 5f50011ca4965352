"""The sentences that need no thinking, and the apology that needs no voice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from agentd.flow import lines as words
from agentd.flow.model import Flow
from agentd.messages import FlowState
from agentd.turn.commands import Line


class Lines:
    """A flow's own lines. `audio` holds those that were spoken at load, so that they can be played with the voice dead."""

    def __init__(self, flow: Flow, audio: Mapping[Line, bytes]) -> None:
        self._flow, self._audio = flow, audio
        self._fillers = 0

    def text(self, line: Line, state: FlowState, now: datetime) -> str:
        """The words of a line, as the flow stands."""
        match line:
            case Line.FILLER:
                self._fillers += 1
                return words.FILLERS[(self._fillers - 1) % len(words.FILLERS)]
            case Line.HANDOVER:
                return self._flow.say(self._flow.state(state).say, state, now) or self._flow.goodbye
            case Line.GOODBYE:
                return self._flow.goodbye
            case Line.APOLOGY:
                return self._flow.apology
            case Line.DRAIN:
                return words.DRAIN
            case Line.TOO_LONG:
                return words.TOO_LONG

    def canned(self, line: Line) -> bytes:
        """The line's audio at the call's rate, where it was made at load."""
        return self._audio.get(line, b"")
