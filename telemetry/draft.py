"""A turn in the making: takes what happens in the order of the event log and gives the turn's record when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from agentd.messages import RoundDone, Segment, TakeBack, ThinkFailed, UseTool
from telemetry.effects import asked
from telemetry.turns import BargeIn, Failure, Gap, LedgerNote, Playback, Raised, Round, Speech, ToolRun, TurnRecord, Voiced


@dataclass(slots=True)
class _Ready:
    """A text was handed to the voice."""

    epoch: int
    at: float
    filler: bool


@dataclass(slots=True)
class _Playing:
    """Audio is on the wire; `fillers` tells of each segment known to be in it whether it is one."""

    epoch: int
    start: float
    fillers: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class Suspicion:
    """A barge-in that is suspected or was decided. `sending`: our audio was on the wire."""

    utterance: int
    voice: float
    suspected: float
    sending: bool
    last_sample: float | None = None
    decided: float | None = None
    verdict: Literal["confirmed", "rejected", "lapsed"] | None = None
    cause: str = ""
    resumed: float | None = None


class TurnDraft:
    """The turn at hand, or one that is over and still owed what was heard of it."""

    def __init__(self, number: int, at: float) -> None:
        self.number, self.begun = number, at
        self.why = ""
        self.prompt = 0
        self.asked: int | None = None
        """The caller's sample from which on the reply's question may be answered."""
        self.audible = False
        """Something of the turn's reply was heard that was no filler: from then on it cannot be reopened."""
        self.suspicions: list[Suspicion] = []
        self.raised: list[Raised] = []
        self.reopened: list[float] = []
        self.failures: list[Failure] = []
        self.ledger: list[LedgerNote] = []
        self.speech: list[Speech] = []
        self._rounds: list[Round] = []
        self._open: Round | None = None
        self._running: dict[str, ToolRun] = {}
        self._tools: list[ToolRun] = []
        self._ready: list[_Ready] = []
        self._made: list[tuple[int, float]] = []
        self._playing: _Playing | None = None
        self._playbacks: list[Playback] = []
        self._lines: list[str] = []
        self._epochs: set[int] = set()
        self._whole = self._kept = False

    # ── The reply in the making ──────────────────────────────────────────────────────────────────────────────────────

    def think(self, epoch: int, at: float) -> None:
        """A reply attempt begins: its first round is asked for."""
        self._attempt(epoch)
        self._open = Round(epoch, 0, at, None, at, "dropped")

    def go_on(self, epoch: int, at: float) -> None:
        """The next round is asked for: the tools of the last one are done."""
        number = self._rounds[-1].number + 1 if self._rounds else 0
        self._running.clear()
        self._open = Round(epoch, number, at, None, at, "dropped")

    def say(self, epoch: int, at: float, *, filler: bool) -> None:
        """One of the flow's own lines is handed to the voice."""
        if not filler:
            self._attempt(epoch)
        self._ready.append(_Ready(epoch, at, filler))

    def _attempt(self, epoch: int) -> None:
        self._epochs.add(epoch)
        self.asked, self._whole, self._kept = None, False, False

    def round_done(self, done: RoundDone) -> None:
        """A round came back; that of an attempt that was dropped says nothing any more."""
        if self._open is None or (self._open.epoch, self._open.number) != (done.reply.epoch, done.round):
            return
        # A reply that ends with nothing of the round's own is the machine's, which waited for that.
        ready = done.at if done.first_at is None and not done.proposals else done.first_at
        if ready is not None:
            self._ready.append(_Ready(done.reply.epoch, ready, filler=False))
        self._close_round(
            done.at,
            start=done.began_at,
            first=done.first_at,
            status="done",
            proposals=len(done.proposals),
            understood=done.understood,
            said=done.said,
        )

    def round_failed(self, failed: ThinkFailed) -> None:
        """The thinker could not answer."""
        if self._open is not None and self._open.epoch == failed.reply.epoch:
            self._close_round(failed.at, status="failed", error=failed.why)

    def _close_round(self, at: float, **known: object) -> None:
        if self._open is not None:
            self._rounds.append(replace(self._open, end=at, **known))  # type: ignore[arg-type]
            self._open = None

    def run_tools(self, epoch: int, at: float, tools: tuple[UseTool | TakeBack, ...]) -> None:
        """Tools of a round were asked for; which of them the flow refused is not known until the others are done."""
        for tool in tools:
            name, args = asked(tool)
            self._running[tool.id] = ToolRun(epoch, tool.id, name, at, at, "unfinished", args, None, "")

    def tool_done(self, run: ToolRun) -> None:
        """A tool has its outcome."""
        self._running.pop(run.id, None)
        self._tools.append(run)

    def drop(self, at: float, epoch: int, cause: str) -> None:
        """The attempt at hand is dropped: `epoch` is the next one's. Where it was heard to its end, nothing is dropped."""
        self._close_round(at)
        if not self._kept:
            self.raised.append(Raised(at, epoch, cause))

    # ── Audio ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def began(self, epoch: int, at: float, made_at: float) -> None:
        """Agent audio goes out after silence."""
        self.silent(at, "dry")
        self._playing = _Playing(epoch, at)
        if made_at and (epoch, made_at) not in self._made:
            self._made.append((epoch, made_at))

    def note_segment(self, segment: Segment) -> None:
        """This segment is in the audio that plays."""
        if self._playing is not None:
            self._playing.fillers.append(segment.filler)

    def heard(self, text: str) -> None:
        """Words entered the conversation as heard."""
        self._lines.append(text)

    def silent(self, at: float, how: str) -> None:
        """Nothing is on the wire any more."""
        if self._playing is None:
            return
        playing, self._playing = self._playing, None
        known = playing.fillers or [ready.filler for ready in self._ready_by(playing.epoch, playing.start)]
        filler = bool(known) and all(known)
        self._playbacks.append(Playback(playing.epoch, playing.start, max(at, playing.start), how, filler))

    def reply_heard(self, at: float, *, kept: bool) -> None:
        """All of the attempt at hand was heard."""
        self.silent(at, "heard")
        self._whole, self._kept = True, self._kept or kept

    @property
    def sending(self) -> bool:
        """Agent audio is on the wire."""
        return self._playing is not None

    def _ready_by(self, epoch: int, at: float) -> list[_Ready]:
        return sorted((r for r in self._ready if r.epoch == epoch and r.at <= at), key=lambda ready: ready.at)

    # ── The record ───────────────────────────────────────────────────────────────────────────────────────────────────

    def hang_up(self, at: float) -> None:
        """The call is over: tools that run have no outcome."""
        self._tools.extend(replace(tool, end=at) for tool in self._running.values())

    def record(self, at: float, state: str, flow: str) -> TurnRecord:
        """The turn as it was; it was left at `at`, in `state`."""
        self._close_round(at)
        self.silent(at, "hung up")
        heard: Literal["whole", "cut", "none"] = "whole" if self._whole else "cut" if self._lines or self.audible else "none"
        record = TurnRecord(
            number=self.number,
            why=self.why,
            start=self.speech[0].start if self.speech else self.begun,
            end=self.begun,
            state=state,
            flow=flow,
            prompt=self.prompt,
            attempts=len(self._epochs),
            gap=self._gap(),
            heard=heard,
            lines=tuple(self._lines),
            verdict="keep" if self._kept else "drop",
            speech=tuple(self.speech),
            rounds=tuple(self._rounds),
            tools=tuple(self._tools),
            voices=tuple(self._voices()),
            playbacks=tuple(self._playbacks),
            barge_ins=tuple(_decided(suspicion, at) for suspicion in self.suspicions),
            raised=tuple(self.raised),
            reopened=tuple(self.reopened),
            failures=tuple(self.failures),
            ledger=tuple(self.ledger),
        )
        ends = [speech.final for speech in self.speech]
        ends += [stage.end for stages in (record.rounds, record.tools, record.playbacks) for stage in stages]
        return replace(record, end=max([self.begun, *ends]))

    def _voices(self) -> Iterator[Voiced]:
        """Each audio that the voice made for a text that is known: the earliest that was not yet spoken."""
        last: dict[int, float] = {}
        for epoch, made_at in self._made:
            waiting = [r.at for r in self._ready_by(epoch, made_at) if r.at > last.get(epoch, float("-inf"))]
            if waiting:
                yield Voiced(epoch, waiting[0], made_at)
            last[epoch] = made_at

    def _gap(self) -> Gap | None:
        """What the caller waited, from the last stretch of speech that counted."""
        if not self.speech:
            return None
        speech = self.speech[-1]
        played = [playback for playback in self._playbacks if playback.start >= speech.end]
        if not played:
            return None
        first = played[0]
        stages = {"endpointing": speech.decided - speech.end, "recognizer": speech.final - speech.decided}
        voice = next((v for v in self._voices() if v.epoch == first.epoch and speech.final <= v.start <= first.start), None)
        if voice is not None and voice.end <= first.start:
            stages |= {"think": voice.start - speech.final, "voice": voice.end - voice.start, "wire": first.start - voice.end}
        answer = next((p.start - speech.end for p in played if not p.filler), None) if first.filler else None
        return Gap(first.start - speech.end, stages, first.filler, answer)


def _decided(suspicion: Suspicion, at: float) -> BargeIn:
    """A suspicion as it stood at the turn's end: undecided, it has lapsed."""
    decided = suspicion.decided if suspicion.verdict and suspicion.decided is not None else at
    return BargeIn(
        min(suspicion.voice, suspicion.suspected),
        suspicion.suspected,
        suspicion.last_sample,
        decided,
        suspicion.verdict or "lapsed",
        suspicion.cause,
        suspicion.resumed,
    )
