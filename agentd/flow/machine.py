"""The flow's state machine, on `transitions`: one per flow, for any number of calls.

Flyweight: a call's place is a tiny object that lives as long as one event. Conditions are pure, and nothing else is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from transitions import EventData, Machine, MachineError

from agentd.flow.context import Context
from agentd.flow.declare import FILLED, STUCK, Condition, When, ends
from agentd.flow.refusal import Refused

if TYPE_CHECKING:
    from agentd.flow.model import Flow


_Guard = Callable[[EventData], bool]


class Place:
    """Where one call stands, for the length of one event. `taken` is the transition that was taken."""

    __slots__ = ("state", "taken")

    def __init__(self, state: str) -> None:
        self.state = state
        self.taken: int | None = None


def rows(flow: Flow) -> Iterator[tuple[int, When, str]]:
    """Each transition with its index and each state that it leaves from; "*" is all but its own and the last ones."""
    for index, when in enumerate(flow.transitions):
        for source in when.sources:
            if source != "*":
                yield index, when, source
                continue
            for state in flow.states:
                if not ends(state) and state.name != when.dest:
                    yield index, when, state.name


def build(flow: Flow) -> Machine:
    """The machine of a flow that was checked."""
    table = [_row(when.trigger, source, when.dest, index, when) for index, when, source in rows(flow)]
    finals = [state.name for state in flow.states if state.final]
    for state in flow.states:
        if ends(state):
            continue
        escape = state.stuck or flow.stuck
        table += [
            _row(STUCK, source, when.dest, index, when)
            for index, when, source in rows(flow)
            if (when.trigger, source) == (escape, state.name)
        ]
        table += [_row(STUCK, state.name, final, None, None) for final in finals[:1]]
    return Machine(
        model=None,
        states=[state.name for state in flow.states],
        initial=flow.states[0].name,
        transitions=table,
        auto_transitions=False,
        queued=False,
        send_event=True,
    )


def _row(trigger: str, source: str, dest: str, index: int | None, when: When | None) -> dict[str, Any]:
    conditions: list[_Guard] = []
    unless: list[_Guard] = []
    if trigger == FILLED:
        conditions.append(_filled)
    if when and when.when:
        conditions.append(_condition(when.when))
    if when and when.unless:
        unless.append(_condition(when.unless))
    return {
        "trigger": trigger,
        "source": source,
        "dest": dest,
        "conditions": conditions,
        "unless": unless,
        "before": _taking(index),
    }


def _filled(event: EventData) -> bool:
    return bool(event.kwargs["filled"])


def _condition(condition: Condition) -> Callable[[EventData], bool]:
    def holds(event: EventData) -> bool:
        return condition(event.kwargs["context"])

    return holds


def _taking(index: int | None) -> Callable[[EventData], None]:
    def take(event: EventData) -> None:
        place: Any = event.model
        place.taken = index

    return take


def step(machine: Machine, state: str, trigger: str, context: Context, *, filled: bool) -> Place:
    """Fire one trigger: the place it leads to; Refused where the state does not allow it, or not now."""
    event = machine.events.get(trigger)
    if event is None:
        raise Refused(f"there is no trigger {trigger!r} in this flow")
    place = Place(state)
    try:
        went = event.trigger(place, context=context, filled=filled)
    except MachineError:
        raise Refused(f"the state {state!r} does not allow {trigger!r}") from None
    if not went:
        raise Refused(f"the conditions of {trigger!r} do not hold in {state!r} now")
    return place
