"""The turn machine: who may speak now, and what follows from what happens.

Theory of operation
===================

Two parties share one line. The machine decides, for each thing that happens (an event), what state the conversation is in
from then on and what the actors are to do (commands). It is a pure function, `step(turn, event) → (turn, commands)`: no
clock, no socket, no waiting. Time enters as events: the machine arms a deadline by name and is told when it has passed.

The round of an ordinary call: *connecting* until the first audio, *greeting*, and then turns. In *listening* the caller has
the floor. At the end of the utterance the machine is *deliberating*: the thinker is asked. It answers in rounds, each giving
segments of speech and proposals; when audio goes out the machine is *speaking*, and when the last segment was heard, it
listens again. When the audio runs dry in the middle of a reply, it goes back to *deliberating*, or, with a tool at work, to
*waiting*, where a filler bridges the silence: a filler is speech like any other.

A barge-in has two steps. A voice while the agent may be heard leads to *yielding*: sending stops, but nothing is lost. Words
decide: two of them, a stop word, an answer to what was just asked, or a long voice without any words confirm it. Then the
epoch rises and with it everything of the old reply is dead. A cough or an "uh-huh" does not confirm; a moment after it ends,
the reply goes on from the word that was cut. Whenever a voice is heard, over the agent's or not, the effects are frozen until
it is known what it said: the words may take back what the agent has just told.

If nothing of the reply was heard yet, the caller who goes on has not interrupted anything: the turn is *reopened*, its parts
are joined, and if nothing is added after all, what was said before is answered.

Silence leads to *prompting*, twice in different words, then to the goodbye. What makes no progress is handed to a human. In
*transferring* and *closing* the last words are said; the goodbye may be interrupted, an apology may not. Every state has a
patience: when it runs out, the machine gets out of the state by itself. *ended* is final.

How to read the table
=====================

A row says: on this event, in these states, if all these guards hold, do these actions and go there (`None`: stay, nothing is
left or entered). Rows of the same event and state are tried from top to bottom, and the last of them has no guard. What
stands in `IGNORED` happens and means nothing, for the reason given; everything else is a bug and raises. Events of an older
epoch and deadlines that are not armed never reach the table: `step` drops them. Entering a state arms its patience and tells
the listener whether the agent is audible; leaving it disarms its deadlines (`Draft.enter`, `Draft.leave`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from transitions import Machine, MachineError

from agentd.errors import InternalBug
from agentd.messages import Timer, TimerFired
from agentd.turn.actions import Actions
from agentd.turn.commands import Arm, Command, Event
from agentd.turn.guards import Guards
from agentd.turn.timing import Timing
from agentd.turn.value import State, Turn

CONNECTING, GREETING, LISTENING, DELIBERATING, SPEAKING, YIELDING, WAITING, PROMPTING, TRANSFERRING, CLOSING, ENDED = State

OPEN: Final = (GREETING, LISTENING, DELIBERATING, SPEAKING, YIELDING, WAITING, PROMPTING)
"""States of a conversation that goes on."""
REPLYING: Final = (GREETING, DELIBERATING, SPEAKING, WAITING, PROMPTING)
"""A reply is being made or heard, and nobody disputes the floor."""
LIVE: Final = (*OPEN, TRANSFERRING, CLOSING)


class Model(Guards, Actions):
    """What the rows' names stand for."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    on: str
    at: tuple[State, ...]
    to: State | None
    when: tuple[str, ...] = ()
    do: tuple[str, ...] = ()


def row(on: str, at: State | tuple[State, ...], to: State | None, *, when: str = "", do: str = "") -> Row:
    """Write a row; `when` and `do` are names separated by spaces."""
    return Row(on, at if isinstance(at, tuple) else (at,), to, tuple(when.split()), tuple(do.split()))


