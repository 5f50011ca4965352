"""The playout clock: what hypothesis may do to it, and what holds all the same."""

from __future__ import annotations

import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentd import limits
from agentd.audio.marks import MARK_S
from agentd.audio.playout import CHUNK_S, MARGIN_S, Out, Playout
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
    Word,
)

RATE = 8000
WORD = 800
"""Samples of a word here: a tenth of a second."""


class World:
    """A playout, fed numbered samples, and a clock that one moves by hand."""

    def __init__(self, *, clears: bool = True, acks: bool = False, prebuffer: float = 0.16) -> None:
        self.playout = Playout(RATE, prebuffer=prebuffer, clears=clears, acks=acks)
        self.lead = max(limits.LEAD_S, prebuffer)
        self.now = 10.0
        self.reply = Reply(1, 0)
        self.made = 0
        self.index = 0
        self.outs: list[tuple[float, Out]] = []
        self.reports: list[object] = []
        self.segments: list[Segment] = []
        self.ended = False

    # ── What comes in ────────────────────────────────────────────────────────────────────────────────────────────────

    def segment(self, words: int, pieces: int = 1, *, answer_from: int | None = None) -> Segment:
        """A segment of so many words of three letters, in so many pieces; each sample is a number of its own."""
        text = " ".join(["abc"] * words)
        segment = Segment(self.reply, self.index, text, answer_from=answer_from)
        self.index += 1
        self.segments.append(segment)
        total = words * WORD
        start = self.made
        samples = array.array("H", [(start + i) % 60000 + 1 for i in range(total)]).tobytes()
        self.made += total
        size = -(-total // pieces)
        for first in range(0, total, size):
            marks = tuple(Word(n * WORD, 4 * n, 3) for n in range(words) if first <= n * WORD < first + size)
            last = first + size >= total
            self.playout.add(Audio(segment, samples[2 * first : 2 * (first + size)], marks, last=last), self.now)
        return segment

    def end(self) -> None:
        self.playout.end(ReplyEnd(self.reply, self.index))
        self.ended = True

    def step(self, seconds: float = 0.0) -> None:
        """Time passes, and the writer does what it does each time that it wakes."""
        until = self.now + seconds
        for _ in range(10000):
            self.outs += [(self.now, out) for out in self.playout.send(self.now)]
            self.reports += self.playout.poll(self.now, int(self.now * RATE))
            wake = self.playout.wake_at(self.now)
            if wake is None or wake > until:
                self.now = until
                return
            assert wake > self.now or wake == self.now == until or not self.outs or self.outs[-1][0] == self.now
            self.now = max(wake, self.now)
        raise AssertionError("the playout spins")

    def hold(self) -> Held:
        *heard, held = self.playout.hold(self.reply, self.now, int(self.now * RATE))
        self.reports += heard
        assert isinstance(held, Held)
        return held

    def abandon(self) -> Stopped:
        *heard, stopped = self.playout.abandon(self.reply.epoch + 1, self.now, int(self.now * RATE))
        self.reports += heard
        self.reply = Reply(1, self.reply.epoch + 1)
        self.made = self.index = 0
        self.segments, self.ended = [], False
        assert isinstance(stopped, Stopped)
        return stopped

    # ── What went out ────────────────────────────────────────────────────────────────────────────────────────────────

    def sent(self, since: int = 0) -> list[int]:
        """The numbers of the samples that went out, padding left out."""
        samples = array.array("H", b"".join(out.pcm for _, out in self.outs[since:]))
        return [sample - 1 for sample in samples if sample]

    def of(self, kind: type) -> list[object]:
        return [report for report in self.reports if isinstance(report, kind)]


ACTION = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 8), st.integers(1, 6)),
    st.tuples(st.just("wait"), st.floats(0.001, 1.5), st.just(0)),
    st.tuples(st.sampled_from(["hold", "resume", "abandon", "end"]), st.just(0), st.just(0)),
)


