"""A tool's functions: what they take, as their signatures say, and how they are called."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.errors import PydanticUserError

from agentd.errors import FlowError
from agentd.flow.context import Context
from agentd.flow.nearest import closest

RESULT: Final = "result"
"""The parameter that is given what the first request of an effect returned; None where its answer never came."""


@dataclass(frozen=True, slots=True, eq=False)
class Function(ABC):
    """One thing that a tool does. `args` is the model of the arguments that it takes."""

    name: str
    args: type[BaseModel]

    @property
    @abstractmethod
    def blocking(self) -> bool:
        """Whether `call` must run off the loop; else it gives an awaitable."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """What it is for, in one line."""

    @abstractmethod
    def call(self, context: Context, args: BaseModel, result: Any = None) -> Any | Awaitable[Any]:
        """Do it; `result` is what the tool's first function returned. Whatever it raises passes through."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Written(Function):
    """A Python function, called by its signature: `names` are arguments, the others parameters for something else.

    `whole` is the parameter that takes the arguments' model itself, `context` the one that gets the context. `takes_result`:
    it has a parameter for what the first function returned.
    """

    run: Callable[..., Any]
    names: tuple[str, ...] = ()
    whole: str | None = None
    context: str | None = None
    takes_result: bool = False

    @property
    def blocking(self) -> bool:
        """See Function."""
        return not inspect.iscoroutinefunction(self.run)

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.run) or "").partition("\n")[0]

    def call(self, context: Context, args: BaseModel, result: Any = None) -> Any | Awaitable[Any]:
        """See Function."""
        given = {name: getattr(args, name) for name in self.names}
        if self.whole:
            given[self.whole] = args
        if self.context:
            given[self.context] = context
        if self.takes_result:
            given[RESULT] = result
        return self.run(**given)


def first(function: Callable[..., Any] | Function) -> Function:
    """A tool's first function, whose parameters are the tool's arguments; FlowError where one of them cannot be."""
    if isinstance(function, Function):
        if not function.name:
            raise FlowError("it begins a tool and has no name", where="endpoint", mend='write name="book", say.')
        return function
    where = f"tool {function.__name__!r}"
    context, fields = None, dict[str, Any]()
    for name, hint, default in _parameters(function, where):
        if hint is Context:
            context = name
        elif hint is None:
            raise FlowError(f"its argument {name} has no type", where=where, mend=f"write `{name}: SpokenTime`, say.")
        else:
            fields[name] = (hint, ... if default is inspect.Parameter.empty else default)
    if len(fields) == 1:
        ((name, (hint, _)),) = fields.items()
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            return Written(function.__name__, hint, run=function, whole=name, context=context)
    try:
        model = create_model(f"{function.__name__}_args", __config__=ConfigDict(extra="forbid"), **fields)
    except PydanticUserError as error:
        raise FlowError(
            f"one of its arguments has a type that cannot be read from JSON: {str(error).partition('.')[0]}",
            where=where,
            mend="use SpokenTime, SpokenName, str, int, a Literal or a pydantic model.",
        ) from None
    return Written(function.__name__, model, run=function, names=tuple(fields), context=context)


def further(function: Callable[..., Any] | Function, of: Function) -> Function:
    """Another function of a tool: it may take the tool's arguments by their names, the context, and `result`."""
    if isinstance(function, Function):
        return function
    where = f"tool {of.name!r}, {function.__name__}"
    context, whole, names, result = None, None, list[str](), False
    for name, hint, _ in _parameters(function, where):
        if hint is Context:
            context = name
        elif hint is of.args:
            whole = name
        elif name == RESULT:
            result = True
        elif name in of.args.model_fields:
            names.append(name)
        else:
            raise FlowError(
                f"its parameter {name!r} is no argument of {of.name}",
                where=where,
                mend=f"{closest(name, [*of.args.model_fields, RESULT])} A Context may be taken too.",
            )
    return Written(
        function.__name__, of.args, run=function, names=tuple(names), whole=whole, context=context, takes_result=result
    )


def _parameters(function: Callable[..., Any], where: str) -> list[tuple[str, Any, Any]]:
    """Name, type and default of each parameter."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise FlowError(str(error), where=where, mend="import the type that its signature names.") from None
    return [(name, hints.get(name), parameter.default) for name, parameter in inspect.signature(function).parameters.items()]