TABLE: Final = (
    # ── the call begins and ends ─────────────────────────────────────────────────────────────────────────────────────
    row("media_started", CONNECTING, GREETING, do="open_call"),
    row("media_stopped", TRANSFERRING, ENDED, when="leaving", do="finish"),
    row("media_stopped", CLOSING, ENDED, when="leaving", do="finish"),
    row("media_stopped", CLOSING, ENDED, when="goodbye_heard", do="finish"),
    row("media_stopped", (CONNECTING, *LIVE), ENDED, do="finish_hangup"),
    row("media_stalled", (CONNECTING, *LIVE), ENDED, do="close finish_stalled"),
    row("shutdown_asked", (TRANSFERRING, CLOSING), ENDED, when="leaving", do="finish"),
    row("shutdown_asked", (CONNECTING, *LIVE), ENDED, do="close finish_hangup"),
    row("draining", CONNECTING, ENDED, do="close finish_drained"),
    row("draining", OPEN, CLOSING, do="drain"),
    row("draining", CLOSING, None, do="insist"),
    row("timer_call", OPEN, CLOSING, do="call_too_long"),
    row("timer_call", CLOSING, None, do="insist"),
    # ── the caller speaks ────────────────────────────────────────────────────────────────────────────────────────────
    row("speech_onset", LISTENING, None, do="hear_onset keep_listening"),
    row("speech_onset", (DELIBERATING, WAITING), YIELDING, when="heard", do="hear_onset suspect"),
    row("speech_onset", (DELIBERATING, WAITING), LISTENING, when="false_starts_left", do="hear_onset reopen"),
    row("speech_onset", (DELIBERATING, WAITING), YIELDING, do="hear_onset suspect"),
    row("speech_onset", (GREETING, SPEAKING, PROMPTING), YIELDING, do="hear_onset suspect"),
    row("speech_onset", YIELDING, None, do="hear_onset"),
    row("speech_onset", CLOSING, None, when="unstoppable"),
    row("speech_onset", CLOSING, YIELDING, do="hear_onset suspect"),
    row("partial", YIELDING, LISTENING, when="interrupts", do="confirm"),
    row("partial", YIELDING, None),
    row("long_speech", YIELDING, LISTENING, do="confirm"),
    row("utterance_ended", LISTENING, None, when="keyed", do="add_words"),
    row("utterance_ended", LISTENING, DELIBERATING, when="has_words", do="take_turn"),
    row("utterance_ended", LISTENING, DELIBERATING, when="reopened false_starts_left", do="take_again"),
    row("utterance_ended", LISTENING, DELIBERATING, when="speech ask_again_left", do="ask_again"),
    row("utterance_ended", LISTENING, TRANSFERRING, when="speech helper", do="hear_end escalate"),
    row("utterance_ended", LISTENING, CLOSING, when="speech", do="hear_end give_up"),
    row("utterance_ended", LISTENING, None, do="hear_end await_silence"),
    row("utterance_ended", YIELDING, DELIBERATING, when="interrupts", do="confirm take_turn"),
    row("utterance_ended", YIELDING, None, do="reject"),
    row("timer_resume", YIELDING, GREETING, when="was_greeting", do="resume"),
    row("timer_resume", YIELDING, PROMPTING, when="was_prompting", do="resume"),
    row("timer_resume", YIELDING, CLOSING, when="was_closing", do="resume"),
    row("timer_resume", YIELDING, SPEAKING, do="resume"),
    # ── the caller presses keys: never by accident, so that no suspicion comes first ─────────────────────────────────
    row("key_pressed", LISTENING, DELIBERATING, when="ends_number", do="take_number"),
    row("key_pressed", LISTENING, None, do="take_key"),
    row("key_pressed", YIELDING, LISTENING, do="forget_utterance confirm take_key"),
    row("key_pressed", CLOSING, None, when="unstoppable"),
    row("key_pressed", (*REPLYING, CLOSING), LISTENING, do="reopen take_key"),
    row("timer_keys", LISTENING, DELIBERATING, do="take_number"),
    # ── the agent thinks and speaks ──────────────────────────────────────────────────────────────────────────────────
    row("thought", DELIBERATING, WAITING, when="wants_tools", do="note_thought run_tools"),
    row("thought", (GREETING, SPEAKING, WAITING, PROMPTING, YIELDING), None, when="wants_tools", do="note_thought run_tools"),
    row("thought", (*REPLYING, YIELDING), None, when="wants_more", do="note_thought go_on"),
    row("thought", (*REPLYING, YIELDING), None, do="note_thought"),
    row("tools_done", WAITING, DELIBERATING, do="go_on"),
    row("tools_done", (GREETING, DELIBERATING, SPEAKING, PROMPTING, YIELDING), None, do="go_on"),
    row("playback_began", (DELIBERATING, WAITING), SPEAKING),
    row("audible", (*REPLYING, YIELDING), None, do="note_heard"),
    row("asked", (*REPLYING, YIELDING), None, do="note_asked"),
    row("ran_dry", SPEAKING, WAITING, when="tools_run", do="note_silence"),
    row("ran_dry", SPEAKING, DELIBERATING, do="note_silence"),
    row("timer_filler", WAITING, None, when="fillers_left", do="fill"),
    row("timer_filler", WAITING, None),
    row("reply_heard", REPLYING, TRANSFERRING, when="then_transfer", do="hand_over"),
    row("reply_heard", REPLYING, CLOSING, when="then_close", do="flow_done"),
    row("reply_heard", REPLYING, TRANSFERRING, when="then_escalate helper", do="escalate"),
    row("reply_heard", REPLYING, CLOSING, when="then_escalate", do="give_up"),
    row("reply_heard", REPLYING, LISTENING),
    row("timer_silence", LISTENING, PROMPTING, when="prompts_left", do="prompt"),
    row("timer_silence", LISTENING, CLOSING, do="say_goodbye"),
    # ── the last words ───────────────────────────────────────────────────────────────────────────────────────────────
    row("reply_heard", TRANSFERRING, None, do="hand_over"),
    row("reply_heard", CLOSING, None, do="farewell"),
    row("timer_farewell", CLOSING, None, do="close"),
    # ── something of ours breaks ─────────────────────────────────────────────────────────────────────────────────────
    row("think_failed", (GREETING, PROMPTING), None, when="retry_left", do="think_again"),
    row("think_failed", (DELIBERATING, SPEAKING, WAITING), DELIBERATING, when="retry_left", do="think_again"),
    row("think_failed", YIELDING, LISTENING, when="caller_speaks", do="lose"),
    row("think_failed", YIELDING, DELIBERATING, when="retry_left", do="thaw think_again"),
    row("think_failed", (*REPLYING, YIELDING), TRANSFERRING, when="helper", do="apologise"),
    row("think_failed", (*REPLYING, YIELDING), CLOSING, do="apologise"),
    row("think_failed", TRANSFERRING, None, do="hand_over"),
    row("think_failed", CLOSING, None, do="close"),
    row("actor_restarted", (GREETING, PROMPTING), None, when="lost_reply", do="think_again"),
    row("actor_restarted", (DELIBERATING, SPEAKING, WAITING), DELIBERATING, when="lost_reply", do="think_again"),
    row("actor_restarted", YIELDING, LISTENING, when="lost_reply caller_speaks", do="lose"),
    row("actor_restarted", YIELDING, DELIBERATING, when="lost_reply", do="thaw think_again"),
    row("actor_restarted", YIELDING, None, when="lost_hearing", do="reject"),
    row("actor_restarted", LISTENING, None, when="lost_hearing keyed", do="hear_end"),
    row("actor_restarted", LISTENING, DELIBERATING, when="lost_hearing reopened", do="take_again"),
    row("actor_restarted", LISTENING, None, when="lost_hearing", do="hear_end await_silence"),
    row("actor_restarted", TRANSFERRING, None, when="lost_reply", do="hand_over"),
    row("actor_restarted", CLOSING, None, when="lost_reply", do="close"),
    row("actor_restarted", (CONNECTING, *LIVE), None),
    row("actor_down", CONNECTING, ENDED, do="close finish_failed"),
    row("actor_down", OPEN, TRANSFERRING, when="helper", do="apologise"),
    row("actor_down", OPEN, CLOSING, do="apologise"),
    row("actor_down", TRANSFERRING, None, when="lost_reply", do="hand_over"),
    row("actor_down", TRANSFERRING, None),
    row("actor_down", CLOSING, None, when="lost_reply", do="close"),
    row("actor_down", CLOSING, None, do="insist"),
    row("timer_stuck", CONNECTING, ENDED, do="close finish_silent_line"),
    row("timer_stuck", LISTENING, DELIBERATING, when="ask_again_left", do="ask_again"),
    row("timer_stuck", YIELDING, LISTENING, do="hear_end confirm"),
    row("timer_stuck", (*REPLYING, LISTENING), TRANSFERRING, when="helper", do="apologise"),
    row("timer_stuck", (*REPLYING, LISTENING), CLOSING, do="apologise"),
    row("timer_stuck", TRANSFERRING, ENDED, do="hand_over finish"),
    row("timer_stuck", CLOSING, ENDED, do="close finish"),
)

