"""The turn table is whole: every event in every state is a transition, a named ignore or a named error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from agentd.errors import InternalBug
from agentd.messages import (
    ActorDown,
    ActorRestarted,
    Asked,
    Audible,
    Draining,
    KeyPressed,
    LongSpeech,
    MediaStalled,
    MediaStarted,
    MediaStopped,
    Partial,
    PlaybackBegan,
    RanDry,
    Reply,
    ReplyHeard,
    Segment,
    ShutdownAsked,
    SpeechOnset,
    ThinkFailed,
    Timer,
    TimerFired,
    UtteranceEnded,
)
from agentd.turn.actions import Actions
from agentd.turn.commands import Arm, Disarm, Event, Finish, Then, Thought, ToolsDone
from agentd.turn.guards import Guards
from agentd.turn.machine import EVENTS, IGNORED, TABLE, Model, Row, machine, start, step, trigger
from agentd.turn.timing import Timing
from agentd.turn.value import State, Turn

PAIRS = [(state, event) for state in State for event in EVENTS]
NOW = Reply(3, 2)
ALL = tuple(State)

TIMERS = {
    "timer_resume": {State.YIELDING},
    "timer_keys": {State.LISTENING},
    "timer_filler": {State.WAITING},
    "timer_silence": {State.LISTENING},
    "timer_farewell": {State.CLOSING},
    "timer_call": set(ALL) - {State.CONNECTING, State.ENDED},
}
"""Where a deadline may be armed."""

NO_REPLY = {State.CONNECTING, State.LISTENING}
LAST_WORDS = {State.TRANSFERRING, State.CLOSING}
ERRORS: dict[str, dict[str, set[State]]] = {
    "the call begins once": {"media_started": set(ALL) - {State.CONNECTING, State.ENDED}},
    "nothing is played before there is a reply, nor after one was heard or dropped": dict.fromkeys(
        ("playback_began", "audible", "asked", "ran_dry", "reply_heard"), NO_REPLY
    ),
    "nobody thinks or uses tools for a reply that is none, and last words are not thought": dict.fromkeys(
        ("thought", "tools_done"), NO_REPLY | LAST_WORDS
    ) | {"think_failed": NO_REPLY},
    "leaving a state disarms its deadlines": {
        name: set(ALL) - where - {State.ENDED} for name, where in TIMERS.items()
    },
}  # fmt: skip
"""The reason → event → states in which it is a bug that raises."""


# ── Turns and events that satisfy guards ─────────────────────────────────────────────────────────────────────────────

T = Timing()
YES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "heard": ({"heard": True}, {}),
    "has_words": ({}, {"text": "next tuesday"}),
    "interrupts": ({}, {"text": "no wait", "sure": True}),
    "reopened": ({"reopened": True}, {}),
    "false_starts_left": ({"false_starts": 0}, {}),
    "keyed": ({"keys": "12"}, {}),
    "speech": ({}, {"voiced": 0.8}),
    "ask_again_left": ({"misheard": 0}, {}),
    "prompts_left": ({"prompts": 0}, {}),
    "fillers_left": ({"fillers": 0}, {}),
    "retry_left": ({"retries": 0}, {}),
    "wants_tools": ({}, {"more": True, "tools": 2}),
    "wants_more": ({}, {"more": True}),
    "tools_run": ({"tools": 1}, {}),
    "lost_reply": ({}, {"actor": "thinker"}),
    "lost_hearing": ({"utterance": True}, {"actor": "listener"}),
    "then_transfer": ({"then": Then.TRANSFER}, {}),
    "then_close": ({"then": Then.CLOSE}, {}),
    "then_escalate": ({"then": Then.ESCALATE}, {}),
    "helper": ({"helper": True}, {}),
    "ends_number": ({"keys": "12"}, {"digit": "#"}),
    "unstoppable": ({"final": True}, {}),
    "leaving": ({"leaving": True}, {}),
    "goodbye_heard": ({"said": True}, {}),
    "was_greeting": ({"back": State.GREETING}, {}),
    "was_prompting": ({"back": State.PROMPTING}, {}),
    "was_closing": ({"back": State.CLOSING}, {}),
    "caller_speaks": ({"utterance": True}, {}),
}
"""Guard → what of the turn and of the event makes it hold. Without these, none holds."""

NONE_HOLDS = Turn(
    turn=NOW.turn,
    epoch=NOW.epoch,
    misheard=T.misheard,
    prompts=T.prompts,
    fillers=T.fillers,
    retries=T.retries,
    false_starts=T.false_starts,
)


def turn_in(state: State, event: str, **changes: Any) -> Turn:
    armed = set() if state is State.ENDED else {Timer.STUCK}
    if event.startswith("timer_"):
        armed.add(Timer(event.removeprefix("timer_")))
    if state is State.LISTENING and "keys" in changes:
        armed.add(Timer.KEYS)
    return replace(NONE_HOLDS, state=state, armed=frozenset(armed), **changes)


def make(event: str, **changes: Any) -> Event:
    if event.startswith("timer_"):
        return TimerFired(Timer(event.removeprefix("timer_")), 9.0)
    plain = {
        "media_started": MediaStarted(9.0, 8000, 1),
        "media_stopped": MediaStopped(9.0, "hangup"),
        "media_stalled": MediaStalled(9.0, 10.0),
        "shutdown_asked": ShutdownAsked(9.0),
        "draining": Draining(9.0),
        "speech_onset": SpeechOnset(1, 7, 9.0),
        "partial": Partial(1, "", False, 9.0),
        "long_speech": LongSpeech(1, 9.0),
        "utterance_ended": UtteranceEnded(1, "", False, 0, 7, 8.5, 0.7, "unsure", 9.0, 9.0, 0.2),
        "key_pressed": KeyPressed(9.0, "1"),
        "playback_began": PlaybackBegan(NOW, 9.0, 8.9),
        "audible": Audible(NOW, 9.0),
        "asked": Asked(NOW, Segment(NOW, 0, "When?", 0), 9.0, 7),
        "ran_dry": RanDry(NOW, 9.0),
        "reply_heard": ReplyHeard(NOW, 9.0),
        "thought": Thought(NOW, False, 0, 1, Then.LISTEN, False, True, 9.0),
        "tools_done": ToolsDone(NOW, 9.0),
        "think_failed": ThinkFailed(NOW, "it broke", 9.0),
        "actor_restarted": ActorRestarted("tools", "it broke", 0, 9.0),
        "actor_down": ActorDown("tools", "it broke", 9.0),
    }
    return replace(plain[event], **changes)  # type: ignore[type-var, return-value]


def case(row: Row, state: State) -> tuple[Turn, Event]:
    """A turn and an event for which `row`'s guards hold, and no others that can be helped."""
    of_turn: dict[str, Any] = {}
    of_event: dict[str, Any] = {}
    for guard in row.when:
        of_turn |= YES[guard][0]
        of_event |= YES[guard][1]
    return turn_in(state, row.on, **of_turn), make(row.on, **of_event)


