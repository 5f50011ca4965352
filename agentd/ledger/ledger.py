"""The ledger as the daemon has it: the store, off the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from agentd.errors import EngineStalled, LedgerDown, ProviderError
from agentd.ledger import incidents
from agentd.ledger.codec import CallFacts, Case
from agentd.ledger.engines import file_of
from agentd.ledger.incidents import Census, Order
from agentd.ledger.row import Row
from agentd.ledger.store import Store, open_store
from agentd.ledger.vault import open_vault
from agentd.offload import Offload
from agentd.settings import Settings

T = TypeVar("T")

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

    async def write(self, call: CallFacts, changed: Sequence[Row], *, ended: bool = False) -> None:
        """See Store.write: synced when it returns; raises Fenced. Cancelled or down: the rows are written all or not at all.

        Then write them again, or later ones; an earlier write never overtakes a later one.
        """
        over = threading.Event()
        try:
            await self._run(lambda: self._store.write(call, changed, ended=ended, given_up=over.is_set), WRITE_S)
        finally:
            over.set()

    def page(self, call: CallFacts) -> Page:
        """The record of one call, for who drives it."""
        return Page(self, call)

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

    async def may_send(self, call: str, timeout: float) -> bool:
        """See Store.may_send. Cancelled: the lease may be longer."""
        return await self._run(lambda: self._store.may_send(call, timeout), WRITE_S)

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
    """One call's record: what the driver writes on."""

    def __init__(self, ledger: Ledger, call: CallFacts) -> None:
        self._ledger, self._call = ledger, call

    async def write(self, rows: Sequence[Row]) -> None:
        """See Ledger.write. Cancelled: as there."""
        await self._ledger.write(self._call, rows)

    async def end(self) -> None:
        """The call is over, and its rows know; of one that has none nothing is written. Cancelled: as Ledger.write."""
        await self._ledger.write(self._call, (), ended=True)

    async def may_send(self, seconds: float) -> bool:
        """See Ledger.may_send. Cancelled: as there."""
        return await self._ledger.may_send(self._call.id, seconds)