_FORGOTTEN = "it belongs to an utterance that was rejected, or to a turn that was taken"
_NO_LISTENER = "nobody listens any more, or not yet"
_LAST_WORDS = "the last words are said whatever comes"
_PLAYING = "what plays is known from the state"

IGNORED: Final = {
    "speech_onset": {CONNECTING: _NO_LISTENER, TRANSFERRING: _LAST_WORDS},
    "partial": {LISTENING: "only the end of the utterance counts", CONNECTING: _NO_LISTENER, TRANSFERRING: _LAST_WORDS,
                CLOSING: _LAST_WORDS, **dict.fromkeys(REPLYING, _FORGOTTEN)},
    "long_speech": {LISTENING: "the caller has the floor", CONNECTING: _NO_LISTENER, TRANSFERRING: _LAST_WORDS,
                    CLOSING: _LAST_WORDS, **dict.fromkeys(REPLYING, _FORGOTTEN)},
    "utterance_ended": {CONNECTING: _NO_LISTENER, TRANSFERRING: _LAST_WORDS, CLOSING: _LAST_WORDS,
                        **dict.fromkeys(REPLYING, _FORGOTTEN)},
    "key_pressed": {CONNECTING: "the call has not begun", TRANSFERRING: _LAST_WORDS},
    "playback_began": dict.fromkeys((GREETING, SPEAKING, YIELDING, PROMPTING, TRANSFERRING, CLOSING), _PLAYING),
    "audible": dict.fromkeys((TRANSFERRING, CLOSING), _LAST_WORDS),
    "asked": dict.fromkeys((TRANSFERRING, CLOSING), _LAST_WORDS),
    "ran_dry": dict.fromkeys((GREETING, DELIBERATING, WAITING, YIELDING, PROMPTING, TRANSFERRING, CLOSING), _PLAYING),
    "reply_heard": {YIELDING: "the transport says so again after the resumption"},
    "draining": {TRANSFERRING: _LAST_WORDS},
    "timer_call": {TRANSFERRING: _LAST_WORDS},
    **{event: {} for event in ("media_started", "media_stopped", "media_stalled", "shutdown_asked", "thought", "tools_done",
                               "timer_resume", "timer_keys", "timer_filler", "timer_silence", "timer_farewell", "timer_stuck",
                               "think_failed", "actor_restarted", "actor_down")},
}  # fmt: skip
"""Event → state → why it means nothing there. In `ended` every event means nothing: the call is over."""

