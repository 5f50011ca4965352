"""Tellings on the media path: the gate before them, the point at which they are told, and the one fate of each."""

from __future__ import annotations

import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentd.audio.marks import MARK_S
from agentd.audio.playout import CHUNK_S, GATE_AHEAD_S, MARGIN_S, Out, Playout
from agentd.messages import (
    Asked,
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
    Word,
)

RATE = 8000
WORD = 800
"""Samples of a word here: a tenth of a second."""

PREBUFFER = 0.16
"""That of a telephone leg: all of it is sent ahead."""


@dataclass
class Switch:
    """What a carrier does with what it is sent: it plays it in order, and answers marks `rtt` after their audio was played.

    `on_clear`: whether it then says of each mark that it was cleared, echoes it as if it had been played, or is silent.
    `loses` tells of each mark in turn whether its answer gets lost.
    """

    clears: bool
    on_clear: str = "says"
    rtt: float = 0.0
    loses: Callable[[str], bool] = lambda name: False
    busy_until: float = 0.0
    chunks: list[tuple[float, int, Reply, list[int]]] = field(default_factory=list)
    answers: list[tuple[float, str, bool]] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    played: set[str] = field(default_factory=set)

    def take(self, out: Out, reply: Reply, now: float) -> None:
        if out.mark:
            played_at = max(now, self.busy_until)
            self.marks.append((played_at, out.mark))
            if not self.loses(out.mark):
                self.answers.append((played_at + self.rtt, out.mark, False))
            return
        start = max(now, self.busy_until)
        samples = [sample - 1 for sample in array.array("H", out.pcm)]
        self.chunks.append((start, len(samples), reply, samples))
        self.busy_until = start + len(samples) / RATE

    def clear(self, now: float) -> None:
        if not self.clears:
            return
        self.chunks = [
            (start, size, reply, samples[: max(0, int((now - start) * RATE))]) for start, size, reply, samples in self.chunks
        ]
        self.busy_until = min(self.busy_until, now)
        dropped = {name for at, name in self.marks if at > now}
        kept = [answer for answer in self.answers if answer[1] not in dropped]
        if self.on_clear != "silent":
            kept += [(now + self.rtt, name, self.on_clear == "says") for name in sorted(dropped)]
        self.answers = kept
        self.marks = [(at, name) for at, name in self.marks if at <= now]

    def heard(self, reply: Reply, sample: int, by: float) -> bool:
        """Whether that sample of the reply was on the loudspeaker by then."""
        return any(
            of == reply and sample in samples and start + (samples.index(sample) + 1) / RATE <= by + 1e-6
            for start, _, of, samples in self.chunks
        )


