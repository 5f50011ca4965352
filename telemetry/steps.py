"""From the conductor's event log to turns: a pure reduction, one entry at a time.

A turn is over when the next one begins or the call ends. What was heard of a dropped reply is told by the transport a moment
later (`Stopped`), so that a turn which ends with its reply's drop is given out when that has come.

A stretch of the caller's speech belongs to the turn that its end begins or, where it was reopened, goes on with. What was
rejected belongs to the reply that it disturbed, as a barge-in; what meant nothing belongs nowhere.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agentd.messages import (
    ActorDown,
    ActorRestarted,
    Asked,
    Audible,
    Draining,
    Held,
    KeyPressed,
    Logged,
    LongSpeech,
    MediaStarted,
    Partial,
    PlaybackBegan,
    RanDry,
    Reply,
    ReplyHeard,
    RoundDone,
    Segment,
    SegmentHeard,
    SpeechOnset,
    Stopped,
    TakeBack,
    TellingCut,
    TellingPlayed,
    ThinkFailed,
    Timer,
    TimerFired,
    ToolDone,
    UseTool,
    UtteranceEnded,
)
from telemetry.draft import Suspicion, TurnDraft
from telemetry.effects import EffectSteps, asked
from telemetry.turns import Failure, Finished, LateTool, LedgerNote, Speech, ToolRun, TurnRecord

_ANSWERS: Final = {"opening", "reply", "silence", "misheard"}
"""What a reply may answer; a turn that answers nothing but says the last words is never reopened."""


class CallSteps:
    """One call's log, read from its first entry on."""

    def __init__(self) -> None:
        self._turn: TurnDraft | None = None
        self._over: list[tuple[TurnDraft, Logged]] = []
        self._late: list[LateTool] = []
        self.effects = EffectSteps()
        self.after: list[LedgerNote] = []
        """What the ledger did when no turn was left to tell it."""
        self._last: Logged | None = None
        self._owed = 0
        self._rate = 8000
        self._onset: SpeechOnset | None = None
        self._keys: tuple[float, float] | None = None
        self._prompts = 0

    def feed(self, entry: Logged) -> list[Finished]:
        """Take the next entry; what is over with it, in order."""
        self._last = entry
        self._note(entry)
        self._note_ledger(entry)
        self._decide(entry)
        for command in entry.commands:
            self._follow(command, entry)
        if _among_keys(entry) and self._keys:
            keys = self._keys
            self._begin("reply", entry)
            self._keys = keys
        if entry.state == "ended":
            return self.end(entry.at)
        return [*self._take_late(), *(self._take_over() if self._owed <= 0 else ())]

    def end(self, at: float) -> list[Finished]:
        """The log is over, whether the call ended or was cut; a second time there is nothing left."""
        if self._turn is not None and self._last is not None:
            self._turn.hang_up(at)
            state = self._last.before if self._last.state == "ended" else self._last.state
            self._over.append((self._turn, replace(self._last, at=at, before=state)))
            self._turn = None
        return [*self._take_late(), *self._take_over()]

    def _take_over(self) -> list[TurnRecord]:
        over, self._over = self._over, []
        records = [draft.record(entry.at, entry.before, entry.flow) for draft, entry in over]
        return [replace(record, tools=tuple(map(self._with_row, record.tools))) for record in records]

    def _take_late(self) -> list[LateTool]:
        late, self._late = self._late, []
        return [replace(item, tool=self._with_row(item.tool)) for item in late]

    def _with_row(self, tool: ToolRun) -> ToolRun:
        return replace(tool, row=self.effects.row_of(tool.id))

    def _draft(self, reply: Reply) -> TurnDraft | None:
        """The turn that a reply belongs to, if it is not gone."""
        drafts = (*(draft for draft, _ in self._over), *(() if self._turn is None else (self._turn,)))
        return next((draft for draft in drafts if draft.number == reply.turn), None)

    # ── Events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _note(self, entry: Logged) -> None:
        match entry.event:
            case MediaStarted(rate=rate):
                self._rate = rate
            case SpeechOnset() as onset:
                self._onset = onset
            case KeyPressed(at) if entry.state == "listening":
                self._keys = (self._keys[0] if self._keys else at, at)
            case UtteranceEnded() as ended:
                self._note_end(ended, entry)
            case ToolDone() as done:
                self._note_tool(done)
            case Stopped() as stopped:
                self._note_stopped(stopped, entry)
            case ActorRestarted(actor, why, provider, at) if self._turn:
                self._turn.failures.append(Failure(at, actor, provider, why, down=False))
                self._note_rejection(entry)
            case ActorDown(actor, why, at) if self._turn:
                self._turn.failures.append(Failure(at, actor, 0, why, down=True))
            case SegmentHeard(segment):
                self._note_heard(segment, entry)
            case event:
                reply = getattr(event, "reply", None)
                draft = self._draft(reply) if isinstance(reply, Reply) else None
                if draft is not None:
                    _note_reply(draft, entry)

    def _note_end(self, ended: UtteranceEnded, entry: Logged) -> None:
        """The utterance of a suspicion tells when its voice began; where nothing follows from it, the noise is over."""
        if self._turn is None:
            return
        for suspicion in self._turn.suspicions:
            if suspicion.utterance == ended.utterance:
                suspicion.voice = min(self._start(ended), suspicion.suspected)
        self._note_rejection(entry)

    def _note_rejection(self, entry: Logged) -> None:
        if self._turn and self._turn.suspicions and any(command.startswith("arm resume") for command in entry.commands):
            self._turn.suspicions[-1].decided = entry.at

    def _decide(self, entry: Logged) -> None:
        """A suspicion is decided as the machine leaves the state of it, whichever way."""
        turn = self._turn
        if turn is None or not turn.suspicions or entry.before != "yielding" or entry.state == "yielding":
            return
        suspicion = turn.suspicions[-1]
        if "resume" in entry.commands:
            suspicion.verdict, suspicion.resumed = "rejected", entry.at
        elif _yields(entry):
            suspicion.verdict, suspicion.decided, suspicion.cause = "confirmed", entry.at, self._why_confirmed(turn, entry)
        else:
            suspicion.verdict, suspicion.decided = "lapsed", entry.at

    def _note_tool(self, done: ToolDone) -> None:
        outcome = done.outcome
        use = outcome.proposal
        if not isinstance(use, UseTool | TakeBack):
            return
        name, args = asked(use)
        run = ToolRun(done.reply.epoch, use.id, name, done.began_at, done.at, outcome.status, args, outcome.result, outcome.why)
        draft = self._draft(done.reply)
        if draft is None:
            self._late.append(LateTool(done.reply.turn, run))
        else:
            draft.tool_done(run)

    def _note_ledger(self, entry: Logged) -> None:
        """What the ledger did belongs to the turn at hand; what became of a telling, to the one that it was a part of."""
        of = entry.event.segment.reply if isinstance(entry.event, TellingPlayed | TellingCut) else entry.reply
        draft = self._draft(of) or self._turn
        notes = self.after if draft is None else draft.ledger
        notes += self.effects.feed(entry)

    def _note_stopped(self, stopped: Stopped, entry: Logged) -> None:
        """What was dropped is silent now, and the last of what was heard of it is known."""
        self._owed -= 1
        if stopped.segment is not None:
            self._note_heard(stopped.segment, entry)
        for draft in (*(draft for draft, _ in self._over), *(() if self._turn is None else (self._turn,))):
            draft.silent(stopped.at, "stopped")

    def _note_heard(self, segment: Segment, entry: Logged) -> None:
        if draft := self._draft(segment.reply):
            draft.note_segment(segment)
            for line in entry.lines:
                draft.heard(line.text)

    # ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _follow(self, command: str, entry: Logged) -> None:
        """One of the machine's commands, as the log has it in words."""
        turn = self._turn
        match command.split():
            case ["think", why]:
                self._begin(why, entry).think(entry.reply.epoch, entry.at)
            case ["say", "filler"] if turn:
                turn.say(entry.reply.epoch, entry.at, filler=True)
            case ["say", line]:
                self._begin(line, entry).say(entry.reply.epoch, entry.at, filler=False)
            case ["continue"] if turn:
                turn.go_on(entry.reply.epoch, entry.at)
            case ["runtools"] if turn and isinstance(entry.event, RoundDone):
                tools = tuple(use for use in entry.event.proposals if isinstance(use, UseTool | TakeBack))
                turn.run_tools(entry.reply.epoch, entry.at, tools)
            case ["new", "epoch", epoch]:
                self._owed += 1
                if turn:
                    self._drop(turn, int(epoch), entry)
            case ["hold"] if turn and (onset := self._onset):
                turn.suspicions.append(Suspicion(onset.utterance, onset.at, onset.at, turn.sending))

    def _begin(self, why: str, entry: Logged) -> TurnDraft:
        """The turn that this entry begins, goes on with or tries again."""
        number, turn = entry.reply.turn, self._turn
        if turn is None or turn.number != number:
            if turn is not None:
                self._over.append((turn, entry))
            self._prompts += why == "silence"
            self._turn = turn = TurnDraft(number, entry.at)
        if why == "reply":
            self._prompts = 0
        turn.why, turn.prompt = why, self._prompts if why == "silence" else 0
        if speech := self._speech(entry):
            turn.speech.append(speech)
        self._keys = None
        return turn

    def _speech(self, entry: Logged) -> Speech | None:
        """What the caller did that this entry takes for a turn."""
        match entry.event:
            case UtteranceEnded() as e:
                return Speech(self._start(e), e.end_at, e.decided_at, e.at, e.delay, e.why, e.voiced, e.sure, e.text)
            case KeyPressed(at=at) | TimerFired(Timer.KEYS, at) if self._keys:
                first, last = self._keys
                text = next((line.text for line in entry.lines if line.who == "caller"), "")
                return Speech(first, last, at, at, at - last, "keys", 0.0, sure=True, text=text)
            case _:
                return None

    def _start(self, ended: UtteranceEnded) -> float:
        """When the first voiced sample arrived."""
        return ended.end_at - (ended.end - ended.start) / self._rate

    def _drop(self, turn: TurnDraft, epoch: int, entry: Logged) -> None:
        cause = _why_dropped(entry)
        turn.drop(entry.at, epoch, cause)
        goes_on = isinstance(entry.event, SpeechOnset | KeyPressed) or _yields(entry)
        if goes_on and not turn.audible and turn.why in _ANSWERS:
            turn.reopened.append(entry.at)

    def _why_confirmed(self, turn: TurnDraft, entry: Logged) -> str:
        match entry.event:
            case Partial() | UtteranceEnded():
                asked = turn.asked is not None and self._onset is not None and self._onset.pos >= turn.asked
                return "answer" if asked else "words"
            case LongSpeech():
                return "long_speech"
            case KeyPressed():
                return "key"
            case TimerFired():
                return "patience"
            case _:
                return "failure"


