"""A conductor's event log from a script: the real turn machine and the conductor's own words for its commands, no actors.

Every method says that something happens at the script's time `t`; `wait(s)` moves it on. Times are absolute on a clock that
begins at 100.
"""

from __future__ import annotations

from typing import Any

from agentd.messages import (
    ActorDown,
    ActorRestarted,
    Asked,
    Audible,
    ClaimStopped,
    Effect,
    Held,
    KeyPressed,
    LedgerDown,
    LedgerMoved,
    Logged,
    LongSpeech,
    MediaStarted,
    MediaStopped,
    Mode,
    Outcome,
    Partial,
    PlaybackBegan,
    RanDry,
    Release,
    Reply,
    ReplyHeard,
    RoundDone,
    RowChanged,
    Said,
    Segment,
    SegmentHeard,
    SpeechOnset,
    Stopped,
    TakeBack,
    TellingCut,
    TellingDue,
    TellingPlayed,
    TellingRefused,
    ThinkFailed,
    Timer,
    TimerFired,
    ToolDone,
    UseTool,
    UtteranceEnded,
)
from agentd.turn import machine
from agentd.turn.commands import Event, Then, Think, Thought, ToolsDone, Why, describe
from agentd.turn.timing import Timing

RATE = 8000
START = 100.0


