"""Tests of a flow: a caller's part, written as an async function, is a test that runs a whole call."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Concatenate, Final, ParamSpec

from agentd.flow import loading
from agentd.flow.model import Flow
from agentd.testing.conversation import Conversation
from agentd.testing.placing import place

P = ParamSpec("P")

NOON: Final = "2026-11-20T12:00"
"""A Friday: the next Tuesday is the 24th."""


def scripted(
    flow: Flow, *, at: str = NOON
) -> Callable[[Callable[Concatenate[Conversation, P], Awaitable[None]]], Callable[P, None]]:
    """Make a test of a caller's part: an async function that is given a `Conversation` with `flow`, and then any fixtures.

    The call begins `at` a time in the flow's zone, ISO 8601, and ends when the function returns. The test needs no plugin of
    pytest's and no clock: it has its own.
    """

    def make(caller: Callable[Concatenate[Conversation, P], Awaitable[None]]) -> Callable[P, None]:
        began = datetime.fromisoformat(at).replace(tzinfo=flow.zone)

        def test(*args: P.args, **kwargs: P.kwargs) -> None:
            __tracebackhide__ = True

            async def part(call: Conversation) -> None:
                """Cancelled: as the caller's part."""
                await caller(call, *args, **kwargs)

            place(flow, part, began)

        test.__name__, test.__qualname__, test.__doc__ = caller.__name__, caller.__qualname__, caller.__doc__
        test.__module__ = caller.__module__
        _, *fixtures = inspect.signature(caller).parameters.values()
        test.__signature__ = inspect.Signature(fixtures)  # type: ignore[attr-defined]  # what pytest asks for its fixtures
        return test

    return make


def beside(test: str, name: str) -> ModuleType:
    """The module of the flow that lies beside a test, loaded and checked as agentd does it: `beside(__file__, "visit.py")`.

    Raises FlowError where it cannot work.
    """
    module = loading.module_of(Path(test).with_name(name))
    loading.flow_of(module)
    return module
