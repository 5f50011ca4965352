"""Every message between actors, and every event and command of the turn machine: frozen values, grouped by sender.

Words used throughout. *Turn*: what the caller said, the agent's reply, the tools' effects. *Epoch*: one attempt at a
reply; it rises whenever a reply is abandoned, and whatever carries an older epoch is dropped by whoever holds it.
*Segment*: a sentence or so of a reply, the unit that is marked as heard. `pos` is a position in the caller's audio, in
samples since the first one; `at` is a time on the call's clock, in seconds. Audio is 16-bit little-endian mono PCM at
the call's rate everywhere inside agentd.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, order=True)
class Reply:
    """Names one attempt at a reply; order is age."""

    turn: int
    epoch: int


class Mode(StrEnum):
    """What a sentence of the machine does for an effect: tells it, asks for the yes that keeps it, asks whether to keep what
    was told and cut, tells that it is not so, or asks whether the old one may be risked for it."""

    TELL = "tell"
    ASK = "ask"
    CHECK = "check"
    UNTELL = "untell"
    RISK = "risk"


# ── Media plane: transport → listener, thinker → speaker, speaker → transport ────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Frame:
    """Caller audio. `pos` is the position of its first sample, `at` the time it arrived."""

    pos: int
    at: float
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence or so of a reply, to be spoken in one breath.

    `answer_from` is the character of `text` from which on an answer to it may begin (the end of the last value that the
    question tells), or None where it asks nothing. `filler` speech ("one moment") never enters the conversation. `effect` is
    the id of the effect that it tells or asks about, by `mode`, and `told_from` the character behind the last value that it
    tells: its telling point. Such a segment waits in the transport for its `Release`.
    """

    reply: Reply
    index: int
    text: str
    answer_from: int | None = None
    filler: bool = False
    effect: str = ""
    mode: Mode = Mode.TELL
    told_from: int = 0

    @property
    def key(self) -> str:
        """Its name within the call."""
        return f"{self.reply.turn}.{self.reply.epoch}.{self.index}"


@dataclass(frozen=True, slots=True)
class ReplyEnd:
    """No more segments of this reply: it had `segments` of them. Travels behind the last one."""

    reply: Reply
    segments: int


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word: characters `char` to `char + length` of its segment's text begin at `sample` of its audio."""

    sample: int
    char: int
    length: int


@dataclass(frozen=True, slots=True)
class Audio:
    """A piece of a segment's audio; `words` begin in it, at samples counted from the segment's start.

    `last` is the segment's last piece. `made_at` is when the voice handed over the segment's first piece.
    """

    segment: Segment
    pcm: bytes
    words: tuple[Word, ...] = ()
    last: bool = False
    made_at: float = 0.0


# ── Transport → conductor ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class MediaStarted:
    """The caller's first audio arrived and its layout is known.

    `mixed`: our own voice is in it; `advice` then says what to change at the carrier.
    """

    at: float
    rate: int
    channels: int
    mixed: bool = False
    advice: str = ""


@dataclass(frozen=True, slots=True)
class MediaStopped:
    """The media socket is gone. `reason`: hangup | closed_by_us | lost | shutdown | protocol_error | oversize."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class MediaStalled:
    """No frame for `seconds`, though the socket stands."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class ShutdownAsked:
    """The carrier asked for a graceful end (a zero-length frame): the caller is gone, and the call ends at once."""

    at: float


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A DTMF digit."""

    at: float
    digit: str


@dataclass(frozen=True, slots=True)
class PlaybackBegan:
    """Audio of the reply goes out, at `at`, after silence; the voice had made it at `made_at`."""

    reply: Reply
    at: float
    made_at: float


@dataclass(frozen=True, slots=True)
class Audible:
    """The caller begins to hear the reply (a filler is none): from here on, interrupting it is a barge-in."""

    reply: Reply
    at: float


@dataclass(frozen=True, slots=True)
class Asked:
    """The point of a question from which on it can be answered was played, when the caller's audio stood at `pos`."""

    reply: Reply
    segment: Segment
    at: float
    pos: int


