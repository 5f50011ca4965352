"""The playout clock of one call: what of the agent's audio to send when, and what of it the caller has heard.

Pure: no socket, no clock of its own. We send `lead` seconds ahead of real time, in a burst at the start, so that the
carrier's prebuffer fills at once and it begins to play when the burst arrives. From then on the clock tells what was played:
sample `s` at `anchor + (s - anchor_sample) / rate`, and a margin later we call it heard. Where the carrier acknowledges marks,
a segment counts as heard when its mark came back, or when the mark is lost: its deadline has passed.

A segment that tells an effect is a *telling*. Nothing of it goes out before its release, which is asked for as it comes near,
so that the record is ready in time. Its telling point is where the last value ends. Each telling has one fate, told before
its segment is: *played*, by a mark of its own where the carrier acknowledges them, else by the clock; or *cut*, where the
mark was cleared or lost, or the reply is abandoned. A hold decides nothing: what it cut is sent again, with marks of its own.

All positions are samples from the start of the reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agentd import limits
from agentd.audio.marks import Fate, Mark, Marks
from agentd.audio.piece import Piece
from agentd.messages import (
    Asked,
    Audible,
    Audio,
    Held,
    PlaybackBegan,
    RanDry,
    Reply,
    ReplyEnd,
    ReplyHeard,
    Segment,
    SegmentHeard,
    Stopped,
    TellingCut,
    TellingDue,
    TellingPlayed,
)

CHUNK_S: Final = 0.04
"""What is sent at once: two frames, for half the wake-ups."""

MARGIN_S: Final = 0.06
"""Network, jitter buffer and the switch's own tick: until then a sample may not have been played."""

GATE_AHEAD_S: Final = 0.2
"""With less than this to be sent before a telling, its release is asked for: it takes a synced write, and comes in time."""

GRAIN_S: Final = 0.002
"""Nothing is looked at again sooner, so that a rounding error cannot spin."""

Told = TellingPlayed | TellingCut
Report = PlaybackBegan | Audible | Asked | Told | SegmentHeard | TellingDue | RanDry | ReplyHeard


@dataclass(frozen=True, slots=True)
class Out:
    """Audio to send now; it is played from `play_at` on. Where `mark` is given, there is no audio, and that is sent instead."""

    pcm: bytes
    play_at: float
    mark: str = ""


