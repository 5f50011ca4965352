"""A place for a ledger, and rows to keep there."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import text

from agentd.ledger.row import Fact, Kind, Row, Told, Verdict
from agentd.ledger.storage.codec import CallFacts, Case
from agentd.ledger.storage.engines import engine_for, file_of
from agentd.ledger.storage.store import Store, open_store
from agentd.ledger.storage.vault import Vault

KEY = base64.b64encode(b"the key of these tests, 32 bytes").decode()
OTHER_KEY = base64.b64encode(b"another key of these tests, 32 b").decode()

DAY = 86400.0


@dataclass
class Place:
    """A database; `now` is the wall clock of all its stores."""

    url: str
    now: float = 1_000_000.0
    stores: list[Store] = field(default_factory=list)

    def open(self, *keys: str, lease_s: float = 5.0) -> Store:
        """Another process's store, as it were."""
        store = open_store(self.url, Vault(keys or (KEY,)), lease_s=lease_s, clock=lambda: self.now)
        self.stores.append(store)
        return store

    @property
    def file(self) -> Path:
        path = file_of(self.url)
        assert path is not None
        return path

    def ask(self, query: str) -> list[Any]:
        """The first column of what a query answers, past the store."""
        engine = engine_for(self.url)
        try:
            with engine.begin() as connection:
                result = connection.execute(text(query))
                return list(result.scalars()) if result.returns_rows else []
        finally:
            engine.dispose()

    def close(self) -> None:
        for store in self.stores:
            store.close()


def call(name: str = "c1") -> CallFacts:
    return CallFacts(name, "receptionist", "+15550142", "+15550100", 999_000.0)


def row(name: str = "r1", of: str = "c1", seq: int = 1, **fields: Any) -> Row:
    return Row(name, of, seq, "book", Kind.HELD, args='{"name": "Jane Doe"}', identity='["Jane Doe"]', **fields)


def kept(one: Row) -> Row:
    """Kept, told and confirmed: settled."""
    return replace(one, fact=Fact.CONFIRMED, verdict=Verdict.KEEP, told=Told.TOLD, why="told")


def dropped(one: Row) -> Row:
    """Dropped and absent: settled."""
    return replace(one, fact=Fact.ABSENT, verdict=Verdict.DROP, why="retracted")


def rows_of(case: Case | None) -> tuple[Row, ...]:
    return case.rows if case else ()


def names(cases: list[Case]) -> list[str]:
    return sorted(case.call.id for case in cases)


def lose_the_lock(store: Store) -> None:
    """From here on it is taken for dead, and does not know."""
    store._life.close(store.owner)