@dataclass(frozen=True, slots=True)
class SegmentHeard:
    """The whole segment was played."""

    segment: Segment
    at: float


@dataclass(frozen=True, slots=True)
class TellingDue:
    """A segment that tells an effect is next to be played, and waits for its `Release`."""

    segment: Segment
    at: float


@dataclass(frozen=True, slots=True)
class TellingPlayed:
    """The telling point of a segment was played, when the caller's audio stood at sample `pos`. Said once."""

    segment: Segment
    at: float
    pos: int


@dataclass(frozen=True, slots=True)
class TellingCut:
    """A telling that was released was stopped before its telling point is known to be played.

    `lost`: the carrier never answered its mark; else it was cleared, or not sent any more.
    """

    segment: Segment
    at: float
    lost: bool = False


@dataclass(frozen=True, slots=True)
class RanDry:
    """All that came so far was played, and the reply's end has not come."""

    reply: Reply
    at: float


@dataclass(frozen=True, slots=True)
class ReplyHeard:
    """Every segment of the reply was played."""

    reply: Reply
    at: float


@dataclass(frozen=True, slots=True)
class Held:
    """Sending stopped and the playout is rewound: the caller heard `chars` characters of `segment` and all before it.

    `segment` is None where nothing of the reply was heard. `last_at` is when our last sample went out.
    """

    reply: Reply
    segment: Segment | None
    chars: int
    at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """What was older than `epoch` is dropped: the caller heard `chars` characters of `segment` (None: of no further one)."""

    epoch: int
    segment: Segment | None
    chars: int
    at: float


# ── Conductor → transport ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Hold:
    """Stop sending, clear what the carrier holds where it can, rewind to what was played. Answered by `Held`."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on from the start of the word that was cut."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Release:
    """The segment `key` may be played: what it tells is on record. `skip`: it must not be; the reply goes on behind it."""

    key: str
    skip: bool = False


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """Drop everything of an older epoch, wherever it is. Sent to the transport first. Answered there by `Stopped`."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Record:
    """The caller agreed to be recorded: write from here on."""


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """Close the socket: 1000 when the call is over or goes on elsewhere, another code when it failed."""

    code: int = 1000


# ── Conductor → listener ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FinishSpeech:
    """The line is gone: what the caller has said so far is all there will be."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What the flow's state expects to hear, for a recognizer to prefer.

    `grammar` is a JSGF text; `keyterms` are names and rare words for recognizers that take a list.
    """

    name: str = "open"
    grammar: str = ""
    keyterms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listen:
    """How to listen from here on. Times in seconds.

    `speaking`: the agent is audible, so onsets count by `onset_speaking`. `complete`: texts, normalised, after which the
    words look complete. `closed`: yes or no was asked. `dictation`: a long answer is expected. `deaf`:
    our own voice is in the caller's audio, so that nothing counts while we speak.
    """

    speaking: bool = False
    onset: float = 0.1
    onset_speaking: float = 0.2
    endpoint_complete: float = 0.3
    endpoint_unsure: float = 0.7
    endpoint_closed: float = 0.2
    endpoint_dictation: float = 1.2
    long_speech: float = 0.9
    closed: bool = False
    dictation: bool = False
    deaf: bool = False
    complete: frozenset[str] = frozenset()
    hints: Hints = field(default_factory=Hints)


# ── Listener → conductor ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SpeechOnset:
    """The caller has spoken for the onset setting; the first voiced sample is `pos`.

    Each onset is followed by exactly one `UtteranceEnded` of the same `utterance`, if only an empty one.
    """

    utterance: int
    pos: int
    at: float


@dataclass(frozen=True, slots=True)
class Partial:
    """The words so far. `sure`: the engine vouches for them, so that they may confirm a barge-in."""

    utterance: int
    text: str
    sure: bool
    at: float