class Playout:
    """Holds one reply at a time. Times are seconds on one clock, handed in."""

    def __init__(self, rate: int, *, prebuffer: float, clears: bool, acks: bool) -> None:
        self._rate, self._clears, self._acks = rate, clears, acks
        self._lead = max(limits.LEAD_S, prebuffer)
        self._tail = int(max(limits.TAIL_PAD_S, prebuffer) * rate)
        self._chunk = int(CHUNK_S * rate)
        self._prebuffer = int(prebuffer * rate)
        self._near = int(GATE_AHEAD_S * rate)
        self._stranded = 0
        self._busy = 0.0
        self.epoch = 0
        self.holes = 0
        """Times that audio ran dry in the middle of a segment."""
        self.late = 0.0
        """By how much the last sending was later than it could have been, in seconds."""
        self._sends = 0
        self._last_at = 0.0
        self._came_at = 0.0
        self._reset(None)

    def _reset(self, reply: Reply | None) -> None:
        self._reply = reply
        self._pcm = bytearray()
        self._pieces: list[Piece] = []
        self._gate: Piece | None = None
        self._skipped = set[str]()
        self._marks = Marks()
        self._made_at = 0.0
        self._sent = 0
        self._padded = 0
        self._ended = False
        self._anchor: float | None = None
        self._began = True
        self._anchor_sample = 0
        self._heard = 0
        self._passed = 0
        self._audible = False
        self._dry = False
        self._done = False
        self._held = False

    # ── What comes in ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def playing(self) -> bool:
        """Audio of a reply has gone out and was not held or dropped since."""
        return self._anchor is not None

    @property
    def ahead(self) -> float:
        """Seconds of audio held and not yet sent."""
        return (len(self._pcm) // 2 - self._sent) / self._rate

    def add(self, audio: Audio, now: float) -> None:
        """Take audio that came at `now`; of an older epoch it is dropped."""
        segment = audio.segment
        if not self._take(segment.reply) or segment.key in self._skipped:
            return
        self._came_at = now
        if not self._pieces or self._pieces[-1].segment.index != segment.index:
            self._pieces.append(Piece(segment, len(self._pcm) // 2, untold=bool(segment.effect)))
            if segment.effect and self._gate is None:
                self._gate = self._pieces[-1]
            if self._dry or not self._made_at:
                self._made_at = audio.made_at
        piece = self._pieces[-1]
        self._pcm += audio.pcm
        piece.words.extend(audio.words)
        if audio.last:
            piece.end = len(self._pcm) // 2
        self._dry = False

    def end(self, end: ReplyEnd) -> None:
        """No more of this reply follows."""
        if self._take(end.reply):
            self._ended = True

    def _take(self, reply: Reply) -> bool:
        if reply.epoch < self.epoch:
            return False
        self.epoch = reply.epoch
        if reply != self._reply:
            self._reset(reply)
        return True

    def acknowledge(self, mark: str, *, cleared: bool) -> None:
        """The carrier answered a mark."""
        self._marks.take(mark, cleared=cleared)

    def release(self, key: str, now: float) -> None:
        """The telling of that key may be sent; one that is not held here any more is over."""
        for piece in self._pieces:
            if piece.untold and piece.segment.key == key:
                piece.due = piece.released = True
                self._came_at = now
        self._close_gate()

    def skip(self, key: str) -> None:
        """The telling of that key must not be sent: what is behind it moves up, and what still comes of it is dropped."""
        self._skipped.add(key)
        for number, piece in enumerate(self._pieces):
            if piece.segment.key == key and not piece.released:
                size = (len(self._pcm) // 2 if piece.end is None else piece.end) - piece.start
                del self._pieces[number], self._pcm[2 * piece.start : 2 * (piece.start + size)]
                for later in self._pieces[number:]:
                    later.start -= size
                    later.end = None if later.end is None else later.end - size
                break
        self._close_gate()

    def _close_gate(self) -> None:
        self._gate = next((piece for piece in self._pieces if piece.untold and not piece.released), None)

    # ── What goes out ────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, now: float) -> list[Out]:
        """The audio that is due at `now`, in order."""
        outs: list[Out] = []
        if self._stranded:
            outs.append(Out(bytes(2 * self._stranded), self._busy - self._stranded / self._rate))
            self._stranded = 0
        self.late = 0.0
        while not self._held and self._reply is not None:
            if self._acks and self._anchor is not None:
                self._mark(now, outs)
            size = self._sendable()
            if not size:
                break
            if self._anchor is None or (self._at(self._sent) < now and not self._padded):
                self._start(now)
            assert self._anchor is not None
            due = self._at(self._sent + self._padded) - self._lead
            if due > now:
                break
            if due > self._anchor:
                self.late = max(self.late, now - max(due, self._came_at))
            outs.append(self._cut(size))
            self._last_at = now
        return outs

    def _sendable(self) -> int:
        """How many samples can go out next; a tail of silence follows the reply, so that the carrier plays it all."""
        total = len(self._pcm) // 2 if self._gate is None else self._gate.start
        if self._sent < total:
            for piece in self._pieces[self._passed :]:
                if piece.end is None or piece.end > self._sent:
                    break
            end, stop = piece.end, total if piece.end is None else piece.end
            if self._acks and piece.untold and (point := piece.told_at()) is not None and self._sent < point <= stop:
                end = stop = point  # its mark goes right behind it
            rest = stop - self._sent
            # Without the segment's end we wait for a whole chunk: what follows is on its way.
            return min(rest, self._chunk) if end is not None or rest >= self._chunk else 0
        return min(self._chunk, self._tail - self._padded) if self._ended and self._sent and self._gate is None else 0

    def _start(self, now: float) -> None:
        if self._anchor is not None and any(
            p.start < self._sent and (p.end is None or self._sent < p.end) for p in self._pieces
        ):
            self.holes += 1
        # What the carrier could not drop is played first.
        self._anchor, self._anchor_sample = max(now, self._busy), self._sent
        self._began = False

    def _cut(self, size: int) -> Out:
        play_at = self._at(self._sent + self._padded)
        if self._sent == len(self._pcm) // 2:
            self._padded += size
            return Out(bytes(2 * size), play_at)
        pcm = bytes(self._pcm[2 * self._sent : 2 * (self._sent + size)])
        self._sent += size
        return Out(pcm, play_at)

    def _mark(self, now: float, outs: list[Out]) -> None:
        """Put the marks behind what was sent so far that belong there: of telling points, and of segments' ends."""
        for piece in self._pieces[self._passed :]:
            point = piece.told_at() if piece.untold and piece.told_mark is None else None
            if point is not None and point <= self._sent:
                piece.told_mark = self._place(f"{piece.segment.key}.{self._sends}.t", now, outs)
                if point == piece.end:
                    piece.mark = piece.told_mark
            if piece.end is None or piece.end > self._sent:
                break
            if piece.mark is None:
                piece.mark = self._place(f"{piece.segment.key}.{self._sends}", now, outs)

    def _place(self, name: str, now: float, outs: list[Out]) -> Mark:
        played_at = max(now, self._at(self._sent + self._padded))
        outs.append(Out(b"", played_at, name))
        return self._marks.place(name, played_at)

    def _at(self, sample: int) -> float:
        assert self._anchor is not None
        return self._anchor + (sample - self._anchor_sample) / self._rate

    # ── What was heard ───────────────────────────────────────────────────────────────────────────────────────────────

    def poll(self, now: float, pos: int) -> list[Report]:
        """What became true by `now`, in order; `pos` is where the caller's audio stands."""
        if self._reply is None or self._held:
            return []
        self._heard = max(self._heard, self._played(now))
        reports: list[Report] = []
        if self._anchor is not None and not self._began:
            self._began = True
            reports.append(PlaybackBegan(self._reply, self._anchor, self._made_at))
        for piece in self._pieces[self._passed :]:
            if piece is self._gate:
                break
            if not self._audible and not piece.segment.filler and self._heard > piece.start:
                self._audible = True
                reports.append(Audible(self._reply, now))
            answer = piece.answer_at()
            if answer is not None and not piece.asked and self._heard >= answer:
                piece.asked = True
                reports.append(Asked(self._reply, piece.segment, now, pos))
            if piece.untold and (told := self._told(piece, self._heard, now, pos)) is not None:
                reports.append(told)
            if piece.end is None or self._heard < piece.end or piece.untold:
                break
            self._passed += 1
            reports.append(SegmentHeard(piece.segment, now))
        if self._gate is not None and not self._gate.due and self._gate.start - self._sent < self._near:
            self._gate.due = True
            reports.append(TellingDue(self._gate.segment, now))
        reports.extend(self._finished(now))
        return reports

    def _told(self, piece: Piece, heard: int, now: float, pos: int) -> Told | None:
        """The telling's fate where `heard` samples are sure to be played, by now or by a time to come."""
        if not piece.released:
            return None
        fate, point, after = Fate.OUTSTANDING, piece.told_at(), 0.0
        if piece.start == piece.end:
            fate = Fate.CLEARED  # the voice had no sound for it
        elif piece.told_mark is not None:
            fate = piece.told_mark.fate(now)
        elif not self._acks and point is not None and heard >= point:
            fate = Fate.PLAYED
            after = 0.0 if self._anchor is None else max(0.0, self._at(point) + MARGIN_S - now)
        piece.untold = fate is Fate.OUTSTANDING
        if fate is Fate.PLAYED:
            return TellingPlayed(piece.segment, now, pos + int(after * self._rate))
        return None if piece.untold else TellingCut(piece.segment, now, lost=fate is Fate.LOST)

    def _finished(self, now: float) -> list[Report]:
        assert self._reply is not None
        if self._gate is not None:
            return []  # there is more, and it waits for its release
        whole = self._passed == len(self._pieces)
        if whole and self._ended and not self._done:
            self._done = True
            return [ReplyHeard(self._reply, now)]
        starved = self._anchor is not None and not self._sendable() and self._heard >= self._sent
        if not self._ended and not self._dry and self._pieces and (whole or starved):
            self._dry = True
            return [RanDry(self._reply, now)]
        return []

    def _played(self, now: float) -> int:
        """The sample up to which everything is known to be played."""
        if self._anchor is None:
            return self._heard
        played = min(self._sent, self._anchor_sample + int((now - self._anchor - MARGIN_S) * self._rate))
        for piece in self._pieces[self._passed :]:
            if piece.mark is not None and piece.end is not None and piece.mark.fate(now) is Fate.OUTSTANDING:
                return max(self._heard, min(played, piece.end - 1))
        return played

    def wake_at(self, now: float) -> float | None:
        """When to call `send` and `poll` again; None: only when something comes in."""
        if self._reply is None or self._held:
            return None
        if self._anchor is None:
            return now if self._sendable() or (self._ended > self._done and self._gate is None) else None
        times = []
        if self._sendable():
            times.append(self._at(self._sent + self._padded) - self._lead)
        if self._passed < len(self._pieces) and (piece := self._pieces[self._passed]) is not self._gate:
            answer = piece.answer_at()
            if not self._audible and not piece.segment.filler and piece.start < self._sent:
                times.append(self._at(piece.start + 1) + MARGIN_S)
            if answer is not None and not piece.asked and answer <= self._sent:
                times.append(self._at(answer) + MARGIN_S)
            mark, point = (piece.told_mark, piece.told_at()) if piece.untold else (piece.mark, piece.end)
            if point is not None and point <= self._sent:
                waits = mark if mark is not None and mark.answer is Fate.OUTSTANDING else None
                times.append(waits.lost_at if waits is not None else self._at(point) + MARGIN_S)
            if piece.end is None and not self._dry and self._gate is None:
                times.append(self._at(self._sent) + MARGIN_S)
        return max(now + GRAIN_S, min(times)) if times else None

    # ── Barge-in ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def hold(self, reply: Reply, now: float, pos: int) -> list[Told | SegmentHeard | Held]:
        """Stop, and rewind to the start of the word that is cut; answers what was heard, `Held` last.

        The cut is at the played position where the carrier clears, else behind the last sample sent: it will be played.
        """
        self._take(reply)
        cut = self._cut_point(now)
        reports: list[Told | SegmentHeard | Held] = [*self._pass(cut, now, pos)]
        reports.append(Held(reply, *self._prefix(cut), now, self._last_at))
        self._leave()
        self._heard = cut
        if not self._held:
            self._held = True
            self._sends += 1
            unheard = self._pieces[self._passed :]
            piece = next((p for p in unheard if p.start < cut and (p.end is None or cut < p.end)), None)
            self._sent = piece.word_start(cut) if piece is not None else cut
            self._padded = 0
            self._anchor = None
            for piece in unheard:
                piece.mark = piece.told_mark = None
        return reports

    def resume(self, reply: Reply) -> None:
        """Go on where `hold` rewound to; what was heard to its end before is reported again."""
        if reply == self._reply:
            self._held = self._done = self._dry = False

    def abandon(self, epoch: int, now: float, pos: int) -> list[Told | SegmentHeard | Stopped]:
        """Drop all that is older than `epoch`; answers what was heard of it, and what was told, `Stopped` last."""
        cut = self._cut_point(now)
        reports: list[Told | SegmentHeard | Stopped] = [*self._pass(cut, now, pos, over=True)]
        reports.append(Stopped(epoch, *self._prefix(cut), now))
        self._leave()
        self.epoch = max(self.epoch, epoch)
        self._sends += 1
        self._reset(None)
        return reports

    def _cut_point(self, now: float) -> int:
        if self._held or self._anchor is None:
            return self._heard
        if not self._clears:
            return self._sent
        cut = max(self._heard, self._played(now))
        for piece in self._pieces[self._passed :]:
            point = piece.told_at() if self._acks and piece.untold else None
            if point is not None and (piece.told_mark is None or piece.told_mark.fate(now) is Fate.OUTSTANDING):
                # Without its mark a telling may not have been played, whatever the clock says.
                return min(cut, point - 1)
        return cut

    def _leave(self) -> None:
        """The carrier plays what it cannot drop; silence pushes out what it still gathers, lest it open the next reply."""
        if self._anchor is not None and not self._clears:
            gathered = self._sent + self._padded - self._anchor_sample
            self._stranded = max(0, self._prebuffer - gathered)
            self._busy = self._at(self._sent + self._padded + self._stranded)

    def _pass(self, cut: int, now: float, pos: int, *, over: bool = False) -> list[Told | SegmentHeard]:
        """What was told, and the segments that are heard to their end, when `cut` samples are; `over`: no more will be."""
        reports: list[Told | SegmentHeard] = []
        for piece in self._pieces[self._passed :]:
            if piece.untold:
                told = self._told(piece, cut, now, pos)
                if told is None and over and piece.due:
                    piece.untold, told = False, TellingCut(piece.segment, now)
                if told is not None:
                    reports.append(told)
            if piece.end is not None and cut >= piece.end and not piece.untold and self._pieces[self._passed] is piece:
                self._passed += 1
                reports.append(SegmentHeard(piece.segment, now))
        return reports

    def _prefix(self, cut: int) -> tuple[Segment | None, int]:
        """The segment that `cut` falls into and the characters heard of it."""
        if self._passed < len(self._pieces) and self._pieces[self._passed].start < cut:
            piece = self._pieces[self._passed]
            return piece.segment, piece.chars_at(cut)
        return None, 0
