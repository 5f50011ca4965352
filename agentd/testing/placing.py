"""A call is placed: a flow, a caller and a ledger that is thrown away, in a run of their own."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import trio
from trio.testing import MockClock

from agentd.actors.kit import open_jobs
from agentd.errors import FlowError
from agentd.flow.hands import part_of
from agentd.flow.model import Flow
from agentd.ledger.events import No, NotSent, Unknown
from agentd.ledger.storage.store import Store, open_store
from agentd.ledger.storage.vault import open_vault
from agentd.messages import Logged, Outcome, ToolDone, UseTool
from agentd.testing.conversation import Conversation, Watch
from agentd.testing.pace import Pace
from agentd.testing.rig import Asked

Caller = Callable[[Conversation], Awaitable[None]]
"""A caller's part. When it returns, the caller hears the agent out and hangs up."""

LOGGERS: Final = ("agentd.supervision", "agentd.call")
"""Where it is told what broke: there a call goes on, or ends, without it."""


def place(flow: Flow, caller: Caller, began: datetime, watch: Watch = lambda seen: None) -> None:
    """Place a call at the time of day `began`, and be its caller, until it is over.

    Raises what the caller's part raises, with a note of each tool that failed; but FlowError where a function of the flow, or
    the call itself, broke before.
    """
    __tracebackhide__ = True  # pytest shows where the caller's part failed, and not how it was run
    clock, failures = MockClock(autojump_threshold=0), list[str]()

    def see(seen: Logged | Asked) -> None:
        failures.extend(_failure(seen))
        watch(seen)

    with TemporaryDirectory(prefix="agentd-") as folder, _bugs() as bugs:
        file = Path(folder) / "ledger.sqlite"
        store = open_store(f"sqlite:///{file}", open_vault("", file))
        try:
            trio.run(_place, flow, caller, began, see, store, Pace(clock), clock=clock)
        except BaseExceptionGroup as group:
            if not bugs:
                error = _innermost(group)
                for failure in failures:
                    error.add_note(failure)
                raise error from None
        finally:
            store.close()
    if bugs:
        last = traceback.extract_tb(bugs[0].__traceback__)[-1]
        what = f"this broke the call: {type(bugs[0]).__name__}: {bugs[0]}"
        raise FlowError(what, where=f"{last.filename}:{last.lineno}", mend="correct it.") from bugs[0]


async def _place(flow: Flow, caller: Caller, began: datetime, watch: Watch, store: Store, pace: Pace) -> None:
    """Cancelled: the call is cut."""
    call = Conversation(flow, store, began, watch, pace.keep)
    async with open_jobs() as jobs:
        jobs.start(call.run)
        await call.opens()
        await caller(call)
        if not call.over:
            await call.hears()
            await call.hangs_up()


def _failure(seen: Logged | Asked) -> Iterator[str]:
    """What went wrong with a tool, which the caller only hears an excuse for."""
    match seen:
        case Asked(row, ask, No(why) | NotSent(why) | Unknown(why)):
            yield f"{row.tool}, {part_of(row, ask)}: {why}"
        case Logged(event=ToolDone(outcome=Outcome(UseTool(tool=tool), "failed" | "timeout" | "refused", _, why))):
            yield f"{tool}: {why}"


class _Bugs(logging.Filter):
    """Keeps the errors that log records carry; neither they nor what follows from them need be logged any more."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        if record.exc_info and record.exc_info[1]:
            self.errors.append(_innermost(record.exc_info[1]))
        return record.levelno > logging.WARNING and not record.exc_info


@contextmanager
def _bugs() -> Iterator[list[BaseException]]:
    """What breaks in the call meanwhile, and would else only be logged."""
    bugs, levels = _Bugs(), {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).addFilter(bugs)
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield bugs.errors
    finally:
        for name, level in levels.items():
            logging.getLogger(name).removeFilter(bugs)
            logging.getLogger(name).setLevel(level)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
