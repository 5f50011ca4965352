"""A flow: the declaration as one value, and the pure functions by which a call moves through it.

`FlowState` is all that a call keeps; each function takes one and gives another. Whoever thinks may propose anything: what
the state does not allow is `Refused`, and the flow stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from transitions import Machine

from agentd.flow import grammar, lines, machine
from agentd.flow.context import Context, Words
from agentd.flow.declare import FILLED, STUCK, STUCK_AFTER, Answer, State, When, ends, models
from agentd.flow.notes import Notes
from agentd.flow.refusal import Refused
from agentd.flow.slots import Slot, Slots, checked, slots_of, written
from agentd.flow.templates import Line, render
from agentd.flow.tools import Tool
from agentd.messages import FlowState, Hints, Listen


@dataclass(frozen=True, slots=True)
class Allowed:
    """What whoever thinks may propose in a state."""

    triggers: tuple[str, ...]
    answers: tuple[str, ...]
    tools: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Flow:
    """A conversation with a purpose. The first state is where it starts.

    `greeting` opens it, then the disclosure that this is an AI (`disclosure=False` where the law allows), then what the
    first state says. `help` completes "I can help with …". `timezone` is an IANA name, `region` the phone numbers' country.
    `recording` is "off", "on" (announced) or "consent" (asked); how long calls are kept is a setting. `transfers` maps a
    target to its number. `stuck` is the trigger for a state that makes no progress and names none itself.
    """

    name: str
    _: KW_ONLY
    states: Sequence[State]
    transitions: Sequence[When]
    answers: Sequence[Answer] = ()
    greeting: str = ""
    help: str = ""
    timezone: str = "UTC"
    language: str = "en"
    region: str = "US"
    disclosure: bool = True
    recording: Literal["off", "on", "consent"] = "off"
    transfers: Mapping[str, str] = field(default_factory=dict)
    stuck: str = ""
    keyterms: Sequence[str] = ()
    prompts: Sequence[str] = lines.PROMPTS
    misheard: Sequence[str] = lines.MISHEARD
    unmatched: Sequence[str] = lines.UNMATCHED
    apology: str = lines.APOLOGY
    goodbye: str = lines.GOODBYE
    file: str = ""

    # ── The declaration, looked at from several sides ────────────────────────────────────────────────────────────────

    @cached_property
    def zone(self) -> ZoneInfo:
        """The flow's timezone."""
        return ZoneInfo(self.timezone)

    @cached_property
    def by_name(self) -> dict[str, State]:
        """The states by their names."""
        return {state.name: state for state in self.states}

    @cached_property
    def owners(self) -> tuple[type[Slots], ...]:
        """The slot models, each once."""
        return tuple(dict.fromkeys(model for state in self.states for model in models(state.fills)))

    @cached_property
    def slots(self) -> dict[str, Slot]:
        """The slots by their names; models may share one by sharing its name."""
        return {slot.name: slot for owner in self.owners for slot in slots_of(owner)}

    @cached_property
    def tools(self) -> dict[str, Tool]:
        """The tools by their names."""
        return {tool.name: tool for state in self.states for tool in state.tools}

    @cached_property
    def offering(self) -> dict[str, Tool]:
        """Slots that are chosen from what a tool offers."""
        return {tool.offers: tool for tool in self.tools.values() if tool.offers}

    @cached_property
    def machine(self) -> Machine:
        """The states and transitions, on the library."""
        return machine.build(self)

    @cached_property
    def rows(self) -> tuple[tuple[int, When, str], ...]:
        """Each transition with its index and each of its sources."""
        return tuple(machine.rows(self))

    @cached_property
    def _hints(self) -> dict[str, Hints]:
        return {state.name: grammar.hints(self, state) for state in self.states}

    @cached_property
    def _complete(self) -> dict[str, frozenset[str]]:
        return {state.name: grammar.complete(self, state) for state in self.states}

    def phrases(self, state: str) -> dict[str, tuple[str, ...]]:
        """What callers say in `state`, by the trigger or answer that it is for."""
        said: dict[str, tuple[str, ...]] = {}
        for _, when, source in self.rows:
            if source == state:
                said[when.trigger] = tuple(dict.fromkeys(said.get(when.trigger, ()) + when.phrases))
        if not ends(self.by_name[state]):
            said |= {answer.name: answer.phrases for answer in self.answers}
        return {name: phrases for name, phrases in said.items() if phrases}

    def leading_to(self, state: str) -> dict[str, tuple[str, ...]]:
        """What callers say to get to `state`, by trigger: in it, they ask for what is being done."""
        return {
            name: tuple(phrase for when in self.transitions if when.trigger == name for phrase in when.phrases)
            for name in {when.trigger: None for when in self.transitions if when.dest == state and when.phrases}
            if name not in self.phrases(state)
        }

    def filled_by(self, state: State) -> tuple[Slot, ...]:
        """The slots that `state` asks for, in order."""
        return tuple(self.slots[name] for model in models(state.fills) for name in model.model_fields)

    # ── A call's way through it ──────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> FlowState:
        """Where a call begins."""
        return FlowState(self.states[0].name, notes=Notes(visits={self.states[0].name: 1}).mapping())

    def state(self, fs: FlowState) -> State:
        """The state's declaration."""
        return self.by_name[fs.state]

    def over(self, fs: FlowState) -> bool:
        """Whether the conversation is over: its words said, the call is transferred or ended."""
        return ends(self.state(fs))

    def allowed(self, fs: FlowState) -> Allowed:
        """What may be proposed here; conditions are looked at when it is."""
        triggers = dict.fromkeys(when.trigger for _, when, source in self.rows if source == fs.state and when.trigger != FILLED)
        answers = () if self.over(fs) else tuple(answer.name for answer in self.answers)
        return Allowed(tuple(triggers), answers, tuple(tool.name for tool in self.state(fs).tools))

    def fire(self, fs: FlowState, trigger: str, now: datetime | None = None) -> FlowState:
        """The state that a trigger leads to; Refused where it is not allowed. `now` None is the clock's time."""
        if trigger == STUCK:
            raise Refused("only the machine itself may give up on a state")
        return self._step(fs, trigger, now)

    def escalate(self, fs: FlowState, now: datetime | None = None) -> FlowState:
        """Where a state without progress leads: its `stuck` trigger's destination, or the end; Refused in a last state."""
        return self._step(fs, STUCK, now)

    def unreached(self, fs: FlowState) -> FlowState | None:
        """Where a call goes on that was handed over and that nobody took; None where its state names no such place."""
        name = self.state(fs).unreached
        return self._enter(fs, name, Notes.of(fs.notes)) if name else None

    def begun(self, fs: FlowState) -> bool:
        """Whether the caller has been greeted before: the call has come back from a handover."""
        return fs.state != self.states[0].name or fs.entered > 1

    def stuck_now(self, fs: FlowState) -> bool:
        """Whether the caller got nowhere for so many turns that somebody else should help."""
        notes = Notes.of(fs.notes)
        return max(notes.lost, notes.misheard) >= STUCK_AFTER

    def fill(self, fs: FlowState, values: Mapping[str, Any]) -> FlowState:
        """Put values into slots, None empties one; Refused where a model does not take them.

        A choice is forgotten when what it was offered for changes.
        """
        if unknown := [name for name in values if name not in self.slots]:
            raise Refused(f"there is no slot {unknown[0]!r} in this flow")
        slots = checked(self.owners, {**fs.slots, **values})
        for name, tool in self.offering.items():
            if name not in values and any(slots.get(need) != fs.slots.get(need) for need in tool.args.model_fields):
                slots.pop(name, None)
        changed = [name for name in values if slots.get(name) != fs.slots.get(name)]
        notes = Notes.of(fs.notes)
        confirmed = tuple(name for name in notes.confirmed if name not in changed)
        last = next((name for name in values if slots.get(name) is not None), notes.filled)
        return replace(fs, slots=slots, notes=replace(notes, confirmed=confirmed, filled=last).mapping())

    def missing(self, fs: FlowState) -> tuple[Slot, ...]:
        """The slots that the state still has to ask for, or to have confirmed."""
        confirmed = Notes.of(fs.notes).confirmed
        return tuple(
            slot
            for slot in self.filled_by(self.state(fs))
            if not slot.spoken.known(fs.slots.get(slot.name)) or (slot.confirm and slot.name not in confirmed)
        )

    def filled(self, fs: FlowState) -> bool:
        """Whether the state knows all of its slots, and may go on by itself."""
        return not self.missing(fs) and any(when.trigger == FILLED and source == fs.state for _, when, source in self.rows)

    def check_tool(self, fs: FlowState, name: str, args: Mapping[str, Any]) -> tuple[Tool, BaseModel]:
        """The tool and its arguments as it takes them; Refused where the state does not list it, or they are wrong."""
        for tool in self.state(fs).tools:
            if tool.name == name:
                return tool, tool.check(args)
        raise Refused(f"the state {fs.state!r} does not allow the tool {name!r}")

    def written(self, fs: FlowState) -> dict[str, Any]:
        """The slots as JSON; `fill` reads them again."""
        return written(self.owners, fs.slots)

    def _step(self, fs: FlowState, trigger: str, now: datetime | None) -> FlowState:
        context = self.context(fs, now)
        place = machine.step(self.machine, fs.state, trigger, context, filled=not self.missing(fs))
        passing = place.taken if place.taken is not None and self.transitions[place.taken].say else None
        return self._enter(fs, place.state, Notes.of(fs.notes), passing)

    def _enter(self, fs: FlowState, name: str, before: Notes, passing: int | None = None) -> FlowState:
        """On entry to a state: what it forgets, and what goes along."""
        visits = {**before.visits, name: before.visits.get(name, 0) + 1}
        forgotten = {field for model in models(self.by_name[name].afresh) for field in model.model_fields}
        notes = Notes(
            visits=visits,
            passing=passing,
            confirmed=tuple(field for field in before.confirmed if field not in forgotten),
            last=before.last,
            owed=before.owed,
            filled=before.filled,
            consent=before.consent,
            changed=before.changed,
        )
        slots = {field: value for field, value in fs.slots.items() if field not in forgotten}
        return FlowState(name, slots, visits[name], announced=False, notes=notes.mapping())

    # ── Its words and ears ───────────────────────────────────────────────────────────────────────────────────────────

    def local(self, wall: str) -> datetime:
        """A request's wall time (ISO 8601), in the flow's zone; "" is the clock's."""
        return (datetime.fromisoformat(wall) if wall else datetime.now(self.zone)).astimezone(self.zone)

    def context(
        self, fs: FlowState, now: datetime | None = None, call_from: str = "", call_to: str = "", call: str = ""
    ) -> Context:
        """What the flow's own functions are given."""
        return Context((now or datetime.now(self.zone)).astimezone(self.zone), fs.slots, call_from, self, call_to, call)

    def value(self, slot: str, plain: Any) -> Any:
        """A slot's value from its JSON."""
        return checked((self.slots[slot].owner,), {slot: plain})[slot]

    def said(self, slot: str, value: Any, now: datetime) -> str:
        """A slot's value in words; "" where it is empty."""
        return "" if value is None else self.slots[slot].spoken.say(value, now)

    def line(self, words: Words, fs: FlowState, now: datetime | None = None, extra: Mapping[str, str] | None = None) -> Line:
        """A text or a text function, with its slots said."""
        context = self.context(fs, now)
        if not isinstance(words, str):
            return Line(words(context).strip())
        more = extra or {}
        return render(words, lambda name: more[name] if name in more else self.said(name, fs.slots.get(name), context.now))

    def say(self, template: Words, fs: FlowState, now: datetime | None = None) -> str:
        """A text with its slots said."""
        return self.line(template, fs, now).text

    def hints(self, fs: FlowState) -> Hints:
        """What the state expects to hear; made once."""
        return self._hints[fs.state]

    def listen(self, fs: FlowState, speaking: bool = False, asked: bool = True) -> Listen:
        """How to listen here. `asked`: the agent's question was put, so that what comes may be its answer."""
        state, question = self.state(fs), Notes.of(fs.notes).question
        preset = state.listen
        if asked and question and question.kind == "slot" and not (preset.dictation or preset.closed):
            preset = self.slots[question.slot].spoken.listening
        closed = asked and (preset.closed or (question is not None and question.closed))
        return Listen(
            speaking=speaking,
            endpoint_complete=preset.complete,
            endpoint_unsure=preset.unsure,
            endpoint_closed=preset.yes_no,
            endpoint_dictation=preset.dictating,
            closed=closed,
            dictation=preset.dictation and not closed,
            complete=self._complete[fs.state],
            hints=self._hints[fs.state],
        )