@settings(max_examples=150, deadline=None)
@given(actions=st.lists(ACTION, max_size=25), clears=st.booleans(), prebuffer=st.sampled_from([0.0, 0.08, 0.16]))
def test_whatever_happens_samples_go_out_in_order_and_reports_tell_the_truth(
    actions: list[tuple[str, float, int]], clears: bool, prebuffer: float
) -> None:
    world = World(clears=clears, prebuffer=prebuffer)
    heard_upto, base, held = 0, 0, False
    for what, amount, pieces in actions:
        match what:
            case "add" if not world.ended and world.made < 50000:
                world.segment(int(amount), pieces)
            case "wait":
                world.step(amount)
            case "hold" if world.index:
                before = len(world.outs)
                report = world.hold()
                held = True
                assert report.reply == world.reply
                world.step(0.5)
                assert not world.sent(before), "nothing goes out while it is held"
            case "resume" if held:
                world.playout.resume(world.reply)
                held = False
            case "end":
                world.end()
            case "abandon":
                old = world.reply
                world.abandon()
                assert not [s for s in world.reports if isinstance(s, SegmentHeard) and s.segment.reply > old]
                base, held = len(world.outs), False
                before = len(world.outs)
                world.step(0.5)
                assert not world.sent(before), "nothing of a dead reply goes out"
        # In order, each sample once, but for the word at which a resumption begins.
        expected = 0
        for sample in world.sent(base):
            if sample != expected:
                assert sample < expected, "no sample is missing"
                assert sample % WORD == 0 or sample == expected, "a resumption begins with a word"
            expected = sample + 1
        assert expected <= world.made
        heard = [report.segment.index for report in world.of(SegmentHeard) if report.segment.reply == world.reply]  # type: ignore[attr-defined]
        assert heard == sorted(set(heard)), "each segment is heard once and in order"
        heard_upto = sum(len(world.segments[i].text.split()) * WORD for i in heard)
        assert heard_upto <= max([0, *(sample + 1 for sample in world.sent(base))]), "no more is heard than was sent"
        ends = [n for n, report in enumerate(world.reports) if isinstance(report, ReplyHeard) and report.reply == world.reply]
        if ends:
            after = world.reports[ends[0] + 1 :]
            assert not [r for r in after if isinstance(r, SegmentHeard) and r.segment.reply == world.reply]
    for at, out in world.outs:
        assert out.play_at - at <= world.lead + 1e-6 + 2 * prebuffer, "never more than the lead ahead"


@settings(max_examples=60, deadline=None)
@given(
    cuts=st.lists(st.floats(0.01, 0.9), max_size=6),
    clears=st.booleans(),
    acks=st.booleans(),
    words=st.lists(st.integers(1, 6), min_size=1, max_size=4),
)
def test_a_reply_that_is_held_and_resumed_again_and_again_is_heard_whole_and_each_time_repeats_at_most_a_word(
    cuts: list[float], clears: bool, acks: bool, words: list[int]
) -> None:
    world = World(clears=clears, acks=acks)
    for count in words:
        world.segment(count)
    world.end()
    for cut in cuts:
        world.step(cut)
        sent = max([0, *world.sent()])
        held = world.hold()
        world.step(0.7)
        before = len(world.outs)
        world.playout.resume(world.reply)
        world.step(0.0)
        resumed = world.sent(before)
        if resumed:
            assert resumed[0] % WORD == 0
            if not clears:
                assert sent + 1 - resumed[0] <= WORD, "at most the word that was cut is repeated"
        assert held.segment is None or held.segment.text[: held.chars] == held.segment.text[: held.chars].rstrip()
    world.step(10)
    if acks:
        world.step(MARK_S * len(words))
    assert sorted(set(world.sent())) == list(range(world.made))
    assert [report.segment.index for report in world.of(SegmentHeard)] == list(range(len(words)))  # type: ignore[attr-defined]
    assert world.of(ReplyHeard)
    assert isinstance(world.reports[-1], ReplyHeard)


def test_a_burst_fills_the_lead_at_once_and_then_time_paces() -> None:
    world = World()
    world.segment(10)
    world.step()
    ahead = len(world.sent()) / RATE
    assert world.lead <= ahead <= world.lead + CHUNK_S
    world.step(0.4)
    assert world.lead + 0.4 - 1e-6 <= len(world.sent()) / RATE <= world.lead + 0.4 + CHUNK_S


def test_a_tail_of_silence_follows_the_reply() -> None:
    world = World()
    world.segment(3)
    world.end()
    world.step(2)
    last = b"".join(out.pcm for _, out in world.outs)[2 * 3 * WORD :]
    assert last == bytes(2 * int(0.16 * RATE))


def test_the_reports_of_a_reply_come_once_and_in_order() -> None:
    world = World()
    world.segment(2)
    world.segment(2, answer_from=3)
    world.end()
    world.step(3)
    kinds = [type(report) for report in world.reports]
    assert kinds == [PlaybackBegan, Audible, SegmentHeard, Asked, SegmentHeard, ReplyHeard]


