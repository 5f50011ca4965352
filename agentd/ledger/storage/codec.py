"""A row as the tables hold it, and what the ledger knows of the call that it belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from agentd.ledger.row import Fact, Kind, Row, Told, Traits, Verdict
from agentd.ledger.storage.vault import ERASED, HIDDEN, Vault

_COLUMNS: Final = ("id", "call", "seq", "tool", "kind", "fact", "verdict", "told", "stuck", "why", "opened")
_SEALED: Final = ("args", "identity", "resource", "result")
_NUMBERS: Final = ("caller", "called")
_MORE: Final = tuple(
    one.name for one in fields(Row) if one.name not in {*_COLUMNS, *_SEALED, "traits", "needs", "error"}
)  # fmt: skip
_TRAITS: Final = tuple(one.name for one in fields(Traits))


@dataclass(frozen=True, slots=True)
class CallFacts:
    """A call, as far as its rows need it once it is over: which flow's tools settle them, and whom a notice reaches.

    `flow` is the flow as the settings name it, `called` our number. Times are epoch seconds; `ended` is 0.0 while it lasts.
    """

    id: str
    flow: str
    caller: str = ""
    called: str = ""
    started: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """A call and all its rows, in their order."""

    call: CallFacts
    rows: tuple[Row, ...]


def call_record(call: CallFacts, vault: Vault) -> dict[str, Any]:
    """The columns of `tables.calls` that are known when its first row is written."""
    sealed = vault.seal(json.dumps([call.caller, call.called]))
    return {"id": call.id, "flow": call.flow, "started": call.started, "key": vault.name, "sealed": sealed}


def call_facts(record: Mapping[str, Any], vault: Vault | None) -> CallFacts:
    """A call from the columns of `tables.calls`; without a vault its numbers are hidden. Raises as `Vault.open`."""
    caller, called = _opened(record["sealed"], vault, _NUMBERS)
    return CallFacts(record["id"], record["flow"], caller, called, record["started"], record["ended"] or 0.0)


def row_record(row: Row, vault: Vault, now: float) -> dict[str, Any]:
    """All columns of `tables.rows`."""
    traits = {name: getattr(row.traits, name) for name in _TRAITS}
    more = {name: getattr(row, name) for name in _MORE} | {"traits": traits, "needs": row.needs}
    return {name: getattr(row, name) for name in _COLUMNS} | {
        "moved": now,
        "settled": now if row.settled else None,
        "more": json.dumps(more, separators=(",", ":")),
        "digest": vault.digest(row.args),
        "key": vault.name,
        "sealed": None if row.args == ERASED else vault.seal(json.dumps([getattr(row, name) for name in _SEALED])),
        "error": vault.seal(row.error) if row.error else None,
    }


def row_of(record: Mapping[str, Any], vault: Vault, *, revealed: bool = True) -> Row:
    """A row from the columns of `tables.rows`; where it is not revealed, only its error is opened.

    Raises OperatorError as `Vault.open`.
    """
    more = json.loads(record["more"])
    traits = Traits(**{name: value for name, value in more.pop("traits").items() if name in _TRAITS})
    columns: dict[str, Any] = {name: record[name] for name in _COLUMNS} | {
        "kind": Kind(record["kind"]),
        "fact": Fact(record["fact"]),
        "verdict": Verdict(record["verdict"]),
        "told": Told(record["told"]),
        "traits": traits,
        "needs": tuple(more.pop("needs")),
        "error": vault.open(record["error"]) if record["error"] else "",
    }
    columns |= zip(_SEALED, _opened(record["sealed"], vault if revealed else None, _SEALED), strict=True)
    return Row(**columns, **{name: value for name, value in more.items() if name in _MORE})


def _opened(sealed: str | None, vault: Vault | None, names: tuple[str, ...]) -> list[str]:
    if sealed is None or vault is None:
        return [ERASED if sealed is None else HIDDEN] * len(names)
    opened: list[str] = json.loads(vault.open(sealed))
    return opened