def _yields(entry: Logged) -> bool:
    """Whether a suspicion came true: the reply is dropped, and the caller has the floor or has spoken."""
    spoke = entry.state == "listening" or isinstance(entry.event, UtteranceEnded)
    return entry.before == "yielding" and spoke and any(command.startswith("new epoch") for command in entry.commands)


def _among_keys(entry: Logged) -> bool:
    """Words between the keys of a number belong to the turn that the number ends."""
    heard = isinstance(entry.event, UtteranceEnded) and bool(entry.event.text)
    return heard and entry.before == entry.state == "listening"


def _note_reply(draft: TurnDraft, entry: Logged) -> None:
    """An event of a reply that is still remembered."""
    match entry.event:
        case RoundDone() as done:
            draft.round_done(done)
        case ThinkFailed() as failed:
            draft.round_failed(failed)
        case PlaybackBegan(reply, at, made_at):
            draft.began(reply.epoch, at, made_at)
        case Audible(reply) if reply == entry.reply:
            draft.audible = True
        case Asked(reply, pos=pos) if reply == entry.reply:
            draft.asked = pos
        case RanDry(_, at):
            draft.silent(at, "dry")
        case ReplyHeard(reply, at):
            draft.reply_heard(at, kept=reply == entry.reply and entry.before != "yielding")
        case Held() as held:
            _note_held(draft, held)


def _note_held(draft: TurnDraft, held: Held) -> None:
    if held.segment is not None:
        draft.note_segment(held.segment)
    if draft.suspicions and draft.suspicions[-1].sending:
        draft.suspicions[-1].last_sample = held.last_at
    draft.silent(held.last_at, "held")


def _why_dropped(entry: Logged) -> str:
    """What made the epoch rise, in a word."""
    if entry.state == "ended":
        return "end"
    match entry.event:
        case SpeechOnset() | Partial() | LongSpeech() | UtteranceEnded():
            return "caller"
        case KeyPressed():
            return "key"
        case TimerFired(Timer.CALL):
            return "limit"
        case TimerFired():
            return "patience"
        case Draining():
            return "drain"
        case _:
            return "failure"