def test_a_segment_is_heard_a_margin_after_its_last_sample_was_played() -> None:
    world = World()
    world.segment(2)
    world.end()
    began = world.now
    world.step(3)
    [heard] = world.of(SegmentHeard)
    assert isinstance(heard, SegmentHeard)
    assert heard.at - began == pytest.approx(0.2 + MARGIN_S, abs=0.003)


def test_a_voice_that_starves_in_the_middle_of_a_segment_is_told_once() -> None:
    world = World()
    segment = Segment(world.reply, 0, "abc abc")
    world.playout.add(Audio(segment, b"\1\1" * WORD, (Word(0, 0, 3),)), world.now)
    world.step(30)
    assert [type(report) for report in world.reports] == [PlaybackBegan, Audible, RanDry]
    world.playout.add(Audio(segment, b"\1\1" * WORD, (Word(WORD, 4, 3),), last=True), world.now)
    world.end()
    world.step(2)
    assert [type(report) for report in world.reports[3:]] == [PlaybackBegan, SegmentHeard, ReplyHeard]
    assert world.playout.holes == 1


def test_audio_of_an_older_epoch_is_dropped() -> None:
    world = World()
    old = Segment(world.reply, 0, "old")
    world.abandon()
    world.playout.add(Audio(old, b"\1\1" * WORD, last=True), world.now)
    world.playout.end(ReplyEnd(old.reply, 1))
    world.step(2)
    assert world.outs == []
    assert world.reports == []


@pytest.mark.parametrize("clears", [True, False])
def test_what_was_heard_at_a_cut_is_whole_words_of_what_was_played_or_cannot_be_stopped(clears: bool) -> None:
    world = World(clears=clears)
    world.segment(10)
    world.step(0.35)
    played, sent = 0.35 - MARGIN_S, len(world.sent()) / RATE
    stopped = world.abandon()
    words = int((played if clears else sent) * RATE) // WORD
    assert stopped.chars == 4 * words - 1


def test_a_new_reply_is_played_behind_what_the_carrier_cannot_drop() -> None:
    world = World(clears=False)
    world.segment(10)
    world.step(0.3)
    end = world.now + world.lead
    world.abandon()
    world.segment(2)
    first = len(world.outs)
    world.step(0.1)
    assert world.outs[first][1].play_at == pytest.approx(end, abs=CHUNK_S + 0.001)


def test_what_a_carrier_still_gathers_is_pushed_out_by_silence() -> None:
    world = World(clears=False)
    segment = Segment(world.reply, 0, "abc")
    world.playout.add(Audio(segment, b"\1\1" * WORD, (Word(0, 0, 3),)), world.now)
    world.step()
    sent = sum(len(out.pcm) for _, out in world.outs) // 2
    assert sent < 0.16 * RATE
    world.abandon()
    world.step()
    assert sum(len(out.pcm) for _, out in world.outs) // 2 == int(0.16 * RATE)
    # It is played behind what was sent, and a recording places it there.
    assert world.outs[-1][1].play_at == pytest.approx(world.now + sent / RATE)


def test_a_segment_whose_mark_came_back_is_heard_and_not_before() -> None:
    world = World(acks=True)
    world.segment(2)
    world.end()
    world.step(1)
    assert world.of(SegmentHeard) == []
    [mark] = [out.mark for _, out in world.outs if out.mark]
    world.playout.acknowledge(mark, cleared=False)
    world.step(0.01)
    assert len(world.of(SegmentHeard)) == 1


def test_a_mark_that_is_lost_holds_nothing_up_for_ever() -> None:
    world = World(acks=True)
    world.segment(2)
    world.end()
    world.step(0.2 + MARK_S + 0.1)
    assert len(world.of(SegmentHeard)) == 1
    assert len(world.of(ReplyHeard)) == 1


def test_a_mark_of_an_earlier_sending_says_nothing_of_a_later_one() -> None:
    world = World(acks=True)
    world.segment(2)
    world.end()
    world.step(0.15)
    [mark] = [out.mark for _, out in world.outs if out.mark]
    world.hold()
    world.playout.acknowledge(mark, cleared=True)
    world.playout.resume(world.reply)
    world.step(0.5)
    world.playout.acknowledge(mark, cleared=False)
    world.step(0.01)
    assert world.of(SegmentHeard) == []
