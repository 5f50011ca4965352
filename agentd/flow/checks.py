"""Everything that can be known to be wrong with a flow before a call is hurt. Each check is a generator of FlowErrors."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator

from agentd.errors import FlowError
from agentd.flow import toolchecks
from agentd.flow.declare import FILLED, STUCK, Answer, State, When, ends, models
from agentd.flow.effects import EffectTool
from agentd.flow.grammar import spelled
from agentd.flow.model import Flow
from agentd.flow.nearest import closest
from agentd.flow.slots import Slot, Slots, slots_of
from agentd.flow.templates import fields
from agentd.flow.tools import Tool
from agentd.turn.words import normalise


def check(flow: Flow) -> None:
    """Raise the first FlowError of a flow; it names file, place and mend."""
    for error in problems(flow):
        place = f"{flow.file}: {error.where}" if error.where else flow.file
        raise FlowError(error.what, where=place, mend=error.mend)


def problems(flow: Flow) -> Iterator[FlowError]:
    """All that is wrong, the roots of later trouble first."""
    if unlike := list(_kinds(flow)):
        yield from unlike
        return  # nothing below can look at it
    yield from _names(flow)
    yield from _settings(flow)
    yield from _slots(flow)
    yield from toolchecks.problems(flow)
    yield from _transitions(flow)
    yield from _targets(flow)
    yield from _texts(flow)
    yield from _phrases(flow)
    yield from _ways(flow)


def _state(state: State) -> str:
    return f"state {state.name!r}"


def _kinds(flow: Flow) -> Iterator[FlowError]:
    """What is of another kind than it must be: one where a list is due, a list where texts are, a value for a class."""
    lists = [("Flow", "states", flow.states, State), ("Flow", "transitions", flow.transitions, When)]
    lists += [("Flow", "answers", flow.answers, Answer)]
    for where, name, given, kind in lists:
        if not isinstance(given, list | tuple) or not all(isinstance(one, kind) for one in given):
            yield FlowError(
                f"{name}= is no list of {kind.__name__}(…)", where=where, mend=f"write {name}=[{kind.__name__}(…), …]."
            )
            return
    for state in flow.states:
        if not isinstance(state.tools, list | tuple):
            yield FlowError("tools= is no list", where=_state(state), mend="write tools=[…], also for one.")
            continue
        for tool in state.tools:
            if not isinstance(tool, Tool):  # a plain function, say
                yield FlowError(
                    f"{getattr(tool, '__name__', tool)!r} is no tool",
                    where=_state(state),
                    mend="put @read(…), @compensable(…), @held(…), @deferred(…) or @pivot(…) above the function.",
                )
        for name in ("fills", "afresh"):
            given = getattr(state, name)
            given = given if isinstance(given, list | tuple) else (given,)
            if not all(isinstance(model, type) and issubclass(model, Slots) for model in given):
                yield FlowError(
                    f"{name}= is no class of slots", where=_state(state), mend=f"write {name}=Order for `class Order(Slots)`."
                )
    said = [(f"transition {when.trigger!r}", when.phrases) for when in flow.transitions]
    for where, phrases in said + [(f"answer {answer.name!r}", answer.phrases) for answer in flow.answers]:
        if not all(isinstance(phrase, str) for phrase in phrases):
            yield FlowError("a phrase is no text", where=where, mend='write the phrases one behind the other: "…", "…".')


def _names(flow: Flow) -> Iterator[FlowError]:
    if not flow.states:
        yield FlowError(
            "it has no states", where="Flow", mend="give it states=[State(…), …]; the first one is where calls start."
        )
    seen = set[str]()
    for state in flow.states:
        if state.name in seen:
            yield FlowError("two states have this name", where=_state(state), mend="rename one of them.")
        seen.add(state.name)
    triggers = {when.trigger for when in flow.transitions}
    for answer in flow.answers:
        if answer.name in triggers:
            yield FlowError("a trigger has this name too", where=f"answer {answer.name!r}", mend="rename one of them.")
        if not answer.phrases:
            yield FlowError(
                "nobody can ask for it: it has no phrases",
                where=f"answer {answer.name!r}",
                mend="add what callers say, such as Answer(name, text, 'opening hours').",
            )


def _settings(flow: Flow) -> Iterator[FlowError]:
    if flow.timezone not in zoneinfo.available_timezones():
        near = (
            closest(flow.timezone, zoneinfo.available_timezones())
            if len(flow.timezone) > 2
            else "write a name such as 'Europe/Paris'."
        )
        yield FlowError(
            f"there is no timezone {flow.timezone!r}",
            where="Flow",
            mend=near if near.startswith("did") else "write a name such as 'Europe/Paris'.",
        )
    if flow.recording not in ("off", "on", "consent"):
        yield FlowError(f"recording is {flow.recording!r}", where="Flow", mend="write recording='off', 'on' or 'consent'.")
    if "{help}" in "".join(flow.unmatched) and not flow.help:
        yield FlowError(
            "it does not say what it can help with", where="Flow", mend='write help="our opening hours and prices", say.'
        )


def _slots(flow: Flow) -> Iterator[FlowError]:
    slots = dict[str, Slot]()
    for state in flow.states:
        for model in models(state.fills):
            try:
                found = list(slots_of(model))
            except FlowError as error:
                yield FlowError(error.what, where=f"{_state(state)}, {error.where}", mend=error.mend)
                return
            for slot in found:
                other = slots.setdefault(slot.name, slot)
                where = f"{_state(state)}, slot {model.__name__}.{slot.name}"
                if type(other.spoken) is not type(slot.spoken):
                    yield FlowError(
                        f"{other.owner.__name__} has a slot of this name and another type",
                        where=where,
                        mend="rename one of them.",
                    )
                if not slot.ask:
                    yield FlowError(
                        "the slot has no question", where=where, mend=f'write `{slot.name}: … | None = slot(ask="…?")`.'
                    )
        for model in models(state.afresh):
            if model not in flow.owners:
                yield FlowError(f"no state fills {model.__name__}", where=_state(state), mend="leave it out of afresh=.")


def _transitions(flow: Flow) -> Iterator[FlowError]:
    names = set(flow.by_name)
    unsaid = {FILLED, *(tool.then for tool in flow.tools.values() if isinstance(tool, EffectTool))}
    for when in flow.transitions:
        where = f"transition {when.trigger!r}"
        if when.trigger == STUCK:
            yield FlowError(f"the trigger name {STUCK!r} is the machine's own", where=where, mend="give it another name.")
        for name in (*(source for source in when.sources if source != "*"), when.dest):
            if name not in names:
                yield FlowError(f"there is no state {name!r}", where=where, mend=closest(name, names))
        for source in when.sources:
            if source in names and ends(flow.by_name[source]):
                yield FlowError(
                    f"{source!r} is a last state: nothing leaves it", where=where, mend="take it out of the sources."
                )
        if (
            when.trigger not in unsaid
            and not when.phrases
            and not any(other.phrases for other in flow.transitions if other.trigger == when.trigger)
        ):
            yield FlowError("nobody can say it: it has no phrases", where=where, mend="add what callers say behind dest.")


def _targets(flow: Flow) -> Iterator[FlowError]:
    triggers = {when.trigger for when in flow.transitions}
    for state in flow.states:
        if state.transfer and state.transfer not in flow.transfers:
            yield FlowError(
                f"the transfer target {state.transfer!r} is not configured",
                where=_state(state),
                mend=f'add it to the flow: transfers={{"{state.transfer}": "+1…"}}; {closest(state.transfer, flow.transfers)}',
            )
        elif state.transfer and not flow.transfers[state.transfer].strip():
            yield FlowError(
                f"the transfer target {state.transfer!r} has no number",
                where=_state(state),
                mend=f'write its number: transfers={{"{state.transfer}": "+1…"}}.',
            )
        if state.unreached and not state.transfer:
            yield FlowError("unreached= stands where nobody is called", where=_state(state), mend="write it beside transfer=.")
        elif state.unreached and state.unreached not in flow.by_name:
            yield FlowError(
                f"there is no state {state.unreached!r}", where=_state(state), mend=closest(state.unreached, set(flow.by_name))
            )
        if state.stuck and state.stuck not in triggers:
            yield FlowError(
                f"stuck={state.stuck!r} is no trigger of the flow", where=_state(state), mend=closest(state.stuck, triggers)
            )
    if flow.stuck and flow.stuck not in triggers:
        yield FlowError(f"stuck={flow.stuck!r} is no trigger of the flow", where="Flow", mend=closest(flow.stuck, triggers))


def _texts(flow: Flow) -> Iterator[FlowError]:
    for where, text, more in _templates(flow):
        known = {*flow.slots, *more}
        try:
            named = fields(text)
        except FlowError as error:
            yield FlowError(error.what, where=where, mend=error.mend)
            continue
        for name in named:
            if name not in known:
                yield FlowError(
                    f"the text {text!r} has a field {{{name}}} that does not exist", where=where, mend=closest(name, known)
                )


def _templates(flow: Flow) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each text that is a template: where it stands, the text, the fields that it may have beside slots."""
    for state in flow.states:
        texts = [state.say, state.ask, *state.prompts]
        yield from ((_state(state), text, ()) for text in texts if isinstance(text, str))
        for tool in state.tools:
            for text in (tool.tell, tool.nothing, tool.ask):
                if isinstance(text, str) and not isinstance(tool, EffectTool):
                    yield f"{_state(state)}, tool {tool.name!r}", text, ("result", "offers")
    for slot in flow.slots.values():
        for text in (slot.ask, slot.again, slot.one, slot.confirm):
            yield f"slot {slot.owner.__name__}.{slot.name}", text, ("offers",) if slot.name in flow.offering else ()
    for when in flow.transitions:
        if isinstance(when.say, str):
            yield f"transition {when.trigger!r}", when.say, ()
    yield from ((f"answer {answer.name!r}", answer.text, ()) for answer in flow.answers if isinstance(answer.text, str))
    yield from (
        ("Flow", text, ("help",))
        for text in (flow.greeting, flow.goodbye, flow.apology, *flow.prompts, *flow.misheard, *flow.unmatched)
    )


