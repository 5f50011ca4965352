"""Supervision: children as data, restarted by rule, stopped in order. After OTP's supervisor, for the actors of one call.

A *significant* child carries the call: when it ends, for whatever reason, all end. A *restarted* child runs again, with an
empty mailbox and nothing of what it held: at most `limits.RESTARTS` times in `limits.RESTART_WINDOW_S` with one provider,
then with the next provider of its chain, and when the chain is exhausted it stays down, and the call is told.
Children start from left to right and are stopped from right to left, each within its own time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto

import trio

from agentd import limits
from agentd.messages import ActorDown, ActorRestarted

log = logging.getLogger(__name__)


class Restart(Enum):
    """What a child's end means."""

    SIGNIFICANT = auto()
    RESTARTED = auto()


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child: `run(provider)` is its life with the provider at that place of its chain of `providers`."""

    name: str
    run: Callable[[int], Awaitable[None]]
    restart: Restart
    providers: int = 1
    shutdown: float = limits.SHUTDOWN_S


@dataclass(slots=True, eq=False)
class _Child:
    """A child as it runs."""

    spec: ChildSpec
    scope: trio.CancelScope = field(default_factory=lambda: trio.CancelScope(shield=True))
    """Shielded, so that a cancelled call stops in order too: only the supervisor cancels it."""
    life: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)
    kicked: str = ""


Report = Callable[[ActorRestarted | ActorDown], Awaitable[None]]


class Supervisor:
    """Runs the children of one call; `report` is told of every restart and of a child that stays down."""

    def __init__(self, specs: tuple[ChildSpec, ...], report: Report) -> None:
        self._children = {spec.name: _Child(spec) for spec in specs}
        self._report = report

    def kick(self, name: str, why: str) -> None:
        """Restart a child that is stuck: it is cancelled and counted as failed."""
        child = self._children[name]
        child.kicked = why
        child.life.cancel()

    async def run(self) -> None:
        """Run all children until a significant one ends or this is cancelled; then stop them, right to left.

        Raises what a significant child raised. Cancelled: every child has ended, or has outlived its shutdown time and is
        cancelled all the same when this returns.
        """
        async with trio.open_nursery() as nursery:
            over = trio.Event()
            failures: list[Exception] = []
            for child in self._children.values():
                nursery.start_soon(self._keep, child, over, failures, name=child.spec.name)
            try:
                await over.wait()
            finally:
                with trio.CancelScope(shield=True):
                    await self._stop()
        if failures:
            raise failures[0]

    async def _stop(self) -> None:
        """Stop the children from right to left; a child that does not end in its time is left to the nursery's cancellation."""
        for child in reversed(self._children.values()):
            child.scope.cancel()
            with trio.move_on_after(child.spec.shutdown):
                await child.ended.wait()
            if not child.ended.is_set():
                log.error("actor %s did not end within %g s", child.spec.name, child.spec.shutdown)

    async def _keep(self, child: _Child, over: trio.Event, failures: list[Exception]) -> None:
        """A child's lives, one after another. Cancelled: the child has ended."""
        try:
            with child.scope:
                if child.spec.restart is Restart.SIGNIFICANT:
                    _, error = await self._live(child, 0)
                    if error is not None:
                        failures.append(error)
                else:
                    await self._revive(child)
        finally:
            child.ended.set()
            if child.spec.restart is Restart.SIGNIFICANT:
                over.set()

    async def _revive(self, child: _Child) -> None:
        """Run a restarted child through its chain of providers, until it is stopped or exhausted."""
        name, provider = child.spec.name, 0
        recent: deque[float] = deque(maxlen=limits.RESTARTS)
        while True:
            why, _ = await self._live(child, provider)
            now = trio.current_time()
            if len(recent) == limits.RESTARTS and now - recent[0] < limits.RESTART_WINDOW_S:
                provider += 1
                recent.clear()
            recent.append(now)
            if provider >= child.spec.providers:
                log.error("actor %s stays down: %s", name, why)
                await self._report(ActorDown(name, why, now))
                return
            log.warning("actor %s restarts (provider %d): %s", name, provider, why)
            await self._report(ActorRestarted(name, why, provider, now))

    async def _live(self, child: _Child, provider: int) -> tuple[str, Exception | None]:
        """One life of a child; answers why it ended, and with which error. Cancelled: the life is over."""
        child.kicked = ""
        with trio.CancelScope() as child.life:
            try:
                await child.spec.run(provider)
            except Exception as error:  # the actor boundary: whatever breaks in one actor is that actor's failure
                log.debug("actor %s failed", child.spec.name, exc_info=True)
                return _describe(error), error
        return child.kicked or "it ended", None


def _describe(error: BaseException) -> str:
    """The innermost single error of a group, in one line."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