def rows(state: State, event: str) -> list[Row]:
    return [row for row in TABLE if row.on == event and state in row.at]


def fired(turn: Turn, event: Event) -> Row:
    """The row that the table's meaning picks: the first whose guards all hold."""
    model = Model(turn)
    return next(row for row in rows(turn.state, trigger(event)) if all(getattr(model, guard)(event) for guard in row.when))


CASES = [(row, state) for row in TABLE for state in row.at]
names = [f"{row.on}-{state}-{number}" for number, (row, state) in enumerate(CASES)]


# ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_every_pair_is_a_transition_a_named_ignore_or_a_named_error(state: State, event: str) -> None:
    turn = turn_in(state, event)
    kept = replace(turn)
    reasons = [why for why, events in ERRORS.items() if state in events.get(event, set())]
    ignored = state is State.ENDED or state in IGNORED[event]
    assert bool(rows(state, event)) + ignored + bool(reasons) == 1
    if reasons:
        with pytest.raises(InternalBug, match=f"{event} cannot happen in {state}"):
            step(turn, make(event))
    elif ignored:
        after, commands = step(turn, make(event))
        assert replace(after, armed=turn.armed) == turn
        assert commands == ()
        assert state is State.ENDED or len(IGNORED[event][state]) > 10
    else:
        step(turn, make(event))
    assert turn == kept


@pytest.mark.parametrize(("row", "state"), CASES, ids=names)
def test_every_row_is_taken_in_every_state_it_names(row: Row, state: State) -> None:
    turn, event = case(row, state)
    kept = replace(turn)
    assert fired(turn, event) is row
    after, commands = step(turn, event)
    assert after.state is (row.to or state)
    assert turn == kept, "step works on a copy"
    assert isinstance(commands, tuple)
    assert step(turn, event) == (after, commands), "step is a function"


