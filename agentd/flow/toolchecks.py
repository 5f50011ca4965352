"""What can be known to be wrong with a flow's tools when it loads. Each check is a generator of FlowErrors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from agentd import limits
from agentd.errors import FlowError
from agentd.flow.arguments import RESULT
from agentd.flow.effects import EffectTool, Part
from agentd.flow.nearest import closest
from agentd.flow.service import EFFECT, Endpoint
from agentd.flow.slots import spoken_of
from agentd.flow.spoken import IMPLIED
from agentd.flow.templates import fields
from agentd.flow.tools import Tool
from agentd.ledger.row import Kind
from agentd.messages import Mode

if TYPE_CHECKING:
    from agentd.flow.model import Flow

CARD: Final = re.compile(
    r"(^|_)(card_?(number|num|no|nr|pan|cvc|cvv|code|expiry)|(credit|debit|payment|bank)_?card|cc_?(number|num|no)|pan|cvv2?|cvc2?)(_|$)"
)
"""Names of payment card data. Nobody may read such a number to a machine that records, transcribes and files it."""

OF_THE_CALL: Final = {"call_id", "call_from", "call_to", "caller_id", "tenant", "tenant_id", RESULT}
"""Names of what a tool is given by the call itself; as arguments, whoever thinks could make them up."""


def problems(flow: Flow) -> Iterator[FlowError]:
    """All that is wrong with the tools of a flow whose slots are sound."""
    yield from _names(flow)
    yield from _cards({name: slot.owner.model_fields[name] for name, slot in flow.slots.items()}, "slot")
    for tool in flow.tools.values():
        yield from _arguments(flow, tool)
        yield from _endpoints(tool)
        yield from _effect(flow, tool) if isinstance(tool, EffectTool) else _reader(flow, tool)


def _where(tool: Tool) -> str:
    return f"tool {tool.name!r}"


def _names(flow: Flow) -> Iterator[FlowError]:
    for state in flow.states:
        for tool in state.tools:
            if flow.tools[tool.name] is not tool:
                yield FlowError("two tools have this name", where=_where(tool), mend="rename one of the functions.")
            if not (tool.name.isidentifier() and tool.name.isascii()):
                yield FlowError("its name is no word", where=_where(tool), mend='name it as in Python: "book_visit".')


# ── Arguments ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _arguments(flow: Flow, tool: Tool) -> Iterator[FlowError]:
    where = _where(tool)
    try:
        tool.args.model_json_schema()
    except PydanticUserError as error:
        yield FlowError(
            f"its arguments cannot be read from JSON: {str(error).partition(chr(10))[0]}",
            where=where,
            mend="use SpokenTime, SpokenName, str, int, a Literal or a pydantic model.",
        )
        return
    yield from _cards(tool.args.model_fields, where)
    for name in OF_THE_CALL & set(tool.args.model_fields):
        yield FlowError(
            f"its argument {name!r} is not for a caller or a model to say",
            where=where,
            mend="take a Context instead, whose call_from calls and call_to was called; rename it if it is another thing.",
        )
    for name in tool.required:
        if name not in flow.slots:
            yield FlowError(f"its argument {name!r} is no slot of the flow", where=where, mend=closest(name, flow.slots))


def _cards(given: Mapping[str, FieldInfo], where: str) -> Iterator[FlowError]:
    """Fields, and fields of models within them, that would hold a payment card's number."""
    for name, info in given.items():
        types = list(_types(info.annotation))
        if CARD.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) or any("CardNumber" in one.__name__ for one in types):
            yield FlowError(
                f"{name!r} would hold a payment card's data, which must not be spoken to a machine or kept",
                where=where,
                mend="send the caller a payment link, or rename it if it is another thing.",
            )
        for one in types:
            if issubclass(one, BaseModel):
                yield from _cards(one.model_fields, where)


