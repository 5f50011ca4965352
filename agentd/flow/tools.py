"""Tools: plain functions that a flow may ask for while it talks.

Only readers so far. A function is blocking (run off the loop) or async; the arguments that it names are filled from the
slots of the same name, and whoever thinks may give them too.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from agentd import limits
from agentd.errors import FlowError
from agentd.flow.refusal import Refused
from agentd.messages import NOTHING

if TYPE_CHECKING:
    from agentd.flow.model import Flow


@dataclass(frozen=True, slots=True)
class Context:
    """What a flow's functions know of the call: the time in the flow's zone, its slots, who calls."""

    now: datetime
    slots: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    call_from: str = ""
    flow: Flow | None = field(default=None, repr=False)


Words = str | Callable[[Context], str]
"""A text with {slots} in it, or a function that makes one."""


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """A declared tool. `args` is the model of its arguments; `takes_context` is the parameter that gets the context."""

    name: str
    function: Callable[..., Any]
    args: type[BaseModel]
    takes_context: str | None
    whole: str | None
    timeout: float
    tell: str | Callable[[Context, Any], str]
    nothing: str
    offers: str
    kind: str = "read"

    @property
    def blocking(self) -> bool:
        """Whether `call` must run off the loop; else it gives an awaitable."""
        return not inspect.iscoroutinefunction(self.function)

    @property
    def needs(self) -> tuple[str, ...]:
        """The arguments without which it cannot run."""
        return tuple(name for name, info in self.args.model_fields.items() if info.is_required())

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def check(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function takes them; Refused with what is wrong."""
        try:
            model = self.args.model_validate(dict(args))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise Refused(f"{self.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        if self.whole:
            return {self.whole: model}
        return {name: getattr(model, name) for name in self.args.model_fields}

    def call(self, context: Context, args: Mapping[str, Any]) -> Any | Awaitable[Any]:
        """Run it with what `check` gave; whatever the function raises passes through."""
        extra = {self.takes_context: context} if self.takes_context else {}
        return self.function(**extra, **args)


def read(
    *, timeout: float = limits.TOOL_S, tell: str | Callable[[Context, Any], str] = "", nothing: str = "", offers: str = ""
) -> Callable[[Callable[..., Any]], Tool]:
    """Declare a tool that only looks something up.

    `tell` says its result: {result}, or {offers} where the result is a list of values for the slot named by `offers`, from
    which the caller then chooses; or it is a function of context and result. `nothing` is said of an empty result, and what
    was asked for is asked again. `timeout` is in seconds.
    """

    def declare(function: Callable[..., Any]) -> Tool:
        args, takes_context, whole = _arguments(function)
        return Tool(function.__name__, function, args, takes_context, whole, timeout, tell, nothing, offers)

    return declare


def _arguments(function: Callable[..., Any]) -> tuple[type[BaseModel], str | None, str | None]:
    """The model of a function's arguments, the parameter for the context, the one that takes the model itself."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise FlowError(
            str(error), where=f"tool {function.__name__}", mend="import the type that its signature names."
        ) from None
    takes_context, fields = None, dict[str, Any]()
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name)
        if hint is Context:
            takes_context = name
        elif hint is None:
            raise FlowError(
                f"its argument {name} has no type", where=f"tool {function.__name__}", mend=f"write `{name}: SpokenTime`, say."
            )
        else:
            fields[name] = (hint, ... if parameter.default is parameter.empty else parameter.default)
    if len(fields) == 1:
        ((name, (hint, _)),) = fields.items()
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            return hint, takes_context, name
    model = create_model(f"{function.__name__}_args", __config__=ConfigDict(extra="forbid"), **fields)
    return model, takes_context, None


def _needs_the_ledger(kind: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **options: Any) -> NoReturn:
        raise FlowError(
            f"a {kind} tool changes the world, and there is no ledger yet to undo it by; only `read` tools may run",
            mend="look things up with @read, note the caller's wish in a slot, and let a person carry it out.",
        )

    refuse.__name__ = kind
    return refuse


compensable = _needs_the_ledger("compensable")
held = _needs_the_ledger("held")
deferred = _needs_the_ledger("deferred")
pivot = _needs_the_ledger("pivot")