@pytest.mark.parametrize(("row", "state"), CASES, ids=names)
def test_every_state_that_is_entered_or_kept_has_a_deadline(row: Row, state: State) -> None:
    after, commands = step(*case(row, state))
    if after.state is State.ENDED:
        assert not after.armed
        assert [type(command) for command in commands].count(Finish) == 1
        return
    assert after.armed - {Timer.CALL}
    assert Finish not in [type(command) for command in commands]
    known = set(case(row, state)[0].armed) - ({Timer(row.on[6:])} if row.on.startswith("timer_") else set())
    for command in commands:
        match command:
            case Arm(name, seconds):
                known.add(name)
                assert seconds >= 0
            case Disarm(name):
                known.discard(name)
    assert known == after.armed, "the commands tell all that the turn knows of deadlines"


def test_the_last_row_of_every_pair_is_unguarded_and_no_other_is() -> None:
    for state, event in PAIRS:
        *guarded, last = rows(state, event) or [None]
        assert last is None or not last.when, (state, event)
        assert all(row and row.when for row in guarded), (state, event)


def test_no_row_stands_behind_one_that_asks_for_less() -> None:
    for state, event in PAIRS:
        tried: list[set[str]] = []
        for row in rows(state, event):
            assert not any(earlier <= set(row.when) for earlier in tried), (state, row)
            tried.append(set(row.when))


def public(room: type) -> set[str]:
    return {name for name in vars(room) if not name.startswith("_")}


def test_the_table_and_the_guards_and_actions_name_each_other() -> None:
    assert {guard for row in TABLE for guard in row.when} == public(Guards) == set(YES)
    assert {action for row in TABLE for action in row.do} == public(Actions)


@pytest.mark.parametrize("guard", YES)
def test_every_guard_holds_and_fails(guard: str) -> None:
    row, state = next((row, state) for row, state in CASES if guard in row.when)
    turn, event = case(row, state)
    assert getattr(Model(turn), guard)(event)
    assert not getattr(Model(turn_in(state, row.on)), guard)(make(row.on))


def test_guards_do_not_write() -> None:
    for row, state in CASES:
        turn, event = case(row, state)
        model = Model(turn)
        for guard in public(Guards) & set(row.when):
            getattr(model, guard)(event)
        assert model.turn is turn
        assert not model.commands


def edges() -> Iterator[tuple[State, State]]:
    yield from ((state, row.to) for row in TABLE if row.to for state in row.at)


def reachable(start: State, steps: set[tuple[State, State]]) -> set[State]:
    found, new = set[State](), {start}
    while new:
        found |= new
        new = {dest for source, dest in steps if source in new} - found
    return found


def test_every_state_can_be_reached_and_leads_to_the_end() -> None:
    steps = set(edges())
    assert reachable(State.CONNECTING, steps) == set(State)
    for state in State:
        assert State.ENDED in reachable(state, steps)
    assert reachable(State.ENDED, steps) == {State.ENDED}


def test_every_state_has_a_way_out_that_needs_nobody() -> None:
    alone = {(state, row.to) for row in TABLE if row.to and row.on.startswith("timer_") for state in row.at}
    for state in State:
        assert State.ENDED in reachable(state, alone)


# ── What never reaches the table ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_an_older_reply_and_an_unarmed_deadline_change_nothing(state: State, event: str) -> None:
    made = make(event)
    turn = replace(turn_in(state, event), armed=frozenset(set(Timer) - {getattr(made, "name", None)}))
    for stale in (Reply(NOW.turn, NOW.epoch - 1), Reply(NOW.turn - 1, NOW.epoch)):
        if hasattr(made, "reply"):
            assert step(turn, replace(made, reply=stale)) == (turn, ())  # type: ignore[type-var]
    if isinstance(made, TimerFired):
        assert step(turn, made) == (turn, ())


def test_every_event_and_command_of_the_machine_has_its_name() -> None:
    kinds = [trigger(make(event)) for event in EVENTS]
    assert kinds == list(EVENTS)
    assert {type(make(event)) for event in EVENTS} == set(Event.__args__)
    assert {f"timer_{name}" for name in Timer} == {event for event in EVENTS if event.startswith("timer_")}


def test_a_call_starts_with_its_patience_armed() -> None:
    turn, commands = start(T)
    assert turn.state is State.CONNECTING
    assert commands == (Arm(Timer.STUCK, T.patience["connecting"]),)
    assert set(T.patience) == set(State) - {State.ENDED}


def test_the_library_has_no_back_doors() -> None:
    assert not [name for name in machine().events if re.match("to_", name)]
    assert machine().initial == State.CONNECTING
