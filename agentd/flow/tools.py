"""Tools: plain functions that a flow may ask for while it talks; here those that only read. `effects` has the others.

A function is blocking (run off the loop) or async; the arguments that it names are filled from the slots of the same name,
and whoever thinks may give them too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from agentd import limits
from agentd.flow.arguments import Function, first
from agentd.flow.context import Context
from agentd.flow.refusal import Refused

NAMED: Final = 6
"""Wrong arguments that are named at once: a call with more of them is not mended, but made anew."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Tool:
    """A declared tool: one that reads or, as an `EffectTool`, changes the world. `timeout` of one request, in seconds."""

    function: Function
    tell: str | Callable[[Context, Any], str]
    kind: str = "read"
    timeout: float = limits.TOOL_S
    nothing: str = ""
    offers: str = ""
    discloses: bool = False
    ask: str = ""

    @property
    def name(self) -> str:
        """Its name: the function's."""
        return self.function.name

    @property
    def args(self) -> type[BaseModel]:
        """The model of its arguments."""
        return self.function.args

    @property
    def blocking(self) -> bool:
        """Whether `call` must run off the loop; else it gives an awaitable."""
        return self.function.blocking

    @property
    def required(self) -> tuple[str, ...]:
        """The arguments without which it cannot run."""
        return tuple(name for name, info in self.args.model_fields.items() if info.is_required())

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return self.function.summary

    def check(self, args: Mapping[str, Any]) -> BaseModel:
        """The arguments as the tool takes them; Refused with all that is wrong with them, in one sentence."""
        try:
            model = self.args.model_validate(dict(args))
            long = len(model.model_dump_json()) > limits.TOOL_ARGS_BYTES
        except ValidationError as error:
            raise Refused(f"{self.name} was not run: {_wrong(error)}. Correct that and call it again") from None
        except ValueError as error:  # PydanticSerializationError: a value that JSON does not know
            raise Refused(f"{self.name} was not run: {str(error)[:200]}") from None
        if long:
            raise Refused(f"{self.name} was not run: its arguments are longer than {limits.TOOL_ARGS_BYTES} bytes")
        return model

    def call(self, context: Context, args: BaseModel) -> Any | Awaitable[Any]:
        """Run it with what `check` gave; whatever the function raises passes through."""
        return self.function.call(context, args)


def read(
    *,
    tell: str | Callable[[Context, Any], str] = "",
    nothing: str = "",
    offers: str = "",
    discloses: bool = False,
    ask: str = "",
    timeout: float = limits.TOOL_S,
) -> Callable[[Callable[..., Any] | Function], Tool]:
    """Declare a tool that only looks something up.

    `tell` says its result: {result}, or {offers} where the result is a list of values for the slot named by `offers`, from
    which the caller then chooses; or it is a function of context and result. `nothing` is said of an empty result, and what
    was asked for is asked again. A tool that `discloses` tells somebody's data: it never runs on a guess of what the caller
    will say, and, with `ask`, a yes/no question, only after a heard yes. `timeout` is in seconds.
    """

    def declare(function: Callable[..., Any] | Function) -> Tool:
        return Tool(
            function=first(function),
            tell=tell,
            timeout=timeout,
            nothing=nothing,
            offers=offers,
            discloses=discloses,
            ask=ask,
        )

    return declare


def _wrong(error: ValidationError) -> str:
    """What is wrong with each argument; what was given is not repeated, and names are cut: both may be hostile."""
    if error.error_count() > NAMED:
        return f"{error.error_count()} of its arguments are wrong"
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))[:60] or 'the arguments'}: {one['msg'][:200]}" for one in found)
