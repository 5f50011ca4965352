"""How a tool that changes the world is declared: a decorator for each class, on the function that begins the effect.

Its other functions get decorators of the tool's own, and any names:

    @held(ask="Shall I book {when}?", tell="You are booked for {when}.", identity=["when"], ttl=300)
    async def book(context: Context, when: SpokenTime, name: SpokenName) -> Hold: ...

    @book.confirm
    async def confirm_book(context: Context) -> None: ...

    @book.cancel
    async def cancel_book(context: Context) -> None: ...

A function that returns has done it. `ToolRefused` says that it was not done and will not be, `ToolNotSent` that the request
never left, `ToolGone` to an undo that there is nothing to undo; every other error leaves the outcome unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from agentd import limits
from agentd.errors import FlowError
from agentd.flow import lines, templates
from agentd.flow.arguments import RESULT, Function, first
from agentd.flow.effects import EffectTool, Part
from agentd.flow.tools import Tool
from agentd.ledger.row import Kind, Traits
from agentd.messages import Mode


def compensable(
    *,
    tell: str = "",
    identity: Sequence[str] | None = None,
    untell: str = "",
    undone: str = "",
    check: str = "",
    again: str = "",
    risk: str = "",
    order: Literal["new_first", "old_first"] = "new_first",
    repeat: Literal["ask", "replay", "new"] = "ask",
    on_doubt: Literal["keep", "drop"] = "keep",
    honours_key: bool = False,
    stores_refusals: bool = False,
    tombstone: bool = False,
    resource: str = "",
    timeout: float = limits.TOOL_S,
    open_for: float = 120.0,
    then: str = "",
) -> Callable[[Callable[..., Any] | Function], EffectTool]:
    """Declare a tool that acts at once and can be undone: it is kept once the caller has heard it told, else undone.

    The texts have {arguments} in them, {result}, or {result.name} of what was returned. `tell` says that it is done, `untell`
    that it is not so after all, `undone` that it was taken back at the caller's wish; `check` asks whether to keep what was
    told and cut off, `again` whether it is wanted once more, and `risk`, where order="old_first", whether what the caller has
    may be lost for it. All but `tell` have defaults.

    `identity` names the arguments that make two calls the same act. `order` says which of two comes first when the caller
    changes their mind, `repeat` what a second call for the same act does, `on_doubt` what becomes of it when nobody knows
    whether it was heard. `honours_key`: the remote answers a repeated Idempotency-Key with its first answer, refusals too
    where it `stores_refusals`; `tombstone`: an undo refuses a later do of the same key. Requests of one call on one
    `resource`, a text that may have {arguments}, are sent one after the other. `timeout` is that of one request, `open_for`
    the longest time without a verdict, in seconds. `then` is the trigger to fire once it is kept and settled.
    """
    texts = _texts(tell, untell=untell, check=check, first=_first(tell, order, again, risk))
    traits = Traits("told", honours_key, stores_refusals, tombstone=tombstone, on_doubt=on_doubt, repeat=repeat,
                    old_first=order == "old_first", timeout=timeout, open_for=open_for)  # fmt: skip
    return _declare(Kind.COMPENSABLE, texts, traits, identity, resource, then, undone=undone, order=order)


def held(
    *,
    tell: str = "",
    ask: str = "",
    ttl: float = 0.0,
    identity: Sequence[str] | None = None,
    keep_on: Literal["yes", "told"] = "yes",
    untell: str = "",
    undone: str = "",
    check: str = "",
    again: str = "",
    risk: str = "",
    order: Literal["new_first", "old_first"] = "new_first",
    repeat: Literal["ask", "replay", "new"] = "ask",
    on_doubt: Literal["keep", "drop"] = "keep",
    honours_key: bool = False,
    stores_refusals: bool = False,
    tombstone: bool = False,
    resource: str = "",
    timeout: float = limits.TOOL_S,
    open_for: float = 120.0,
    then: str = "",
) -> Callable[[Callable[..., Any] | Function], EffectTool]:
    """Declare a tool that prepares at once what it will confirm or cancel.

    `ask` is the yes/no question, with the values that a yes agrees to; with keep_on="told" nothing is asked. The remote
    promises for `ttl` seconds that a confirmation will succeed; a `Hold` that is returned may say otherwise. The rest is as
    for `compensable`.
    """
    texts = _texts(tell, ask=ask, untell=untell, check=check, first=_first(tell, order, again, risk))
    traits = Traits(keep_on, honours_key, stores_refusals, tombstone=tombstone, on_doubt=on_doubt, repeat=repeat,
                    old_first=order == "old_first", timeout=timeout, open_for=open_for)  # fmt: skip
    return _declare(Kind.HELD, texts, traits, identity, resource, then, undone=undone, ttl=ttl, order=order)


def deferred(
    *,
    tell: str = "",
    identity: Sequence[str] | None = None,
    needs: Sequence[Tool] = (),
    untell: str = "",
    check: str = "",
    again: str = "",
    repeat: Literal["ask", "replay", "new"] = "ask",
    on_doubt: Literal["keep", "drop"] = "keep",
    honours_key: bool = False,
    stores_refusals: bool = False,
    resource: str = "",
    timeout: float = limits.TOOL_S,
    open_for: float = 120.0,
    then: str = "",
) -> Callable[[Callable[..., Any] | Function], EffectTool]:
    """Declare a tool that acts only once the caller has heard that it will, and what it `needs` is kept and settled.

    `tell` speaks of the future: "I will text it to you." The rest is as for `compensable`.
    """
    texts = _texts(tell, untell=untell, check=check, first=_first(tell, "new_first", again, ""))
    traits = Traits("told", honours_key, stores_refusals, on_doubt=on_doubt, repeat=repeat, timeout=timeout, open_for=open_for)
    return _declare(Kind.DEFERRED, texts, traits, identity, resource, then, needs=needs)


def pivot(
    *,
    tell: str = "",
    ask: str = "",
    identity: Sequence[str] | None = None,
    needs: Sequence[Tool] = (),
    untell: str = "",
    repeat: Literal["ask", "replay", "new"] = "ask",
    honours_key: bool = False,
    stores_refusals: bool = False,
    resource: str = "",
    timeout: float = limits.TOOL_S,
    open_for: float = 120.0,
    then: str = "",
) -> Callable[[Callable[..., Any] | Function], EffectTool]:
    """Declare a tool that cannot be undone, such as a payment: it acts once the caller has said yes to `ask`.

    What it `needs` is kept or dropped with it. The rest is as for `compensable`.
    """
    texts = _texts(tell, ask=ask, untell=untell, check="", first="")
    traits = Traits("yes", honours_key, stores_refusals, repeat=repeat, timeout=timeout, open_for=open_for)
    return _declare(Kind.PIVOT, texts, traits, identity, resource, then, needs=needs)


CHOICES: Final = {
    "keep_on": ("told", "yes"),
    "repeat": ("ask", "replay", "new"),
    "on_doubt": ("keep", "drop"),
    "order": ("new_first", "old_first"),
}


def _declare(
    kind: Kind,
    texts: Mapping[Mode, str],
    traits: Traits,
    identity: Sequence[str] | None,
    resource: str,
    then: str,
    *,
    undone: str = "",
    needs: Sequence[Tool] = (),
    ttl: float = 0.0,
    order: str = "new_first",
) -> Callable[[Callable[..., Any] | Function], EffectTool]:
    """The decorator that makes the tool of a function."""

    def declare(function: Callable[..., Any] | Function) -> EffectTool:
        do = first(function)
        given = {"keep_on": traits.keep_on, "repeat": traits.repeat, "on_doubt": traits.on_doubt, "order": order}
        for name, value in given.items():
            if value not in CHOICES[name]:
                may = " or ".join(f'"{one}"' for one in CHOICES[name])
                raise FlowError(f"{name}={value!r} is no choice", where=f"tool {do.name!r}", mend=f"write {name}={may}.")
        return EffectTool(
            function=do,
            tell=texts[Mode.TELL],
            ask=texts.get(Mode.ASK, ""),
            timeout=traits.timeout,
            kind=kind,
            declared=traits,
            texts=texts,
            undone=_undone(undone, texts[Mode.TELL]),
            identity=identity,
            needed=needs,
            resource=resource,
            then=then,
            ttl=ttl,
            parts={Part.DO: do},
        )

    return declare


def _texts(tell: str, *, ask: str = "", untell: str, check: str, first: str) -> dict[Mode, str]:
    """What is said of an effect, by mode; where nothing was written it is said by the values that `tell` has."""
    return {
        Mode.TELL: tell,
        Mode.ASK: ask,
        Mode.UNTELL: untell or _of_its_values(lines.UNTELL, tell),
        Mode.CHECK: check or f"{lines.KEEP} {_values(tell) or 'it'}?",
        Mode.RISK: first,
    }


def _first(tell: str, order: str, again: str, risk: str) -> str:
    """What is asked before it acts at all: whether what the caller has may be lost, else whether another one is wanted."""
    values, old_first = _values(tell), order == "old_first"
    if (again and old_first) or (risk and not old_first):
        raise FlowError(
            f'{"again" if again else "risk"}= is never asked with order="{order}"', mend="remove it, or change the order."
        )
    if old_first:
        return risk or f"{lines.RISK} {values or 'it'}?"
    return again or (f"{lines.AGAIN}: {values}?" if values else f"{lines.AGAIN}?")


def _undone(undone: str, tell: str) -> dict[Mode, str]:
    """What is said of the row that takes it back."""
    return {
        Mode.TELL: undone or _of_its_values(lines.UNDONE, tell),
        Mode.UNTELL: _of_its_values(lines.NOT_UNDONE, tell),
    }


def _values(tell: str) -> str:
    """The arguments that a text tells."""
    names = dict.fromkeys(templates.fields(tell)) if isinstance(tell, str) else ()
    return ", ".join(f"{{{name}}}" for name in names if name.partition(".")[0] != RESULT)


def _of_its_values(text: str, tell: str) -> str:
    return f"{text}: {values}." if (values := _values(tell)) else f"{text}."