class Script:
    """A call that is played by hand."""

    def __init__(self) -> None:
        self.t = START
        self.turn, first = machine.start(Timing())
        self.entries: list[Logged] = []
        self.flow = "start"
        self.utterance = 0
        self.onset_at = 0.0
        self.index = 0
        self.round = 0
        self._log(None, self.turn, first, ())

    # ── The log ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def reply(self) -> Reply:
        return self.turn.reply

    def wait(self, seconds: float) -> Script:
        self.t += seconds
        return self

    def tell(self, message: object, event: Event | None, lines: tuple[Said, ...] = ()) -> Script:
        before, commands = self.turn, tuple[Any, ...]()
        if event is not None:
            self.turn, commands = machine.step(self.turn, event)
        for command in commands:
            if isinstance(command, Think):
                self.index = self.round = 0
                if command.why is Why.REPLY:
                    lines = (*lines, Said("caller", command.text))
        self._log(message, before, commands, lines)
        return self

    def _log(self, message: object, before: Any, commands: tuple[Any, ...], lines: tuple[Said, ...]) -> None:
        words = tuple(describe(command) for command in commands)
        turn = self.turn
        self.entries.append(
            Logged(self.t, message, before.state.value, turn.state.value, turn.reply, turn.why.value, words, lines, self.flow)
        )

    def same(self, event: Any) -> Script:
        return self.tell(event, event)

    # ── The caller ───────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> Script:
        return self.same(MediaStarted(self.t, RATE, 1))

    def onset(self, after: float = 0.1) -> Script:
        """The voice began `after` ago."""
        self.utterance += 1
        self.onset_at = self.t - after
        return self.same(SpeechOnset(self.utterance, self._pos(self.onset_at), self.t))

    def partial(self, text: str) -> Script:
        return self.same(Partial(self.utterance, text, True, self.t))

    def long_speech(self) -> Script:
        return self.same(LongSpeech(self.utterance, self.t))

    def ended(self, text: str = "", *, delay: float = 0.3, final: float = 0.02, voiced: float = 1.0) -> Script:
        """The voice stopped `delay` and `final` ago."""
        end_at = self.t - delay - final
        event = UtteranceEnded(
            self.utterance,
            text,
            True,
            self._pos(self.onset_at),
            self._pos(end_at),
            end_at,
            delay,
            "complete",
            end_at + delay,
            self.t,
            voiced,
        )
        return self.same(event)

    def says(self, text: str, seconds: float = 1.0) -> Script:
        """An utterance: ends `seconds` after the voice began, 0.32 s ago."""
        return self.wait(0.1).onset().wait(seconds - 0.1 + 0.32).ended(text)

    def key(self, digit: str) -> Script:
        return self.same(KeyPressed(self.t, digit))

    def timer(self, name: Timer) -> Script:
        return self.same(TimerFired(name, self.t))

    def _pos(self, at: float) -> int:
        return round((at - START) * RATE)

    # ── The agent ────────────────────────────────────────────────────────────────────────────────────────────────────

    def thinks(
        self,
        *said: str,
        took: float = 0.1,
        first: float | None = 0.04,
        tools: tuple[UseTool | TakeBack, ...] = (),
        then: Then = Then.LISTEN,
    ) -> Script:
        """A round that began now is over `took` later; its first text came after `first`."""
        began = self.t
        self.wait(took)
        first_at = None if first is None or not said else began + first
        done = RoundDone(self.reply, self.round, tools, said, began, first_at, self.t)
        self.round += 1
        thought = Thought(self.reply, bool(tools), len(tools), len(said), then, helper=False, progress=True, at=self.t)
        return self.tell(done, thought)

    def fails(self, why: str = "ProviderError: thinker: no") -> Script:
        return self.same(ThinkFailed(self.reply, why, self.t))

    def tool(
        self,
        use: UseTool | TakeBack,
        *,
        began: float,
        status: Any = "done",
        reply: Reply | None = None,
        result: Any = None,
        last: bool = True,
    ) -> Script:
        """A tool has its outcome; the reply goes on where it was the `last` of its round."""
        reply = reply or self.reply
        done = ToolDone(reply, Outcome(use, status, result), began, self.t)
        return self.tell(
            done, ToolsDone(reply, self.t) if last and reply == self.reply else None, (Said("tool", f"{use.id}: {status}"),)
        )

    def began(self, *, made: float = 0.03) -> Script:
        """Audio goes out that was made `made` ago."""
        return self.same(PlaybackBegan(self.reply, self.t, self.t - made))

    def audible(self) -> Script:
        return self.same(Audible(self.reply, self.t))

    def asked(self) -> Script:
        return self.same(Asked(self.reply, self._segment("?"), self.t, self._pos(self.t)))

    def heard(self, text: str, *, filler: bool = False) -> Script:
        segment = self._segment(text, filler=filler)
        self.index += 1
        return self.tell(SegmentHeard(segment, self.t), None, () if filler else (Said("agent", text),))

    def dry(self) -> Script:
        return self.same(RanDry(self.reply, self.t))

    def reply_heard(self) -> Script:
        return self.same(ReplyHeard(self.reply, self.t))

    def held(self, text: str | None = None, chars: int = 0) -> Script:
        segment = None if text is None else self._segment(text)
        return self.tell(Held(self.reply, segment, chars, self.t, self.t), None)

    def stopped(self, of: Reply | None = None, text: str = "", chars: int = 0) -> Script:
        segment = None if of is None else Segment(of, self.index, text)
        lines = (Said("agent", text[:chars].rstrip(), cut=chars < len(text)),) if chars else ()
        return self.tell(Stopped(self.turn.epoch, segment, chars, self.t), None, lines)

    def _segment(self, text: str, *, filler: bool = False) -> Segment:
        return Segment(self.reply, self.index, text, filler=filler)

    def speaks(self, text: str, seconds: float = 1.0) -> Script:
        """A whole reply of one segment, with nothing in its way; its thinking began just now."""
        return self.thinks(text).wait(0.05).speaks_out(text, seconds)

    def speaks_out(self, text: str, seconds: float = 1.0) -> Script:
        self.began().wait(0.06).audible().wait(seconds - 0.06).heard(text)
        return self.reply_heard()

    # ── The ledger ───────────────────────────────────────────────────────────────────────────────────────────────────

    def moved(self, *rows: RowChanged, line: str = "") -> Script:
        """Rows changed; `line` is what the thinker is told of the first."""
        effects = (Effect(rows[0].effect, rows[0].tool, rows[0].kind, {}, None, "open", line),) if line else ()
        return self.tell(LedgerMoved(self.t, rows, effects, (), busy=False, live=True), None)

    def telling(self, effect: str, text: str = "You are booked.", mode: Mode = Mode.TELL) -> Segment:
        return Segment(self.reply, self.index, text, effect=effect, mode=mode, told_from=len(text))

    def due(self, segment: Segment) -> Script:
        return self.tell(TellingDue(segment, self.t), None)

    def released(self, segment: Segment) -> Script:
        return self.due(segment).wait(0.01).tell(Release(segment.key), None)

    def told(self, segment: Segment) -> Script:
        return self.tell(TellingPlayed(segment, self.t, self._pos(self.t)), None)

    def cut(self, segment: Segment, *, lost: bool = False) -> Script:
        return self.tell(TellingCut(segment, self.t, lost), None)

    def refused(self, segment: Segment, why: str = "it is not so any more") -> Script:
        return self.tell(TellingRefused(segment.key, why, self.t), None)

    def claims(self, text: str) -> Script:
        return self.tell(ClaimStopped(self.reply, text, self.t), None)

    def ledger_down(self, why: str = "OSError: disk full") -> Script:
        return self.tell(LedgerDown(why, self.t), None)

    # ── Failures and ends ────────────────────────────────────────────────────────────────────────────────────────────

    def restarted(self, actor: str, why: str = "it ended") -> Script:
        return self.same(ActorRestarted(actor, why, 0, self.t))

    def down(self, actor: str) -> Script:
        return self.same(ActorDown(actor, "ProviderError: voice: gone", self.t))

    def hangs_up(self) -> Script:
        return self.same(MediaStopped(self.t, "hangup"))

    def greeted(self) -> Script:
        """Turn 1: from 100.0 to 101.15, then listening."""
        return self.start().speaks("Hello.")


def row(
    effect: str = "e1",
    fact: str = "there",
    verdict: str = "open",
    cause: str = "",
    *,
    told: str = "no",
    tool: str = "book",
    kind: str = "compensable",
    stuck: bool = False,
) -> RowChanged:
    """A row as a step left it."""
    return RowChanged(effect, tool, kind, fact, verdict, told, stuck, cause)