class Line:
    """A playout, fed numbered samples, a switch behind it, and the conductor's release where it comes by itself."""

    def __init__(
        self,
        *,
        clears: bool = True,
        acks: bool = False,
        release_after: float | None = 0.0,
        on_clear: str = "says",
        rtt: float = 0.0,
        loses: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self.playout = Playout(RATE, prebuffer=PREBUFFER, clears=clears, acks=acks)
        self.switch = Switch(clears, on_clear, rtt, loses)
        self.release_after = release_after
        self.now = 10.0
        self.reply = Reply(1, 0)
        self.made = 0
        self.index = 0
        self.outs: list[tuple[float, Reply, Out]] = []
        self.reports: list[Any] = []
        self.released: set[str] = set()
        self.releases: list[tuple[float, str]] = []
        self.held = False

    @property
    def pos(self) -> int:
        """The caller's audio stands where the clock does."""
        return round(self.now * RATE)

    # ── What comes in ────────────────────────────────────────────────────────────────────────────────────────────────

    def say(self, words: int, **kind: Any) -> Segment:
        """A segment of so many words; `timed`: the voice gives their times. `unfinished`: its end has not come yet."""
        timed, pieces, unfinished = kind.pop("timed", True), kind.pop("pieces", 1), kind.pop("unfinished", False)
        segment = Segment(self.reply, self.index, " ".join(["abc"] * words), **kind)
        self.index += 1
        total, start = words * WORD, self.made
        samples = array.array("H", [start + n + 1 for n in range(total)]).tobytes()
        self.made += total
        size = max(1, -(-total // pieces))
        for first in range(0, total, size):
            times = tuple(Word(n * WORD, 4 * n, 3) for n in range(words) if timed and first <= n * WORD < first + size)
            self.playout.add(Audio(segment, samples[2 * first : 2 * (first + size)], times), self.now)
        if not unfinished:
            self.finish(segment)
        return segment

    def tell(self, words: int, value: int, **kind: Any) -> Segment:
        """A telling of so many words whose last value ends with word number `value`."""
        return self.say(words, effect=f"effect{self.index}", told_from=4 * value - 1 if value else 0, **kind)

    def finish(self, segment: Segment) -> None:
        """The voice ends a segment, as it does: with no audio."""
        self.playout.add(Audio(segment, b"", last=True), self.now)

    def end(self) -> None:
        self.playout.end(ReplyEnd(self.reply, self.index))

    def release(self, segment: Segment) -> None:
        self.releases.append((self.now, segment.key))

    # ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def step(self, seconds: float = 0.0) -> None:
        """Time passes; the writer wakes when it asked to, when the switch answers, and at a release."""
        until = self.now + seconds
        for _ in range(50 + int(40 * seconds)):
            self._deliver()
            for out in self.playout.send(self.now):
                self.outs.append((self.now, self.reply, out))
                self.switch.take(out, self.reply, self.now)
            self._note(self.playout.poll(self.now, self.pos))
            wake = self.playout.wake_at(self.now)
            due = [at for at, *_ in (*self.switch.answers, *self.releases)]
            soonest = min([at for at in (wake, *due) if at is not None], default=until + 1)
            if soonest > until:
                self.now = until
                return
            self.now = max(soonest, self.now)
        raise AssertionError("the playout spins")

    def _deliver(self) -> None:
        for answer in sorted(answer for answer in self.switch.answers if answer[0] <= self.now):
            self.switch.answers.remove(answer)
            _, name, cleared = answer
            if not cleared and any(mark == name for _, mark in self.switch.marks):
                self.switch.played.add(name)
            self.playout.acknowledge(name, cleared=cleared)
        for release in [release for release in self.releases if release[0] <= self.now]:
            self.releases.remove(release)
            self.released.add(release[1])
            self.playout.release(release[1], self.now)

    def _note(self, reports: list[Any]) -> None:
        for report in reports:
            self.reports.append(report)
            if isinstance(report, TellingDue) and self.release_after is not None:
                self.releases.append((self.now + self.release_after, report.segment.key))

    def hold(self) -> list[Any]:
        reports: list[Any] = list(self.playout.hold(self.reply, self.now, self.pos))
        self.switch.clear(self.now)
        self._note(reports)
        self.held = True
        return reports

    def resume(self) -> None:
        self.playout.resume(self.reply)
        self.held = False

    def abandon(self) -> list[Any]:
        reports: list[Any] = list(self.playout.abandon(self.reply.epoch + 1, self.now, self.pos))
        self.switch.clear(self.now)
        self._note(reports)
        self.reply = Reply(1, self.reply.epoch + 1)
        self.made = self.index = 0
        self.held = False
        return reports

    # ── What became of it ────────────────────────────────────────────────────────────────────────────────────────────

    def sent(self, reply: Reply | None = None) -> list[int]:
        """The numbers of a reply's samples that went out, padding left out."""
        reply = reply or self.reply
        pcm = b"".join(out.pcm for _, of, out in self.outs if of == reply)
        return [sample - 1 for sample in array.array("H", pcm) if sample]

    def marks(self) -> list[str]:
        return [out.mark for _, _, out in self.outs if out.mark]

    def of(self, *kinds: type) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kinds)]

    def fates(self, segment: Segment) -> list[Any]:
        return [report for report in self.of(TellingPlayed, TellingCut) if report.segment == segment]


def kinds(reports: list[Any]) -> list[type]:
    return [type(report) for report in reports]


# ── The gate ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_of_a_telling_goes_out_before_its_release_and_what_is_before_it_does() -> None:
    line = Line(release_after=None)
    line.say(5)
    told = line.tell(5, 3)
    line.step(5)
    assert line.sent() == list(range(5 * WORD))
    line.release(told)
    line.step(2)
    assert line.sent() == list(range(10 * WORD))


def test_a_segment_that_is_not_whole_lets_nothing_of_the_telling_behind_it_slip_out() -> None:
    line = Line(release_after=None)
    line.say(1, unfinished=True)
    line.tell(5, 3)
    line.step(5)
    assert len(line.sent()) <= WORD
    assert line.playout.wake_at(line.now) is None


@pytest.mark.parametrize("acks", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_what_must_not_be_told_any_more_is_left_out_and_the_reply_goes_on_behind_it(acks: bool, late: bool) -> None:
    line = Line(release_after=None, acks=acks)
    before = line.say(2)
    told = line.tell(3, 2, unfinished=late, pieces=3)
    if not late:
        line.say(2)
        line.end()
    line.step(2.0)
    line.playout.skip(told.key)
    if late:
        line.finish(told)
        line.say(2)
        line.end()
    line.step(3.0)
    assert line.sent() == [*range(2 * WORD), *range(5 * WORD, 7 * WORD)]
    assert [heard.segment.index for heard in line.of(SegmentHeard)] == [before.index, 2]
    assert line.fates(told) == []
    assert len(line.of(ReplyHeard)) == 1


def test_a_reply_that_is_nothing_but_what_must_not_be_told_is_over_at_once() -> None:
    line = Line(release_after=None)
    told = line.tell(3, 2)
    line.end()
    line.step(1.0)
    line.playout.skip(told.key)
    line.step(0.1)
    assert line.sent() == []
    assert len(line.of(ReplyHeard)) == 1


def test_the_release_is_asked_for_once_and_shortly_before_it_is_needed() -> None:
    line = Line(release_after=None)
    line.say(20)
    told = line.tell(5, 3)
    line.step(0.1)
    assert line.of(TellingDue) == []
    line.step(5)
    [due] = line.of(TellingDue)
    assert due.segment == told
    [sent_by_then] = {sum(len(out.pcm) for at, _, out in line.outs if at <= due.at) // 2}
    assert 20 * WORD - GATE_AHEAD_S * RATE - CHUNK_S * RATE <= sent_by_then - 1 <= 20 * WORD


def test_a_telling_that_opens_the_reply_is_due_at_once() -> None:
    line = Line(release_after=None)
    line.tell(5, 3)
    line.step()
    assert kinds(line.reports) == [TellingDue]
    assert line.outs == []


def test_a_release_that_comes_in_time_leaves_no_gap() -> None:
    line = Line(release_after=0.3)
    line.say(20)
    line.tell(5, 3)
    line.tell(5, 3)
    line.end()
    line.step(10)
    assert len(line.of(PlaybackBegan)) == 1
    assert len(line.of(ReplyHeard)) == 1
    starts = [start for start, *_ in line.switch.chunks]
    assert starts[-1] - starts[0] == pytest.approx(sum(size for _, size, *_ in line.switch.chunks[:-1]) / RATE)


@pytest.mark.parametrize("acks", [False, True])
@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("before", [0, 5])
def test_to_wait_at_the_gate_is_no_hole_no_end_no_drought_and_no_spinning(before: int, ended: bool, acks: bool) -> None:
    line = Line(release_after=None, acks=acks)
    if before:
        line.say(before)
    told = line.tell(5, 3)
    if ended:
        line.end()
    line.step(3)
    assert line.playout.wake_at(line.now) is None
    assert line.of(RanDry, ReplyHeard, TellingPlayed) == []
    assert len(line.of(SegmentHeard)) == (before > 0)
    line.release(told)
    line.step(3)
    assert line.playout.holes == 0
    assert len(line.of(PlaybackBegan)) == 1 + (before > 0)
    assert len(line.of(SegmentHeard)) == 1 + (before > 0)
    assert kinds(line.reports)[-1] is (ReplyHeard if ended else RanDry)


def test_no_tail_of_silence_stands_between_what_was_said_and_a_telling_that_waits() -> None:
    line = Line(release_after=None)
    line.say(5)
    line.tell(5, 3)
    line.end()
    line.step(3)
    assert sum(len(out.pcm) for _, _, out in line.outs) == 2 * 5 * WORD


def test_the_wait_at_the_gate_is_nobodys_lateness() -> None:
    line = Line(release_after=None)
    line.say(5)
    told = line.tell(5, 3)
    line.step(0.45)
    line.playout.release(told.key, line.now)
    assert line.playout.send(line.now)
    assert line.playout.late == 0.0


def test_a_question_that_waits_at_the_gate_cannot_be_answered_yet() -> None:
    line = Line(release_after=None)
    line.say(5)
    told = line.tell(5, 3, answer_from=0)
    line.step(3)
    assert line.of(Asked) == []
    line.release(told)
    line.step(1)
    assert len(line.of(Asked)) == 1


def test_a_release_that_comes_before_it_was_asked_for_counts_and_makes_it_a_telling_that_was_begun() -> None:
    line = Line(release_after=None)
    line.say(20)
    told = line.tell(5, 3)
    line.release(told)
    line.step(0.5)
    *_, cut, _ = line.abandon()
    assert cut == TellingCut(told, line.now)
    assert line.of(TellingDue) == []


def test_what_was_released_stays_released_and_is_not_due_again() -> None:
    line = Line(release_after=0.0)
    line.tell(8, 8)
    line.end()
    line.step(0.3)
    line.hold()
    line.step(1)
    line.resume()
    line.step(3)
    assert len(line.of(TellingDue)) == 1
    assert len(line.of(ReplyHeard)) == 1


def test_a_release_that_comes_while_the_reply_is_held_counts_when_it_goes_on() -> None:
    line = Line(release_after=None)
    told = line.tell(5, 3)
    line.end()
    line.step(0.1)
    line.hold()
    line.release(told)
    line.step(1)
    assert line.outs == []
    line.resume()
    line.step(2)
    assert len(line.of(ReplyHeard)) == 1
    assert len(line.of(TellingDue)) == 1


def test_the_release_of_another_telling_opens_nothing() -> None:
    line = Line(release_after=None)
    dead = line.tell(5, 3)
    line.step(0.1)
    line.abandon()
    line.tell(5, 3)
    line.release(dead)
    line.step(3)
    assert line.sent() == []


def test_each_telling_has_a_gate_of_its_own() -> None:
    line = Line(release_after=None)
    first, second = line.tell(5, 3), line.tell(5, 3)
    line.step()
    line.release(first)
    line.step(3)
    assert [due.segment for due in line.of(TellingDue)] == [first, second]
    assert line.sent() == list(range(5 * WORD))


# ── The telling point ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("value", "timed", "point"), [(4, True, 4), (4, False, 6), (6, True, 6), (0, True, 6)])
@pytest.mark.parametrize("acks", [False, True])
def test_the_telling_point_is_the_end_of_the_last_value_or_of_the_segment_where_that_is_not_known(
    value: int, timed: bool, point: int, acks: bool
) -> None:
    line = Line(acks=acks)
    line.say(2)
    told = line.tell(6, value, timed=timed)
    line.end()
    began = line.now
    line.step(5)
    [played] = line.fates(told)
    assert isinstance(played, TellingPlayed)
    # A mark knows better than a clock with a margin.
    assert played.at - began == pytest.approx((2 + point) * 0.1 + (0.0 if acks else MARGIN_S), abs=0.003)
    assert played.pos == pytest.approx(played.at * RATE, abs=1)


@pytest.mark.parametrize("acks", [False, True])
@pytest.mark.parametrize("value", [2, 5])
def test_that_it_was_told_is_said_before_the_segment_is_heard(value: int, acks: bool) -> None:
    line = Line(acks=acks)
    line.tell(5, value)
    line.end()
    line.step(5)
    assert kinds(line.reports)[-3:] == [TellingPlayed, SegmentHeard, ReplyHeard]


@pytest.mark.parametrize("pieces", [1, 3, 7])
def test_the_mark_stands_right_behind_the_telling_point(pieces: int) -> None:
    line = Line(acks=True)
    line.say(1)
    line.tell(7, 3, pieces=pieces)
    line.end()
    line.step(5)
    place = [out.mark for _, _, out in line.outs].index("1.0.1.0.t")
    assert sum(len(out.pcm) for _, _, out in line.outs[:place]) == 2 * (1 + 3) * WORD
    assert line.marks() == ["1.0.0.0", "1.0.1.0.t", "1.0.1.0"]


def test_where_the_point_is_the_segments_end_one_mark_serves_both() -> None:
    line = Line(acks=True)
    line.tell(5, 5)
    line.end()
    line.step(5)
    assert line.marks() == ["1.0.0.0.t"]
    assert kinds(line.reports)[-3:] == [TellingPlayed, SegmentHeard, ReplyHeard]


def test_a_point_that_is_known_only_when_all_was_sent_gets_its_mark_then() -> None:
    line = Line(acks=True)
    told = line.tell(4, 4, unfinished=True)
    line.step(MARK_S + 3)
    assert line.fates(told) == []
    line.finish(told)
    line.end()
    line.step(1)
    assert kinds(line.fates(told)) == [TellingPlayed]


def test_a_word_time_beyond_the_audio_leaves_no_telling_without_its_point() -> None:
    line = Line()
    told = Segment(line.reply, 0, "abc abc", effect="effect0", told_from=3)
    line.playout.add(Audio(told, b"\1\1" * WORD, (Word(0, 0, 3), Word(5 * WORD, 4, 3)), last=True), line.now)
    line.step(3)
    assert kinds(line.fates(told)) == [TellingPlayed]


def test_who_looks_late_takes_the_callers_position_of_then() -> None:
    line = Line()
    told = line.tell(9, 3)
    line.step(0.2)
    line.now += 0.8
    assert line.playout.poll(line.now, line.pos)[-1] == TellingPlayed(told, line.now, line.pos)


def test_a_telling_counts_only_when_its_own_mark_came_back() -> None:
    line = Line(acks=True, loses=lambda name: True)
    told = line.tell(9, 3)
    line.end()
    line.step(0.9)
    assert line.fates(told) == []
    for foreign in ("1.0.0.0", "1.0.0.1.t", "1.1.0.0.t", "0.0.0.0.t", "1.0.1.0.t", ""):
        line.playout.acknowledge(foreign, cleared=False)
        line.step()
    assert line.fates(told) == []
    line.playout.acknowledge("1.0.0.0.t", cleared=False)
    line.playout.acknowledge("1.0.0.0.t", cleared=False)
    line.step(5)
    assert kinds(line.fates(told)) == [TellingPlayed]


def test_the_point_of_a_question_is_reported_by_the_clock_whatever_its_mark_does() -> None:
    line = Line(acks=True, loses=lambda name: name.endswith(".t"))
    line.tell(9, 3, answer_from=11)
    began = line.now
    line.step(1)
    [asked] = line.of(Asked)
    assert asked.at - began == pytest.approx(0.3 + MARGIN_S, abs=0.003)


def test_a_segment_that_tells_nothing_has_no_gate_and_no_fate() -> None:
    line = Line(acks=True, release_after=None)
    line.say(5, told_from=3)
    line.end()
    line.step(5)
    assert line.of(TellingDue, TellingPlayed, TellingCut) == []
    assert line.of(ReplyHeard)
    assert line.marks() == ["1.0.0.0"]


# ── Fates ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", [3, 9])
def test_a_mark_that_never_comes_back_is_lost_and_playback_goes_on(value: int) -> None:
    line = Line(acks=True, loses=lambda name: name.endswith(".t"))
    told = line.tell(9, value)
    line.say(9)
    line.end()
    began = line.now
    line.step(10)
    [cut] = line.fates(told)
    assert cut == TellingCut(told, cut.at, lost=True)
    assert cut.at - began == pytest.approx(0.1 * value + MARK_S, abs=0.003)
    after = line.reports[line.reports.index(cut) + 1 :]
    assert kinds(after) == [SegmentHeard, SegmentHeard, ReplyHeard]
    assert line.sent() == list(range(18 * WORD))
    line.playout.acknowledge(line.marks()[0], cleared=False)
    line.step(1)
    assert len(line.fates(told)) == 1


def test_a_mark_that_the_carrier_cleared_unasked_cuts_the_telling() -> None:
    line = Line(acks=True, loses=lambda name: True)
    told = line.tell(9, 3)
    line.end()
    line.step(0.5)
    line.playout.acknowledge(line.marks()[0], cleared=True)
    line.step()
    assert line.fates(told) == [TellingCut(told, line.now)]
    line.step(5)
    assert len(line.fates(told)) == 1
    assert line.of(ReplyHeard)


@pytest.mark.parametrize("on_clear", ["says", "echoes", "silent"])
def test_what_comes_back_after_our_own_clear_says_nothing_whatever_it_is_called(on_clear: str) -> None:
    line = Line(acks=True, on_clear=on_clear)
    told = line.tell(9, 3)
    line.end()
    line.step(0.2)
    assert line.marks() == ["1.0.0.0.t"]
    line.hold()
    line.step(1)
    line.resume()
    line.step(0.05)
    assert line.fates(told) == []
    line.step(5)
    assert line.marks()[1] == "1.0.0.1.t"
    assert kinds(line.fates(told)) == [TellingPlayed]
    assert line.switch.heard(line.reply, 3 * WORD - 1, line.fates(told)[0].at)


@pytest.mark.parametrize("on_clear", ["says", "echoes", "silent"])
def test_what_an_abandoned_telling_left_behind_says_nothing_of_the_next_reply(on_clear: str) -> None:
    line = Line(acks=True, on_clear=on_clear, rtt=0.1)
    line.tell(9, 3)
    line.step(0.2)
    line.abandon()
    again = line.tell(9, 3)
    line.step(0.25)
    assert line.fates(again) == []
    line.step(5)
    assert kinds(line.fates(again)) == [TellingPlayed]


@pytest.mark.parametrize("acks", [False, True])
def test_a_hold_says_nothing_of_a_telling_that_it_cuts_and_no_time_runs_out_meanwhile(acks: bool) -> None:
    line = Line(acks=acks)
    told = line.tell(9, 6)
    line.end()
    line.step(0.5)
    assert kinds(line.hold()) == [Held]
    line.step(3 * MARK_S)
    assert line.fates(told) == []
    line.resume()
    line.step(5)
    assert kinds(line.fates(told)) == [TellingPlayed]
    assert sorted(set(line.sent())) == list(range(9 * WORD))


def test_a_telling_whose_mark_was_not_back_at_the_cut_is_sent_again_from_its_last_value_on() -> None:
    line = Line(acks=True, rtt=0.3)
    told = line.tell(9, 3)
    line.end()
    line.step(0.5)
    line.hold()
    assert line.fates(told) == []
    before = len(line.sent())
    line.resume()
    line.step(5)
    assert line.sent()[before] == 2 * WORD
    assert kinds(line.fates(told)) == [TellingPlayed]


@pytest.mark.parametrize("acks", [False, True])
def test_a_telling_that_was_told_is_not_told_again_by_a_resumption_nor_cut_by_an_end(acks: bool) -> None:
    line = Line(acks=acks)
    told = line.tell(9, 3)
    line.step(0.6)
    line.hold()
    line.step(1)
    line.resume()
    line.step(0.1)
    line.abandon()
    assert kinds(line.fates(told)) == [TellingPlayed]


@pytest.mark.parametrize("stop", ["hold", "abandon"])
def test_where_nothing_can_be_cleared_what_was_sent_is_told_at_the_position_where_it_will_be_played(stop: str) -> None:
    line = Line(clears=False)
    told = line.tell(9, 3)
    began = line.now
    line.step(0.2)
    *heard, last = line.hold() if stop == "hold" else line.abandon()
    assert heard == [TellingPlayed(told, line.now, round((began + 0.3 + MARGIN_S) * RATE))]
    assert isinstance(last, Held if stop == "hold" else Stopped)
    line.step(1)
    assert line.switch.heard(told.reply, 3 * WORD - 1, heard[0].pos / RATE)


def test_where_nothing_can_be_cleared_marks_are_awaited_all_the_same() -> None:
    line = Line(clears=False, acks=True)
    told, behind = line.tell(2, 2), line.say(1)
    line.end()
    line.step(0.15)
    sent = line.sent()
    assert kinds(line.hold()) == [Held]
    line.step(1)
    line.resume()
    line.step(5)
    assert kinds(line.fates(told)) == [TellingPlayed]
    assert [report.segment for report in line.of(SegmentHeard)] == [told, behind]
    assert kinds(line.reports)[-1] is ReplyHeard
    assert line.sent() == sent, "what will be played is not sent again"


def test_where_nothing_can_be_cleared_a_telling_without_its_mark_is_cut_all_the_same() -> None:
    line = Line(clears=False, acks=True)
    told = line.tell(9, 3)
    line.step(0.2)
    line.hold()
    line.step(1)
    line.resume()
    *_, cut, _ = line.abandon()
    assert cut == TellingCut(told, line.now)


def test_a_point_that_is_first_known_when_it_is_cut_needs_its_mark_too() -> None:
    line = Line(acks=True)
    told = line.tell(4, 4, unfinished=True)
    line.step(2)
    line.finish(told)
    line.hold()
    before = len(line.sent())
    line.resume()
    line.step(1)
    assert line.sent()[before:] == list(range(3 * WORD, 4 * WORD))
    assert kinds(line.fates(told)) == [TellingPlayed]


def test_a_point_that_is_first_known_when_it_was_played_and_held_counts_by_the_clock() -> None:
    line = Line()
    told = line.tell(4, 4, unfinished=True)
    line.step(2)
    line.hold()
    line.finish(told)
    line.abandon()
    assert kinds(line.fates(told)) == [TellingPlayed]


@pytest.mark.parametrize("clears", [False, True])
@pytest.mark.parametrize("acks", [False, True])
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("begun", ["due", "released", "sent"])
def test_a_telling_that_was_begun_is_cut_once_when_its_reply_is_abandoned(
    begun: str, held: bool, acks: bool, clears: bool
) -> None:
    line = Line(clears=clears, acks=acks, release_after=None)
    line.say(2)
    told = line.tell(9, 9)
    line.step(0.05)
    if begun != "due":
        line.release(told)
        line.step(0.4 if begun == "sent" else 0.0)
    if held:
        line.hold()
    *_, cut, stopped = line.abandon()
    assert cut == TellingCut(told, line.now)
    assert isinstance(stopped, Stopped)
    line.step(MARK_S + 1)
    assert len(line.fates(told)) == 1


def test_a_telling_that_was_never_near_is_not_cut() -> None:
    line = Line()
    line.say(20)
    told = line.tell(5, 3)
    line.step(0.5)
    line.abandon()
    assert line.of(TellingDue) == line.fates(told) == []


def test_a_telling_without_sound_that_was_never_near_is_not_cut_either() -> None:
    line = Line()
    line.say(20)
    told = line.tell(0, 0)
    line.step(0.5)
    line.abandon()
    assert line.fates(told) == []


def test_without_its_mark_the_clock_counts_for_nothing_and_the_heard_prefix_ends_before_the_point() -> None:
    line = Line(acks=True, rtt=0.5)
    told = line.tell(9, 3)
    line.step(0.6)
    *_, cut, stopped = line.abandon()
    assert cut == TellingCut(told, line.now)
    assert isinstance(stopped, Stopped)
    assert stopped.chars < told.told_from


def test_a_mark_that_came_back_counts_also_where_nobody_looked_since() -> None:
    line = Line(acks=True, loses=lambda name: True)
    told = line.tell(9, 3)
    line.step(0.4)
    line.playout.acknowledge(line.marks()[0], cleared=False)
    played, _ = line.abandon()
    assert played == TellingPlayed(told, line.now, line.pos)


def test_of_two_tellings_each_has_its_own_fate_in_their_order() -> None:
    line = Line()
    first, second = line.tell(3, 3), line.tell(9, 9)
    line.step(0.8)
    line.abandon()
    assert [(type(fate), fate.segment) for fate in line.of(TellingPlayed, TellingCut)] == [
        (TellingPlayed, first),
        (TellingCut, second),
    ]


@pytest.mark.parametrize("acks", [False, True])
def test_a_telling_for_which_the_voice_had_no_sound_is_cut(acks: bool) -> None:
    line = Line(acks=acks)
    line.say(3)
    told = line.tell(0, 0)
    line.end()
    line.step(3)
    assert line.fates(told) == [TellingCut(told, line.fates(told)[0].at)]
    assert line.of(ReplyHeard)


# ── Whatever happens ─────────────────────────────────────────────────────────────────────────────────────────────────

ACTION = st.one_of(
    st.tuples(st.just("tell"), st.integers(1, 8), st.integers(0, 8)),
    st.tuples(st.just("say"), st.integers(1, 8), st.integers(1, 4)),
    st.tuples(st.just("wait"), st.floats(0.001, 1.2), st.just(0)),
    st.tuples(st.sampled_from(["hold", "resume", "abandon", "end"]), st.just(0), st.just(0)),
)


@settings(max_examples=250, deadline=None)
@given(
    actions=st.lists(ACTION, max_size=25),
    clears=st.booleans(),
    acks=st.booleans(),
    timed=st.booleans(),
    on_clear=st.sampled_from(["says", "echoes", "silent"]),
    rtt=st.sampled_from([0.0, 0.05, 0.3]),
    release_after=st.sampled_from([0.0, 0.03, 0.5]),
    lost=st.frozensets(st.integers(0, 20), max_size=6),
)
@example([("tell", 8, 3), ("wait", 0.2, 0), ("hold", 0, 0), ("resume", 0, 0)], False, True, True, "says", 0.3, 0.0, frozenset())
def test_each_telling_has_one_true_fate_whatever_happens(
    actions: list[tuple[str, float, int]],
    clears: bool,
    acks: bool,
    timed: bool,
    on_clear: str,
    rtt: float,
    release_after: float,
    lost: frozenset[int],
) -> None:
    count = iter(range(10_000))
    line = Line(
        clears=clears,
        acks=acks,
        release_after=release_after,
        on_clear=on_clear,
        rtt=rtt,
        loses=lambda name: next(count) in lost,
    )
    points: dict[Segment, tuple[int, int]] = {}
    ended = False
    for what, amount, other in (*actions, ("resume", 0, 0), ("end", 0, 0), ("wait", 15.0, 0)):
        match what:
            case "tell" if not ended and line.made < 30_000:
                words, value, start = int(amount), min(int(amount), other), line.made
                told = line.tell(words, value, timed=timed, pieces=1 + other % 3)
                points[told] = (start, start + WORD * (value if timed and value else words))
            case "say" if not ended and line.made < 30_000:
                line.say(int(amount), timed=timed, pieces=other)
            case "wait":
                line.step(amount)
            case "hold" if line.index:
                *heard, last = line.hold()
                assert isinstance(last, Held)
                assert not [report for report in heard if isinstance(report, TellingCut) and not report.lost]
            case "resume" if line.held:
                line.resume()
            case "end":
                line.end()
                ended = True
            case "abandon":
                *_, last = line.abandon()
                assert isinstance(last, Stopped)
                ended = False
        for told, (start, _) in points.items():
            if told.key not in line.released and told.reply == line.reply:
                assert max(line.sent(), default=-1) < start, "nothing of a telling leaves before its release"
    due = [report.segment for report in line.of(TellingDue)]
    assert len(due) == len(set(due)), "a release is asked for once"
    for told in points:
        assert len(line.fates(told)) == due.count(told), "each telling that was due has one fate, and no other has any"
    played = line.of(TellingPlayed)
    for one, two in pairwise(played):
        assert one.pos <= two.pos
    for report in played:
        told, point = report.segment, points[report.segment][1]
        assert point - 1 in line.sent(told.reply), "nothing is told that was not sent"
        assert line.switch.heard(told.reply, point - 1, (report.pos + 1) / RATE), "nothing is told that was not heard"
        mine = [name for name in line.switch.played if name.startswith(f"{told.key}.") and name.endswith(".t")]
        assert mine or not acks, "nor without its mark"
    for number, report in enumerate(line.reports):
        if isinstance(report, SegmentHeard) and report.segment.effect:
            [fate] = line.fates(report.segment)
            assert line.reports.index(fate) < number, "what became of a telling is said before it is heard"
    assert not acks or len(line.marks()) == len(set(line.marks())), "a mark's name is used once"