def _phrases(flow: Flow) -> Iterator[FlowError]:
    for state in flow.states:
        said = dict[str, str]()
        for name, phrases in flow.phrases(state.name).items():
            for phrase in phrases:
                if not spelled(phrase):
                    yield FlowError(
                        f"the phrase {phrase!r} of {name!r} has no words", where=_state(state), mend="write what callers say."
                    )
                other = said.setdefault(normalise(phrase), name)
                if other != name:
                    yield FlowError(
                        f"the phrase {phrase!r} means both {other!r} and {name!r} here",
                        where=_state(state),
                        mend="leave it to one of them.",
                    )


def _ways(flow: Flow) -> Iterator[FlowError]:
    """Unreachable states, dead ends, and no end at all."""
    leads = dict[str, set[str]]()
    for _, when, source in flow.rows:
        leads.setdefault(source, set()).add(when.dest)
    for state in flow.states:
        if state.unreached:
            leads.setdefault(state.name, set()).add(state.unreached)
    reached, todo = set[str](), [flow.states[0].name]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += leads.get(name, ())
    for state in flow.states:
        if state.name not in reached:
            yield FlowError(
                "no call can get here",
                where=_state(state),
                mend=f'add a When(…, "{state.name}", …) that leads to it, or remove it.',
            )
        if not ends(state) and not leads.get(state.name, set()) - {state.name}:
            yield FlowError(
                "there is no way out of it",
                where=_state(state),
                mend=f'add a When(…, "{state.name}", …), or make it final=True.',
            )
    if not any(state.final for state in flow.states if state.name in reached):
        yield FlowError(
            "no final state can be reached", where="Flow", mend="add State(…, final=True) and a When(…) that leads to it."
        )
