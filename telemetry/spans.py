"""From turns to spans: one trace per call, one span per turn, one child per stage.

Spans are plain frozen values with explicit times, made when a turn is over: nothing is current, nothing is held open across
a wait. The root's ids are chosen when the call begins, so that its turns can be exported long before it ends itself. No
words are in any span unless `content` is on; then they are redacted.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agentd.messages import RowChanged
from telemetry import names
from telemetry.redaction import redact
from telemetry.turns import (
    BargeIn,
    ClaimNote,
    Clock,
    DownNote,
    LateTool,
    LedgerNote,
    Playback,
    Round,
    RowNote,
    Speech,
    TellingNote,
    ToolRun,
    TurnRecord,
    Voiced,
)

Attribute = str | bool | int | float
REMEMBERED: Final = 8
"""Turns whose span a late tool may still hang from: a tool has ten seconds, in which nobody takes more turns."""

_TELLINGS: Final = {
    "released": names.RELEASED,
    "played": names.TOLD,
    "cut": names.CUT,
    "lost": names.CUT,
    "refused": names.REFUSED,
}

_CLASS: Final = re.compile(r"([A-Z]\w*(?:Error|Exception|Stalled|Closed|Group|Bug|Timeout))\b")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][\w.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened at `at` (Unix nanoseconds) within a span."""

    name: str
    at: int
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class Span:
    """A finished span; times in Unix nanoseconds."""

    trace_id: int
    span_id: int
    parent_id: int | None
    name: str
    start: int
    end: int
    attributes: Mapping[str, Attribute]
    events: tuple[SpanEvent, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The span as a line of spans.jsonl; ids as W3C hex."""
        return {
            "trace_id": f"{self.trace_id:032x}",
            "span_id": f"{self.span_id:016x}",
            "parent_id": None if self.parent_id is None else f"{self.parent_id:016x}",
            "name": self.name,
            "start": self.start,
            "end": self.end,
            "attributes": dict(self.attributes),
            "events": [{"name": e.name, "at": e.at, "attributes": dict(e.attributes)} for e in self.events],
        }


class CallSpans:
    """Makes one call's spans. `model` are the attributes that every round of the thinker carries, where it is a model."""

    def __init__(self, clock: Clock, *, content: bool, model: Mapping[str, Attribute]) -> None:
        self._clock, self._content, self._model = clock, content, model
        self._trace_id = random.getrandbits(128) or 1
        self._root = _span_id()
        self._turns: dict[int, int] = {}

    @property
    def trace_id(self) -> str:
        """The call's trace, as 32 hexadecimal digits."""
        return f"{self._trace_id:032x}"

    def call(self, start: float, end: float, attributes: Mapping[str, Attribute], settled: Iterable[LedgerNote] = ()) -> Span:
        """The root, once the call is over, with what was `settled` after that."""
        events = tuple(map(self._ledger, settled))
        return self._make(names.CALL, start, end, attributes, parent=None, span_id=self._root, events=events)

    def turn(self, turn: TurnRecord) -> Iterator[Span]:
        """A turn's spans, children first."""
        span_id = _span_id()
        self._turns[turn.number] = span_id
        self._turns.pop(turn.number - REMEMBERED, None)
        for speech in turn.speech:
            yield from self._speech(speech, span_id)
        for number in turn.rounds:
            yield self._round(number, span_id)
        for tool in turn.tools:
            yield self._tool(tool, span_id)
        for voice in turn.voices:
            yield self._voice(voice, span_id)
        for playback in turn.playbacks:
            yield self._playback(playback, span_id)
        attributes = _turn_attributes(turn) | self._words(names.REPLY_TEXT, " ".join(turn.lines))
        events = tuple(sorted(self._events(turn), key=lambda event: event.at))
        yield self._make(names.TURN, turn.start, turn.end, attributes, parent=self._root, span_id=span_id, events=events)

    def late(self, late: LateTool) -> Span:
        """A tool that outlasted its turn."""
        return self._tool(late.tool, self._turns.get(late.turn, self._root))

    # ── Children ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _speech(self, speech: Speech, parent: int) -> Iterator[Span]:
        said = {names.VOICED: round(speech.voiced, 3), names.SURE: speech.sure} | self._words(names.SPEECH_TEXT, speech.text)
        yield self._make(names.SPEECH, speech.start, speech.end, said, parent)
        delay: dict[str, Attribute] = {names.DELAY: round(speech.delay, 3), names.DELAY_WHY: speech.why}
        yield self._make(names.ENDPOINTING, speech.end, speech.decided, delay, parent)
        yield self._make(names.RECOGNIZE, speech.decided, speech.final, {}, parent)

    def _round(self, done: Round, parent: int) -> Span:
        attributes: dict[str, Attribute] = {
            names.EPOCH: done.epoch,
            names.ROUND: done.number,
            names.THINK_STATUS: done.status,
            names.PROPOSALS: done.proposals,
            names.UNDERSTOOD: done.understood,
        }
        if self._model:
            attributes |= {names.OPERATION: "chat", **self._model}
        if done.first is not None:
            attributes[names.FIRST_CHUNK] = round(done.first - done.start, 4)
        if done.status == "failed":
            attributes |= {names.ERROR: _error_type(done.error)} | self._words(names.ERROR_TEXT, done.error)
        attributes |= self._words(names.THINK_TEXT, " ".join(done.said))
        return self._make(names.THINK, done.start, done.end, attributes, parent)

    def _tool(self, tool: ToolRun, parent: int) -> Span:
        attributes: dict[str, Attribute] = {
            names.OPERATION: "execute_tool",
            names.TOOL_NAME: _identifier(tool.name),
            names.TOOL_ID: _identifier(tool.id),
            names.TOOL_STATUS: tool.status,
            names.EPOCH: tool.epoch,
        }
        if tool.row is not None:
            attributes |= _columns(tool.row)
        if tool.status in {"failed", "timeout", "unknown"}:
            attributes |= {names.ERROR: tool.status} | self._words(names.ERROR_TEXT, tool.why)
        if self._content:
            attributes |= self._words(names.TOOL_ARGUMENTS, _json(dict(tool.args)))
            attributes |= self._words(names.TOOL_RESULT, _json(tool.result))
        return self._make(names.TOOL, tool.start, tool.end, attributes, parent)

    def _voice(self, voice: Voiced, parent: int) -> Span:
        return self._make(names.VOICE, voice.start, voice.end, {names.EPOCH: voice.epoch}, parent)

    def _playback(self, played: Playback, parent: int) -> Span:
        attributes: dict[str, Attribute] = {
            names.EPOCH: played.epoch,
            names.PLAYBACK_END: played.how,
            names.PLAYBACK_FILLER: played.filler,
        }
        return self._make(names.PLAYBACK, played.start, played.end, attributes, parent)

    # ── Events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _events(self, turn: TurnRecord) -> Iterator[SpanEvent]:
        for barge_in in turn.barge_ins:
            yield from self._barge_in(barge_in)
        for raised in turn.raised:
            yield self._event(names.EPOCH_RAISED, raised.at, {names.EPOCH: raised.epoch, names.CAUSE: raised.cause})
        for at in turn.reopened:
            yield self._event(names.REOPENED, at, {})
        for failure in turn.failures:
            attributes: dict[str, Attribute] = {names.ACTOR: failure.actor, names.ERROR: _error_type(failure.why)}
            if not failure.down:
                attributes[names.ACTOR_PROVIDER] = failure.provider
            attributes |= self._words(names.ERROR_TEXT, failure.why)
            yield self._event(names.DOWN if failure.down else names.RESTARTED, failure.at, attributes)
        yield from map(self._ledger, turn.ledger)

    def _ledger(self, note: LedgerNote) -> SpanEvent:
        match note:
            case RowNote(at, row):
                return self._event(names.EFFECT, at, {names.TOOL_NAME: _identifier(row.tool), **_columns(row)})
            case TellingNote(at, effect, mode, what, text, again, _, why):
                attributes: dict[str, Attribute] = {names.EFFECT_ID: effect, names.TELLING_MODE: mode}
                match what:
                    case "released":
                        attributes |= {names.TELLING_AGAIN: again} | self._words(names.TELLING_TEXT, text)
                    case "cut" | "lost":
                        attributes[names.TELLING_LOST] = what == "lost"
                    case "refused":
                        attributes |= self._words(names.ERROR_TEXT, why)
                return self._event(_TELLINGS[what], at, attributes)
            case ClaimNote(at, text):
                return self._event(names.CLAIM, at, self._words(names.CLAIM_TEXT, text))
            case DownNote(at, why):
                failed: dict[str, Attribute] = {names.ERROR: _error_type(why)}
                return self._event(names.LEDGER_DOWN, at, failed | self._words(names.ERROR_TEXT, why))

    def _barge_in(self, barge_in: BargeIn) -> Iterator[SpanEvent]:
        suspected: dict[str, Attribute] = {}
        if barge_in.last_sample is not None:
            suspected[names.LAST_SAMPLE] = round(barge_in.last_sample - barge_in.voice, 3)
        yield self._event(names.SUSPECTED, barge_in.suspected, suspected)
        match barge_in.verdict:
            case "confirmed":
                yield self._event(names.CONFIRMED, barge_in.decided, {names.CAUSE: barge_in.cause})
            case "rejected":
                yield self._event(names.REJECTED, barge_in.decided, {})
            case "lapsed":
                yield self._event(names.LAPSED, barge_in.decided, {})
        if barge_in.resumed is not None:
            yield self._event(names.RESUMED, barge_in.resumed, {})

    def _event(self, name: str, at: float, attributes: Mapping[str, Attribute]) -> SpanEvent:
        return SpanEvent(name, self._clock.ns(at), attributes)

    # ── Making ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _words(self, name: str, text: str) -> dict[str, Attribute]:
        return {name: redact(text)} if self._content and text else {}

    def _make(
        self,
        name: str,
        start: float,
        end: float,
        attributes: Mapping[str, Attribute],
        parent: int | None,
        *,
        span_id: int = 0,
        events: tuple[SpanEvent, ...] = (),
    ) -> Span:
        begin = self._clock.ns(start)
        finish = max(begin, self._clock.ns(end))
        return Span(self._trace_id, span_id or _span_id(), parent, name, begin, finish, attributes, events)


def _turn_attributes(turn: TurnRecord) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {
        names.TURN_NUMBER: turn.number,
        names.TURN_WHY: turn.why,
        names.TURN_STATE: turn.state,
        names.TURN_FLOW: turn.flow,
        names.TURN_ATTEMPTS: turn.attempts,
        names.TURN_RESTARTS: sum(not failure.down for failure in turn.failures),
        names.REPLY_HEARD: turn.heard,
        names.REPLY_CHARS: sum(map(len, turn.lines)),
        names.REPLY_VERDICT: turn.verdict,
    }
    if turn.prompt:
        attributes[names.TURN_PROMPT] = turn.prompt
    if turn.gap is not None:
        attributes[names.GAP] = round(turn.gap.seconds, 4)
        attributes[names.GAP_FILLER] = turn.gap.filler
        attributes |= {names.STAGES[stage]: round(seconds, 4) for stage, seconds in turn.gap.stages.items()}
        if turn.gap.answer is not None:
            attributes[names.GAP_ANSWER] = round(turn.gap.answer, 4)
    return attributes


def _columns(row: RowChanged) -> dict[str, Attribute]:
    return {
        names.EFFECT_ID: row.effect,
        names.EFFECT_KIND: row.kind,
        names.EFFECT_FACT: row.fact,
        names.EFFECT_VERDICT: row.verdict,
        names.EFFECT_TOLD: row.told,
        names.EFFECT_STUCK: row.stuck,
        names.EFFECT_CAUSE: row.cause,
    }


def _identifier(name: str) -> str:
    """A name that may be shown: a model may have made up any."""
    return name if _IDENTIFIER.fullmatch(name) else "_OTHER"


def _span_id() -> int:
    return random.getrandbits(64) or 1


def _error_type(why: str) -> str:
    """The class that an error's text begins with; its words stay here."""
    found = _CLASS.match(why)
    return found[1] if found else "_OTHER"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