@dataclass(frozen=True, slots=True)
class LongSpeech:
    """`long_speech` seconds of voice in this utterance, and no words were had from it yet."""

    utterance: int
    at: float


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """The end of the caller's turn, decided by the listener alone.

    `text` is empty where no words were had. `voiced` is how long there was a voice, in seconds. `start` and `end` are the
    first and the last *voiced* sample, `end_at` the time at which the last one arrived; `delay` is the endpointing delay that
    applied, `why` its name (complete | unsure | closed | dictation | vendor | forced); `decided_at` is the time of that
    decision, `at` that of the final words.
    """

    utterance: int
    text: str
    sure: bool
    start: int
    end: int
    end_at: float
    delay: float
    why: str
    decided_at: float
    at: float
    voiced: float = 0.0


# ── Conductor → thinker, thinker → conductor ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the conversation. `cut`: the caller heard only this much of a longer sentence."""

    who: Literal["caller", "agent", "tool"]
    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """The thinker proposes values for slots of the flow."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fire:
    """The thinker proposes a transition of the flow."""

    trigger: str


@dataclass(frozen=True, slots=True)
class UseTool:
    """The thinker asks for a tool. `id` is unique within the call. `replaces` is the effect that this one revises."""

    id: str
    tool: str
    args: Mapping[str, Any]
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class TakeBack:
    """The thinker takes the caller's words for a wish to undo an effect that was kept. `id` as of a tool's use."""

    id: str
    effect: str


@dataclass(frozen=True, slots=True)
class Retract:
    """The thinker takes the caller's words for a retraction of an effect that is open."""

    effect: str


Proposal = Fill | Fire | UseTool | TakeBack | Retract


