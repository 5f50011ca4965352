"""The laws of turn-taking, held against calls that hypothesis invents."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from agentd.messages import (
    ActorDown,
    Draining,
    KeyPressed,
    MediaStalled,
    MediaStarted,
    MediaStopped,
    PlaybackBegan,
    Reply,
    ReplyHeard,
    ShutdownAsked,
    SpeechOnset,
    Timer,
    TimerFired,
)
from agentd.turn import machine
from agentd.turn.commands import Event, Then, Thought
from agentd.turn.timing import Timing
from agentd.turn.value import State
from tests.laws.world import World

WAYS_OUT = 40
"""Deadlines that may pass, with nobody there, before the call has ended."""


class Call(RuleBasedStateMachine):
    """One call: each rule is something that an actor, the caller or time may do next."""

    @initialize(silence=st.sampled_from([1.0, 6.0]), answered=st.integers(0, 9))
    def begin(self, silence: float, answered: int) -> None:
        self.world = World.begin(Timing(silence=silence))
        self.texts = 0
        if answered:
            self.media_starts()

    def _text(self) -> str:
        """Words that no other utterance has, so that a leak is seen."""
        self.texts += 1
        return f"first{self.texts} second{self.texts}"

    def _live(self) -> bool:
        return not self.world.finished

    # ── The line ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self._live() and self.world.turn.state is State.CONNECTING)
    @rule()
    def media_starts(self) -> None:
        self.world.tell(MediaStarted(self.world.clock, 8000, 1))

    @precondition(lambda self: self._live() and self.world.transport.closing)
    @rule()
    def media_ends_as_we_asked(self) -> None:
        decided = self.world.turn.outcome
        self.world.tell(MediaStopped(self.world.clock, "closed_by_us"))
        assert self.world.finished == (decided or "completed")

    @precondition(lambda self: self._live() and self.texts > 3)
    @rule(rare=st.integers(0, 15), how=st.sampled_from(["hangup", "lost", "stalled", "shutdown"]))
    def media_ends(self, rare: int, how: str) -> None:
        if rare:
            return
        at = self.world.clock
        ends = {"stalled": MediaStalled(at, 10.0), "shutdown": ShutdownAsked(at)}
        self.world.tell(ends.get(how, MediaStopped(at, how)))
        assert self.world.finished

    @precondition(lambda self: not self._live())
    @rule(event=st.sampled_from([Draining(0.0), KeyPressed(0.0, "1"), MediaStopped(0.0, "lost"), SpeechOnset(9, 0, 0.0)]))
    def after_the_end(self, event: Event) -> None:
        assert machine.step(self.world.turn, event) == (self.world.turn, ())

    # ── The caller ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _hears(self) -> bool:
        return self._live() and self.world.turn.state is not State.CONNECTING

    @precondition(lambda self: self._hears() and self.world.utterance is None)
    @rule(overtakes=st.booleans())
    def onset(self, overtakes: bool) -> None:
        """`overtakes`: what the transport has sent meanwhile lies behind it in the mailbox."""
        event = self.world.speak()
        if overtakes:
            self.world.take(event)
        else:
            self.world.tell(event)

    @precondition(lambda self: self._live() and self.world.utterance is not None)
    @rule(what=st.sampled_from(["words", "stop", "backchannel", "um", "one"]), sure=st.booleans())
    def partial(self, what: str, sure: bool) -> None:
        texts = {"words": self._text(), "stop": "wait", "backchannel": "uh-huh", "um": "um", "one": "tuesday"}
        self.world.tell(self.world.partial(texts[what], sure=sure))

    @precondition(lambda self: self._live() and self.world.utterance is not None and not self.world.long)
    @rule()
    def long_speech(self) -> None:
        self.world.wait(0.9)
        if self._live() and self.world.utterance is not None:
            self.world.tell(self.world.long_speech())

    @precondition(lambda self: self._live() and self.world.utterance is not None)
    @rule(what=st.sampled_from(["words", "words", "backchannel", "cough", "mumble"]), sure=st.booleans())
    def utterance_ends(self, what: str, sure: bool) -> None:
        text = {"words": self._text(), "backchannel": "yes"}.get(what, "")
        self.world.tell(self.world.end(text, sure=sure, voiced=0.2 if what == "cough" else 0.8))

    @precondition(lambda self: self._hears())
    @rule(digit=st.sampled_from("1#"))
    def key(self, digit: str) -> None:
        self.world.tell(KeyPressed(self.world.clock, digit))

    # ── The thinker, its tools, the transport ────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self._live() and self.world.thinking is not None)
    @rule(segment=st.sampled_from(["plain", "question"]))
    def segment(self, segment: str) -> None:
        self.world.think(segment)

    @precondition(lambda self: self._live() and self.world.thinking is not None)
    @rule(
        more=st.booleans(),
        tools=st.integers(0, 2),
        then=st.sampled_from([Then.LISTEN] * 6 + [Then.TRANSFER, Then.CLOSE]),
        helper=st.booleans(),
        progress=st.booleans(),
    )
    def round_ends(self, more: bool, tools: int, then: Then, helper: bool, progress: bool) -> None:
        more = more and self.world.round < 5
        self.world.tell(self.world.thought(more=more, tools=tools if more else 0, then=then, helper=helper, progress=progress))

    @precondition(lambda self: self._live() and self.world.thinking is not None)
    @rule()
    def thinking_fails(self) -> None:
        self.world.tell(self.world.fail())

    @precondition(lambda self: self._live() and self.world.tools is not None)
    @rule()
    def tools_are_done(self) -> None:
        self.world.tell(self.world.finish_tools())

    @precondition(lambda self: self._live())
    @rule(times=st.integers(1, 6))
    def play(self, times: int) -> None:
        for _ in range(times):
            self.world.play()

    @precondition(lambda self: self._live() and self.world.mailbox)
    @rule()
    def deliver(self) -> None:
        self.world.deliver()

    # ── Time and trouble ─────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self._live())
    @rule(seconds=st.sampled_from([0.1, 0.7, 2.0, 7.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @precondition(lambda self: self._live() and self.world.deadlines)
    @rule()
    def a_deadline_passes(self) -> None:
        self.world.fire_next()

    @precondition(lambda self: self._hears() and self.world.restarts < 6)
    @rule(actor=st.sampled_from(["listener", "thinker", "speaker"]))
    def restart(self, actor: str) -> None:
        self.world.tell(self.world.restart(actor))

    @precondition(lambda self: self._hears() and self.texts > 3)
    @rule(rare=st.integers(0, 15), actor=st.sampled_from(["listener", "thinker", "speaker"]), drain=st.booleans())
    def trouble(self, rare: int, actor: str, drain: bool) -> None:
        if not rare:
            at = self.world.clock
            self.world.tell(Draining(at) if drain else ActorDown(actor, "it broke", at))

    # ── The laws that look ahead ─────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def stale_events_and_unarmed_deadlines_change_nothing(self) -> None:
        turn, at = self.world.turn, self.world.clock
        for reply in (Reply(turn.turn, turn.epoch - 1), Reply(turn.turn - 1, turn.epoch)):
            for event in (
                PlaybackBegan(reply, at, at),
                ReplyHeard(reply, at),
                Thought(reply, True, 1, 0, Then.CLOSE, True, True, at),
            ):
                assert machine.step(turn, event) == (turn, ())
        for name in set(Timer) - turn.armed:
            assert machine.step(turn, TimerFired(name, at)) == (turn, ())

    @invariant()
    def with_nobody_there_the_call_ends(self) -> None:
        alone = self.world.copy()
        for _ in range(WAYS_OUT):
            if alone.finished:
                return
            alone.fire_next()
        raise AssertionError(f"{self.world.turn.state} does not end by itself")


def conduct(calls: int) -> None:
    """Invent `calls` calls of 40 steps each, the same ones in every run."""
    odd = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    size = settings(
        max_examples=calls, stateful_step_count=40, derandomize=True, deadline=None, database=None, suppress_health_check=odd
    )
    run_state_machine_as_test(Call, settings=size)


def test_the_laws_hold_in_some_calls() -> None:
    conduct(60)


@pytest.mark.slow
def test_the_laws_hold_in_many_calls() -> None:
    conduct(400)
