"""The words that a flow is written in: states, transitions and answers, all of them data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final

from agentd.flow.context import Context, Words
from agentd.flow.listening import OPEN, Listening
from agentd.flow.slots import Slots
from agentd.flow.tools import Tool

FILLED: Final = "filled"
"""The trigger that fires by itself once a state knows all of its slots."""

STUCK: Final = "stuck"
"""The machine's own trigger, for a state that makes no progress; no thinker may fire it."""

STUCK_AFTER: Final = 3
"""Turns without progress until a state is stuck: twice in other words, then somebody else."""

Condition = Callable[[Context], bool]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A place in the conversation.

    `say` is spoken on entry; `ask` afterwards whenever no slot is missing. `aim` tells a language model what to achieve.
    `fills` names the slots that are asked for here, `afresh` those that are forgotten on entry. `prompts` break a silence.
    `stuck` is the trigger to fire when the state makes no progress. `transfer` names the target of a handover, `unreached` the
    state in which the call goes on if nobody takes it and the carrier says so; `final` ends the call.
    """

    name: str
    _: KW_ONLY
    say: Words = ""
    ask: str = ""
    aim: str = ""
    fills: type[Slots] | Sequence[type[Slots]] = ()
    afresh: type[Slots] | Sequence[type[Slots]] = ()
    tools: Sequence[Tool] = ()
    listen: Listening = OPEN
    prompts: Sequence[str] = ()
    stuck: str = ""
    transfer: str = ""
    unreached: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True, eq=False, init=False)
class When:
    """A transition: `When("wants_visit", "greeting", "booking", "book an appointment")`.

    `source` is a state, several, or "*" for any. What follows `dest` is what callers say; "yes" and "no" stand for every
    way to say so. `when` and `unless` are conditions; rows of one trigger are tried in order. `say` is spoken in passing.
    """

    trigger: str
    source: str | Sequence[str]
    dest: str
    phrases: tuple[str, ...]
    when: Condition | None
    unless: Condition | None
    say: Words

    def __init__(
        self,
        trigger: str,
        source: str | Sequence[str],
        dest: str,
        *phrases: str,
        when: Condition | None = None,
        unless: Condition | None = None,
        say: Words = "",
    ) -> None:
        values = {
            "trigger": trigger,
            "source": source,
            "dest": dest,
            "phrases": phrases,
            "when": when,
            "unless": unless,
            "say": say,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def sources(self) -> tuple[str, ...]:
        """The states it leaves from, or ("*",)."""
        return (self.source,) if isinstance(self.source, str) else tuple(self.source)


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Answer:
    """A question that is answered in any state, without leaving it: `Answer("asks_hours", "We open at eight.", "when …")`."""

    name: str
    text: Words
    phrases: tuple[str, ...]

    def __init__(self, name: str, text: Words, *phrases: str) -> None:
        for key, value in {"name": name, "text": text, "phrases": phrases}.items():
            object.__setattr__(self, key, value)


def models(given: type[Slots] | Sequence[type[Slots]]) -> tuple[type[Slots], ...]:
    """One model or several, as several."""
    return (given,) if isinstance(given, type) else tuple(given)


def ends(state: State) -> bool:
    """Whether the conversation is over in this state."""
    return state.final or bool(state.transfer)