Status = Literal["done", "waiting", "refused", "failed", "timeout", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one proposal, in one word and, for a tool, its result.

    An effect that is done may still be let go; one that is `waiting` is done once the caller heard of it, or said yes; of
    one that is `unknown` nobody may say that it is done or failed.
    """

    proposal: Proposal
    status: Status
    result: Any = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class FlowState:
    """Where the flow stands: a frozen value that the conductor owns and that outlives a crash.

    `entered` counts the visits to `state` so far; `announced` is true once its opening words were given to the speaker.
    `notes` are the flow kit's own small facts (a slot that awaits its confirmation, how often something was asked).
    """

    state: str
    slots: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    entered: int = 1
    announced: bool = False
    notes: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect of this call, as the thinker is told of it. `line` is the machine's own, to be believed and not inferred.

    `args` and `result` are as JSON has them. `kind` is the tool's class, or take_back. `state`: running | open | asking |
    waiting | keeping | kept | dropping | dropped | failed | unknown | taken_back.
    """

    id: str
    tool: str
    kind: str
    args: Mapping[str, Any]
    result: Any
    state: str
    line: str


@dataclass(frozen=True, slots=True)
class ThinkRequest:
    """One round of a reply. Round 0 has the caller's words, and what was read for a reply that was dropped; later rounds have
    the outcomes of the round before.

    `why`: reply (the caller spoke) | opening (greet) | silence (prompt number `prompt`) | misheard (there was speech but no
    words). `wall` is the local date and time as ISO 8601 with offset. `tells` are the machine's own sentences, spoken before
    the round's; the reply's next segment has the index `next_segment`. `ask` is its question, spoken where the reply ends; the
    round asks none then. `took` is what the ledger has taken the words for, as in `Ruled`.
    """

    reply: Reply
    round: int
    why: Literal["reply", "opening", "silence", "misheard"]
    text: str
    sure: bool
    flow: FlowState
    conversation: tuple[Said, ...]
    outcomes: tuple[Outcome, ...] = ()
    prompt: int = 0
    next_segment: int = 0
    wall: str = ""
    effects: tuple[Effect, ...] = ()
    tells: tuple[Segment, ...] = ()
    ask: Segment | None = None
    took: str = ""


@dataclass(frozen=True, slots=True)
class RoundDone:
    """The thinker's round is over: it has said `said` so far in this reply and asks for `proposals`.

    No proposals: the reply is complete. `notes` replaces the flow kit's notes. Not `understood`: all it says is that the
    words made no sense. `next_segment` is the index behind its last segment; not `told`: the request's `tells` were held
    back, since the round revises, or takes back, what they tell.
    """

    reply: Reply
    round: int
    proposals: tuple[Proposal, ...]
    said: tuple[str, ...]
    began_at: float
    first_at: float | None
    at: float
    notes: Mapping[str, Any] | None = None
    understood: bool = True
    next_segment: int = 0
    told: bool = True


@dataclass(frozen=True, slots=True)
class ClaimStopped:
    """The thinker said `text`, which claims an effect that the ledger does not hold; the caller heard the truth instead."""

    reply: Reply
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class ThinkFailed:
    """The thinker could not answer; it is alive and can be asked again."""

    reply: Reply
    why: str
    at: float


# ── Conductor → tool runner, tool runner → conductor ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class RunTool:
    """Carry out a tool that the flow allows, or take an effect back; `flow` is where the flow stands."""

    reply: Reply
    proposal: UseTool | TakeBack
    flow: FlowState
    wall: str


@dataclass(frozen=True, slots=True)
class ToolDone:
    """A tool's one outcome."""

    reply: Reply
    outcome: Outcome
    began_at: float
    at: float


@dataclass(frozen=True, slots=True)
class Rule:
    """The caller's finished turn: decide what it does to the open effects. Answered by `Ruled`.

    `text` is what was added to the turn, `onset` its first voiced sample.
    """

    reply: Reply
    text: str
    onset: int


@dataclass(frozen=True, slots=True)
class Ruled:
    """The words have done to the ledger what they do; `LedgerMoved` came before this.

    `took` is assent | no | retract where they decided something, so that they need no other answer; else "".
    """

    reply: Reply
    took: str
    at: float


@dataclass(frozen=True, slots=True)
class Owed:
    """A sentence that the caller is owed about an effect."""

    effect: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class RowChanged:
    """A row of the ledger as a step left it, in its columns; `cause` is what gave the verdict.

    `final`: with this change the effect is kept and the world has it for good.
    """

    effect: str
    tool: str
    kind: str
    fact: str
    verdict: str
    told: str
    stuck: bool
    cause: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class LedgerMoved:
    """The call's rows changed, and that is on record.

    `effects` are all that the thinker is told of, `owed` the sentences that are due, in order. `busy`: a kept effect is on its
    way to be done, so that the next reply had better wait for it. `live`: something is still open.
    """

    at: float
    changes: tuple[RowChanged, ...]
    effects: tuple[Effect, ...]
    owed: tuple[Owed, ...]
    busy: bool
    live: bool


@dataclass(frozen=True, slots=True)
class LedgerDown:
    """The ledger cannot be written: nothing effectful runs until it `LedgerMoved` again."""

    why: str
    at: float


@dataclass(frozen=True, slots=True)
class TellingRefused:
    """The telling `key` must not be played: it is not so any more, or cannot be put on record."""

    key: str
    why: str
    at: float


# ── Supervisor, daemon and clock → conductor ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ActorRestarted:
    """An actor failed and runs again, with nothing of what it held. `provider` is the place in its chain."""

    actor: str
    why: str
    provider: int
    at: float


@dataclass(frozen=True, slots=True)
class ActorDown:
    """An actor failed for good: its chain of providers is exhausted."""

    actor: str
    why: str
    at: float


@dataclass(frozen=True, slots=True)
class Draining:
    """The daemon's patience ends: say a line and close."""

    at: float


class Timer(StrEnum):
    """The deadlines that the machine may arm."""

    SILENCE = "silence"
    RESUME = "resume"
    STUCK = "stuck"
    FILLER = "filler"
    KEYS = "keys"
    FAREWELL = "farewell"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A deadline that the machine armed has passed."""

    name: Timer
    at: float


# ── The event log ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Logged:
    """One line of a call's event log: what happened, and what followed. Spans, transcript and trace are computed from these.

    `event` is the message that came in (None: the call's start). `before` and `state` are the machine's state before and
    after it, `reply` and `why` the reply at hand after it, `commands` what the machine asked for, in words. `lines` are the
    lines that the conversation gained, `flow` is the flow's state.
    """

    at: float
    event: object
    before: str
    state: str
    reply: Reply
    why: str
    commands: tuple[str, ...]
    lines: tuple[Said, ...]
    flow: str