def _types(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def _endpoints(tool: Tool) -> Iterator[FlowError]:
    """Fields of paths, and parts of queries, that are no arguments."""
    known = set(tool.args.model_fields)
    for function in tool.parts.values() if isinstance(tool, EffectTool) else (tool.function,):
        if isinstance(function, Endpoint):
            where = f"{_where(tool)}, {function.method} {function.path}"
            for name in (*(name.partition(".")[0] for name in fields(function.path)), *function.query):
                if name not in known | {EFFECT, RESULT}:
                    yield FlowError(f"it has {name!r}, which is no argument", where=where, mend=closest(name, known))


# ── Readers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _reader(flow: Flow, tool: Tool) -> Iterator[FlowError]:
    for state in flow.states:
        own = {slot.name for slot in flow.filled_by(state)}
        if tool in state.tools and tool.offers and tool.offers not in own:
            yield FlowError(
                f"it offers values for {tool.offers!r}, which this state does not fill",
                where=f"state {state.name!r}, {_where(tool)}",
                mend=closest(tool.offers, own),
            )
    if not tool.tell:
        yield FlowError(
            "nobody hears its result: it has no tell=",
            where=_where(tool),
            mend='write tell="…{result}…", or {offers} with offers=.',
        )
    if tool.ask and not tool.discloses:
        yield FlowError(
            "it asks before it tells what is nobody's secret", where=_where(tool), mend="write discloses=True, or remove ask=."
        )
    if tool.ask and not tool.ask.rstrip().endswith("?"):
        yield FlowError(f"ask={tool.ask!r} is no question", where=_where(tool), mend="end it with a question mark.")


# ── Effects ──────────────────────────────────────────────────────────────────────────────────────────────────────────

PARTS: Final = {Kind.COMPENSABLE: (Part.UNDO,), Kind.HELD: (Part.CONFIRM, Part.CANCEL)}
"""The functions that a class must have beside its first one."""


def _effect(flow: Flow, tool: EffectTool) -> Iterator[FlowError]:
    where = _where(tool)
    for part in PARTS.get(tool.kind, ()):
        if part not in tool.parts:
            yield FlowError(
                f"a {tool.kind} tool needs a function for {part}", where=where, mend=f"write one under @{tool.name}.{part}."
            )
    yield from _said(tool)
    yield from _identity(tool)
    yield from _needs(flow, tool)
    yield from _promises(tool)
    yield from _times(tool)
    triggers = {when.trigger for when in flow.transitions}
    if tool.then and tool.then not in triggers:
        yield FlowError(f"then={tool.then!r} is no trigger of the flow", where=where, mend=closest(tool.then, triggers))
    if tool.then and tool.traits.keep_on != "yes":
        yield FlowError(
            "then= moves the flow when nobody speaks: it is kept a moment after it was told",
            where=where,
            mend='let the caller say yes to it (a held tool, a pivot), or write When(FILLED, "…", "…").',
        )
    yield from _named(tool, "resource", tool.resource, set(tool.args.model_fields))


def _said(tool: EffectTool) -> Iterator[FlowError]:
    """The texts: those that must be there, those that nobody would hear, and what stands in them."""
    where, known = _where(tool), set(tool.args.model_fields)
    if not tool.texts[Mode.TELL]:
        yield FlowError(
            "nobody hears what it did: it has no tell=",
            where=where,
            mend='write tell="You are booked for {when}.", with its arguments.',
        )
    asks = tool.declared.keep_on == "yes"
    if asks and not tool.ask:
        yield FlowError(
            "it waits for a yes, and nothing is asked: it has no ask=",
            where=where,
            mend='write ask="Shall I book {when}?", with what the yes agrees to.',
        )
    if tool.ask and not asks:
        yield FlowError("its ask= is never asked, since it is kept when it is told", where=where, mend="remove one of them.")
    said: list[tuple[str, Any]] = [*tool.texts.items(), ("undone", tool.undone[Mode.TELL])]
    for mode, text in said:
        if not isinstance(text, str):
            yield FlowError(
                f"{mode}= is no text", where=where, mend="write a text with {arguments}: its end must be known to the ledger."
            )
            return
        may = known if mode in (Mode.ASK, Mode.RISK) else known | {RESULT}
        yield from _named(tool, mode, text, may)
        if text and mode in (Mode.ASK, Mode.CHECK, Mode.RISK) and not text.rstrip().endswith("?"):
            yield FlowError(f"{mode}={text!r} is no question", where=where, mend="end it with a question mark.")
    if asks and tool.ask and known and not fields(tool.ask):
        yield FlowError(
            "its ask= has no value that a yes could agree to", where=where, mend=f"name what is agreed to: {_fields(known)}."
        )


def _named(tool: EffectTool, option: str, text: str, known: set[str]) -> Iterator[FlowError]:
    """Fields of a text that do not exist."""
    try:
        names = fields(text)
    except FlowError as error:
        yield FlowError(error.what, where=f"{_where(tool)}, {option}=", mend=error.mend)
        return
    for name in names:
        if name.partition(".")[0] not in known:
            yield FlowError(
                f"the text {text!r} has a field {{{name}}} that is no argument",
                where=f"{_where(tool)}, {option}=",
                mend=closest(name, known),
            )


def _fields(known: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(known))


def _identity(tool: EffectTool) -> Iterator[FlowError]:
    where, known = _where(tool), tool.args.model_fields
    if tool.identity is None or isinstance(tool.identity, str):
        yield FlowError(
            "it does not say what makes two calls the same act" if tool.identity is None else "identity= is no list",
            where=where,
            mend='write identity=["when"], with the arguments that do; [] where every call is the same act.',
        )
        return
    for name in tool.identity:
        if name not in known:
            yield FlowError(f"identity= names {name!r}, which is no argument", where=where, mend=closest(name, known))
        elif _free(known[name]):
            yield FlowError(
                f"identity= names {name!r}, a free text, which nobody says twice in the same words",
                where=where,
                mend="leave it out; the type of a code says that it is one: a Literal, Annotated[str, Field(pattern=…)].",
            )


def _free(info: FieldInfo) -> bool:
    """Whether it takes any words."""
    spoken = spoken_of(info)
    return (
        spoken is not None
        and type(spoken) is type(IMPLIED[str])
        and not any(hasattr(mark, "pattern") for mark in info.metadata)
    )


def _needs(flow: Flow, tool: EffectTool) -> Iterator[FlowError]:
    where = _where(tool)
    if isinstance(tool.needed, Tool):
        yield FlowError("needs= is no list", where=where, mend=f"write needs=[{tool.needed.name}].")
        return
    for need in tool.needed:
        if not isinstance(need, EffectTool):
            yield FlowError(
                f"it needs {getattr(need, 'name', need)!r}, which changes nothing that could be kept",
                where=where,
                mend="name tools under @compensable, @held, @deferred or @pivot.",
            )
        elif flow.tools.get(need.name) is not need:
            yield FlowError(
                f"it needs {need.name!r}, which no state of the flow may use",
                where=where,
                mend="list it in a state's tools=[…].",
            )


def _promises(tool: EffectTool) -> Iterator[FlowError]:
    """What is promised of the remote and cannot be so."""
    if tool.declared.stores_refusals and not tool.declared.honours_key:
        yield FlowError(
            "its remote cannot store refusals under a key that it does not honour",
            where=_where(tool),
            mend="write honours_key=True too, or remove stores_refusals=.",
        )


def _times(tool: EffectTool) -> Iterator[FlowError]:
    where, declared = _where(tool), tool.declared
    if not declared.timeout > 0:
        yield FlowError(
            f"timeout={declared.timeout!r} leaves it no time", where=where, mend="write seconds, such as timeout=10."
        )
    if not declared.open_for > declared.timeout:
        yield FlowError(
            f"open_for={declared.open_for!r} is over before one request may be, after {declared.timeout!r} s",
            where=where,
            mend="write open_for=120, say.",
        )
    if tool.kind is Kind.HELD and not tool.ttl >= limits.HOLD_TTL_S:
        yield FlowError(
            f"a hold of ttl={tool.ttl!r} s ends before the caller can answer",
            where=where,
            mend=f"write how long the remote keeps it, {limits.HOLD_TTL_S:g} s at least, such as ttl=300.",
        )
