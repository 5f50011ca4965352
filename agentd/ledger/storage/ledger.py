"""The ledger as the daemon has it: the store, off the loop."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from agentd.errors import EngineStalled, LedgerDown, ProviderError
from agentd.ledger.row import Row
from agentd.ledger.storage import incidents
from agentd.ledger.storage.codec import CallFacts, Case
from agentd.ledger.storage.engines import file_of
from agentd.ledger.storage.incidents import Census, Order
from agentd.ledger.storage.store import Store, open_store
from agentd.ledger.storage.vault import open_vault
from agentd.offload import Offload
from agentd.settings import Settings

T = TypeVar("T")
Run = Callable[[Callable[[], Any], float], Awaitable[Any]]

WRITE_S: Final = 2.0
"""Patience with one write: a caller waits for it. A disk that takes longer is down."""

SWEEP_S: Final = 20.0
"""Patience with what goes through many rows: taking over, erasing."""

STAGE: Final = "ledger"


def store_of(settings: Settings) -> Store:
    """Open the ledger that the settings name: `<calls.out>/ledger.sqlite` where they name none. Raises OperatorError."""
    at = settings.ledger
    url = at.url.get_secret_value() or f"sqlite:///{settings.calls.out / 'ledger.sqlite'}"
    return open_store(url, open_vault(at.key.get_secret_value(), file_of(url)), lease_s=at.lease_s)


async def open_ledger(settings: Settings, offload: Offload) -> Ledger:
    """Open the ledger that the settings name. Raises OperatorError. Cancelled: it may be open, for nobody."""
    return Ledger(await offload(lambda: store_of(settings), timeout=SWEEP_S, stage=STAGE), offload)


class Ledger:
    """A store behind threads. Every method may raise LedgerDown, where the store does or does not answer in time."""

    def __init__(self, store: Store, offload: Offload) -> None:
        self._store, self._offload = store, offload

    def page(self, call: CallFacts) -> Page:
        """The record of one call, for the one who drives it."""
        return Page(self._store, self._run, call)

    async def of_call(self, call: str) -> Case | None:
        """See Store.of_call. Cancelled: nothing is left behind."""
        return await self._run(lambda: self._store.of_call(call), WRITE_S)

    async def unsettled(self) -> list[Case]:
        """See Store.unsettled. Cancelled: nothing is left behind."""
        return await self._run(self._store.unsettled, SWEEP_S)

    async def take_over(self) -> list[Case]:
        """See Store.take_over. Cancelled or down: they may be claimed; `unsettled` answers them too."""
        return await self._run(self._store.take_over, SWEEP_S)

    async def renew(self) -> bool:
        """See Store.renew. Cancelled: it may be renewed."""
        return await self._run(self._store.renew, WRITE_S)

    async def erase(self, days: float) -> int:
        """See Store.erase. Cancelled: some rows are erased, and the rest at the next time."""
        return await self._run(lambda: self._store.erase(days), SWEEP_S)

    async def orders(self) -> list[Order]:
        """See incidents.due. Cancelled: nothing is left behind."""
        return await self._run(lambda: incidents.due(self._store), WRITE_S)

    async def carried_out(self, number: int, outcome: str) -> None:
        """See incidents.carried_out. Cancelled: it may be on record."""
        await self._run(lambda: incidents.carried_out(self._store, number, outcome), WRITE_S)

    async def census(self) -> Census:
        """See incidents.census. Cancelled: nothing is left behind."""
        return await self._run(lambda: incidents.census(self._store), WRITE_S)

    async def aclose(self) -> None:
        """Let go of what is unsettled: others may take it over at once. Cancelled: it is let go with the process."""
        await self._run(self._store.close, WRITE_S)

    async def _run(self, work: Callable[[], T], timeout: float) -> T:
        """Cancelled: the work goes on by itself, its result is dropped."""
        try:
            return await self._offload(work, timeout=timeout, stage=STAGE)
        except EngineStalled as stalled:
            raise LedgerDown(f"no answer within {timeout:g} s") from stalled
        except ProviderError as error:
            raise LedgerDown(str(error)) from error


class Page:
    """One call's record: what its driver writes on, and nobody beside it. Made by `Ledger.page`."""

    def __init__(self, store: Store, run: Run, call: CallFacts) -> None:
        self._store, self._run, self._call = store, run, call
        self._fence: int | None = None

    async def write(self, rows: Sequence[Row]) -> None:
        """Write rows, all or none, synced when it returns. Raises LedgerDown, or Fenced where the call was taken over.

        Cancelled or down: they are on record or not. Then write them again, or later ones: no write overtakes a later one.
        """
        await self._write(rows, ended=False)

    async def end(self) -> None:
        """The call is over, and its rows know; where it has none nothing is written. Raises and Cancelled: as `write`."""
        await self._write((), ended=True)

    async def may_send(self, seconds: float) -> bool:
        """Whether a request of so many seconds may leave: nobody takes the call over before. Cancelled: the lease is longer."""
        fence = self._fence
        return fence is not None and await self._run(lambda: self._store.may_send(self._call.id, seconds, fence), WRITE_S)

    async def _write(self, rows: Sequence[Row], *, ended: bool) -> None:
        """Cancelled: as `write`."""
        over, fence = threading.Event(), self._fence

        def work() -> int:
            return self._store.write(self._call, rows, ended=ended, fence=fence, given_up=over.is_set)

        try:
            self._fence = await self._run(work, WRITE_S)
        finally:
            over.set()