EVENTS: Final = tuple(IGNORED)


@cache
def machine() -> Machine:
    """The table as a `transitions` machine; one for all calls, since it keeps no state of its own (flyweight)."""
    built = Machine(
        model=None,
        states=[{"name": state.value, "on_enter": ["enter"], "on_exit": ["leave"]} for state in State],
        initial=CONNECTING.value,
        auto_transitions=False,
        queued=False,
        send_event=False,
        ignore_invalid_triggers=False,
    )
    for line in TABLE:
        for state in line.at:
            dest = None if line.to is None else line.to.value
            built.add_transition(line.on, state.value, dest, conditions=list(line.when), before=list(line.do))
    for event, states in IGNORED.items():
        for state in (*states, ENDED):
            built.add_transition(event, state.value, None)
    return built


def trigger(event: Event) -> str:
    """The name by which the table knows an event."""
    if isinstance(event, TimerFired):
        return f"timer_{event.name}"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


_TRIGGERS: Final[dict[type, str]] = {}


def start(timing: Timing) -> tuple[Turn, tuple[Command, ...]]:
    """A call's first turn: connecting, with its patience armed."""
    patience = timing.patience[CONNECTING.value]
    return Turn(timing=timing, armed=frozenset({Timer.STUCK})), (Arm(Timer.STUCK, patience),)


def step(turn: Turn, event: Event) -> tuple[Turn, tuple[Command, ...]]:
    """What follows from `event`: the turn as it is from then on, and the commands in the order they are to be carried out.

    Events of an older epoch and deadlines that are not armed change nothing. Raises InternalBug for an event that the table
    has no row for, or whose guards all refused it; the turn that was given is then still the one that holds.
    """
    reply = getattr(event, "reply", None)
    if reply is not None and reply != turn.reply:
        return turn, ()
    draft = Model(turn)
    if isinstance(event, TimerFired):
        if not draft.take_timer(event):
            return turn, ()
        name = trigger(event)
    else:
        name = _TRIGGERS.get(type(event)) or _TRIGGERS.setdefault(type(event), trigger(event))
    try:
        taken = machine().events[name].trigger(draft, event)
    except MachineError as error:
        raise InternalBug(f"{name} cannot happen in {turn.state.value}") from error
    if not taken:
        raise InternalBug(f"every guard refused {name} in {turn.state.value}")
    return draft.turn, tuple(draft.commands)
