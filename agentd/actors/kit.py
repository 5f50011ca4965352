"""What actors are made of: a bounded mailbox, and pieces of work that can be dropped without dropping the actor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Generic, TypeVar, TypeVarTuple

import trio

from agentd import limits

M = TypeVar("M")
A = TypeVarTuple("A")


class Mailbox(Generic[M]):
    """A bounded queue of messages with one reader; it outlives its actor's restarts.

    `send_nowait` is for the conductor, which waits for nobody: a full box means that its reader is stuck, and `on_full` is
    told so. `send` is for actors, which may wait.
    """

    def __init__(self, on_full: Callable[[], None], size: int = limits.MAILBOX) -> None:
        self._send, self._receive = trio.open_memory_channel[M](size)
        self._on_full = on_full

    def send_nowait(self, message: M) -> None:
        """Deliver without waiting; a message to a full box is dropped, and its reader is reported."""
        try:
            self._send.send_nowait(message)
        except trio.WouldBlock:
            self._on_full()

    async def send(self, message: M) -> None:
        """Deliver, waiting for room. Cancelled: the message was not delivered."""
        await self._send.send(message)

    async def receive(self) -> M:
        """Wait for the next message. Cancelled: none was taken."""
        return await self._receive.receive()

    def receive_nowait(self) -> M | None:
        """The next message if one is there."""
        try:
            return self._receive.receive_nowait()
        except trio.WouldBlock:
            return None

    def drain(self) -> None:
        """Forget all that waits: a restarted actor begins with nothing."""
        while self.receive_nowait() is not None:
            pass

    def __len__(self) -> int:
        return self._receive.statistics().current_buffer_used


class Jobs:
    """Pieces of work inside an actor, each in its own cancel scope."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scopes: set[trio.CancelScope] = set()

    @property
    def busy(self) -> int:
        """How many are running."""
        return len(self._scopes)

    def start(self, work: Callable[[*A], Awaitable[None]], *args: *A) -> None:
        """Start a piece of work; what it raises ends the actor."""
        scope = trio.CancelScope()
        self._scopes.add(scope)
        self._nursery.start_soon(self._run, scope, partial(work, *args))

    def drop(self) -> None:
        """Cancel what is running; it may still be unwinding when this returns."""
        for scope in self._scopes:
            scope.cancel()
        self._scopes.clear()

    async def _run(self, scope: trio.CancelScope, work: Callable[[], Awaitable[None]]) -> None:
        """Cancelled: the work is over."""
        try:
            with scope:
                await work()
        finally:
            self._scopes.discard(scope)


@asynccontextmanager
async def open_jobs() -> AsyncIterator[Jobs]:
    """A place for jobs; leaving it cancels them all. Cancelled: no job is left running."""
    async with trio.open_nursery() as nursery:
        yield Jobs(nursery)
        nursery.cancel_scope.cancel()


async def run_all(*tasks: Callable[[], Awaitable[None]]) -> None:
    """Run an actor's own tasks side by side until one of them ends, then stop the others.

    Raises what one of them raised. Cancelled: none is left running.
    """
    async with trio.open_nursery() as nursery:

        async def run(task: Callable[[], Awaitable[None]]) -> None:
            await task()
            nursery.cancel_scope.cancel()

        for task in tasks:
            nursery.start_soon(run, task)
