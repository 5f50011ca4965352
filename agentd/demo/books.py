"""The daemon's ledger, read beside it as operators do: what it holds of a call in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from agentd.ledger.row import SPOKEN, Kind, Row
from agentd.ledger.storage import incidents
from agentd.ledger.storage.store import Store, open_store
from agentd.ledger.storage.vault import open_vault

WHO: Final = "agentd demo"
"""Who saw the values: the ledger notes it with each row."""

HEAD: Final = f"{'':<42}{'fact':<11}{'verdict':<9}{'why':<19}told"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: its tool and class, the weekday and time that it is about, its fact and verdict, and what gave that."""

    tool: str
    kind: str
    when: str
    fact: str
    verdict: str
    why: str


class Books:
    """The ledger in the calls' folder, once the daemon has made it."""

    def __init__(self, out: Path) -> None:
        self._file = out / "ledger.sqlite"

    def __enter__(self) -> Books:
        self._store: Store = open_store(f"sqlite:///{self._file}", open_vault("", self._file))
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def entries(self, call: str) -> list[Entry]:
        """The rows that the caller was told of, in their order."""
        return [
            Entry(row.tool, row.kind, short(json.loads(row.args).get("when", "")), row.fact, row.verdict, row.why)
            for row in self._rows(call)
        ]

    def table(self, call: str) -> Iterator[str]:
        """The same in columns, below `HEAD`."""
        for row in self._rows(call):
            values = [short(str(value)) for value in json.loads(row.args).values()]
            what = " ".join(["take back"] * (row.kind is Kind.TAKE_BACK) + [row.tool, *values])
            cut = f", cut {row.cuts} times"[: None if row.cuts > 1 else -1] if row.cuts else ""
            yield f"{what:<42}{row.fact:<11}{row.verdict:<9}{row.why:<19}{row.told}{cut}"

    def _rows(self, call: str) -> list[Row]:
        case = incidents.reveal(self._store, call, WHO)
        return [row for row in case.rows if row.kind in SPOKEN] if case else []


def short(text: str) -> str:
    """A time by its weekday and hour; any other text as it is."""
    with suppress(ValueError):
        return f"{datetime.fromisoformat(text):%a %H:%M}"
    return text
