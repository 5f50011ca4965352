"""The store off the loop: one that stalls is down, and what it was told before never comes after what it is told later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import trio

from agentd import settings
from agentd.errors import EngineStalled, Fenced, LedgerDown, OperatorError, ProviderError
from agentd.ledger.storage import incidents
from agentd.ledger.storage.incidents import Order, Verb
from agentd.ledger.storage.ledger import Ledger, open_ledger, store_of
from agentd.ledger.storage.vault import Vault
from agentd.offload import Inline, Threads
from tests.unit.ledger.keeping import KEY, Place, call, dropped, kept, names, row, rows_of

T = TypeVar("T")


@pytest.fixture
def ledger(file: Place) -> Ledger:
    return Ledger(file.open(), Inline())


async def test_a_page_is_what_a_driver_writes_on(file: Place, ledger: Ledger) -> None:
    page = ledger.page(call())
    assert not await page.may_send(10.0)
    await page.write([row()])
    assert await page.may_send(10.0)
    assert names(await ledger.unsettled()) == ["c1"]
    await page.write([kept(row())])
    await page.end()
    assert await ledger.unsettled() == []
    case = await ledger.of_call("c1")
    assert case is not None
    assert (case.call.ended, case.rows) == (file.now, (kept(row()),))


async def test_a_page_from_before_a_takeover_is_closed_for_good(file: Place, ledger: Ledger) -> None:
    page = ledger.page(call())
    await page.write([row()])
    file.ask("DELETE FROM ledger_owners")
    assert not await ledger.renew()
    assert names(await ledger.take_over()) == ["c1"]
    with pytest.raises(Fenced):
        await page.write([kept(row())])
    await ledger.page(call()).write([dropped(row())])


async def test_a_write_that_stalls_is_down(file: Place, autojump_clock: trio.testing.MockClock) -> None:
    page = Ledger(file.open(), Inline(delay=10.0)).page(call())
    with pytest.raises(LedgerDown, match="no answer within 2 s"):
        await page.write([row()])


async def test_a_write_that_stalled_is_not_made_after_a_later_one(file: Place) -> None:
    late = Late()
    page = Ledger(file.open(), late).page(call())
    with pytest.raises(LedgerDown):
        await page.write([row()])
    await page.write([replace(row(), sends=1)])
    with pytest.raises(LedgerDown, match="waited too long"):
        late.work()
    assert rows_of(file.open().of_call("c1")) == (replace(row(), sends=1),)


class Late:
    """Offload whose first thread gets going only when `work` is called."""

    def __init__(self) -> None:
        self.work: Callable[[], object] = lambda: None
        self._stalled = False

    async def __call__(self, fn: Callable[[], T], *, timeout: float, stage: str) -> T:
        if self._stalled:
            return fn()
        self.work, self._stalled = fn, True
        raise EngineStalled(stage, "no answer")


async def test_a_process_without_threads_is_down(file: Place) -> None:
    class Spent:
        async def __call__(self, fn: Callable[[], T], *, timeout: float, stage: str) -> T:
            raise ProviderError(stage, "8 threads hang in their engines", retryable=False)

    with pytest.raises(LedgerDown, match="8 threads hang"):
        await Ledger(file.open(), Spent()).take_over()


async def test_orders_and_the_census_go_through_it(file: Place, ledger: Ledger) -> None:
    await ledger.page(call()).write([row()])
    incidents.order(file.open(), Order("r1", Verb.RETRY, "alice"))
    (one,) = await ledger.orders()
    await ledger.carried_out(one.number, "taken up")
    assert await ledger.orders() == []
    assert (await ledger.census()).open == 1
    assert await ledger.erase(1) == 0


async def test_a_ledger_that_is_closed_leaves_its_calls_to_others_at_once(file: Place, ledger: Ledger) -> None:
    await ledger.page(call()).write([row()])
    heir = file.open()
    assert heir.take_over() == []
    await ledger.aclose()
    assert names(heir.take_over()) == ["c1"]


async def test_with_nothing_set_the_ledger_lies_with_the_calls_and_makes_its_own_key(tmp_path: Path) -> None:
    at = settings.load(None, {}, {"calls.out": str(tmp_path / "calls")})
    ledger = await open_ledger(at, Threads())
    await ledger.page(call()).write([row()])
    await ledger.aclose()
    assert sorted(path.name for path in (tmp_path / "calls").iterdir()) == ["ledger.sqlite", "ledger.sqlite.key"]
    store = store_of(at)
    assert rows_of(store.of_call("c1")) == (row(),)
    store.close()


async def test_what_is_set_is_used(tmp_path: Path) -> None:
    at = settings.load(None, {}, {"ledger.url": f"sqlite:///{tmp_path}/mine", "ledger.key": KEY, "calls.out": str(tmp_path)})
    store = store_of(at)
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert store.vault.name == Vault([KEY]).name


async def test_a_ledger_that_cannot_be_opened_is_the_operators_matter(tmp_path: Path) -> None:
    at = settings.load(None, {}, {"ledger.url": "postgresql://127.0.0.1:1/x"})
    with pytest.raises(OperatorError, match="needs a key"):
        await open_ledger(at, Threads())
